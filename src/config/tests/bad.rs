//! Bad configurations: where each is said to be wrong, what is said, and what is advised.
// tidy: data

use super::load_text;

/// A file, and its problems as `line:column message | hint`; `DIR` is the folder of the file.
const CASES: &[(&str, &[&str])] = &[
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
        "[providers.a]\nformat = 'openai'\n",
        &["1:12 missing key `base_url` | add `base_url = …` to this table"],
    ),
    (
        "[providers.a]\nbase_url = 'https://a.example'\n",
        &["1:12 missing key `format` | add `format = …` to this table"],
    ),
    (
        "[providers.a]\nkind = 'azure'\n",
        &["1:12 missing key `base_url` | such as \"https://my-resource.openai.azure.com\""],
    ),
    (
        "[providers.a]\nkind = 'azure'\nformat = 'anthropic'\nbase_url = 'https://a.example'\n",
        &["3:10 a provider of kind `azure` does not speak `anthropic` | one of openai, responses"],
    ),
    ("[providers.a]\nkind = 'bedrok'\n", &["2:8 unknown value `bedrok` | did you mean `bedrock`?"]),
    (
        "[providers.a]\nformat = 'bedrock'\n",
        &["1:12 missing key `region` | add `region = \"…\"` to this table, or set AWS_REGION"],
    ),
    (
        "[providers.a]\nkind = 'vertex'\nregion = 'evil.example/'\n",
        &["3:10 not the name of a region | such as \"eu-central-1\""],
    ),
    (
        "[providers.a]\nkind = 'bedrock'\nregion = 'r'\naccess_key_id = 'AKIA'\n",
        &[
            "4:17 expected a table that says where the secret is, found a string | write { env = \"NAME\" } or { file = \"/path\" }",
        ],
    ),
    (
        "[providers.a]\nkind = 'bedrock'\nregion = 'r'\nrequired = true\n",
        &[
            "1:1 `a` is required but has no credential: environment variable AWS_ACCESS_KEY_ID, environment variable AWS_SECRET_ACCESS_KEY | set it, or remove `required`",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\ndialect = 'openia'\n",
        &["4:11 no provider is known as `openia` | did you mean `openai`?"],
    ),
    (
        "[providers.a]\nformat = 'opnai'\nbase_url = 'https://a.example'\n",
        &["2:10 unknown value `opnai` | did you mean `openai`?"],
    ),
    (
        "[providers.a]\nformat = 'cohere'\nbase_url = 'https://a.example'\n",
        &["2:10 unknown value `cohere` | one of openai, responses, anthropic, gemini, bedrock"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_ulr = 'https://a.example'\n",
        &["3:1 unknown key `base_ulr` | did you mean `base_url`?"],
    ),
    (
        "[providers.v1]\nformat = 'openai'\nbase_url = 'https://a.example'\n",
        &["1:12 `v1` is a path of the gateway itself | choose another name"],
    ),
    (
        "[providers.OpenAI]\nformat = 'openai'\nbase_url = 'https://a.example'\n",
        &[
            "1:12 `OpenAI` cannot name a provider | up to 64 lower-case letters, digits, `_`, `.` and `-`, the first a letter or digit",
        ],
    ),
    (
        "[providers.'a b']\nformat = 'openai'\nbase_url = 'https://a.example'\n",
        &[
            "1:12 `a b` cannot name a provider | up to 64 lower-case letters, digits, `_`, `.` and `-`, the first a letter or digit",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\naliases = ['api']\n",
        &["4:12 `api` is a path of the gateway itself | choose another alias"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\naliases = ['b', 'b']\n",
        &["4:17 `b` is listed twice | remove one of them"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\naliases = ['a']\n",
        &["4:12 `a` already names the provider `a` | each alias belongs to one provider"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\naliases = ['x']\n[providers.b]\nformat = 'openai'\nbase_url = 'https://a.example'\naliases = ['x']\n",
        &["8:12 `x` already names the provider `a` | each alias belongs to one provider"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'a.example'\n",
        &[
            "3:12 an address starts with https:// or http:// | such as \"https://api.openai.com/v1\"",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'http://169.254.169.254/latest'\n",
        &[
            "3:12 providers cannot be at link-local, metadata, multicast or unspecified addresses | such as \"https://api.openai.com/v1\"",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'http://[fd00:ec2::254]'\n",
        &[
            "3:12 providers cannot be at link-local, metadata, multicast or unspecified addresses | such as \"https://api.openai.com/v1\"",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'http://0x7f000001'\n",
        &[
            "3:12 an IP address is written as four decimal numbers, like 192.0.2.1 | such as \"https://api.openai.com/v1\"",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'http://2130706433'\n",
        &[
            "3:12 an IP address is written as four decimal numbers, like 192.0.2.1 | such as \"https://api.openai.com/v1\"",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'http://[::ffff:7f00:1]'\n",
        &[
            "3:12 providers cannot be at link-local, metadata, multicast or unspecified addresses | such as \"https://api.openai.com/v1\"",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'http://localhost.'\n",
        &["3:12 not a host name or IP address | such as \"https://api.openai.com/v1\""],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'http://a@b'\n",
        &[
            "3:12 an address has no user part; credentials belong into `keys` | such as \"https://api.openai.com/v1\"",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'http://a\\b'\n",
        &[
            "3:12 an address has only visible ASCII characters and no backslash | such as \"https://api.openai.com/v1\"",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'http://10.0.0.1'\n",
        &["3:12 `10.0.0.1` is a private address | set private_network = true if that is meant"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example/?key=canary'\n",
        &[
            "3:12 an address has no query and no fragment; use `headers` or the format's own settings | such as \"https://api.openai.com/v1\"",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\ntimeouts = { connect_ms = 0 }\n",
        &["4:27 `connect_ms` is 0 | from 1 to 86400000"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\ntimeouts = { conect_ms = 1 }\n",
        &["4:14 unknown key `conect_ms` | did you mean `connect_ms`?"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\nhttp2 = true\n",
        &[
            "4:9 expected a string, found true or false | `arouter config schema` describes every key",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\nheaders = { 'a b' = 'c' }\n",
        &["4:13 `a b` is not a header name | letters, digits and `-`"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\nheaders = { Host = 'c' }\n",
        &["4:13 the gateway sets `Host` itself | remove it"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\nheaders = { Authorization = 'Bearer canary' }\n",
        &["4:13 `Authorization` carries a credential | use `keys`, which refers to the secret"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\nheaders = { X = \"a\\nb\" }\n",
        &[
            "4:17 the value of `X` has characters no header can carry | use visible ASCII characters and spaces",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\nca_file = 'none.pem'\n",
        &["4:11 file DIR/none.pem does not exist | check the path"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\nkeys = ['canary']\n",
        &[
            "4:9 expected a table that says where the secret is, found a string | write { env = \"NAME\" } or { file = \"/path\" }",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\nkeys = 'canary'\n",
        &["4:8 expected a list, found a string | put it in brackets: [\"…\"]"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\nkeys = [{ literal = 'canary' }]\n",
        &["4:11 unknown key `literal` | did you mean `insecure_literal`?"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\nkeys = [{ env = 'A', file = 'b' }]\n",
        &[
            "4:9 a secret has only one of `env`, `file` and `insecure_literal` | write { env = \"NAME\" } or { file = \"/path\" }",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\nkeys = [{}]\n",
        &[
            "4:9 a secret needs one of `env`, `file` or `insecure_literal` | write { env = \"NAME\" } or { file = \"/path\" }",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\nkeys = [{ env = 'OPENAI_API_KEY', weight = 0 }]\n",
        &["4:44 `weight` is 0 | from 1 to 1000000"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\nkeys = [{ env = 'sk-canary' }]\n",
        &[
            "4:17 not the name of an environment variable | `env` takes the name of the variable, not the secret",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\nkeys = [{ env = 'OPENAI_API_KEY' }, { env = 'OPENAI_API_KEY' }]\n",
        &["4:37 the same credential is in the pool twice | raise its weight instead"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\nkeys = [{ env = 'BROKEN' }]\n",
        &[
            "4:9 the secret has characters no header can carry: environment variable BROKEN | it may hold a line break or more than one line",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\nkeys = [{ env = 'NOT_SET' }]\nrequired = true\n",
        &[
            "4:8 `a` is required but has no credential: environment variable NOT_SET | set it, or remove `required`",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[defaults]\nprovider = 'b'\n",
        &["5:12 no provider is named `b` | configured providers: a"],
    ),
    (
        "[providers.openai]\nformat = 'openai'\nbase_url = 'https://a.example'\n[defaults]\nprovider = 'openia'\n",
        &["5:12 no provider is named `openia` | did you mean `openai`?"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[defaults]\nmodel = 'gpt'\n",
        &["5:9 nobody serves `gpt` | write provider/model, or set defaults.provider"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[aliases]\nfast = ['b/x']\n",
        &["5:9 nobody serves `b/x`: no provider is named `b` | configured providers: a"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[aliases]\nfast = []\n",
        &["5:8 the alias `fast` has no candidates | list at least one model"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[aliases]\nfast = 'a/x'\n",
        &["5:8 expected a list, found a string | put it in brackets: [\"…\"]"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[aliases]\nfast = ['a/x']\nslow = ['fast']\n",
        &["6:9 `fast` is itself an alias | list the models themselves"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[aliases]\n'a b' = ['a/x']\n",
        &["5:1 not a name a request can carry | visible characters only"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[models.'b/m']\ncontext_length = 1\n",
        &[
            "4:9 nobody serves `b/m` | add `endpoints`, or start its name with a configured provider",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[models.\"a/m\"]\ncontext_length = 0\n",
        &["5:18 `context_length` is 0 | from 1 to 1099511627776"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[models.\"a/m\"]\nendpoints = []\n",
        &["5:13 the model has no endpoint | list a provider, or leave `endpoints` out"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[models.\"a/m\"]\nendpoints = [{ provider = 'b' }]\n",
        &["5:27 no provider is named `b` | configured providers: a"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[models.\"a/m\"]\nendpoints = [{ upstream_model = 'x' }]\n",
        &["5:14 missing key `provider` | add `provider = …` to this table"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[models.\"a/m\"]\nendpoints = [{ provider = 'a', price = { prompt = 2.5 } }]\n",
        &[
            "5:51 amounts are exact: put quotes around the number, \"2.5\" | a decimal string in quotes, such as \"2.50\"",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[models.\"a/m\"]\nendpoints = [{ provider = 'a', price = { prompt = '-1' } }]\n",
        &["5:51 a price cannot be negative | a decimal string in quotes, such as \"2.50\""],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[models.\"a/m\"]\nendpoints = [{ provider = 'a', price = { prompt = '1e9' } }]\n",
        &["5:51 not a decimal number like \"2.50\" | a decimal string in quotes, such as \"2.50\""],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[models.\"a/m\"]\nendpoints = [{ provider = 'a', price = { prompt = '1000001' } }]\n",
        &["5:51 more than 1 USD for one token | prices are USD per million tokens"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[models.\"a/m\"]\nendpoints = [{ provider = 'a', price = { prompt = '0.0000001' } }]\n",
        &[
            "5:51 more than 6 digits after the decimal point | a decimal string in quotes, such as \"2.50\"",
        ],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[models.\"a/m\"]\nendpoints = [{ provider = 'a', price = { request = '-1' } }]\n",
        &["5:52 a price cannot be negative | write \"0\" if it is free"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[models.\"a/m\"]\nendpoints = [{ provider = 'a', price = { promt = '1' } }]\n",
        &["5:42 unknown key `promt` | did you mean `prompt`?"],
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
];

#[test]
fn bad_files_are_refused_with_place_and_advice() {
    for (text, expected) in CASES {
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
