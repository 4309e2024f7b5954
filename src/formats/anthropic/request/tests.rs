//! Tables and properties of the request encoder.
