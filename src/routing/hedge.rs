//! Hedged requests: when a second endpoint is asked besides one that is silent.
//!
//! Used by `proxy::exchange`, for names whose operator asks for it. Never before the silence is
//! longer than that of 95 of 100 answers of the endpoint, and never for more than a share of the
//! requests: where everything is slow, a second call would make it slower.

use super::model_ref;
use crate::config::HedgeConfig;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Hundredths of a hedge that one hedge takes.
const WHOLE: u32 = 100;
/// Hedges that may be saved up while all is well.
const MAX_SAVED: u32 = 10;

/// When one name is hedged, and how often that may still be.
#[derive(Debug)]
pub struct HedgeRule {
    min_silence: Duration,
    /// Hundredths that each request adds.
    earned: u32,
    /// Hundredths that are left.
    saved: AtomicU32,
    scope: HedgeScope,
}

/// Who may be the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HedgeScope {
    /// Another endpoint of the same model.
    Model,
    /// Another target of the alias as well.
    Alias,
}

impl HedgeRule {
    /// A rule that has nothing saved up.
    pub fn new(config: &HedgeConfig, scope: HedgeScope) -> Self {
        Self {
            scope,
            min_silence: Duration::from_millis(config.min_silence_ms),
            earned: config.max_percent.min(WHOLE),
            saved: AtomicU32::new(0),
        }
    }

    /// The rule for a name that a caller asks for, with or without variants.
    pub fn find<'r>(rules: &'r HashMap<String, Self>, name: &str) -> Option<&'r Self> {
        model_ref::find(rules, name)
    }

    /// Whether the second endpoint may serve another model.
    pub fn crosses_models(&self) -> bool {
        self.scope == HedgeScope::Alias
    }

    /// How long the first endpoint may be silent; `silence_p95_ms` is what is usual there. `None`
    /// as long as that is not known.
    pub fn silence(&self, silence_p95_ms: Option<f32>) -> Option<Duration> {
        let usual = Duration::try_from_secs_f32(silence_p95_ms? / 1_000.0).ok()?;
        Some(usual.max(self.min_silence))
    }

    /// A request begins that may be hedged.
    pub fn note_request(&self) {
        let add = |saved: u32| Some(saved.saturating_add(self.earned).min(MAX_SAVED * WHOLE));
        // Always a number: nothing can go wrong.
        let _before = self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Whether one more may be hedged; counts it if so.
    pub fn take(&self) -> bool {
        let less = |saved: u32| saved.checked_sub(WHOLE);
        self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(max_percent: u32) -> HedgeRule {
        HedgeRule::new(&HedgeConfig { min_silence_ms: 200, max_percent }, HedgeScope::Model)
    }

    #[test]
    fn never_more_than_the_share() {
        for (percent, requests, hedges) in [(10, 1_000, 100), (1, 1_000, 10), (100, 50, 50)] {
            let rule = rule(percent);
            assert!(!rule.take(), "nothing is given in advance");
            let taken = (0..requests).filter(|_| {
                rule.note_request();
                rule.take()
            });
            assert_eq!(taken.count(), hedges, "{percent}");
        }
    }

    #[test]
    fn a_good_time_saves_up_little() {
        let rule = rule(10);
        (0..100_000).for_each(|_| rule.note_request());
        assert_eq!((0..100).filter(|_| rule.take()).count(), 10);
    }

    #[test]
    fn the_silence_is_the_usual_one_but_never_short() {
        let rule = rule(10);
        assert_eq!(rule.silence(None), None);
        assert_eq!(rule.silence(Some(20.0)), Some(Duration::from_millis(200)));
        assert_eq!(rule.silence(Some(2_000.0)), Some(Duration::from_secs(2)));
        assert_eq!(rule.silence(Some(f32::NAN)), None);
    }

    #[test]
    fn a_name_is_found_with_its_variants() {
        let rules: HashMap<String, HedgeRule> = [("fast".to_owned(), rule(10))].into();
        for (name, found) in
            [("fast", true), ("fast:nitro", true), ("fast:nitro:floor", true), ("faster", false)]
        {
            assert_eq!(HedgeRule::find(&rules, name).is_some(), found, "{name}");
        }
        assert!(HedgeRule::find(&HashMap::new(), "fast").is_none());
    }
}
