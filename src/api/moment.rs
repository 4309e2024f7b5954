//! Moments in JSON: Unix milliseconds as RFC 3339 in UTC.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// A moment in Unix milliseconds that serialises as `2026-01-15T10:30:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub i64);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH);
        serializer.collect_str(&time)
    }
}
