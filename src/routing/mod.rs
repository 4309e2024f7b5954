//! Where a request goes: from the model a client names to an ordered list of endpoints.
//!
//! Pure functions over an immutable table; the table is part of the snapshot. `health` is what
//! lives longer.

pub mod auto;
pub mod conversation;
pub mod exacto;
pub mod health;
pub mod live;
pub mod plan;
pub mod sticky;
pub mod table;
pub mod tool_calls;

pub use health::Health;
pub use live::{EndpointView, Gate, Live, Percentiles, ToolErrors};
pub use plan::{Candidate, Plan};
pub use sticky::{Kept, StickyKey, StickyTable};
pub use table::{RouteError, RoutingTable};
