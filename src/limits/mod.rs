//! Limits: how often a key may call, how much it may spend, what the account still has.
//!
//! Used by `auth`, which hangs a key's counters on the key, and by `proxy`, which asks
//! [`Meters::admit`] before it dispatches and settles the [`Admission`] afterwards. Counters are
//! atomics and live as long as the process; limits are numbers of the caller, so either changes
//! without the other. Nothing here waits, locks on the way of a request, or allocates.

mod account;
mod admission;
mod atomic;
mod budget;
mod meter;
mod period;
mod rates;
mod running;
mod steady_clock;
mod tally;
mod window;

#[cfg(test)]
mod tests;

pub use self::account::{AccountMeter, Terms};
pub use self::admission::{Admission, Ask, KeyPolicy, Payer, Refusal, Subject};
pub use self::budget::{Budget, Refused, Reservation};
pub use self::meter::{KeyMeter, Meters};
pub use self::period::PeriodSpan;
pub use self::rates::{RateHold, RateKind, RateMeter, RateRefusal, Seen};
pub use self::steady_clock::{Monotonic, SteadyClock};
pub use self::window::Standing;
