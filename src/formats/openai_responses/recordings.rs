//! Recorded exchanges in this format, for tests, where the recordings are present.
