//! Identifiers: of answers, of requests, and gateway API keys.
//!
//! Used by `proxy` (ids), `auth` (hashing) and `cli` (new keys). Everything random comes from the
//! thread's cryptographic generator, so an id or a key can never be guessed from another one. A
//! key is only ever stored as the SHA-256 of its text.

use crate::secret::Secret;
use rand::RngCore;
use sha2::{Digest, Sha256};

/// What a new key that calls models starts with.
const REGULAR_PREFIX: &str = "lr_live_";
/// What a new key that manages keys starts with.
const MANAGEMENT_PREFIX: &str = "lr_mgmt_";
/// Characters shown of the random part of a key: this many at its start and at its end.
const SHOWN_CHARS: usize = 3;

/// Id of an answer: `gen-<unix seconds>-<24 hex digits>`.
pub fn generation_id(now_unix_s: i64) -> String {
    let mut random = [0_u8; 12];
    rand::rng().fill_bytes(&mut random);
    let mut id = String::with_capacity(40);
    id.push_str("gen-");
    id.push_str(itoa::Buffer::new().format(now_unix_s));
    id.push('-');
    push_hex(&mut id, &random);
    id
}

/// Id of a request that came without one: `req-<32 hex digits>`.
pub fn request_id() -> String {
    let mut random = [0_u8; 16];
    rand::rng().fill_bytes(&mut random);
    let mut id = String::with_capacity(36);
    id.push_str("req-");
    push_hex(&mut id, &random);
    id
}

/// Id of a movement of money: `txn_<24 hex digits>`.
pub fn transaction_id() -> String {
    let mut random = [0_u8; 12];
    rand::rng().fill_bytes(&mut random);
    let mut id = String::with_capacity(28);
    id.push_str("txn_");
    push_hex(&mut id, &random);
    id
}

/// A new key that calls models: `lr_live_` and 192 random bits in hex.
pub fn new_regular_key() -> Secret {
    new_key(REGULAR_PREFIX)
}

/// A new key that manages keys: `lr_mgmt_` and 192 random bits in hex.
pub fn new_management_key() -> Secret {
    new_key(MANAGEMENT_PREFIX)
}

fn new_key(prefix: &str) -> Secret {
    let mut random = [0_u8; 24];
    rand::rng().fill_bytes(&mut random);
    let mut key = String::with_capacity(56);
    key.push_str(prefix);
    push_hex(&mut key, &random);
    Secret::new(key)
}

/// SHA-256 of a key as presented. Keys have 192 random bits, so a fast hash is enough.
pub fn key_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The hash as a key is publicly named by: 64 lower-case hex digits.
pub fn key_hash_hex(token: &str) -> String {
    let mut hex = String::with_capacity(64);
    push_hex(&mut hex, &key_hash(token));
    hex
}

/// What may be shown of a key: `lr_live_9f8…a1b`. Texts too short to hide anything are hidden whole.
pub fn key_label(token: &str) -> String {
    let prefix_len = token.rfind('_').map_or(0, |at| at + 1);
    let (prefix, random) = token.split_at_checked(prefix_len).unwrap_or(("", token));
    let chars: Vec<char> = random.chars().collect();
    if chars.len() < SHOWN_CHARS * 8 {
        return "…".to_owned();
    }
    let first: String = chars.iter().take(SHOWN_CHARS).collect();
    let last: String = chars.iter().skip(chars.len() - SHOWN_CHARS).collect();
    format!("{prefix}{first}…{last}")
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn is_lower_hex(text: &str) -> bool {
        text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    }

    #[test]
    fn ids_have_their_documented_form_and_differ() {
        let ids: HashSet<String> = (0..1000).map(|_| generation_id(1_790_000_000)).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            let random = id.strip_prefix("gen-1790000000-").unwrap();
            assert_eq!(random.len(), 24);
            assert!(is_lower_hex(random));
        }
        assert_ne!(request_id(), request_id());
        assert_eq!(request_id().len(), 36);
        assert_eq!(transaction_id().len(), 28);
        assert_ne!(transaction_id(), transaction_id());
    }

    #[test]
    fn keys_carry_their_kind_and_192_bits() {
        for (key, prefix) in [(new_regular_key(), "lr_live_"), (new_management_key(), "lr_mgmt_")] {
            let random = key.expose().strip_prefix(prefix).unwrap();
            assert_eq!(random.len(), 48);
            assert!(is_lower_hex(random));
        }
        assert_ne!(new_regular_key().expose(), new_regular_key().expose());
    }

    #[test]
    fn hash_is_sha_256() {
        // The test vector of FIPS 180-2.
        assert_eq!(
            key_hash_hex("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn label_shows_six_characters_at_most() {
        let key = format!("lr_live_9f8{}a1b", "0".repeat(42));
        assert_eq!(key_label(&key), "lr_live_9f8…a1b");
        assert_eq!(key_label("lr_live_short"), "…");
        assert_eq!(key_label("a_short_secret"), "…");
        assert_eq!(key_label(""), "…");
    }
}
