//! What an entry leaves out is known of its name, of its kind, or of the environment.

use super::Folder;
use crate::config::{Config, Loaded, ResolvedSecrets, load, resolve_secrets, show};

const ACCOUNT: &str = include_str!("../../providers/google_token/test_account.json");

/// A text, variables that are set, then the kind, the format, the address and the secrets.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, &'a str, &'a str, &'a [&'a str]);

/// Loads a text with these variables in the environment.
fn load_with(text: &str, variables: &[(&str, &str)]) -> Loaded {
    let env = env_of(variables);
    load(&Folder::new().file("arouter.toml", text), &env).unwrap_or_else(|error| panic!("{error}"))
}

fn env_of<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |name| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())
}

/// Kind, format, address and key variables of the only provider.
fn summary(config: &Config) -> (String, String, String, Vec<String>) {
    let provider = config.providers.values().next().unwrap();
    let references = provider.pool().iter().map(|key| &key.reference);
    let references = references.chain(provider.account_secrets().map(|(_, reference)| reference));
    (
        format!("{:?}", provider.kind()),
        provider.format.map_or_else(|| "-".to_owned(), |format| format!("{format:?}")),
        provider.base_url.as_ref().unwrap().to_string(),
        references.map(|reference| format!("{reference:?}")).collect(),
    )
}

