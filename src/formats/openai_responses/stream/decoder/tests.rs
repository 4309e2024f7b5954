//! Streams event by event.
