//! The list of keys, in pages: first those of the configuration file by name, then those of the
//! store, oldest first.
//!
//! A page begins after a key, not at a number, so that keys made or deleted meanwhile move nothing
//! into or out of the pages that follow.

use super::super::call::{Call, Context, Reply, store_failed};
use super::super::query::wrong;
use super::object::{KeyObject, Source};
use super::used;
use crate::error::GatewayError;
use crate::store::{KeyMark, KeyQuery, KeyRecord};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

/// Most keys of a page, and how many there are if the caller does not say.
const MAX_PAGE: u32 = 100;

#[derive(Serialize)]
struct Page<'k> {
    data: Vec<KeyObject<'k>>,
    next_page_token: Option<String>,
}

/// After which key a page begins.
enum After {
    /// The one of the file with this name, or what would come after it.
    File(String),
    /// One of the store.
    Store(KeyMark),
}

/// What a caller asks for.
struct Wanted {
    after: Option<After>,
    skip: u32,
    limit: u32,
    include_disabled: bool,
}

/// Lists keys.
pub(in super::super) async fn list(
    context: Context<'_>,
    call: &Call<'_>,
) -> Result<Reply, GatewayError> {
    let wanted = Wanted::read(call)?;
    let of_file = wanted.of_file(context.file_keys);
    let (of_store, next) = of_store(context, &wanted, &of_file).await?;
    let mut data = Vec::new();
    for key in of_file.taken {
        data.push(KeyObject::new(key, &used(context, &key.hash).await?, Source::File));
    }
    for key in &of_store {
        data.push(KeyObject::new(key, &used(context, &key.hash).await?, Source::Store));
    }
    Reply::json(200, &Page { data, next_page_token: next.map(|after| after.token()) })
}

/// The keys of the file on a page.
struct OfFile<'k> {
    taken: Vec<&'k KeyRecord>,
    /// Set if more of them follow on the next page.
    has_more: bool,
    /// What is still to be left out, of the keys of the store.
    skip: u32,
    /// How many may still come.
    room: u32,
}

impl Wanted {
    fn read(call: &Call<'_>) -> Result<Self, GatewayError> {
        let query = &call.query;
        let expected = format!("a number from 1 to {MAX_PAGE}");
        let limit = query.read("page_size", &expected)?.unwrap_or(MAX_PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(wrong("page_size", expected));
        }
        let after = query.get("page_token").map(|token| {
            After::read(token).ok_or_else(|| wrong("page_token", "one that a page gave"))
        });
        Ok(Self {
            after: after.transpose()?,
            skip: query.read("offset", "a number of zero or more")?.unwrap_or(0),
            limit,
            include_disabled: query.flag("include_disabled")?,
        })
    }

    fn of_file<'k>(&self, keys: &'k [KeyRecord]) -> OfFile<'k> {
        let mut left: Vec<&KeyRecord> = match &self.after {
            None => keys.iter().collect(),
            Some(After::File(name)) => keys.iter().filter(|key| key.name > *name).collect(),
            Some(After::Store(_)) => Vec::new(),
        };
        let count = u32::try_from(left.len()).unwrap_or(u32::MAX);
        let skipped = self.skip.min(count);
        left.drain(..usize::try_from(skipped).unwrap_or(left.len()));
        let (skip, left_count) = (self.skip - skipped, count - skipped);
        let taken_count = left_count.min(self.limit);
        left.truncate(usize::try_from(taken_count).unwrap_or(usize::MAX));
        OfFile {
            taken: left,
            has_more: left_count > taken_count,
            skip,
            room: self.limit - taken_count,
        }
    }
}

/// The keys of the store on a page, and where the next page begins.
async fn of_store(
    context: Context<'_>,
    wanted: &Wanted,
    of_file: &OfFile<'_>,
) -> Result<(Vec<KeyRecord>, Option<After>), GatewayError> {
    let after_last = || of_file.taken.last().map(|key| After::File(key.name.clone()));
    if of_file.has_more {
        return Ok((Vec::new(), after_last()));
    }
    let query = KeyQuery {
        after: match &wanted.after {
            Some(After::Store(mark)) => Some(mark.clone()),
            _ => None,
        },
        skip: of_file.skip,
        // A full page still has to know whether another one follows.
        limit: of_file.room.max(1),
        include_disabled: wanted.include_disabled,
    };
    let page = context.store.keys_page(&query).await.map_err(store_failed)?;
    if of_file.room == 0 {
        let more = !page.keys.is_empty() || page.next.is_some();
        return Ok((Vec::new(), after_last().filter(|_| more)));
    }
    Ok((page.keys, page.next.map(After::Store)))
}

impl After {
    /// Text that the caller hands back.
    fn token(&self) -> String {
        let text = match self {
            Self::File(name) => format!("f{name}"),
            Self::Store(mark) => format!("s{mark}"),
        };
        URL_SAFE_NO_PAD.encode(text)
    }

    fn read(token: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        match text.strip_prefix('s') {
            Some(mark) => mark.parse().ok().map(Self::Store),
            None => text.strip_prefix('f').map(|name| Self::File(name.to_owned())),
        }
    }
}
