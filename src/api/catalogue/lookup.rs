//! The route table of the catalogue: what can be asked of it, and at which paths.
//!
//! Read by `proxy/operation.rs`, which has made sure that a path can be read in one way only. All
//! of it is asked with GET, by any kind of key.

/// What is asked of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The models.
    Models,
    /// The same: what a key may not use is never listed.
    UserModels,
    /// Their number.
    Count,
    /// Models that answer with embeddings.
    EmbeddingModels,
    /// One model, as OpenAI's and Anthropic's clients ask for it.
    Model(String),
    /// One model in OpenRouter's wrapper.
    ModelData(String),
    /// Who serves a model, and how they are doing.
    Endpoints(String),
    /// The endpoints that keep nothing of what they are sent.
    ZdrEndpoints,
    /// The providers.
    Providers,
    /// The parameters that a model takes.
    Parameters(String),
    /// The models in Gemini's shape.
    GeminiModels,
    /// One model in Gemini's shape.
    GeminiModel(String),
}

impl Lookup {
    /// Name in records and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Models
            | Self::UserModels
            | Self::EmbeddingModels
            | Self::Model(_)
            | Self::ModelData(_)
            | Self::GeminiModels
            | Self::GeminiModel(_) => "models",
            Self::Count => "models_count",
            Self::Endpoints(_) => "model_endpoints",
            Self::ZdrEndpoints => "zdr_endpoints",
            Self::Providers => "providers",
            Self::Parameters(_) => "parameters",
        }
    }
}

/// Paths below `/v1` and `/api/v1` that stand for themselves.
const FIXED: &[(&str, Lookup)] = &[
    ("/models", Lookup::Models),
    ("/models/count", Lookup::Count),
    ("/models/user", Lookup::UserModels),
    ("/embeddings/models", Lookup::EmbeddingModels),
    ("/endpoints/zdr", Lookup::ZdrEndpoints),
    ("/providers", Lookup::Providers),
];

type OfName = fn(String) -> Lookup;

/// Paths below the same around the name of a model, and what they ask of it. The first that fits
/// counts.
const NAMED: &[(&str, &str, OfName)] = &[
    ("/models/", "/endpoints", Lookup::Endpoints),
    ("/models/", "", Lookup::Model),
    ("/model/", "", Lookup::ModelData),
    ("/parameters/", "", Lookup::Parameters),
];

/// What a path below `/v1` or `/api/v1` asks for; a name in it is read by `decode`.
pub fn find<E>(
    path: &str,
    decode: impl FnOnce(&str) -> Result<String, E>,
) -> Result<Option<Lookup>, E> {
    if let Some((_, lookup)) = FIXED.iter().find(|(fixed, _)| *fixed == path) {
        return Ok(Some(lookup.clone()));
    }
    let found = NAMED.iter().find_map(|(before, after, lookup)| {
        let name = path.strip_prefix(before)?.strip_suffix(after)?;
        (!name.is_empty()).then_some((lookup, name))
    });
    found.map(|(lookup, name)| decode(name).map(lookup)).transpose()
}

/// A path of every kind below `/v1` and `/api/v1`.
pub fn samples() -> Vec<String> {
    let fixed = FIXED.iter().map(|(path, _)| (*path).to_owned());
    let named = NAMED.iter().map(|(before, after, _)| format!("{before}openai/gpt-5{after}"));
    fixed.chain(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(path: &str) -> Option<Lookup> {
        find(path, |name| Ok::<_, ()>(name.to_owned())).unwrap()
    }

    #[test]
    fn paths() {
        let name = || "openai/gpt-5".to_owned();
        let table = [
            ("/models", Some(Lookup::Models)),
            ("/models/count", Some(Lookup::Count)),
            ("/models/user", Some(Lookup::UserModels)),
            ("/embeddings/models", Some(Lookup::EmbeddingModels)),
            ("/endpoints/zdr", Some(Lookup::ZdrEndpoints)),
            ("/providers", Some(Lookup::Providers)),
            ("/models/openai/gpt-5", Some(Lookup::Model(name()))),
            ("/model/openai/gpt-5", Some(Lookup::ModelData(name()))),
            ("/models/openai/gpt-5/endpoints", Some(Lookup::Endpoints(name()))),
            ("/models/a/b/c/endpoints", Some(Lookup::Endpoints("a/b/c".into()))),
            ("/parameters/openai/gpt-5", Some(Lookup::Parameters(name()))),
            ("/models/endpoints", Some(Lookup::Model("endpoints".into()))),
            ("/models/", None),
            ("/model/", None),
            ("/parameters/", None),
            ("/model", None),
            ("/endpoints", None),
        ];
        for (path, expected) in table {
            assert_eq!(plain(path), expected, "{path}");
        }
        assert!(samples().iter().all(|path| plain(path).is_some()));
    }
}
