//! Sources of an answer: Gemini's byte offsets become character offsets of the joined text, and back.
//!
//! Supports point into the answer's visible text as a whole, streamed or not, so that one
//! [`TextMap`] per alternative is enough. Text in ASCII costs it nothing.

use super::answer::Text;
use crate::chat::response::Citation;
use crate::json::write_string;
use bytes::{BufMut, BytesMut};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashMap;

/// Text beyond this is taken as ASCII, so that the map stays small whatever a provider sends.
const MAX_MAPPED_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata<'a> {
    #[serde(borrow, alias = "grounding_chunks")]
    grounding_chunks: Option<Vec<Chunk<'a>>>,
    #[serde(alias = "grounding_supports")]
    grounding_supports: Option<Vec<Support>>,
    #[serde(borrow, alias = "web_search_queries")]
    web_search_queries: Option<Vec<Text<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk<'a> {
    #[serde(borrow)]
    web: Option<Source<'a>>,
    #[serde(borrow, alias = "retrieved_context")]
    retrieved_context: Option<Source<'a>>,
    #[serde(borrow)]
    maps: Option<Source<'a>>,
}

#[derive(Debug, Default, Deserialize)]
struct Source<'a> {
    #[serde(borrow)]
    uri: Option<Text<'a>>,
    #[serde(borrow)]
    title: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Support {
    #[serde(alias = "grounding_chunk_indices")]
    grounding_chunk_indices: Option<Vec<usize>>,
    segment: Option<Segment>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Segment {
    #[serde(alias = "start_index")]
    start_index: Option<usize>,
    #[serde(alias = "end_index")]
    end_index: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CitationMetadata<'a> {
    /// Named `citations` by Vertex.
    #[serde(borrow, alias = "citation_sources", alias = "citations")]
    citation_sources: Option<Vec<CitationSource<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CitationSource<'a> {
    #[serde(alias = "start_index")]
    start_index: Option<usize>,
    #[serde(alias = "end_index")]
    end_index: Option<usize>,
    #[serde(borrow)]
    uri: Option<Text<'a>>,
    #[serde(borrow)]
    title: Option<Text<'a>>,
}

impl<'a> Metadata<'a> {
    /// Number of searches made; `None` when there were none.
    pub(super) fn searches(&self) -> Option<u64> {
        let queries = self.web_search_queries.as_ref().filter(|queries| !queries.is_empty())?;
        u64::try_from(queries.len()).ok()
    }

    /// One citation for each source of each supported stretch; sources that support no stretch in
    /// particular when there are no supports at all.
    pub(super) fn citations(self, text: &TextMap) -> Vec<Citation<'a>> {
        let chunks = self.grounding_chunks.unwrap_or_default();
        let sources: Vec<Option<(Cow<'a, str>, Cow<'a, str>)>> =
            chunks.into_iter().map(Chunk::source).collect();
        let supports = self.grounding_supports.unwrap_or_default();
        if supports.is_empty() {
            let all = sources.into_iter().flatten();
            return all.map(|(url, title)| Citation { url, title, start: 0, end: 0 }).collect();
        }
        let mut citations = Vec::new();
        for support in supports {
            let segment = support.segment.unwrap_or_default();
            let start = text.characters(segment.start_index.unwrap_or(0));
            let end = text.characters(segment.end_index.unwrap_or(0));
            for index in support.grounding_chunk_indices.unwrap_or_default() {
                if let Some(Some((url, title))) = sources.get(index) {
                    let (url, title) = (url.clone(), title.clone());
                    citations.push(Citation { url, title, start, end });
                }
            }
        }
        citations
    }
}

impl<'a> Chunk<'a> {
    fn source(self) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
        let source = self.web.or(self.retrieved_context).or(self.maps)?;
        let url = source.uri?.0;
        Some((url, source.title.unwrap_or_default().0))
    }
}

impl<'a> CitationMetadata<'a> {
    /// The works the model recited, where they have an address.
    pub(super) fn citations(self, text: &TextMap) -> Vec<Citation<'a>> {
        let sources = self.citation_sources.unwrap_or_default().into_iter();
        let citation = |source: CitationSource<'a>| {
            Some(Citation {
                url: source.uri?.0,
                title: source.title.unwrap_or_default().0,
                start: text.characters(source.start_index.unwrap_or(0)),
                end: text.characters(source.end_index.unwrap_or(0)),
            })
        };
        sources.filter_map(citation).collect()
    }
}

