//! Bad providers, as in the table of `bad`: addresses, credentials, kinds, names.

use super::Case;

pub(super) const CASES: &[Case] = &[
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
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[models]\n'x/m' = { endpoints = [{ provider = 'a' }] }\n[aliases]\nfast = ['x/m:floor', 'x/m:nitro:thinking', 'x/m:free']\n",
        &["7:44 nobody serves `x/m:free`: no provider is named `x` | did you mean `x/m`?"],
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
        &["5:18 `context_length` is 0 | from 1 to 1000000000"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[models.\"a/m\"]\nmax_completion_tokens = 1000000001\n",
        &["5:25 `max_completion_tokens` is 1000000001 | from 1 to 1000000000"],
    ),
    (
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[models.\"a/m\"]\nendpoints = [{ provider = 'a', context_length = 0, max_completion_tokens = 9000000000 }]\n",
        &[
            "5:49 `context_length` is 0 | from 1 to 1000000000",
            "5:76 `max_completion_tokens` is 9000000000 | from 1 to 1000000000",
        ],
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
];
