//! Which models are asked for.
//!
//! Read from the query of a list. A model of which a fact is not known passes no filter on that
//! fact; what the gateway never knows (categories, regions, ranks in benchmarks) is passed by none.

use super::face::{Face, Names};
use super::modality::{Output, Outputs};
use crate::api::query::{Query, wrong};
use crate::catalog::{Modality, Parameter, ParameterSet};
use crate::error::GatewayError;
use crate::money::Price;
use crate::routing::RoutingTable;

/// OpenRouter's categories of use.
const CATEGORIES: &[&str] = &[
    "programming",
    "roleplay",
    "marketing",
    "marketing/seo",
    "technology",
    "science",
    "translation",
    "legal",
    "finance",
    "health",
    "trivia",
    "academia",
];

/// Filters by numbers that only OpenRouter has.
const RANKS: &[&str] = &[
    "min_intelligence_index",
    "max_intelligence_index",
    "min_coding_index",
    "max_coding_index",
    "min_agentic_index",
    "max_agentic_index",
    "min_tool_success_rate",
    "max_tool_success_rate",
];

const SECONDS_PER_DAY: u64 = 86_400;

/// What a model must be.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// One of these; `None` = anything.
    writes: Option<Outputs>,
    /// All of these.
    reads: Vec<Modality>,
    /// All of these.
    parameters: ParameterSet,
    context_length: Option<u64>,
    prompt: Range<Price>,
    completion: Range<Price>,
    age_days: Range<u64>,
    /// Lower case, in the id or the title.
    text: Option<String>,
    family: Option<String>,
    authors: Option<Vec<String>>,
    providers: Option<Vec<String>>,
    distillable: Option<bool>,
    zdr: bool,
    /// Asks for what is not known of any model.
    nobody: bool,
}

#[derive(Debug, Default)]
struct Range<T> {
    least: Option<T>,
    most: Option<T>,
}

impl<T: PartialOrd + Copy> Range<T> {
    fn holds(&self, value: Option<T>) -> bool {
        match (self.least, self.most, value) {
            (None, None, _) => true,
            (_, _, None) => false,
            (least, most, Some(value)) => {
                least.is_none_or(|least| value >= least) && most.is_none_or(|most| value <= most)
            }
        }
    }
}

impl Filter {
    /// The filter of a query: without a word on it, models that answer with text.
    pub(super) fn read(query: &Query, routing: &RoutingTable) -> Result<Self, GatewayError> {
        let price = |name| query.read::<Price>(name, "USD per million tokens, such as 2.5");
        let days = |name| query.read::<u64>(name, "a whole number of days");
        let slugs = |name| {
            let slug = |name: &str| {
                let known = routing.provider(name);
                known.map_or_else(|| name.to_ascii_lowercase(), |known| known.slug.to_string())
            };
            words(query, name).map(|names| names.map(slug).collect())
        };
        refuse_feed(query)?;
        let (parameters, sees) = parameters(query)?;
        Ok(Self {
            writes: outputs(query)?,
            reads: reads(query)?.into_iter().chain(sees).collect(),
            parameters,
            context_length: query.read("context", "a number of tokens")?,
            prompt: Range { least: price("min_price")?, most: price("max_price")? },
            completion: Range {
                least: price("min_output_price")?,
                most: price("max_output_price")?,
            },
            age_days: Range { least: days("min_age_days")?, most: days("max_age_days")? },
            text: query.get("q").map(str::to_lowercase),
            family: query.get("arch").map(str::to_lowercase),
            authors: slugs("model_authors"),
            providers: slugs("providers"),
            distillable: query.get("distillable").map(|_| query.flag("distillable")).transpose()?,
            zdr: query.flag("zdr")?,
            nobody: asks_for_the_unknown(query)?,
        })
    }

    /// The same, of models that answer with embeddings.
    pub(super) fn of_embeddings(self) -> Self {
        Self { writes: Some([Output::Embeddings].into_iter().collect()), ..self }
    }

    /// Whether a model is asked for.
    pub(super) fn fits(&self, names: &Names, face: &Face, now_s: u64) -> bool {
        let facts = &face.facts;
        let age_days = || {
            let made = Some(facts.created_s).filter(|created_s| *created_s > 0);
            made.map(|created_s| now_s.saturating_sub(created_s) / SECONDS_PER_DAY)
        };
        !self.nobody
            && self.writes.is_none_or(|writes| facts.writes.meets(writes))
            && self.reads.iter().all(|modality| facts.reads.contains(*modality))
            && facts.parameters.contains_all(self.parameters)
            && self.context_length.is_none_or(|least| facts.context_length >= Some(least))
            && self.prompt.holds(facts.prompt)
            && self.completion.holds(facts.completion)
            && self.age_days.holds(age_days())
            && self.distillable.is_none_or(|wanted| facts.distillable == Some(wanted))
            && (!self.zdr || face.endpoints.iter().any(|endpoint| endpoint.data_policy.zdr))
            && self.is_from(names, face)
            && self.is_named(names, face)
    }

