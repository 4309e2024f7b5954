//! `litellm_settings`, `router_settings` and `general_settings`: what has a counterpart.

use super::super::draft::Draft;
use super::super::input::Field;
use super::super::report::Report;
use super::credential::Secrets;
use super::router_setting;

/// Largest number of attempts the loader takes.
const MAX_ATTEMPTS: u64 = 20;

/// Fills what belongs to the whole gateway.
pub(super) fn convert(
    root: &Field<'_>,
    (draft, secrets): (&mut Draft, &mut Secrets),
    report: &mut Report,
) {
    timeouts(root, draft, report);
    breaker(root, draft, report);
    if let Some(field) = router_setting(root, "routing_strategy", report) {
        match field.text() {
            Some("simple-shuffle") => report.approximate(
                &field,
                "keys of one provider share requests by weight; endpoints of a model are tried in \
                 order",
            ),
            _ => report.unsupported(&field, "endpoints of a model are tried in order"),
        }
    }
    library(root, draft, report);
    if let Some(general) = root.get("general_settings") {
        self::general(&general, (draft, secrets), report);
    } else if let Some(list) = root.get("model_list") {
        report.manual(&list, NO_KEY);
    }
    environment(root, report);
}

const NO_KEY: &str = "no `master_key`: LiteLLM serves everybody then, here every caller needs a key: \
                      `arouter keys create`";

/// Limits of all providers that have none of their own.
fn timeouts(root: &Field<'_>, draft: &mut Draft, report: &mut Report) {
    let router = root.get("router_settings");
    let library = root.get("litellm_settings");
    let of_router = router.as_ref().and_then(|router| router.get("timeout"));
    let of_library = library.as_ref().and_then(|library| library.get("request_timeout"));
    if let (Some(_), Some(field)) = (&of_router, &of_library) {
        report.unsupported(field, "router_settings.timeout counts instead");
    }
    let stream = router_setting(root, "stream_timeout", report);
    let fields = [(of_router.or(of_library), false), (stream, true)];
    for (field, streams) in fields.into_iter().filter_map(|(f, s)| Some((f?, s))) {
        let Some(ms) = field.seconds_as_ms() else {
            report.manual(&field, "not a number of seconds: see `timeouts` of the providers");
            continue;
        };
        for provider in &mut draft.providers {
            let slot =
                if streams { &mut provider.first_token_ms } else { &mut provider.first_byte_ms };
            *slot = slot.or(Some(ms));
        }
        report.approximate(
            &field,
            "`timeouts` of every provider without its own: until an answer begins, not its length",
        );
    }
    for provider in &mut draft.providers {
        provider.first_token_ms = provider.first_token_ms.or(provider.first_byte_ms);
    }
}

fn breaker(root: &Field<'_>, draft: &mut Draft, report: &mut Report) {
    if let Some(field) = router_setting(root, "allowed_fails", report) {
        match field.count(9_999) {
            Some(fails) => {
                draft.breaker_failures = Some(fails.saturating_add(1));
                let reason = "`routing.breaker`: failures in a row, not in a minute";
                report.approximate(&field, reason);
            }
            None => report.manual(&field, "not a number of failures: see [routing.breaker]"),
        }
    }
    if let Some(field) = router_setting(root, "cooldown_time", report) {
        match field.seconds_as_ms() {
            Some(ms) => {
                draft.breaker_open_s = Some(ms.div_ceil(1000));
                let reason = "`routing.breaker`: the first time; later ones are longer";
                report.approximate(&field, reason);
            }
            None => report.manual(&field, "not a number of seconds: see [routing.breaker]"),
        }
    }
}

/// `num_retries`; run after fallbacks, whose endpoints need attempts of their own.
pub(super) fn attempts(root: &Field<'_>, draft: &mut Draft, report: &mut Report) {
    let Some(field) = router_setting(root, "num_retries", report) else { return };
    let Some(retries) = field.count(1_000_000) else {
        report.manual(&field, "not a number of retries: see `routing.max_attempts`");
        return;
    };
    let longest = draft.models.iter().map(|model| model.endpoints.len()).max().unwrap_or(1);
    let longest = u64::try_from(longest).unwrap_or(MAX_ATTEMPTS);
    let attempts = retries.saturating_add(1).max(longest).clamp(1, MAX_ATTEMPTS);
    draft.max_attempts = Some(attempts);
    report.approximate(
        &field,
        "`routing.max_attempts`: over all endpoints and keys of a request together, the first \
         attempt included",
    );
}

fn library(root: &Field<'_>, draft: &mut Draft, report: &mut Report) {
    let Some(library) = root.get("litellm_settings") else { return };
    if let Some(field) = library.get("json_logs") {
        match field.truth() {
            Some(truth) => {
                draft.log_format = Some(if truth { "json" } else { "text" });
                report.exact(&field, "`log.format`");
            }
            None => report.manual(&field, "expected true or false"),
        }
    }
    if let Some(field) = library.get("set_verbose") {
        match field.truth() {
            Some(true) => {
                draft.log_level = Some("debug");
                report.approximate(&field, "`log.level`; bodies are never logged");
            }
            Some(false) => report.exact(&field, "the default of `log.level`"),
            None => report.manual(&field, "expected true or false"),
        }
    }
    if let Some(field) = library.get("telemetry") {
        match field.truth() {
            Some(false) => report.exact(&field, "nothing is ever sent home"),
            _ => report.unsupported(&field, "nothing is ever sent home"),
        }
    }
}

fn general(general: &Field<'_>, (draft, secrets): (&mut Draft, &mut Secrets), report: &mut Report) {
    match general.get("master_key").filter(|field| !field.is_null()) {
        Some(field) => {
            let env = secrets.name(&field, "AROUTER_MASTER_KEY", report);
            draft.key_env = Some(env);
            report.approximate(
                &field,
                "[keys.master]: it calls models as before; management has keys of its own: \
                 `arouter keys create --kind management`",
            );
        }
        None => report.manual(general, NO_KEY),
    }
    if let Some(field) = general.get("database_url") {
        report.manual(
            &field,
            "keys, teams and spending stay there: make keys with `arouter keys create`; the store \
             is a file of its own",
        );
    }
    if let Some(field) = general.get("max_request_size_mb") {
        match field.count(1 << 20).filter(|mb| *mb > 0) {
            Some(mb) => {
                draft.max_body_bytes = Some(mb.saturating_mul(1024 * 1024));
                report.exact(&field, "`server.max_body_bytes`");
            }
            None => report.manual(&field, "not a number: see `server.max_body_bytes`"),
        }
    }
}

/// Values of variables, which are often secrets: named, never copied.
fn environment(root: &Field<'_>, report: &mut Report) {
    let Some(table) = root.get("environment_variables") else { return };
    for field in table.children() {
        report.manual(&field, "set it where the gateway runs, if something still reads it");
    }
    if !table.is_container() {
        report.exact(&table, "none");
    }
}
