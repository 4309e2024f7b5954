//! Generated artefacts.
