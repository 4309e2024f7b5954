//! What exists: models, and the endpoints that serve them.
//!
//! An endpoint is one model at one provider, with its price. The catalogue says nothing about
//! which provider is healthy or preferred; that is `routing`.

pub mod abilities;
pub mod builtin;
pub mod model;
pub mod parameters;
pub mod pricing;

pub use abilities::{Abilities, Modalities};
pub use builtin::{Known, List, Modality, list};
pub use model::{Endpoint, Model};
pub use parameters::{Parameter, ParameterSet};
pub use pricing::{Pricing, Rates};
