//! Server-sent events as pure push machines: bytes in any chunking to whole events, and back.
//!
//! [`Frames`] cuts a provider's stream into events without looking inside them, [`parse`] reads
//! one, [`writer`] writes them. Relaying whole frames only is what lets the gateway put its own
//! comment or error event between any two of them.

pub mod event;
pub mod frames;
pub mod writer;

pub use event::{Event, parse};
pub use frames::{EventTooLarge, Frames, MAX_EVENT_BYTES};
pub use writer::{DONE, write_comment, write_data, write_event};
