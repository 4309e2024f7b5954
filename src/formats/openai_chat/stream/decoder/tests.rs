//! Ordinary chunks tell the same whether they are read as such or as a tree.

use super::*;
use crate::formats::gemini::recordings;
use proptest::prelude::*;
use std::path::Path;

/// One decoder that takes the short way where it can, and one that never does.
#[derive(Default)]
struct Both {
    short: Decoder,
    tree: Decoder,
    /// Chunks that went the short way.
    taken: usize,
}

impl Both {
    /// Gives what both tell of a chunk.
    fn read(&mut self, json: &str) -> [String; 2] {
        let text = json.trim().as_bytes();
        let mut told = Vec::new();
        let mut sink = |event: Event<'_>| told.push(format!("{event:?}"));
        self.taken += usize::from(plain::read(text).is_some() && self.short.started);
        let result = self.short.event(None, text, &mut sink);
        let short = format!("{told:?} {result:?}");
        told.clear();
        let mut sink = |event: Event<'_>| told.push(format!("{event:?}"));
        let result = match text {
            b"" | b"[DONE]" => self.tree.event(None, text, &mut sink),
            _ if self.tree.ended => Ok(()),
            _ => self.tree.whole(None, text, &mut sink),
        };
        [short, format!("{told:?} {result:?}")]
    }

    fn finish(&mut self) -> [String; 2] {
        [&mut self.short, &mut self.tree].map(|decoder| {
            let mut told = Vec::new();
            let result = decoder.finish(&mut |event| told.push(format!("{event:?}")));
            format!("{told:?} {result:?}")
        })
    }
}

#[test]
fn recorded_chunks_tell_the_same_both_ways() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/wire/corpus");
    let Ok(folders) = std::fs::read_dir(corpus) else { return };
    let names = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap());
    let (mut chunks, mut taken) = (0, 0);
    for recording in names.filter(|name| name.ends_with("-chat")).flat_map(|n| recordings::load(&n))
    {
        let mut both = Both::default();
        for data in recording.body.lines().filter_map(|line| line.strip_prefix("data:")) {
            let [short, tree] = both.read(data);
            assert_eq!(short, tree, "{}: {data}", recording.id);
            chunks += 1;
        }
        let [short, tree] = both.finish();
        assert_eq!(short, tree, "{}", recording.id);
        taken += both.taken;
    }
    println!("{taken} of {chunks} chunks");
    assert!(taken * 10 > chunks * 7, "{taken} of {chunks}");
}

const START: &str =
    r#"{"id":"x","model":"m","choices":[{"index":0,"delta":{"role":"assistant"}}]}"#;