    fn is_from(&self, names: &Names, face: &Face) -> bool {
        let by_author = self.authors.as_ref().is_none_or(|authors| {
            let slug = names.target.as_ref().map_or(&*names.id, |(slug, _)| slug);
            let organisations =
                slug.rsplit_once('/').map_or("", |(organisations, _)| organisations);
            let mut all = organisations.split('/');
            all.any(|one| authors.iter().any(|author| author.eq_ignore_ascii_case(one)))
        });
        let by_provider = self.providers.as_ref().is_none_or(|providers| {
            let mut slugs = face.endpoints.iter().map(|endpoint| &*endpoint.provider.slug);
            slugs.any(|slug| providers.iter().any(|provider| provider.eq_ignore_ascii_case(slug)))
        });
        by_author && by_provider
    }

    fn is_named(&self, names: &Names, face: &Face) -> bool {
        let has = |text: &String| {
            names.id.to_lowercase().contains(text.as_str())
                || names.title.to_lowercase().contains(text.as_str())
        };
        self.text.as_ref().is_none_or(has)
            && self
                .family
                .as_ref()
                .is_none_or(|family| face.facts.family.to_lowercase().starts_with(family.as_str()))
    }
}

/// The words of a comma list; `None` if it is not given.
fn words<'q>(query: &'q Query, name: &str) -> Option<impl Iterator<Item = &'q str>> {
    let list = query.get(name)?;
    Some(list.split(',').map(str::trim).filter(|word| !word.is_empty()))
}

fn outputs(query: &Query) -> Result<Option<Outputs>, GatewayError> {
    const NAME: &str = "output_modalities";
    let Some(words) = words(query, NAME) else {
        return Ok(Some([Output::Text].into_iter().collect()));
    };
    let mut writes = Vec::new();
    for word in words {
        if word == "all" {
            return Ok(None);
        }
        let output = Output::of_name(word).ok_or_else(|| {
            let known: Vec<&str> = Output::ALL.into_iter().map(Output::name).collect();
            wrong(NAME, format!("all, or some of {}", known.join(", ")))
        })?;
        writes.push(output);
    }
    Ok(Some(writes.into_iter().collect()))
}

fn reads(query: &Query) -> Result<Vec<Modality>, GatewayError> {
    const NAME: &str = "input_modalities";
    const ALL: [Modality; 5] =
        [Modality::Text, Modality::Image, Modality::Pdf, Modality::Audio, Modality::Video];
    let read = |word: &str| {
        let found = ALL.into_iter().find(|modality| modality.name() == word);
        found.ok_or_else(|| wrong(NAME, "some of text, image, file, audio, video"))
    };
    words(query, NAME).map_or_else(|| Ok(Vec::new()), |words| words.map(read).collect())
}

/// Parameters, and whether it must see: ARouter's documentation calls that a parameter too.
fn parameters(query: &Query) -> Result<(ParameterSet, Option<Modality>), GatewayError> {
    const NAME: &str = "supported_parameters";
    let (mut set, mut sees) = (ParameterSet::NONE, None);
    for word in words(query, NAME).into_iter().flatten() {
        match Parameter::of_name(word) {
            Some(parameter) => set.insert(parameter),
            None if word == "vision" => sees = Some(Modality::Image),
            None => {
                let known: Vec<&str> = ParameterSet::all().names().collect();
                return Err(wrong(NAME, format!("some of {}, vision", known.join(", "))));
            }
        }
    }
    Ok((set, sees))
}

fn asks_for_the_unknown(query: &Query) -> Result<bool, GatewayError> {
    let category = query.get("category");
    if category.is_some_and(|category| !CATEGORIES.contains(&category)) {
        return Err(wrong("category", format!("one of {}", CATEGORIES.join(", "))));
    }
    let region = query.get("region");
    if region.is_some_and(|region| !["eu", "us"].contains(&region)) {
        return Err(wrong("region", "eu or us"));
    }
    let mut ranked = false;
    for name in RANKS {
        ranked |= query.read::<Price>(name, "a number that is not negative")?.is_some();
    }
    Ok(category.is_some() || region.is_some() || ranked)
}

/// A feed for readers of news was asked for, and JSON would break them.
fn refuse_feed(query: &Query) -> Result<(), GatewayError> {
    for name in ["use_rss", "use_rss_chat_links"] {
        if query.flag(name)? {
            return Err(wrong(name, "false: there is no feed here"));
        }
    }
    Ok(())
}
