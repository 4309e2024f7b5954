//! Providers that are known by name: where they are, what they speak and how they differ.
//!
//! The facts are data in `conf/providers.toml`, compiled in and read once. A configuration that
//! names one of them needs no more than a key; whatever it states itself wins over these.

use crate::formats::openai_chat::dialect::Dialect;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What is known of one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownProvider {
    /// The name it goes by in configurations, e.g. `deepseek`.
    pub name: String,
    /// The name people know, e.g. `DeepSeek`.
    pub display_name: String,
    /// Wire format of its chat endpoint: `openai_chat`, `openai_responses`, `anthropic`, `gemini`
    /// or `bedrock`.
    pub format: String,
    /// Where its API begins; absent where every customer has an own address.
    pub base_url: Option<String>,
    /// Environment variable that its own tools read the key from; absent where none is needed.
    pub key_env: Option<String>,
    /// The vendor code it needs where the format alone does not tell: `azure`, `bedrock`, `vertex`.
    pub kind: Option<String>,
    /// How it differs from OpenAI; the default for other formats.
    pub dialect: Dialect,
    /// What people may want to know of it.
    pub pages: Pages,
}

/// What people may want to know of a provider; what is not known for sure is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pages {
    /// Address of its privacy policy.
    pub privacy: Option<String>,
    /// Address of its terms of service.
    pub terms: Option<String>,
    /// Address of the page that tells how it is doing.
    pub status: Option<String>,
    /// Country of its headquarters, by ISO 3166-1.
    pub headquarters: Option<String>,
}

/// A table of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    display_name: String,
    format: String,
    base_url: Option<String>,
    key_env: Option<String>,
    kind: Option<String>,
    #[serde(default)]
    dialect: Dialect,
    #[serde(default)]
    pages: Pages,
}

static PROVIDERS: LazyLock<Vec<KnownProvider>> =
    LazyLock::new(|| parse(include_str!("../../conf/providers.toml")).unwrap_or_default());

/// All known providers, by name.
pub fn providers() -> &'static [KnownProvider] {
    &PROVIDERS
}

/// The provider of that name.
pub fn provider(name: &str) -> Option<&'static KnownProvider> {
    providers().iter().find(|provider| provider.name == name)
}

/// Reads a file of providers; TOML itself refuses a name that comes twice.
fn parse(text: &str) -> Result<Vec<KnownProvider>, toml::de::Error> {
    let entries: BTreeMap<String, Entry> = toml::from_str(text)?;
    Ok(entries.into_iter().map(|(name, entry)| KnownProvider::new(name, entry)).collect())
}

impl KnownProvider {
    fn new(name: String, entry: Entry) -> Self {
        let Entry { display_name, format, base_url, key_env, kind, dialect, pages } = entry;
        Self { name, display_name, format, base_url, key_env, kind, dialect, pages }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMATS: [&str; 5] =
        ["openai_chat", "openai_responses", "anthropic", "gemini", "bedrock"];

    #[test]
    fn every_table_of_the_file_is_read() {
        let text = include_str!("../../conf/providers.toml");
        let parsed = parse(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(parsed, providers());
        let tables = text.lines().filter(|line| line.starts_with('[') && !line.contains('.'));
        assert_eq!(parsed.len(), tables.count());
    }

    #[test]
    fn every_provider_can_be_reached() {
        for known in providers() {
            assert!(FORMATS.contains(&known.format.as_str()), "{}", known.name);
            assert!(!known.display_name.is_empty(), "{}", known.name);
            match &known.base_url {
                Some(url) => assert!(
                    (url.starts_with("https://") || url.starts_with("http://127.0.0.1:"))
                        && !url.ends_with('/'),
                    "{url}"
                ),
                None => assert!(known.kind.is_some(), "{} has an own address", known.name),
            }
        }
    }

    #[test]
    fn pages_are_addresses_and_countries_have_two_letters() {
        for Pages { privacy, terms, status, headquarters } in
            providers().iter().map(|known| &known.pages)
        {
            for page in [privacy, terms, status].into_iter().flatten() {
                assert!(page.starts_with("https://") && !page.contains(' '), "{page}");
            }
            let is_code = |country: &String| {
                country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase())
            };
            assert!(headquarters.as_ref().is_none_or(is_code), "{headquarters:?}");
        }
        let known = providers().iter().filter(|known| known.pages != Pages::default());
        assert!(known.count() > 10);
    }

    #[test]
    fn facts_that_are_misspelt_are_refused() {
        for text in [
            "[x]\ndisplay_name='X'\nformat='openai_chat'\nbase='y'",
            "[x]\ndisplay_name='X'\nformat='openai_chat'\n[x.dialect]\nmaxstops=3",
            "[x]\ndisplay_name='X'\nformat='a'\n[x]\ndisplay_name='X'\nformat='a'",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
