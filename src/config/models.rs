//! `[models.<name>]`, `[aliases]` and `[defaults]`: what can be asked for, and who serves it.
//!
//! Read by `catalog` and `routing`. An entry here overrides the built-in catalog.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::RateLimit;
use super::prices::PriceTable;
use super::providers::DataPolicy;
use crate::catalog::{Modality, Parameter};

/// What a request gets that does not say it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DefaultsConfig {
    /// The provider a bare model name goes to.
    pub provider: Option<String>,
    /// The model of a request that names none.
    pub model: Option<String>,
}

/// One model: overrides the built-in catalog, or adds to it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Who serves it; omitted: the provider of the name's prefix. They are tried in this order if
    /// the price of one is not known; otherwise the cheaper is the likelier to be asked first.
    pub endpoints: Option<Vec<EndpointConfig>>,
    /// Tokens of prompt and answer together.
    pub context_length: Option<u64>,
    /// Most tokens of one answer.
    pub max_completion_tokens: Option<u64>,
    /// What a prompt may hold; omitted: as the built-in catalog says.
    pub input_modalities: Option<Vec<Modality>>,
    /// What an answer may hold; omitted: as the built-in catalog says.
    pub output_modalities: Option<Vec<Modality>>,
    /// Whether its maker lets other models learn from what it writes; omitted: unknown, which
    /// counts as no.
    pub distillable: Option<bool>,
    /// What all keys together may ask of it; omitted: not limited.
    pub rate_limit: RateLimit,
}

/// A model as one provider serves it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointConfig {
    /// Name or alias of a configured provider.
    pub provider: String,
    /// The provider's own name of the model; omitted: the name without its prefix.
    #[serde(default)]
    pub upstream_model: Option<String>,
    /// What it costs; omitted: the built-in catalog's price.
    #[serde(default)]
    pub price: Option<PriceTable>,
    /// Tokens of prompt and answer together at this provider; omitted: as for the model.
    #[serde(default)]
    pub context_length: Option<u64>,
    /// Most tokens of one answer at this provider; omitted: as for the model.
    #[serde(default)]
    pub max_completion_tokens: Option<u64>,
    /// How exact the weights are that this provider calculates with.
    #[serde(default)]
    pub quantization: Quantization,
    /// What the provider does with the prompts of this model; omitted: what it does with all.
    #[serde(default)]
    pub data_policy: Option<DataPolicy>,
    /// Parameters it takes, by OpenAI's names; omitted: those of its wire format, less what the
    /// built-in catalog says the model cannot do.
    #[serde(default)]
    pub supported_parameters: Option<Vec<Parameter>>,
}

/// How exact the weights of a model are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Quantization {
    /// Nobody says.
    #[default]
    Unknown,
    /// Integers of 4 bits.
    Int4,
    /// Integers of 8 bits.
    Int8,
    /// Floating point of 4 bits.
    Fp4,
    /// The same, with shared scales (MX).
    Mxfp4,
    /// The same, with shared scales (NVIDIA).
    Nvfp4,
    /// Floating point of 6 bits.
    Fp6,
    /// Floating point of 8 bits.
    Fp8,
    /// The same, with shared scales (MX).
    Mxfp8,
    /// Floating point of 16 bits.
    Fp16,
    /// Floating point of 16 bits with a wide range.
    Bf16,
    /// Floating point of 32 bits.
    Fp32,
}

impl Quantization {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Unknown,
        Self::Int4,
        Self::Int8,
        Self::Fp4,
        Self::Mxfp4,
        Self::Nvfp4,
        Self::Fp6,
        Self::Fp8,
        Self::Mxfp8,
        Self::Fp16,
        Self::Bf16,
        Self::Fp32,
    ];

    /// Its name in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Fp4 => "fp4",
            Self::Mxfp4 => "mxfp4",
            Self::Nvfp4 => "nvfp4",
            Self::Fp6 => "fp6",
            Self::Fp8 => "fp8",
            Self::Mxfp8 => "mxfp8",
            Self::Fp16 => "fp16",
            Self::Bf16 => "bf16",
            Self::Fp32 => "fp32",
        }
    }
}
