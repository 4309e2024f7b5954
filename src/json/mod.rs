//! JSON on the hot path: spans instead of trees.
//!
//! [`Head`] checks a client's request body once and remembers where its top-level members are;
//! [`Splice`] rewrites single members of it without copying the rest; [`Members`] walks the small
//! objects providers stream, [`Elements`] an array; [`write_string`] and [`text`] handle JSON strings.
//!
//! Nothing here does I/O or recurses, and all of it runs in time linear in the input.

pub mod elements;
pub mod head;
pub mod members;
mod scan;
pub mod splice;
pub mod text;

pub use elements::Elements;
pub use head::{Head, HeadError, HeadMember};
pub use members::{Member, Members, elements, find, find_path};
pub use splice::{Body, Splice};
pub use text::{as_str, as_str_in, string_literal, write_string};

/// How deep containers may nest, counting the outermost one.
pub const MAX_DEPTH: usize = 128;
