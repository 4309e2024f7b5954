//! Bad configurations: where each is said to be wrong, what is said, and what is advised.
//!
//! Those of providers are in a file of their own.

mod providers;

use super::load_text;

/// A file, and its problems as `line:column message | hint`; `DIR` is the folder of the file.
type Case = (&'static str, &'static [&'static str]);

const CASES: &[Case] = &[
    (
        "[server]\nlisten = '127.0.0.1:1'\n",
        &["2:10 expected a list, found a string | put it in brackets: [\"…\"]"],
    ),
    ("[server]\nthraeds = 1\n", &["2:1 unknown key `thraeds` | did you mean `threads`?"]),
    (
        "[server]\nthreads = '1'\n",
        &["2:11 expected a whole number, 0 or more, found a string | remove the quotes"],
    ),
    (
        "[server]\nthreads = -1\n",
        &[
            "2:11 expected a whole number, 0 or more, found -1 | `arouter config schema` describes every key",
        ],
    ),
    (
        "[server]\nthreads = 1.5\n",
        &[
            "2:11 expected a whole number, 0 or more, found a number with a decimal point | `arouter config schema` describes every key",
        ],
    ),
    (
        "[server]\nh2c = 'yes'\n",
        &["2:7 expected true or false, found a string | remove the quotes"],
    ),
    (
        "[server]\nstream_usage = 'allways'\n",
        &["2:16 unknown value `allways` | did you mean `always`?"],
    ),
    (
        "[server]\nlisten = ['localhost:8080']\n",
        &["2:11 invalid socket address syntax | write ip:port, such as \"127.0.0.1:8080\""],
    ),
    ("[sever]\nthreads = 1\n", &["1:2 unknown key `sever` | did you mean `server`?"]),
    ("versoin = 1\n", &["1:1 unknown key `versoin` | did you mean `version`?"]),
    ("version = 2\n", &["1:11 version 2 of the format is not known | write version = 1"]),
    (
        "version = 99999999999999999999999\n",
        &["1:11 the number is too large | `arouter config schema` describes every key"],
    ),
    (
        "server = 1\n",
        &[
            "1:10 expected a table, found a whole number | `arouter config schema` describes every key",
        ],
    ),
    (
        "[server]\nthreads = 1\nthreads = 2\n",
        &["3:1 duplicate key | the file is not valid TOML from here on"],
    ),
    (
        "[server\nthreads = 1\n",
        &["1:8 unclosed table, expected `]` | the file is not valid TOML from here on"],
    ),
    (
        "[server]\nthreads = \n",
        &[
            "2:11 string values must be quoted, expected literal string | the file is not valid TOML from here on",
        ],
    ),
    (
        "[log]\nlevel = 'verbose'\n",
        &["2:9 unknown value `verbose` | one of error, warn, info, debug, trace"],
    ),
    (
        "[log]\nlevel = 3\n",
        &[
            "2:9 expected a string, found a whole number | `arouter config schema` describes every key",
        ],
    ),
    (
        "[keys.k]\nkind = 'regular'\n",
        &[
            "1:7 the key `k` has no secret | write secret = { env = \"NAME\" }, or hash = \"…\" from `arouter keys hash`",
        ],
    ),
    (
        "[keys.k]\nsecret = { env = 'AROUTER_DEMO_KEY' }\nhash = 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'\n",
        &["3:1 the key `k` has both `secret` and `hash` | remove one of them"],
    ),
    (
        "[keys.k]\nhash = 'md5:1'\n",
        &[
            "2:8 not a key hash: expected `sha256:` and 64 hexadecimal digits | `arouter keys hash` makes one",
        ],
    ),
    (
        "[keys.k]\nsecret = 'canary'\n",
        &[
            "2:10 expected a table that says where the secret is, found a string | write { env = \"NAME\" } or { file = \"/path\" }",
        ],
    ),
    (
        "[keys.k]\nsecret = { env = 'AROUTER_DEMO_KEY' }\nkind = 'admin'\n",
        &["3:8 unknown value `admin` | one of regular, management"],
    ),
    (
        "[keys.k]\nsecret = { env = 'AROUTER_DEMO_KEY' }\nlimit_usd = 5.00\n",
        &["3:13 amounts are exact: put quotes around the number, \"5\" | USD, such as \"5.00\""],
    ),
    (
        "[keys.k]\nsecret = { env = 'AROUTER_DEMO_KEY' }\nlimit_usd = '-5'\n",
        &["3:13 the limit is negative | leave it out for no limit"],
    ),
    (
        "[keys.k]\nsecret = { env = 'AROUTER_DEMO_KEY' }\nlimit_reset = 'hourly'\n",
        &["3:15 unknown value `hourly` | one of daily, weekly, monthly, never"],
    ),
    (
        "[keys.k]\nsecret = { env = 'AROUTER_DEMO_KEY' }\nallowed_providers = ['b']\n",
        &["3:22 no provider is named `b` | add a table [providers.b]"],
    ),
    (
        "[keys.k]\nsecret = { env = 'AROUTER_DEMO_KEY' }\nallowed_models = ['']\n",
        &["3:19 not a pattern of model names | such as \"openai/*\""],
    ),
    (
        "[keys.k]\nsecret = { env = 'AROUTER_DEMO_KEY' }\nrate_limit = { requests_per_minut = 1 }\n",
        &["3:16 unknown key `requests_per_minut` | did you mean `requests_per_minute`?"],
    ),
    (
        "[keys.k]\nsecret = { env = 'AROUTER_DEMO_KEY' }\nexpires_at = 'tomorrow'\n",
        &[
            "3:14 failed to parse four digit integer as year: invalid digit, expected 0-9 but got t | such as 2027-01-31T00:00:00Z",
        ],
    ),
    (
        "[keys.k]\nsecret = { env = 'AROUTER_DEMO_KEY' }\n[keys.l]\nsecret = { env = 'AROUTER_DEMO_KEY' }\n",
        &[
            "4:10 the keys `k` and `l` are the same secret | make another one with `arouter keys create`",
        ],
    ),
    (
        "[keys.'a/b']\nsecret = { env = 'AROUTER_DEMO_KEY' }\n",
        &["1:7 `a/b` cannot name a key | up to 64 letters, digits, `_`, `.` and `-`"],
    ),
    ("[server]\nlisten = []\n", &["2:10 no address to listen on | write at least one ip:port"]),
    (
        "[server]\nlisten = ['127.0.0.1:1', '0.0.0.0:1']\n",
        &["2:26 `0.0.0.0:1` is listened on twice | remove one of them"],
    ),
    (
        "[admin]\nlisten = '127.0.0.1:8080'\n",
        &[
            "2:10 `127.0.0.1:8080` is also an address of the data plane | metrics and management need a port of their own, such as 127.0.0.1:9090",
        ],
    ),
    ("[server]\nmax_body_bytes = 0\n", &["2:18 `max_body_bytes` is 0 | from 1 to 1099511627776"]),
    ("[server]\nheader_timeout_s = 0\n", &["2:20 `header_timeout_s` is 0 | from 1 to 86400"]),
    (
        "[server.tls]\ncert = { file = 'none' }\nkey = { env = 'OPENAI_API_KEY' }\n",
        &["2:17 certificate file DIR/none does not exist | check the path"],
    ),
    (
        "[server.tls]\nkey = { env = 'OPENAI_API_KEY' }\n",
        &["1:9 missing key `cert` | add `cert = …` to this table"],
    ),
    (
        "[store]\nurl = 'mysql://a'\n",
        &[
            "2:7 not an address of a database | sqlite://path, postgres://host/database, or memory: for tests",
        ],
    ),
    (
        "[account]\nopening_balance_usd = '-1'\n",
        &["2:23 the opening balance is negative | leave it out for a postpaid account"],
    ),
    (
        "[routing]\nretry_budget = 2\n",
        &["2:16 the retry budget is not a share | from 0 to 1, such as 0.2"],
    ),
    (
        "[routing]\nretry_budget = nan\n",
        &["2:16 the retry budget is not a share | from 0 to 1, such as 0.2"],
    ),
    ("[routing]\nmax_attempts = 0\n", &["2:16 `max_attempts` is 0 | from 1 to 20"]),
    (
        "[routing]\nbreaker = { open_s = 60, max_open_s = 30 }\n",
        &["2:39 `max_open_s` is shorter than `open_s` (60 s) | make it at least as long"],
    ),
    (
        "[routing.hedge.fast]\nmax_percent = 0\n",
        &[
            "1:1 nobody serves `fast` | write provider/model, or set defaults.provider",
            "2:15 `max_percent` is 0 | from 1 to 100",
        ],
    ),
];

#[test]
fn bad_files_are_refused_with_place_and_advice() {
    for (text, expected) in CASES.iter().chain(providers::CASES) {
        let error = load_text(text).expect_err(text);
        let found: Vec<String> = error
            .problems
            .iter()
            .map(|problem| {
                let folder = problem.file.parent().unwrap().to_str().unwrap();
                let hint = problem.hint.clone().unwrap_or_default();
                let place = format!("{}:{}", problem.line, problem.column);
                format!("{place} {} | {hint}", problem.message).replace(folder, "DIR")
            })
            .collect();
        assert_eq!(&found, expected, "{text}");
        assert!(found.iter().all(|line| !line.ends_with("| ")), "a hint: {text}");
        // `canary` stands where an operator may have put a secret by mistake.
        assert!(!error.to_string().contains("canary"), "{text}");
    }
}

#[test]
fn all_problems_are_found_at_once() {
    let text = "
[server]
threads = 'many'
lisen = []
[providers.a]
format = 'openai'
base_url = 'nowhere'
[keys.k]
kind = 'root'
";
    let found: Vec<usize> = load_text(text).unwrap_err().problems.iter().map(|p| p.line).collect();
    assert_eq!(found, [3, 4, 7, 9]);
    let text = "
[admin]
listen = '127.0.0.1:8080'
[defaults]
provider = 'x'
[routing]
max_attempts = 0
";
    let found: Vec<usize> = load_text(text).unwrap_err().problems.iter().map(|p| p.line).collect();
    assert_eq!(found, [3, 5, 7]);
}

#[test]
fn every_yaml_problem_has_a_place() {
    for (text, place) in [
        ("server:\n  threads: x\n", "2:12"),
        ("server:\n  threds: 1\n", "2:3"),
        ("server: [\n", "1:9"),
        ("- a\n", "1:1"),
        ("a: 1\na: 2\n", "2:1"),
        ("defaults:\n  provider: none\n", "2:13"),
    ] {
        let folder = super::Folder::new();
        let error = crate::config::load(&folder.file("a.yaml", text), &super::env).unwrap_err();
        let found = &error.problems[0];
        assert_eq!(format!("{}:{}", found.line, found.column), place, "{text} {error}");
    }
}
