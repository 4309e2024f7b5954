//! Prices and abilities of models that are known without a configuration: `conf/models.txt`,
//! compiled in.
//!
//! Used where candidates are built. The file is cut into lines at the first question, in well under
//! a millisecond; a line is read when its model is first asked for, and kept. A lookup is a binary
//! search that allocates nothing. A line that cannot be read has no price rather than a wrong one;
//! a test reads them all.

use super::pricing::Pricing;
use crate::config::{PriceTable, PriceTier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock};

static CATALOG: LazyLock<Catalog<'static>> =
    LazyLock::new(|| Catalog::new(include_str!("../../conf/models.txt")));

/// The models of a provider, by its name in `conf/providers.toml`.
pub fn list(provider: &str) -> Option<&'static List<'static>> {
    CATALOG.lists.get(provider)
}

/// The name that a name with a date or another pin (`-20260305`, `-2026-03-05`, `-latest`, `@…`)
/// is a version of. The file has such a name itself where it costs something else.
pub fn base_name(model: &str) -> Option<&str> {
    let base = match model.split_once('@') {
        Some((base, _)) => Some(base),
        None => model.strip_suffix("-latest"),
    };
    let base = base.or_else(|| without_date(model, "-dddddddd"));
    base.or_else(|| without_date(model, "-dddd-dd-dd")).filter(|base| !base.is_empty())
}

/// `model` without an ending of the form, in which `d` is any digit.
fn without_date<'m>(model: &'m str, form: &str) -> Option<&'m str> {
    let (base, ending) = model.split_at_checked(model.len().checked_sub(form.len())?)?;
    let fits = |(byte, form)| if form == b'd' { u8::is_ascii_digit(&byte) } else { byte == form };
    ending.bytes().zip(form.bytes()).all(fits).then_some(base)
}

/// What is known of a model at a provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// What it costs; `None` = not known.
    pub pricing: Option<Arc<Pricing>>,
    /// Prompt plus answer, in tokens.
    pub context_length: Option<u64>,
    /// Longest answer, in tokens.
    pub max_completion_tokens: Option<u64>,
    /// What a prompt may hold.
    pub reads: Vec<Modality>,
    /// What an answer may hold.
    pub writes: Vec<Modality>,
    /// Whether it calls tools.
    pub tools: bool,
    /// Whether it reasons.
    pub reasoning: bool,
    /// Whether answers can be held to a JSON schema.
    pub json_schema: bool,
}

/// What a message is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Modality {
    /// Text.
    Text,
    /// Pictures.
    Image,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// PDF documents.
    #[serde(rename = "file")]
    Pdf,
}

impl Modality {
    /// Its name in lists of models.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Pdf => "file",
        }
    }

    fn from_letter(letter: char) -> Option<Self> {
        Some(match letter {
            't' => Self::Text,
            'i' => Self::Image,
            'a' => Self::Audio,
            'v' => Self::Video,
            'p' => Self::Pdf,
            _ => return None,
        })
    }
}

/// The models of one provider, sorted by name.
#[derive(Debug)]
pub struct List<'t> {
    /// `catalog-` and the day of the file.
    version: Arc<str>,
    models: Vec<Line<'t>>,
}

#[derive(Debug)]
struct Line<'t> {
    name: &'t str,
    words: &'t str,
    known: OnceLock<Option<Known>>,
}

impl<'t> List<'t> {
    /// What is known of a model under the provider's own name, or under the name that it is a
    /// dated version of.
    pub fn find(&self, model: &str) -> Option<&Known> {
        self.exactly(model).or_else(|| self.exactly(base_name(model)?))
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &'t str> {
        self.models.iter().map(|line| line.name)
    }

    fn exactly(&self, model: &str) -> Option<&Known> {
        let at = self.models.binary_search_by(|line| line.name.cmp(model)).ok()?;
        let line = self.models.get(at)?;
        line.known.get_or_init(|| read(line.words, &self.version)).as_ref()
    }
}

/// The whole file.
#[derive(Debug)]
struct Catalog<'t> {
    lists: HashMap<&'t str, List<'t>>,
}

