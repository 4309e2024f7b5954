//! Where a request goes: from the model a client names to an ordered list of endpoints.
//!
//! Pure functions over an immutable table; the table is part of the snapshot. `health` is what
//! lives longer.

pub mod ask;
pub mod auto;
pub mod conversation;
pub mod exacto;
pub mod filter;
pub mod health;
pub mod hedge;
pub mod live;
pub mod model_ref;
pub mod plan;
pub mod preferences;
pub mod preset;
mod sort;
pub mod sticky;
pub mod table;
pub mod tool_calls;

pub use ask::Ask;
pub use health::Health;
pub use hedge::{HedgeRule, HedgeScope};
pub use live::{EndpointView, Gate, Live, Percentiles, ToolErrors};
pub use plan::{Candidate, Plan, PlanError, Shortlist, choose};
pub use preferences::{Partition, Preferences, SortBy};
pub use preset::{Preset, Presets};
pub use sticky::{Kept, StickyKey, StickyTable};
pub use table::{RouteError, RoutingTable};
