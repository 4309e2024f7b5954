//! The faults of docs/faults.md, one row or more in each file: what a provider or a client can do
//! wrong on the wire, and what the other side gets to see of it.

mod before;
mod body;
mod departures;
mod forms;
mod multiplexed;
mod network;
mod pooled;
mod script;
mod told;
mod words;
