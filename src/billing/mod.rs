//! Money: what a request costs.

pub mod insurance;
pub mod price;

pub use insurance::Bill;
pub use price::{Cost, cost};