#[test]
fn what_is_ordinary() {
    for (ordinary, json) in [
        (true, r#"{"choices":[{"delta":{"content":"a\n"}}]}"#),
        (true, r#"{"choices":[{"delta":{"content":"","reasoning":"a"},"finish_reason":null}]}"#),
        (true, r#"{"choices":[{"delta":{"content":null,"refusal":"a","annotations":[]}}]}"#),
        (
            true,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}"#,
        ),
        (
            true,
            r#"{"choices":[{"delta":{"content":"a","tool_calls":[]}}],"usage":null,"new":{"a":[1]}}"#,
        ),
        (true, r#"{"choices":[{"delta":{"content":"a"},"message":{"content":"all"}}]}"#),
        (false, r#"{"choices":[{"delta":null,"message":{"content":"all"}}]}"#),
        (false, r#"{"choices":[{"delta":{"content":"a","refusal":"b"}}]}"#),
        (false, r#"{"choices":[{"delta":{"content":"a","tool_calls":[{"index":0}]}}]}"#),
        (false, r#"{"choices":[{"delta":{"tool_calls":[{"index":0},{"index":1}]}}]}"#),
        (false, r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"custom":{"input":"a"}}]}}]}"#),
        (false, r#"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{"}}]}}]}"#),
        (false, r#"{"choices":[{"delta":{"content":["a"]}}]}"#),
        (false, r#"{"choices":[{"delta":{"content":"a","content":"b"}}]}"#),
        (false, r#"{"choices":[{"delta":{"content":"a","reasoning_details":[{}]}}]}"#),
        (false, r#"{"choices":[{"delta":{"content":"a"},"finish_reason":""}]}"#),
        (false, r#"{"choices":[{"delta":{"content":"a"},"logprobs":{}}]}"#),
        (false, r#"{"choices":[{"delta":{"content":"a"}}],"usage":{}}"#),
        (false, r#"{"choices":[{"delta":{"content":"a"}}],"x_groq":{}}"#),
        (false, r#"{"choices":[{"delta":{"content":"a"}}],"error":{}}"#),
        (false, r#"{"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"}}]}"#),
        (false, r#"{"choices":[]}"#),
        (false, r#"{"choices":[{"delta":{"content":"a"}}]} x"#),
    ] {
        assert_eq!(plain::read(json.as_bytes()).is_some(), ordinary, "{json}");
    }
}

#[test]
fn a_large_text_is_not_held() {
    let mut decoder = Decoder::new();
    decoder.event(None, START.as_bytes(), &mut |_| ()).unwrap();
    for length in [10, MAX_KEPT_BYTES + 1] {
        let text = "a".repeat(length);
        let json = format!(r#"{{"choices":[{{"delta":{{"content":"\n{text}"}}}}]}}"#);
        let mut told = String::new();
        let mut sink = |event: Event<'_>| {
            if let Event::Text { text, .. } = event {
                told += &text;
            }
        };
        decoder.event(None, json.as_bytes(), &mut sink).unwrap();
        assert_eq!(told, format!("\n{text}"));
        assert!(decoder.scratch.capacity() <= MAX_KEPT_BYTES);
    }
}

/// One of the members, or none.
fn some(members: &'static [&'static str]) -> impl Strategy<Value = Option<&'static str>> {
    prop::option::weighted(0.3, prop::sample::select(members))
}

prop_compose! {
    fn call()(
        index in some(&[r#""index":0"#, r#""index":1"#, r#""index":null"#, r#""index":1.0"#]),
        id in some(&[r#""id":"a""#, r#""id":"b""#, r#""id":"""#, r#""id":null"#]),
        function in some(&[
            r#""function":{"name":"f","arguments":""}"#,
            r#""function":{"name":"f","arguments":"{\"a\""}"#,
            r#""function":{"arguments":":1}"}"#,
            r#""function":{"arguments":"null"}"#,
            r#""function":{"arguments":{"a":1}}"#,
            r#""function":{"name":null,"arguments":null}"#,
            r#""function":null"#,
        ]),
        custom in some(&[r#""custom":{"name":"g","input":"x"}"#, r#""custom":null"#]),
    ) -> String {
        format!("{{{}}}", [index, id, function, custom].into_iter().flatten().collect::<Vec<_>>().join(","))
    }
}

prop_compose! {
    fn delta()(
        content in some(&[r#""content":"a""#, r#""content":"\u00e9\n""#, r#""content":"""#,
            r#""content":null"#, r#""content":[{"text":"a"}]"#, r#""content":"\ud800""#, r#""content":1"#]),
        reasoning in some(&[r#""reasoning":"r""#, r#""reasoning_content":"r""#,
            r#""reasoning":"r","reasoning_content":"""#, r#""reasoning":"r","reasoning_content":null"#,
            r#""reasoning":{}"#, r#""reasoning":"r","reasoning_details":[{"type":"reasoning.text","text":"d"}]"#]),
        refusal in some(&[r#""refusal":"no""#, r#""refusal":null"#, r#""refusal":"""#]),
        calls in prop::option::weighted(0.6, prop::collection::vec(call(), 0..3)),
        odd in some(&[r#""annotations":[]"#, r#""images":[]"#, r#""audio":{"data":"AA=="}"#,
            r#""function_call":{"name":"f"}"#, r#""new":{"a":[null]}"#, r#""role":"assistant""#]),
    ) -> String {
        let calls = calls.map(|calls| format!(r#""tool_calls":[{}]"#, calls.join(",")));
        let members = [content, reasoning, refusal, odd].into_iter().flatten().map(str::to_owned);
        format!("{{{}}}", members.chain(calls).collect::<Vec<_>>().join(","))
    }
}

prop_compose! {
    fn chunk()(
        delta in delta(),
        beside in some(&[r#""index":0"#, r#""index":1"#, r#""index":null"#, r#""index":200"#,
            r#""finish_reason":"stop""#, r#""finish_reason":"""#, r#""finish_reason":null"#,
            r#""logprobs":null"#, r#""logprobs":{"content":[{}]}"#, r#""message":{"content":"m"}"#]),
        top in some(&[r#""usage":null"#, r#""usage":{"prompt_tokens":1}"#, r#""service_tier":"flex""#,
            r#""service_tier":null"#, r#""error":null"#, r#""x_groq":{"usage":{"prompt_tokens":2}}"#,
            r#""choices":[]"#, r#""citations":["u"]"#, r#""id":"y""#]),
    ) -> String {
        let beside = beside.map(|member| format!(",{member}")).unwrap_or_default();
        let top = top.map(|member| format!(",{member}")).unwrap_or_default();
        format!(r#"{{"choices":[{{"delta":{delta}{beside}}}]{top}}}"#)
    }
}

proptest! {
    #[test]
    fn any_chunks_tell_the_same_both_ways(chunks in prop::collection::vec(chunk(), 1..12)) {
        let mut both = Both::default();
        for json in [START].into_iter().chain(chunks.iter().map(String::as_str)) {
            let [short, tree] = both.read(json);
            prop_assert_eq!(short, tree, "{}", json);
        }
        let [short, tree] = both.finish();
        prop_assert_eq!(short, tree);
    }
}
