//! Money: what a request costs.

pub mod price;

pub use price::{Cost, cost};
