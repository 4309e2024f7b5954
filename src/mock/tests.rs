//! The mock against real connections: every format, every fault, the journal.

mod faults;
mod formats;
mod rig;
mod rules;
mod transport;
