//! Streams as clients get them.
