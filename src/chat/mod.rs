//! The neutral vocabulary between wire formats: what a chat request, an answer and a stream event
//! mean, whoever said it.
//!
//! Every format decodes into these types and encodes from them; no format knows another one. The
//! types borrow from the bytes they were decoded from wherever the text needs no unescaping, and
//! carry JSON that must survive untouched (schemas, tool arguments) as raw text.

pub mod event;
pub mod message;
pub mod request;
pub mod response;
pub mod tool;
pub mod usage;

pub use event::Event;
pub use message::{Message, Part, Role};
pub use request::Request;
pub use response::{FinishReason, Response};
pub use usage::Usage;
