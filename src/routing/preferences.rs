//! What a request wishes of its providers: the `provider` object.
//!
//! Read by `proxy::admit` for every API alike, acted upon by `filter`, `sort` and `plan`. Strictly
//! typed: a member that is known and does not fit is an error that names it, since a filter that
//! is silently not applied sends a prompt where it must not go. Members that are not known are
//! left alone. `null` is the same as nothing.

use crate::config::Quantization;
use crate::error::{GatewayError, Kind};
use crate::money::{MoneyError, PicoUsd, Price};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Most names a list may hold.
const MAX_NAMES: usize = 64;

/// The wishes of one request.
#[expect(clippy::struct_excessive_bools, reason = "each is a wish of its own, as it is written")]
#[derive(Debug, Clone, PartialEq)]
pub struct Preferences {
    /// Providers to be tried first, in this order; empty = none is named.
    pub order: Vec<String>,
    /// Whether others may serve it when the first, or those of `order`, fail.
    pub allow_fallbacks: bool,
    /// Whether only endpoints that take all of its parameters may serve it.
    pub require_parameters: bool,
    /// Whether endpoints that may store its prompt are out of the question.
    pub denies_storage: bool,
    /// Whether only endpoints with zero data retention may serve it.
    pub zdr: bool,
    /// Whether only models whose text other models may learn from may serve it.
    pub enforce_distillable_text: bool,
    /// The only providers that may serve it; `None` = all.
    pub only: Option<Vec<String>>,
    /// Providers that may not.
    pub ignore: Vec<String>,
    /// The only quantizations that may serve it; `None` = all.
    pub quantizations: Option<Vec<Quantization>>,
    /// By what endpoints are ordered; `None` = by chance, the cheaper the likelier.
    pub sort: Option<SortBy>,
    /// What is ordered together, if it says so.
    pub partition: Option<Partition>,
    /// Tokens per second that so many percent of its calls reach, or it is tried late.
    pub min_throughput_tps: Cutoffs,
    /// Milliseconds to the first token that so many percent of its calls stay below, or it is tried
    /// late.
    pub max_latency_ms: Cutoffs,
    /// What an endpoint may charge.
    pub max_price: MaxPrice,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            order: Vec::new(),
            allow_fallbacks: true,
            require_parameters: false,
            denies_storage: false,
            zdr: false,
            enforce_distillable_text: false,
            only: None,
            ignore: Vec::new(),
            quantizations: None,
            sort: None,
            partition: None,
            min_throughput_tps: Cutoffs::default(),
            max_latency_ms: Cutoffs::default(),
            max_price: MaxPrice::default(),
        }
    }
}

/// By what endpoints are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    /// The cheapest first.
    Price,
    /// The one with most tokens per second first.
    Throughput,
    /// The one whose first token comes soonest first.
    Latency,
    /// The one that calls tools best first.
    Exacto,
}

/// What is ordered together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Partition {
    /// The endpoints of each model; models stay in the order of the request.
    #[default]
    Model,
    /// The endpoints of all models.
    All,
}

/// Bounds that a share of the calls has to keep; `None` = not bounded.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cutoffs {
    /// Half of them.
    pub p50: Option<f32>,
    /// 75 percent.
    pub p75: Option<f32>,
    /// 90 percent.
    pub p90: Option<f32>,
    /// 99 percent.
    pub p99: Option<f32>,
}

/// Bounds on prices; `None` = not bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MaxPrice {
    /// Of prompt tokens.
    pub prompt: Option<Price>,
    /// Of completion tokens.
    pub completion: Option<Price>,
    /// Of audio tokens in the prompt.
    pub audio: Option<Price>,
    /// Of a request, beside its tokens.
    pub request: Option<PicoUsd>,
    /// Of a picture in the prompt, beside its tokens.
    pub image: Option<PicoUsd>,
}

