//! Periods of a spending limit, in UTC.
//!
//! Used by `budget` and by whoever asks the store what was spent since the start of one. Days
//! begin at midnight, weeks on Monday, months on the first.

use jiff::{Timestamp, ToSpan, tz::TimeZone};

use super::window::DAY_S;
use crate::config::LimitReset;

const WEEK_S: u64 = 7 * DAY_S;
/// 1970-01-01 was a Thursday; this moves it to Monday.
const MONDAY_OFFSET_S: u64 = 3 * DAY_S;

/// From when to when a spending counter runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeriodSpan {
    /// What ends it.
    pub reset: LimitReset,
    /// First second, Unix.
    pub start_s: u64,
    /// First second that is no longer in it, Unix; `u64::MAX` if it never ends.
    pub end_s: u64,
}

impl PeriodSpan {
    /// The period that a moment lies in.
    pub fn at(reset: LimitReset, now_s: u64) -> Self {
        let (start_s, end_s) = match reset {
            LimitReset::Daily => {
                let start_s = now_s - now_s % DAY_S;
                (start_s, start_s.saturating_add(DAY_S))
            }
            LimitReset::Weekly => {
                // The week of the epoch began before it.
                let into_s = now_s.saturating_add(MONDAY_OFFSET_S) % WEEK_S;
                (now_s.saturating_sub(into_s), now_s.saturating_add(WEEK_S - into_s))
            }
            LimitReset::Monthly => month(now_s).unwrap_or((0, u64::MAX)),
            LimitReset::Never => (0, u64::MAX),
        };
        Self { reset, start_s, end_s }
    }

    /// When the counter starts again, Unix seconds; `None`: never.
    pub fn reset_s(&self) -> Option<u64> {
        (self.end_s != u64::MAX).then_some(self.end_s)
    }

    /// Whether the other period lies within this one.
    pub(super) fn includes(&self, other: &Self) -> bool {
        self.start_s <= other.start_s && other.end_s <= self.end_s
    }

    /// Whether what happens now counts in this period: in its time, or so shortly before that the
    /// clock was put back by less than a period.
    pub(super) fn serves(&self, now_s: u64) -> bool {
        now_s < self.end_s && now_s.saturating_add(self.end_s - self.start_s) >= self.start_s
    }
}

/// Bounds of the month; `None` beyond the year 9999.
fn month(now_s: u64) -> Option<(u64, u64)> {
    let now = Timestamp::from_second(i64::try_from(now_s).ok()?).ok()?;
    let first = now.to_zoned(TimeZone::UTC).date().first_of_month();
    let next = first.checked_add(1.month()).ok()?;
    let second = |date: jiff::civil::Date| {
        let midnight = date.to_zoned(TimeZone::UTC).ok()?;
        u64::try_from(midnight.timestamp().as_second()).ok()
    };
    Some((second(first)?, second(next)?))
}
