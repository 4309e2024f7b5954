//! Whatever order events come in, the stream is well-formed and nothing said is lost.

use super::*;

proptest::proptest! {
    #[test]
    fn whatever_comes_the_stream_is_well_formed(
        order in proptest::collection::vec((0_usize..14, 0_u32..4), 0..40)
    ) {
        let event = |(kind, at): &(usize, u32)| match kind {
            0 => start(),
            1 => text("t"),
            2 => thought("r", *at),
            3 => signed("S", false, "anthropic-claude-v1", None),
            4 => signed("E", true, "unknown", None),
            5 => signed("G", true, "google-gemini-v1", Some("call_1")),
            6 => call(*at, "f"),
            7 => arguments(*at, ["{", "1", " ", "}"][*at as usize]),
            8 => over(*at),
            9 => cited("u"),
            10 => Event::Ping,
            11 => Event::Refusal { choice: 0, text: "n".into() },
            12 => finish(FinishReason::Stop, "stop"),
            _ => text(""),
        };
        let told: Vec<Event<'_>> = order.iter().map(event).collect();
        let out = written_for(label(), &told);
        checked(&out);
        let (heard, fault) = hear(&split(std::str::from_utf8(&out).unwrap()));
        proptest::prop_assert!(fault.is_none() && heard.ended);
        let count = |wanted: usize| order.iter().filter(|(kind, _)| *kind == wanted).count();
        proptest::prop_assert_eq!(heard.text.len(), count(1) + count(11));
        proptest::prop_assert_eq!(heard.reasoning.len(), count(2));
        proptest::prop_assert_eq!(heard.signatures.len(), count(3) + count(5));
        proptest::prop_assert_eq!(heard.encrypted.len(), count(4));
        proptest::prop_assert_eq!(heard.calls.len(), count(6));
    }
}
