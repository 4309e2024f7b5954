//! Requests in every form.