#[test]
fn what_is_left_out_is_filled_in() {
    const DEEPSEEK: &str = "https://api.deepseek.com/v1";
    const AWS: [&str; 2] = [r#"Env("AWS_ACCESS_KEY_ID")"#, r#"Env("AWS_SECRET_ACCESS_KEY")"#];
    let deepseek_key: &[&str] = &[r#"Env("DEEPSEEK_API_KEY")"#];
    let runtime = "https://bedrock-runtime.us-east-1.amazonaws.com";
    let set = [("DEEPSEEK_API_KEY", "k"), ("ANTHROPIC_API_KEY", "k")];
    let region = [("AWS_REGION", "us-east-1")];
    let bearer = [("AWS_REGION", "us-east-1"), ("AWS_BEARER_TOKEN_BEDROCK", "k")];
    let session = [("AWS_REGION", "us-east-1"), ("AWS_SESSION_TOKEN", "k")];
    let with_token = [AWS[0], AWS[1], r#"Env("AWS_SESSION_TOKEN")"#];
    let google = [("GOOGLE_CLOUD_LOCATION", "us"), ("GOOGLE_APPLICATION_CREDENTIALS", "/none")];
    let known = "[providers.deepseek]\n";
    let elsewhere = "[providers.deepseek]\nbase_url = 'http://127.0.0.1:9'\n";
    let none = "[providers.deepseek]\nkeys = []\n";
    let other_kind = "[providers.anthropic]\nkind = 'bedrock'\nregion = 'us-east-1'\n";
    let other_format = "[providers.deepseek]\nformat = 'gemini'\nbase_url = 'https://b.example'\n";
    let converse = "[providers.a]\nformat = 'bedrock'\n";
    let china = "[providers.a]\nkind = 'bedrock'\nregion = 'cn-north-1'\n";
    let vertex = "[providers.a]\nkind = 'vertex'\n";
    let west = "[providers.a]\nkind = 'vertex'\nregion = 'europe-west4'\n";
    let cases: Vec<Case<'_>> = vec![
        (known, &set, "Standard", "Openai", DEEPSEEK, deepseek_key),
        (known, &[], "Standard", "Openai", DEEPSEEK, deepseek_key),
        (none, &set, "Standard", "Openai", DEEPSEEK, &[]),
        (elsewhere, &set, "Standard", "Openai", "http://127.0.0.1:9", deepseek_key),
        (elsewhere, &[], "Standard", "Openai", "http://127.0.0.1:9", &[]),
        (other_format, &set, "Standard", "Gemini", "https://b.example", &[]),
        (other_kind, &set, "Bedrock", "Anthropic", runtime, &AWS),
        (converse, &region, "Bedrock", "Bedrock", runtime, &AWS),
        (converse, &session, "Bedrock", "Bedrock", runtime, &with_token),
        (converse, &bearer, "Bedrock", "Bedrock", runtime, &[r#"Env("AWS_BEARER_TOKEN_BEDROCK")"#]),
        (
            china,
            &[],
            "Bedrock",
            "Bedrock",
            "https://bedrock-runtime.cn-north-1.amazonaws.com.cn",
            &AWS,
        ),
        (vertex, &[], "Vertex", "-", "https://aiplatform.googleapis.com", &[]),
        (
            vertex,
            &google,
            "Vertex",
            "-",
            "https://aiplatform.us.rep.googleapis.com",
            &[r#"File("/none")"#],
        ),
        (west, &[], "Vertex", "-", "https://europe-west4-aiplatform.googleapis.com", &[]),
    ];
    for (text, variables, kind, format, url, references) in cases {
        let (found_kind, found_format, found_url, found) =
            summary(&load_with(text, variables).config);
        assert_eq!((found_kind.as_str(), found_format.as_str()), (kind, format), "{text}");
        assert_eq!(
            (found_url.as_str(), found),
            (url, references.iter().map(ToString::to_string).collect()),
            "{text}"
        );
    }
}

#[test]
fn a_provider_without_its_secrets_is_disabled() {
    let enabled = |text: &str, variables: &[(&str, &str)]| {
        let loaded = load_with(text, variables);
        let (secrets, errors) = resolve_secrets(&loaded.config, &env_of(variables));
        assert!(errors.is_empty());
        let name = loaded.config.providers.keys().next().unwrap();
        let warned = loaded.warnings.iter().any(|warning| warning.message.contains("disabled"));
        let is_enabled = ResolvedSecrets::enabled(&secrets, &loaded.config, name);
        assert_eq!(warned, !is_enabled, "{text}: {:?}", loaded.warnings);
        is_enabled
    };
    let bedrock = "[providers.a]\nformat = 'bedrock'\nregion = 'r'\n";
    let vertex = "[providers.a]\nkind = 'vertex'\ncredentials = { env = 'ACCOUNT' }\n";
    assert!(enabled(bedrock, &[("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")]));
    assert!(!enabled(bedrock, &[("AWS_ACCESS_KEY_ID", "a")]));
    assert!(enabled(bedrock, &[("AWS_BEARER_TOKEN_BEDROCK", "a")]));
    assert!(enabled(vertex, &[("ACCOUNT", ACCOUNT)]));
    assert!(!enabled(vertex, &[]));
    assert!(!enabled("[providers.a]\nkind = 'vertex'\n", &[]));
    assert!(!enabled("[providers.deepseek]\n", &[]));
}

#[test]
fn secrets_of_clouds_are_never_shown() {
    let account = ACCOUNT.replace("test-key-1", "canary");
    let text = format!(
        "[providers.a]\nformat = 'bedrock'\nregion = 'r'\n\
         access_key_id = {{ insecure_literal = 'canary-1' }}\n\
         secret_access_key = {{ insecure_literal = 'canary-2' }}\n\
         session_token = {{ insecure_literal = 'canary-3' }}\n\
         [providers.b]\nkind = 'vertex'\ncredentials = {{ insecure_literal = '''{account}''' }}\n"
    );
    let loaded = load_with(&text, &[]);
    let (secrets, _) = resolve_secrets(&loaded.config, &env_of(&[]));
    assert_eq!(secrets.accounts["a"].session_token.as_ref().unwrap().expose(), "canary-3");
    let shown = show::effective(&loaded.config, show::Detail::Full).to_string();
    for text in [format!("{loaded:?}"), shown, format!("{secrets:?}"), loaded.written] {
        assert!(!text.contains("canary") && !text.contains("PRIVATE KEY"), "{text}");
    }
}

#[test]
fn a_service_account_that_cannot_be_used_is_refused_where_it_is_named() {
    let text = "[providers.a]\nkind = 'vertex'\ncredentials = { env = 'ACCOUNT' }\n";
    let variables = [("ACCOUNT", r#"{"type":"authorized_user","client_id":"canary"}"#)];
    let folder = Folder::new();
    let path = folder.file("arouter.toml", text);
    let error = load(&path, &env_of(&variables)).unwrap_err().to_string();
    assert!(error.contains(":3:15") && error.contains("service_account"), "{error}");
    assert!(!error.contains("canary"), "{error}");
}