/// The object as it is written; what is `null` is not there.
#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    order: Option<&'a RawValue>,
    allow_fallbacks: Option<&'a RawValue>,
    require_parameters: Option<&'a RawValue>,
    data_collection: Option<&'a RawValue>,
    zdr: Option<&'a RawValue>,
    enforce_distillable_text: Option<&'a RawValue>,
    only: Option<&'a RawValue>,
    ignore: Option<&'a RawValue>,
    quantizations: Option<&'a RawValue>,
    sort: Option<&'a RawValue>,
    preferred_min_throughput: Option<&'a RawValue>,
    preferred_max_latency: Option<&'a RawValue>,
    max_price: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WrittenSort<'a> {
    #[serde(borrow)]
    by: Option<&'a RawValue>,
    partition: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WrittenCutoffs {
    p50: Option<f32>,
    p75: Option<f32>,
    p90: Option<f32>,
    p99: Option<f32>,
}

#[derive(Deserialize)]
struct WrittenPrices<'a> {
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
    completion: Option<&'a RawValue>,
    request: Option<&'a RawValue>,
    image: Option<&'a RawValue>,
    audio: Option<&'a RawValue>,
}

impl Preferences {
    /// Reads the value of `provider`.
    pub fn read(raw: &[u8]) -> Result<Self, GatewayError> {
        if raw == b"null" {
            return Ok(Self::default());
        }
        if !raw.starts_with(b"{") {
            return Err(fault("provider", "must be an object"));
        }
        let written: Written<'_> = serde_json::from_slice(raw)
            .map_err(|error| fault("provider", &format!("cannot be read: {error}")))?;
        let mut read = Self {
            order: names(written.order, "provider.order")?.unwrap_or_default(),
            allow_fallbacks: flag(written.allow_fallbacks, "provider.allow_fallbacks", true)?,
            require_parameters: flag(
                written.require_parameters,
                "provider.require_parameters",
                false,
            )?,
            denies_storage: denies_storage(written.data_collection)?,
            zdr: flag(written.zdr, "provider.zdr", false)?,
            enforce_distillable_text: flag(
                written.enforce_distillable_text,
                "provider.enforce_distillable_text",
                false,
            )?,
            only: names(written.only, "provider.only")?,
            ignore: names(written.ignore, "provider.ignore")?.unwrap_or_default(),
            quantizations: quantizations(written.quantizations)?,
            min_throughput_tps: cutoffs(
                written.preferred_min_throughput,
                ("provider.preferred_min_throughput", 1.0),
            )?,
            max_latency_ms: cutoffs(
                written.preferred_max_latency,
                ("provider.preferred_max_latency", 1_000.0),
            )?,
            max_price: max_price(written.max_price)?,
            ..Self::default()
        };
        read.read_sort(written.sort)?;
        Ok(read)
    }

