//! Money: what a request costs.

pub mod insurance;
pub mod price;
pub mod reprice;

pub use insurance::Bill;
pub use price::{Cost, cost};
