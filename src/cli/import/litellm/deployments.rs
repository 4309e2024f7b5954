//! `model_list`: deployments to providers, models and endpoints.

use super::super::draft::{Draft, Endpoint};
use super::super::input::Field;
use super::super::report::Report;
use super::credential::Secrets;
use super::target::{self, Target};
use super::{info, params, providers};

/// Prefixes and paths that cannot name a provider.
const RESERVED: [&str; 7] = ["v1", "api", "v1beta", "healthz", "metrics", "readyz", "admin"];

const LEFT_OUT: &str = "left out with its deployment";

/// Fills providers and models.
pub(super) fn convert(
    root: &Field<'_>,
    (draft, secrets): (&mut Draft, &mut Secrets),
    report: &mut Report,
) {
    let Some(list) = root.get("model_list").filter(Field::is_container) else { return };
    if !list.is_list() {
        report.manual(&list, "expected a list");
        return;
    }
    report.approximate(
        &list,
        "here every model of a provider can be asked for by its prefix; `allowed_models` of a key \
         narrows that",
    );
    for entry in list.children() {
        deployment(&entry, (draft, secrets), report);
    }
    for model in &mut draft.models {
        model.endpoints.sort_by(|a, b| a.order.total_cmp(&b.order));
    }
}

fn deployment(
    entry: &Field<'_>,
    (draft, secrets): (&mut Draft, &mut Secrets),
    report: &mut Report,
) {
    let name = entry.get("model_name");
    let text = name.as_ref().and_then(Field::text);
    let (Some(name), Some(text), Some(params)) = (&name, text, entry.get("litellm_params")) else {
        report.manual(entry, "not a deployment: `model_name` or `litellm_params` is missing");
        return;
    };
    if !target::is_model_name(text) {
        report.manual(name, "a model cannot have this name here");
        if let Some(model) = params.get("model") {
            report.unsupported(&model, LEFT_OUT);
        }
        return left_out(entry, report);
    }
    let Some(target) = target::read(&params, report) else {
        if params.get("model").is_none() {
            report.manual(&params, "no `model`");
        }
        report.manual(name, "this deployment was left out");
        return left_out(entry, report);
    };
    let credential = secrets.read(&params, &target, report);
    let wish = providers::Wish {
        group: text,
        target: &target,
        env: credential,
        headers: params::headers(&params, report),
        weight: params::weight(&params, report),
    };
    let slug = wish.provider(draft);
    params::timeouts(&params, draft, &slug, report);
    if text.contains('*') || target.upstream_model.contains('*') {
        wildcard(name, text, (&target, &slug), (draft, report));
    } else {
        endpoint(entry, (text, target, slug), draft, report);
    }
    params::rest(&params, report);
    if let Some(info) = entry.get("model_info") {
        info::rest(&info, report);
    }
}

/// What belongs to a deployment that is not carried over.
fn left_out(entry: &Field<'_>, report: &mut Report) {
    let parts = ["litellm_params", "model_info"].into_iter().filter_map(|part| entry.get(part));
    for part in parts {
        let entries = part.entries();
        for (_, field) in entries.iter().filter(|(name, _)| *name != "model") {
            report.unsupported(field, LEFT_OUT);
        }
        if entries.is_empty() {
            report.unsupported(&part, LEFT_OUT);
        }
    }
}

fn endpoint(
    entry: &Field<'_>,
    (name, target, slug): (&str, Target, String),
    draft: &mut Draft,
    report: &mut Report,
) {
    let Some(params) = entry.get("litellm_params") else { return };
    let price = info::prices(entry, report);
    let order = params.get("order").and_then(|order| {
        let number = order.number();
        match number {
            Some(_) => report.exact(&order, "the order of the endpoints"),
            None => report.manual(&order, "expected a number"),
        }
        number
    });
    let limits = info::limits(entry, report);
    let endpoint = Endpoint {
        provider: slug,
        upstream_model: target.upstream_model,
        price,
        order: order.unwrap_or(f64::MAX),
    };
    let Some(field) = entry.get("model_name") else { return };
    draft.change_model(name, |model| {
        model.context_length = model.context_length.or(limits.context_length);
        model.max_completion_tokens = model.max_completion_tokens.or(limits.max_completion_tokens);
        let same = |known: &&mut Endpoint| known.is_same(&endpoint);
        if let Some(known) = model.endpoints.iter_mut().find(same) {
            known.order = known.order.min(endpoint.order);
            report.exact(&field, "the same endpoint again; its keys share the requests");
            return;
        }
        if model.endpoints.is_empty() {
            report.exact(&field, "a model");
        } else {
            let reason = "one more endpoint of the model: they are tried in order, requests are \
                          not spread over them";
            report.approximate(&field, reason);
        }
        model.endpoints.push(endpoint);
    });
}

/// `vendor/*` is a provider's prefix here; `*` is the default provider.
fn wildcard(
    field: &Field<'_>,
    name: &str,
    (target, slug): (&Target, &str),
    (draft, report): (&mut Draft, &mut Report),
) {
    let prefix = name.strip_suffix("/*").filter(|prefix| is_provider_name(prefix));
    match (name, prefix) {
        _ if target.upstream_model != "*" => {
            report.manual(field, "only patterns like `vendor/*` have a counterpart");
        }
        ("*", _) if draft.default_provider.is_none() => {
            draft.default_provider = Some(slug.to_owned());
            report.approximate(field, "the default provider: names without a prefix go to it");
        }
        (_, Some(prefix)) => match draft.provider(prefix).map(|owner| owner.slug == slug) {
            Some(true) => report.exact(field, "the prefix of a provider"),
            Some(false) => {
                report.manual(field, "the prefix leads to another provider already");
            }
            None => {
                draft.add_alias(slug, prefix);
                report.exact(field, "the prefix of a provider, as its alias");
            }
        },
        _ => report.manual(field, "only patterns like `vendor/*` have a counterpart"),
    }
}

/// A lower-case letter or digit, then up to 63 of those, `_`, `.` and `-`.
pub(super) fn is_provider_name(name: &str) -> bool {
    let start = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let rest = |b: u8| start(b) || matches!(b, b'_' | b'.' | b'-');
    name.len() <= 64
        && name.bytes().next().is_some_and(start)
        && name.bytes().all(rest)
        && !RESERVED.contains(&name)
}
