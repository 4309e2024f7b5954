//! Where in a client's document a value stands, for the complaints about it.
//!
//! Used by the request decoders of every format. A path borrows from the paths above it, so that
//! it costs nothing until a complaint is written.

use super::FormatError;
use std::fmt;

/// Where in the document a value stands; written out only for a complaint.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Path<'p> {
    /// The document.
    Root,
    /// A member of an object.
    Key(&'p Path<'p>, &'p str),
    /// An element of an array.
    Index(&'p Path<'p>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(Self::Root, key) => out.write_str(key),
            Self::Key(parent, key) => write!(out, "{parent}.{key}"),
            Self::Index(parent, index) => write!(out, "{parent}[{index}]"),
        }
    }
}

impl<'p> Path<'p> {
    /// The path of a member.
    pub(crate) fn key(&'p self, key: &'p str) -> Path<'p> {
        Path::Key(self, key)
    }

    /// The path of an element.
    pub(crate) fn index(&'p self, index: usize) -> Path<'p> {
        Path::Index(self, index)
    }

    /// A complaint about the value here: `messages[0].role is missing`.
    pub(crate) fn fault(&self, complaint: &str) -> FormatError {
        let path = self.to_string();
        if path.is_empty() {
            return FormatError::whole(format!("the request body {complaint}"));
        }
        let message = format!("`{path}` {complaint}");
        FormatError::field(path, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_name_the_place() {
        let list = Path::Root.key("messages");
        let message = list.index(2);
        let error = message.key("role").fault("is missing");
        assert_eq!(error.param.as_deref(), Some("messages[2].role"));
        assert_eq!(error.message, "`messages[2].role` is missing");
        let error = Path::Root.fault("must be an object");
        assert_eq!(error.param, None);
        assert_eq!(error.message, "the request body must be an object");
    }
}
