//! Requests as providers get them.
