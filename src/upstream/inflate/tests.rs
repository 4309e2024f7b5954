//! Every coding in every cut, truncated, corrupt, and too large.

use super::*;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::HeaderValue;
use proptest::prelude::*;
use std::io::Write;

/// A coding, and how to write it in parts that can each be read at once.
type Named = (&'static str, fn(&[&[u8]]) -> Vec<Vec<u8>>);

const CODINGS: &[Named] = &[
    ("gzip", |parts| flushed(GzEncoder::new(Vec::new(), Compression::best()), parts)),
    ("deflate", |parts| flushed(ZlibEncoder::new(Vec::new(), Compression::best()), parts)),
    ("deflate", |parts| flushed(DeflateEncoder::new(Vec::new(), Compression::best()), parts)),
    ("br", |parts| flushed(brotli::CompressorWriter::new(Vec::new(), 4096, 3, 18), parts)),
    ("zstd", |parts| flushed(zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap(), parts)),
];

trait Packer: Write {
    fn written(&mut self) -> Vec<u8>;
    fn end(self) -> Vec<u8>;
}

macro_rules! packers {
    ($($encoder:ty, $end:expr;)*) => { $(
        impl Packer for $encoder {
            fn written(&mut self) -> Vec<u8> {
                self.get_ref().clone()
            }
            fn end(self) -> Vec<u8> {
                $end(self)
            }
        }
    )* };
}

packers! {
    GzEncoder<Vec<u8>>, |encoder: Self| encoder.finish().unwrap();
    ZlibEncoder<Vec<u8>>, |encoder: Self| encoder.finish().unwrap();
    DeflateEncoder<Vec<u8>>, |encoder: Self| encoder.finish().unwrap();
    brotli::CompressorWriter<Vec<u8>>, |encoder: Self| encoder.into_inner();
    zstd::stream::write::Encoder<'static, Vec<u8>>, |encoder: Self| encoder.finish().unwrap();
}

/// What each part becomes, and the end.
fn flushed(mut encoder: impl Packer, parts: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut packed = Vec::new();
    let mut before = 0;
    for part in parts {
        encoder.write_all(part).unwrap();
        encoder.flush().unwrap();
        let all = encoder.written();
        packed.push(all[before..].to_vec());
        before = all.len();
    }
    packed.push(encoder.end()[before..].to_vec());
    packed
}

fn headers(values: &[&'static [u8]]) -> HeaderMap {
    let values = values.iter().map(|value| HeaderValue::from_bytes(value).unwrap());
    values.map(|value| (CONTENT_ENCODING, value)).collect()
}

fn inflate(coding: &'static str) -> Inflate {
    Inflate::for_header(&headers(&[coding.as_bytes()])).unwrap().unwrap()
}

/// The whole body, which comes in these pieces.
fn read(coding: &'static str, pieces: &[&[u8]]) -> Result<Vec<u8>, InflateError> {
    let mut inflate = inflate(coding);
    let mut body = Vec::new();
    for piece in pieces {
        body.extend_from_slice(&inflate.push(piece)?);
    }
    inflate.finish().map(|()| body)
}

/// Text that shrinks, but not to nothing.
fn text(len: usize) -> Vec<u8> {
    let words = (0_u32..)
        .flat_map(|n| format!("{} word {n}, ", n.wrapping_mul(2_654_435_761)).into_bytes());
    words.take(len).collect()
}

#[test]
fn what_is_said_of_the_coding() {
    let none: &[&[&[u8]]] = &[&[], &[b"identity"], &[b"Identity"], &[b""], &[b" , identity"]];
    for values in none {
        assert!(Inflate::for_header(&headers(values)).unwrap().is_none(), "{values:?}");
    }
    let known: &[&[&[u8]]] = &[
        &[b"gzip"],
        &[b"X-GZip"],
        &[b"deflate"],
        &[b"br"],
        &[b"zstd"],
        &[b"identity, gzip"],
        &[b"identity", b"br"],
    ];
    for values in known {
        assert!(Inflate::for_header(&headers(values)).unwrap().is_some(), "{values:?}");
    }
    let unknown: &[&[&[u8]]] = &[
        &[b"gzip, gzip"],
        &[b"gzip, br"],
        &[b"gzip", b"br"],
        &[b"compress"],
        &[b"gzip;q=1"],
        &[b"\xff"],
    ];
    for values in unknown {
        let found = Inflate::for_header(&headers(values));
        assert_eq!(found.err(), Some(InflateError::UnknownCoding), "{values:?}");
    }
}

#[test]
fn any_split_gives_the_same() {
    let text = text(700);
    for (number, (coding, pack)) in CODINGS.iter().enumerate() {
        let packed = pack(&[&text[..300], &text[300..]]).concat();
        assert_eq!(read(coding, &[&packed]).unwrap(), text, "{coding} {number}");
        let single: Vec<&[u8]> = packed.chunks(1).collect();
        assert_eq!(read(coding, &single).unwrap(), text, "{coding} {number}");
        for cut in 0..=packed.len() {
            let (left, right) = packed.split_at(cut);
            assert_eq!(read(coding, &[left, right]).unwrap(), text, "{coding} {number} at {cut}");
            // Nothing short of all of it is whole, but for nothing at all.
            let expected = match cut {
                0 => Ok(Vec::new()),
                _ if cut == packed.len() => Ok(text.clone()),
                _ => Err(InflateError::Truncated),
            };
            assert_eq!(read(coding, &[left]), expected, "{coding} {number} until {cut}");
        }
    }
}

#[test]
fn any_length_comes_out_whole() {
    for (coding, pack) in CODINGS {
        for len in [0, 1, ROOM_BYTES - 1, ROOM_BYTES, ROOM_BYTES + 1, 2 * ROOM_BYTES, 300_000] {
            let text = text(len);
            let packed = pack(&[&text]).concat();
            assert!(read(coding, &[&packed]) == Ok(text), "{coding} {len}");
        }
    }
}

#[test]
fn what_was_flushed_comes_out_at_once() {
    let long = text(100_000);
    let parts: &[&[u8]] = &[b"data: one\n\n", b"data: two\n\n", &long, b"data: [DONE]\n\n"];
    for (coding, pack) in CODINGS {
        let mut inflate = inflate(coding);
        for (part, packed) in parts.iter().chain(&[&b""[..]]).zip(pack(parts)) {
            assert!(inflate.push(&packed).unwrap() == part, "{coding} {}", part.len());
        }
        assert_eq!(inflate.finish(), Ok(()), "{coding}");
        assert_eq!(inflate.push(b""), Ok(Bytes::new()), "{coding}");
    }
}

#[test]
fn parts_follow_each_other_where_the_coding_allows_it() {
    for (coding, pack) in CODINGS {
        let twice = [pack(&[b"one "]).concat(), pack(&[b"two"]).concat()];
        let expected = match *coding {
            "gzip" | "zstd" => Ok(b"one two".to_vec()),
            _ => Err(InflateError::Corrupt),
        };
        assert_eq!(read(coding, &[&twice[0], &twice[1]]), expected, "{coding}");
        assert_eq!(read(coding, &[&twice[0], b"rubbish"]), Err(InflateError::Corrupt), "{coding}");
    }
}

#[test]
fn a_fault_is_told_after_what_came_before_it() {
    for (coding, pack) in CODINGS {
        let packed = pack(&[b"data: one\n\n"]);
        let mut inflate = inflate(coding);
        assert_eq!(inflate.push(&packed[0]).unwrap(), "data: one\n\n", "{coding}");
        // The same bytes are a header, or the rest of a block, that cannot stand here.
        let broken = loop {
            if let Err(error) = inflate.push(&[0xff; 64]) {
                break error;
            }
        };
        assert_eq!(broken, InflateError::Corrupt, "{coding}");
        assert_eq!(inflate.check(), Err(broken), "{coding}");
        assert_eq!(inflate.finish(), Err(broken), "{coding}");
        assert_eq!(inflate.push(b"more"), Err(broken), "{coding}");
    }
    // In one piece: the end of gzip holds a sum that does not fit.
    let (_, pack) = CODINGS[0];
    let mut packed = pack(&[b"data: one\n\n"]).concat();
    let sum = packed.len() - 8;
    packed[sum] ^= 1;
    let mut inflate = inflate("gzip");
    assert_eq!(inflate.push(&packed).unwrap(), "data: one\n\n");
    assert_eq!(inflate.finish(), Err(InflateError::Corrupt));
}

#[test]
fn a_bomb_is_an_error() {
    let zeros = vec![0; 2 * MAX_PIECE_BYTES];
    for (coding, pack) in CODINGS {
        let packed = pack(&[&zeros]).concat();
        assert!(packed.len() <= 64 * 1024, "{coding} {}", packed.len());
        assert_eq!(inflate(coding).push(&packed), Err(InflateError::TooLarge), "{coding}");
        let mut inflate = inflate(coding);
        let mut most = 0;
        let failed = packed.chunks(packed.len() / 8 + 1).any(|piece| match inflate.push(piece) {
            Ok(inflated) => {
                most = most.max(inflated.len());
                false
            }
            Err(error) => error == InflateError::TooLarge,
        });
        assert!(most <= MAX_PIECE_BYTES, "{coding} {most}");
        // Slowly, it is no more than a long body.
        assert!(failed || most >= MAX_PIECE_BYTES / 8, "{coding} {most}");
    }
}

#[test]
fn windows_are_bounded() {
    // A frame of zstd with a window of 16 MiB.
    let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0, 14 << 3, 1, 0, 0];
    assert_eq!(read("zstd", &[&zstd]), Err(InflateError::Corrupt));
    // The same with 8 MiB.
    let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0, 13 << 3, 1, 0, 0];
    assert_eq!(read("zstd", &[&zstd]), Ok(Vec::new()));
    // Brotli's large window, which its format does not have.
    assert_eq!(read("br", &[&[0x11, 30, 3]]), Err(InflateError::Corrupt));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_do_harm(
        number in 0..CODINGS.len(),
        noise in prop::collection::vec(any::<u8>(), 0..400),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        piece in 1..200_usize,
    ) {
        let (coding, pack) = CODINGS[number];
        let mut packed = pack(&[&text(900), &noise]).concat();
        for (at, byte) in changes {
            let at = at.index(packed.len());
            packed[at] = byte;
        }
        for bytes in [&packed, &noise] {
            let mut inflate = inflate(coding);
            for piece in bytes.chunks(piece) {
                match inflate.push(piece) {
                    Ok(inflated) => prop_assert!(inflated.len() <= MAX_PIECE_BYTES),
                    Err(error) => {
                        prop_assert_eq!(inflate.finish(), Err(error));
                        break;
                    }
                }
            }
        }
    }
}