    fn read_sort(&mut self, raw: Option<&RawValue>) -> Result<(), GatewayError> {
        const PARAM: &str = "provider.sort";
        let Some(raw) = raw.map(RawValue::get) else { return Ok(()) };
        if !raw.starts_with('{') {
            self.sort = Some(sort_by(raw, PARAM)?);
            return Ok(());
        }
        let object: WrittenSort<'_> = serde_json::from_str(raw)
            .map_err(|error| fault(PARAM, &format!("cannot be read: {error}")))?;
        self.sort = object.by.map(|by| sort_by(by.get(), "provider.sort.by")).transpose()?;
        self.partition = match object.partition.map(RawValue::get) {
            None => None,
            Some(r#""model""#) => Some(Partition::Model),
            Some(r#""none""#) => Some(Partition::All),
            Some(_) => {
                let problem = "must be \"model\" or \"none\"";
                return Err(fault("provider.sort.partition", problem));
            }
        };
        Ok(())
    }
}

fn fault(param: &'static str, problem: &str) -> GatewayError {
    GatewayError::client(Kind::InvalidRequest, format!("{param} {problem}")).with_param(param)
}

fn flag(raw: Option<&RawValue>, param: &'static str, default: bool) -> Result<bool, GatewayError> {
    match raw.map(RawValue::get) {
        None => Ok(default),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(_) => Err(fault(param, "must be true or false")),
    }
}

fn names(raw: Option<&RawValue>, param: &'static str) -> Result<Option<Vec<String>>, GatewayError> {
    let Some(raw) = raw else { return Ok(None) };
    let names: Vec<String> =
        serde_json::from_str(raw.get()).map_err(|_| fault(param, "must be an array of strings"))?;
    if names.len() > MAX_NAMES {
        return Err(fault(param, &format!("may list at most {MAX_NAMES} names")));
    }
    Ok(Some(names))
}

fn denies_storage(raw: Option<&RawValue>) -> Result<bool, GatewayError> {
    match raw.map(RawValue::get) {
        None | Some(r#""allow""#) => Ok(false),
        Some(r#""deny""#) => Ok(true),
        Some(_) => Err(fault("provider.data_collection", "must be \"allow\" or \"deny\"")),
    }
}

fn quantizations(raw: Option<&RawValue>) -> Result<Option<Vec<Quantization>>, GatewayError> {
    const PARAM: &str = "provider.quantizations";
    let Some(names) = names(raw, PARAM)? else { return Ok(None) };
    let of_name = |name: String| {
        let known = Quantization::ALL.into_iter().find(|one| one.name() == name);
        known.ok_or_else(|| {
            let all = Quantization::ALL.map(Quantization::name).join(", ");
            fault(PARAM, &format!("may hold only: {all}"))
        })
    };
    names.into_iter().map(of_name).collect::<Result<Vec<_>, _>>().map(Some)
}

fn sort_by(raw: &str, param: &'static str) -> Result<SortBy, GatewayError> {
    Ok(match raw {
        r#""price""# => SortBy::Price,
        r#""throughput""# => SortBy::Throughput,
        r#""latency""# => SortBy::Latency,
        r#""exacto""# => SortBy::Exacto,
        _ => {
            let problem = "must be \"price\", \"throughput\", \"latency\" or \"exacto\"";
            return Err(fault(param, problem));
        }
    })
}

/// A number bounds the median. `unit` is what the client's unit is of ours.
fn cutoffs(
    raw: Option<&RawValue>,
    (param, unit): (&'static str, f32),
) -> Result<Cutoffs, GatewayError> {
    let Some(raw) = raw.map(RawValue::get) else { return Ok(Cutoffs::default()) };
    let problem = "must be a number, or an object of numbers named p50, p75, p90 or p99";
    let wrong = |_| fault(param, problem);
    let written = if raw.starts_with('{') {
        serde_json::from_str(raw).map_err(wrong)?
    } else {
        let p50 = Some(serde_json::from_str(raw).map_err(wrong)?);
        WrittenCutoffs { p50, p75: None, p90: None, p99: None }
    };
    let WrittenCutoffs { p50, p75, p90, p99 } = written;
    if [p50, p75, p90, p99].into_iter().flatten().any(|bound| !bound.is_finite() || bound < 0.0) {
        return Err(fault(param, "must not be negative"));
    }
    let ours = |bound: Option<f32>| bound.map(|bound| bound * unit);
    Ok(Cutoffs { p50: ours(p50), p75: ours(p75), p90: ours(p90), p99: ours(p99) })
}

fn max_price(raw: Option<&RawValue>) -> Result<MaxPrice, GatewayError> {
    const PARAM: &str = "provider.max_price";
    let Some(raw) = raw.map(RawValue::get) else { return Ok(MaxPrice::default()) };
    if !raw.starts_with('{') {
        return Err(fault(PARAM, "must be an object"));
    }
    let written: WrittenPrices<'_> = serde_json::from_str(raw)
        .map_err(|error| fault(PARAM, &format!("cannot be read: {error}")))?;
    Ok(MaxPrice {
        prompt: bound(written.prompt, "provider.max_price.prompt", Price::at_most)?,
        completion: bound(written.completion, "provider.max_price.completion", Price::at_most)?,
        audio: bound(written.audio, "provider.max_price.audio", Price::at_most)?,
        request: bound(written.request, "provider.max_price.request", PicoUsd::at_most)?,
        image: bound(written.image, "provider.max_price.image", PicoUsd::at_most)?,
    })
}

/// A number, or a string that holds one.
fn bound<T>(
    raw: Option<&RawValue>,
    param: &'static str,
    read: fn(&str) -> Result<T, MoneyError>,
) -> Result<Option<T>, GatewayError> {
    let Some(raw) = raw.map(RawValue::get) else { return Ok(None) };
    let quoted = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let read = read(quoted.unwrap_or(raw));
    read.map(Some).map_err(|error| match error {
        MoneyError::Negative => fault(param, "must not be negative"),
        _ => fault(param, "must be a number, or a string that holds one"),
    })
}

#[cfg(test)]
#[path = "preferences/tests.rs"]
mod tests;
