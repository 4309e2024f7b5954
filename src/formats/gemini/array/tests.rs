//! Any chunking gives the same elements, and the pieces are the input.

use super::*;
use proptest::prelude::*;

/// Elements, everything put together, and whether the array was closed.
fn split(chunks: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>, bool) {
    let mut frames = ArrayFrames::default();
    let (mut elements, mut all) = (Vec::new(), Vec::new());
    for chunk in chunks {
        frames.push(Bytes::copy_from_slice(chunk));
        while let Some(piece) = frames.next().unwrap() {
            match piece {
                Piece::Framing(bytes) => all.extend_from_slice(&bytes),
                Piece::Element(bytes) => {
                    all.extend_from_slice(&bytes);
                    elements.push(bytes.to_vec());
                }
            }
        }
    }
    (elements, all, frames.finish())
}

const TRICKY: &str = "[{\"a\":\"]},{\\\"[\\\\\"}\n,\r\n{\"b\":[{},[\"\\\\\\\"\"]],\"c\":\"漢 }\"}\r\n,\r\n12 ,\"te,x]t\",null,[1,[2]]\n]\n";

#[test]
fn elements_of_a_tricky_array() {
    let (elements, all, closed) = split(&[TRICKY.as_bytes()]);
    let expected: Vec<serde_json::Value> = serde_json::from_str(TRICKY).unwrap();
    let read: Vec<serde_json::Value> =
        elements.iter().map(|element| serde_json::from_slice(element).unwrap()).collect();
    assert_eq!(read, expected);
    assert_eq!(all, TRICKY.as_bytes());
    assert!(closed);
}

#[test]
fn every_split_gives_the_same() {
    let whole = split(&[TRICKY.as_bytes()]);
    for at in 0..=TRICKY.len() {
        let (head, tail) = TRICKY.as_bytes().split_at(at);
        assert_eq!(split(&[head, tail]), whole, "split at {at}");
    }
    for size in [1, 2, 7] {
        let chunks: Vec<&[u8]> = TRICKY.as_bytes().chunks(size).collect();
        assert_eq!(split(&chunks), whole, "chunks of {size}");
    }
}

#[test]
fn truncated_and_foreign_bodies() {
    for (body, elements, closed) in [
        ("", 0, false),
        ("[]", 0, true),
        ("[{}", 1, false),
        ("[{},", 1, false),
        ("[{", 0, false),
        ("{\"error\":{}}", 1, false),
        ("[{}]tail]", 1, true),
    ] {
        let (found, all, end) = split(&[body.as_bytes()]);
        assert_eq!((found.len(), end), (elements, closed), "{body}");
        if !body.ends_with('{') {
            assert_eq!(all, body.as_bytes());
        }
    }
}

#[test]
fn an_element_inside_one_chunk_is_not_copied() {
    let chunk = Bytes::from_static(b"[{\"a\":1},{\"b\":2}]");
    let mut frames = ArrayFrames::default();
    frames.push(chunk.clone());
    let mut seen = 0;
    while let Some(piece) = frames.next().unwrap() {
        let (Piece::Element(bytes) | Piece::Framing(bytes)) = piece;
        assert!(chunk.as_ptr_range().contains(&bytes.as_ptr()));
        seen += 1;
    }
    assert_eq!(seen, 5);
}

#[test]
fn the_place_follows_the_pieces() {
    let mut frames = ArrayFrames::default();
    assert_eq!(frames.place(), Place::Outside);
    for (chunk, place) in [
        ("[", Place::BeforeElement),
        ("{}", Place::AfterElement),
        (",\r\n", Place::BeforeElement),
        ("{}\n", Place::AfterElement),
        ("]", Place::Closed),
    ] {
        frames.push(Bytes::from_static(chunk.as_bytes()));
        while frames.next().unwrap().is_some() {}
        assert_eq!(frames.place(), place);
    }
}

#[test]
fn an_endless_element_is_refused() {
    let mut frames = ArrayFrames::default();
    frames.push(Bytes::from_static(b"[{\"a\":\""));
    let chunk = Bytes::from(vec![b'x'; 1 << 20]);
    for _ in 0..7 {
        frames.push(chunk.clone());
        while frames.next().unwrap().is_some() {}
    }
    frames.push(chunk.clone());
    assert_eq!(frames.next(), Err(EventTooLarge));
    assert_eq!(frames.next(), Err(EventTooLarge));
    let mut frames = ArrayFrames::default();
    frames.push(Bytes::from(format!("[\"{}\"]", "x".repeat(MAX_ELEMENT_BYTES))));
    assert!(matches!(frames.next(), Ok(Some(Piece::Framing(_)))));
    assert_eq!(frames.next(), Err(EventTooLarge));
}

#[test]
fn recorded_arrays_split_anywhere() {
    for recording in crate::formats::gemini::recordings::answers() {
        if !recording.body.starts_with('[') {
            continue;
        }
        let whole = split(&[recording.body.as_bytes()]);
        let expected: Vec<serde_json::Value> = serde_json::from_str(&recording.body).unwrap();
        assert_eq!((whole.0.len(), whole.2), (expected.len(), true), "{}", recording.id);
        for at in (0..recording.body.len()).step_by(3) {
            let (head, tail) = recording.body.as_bytes().split_at(at);
            assert_eq!(split(&[head, tail]), whole, "{} at {at}", recording.id);
        }
    }
}

proptest! {
    #[test]
    fn random_values_in_random_chunks(
        values in prop::collection::vec(any_json(), 0..6),
        cuts in prop::collection::vec(1usize..40, 1..50),
    ) {
        let body = serde_json::to_string_pretty(&values).unwrap();
        let mut rest = body.as_bytes();
        let mut chunks = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (head, tail) = rest.split_at((*cut).min(rest.len()));
            chunks.push(head);
            rest = tail;
        }
        let (elements, all, closed) = split(&chunks);
        let read: Vec<serde_json::Value> =
            elements.iter().map(|element| serde_json::from_slice(element).unwrap()).collect();
        prop_assert_eq!(read, values);
        prop_assert_eq!(all, body.as_bytes());
        prop_assert!(closed);
    }
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let text = "[\\[\\]{},\"\\\\a漢\n ]{0,12}";
    let leaf = prop_oneof![
        text.prop_map(serde_json::Value::from),
        any::<i32>().prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
    ];
    leaf.prop_recursive(3, 20, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::btree_map(text, inner, 0..4)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}
