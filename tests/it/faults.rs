//! The faults of docs/faults.md, one row or more in each file: what a provider or a client can do
//! wrong on the wire, and what the other side gets to see of it.

mod before;
mod body;
mod departures;
mod figures;
mod forms;
mod lingering;
mod multiplexed;
mod network;
mod packed;
mod pooled;
mod refusals;
mod rows;
mod script;
mod told;
mod words;
