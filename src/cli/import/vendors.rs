//! The vendors a LiteLLM model name can start with, and how each is reached from here.
//!
//! Used by `litellm::target`. A vendor is served if it speaks one of the three formats at a plain
//! address; everything else says why it is not.

/// How a vendor is reached.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// By one of the three formats.
    Served(Served),
    /// Azure OpenAI: its address is the operator's own.
    Azure,
    /// Not at all, for this reason.
    No(&'static str),
}

/// A vendor that speaks a format.
#[derive(Clone, Copy)]
pub(super) struct Served {
    /// Name of the provider here.
    pub(super) slug: &'static str,
    /// Value of `format`.
    pub(super) format: &'static str,
    /// Its address; empty: only what `api_base` says.
    pub(super) base_url: &'static str,
    /// The variable LiteLLM reads if no key is given; empty: none.
    pub(super) env: &'static str,
}

const fn openai(slug: &'static str, base_url: &'static str, env: &'static str) -> Way {
    Way::Served(Served { slug, format: "openai", base_url, env })
}

const NOT_A_FORMAT: &str = "its API is none of the three formats (openai, anthropic, gemini)";
const CLOUD_SIGNING: &str = "requests need the cloud's own signing, which is not supported";

/// By prefix.
const VENDORS: &[(&str, Way)] = &[
    ("openai", openai("openai", "https://api.openai.com/v1", "OPENAI_API_KEY")),
    (
        "anthropic",
        Way::Served(Served {
            slug: "anthropic",
            format: "anthropic",
            base_url: "https://api.anthropic.com",
            env: "ANTHROPIC_API_KEY",
        }),
    ),
    (
        "gemini",
        Way::Served(Served {
            slug: "google",
            format: "gemini",
            base_url: "https://generativelanguage.googleapis.com",
            env: "GEMINI_API_KEY",
        }),
    ),
    ("azure", Way::Azure),
    ("cerebras", openai("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY")),
    ("codestral", openai("codestral", "https://codestral.mistral.ai/v1", "CODESTRAL_API_KEY")),
    ("custom_openai", openai("custom", "", "")),
    (
        "dashscope",
        openai(
            "dashscope",
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
            "DASHSCOPE_API_KEY",
        ),
    ),
    ("deepinfra", openai("deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY")),
    ("deepseek", openai("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY")),
    (
        "fireworks_ai",
        openai("fireworks", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    ),
    ("groq", openai("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY")),
    ("hosted_vllm", openai("vllm", "", "")),
    ("hyperbolic", openai("hyperbolic", "https://api.hyperbolic.xyz/v1", "HYPERBOLIC_API_KEY")),
    ("litellm_proxy", openai("litellm", "", "LITELLM_PROXY_API_KEY")),
    ("llamafile", openai("llamafile", "http://127.0.0.1:8080/v1", "")),
    ("lm_studio", openai("lm_studio", "", "")),
    ("mistral", openai("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY")),
    ("moonshot", openai("moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY")),
    ("nebius", openai("nebius", "https://api.studio.nebius.ai/v1", "NEBIUS_API_KEY")),
    ("novita", openai("novita", "https://api.novita.ai/v3/openai", "NOVITA_API_KEY")),
    ("nvidia_nim", openai("nvidia", "https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY")),
    ("ollama", openai("ollama", "http://localhost:11434/v1", "")),
    ("ollama_chat", openai("ollama", "http://localhost:11434/v1", "")),
    ("openai_like", openai("openai_like", "", "")),
    ("openrouter", openai("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY")),
    ("perplexity", openai("perplexity", "https://api.perplexity.ai", "PERPLEXITYAI_API_KEY")),
    ("sambanova", openai("sambanova", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY")),
    ("together_ai", openai("together", "https://api.together.xyz/v1", "TOGETHERAI_API_KEY")),
    ("xai", openai("xai", "https://api.x.ai/v1", "XAI_API_KEY")),
    ("xinference", openai("xinference", "", "")),
    ("zai", openai("zai", "https://api.z.ai/api/paas/v4", "ZAI_API_KEY")),
    ("ai21", Way::No(NOT_A_FORMAT)),
    ("azure_ai", Way::No("its address differs from model to model: add the provider by hand")),
    ("azure_text", Way::No("completions without chat are not served")),
    ("baseten", Way::No(NOT_A_FORMAT)),
    ("bedrock", Way::No(CLOUD_SIGNING)),
    ("cloudflare", Way::No(NOT_A_FORMAT)),
    ("cohere", Way::No(NOT_A_FORMAT)),
    ("cohere_chat", Way::No(NOT_A_FORMAT)),
    ("databricks", Way::No("its address differs from workspace to workspace: add it by hand")),
    ("github_copilot", Way::No("it signs in by a device login, which is not supported")),
    ("huggingface", Way::No(NOT_A_FORMAT)),
    ("jina_ai", Way::No(NOT_A_FORMAT)),
    ("oci", Way::No(CLOUD_SIGNING)),
    ("replicate", Way::No(NOT_A_FORMAT)),
    ("sagemaker", Way::No(CLOUD_SIGNING)),
    ("sagemaker_chat", Way::No(CLOUD_SIGNING)),
    ("snowflake", Way::No(NOT_A_FORMAT)),
    ("text-completion-openai", Way::No("completions without chat are not served")),
    ("triton", Way::No(NOT_A_FORMAT)),
    ("vertex_ai", Way::No(CLOUD_SIGNING)),
    ("vertex_ai_beta", Way::No(CLOUD_SIGNING)),
    ("vllm", Way::No("it runs the model inside the gateway's process; serve it, then hosted_vllm")),
    ("voyage", Way::No(NOT_A_FORMAT)),
    ("watsonx", Way::No(CLOUD_SIGNING)),
];

/// How names without a prefix start, and whose they are.
const BARE: &[(&str, &str)] = &[
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("text-embedding-", "openai"),
    ("claude-", "anthropic"),
    ("gemini-", "vertex_ai"),
];

/// The vendor of that prefix.
pub(super) fn find(prefix: &str) -> Option<Way> {
    VENDORS.iter().find(|(known, _)| *known == prefix).map(|(_, way)| *way)
}

/// The prefix LiteLLM would take for a name that has none.
pub(super) fn of_bare(model: &str) -> Option<&'static str> {
    BARE.iter().find(|(start, _)| model.starts_with(start)).map(|(_, vendor)| *vendor)
}
