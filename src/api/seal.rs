//! Encrypts answers that are remembered, because the answer that makes a key holds its secret.
//!
//! Used by [`super::once`]. The keys come from the token of the caller, which is nowhere in the
//! store: the database alone tells neither what was answered nor what was asked. An answer opens
//! only for the request that it was sealed for.

use rand::RngCore;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;

/// Keys derived from one caller's token.
#[derive(Debug)]
pub(super) struct Seal {
    digest: hmac::Key,
    cipher: LessSafeKey,
}

impl Seal {
    /// The keys of a token; `None` if they cannot be made, which no token can cause.
    pub(super) fn of(token: &str) -> Option<Self> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes());
        let derive = |purpose: &str| hmac::sign(&root, purpose.as_bytes());
        let digest = hmac::Key::new(hmac::HMAC_SHA256, derive("arouter answers digest").as_ref());
        let cipher = derive("arouter answers cipher");
        let cipher = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, cipher.as_ref()).ok()?);
        Some(Self { digest, cipher })
    }

    /// A keyed digest in hex of some parts, none of which can pass for a piece of its neighbour.
    pub(super) fn digest(&self, parts: &[&[u8]]) -> String {
        let mut context = hmac::Context::with_key(&self.digest);
        for part in parts {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        let mut hash = [0; 32];
        for (to, from) in hash.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        crate::auth::api_key::hash_hex(&hash)
    }

    /// The body, encrypted; it opens only with the same `request`.
    pub(super) fn seal(&self, request: &str, body: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        rand::rng().fill_bytes(&mut nonce);
        let mut sealed = body.to_vec();
        let about = Aad::from(request.as_bytes());
        let at = Nonce::assume_unique_for_key(nonce);
        self.cipher.seal_in_place_append_tag(at, about, &mut sealed).ok()?;
        let mut stored = nonce.to_vec();
        stored.append(&mut sealed);
        Some(stored)
    }

    /// The body of a sealed answer; `None` if it was sealed for another request or is damaged.
    pub(super) fn open(&self, request: &str, stored: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = stored.split_first_chunk::<NONCE_LEN>()?;
        let mut body = sealed.to_vec();
        let at = Nonce::assume_unique_for_key(*nonce);
        let about = Aad::from(request.as_bytes());
        self.cipher.open_in_place(at, about, &mut body).ok().map(|opened| opened.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_token_and_request_open_an_answer() {
        let seal = Seal::of("lr_mgmt_a").unwrap();
        let sealed = seal.seal("request", b"secret body").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(seal.open("request", &sealed).unwrap(), b"secret body");
        assert_eq!(seal.open("another", &sealed), None);
        assert_eq!(Seal::of("lr_mgmt_b").unwrap().open("request", &sealed), None);
        assert_ne!(sealed, seal.seal("request", b"secret body").unwrap());
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert_eq!(seal.open("request", &damaged), None, "{at}");
        }
        assert_eq!(seal.open("request", b"short"), None);
    }

    #[test]
    fn digests_differ_by_token_and_by_where_parts_end() {
        let seal = Seal::of("a").unwrap();
        let digest = seal.digest(&[b"ab", b"c"]);
        assert_eq!(digest, seal.digest(&[b"ab", b"c"]));
        assert_ne!(digest, seal.digest(&[b"a", b"bc"]));
        assert_ne!(digest, Seal::of("b").unwrap().digest(&[b"ab", b"c"]));
    }
}
