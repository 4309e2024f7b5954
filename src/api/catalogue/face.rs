//! What is shown of a model: the facts that filters ask for, and the object of the lists.
//!
//! Made once per model and snapshot for keys that may use all of its endpoints, and anew for a key
//! that may use some: prices and abilities are those of what the key would be served by.

use super::modality::Outputs;
use super::naming;
use super::pricing::PricingObject;
use crate::catalog::{Modalities, Modality, Parameter, ParameterSet};
use crate::money::Price;
use crate::routing::Candidate;
use serde::Serialize;
use std::sync::Arc;

/// Parameters that are no words of OpenRouter's lists.
const UNLISTED: [Parameter; 3] = [Parameter::Audio, Parameter::Modalities, Parameter::N];

/// How a model is called, by programs and people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    /// What requests call it.
    pub(super) id: Arc<str>,
    /// What people call it.
    pub(super) title: Box<str>,
    /// Whose it is.
    pub(super) owner: Box<str>,
    /// The model that an alias leads to first: its name, and what people call it.
    pub(super) target: Option<(Arc<str>, Box<str>)>,
}

/// A model as somebody sees it.
#[derive(Debug, Clone)]
pub(super) struct Face {
    /// Who serves it, never nobody, in the operator's order.
    pub(super) endpoints: Vec<Arc<Candidate>>,
    /// What filters ask for.
    pub(super) facts: Facts,
    /// Its object, as JSON.
    pub(super) object: Box<str>,
}

/// What is known of a model.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// What a prompt may hold.
    pub(super) reads: Modalities,
    /// What it answers with.
    pub(super) writes: Outputs,
    /// The parameters that one of its endpoints takes.
    pub(super) parameters: ParameterSet,
    /// Prompt plus answer, in tokens.
    pub(super) context_length: Option<u64>,
    /// Longest answer of the first endpoint, in tokens.
    pub(super) max_completion_tokens: Option<u64>,
    /// What a token of the prompt costs.
    pub(super) prompt: Option<Price>,
    /// What a token of the answer costs.
    pub(super) completion: Option<Price>,
    /// When it was made, Unix seconds; 0 = not known.
    pub(super) created_s: u64,
    /// Family of tokenizers.
    pub(super) family: &'static str,
    /// Whether other models may learn from what it writes; `None` = not known.
    pub(super) distillable: Option<bool>,
    /// Whether it reasons; `None` = not known.
    pub(super) reasons: Option<bool>,
}

impl Face {
    /// The model with these endpoints; `None` without any.
    pub(super) fn new(names: &Names, endpoints: Vec<Arc<Candidate>>) -> Option<Self> {
        let first = Arc::clone(endpoints.first()?);
        let facts = Facts::of(&first, &endpoints);
        let object = serde_json::to_string(&Object::of(names, &first, &facts)).ok()?;
        Some(Self { endpoints, facts, object: object.into() })
    }
}

impl Facts {
    /// The facts of what leads: an alias is described by the model it leads to first.
    fn of(first: &Candidate, endpoints: &[Arc<Candidate>]) -> Self {
        let mut facts = Self {
            max_completion_tokens: first.max_completion_tokens,
            created_s: naming::created_s(&first.canonical),
            family: naming::family(&first.canonical),
            distillable: first.distillable,
            reasons: first.abilities.reasoning,
            ..Self::default()
        };
        if facts.created_s == 0 {
            facts.created_s = naming::created_s(&first.upstream_model);
        }
        for endpoint in endpoints.iter().filter(|one| one.canonical == first.canonical) {
            let abilities = &endpoint.abilities;
            facts.reads = facts.reads.iter().chain(reads(abilities.reads)).collect();
            let writes = naming::outputs(&endpoint.upstream_model, abilities.writes);
            facts.writes = facts.writes.union(writes);
            let taken = |one: &&Parameter| endpoint.parameters.contains(**one);
            for parameter in Parameter::ALL.iter().filter(taken) {
                facts.parameters.insert(*parameter);
            }
            facts.context_length = facts.context_length.max(endpoint.context_length);
            let table = endpoint.pricing.as_ref().map(|pricing| &pricing.table);
            facts.prompt = facts.prompt.or(table.map(|table| table.prompt));
            facts.completion = facts.completion.or(table.map(|table| table.completion));
        }
        facts
    }
}

