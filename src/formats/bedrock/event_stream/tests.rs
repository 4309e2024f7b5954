//! Tests of the frame reader: every chunking, every damage, every type of header.

use super::*;
use crate::formats::bedrock::recordings;
use proptest::prelude::*;

/// A frame with text headers.
pub(in crate::formats) fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(u8::try_from(name.len()).unwrap());
        block.extend_from_slice(name.as_bytes());
        block.push(TEXT);
        block.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        block.extend_from_slice(value.as_bytes());
    }
    with_headers(&block, payload)
}

/// A frame of the kind that carries an event.
pub(in crate::formats) fn event(name: &str, payload: &[u8]) -> Vec<u8> {
    let headers =
        [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
    frame(&headers, payload)
}

fn with_headers(block: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = PRELUDE_BYTES + block.len() + payload.len() + CHECKSUM_BYTES;
    let mut bytes = u32::try_from(total).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(&u32::try_from(block.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend_from_slice(block);
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

/// A prelude whose checksum fits.
fn prelude(total: u32, headers: u32) -> Vec<u8> {
    let mut bytes = total.to_be_bytes().to_vec();
    bytes.extend_from_slice(&headers.to_be_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

fn read(chunks: impl Iterator<Item = Bytes>) -> (Vec<Frame>, Option<StreamFault>, bool) {
    let mut frames = Frames::default();
    let mut found = Vec::new();
    for chunk in chunks {
        frames.push(chunk);
        loop {
            match frames.next() {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(fault) => return (found, Some(fault), frames.finish()),
            }
        }
    }
    (found, None, frames.finish())
}

fn whole(bytes: &[u8]) -> (Vec<Frame>, Option<StreamFault>, bool) {
    read(std::iter::once(Bytes::copy_from_slice(bytes)))
}

#[test]
fn all_types_of_headers_are_read_over() {
    let mut block = Vec::new();
    let values: [(u8, &[u8]); 10] = [
        (0, b""),
        (1, b""),
        (2, b"\x01"),
        (3, b"\x01\x02"),
        (4, b"\x01\x02\x03\x04"),
        (5, b"\x01\x02\x03\x04\x05\x06\x07\x08"),
        (6, b"\x00\x03abc"),
        (8, b"\x01\x02\x03\x04\x05\x06\x07\x08"),
        (9, b"0123456789abcdef"),
        (7, b"\x00\x02hi"),
    ];
    for (kind, value) in values {
        block.extend_from_slice(&[2, b'h', b'0' + kind, kind]);
        block.extend_from_slice(value);
    }
    let (frames, fault, clean) = whole(&with_headers(&block, b"{}"));
    assert!(fault.is_none() && clean, "{fault:?}");
    assert_eq!(frames[0].text("h7"), Some("hi"));
    assert_eq!(
        (frames[0].text("h6"), frames[0].text("h8"), frames[0].text("x")),
        (None, None, None)
    );
    assert_eq!(frames[0].payload, "{}");
}

#[test]
fn damage_is_found() {
    let good = event("messageStart", b"{\"role\":\"assistant\"}");
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x20;
        let (frames, fault, clean) = whole(&bad);
        assert!(frames.is_empty() && !clean, "byte {at}");
        assert!(matches!(fault, Some(StreamFault::Malformed(_))), "byte {at}: {fault:?}");
    }
    let headers: [&[u8]; 5] =
        [b"\x01a\x0a", b"\x00\x00", b"\x05ab", b"\x01a\x07\x00\x09hi", b"\x01"];
    for block in headers {
        let (frames, fault, _) = whole(&with_headers(block, b"{}"));
        assert!(frames.is_empty(), "{block:?}");
        assert!(matches!(fault, Some(StreamFault::Malformed(_))), "{block:?}");
    }
}

#[test]
fn lengths_are_bounded_before_anything_is_gathered() {
    let max = u32::try_from(MAX_FRAME_BYTES).unwrap();
    let headers = u32::try_from(MAX_HEADER_BYTES).unwrap();
    for (total, headers, too_large) in [
        (max + 1, 0, true),
        (u32::MAX, 0, true),
        (15, 0, false),
        (0, 0, false),
        (20, 5, false),
        (100, u32::MAX, false),
        (max, headers + 1, false),
    ] {
        let (_, fault, _) = whole(&prelude(total, headers));
        match fault {
            Some(StreamFault::EventTooLarge) => assert!(too_large, "{total} {headers}"),
            Some(StreamFault::Malformed(_)) => assert!(!too_large, "{total} {headers}"),
            other => panic!("{total} {headers}: {other:?}"),
        }
    }
    let (frames, fault, clean) = whole(&prelude(max, headers));
    assert!(frames.is_empty() && fault.is_none() && !clean);
    let (frames, fault, clean) = whole(&with_headers(b"", b""));
    assert!(fault.is_none() && clean && frames[0].payload.is_empty());
}

#[test]
fn a_fault_is_final_and_holds_nothing() {
    let mut frames = Frames::default();
    frames.push(Bytes::from_static(&[0; 64]));
    assert!(frames.next().is_err());
    frames.push(Bytes::from(event("metadata", b"{}")));
    assert!(frames.next().is_err());
    assert!(frames.begun.is_empty() && !frames.finish());
}

#[test]
fn a_frame_inside_one_chunk_is_not_copied() {
    let chunk = Bytes::from([event("a", b"{\"x\":1}"), event("b", b"{}")].concat());
    let mut frames = Frames::default();
    frames.push(chunk.clone());
    for _ in 0..2 {
        let frame = frames.next().unwrap().unwrap();
        assert!(chunk.as_ptr_range().contains(&frame.payload.as_ptr()));
    }
    assert!(frames.finish());
}

#[test]
fn recorded_streams_are_whole_in_every_chunking() {
    for recording in recordings::streams() {
        let (frames, fault, clean) = whole(&recording.body);
        assert!(fault.is_none() && clean, "{}", recording.id);
        for size in [1, 2, 7, 64, 1000] {
            let chunks = recording.body.chunks(size).map(Bytes::copy_from_slice);
            let (again, fault, clean) = read(chunks);
            assert!(fault.is_none() && clean, "{} by {size}", recording.id);
            assert_eq!(again, frames, "{} by {size}", recording.id);
        }
        let (short, fault, clean) = whole(&recording.body[..recording.body.len() - 1]);
        assert!(fault.is_none() && !clean);
        assert_eq!(short.len() + 1, frames.len(), "{}", recording.id);
    }
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_frames(
        payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..6),
        cuts in proptest::collection::vec(0usize..400, 0..12),
        tail in 0usize..30,
    ) {
        let mut stream: Vec<u8> =
            payloads.iter().flat_map(|payload| event("chunk", payload)).collect();
        let torn = event("chunk", b"0123456789");
        stream.extend_from_slice(&torn[..tail]);
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut <= stream.len()).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let chunks = cuts.windows(2).map(|cut| Bytes::copy_from_slice(&stream[cut[0]..cut[1]]));
        let (frames, fault, clean) = read(chunks);
        prop_assert!(fault.is_none());
        prop_assert_eq!(clean, tail == 0);
        let read: Vec<Vec<u8>> = frames.iter().map(|frame| frame.payload.to_vec()).collect();
        prop_assert_eq!(read, payloads);
    }

    #[test]
    fn arbitrary_bytes_give_the_same_faults(
        bytes in proptest::collection::vec(any::<u8>(), 0..80), size in 1usize..30,
    ) {
        let (frames, fault, _) = whole(&bytes);
        let (again, fault_again, _) = read(bytes.chunks(size).map(Bytes::copy_from_slice));
        prop_assert_eq!(frames, again);
        prop_assert_eq!(format!("{fault:?}"), format!("{fault_again:?}"));
    }
}