impl<'t> Catalog<'t> {
    fn new(text: &'t str) -> Self {
        let mut lists: HashMap<&'t str, List<'t>> = HashMap::new();
        let mut version: Arc<str> = Arc::from("catalog");
        let mut provider = "";
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let heading = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            let (name, words) = line.split_once(' ').unwrap_or((line, ""));
            match (heading, lists.get_mut(provider)) {
                (Some(heading), _) => {
                    provider = heading;
                    let list = List { version: Arc::clone(&version), models: Vec::new() };
                    lists.insert(provider, list);
                }
                (None, Some(list)) => {
                    list.models.push(Line { name, words, known: OnceLock::new() });
                }
                (None, None) if name == "date" => version = format!("catalog-{words}").into(),
                (None, None) => {}
            }
        }
        Self { lists }
    }
}

/// Reads the words of a line; `None` if there is one that is not understood.
fn read(words: &str, version: &str) -> Option<Known> {
    let mut known = Known::default();
    let mut table = PriceTable::default();
    let mut sides = (false, false);
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        if let Some(bound) = word.strip_prefix('>') {
            table.tiers.push(tier_above(bound.parse().ok()?));
            continue;
        }
        let (key, value) = word.split_once('=')?;
        // The letters after it say which tables state it.
        let value = value.split_once('@').map_or(value, |(value, _)| value);
        if let Some(tier) = table.tiers.last_mut() {
            set_tier(tier, key, value)?;
        } else if set_ability(&mut known, key, value).is_none() {
            sides = (sides.0 || key == "prompt", sides.1 || key == "completion");
            set_price(&mut table, key, value)?;
        }
    }
    if sides == (true, true) {
        known.pricing = Some(Arc::new(Pricing::of_list(version, table)));
    }
    Some(known)
}

fn set_ability(known: &mut Known, key: &str, value: &str) -> Option<()> {
    let modalities = || value.chars().map(Modality::from_letter).collect::<Option<Vec<_>>>();
    match key {
        "context" => known.context_length = Some(value.parse().ok()?),
        "output" => known.max_completion_tokens = Some(value.parse().ok()?),
        "reads" => known.reads = modalities()?,
        "writes" => known.writes = modalities()?,
        "can" => {
            known.tools = value.contains('t');
            known.reasoning = value.contains('r');
            known.json_schema = value.contains('j');
        }
        _ => return None,
    }
    Some(())
}

fn set_price(table: &mut PriceTable, key: &str, value: &str) -> Option<()> {
    match key {
        "prompt" => table.prompt = value.parse().ok()?,
        "completion" => table.completion = value.parse().ok()?,
        "cache_read" => table.cache_read = Some(value.parse().ok()?),
        "cache_write" => table.cache_write = Some(value.parse().ok()?),
        "cache_write_1h" => table.cache_write_1h = Some(value.parse().ok()?),
        "reasoning" => table.reasoning = Some(value.parse().ok()?),
        "audio" => table.audio = Some(value.parse().ok()?),
        "audio_completion" => table.audio_completion = Some(value.parse().ok()?),
        "image_completion" => table.image_completion = Some(value.parse().ok()?),
        "request" => table.request = Some(value.parse().ok()?),
        "web_search" => table.web_search = Some(value.parse().ok()?),
        "flex" => table.factors.flex = Some(value.parse().ok()?),
        "priority" => table.factors.priority = Some(value.parse().ok()?),
        "batch" => table.factors.batch = Some(value.parse().ok()?),
        _ => return None,
    }
    Some(())
}

fn set_tier(tier: &mut PriceTier, key: &str, value: &str) -> Option<()> {
    let slot = match key {
        "prompt" => &mut tier.prompt,
        "completion" => &mut tier.completion,
        "cache_read" => &mut tier.cache_read,
        "cache_write" => &mut tier.cache_write,
        "cache_write_1h" => &mut tier.cache_write_1h,
        "reasoning" => &mut tier.reasoning,
        "audio" => &mut tier.audio,
        "audio_completion" => &mut tier.audio_completion,
        "image_completion" => &mut tier.image_completion,
        _ => return None,
    };
    *slot = Some(value.parse().ok()?);
    Some(())
}

fn tier_above(above_prompt_tokens: u64) -> PriceTier {
    PriceTier {
        above_prompt_tokens,
        prompt: None,
        completion: None,
        cache_read: None,
        cache_write: None,
        cache_write_1h: None,
        reasoning: None,
        audio: None,
        audio_completion: None,
        image_completion: None,
    }
}

#[cfg(test)]
mod tests;
