//! Tests of the limits: time, windows and periods; money; the gate of a request.

mod admission;
mod clocks;
mod money;
mod rates;

/// Unix seconds of a moment like `2024-02-29T23:59:59Z`.
fn at(moment: &str) -> u64 {
    let moment: jiff::Timestamp = moment.parse().unwrap();
    u64::try_from(moment.as_second()).unwrap()
}