/// What a prompt may hold: at least text, as nothing else is known.
pub(super) fn reads(modalities: Modalities) -> impl Iterator<Item = Modality> {
    let text = modalities.is_empty().then_some(Modality::Text);
    text.into_iter().chain(modalities.iter())
}

/// The parameters as lists name them.
pub(super) fn parameter_names(parameters: ParameterSet) -> Vec<&'static str> {
    parameters.without(UNLISTED.into_iter().collect()).names().collect()
}

/// What a model reads and writes.
#[derive(Debug, Serialize)]
pub(super) struct Architecture {
    modality: String,
    input_modalities: Vec<&'static str>,
    output_modalities: Vec<&'static str>,
    tokenizer: &'static str,
    instruct_type: Option<&'static str>,
}

impl Architecture {
    /// The architecture of a model.
    pub(super) fn of(facts: &Facts) -> Self {
        let input_modalities: Vec<&str> = facts.reads.iter().map(Modality::name).collect();
        Self {
            modality: format!("{}->{}", input_modalities.join("+"), facts.writes.joined()),
            input_modalities,
            output_modalities: facts.writes.names(),
            tokenizer: facts.family,
            instruct_type: None,
        }
    }
}

/// One object that satisfies OpenAI's, Anthropic's and OpenRouter's clients.
#[expect(clippy::struct_field_names, reason = "OpenAI calls a member so")]
#[derive(Serialize)]
struct Object<'a> {
    id: &'a str,
    object: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    created: u64,
    created_at: String,
    owned_by: &'a str,
    canonical_slug: &'a str,
    hugging_face_id: Option<&'static str>,
    name: &'a str,
    display_name: &'a str,
    description: &'static str,
    context_length: Option<u64>,
    architecture: Architecture,
    pricing: PricingObject,
    top_provider: TopProvider,
    per_request_limits: Option<u64>,
    supported_parameters: Vec<&'static str>,
    default_parameters: Option<u64>,
    supported_voices: Option<u64>,
    knowledge_cutoff: Option<&'static str>,
    expiration_date: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias_target: Option<Target<'a>>,
    links: Links,
}

#[derive(Serialize)]
struct TopProvider {
    context_length: Option<u64>,
    max_completion_tokens: Option<u64>,
    is_moderated: bool,
}

#[derive(Serialize)]
struct Target<'a> {
    name: &'a str,
    slug: &'a str,
}

#[derive(Serialize)]
struct Links {
    details: String,
}

impl<'a> Object<'a> {
    fn of(names: &'a Names, first: &Candidate, facts: &Facts) -> Self {
        let target = names.target.as_ref();
        Self {
            id: &names.id,
            object: "model",
            kind: "model",
            created: facts.created_s,
            created_at: rfc3339(facts.created_s),
            owned_by: &names.owner,
            canonical_slug: target.map_or(&names.id, |(slug, _)| slug),
            hugging_face_id: None,
            name: &names.title,
            display_name: &names.title,
            description: "",
            context_length: facts.context_length,
            architecture: Architecture::of(facts),
            pricing: PricingObject::of(first.pricing.as_deref()),
            top_provider: TopProvider {
                context_length: first.context_length,
                max_completion_tokens: first.max_completion_tokens,
                is_moderated: false,
            },
            per_request_limits: None,
            supported_parameters: parameter_names(facts.parameters),
            default_parameters: None,
            supported_voices: None,
            knowledge_cutoff: None,
            expiration_date: None,
            alias_target: target.map(|(slug, name)| Target { name, slug }),
            links: Links { details: details(&names.id) },
        }
    }
}

/// Where the endpoints of a model are listed.
fn details(id: &str) -> String {
    let mut path = String::from("/api/v1/models/");
    for c in id.chars() {
        match c {
            '%' => path.push_str("%25"),
            '?' => path.push_str("%3F"),
            '#' => path.push_str("%23"),
            c => path.push(c),
        }
    }
    path.push_str("/endpoints");
    path
}

/// A moment as Anthropic writes it.
fn rfc3339(unix_s: u64) -> String {
    let second = i64::try_from(unix_s).unwrap_or_default();
    jiff::Timestamp::from_second(second).unwrap_or_default().to_string()
}
