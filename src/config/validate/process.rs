//! Checks of what belongs to the process: `[server]`, `[admin]`, `[store]`, `[account]`,
//! `[routing]` and the version.

use std::net::SocketAddr;

use super::{Findings, steps};
use crate::money::PicoUsd;

/// Longest time any setting may name, in seconds: one day.
const DAY_S: u64 = 86_400;
const HOUR_MS: u64 = 3_600_000;

pub(super) fn check(findings: &mut Findings<'_>) {
    let config = findings.config;
    if config.version != 1 {
        let message = format!("version {} of the format is not known", config.version);
        findings.error(&steps!["version"], message, "write version = 1");
    }
    listeners(findings);
    server(findings);
    store(findings);
    routing(findings);
    media(findings);
    if config.account.opening_balance_usd.is_some_and(|usd| usd < PicoUsd::ZERO) {
        let at = steps!["account", "opening_balance_usd"];
        findings.error(
            &at,
            "the opening balance is negative",
            "leave it out for a postpaid account",
        );
    }
}

/// Port 0 asks the system for a free port and clashes with nothing.
fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    let overlap = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && overlap
}

fn listeners(findings: &mut Findings<'_>) {
    let config = findings.config;
    let listen = &config.server.listen;
    if listen.is_empty() {
        let hint = "write at least one ip:port";
        findings.error(&steps!["server", "listen"], "no address to listen on", hint);
    }
    for (index, address) in listen.iter().enumerate() {
        if listen.iter().take(index).any(|earlier| clash(*earlier, *address)) {
            let at = steps!["server", "listen", index];
            findings.error(&at, format!("`{address}` is listened on twice"), "remove one of them");
        }
    }
    let admin = config.admin.listen;
    if listen.iter().any(|address| clash(*address, admin)) {
        let message = format!("`{admin}` is also an address of the data plane");
        let hint = "metrics and management need a port of their own, such as 127.0.0.1:9090";
        findings.error(&steps!["admin", "listen"], message, hint);
    }
}

fn server(findings: &mut Findings<'_>) {
    let server = &findings.config.server;
    let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    for (key, number, range) in [
        ("threads", wide(server.threads), 0..=1024),
        ("max_body_bytes", server.max_body_bytes, 1..=1 << 40),
        ("max_header_bytes", wide(server.max_header_bytes), 1024..=1 << 20),
        ("header_timeout_s", server.header_timeout_s, 1..=DAY_S),
        ("body_timeout_s", server.body_timeout_s, 1..=DAY_S),
        ("max_connections", wide(server.max_connections), 1..=10_000_000),
        ("drain_timeout_s", server.drain_timeout_s, 0..=DAY_S),
        ("keepalive_comment_s", server.keepalive_comment_s, 1..=DAY_S),
    ] {
        findings.range(&steps!["server", key], number, range);
    }
    let certificate = server.tls.as_ref().map(|tls| &tls.cert.file);
    if let Some(file) = certificate.filter(|file| !file.is_file()) {
        let message = format!("certificate file {} does not exist", file.display());
        findings.error(&steps!["server", "tls", "cert", "file"], message, "check the path");
    }
}

fn store(findings: &mut Findings<'_>) {
    let store = &findings.config.store;
    let url = store.url.expose();
    let known = ["sqlite:", "postgres://", "postgresql://"];
    let at = steps!["store", "url"];
    if url != "memory:" && !known.iter().any(|scheme| url.starts_with(scheme)) {
        let hint = "sqlite://path, postgres://host/database, or memory: for tests";
        findings.error(&at, "not an address of a database", hint);
    }
    if store.url.has_password() {
        let hint = "use the environment variable PGPASSWORD or a file named by PGPASSFILE";
        findings.warning(&at, "the address of the database holds a password", hint);
    }
    if store.journal_dir.as_os_str().is_empty() {
        findings.error(
            &steps!["store", "journal_dir"],
            "the journal needs a folder",
            "such as data/journal",
        );
    }
}

fn media(findings: &mut Findings<'_>) {
    let media = &findings.config.media;
    let largest = u64::try_from(media.max_bytes).unwrap_or(u64::MAX);
    findings.range(&steps!["media", "max_bytes"], largest, 1..=1 << 30);
    findings.range(&steps!["media", "timeout_s"], media.timeout_s, 1..=DAY_S);
    if media.private_network && media.allowed_hosts.is_none() {
        let at = steps!["media", "private_network"];
        let hint = "name the private hosts in `allowed_hosts`";
        findings.error(&at, "private hosts are allowed but none is named", hint);
    }
}

fn routing(findings: &mut Findings<'_>) {
    let routing = &findings.config.routing;
    let breaker = routing.breaker;
    findings.range(&steps!["routing", "max_attempts"], routing.max_attempts.into(), 1..=20);
    if !(0.0..=1.0).contains(&routing.retry_budget) {
        let at = steps!["routing", "retry_budget"];
        findings.error(&at, "the retry budget is not a share", "from 0 to 1, such as 0.2");
    }
    for (key, number, range) in [
        ("consecutive_failures", u64::from(breaker.consecutive_failures), 0..=10_000),
        ("window_s", breaker.window_s, 1..=DAY_S),
        ("open_s", breaker.open_s, 1..=DAY_S),
        ("max_open_s", breaker.max_open_s, 1..=DAY_S),
    ] {
        findings.range(&steps!["routing", "breaker", key], number, range);
    }
    for (name, hedge) in &routing.hedge {
        let at = |key| steps!["routing", "hedge", name.as_str(), key];
        findings.range(&at("min_silence_ms"), hedge.min_silence_ms, 1..=HOUR_MS);
        findings.range(&at("max_percent"), hedge.max_percent.into(), 1..=100);
    }
    if breaker.max_open_s < breaker.open_s {
        let at = steps!["routing", "breaker", "max_open_s"];
        let message = format!("`max_open_s` is shorter than `open_s` ({} s)", breaker.open_s);
        findings.error(&at, message, "make it at least as long");
    }
}