/// Appends `,"groundingMetadata":{…}`; `text` is the visible text that the sources support.
pub(super) fn write(citations: &[Citation<'_>], text: &TextMap, out: &mut BytesMut) {
    let mut sources: Vec<(&str, &str)> = Vec::new();
    let mut known: HashMap<(&str, &str), usize> = HashMap::new();
    let mut supports: Vec<((u64, u64), Vec<usize>)> = Vec::new();
    for Citation { url, title, start, end } in citations {
        let source = (url.as_ref(), title.as_ref());
        let at = *known.entry(source).or_insert_with(|| {
            sources.push(source);
            sources.len() - 1
        });
        match supports.last_mut() {
            _ if end <= start => {}
            Some((range, chunks)) if *range == (*start, *end) => chunks.push(at),
            _ => supports.push(((*start, *end), vec![at])),
        }
    }
    out.put_slice(br#","groundingMetadata":{"groundingChunks":["#);
    for (at, (url, title)) in sources.iter().enumerate() {
        out.put_slice(if at > 0 { br#",{"web":{"uri":"# } else { br#"{"web":{"uri":"# });
        write_string(out, url);
        out.put_slice(br#","title":"#);
        write_string(out, title);
        out.put_slice(b"}}");
    }
    out.put_slice(br#"],"groundingSupports":["#);
    for (at, ((start, end), chunks)) in supports.iter().enumerate() {
        if at > 0 {
            out.put_u8(b',');
        }
        write_support((text.bytes(*start), text.bytes(*end)), chunks, out);
    }
    out.put_slice(b"]}");
}

fn write_support(bytes: (usize, usize), chunks: &[usize], out: &mut BytesMut) {
    let mut number = itoa::Buffer::new();
    out.put_slice(br#"{"segment":{"startIndex":"#);
    out.put_slice(number.format(bytes.0).as_bytes());
    out.put_slice(br#","endIndex":"#);
    out.put_slice(number.format(bytes.1).as_bytes());
    out.put_slice(br#"},"groundingChunkIndices":["#);
    for (at, chunk) in chunks.iter().enumerate() {
        if at > 0 {
            out.put_u8(b',');
        }
        out.put_slice(number.format(*chunk).as_bytes());
    }
    out.put_slice(b"]}");
}

/// Which bytes of the visible text begin a character.
#[derive(Debug, Default)]
pub(super) struct TextMap {
    /// Length of the ASCII text before the first other character.
    ascii: usize,
    /// One bit for each byte after it, set where a character begins.
    starts: Vec<u64>,
    /// Number of bits.
    mapped: usize,
}

impl TextMap {
    /// The visible text grew.
    pub(super) fn push(&mut self, text: &str) {
        if self.mapped == 0 && text.is_ascii() {
            self.ascii += text.len();
            return;
        }
        for (at, _) in text.bytes().enumerate() {
            if self.mapped >= MAX_MAPPED_BYTES {
                return;
            }
            let (word, bit) = (self.mapped / 64, self.mapped % 64);
            if word == self.starts.len() {
                self.starts.push(0);
            }
            if text.is_char_boundary(at)
                && let Some(slot) = self.starts.get_mut(word)
            {
                *slot |= 1 << bit;
            }
            self.mapped += 1;
        }
    }

    /// Number of bytes in the first `characters` characters.
    pub(super) fn bytes(&self, characters: u64) -> usize {
        let characters = usize::try_from(characters).unwrap_or(usize::MAX);
        let Some(mut wanted) = characters.checked_sub(self.ascii) else { return characters };
        for (at, word) in self.starts.iter().enumerate() {
            let here = word.count_ones() as usize;
            if wanted >= here {
                wanted -= here;
                continue;
            }
            let mut rest = *word;
            for _ in 0..wanted {
                rest &= rest - 1;
            }
            return self.ascii + at * 64 + rest.trailing_zeros() as usize;
        }
        self.ascii + self.mapped
    }

    /// Number of characters in the first `bytes` bytes.
    pub(super) fn characters(&self, bytes: usize) -> u64 {
        let beyond = bytes.saturating_sub(self.ascii).min(self.mapped);
        let whole = self.starts.iter().take(beyond / 64).map(|word| u64::from(word.count_ones()));
        let mask = (1_u64 << (beyond % 64)) - 1;
        let rest = self.starts.get(beyond / 64).map_or(0, |word| (word & mask).count_ones());
        let ascii = u64::try_from(bytes.min(self.ascii)).unwrap_or(u64::MAX);
        ascii + whole.sum::<u64>() + u64::from(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn supports_become_character_ranges() {
        let metadata: Metadata<'_> = serde_json::from_str(
            r#"{"webSearchQueries":["a","b"],
            "groundingChunks":[{"web":{"uri":"https://a","title":"A"}},{"other":{}}],
            "groundingSupports":[
              {"segment":{"endIndex":7},"groundingChunkIndices":[0,1,9]},
              {"segment":{"startIndex":8,"endIndex":10},"groundingChunkIndices":[0]}]}"#,
        )
        .unwrap();
        let mut text = TextMap::default();
        text.push("größe ü");
        assert_eq!(metadata.searches(), Some(2));
        let ranges: Vec<_> =
            metadata.citations(&text).iter().map(|c| (c.url.to_string(), c.start, c.end)).collect();
        assert_eq!(ranges, [("https://a".to_owned(), 0, 5), ("https://a".to_owned(), 6, 7)]);
    }

    #[test]
    fn recited_works_need_an_address() {
        let metadata: CitationMetadata<'_> = serde_json::from_str(
            r#"{"citationSources":[{"startIndex":1,"endIndex":3,"uri":"u"},{"endIndex":2}]}"#,
        )
        .unwrap();
        let mut text = TextMap::default();
        text.push("abcd");
        let found = metadata.citations(&text);
        assert_eq!(found, [Citation { url: "u".into(), title: "".into(), start: 1, end: 3 }]);
    }

    proptest! {
        #[test]
        fn characters_before_any_boundary(text in "[a-zß漢🦀 ]{0,200}", cuts in prop::collection::vec(0usize..200, 0..5)) {
            let mut map = TextMap::default();
            let mut rest = text.as_str();
            for cut in cuts {
                let at = rest.char_indices().map(|(at, _)| at).nth(cut % 20).unwrap_or(rest.len());
                let (head, tail) = rest.split_at(at);
                map.push(head);
                rest = tail;
            }
            map.push(rest);
            for (count, (at, _)) in text.char_indices().enumerate() {
                prop_assert_eq!(map.characters(at), count as u64);
                prop_assert_eq!(map.bytes(count as u64), at);
            }
            prop_assert_eq!(map.characters(text.len()), text.chars().count() as u64);
            prop_assert_eq!(map.bytes(text.chars().count() as u64), text.len());
            prop_assert_eq!(map.bytes(u64::MAX), text.len());
            prop_assert_eq!(map.characters(usize::MAX), text.chars().count() as u64);
        }
    }
}
