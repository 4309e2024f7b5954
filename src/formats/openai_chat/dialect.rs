//! How one OpenAI-compatible provider differs from OpenAI: data, not code.

/// The habits of a provider.
#[derive(Debug, Clone, Default)]
pub struct Dialect {}

/// OpenAI itself.
pub static OPENAI: Dialect = Dialect {};
