//! What requests say of their providers and models, and who is asked then: the cases of
//! `routing`.
//!
//! Every case has providers `@a` to `@d` and models `@x` and `@y` of its own, so that none knows
//! how another one's endpoints are doing. Prices that are not known keep the operator's order, and
//! a strict order leaves nothing to chance.
// tidy: data

/// What the configuration holds for a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// `@x` at a, b, c, without prices.
    Plain,
    /// `@x` at c, a, b, which cost 3, 1 and 2 USD.
    Priced,
    /// `@x` at a, b, c: a keeps nothing, b keeps it no day, of c nothing is known.
    Policies,
    /// `@x` at a, b, c: fp8, int4, and not known.
    Quantized,
    /// `@x` at a, which takes no parameter, and b, which takes all.
    Limited,
    /// `@x` at a for 3 and b for 1 USD, `@y` at c for 2 and d for 0.5.
    TwoModels,
    /// Plain, and `@x:free` at d.
    Edition,
    /// Plain, and the alias `@f` for a's own model `n` and then `@x`.
    Alias,
    /// As two models; the alias `@f` for `@x:floor` and `@y:floor`.
    Preset,
    /// Plain, and the alias `@f` for `@x`, whose preset ignores a and begins with c.
    Wishes,
}

/// Who is asked, one after the other; or the refusal.
#[derive(Debug, Clone, Copy)]
pub enum Expected {
    /// The letters of the providers, in order.
    Asked(&'static str),
    /// Status and `param`.
    Refused(u16, &'static str),
}

use Expected::{Asked, Refused};
use Setting::{
    Alias, Edition, Limited, Plain, Policies, Preset, Priced, Quantized, TwoModels, Wishes,
};

/// Setting, members of the request beside its messages, and what follows.
pub const REQUESTS: &[(Setting, &str, Expected)] = &[
    // Names.
    (Plain, "{}", Asked("abc")),
    (Plain, r#"{"provider":null,"models":null,"route":null}"#, Asked("abc")),
    (Plain, r#"{"provider":{"order":["@c","@b"]}}"#, Asked("cba")),
    (Wishes, "{}", Asked("abc")),
    (Wishes, r#"{"model":"@f"}"#, Asked("cb")),
    (Wishes, r#"{"model":"@f:nitro","provider":{"order":null}}"#, Asked("cb")),
    (Wishes, r#"{"model":"@f","provider":{"order":["@b"]}}"#, Asked("bc")),
    (Wishes, r#"{"model":"@f","provider":{"ignore":[]}}"#, Asked("cab")),
    (Wishes, r#"{"model":"@f","provider":{"only":["@a"]}}"#, Refused(404, "provider.ignore")),
    (Wishes, r#"{"model":"@f","provider":{"order":7}}"#, Refused(400, "provider.order")),
    (Wishes, r#"{"models":["@f","@x"],"model":null}"#, Asked("cb")),
    (Plain, r#"{"provider":{"order":["@C"]}}"#, Asked("cab")),
    (Plain, r#"{"provider":{"order":["nobody","@b"]}}"#, Asked("bac")),
    (Plain, r#"{"provider":{"order":["@c","@b"],"allow_fallbacks":false}}"#, Asked("cb")),
    (Plain, r#"{"provider":{"allow_fallbacks":false}}"#, Asked("a")),
    (Plain, r#"{"provider":{"only":["@c","@b"]}}"#, Asked("bc")),
    (Plain, r#"{"provider":{"only":["@b","@c"],"ignore":["@b"]}}"#, Asked("c")),
    (Plain, r#"{"provider":{"ignore":["@a"]}}"#, Asked("bc")),
    (Plain, r#"{"provider":{"only":["@b","@c"],"order":["@c","@a"]}}"#, Asked("cb")),
    (Plain, r#"{"provider":{"only":[]}}"#, Refused(404, "provider.only")),
    (Plain, r#"{"provider":{"only":["@d"]}}"#, Refused(404, "provider.only")),
    (Plain, r#"{"provider":{"ignore":["@a","@b","@c"]}}"#, Refused(404, "provider.ignore")),
    (
        Plain,
        r#"{"provider":{"order":["@d"],"allow_fallbacks":false}}"#,
        Refused(404, "provider.order"),
    ),
    (Plain, r#"{"provider":{"order":"@a"}}"#, Refused(400, "provider.order")),
    (Plain, r#"{"provider":{"only":[1]}}"#, Refused(400, "provider.only")),
    (Plain, r#"{"provider":{"allow_fallbacks":"no"}}"#, Refused(400, "provider.allow_fallbacks")),
    (Plain, r#"{"provider":[]}"#, Refused(400, "provider")),
    // Prices and the order by them.
    (Priced, r#"{"provider":{"sort":"price"}}"#, Asked("abc")),
    (Priced, r#"{"provider":{"sort":{"by":"price"}}}"#, Asked("abc")),
    (Priced, r#"{"provider":{"sort":"price","allow_fallbacks":false}}"#, Asked("a")),
    (Priced, r#"{"provider":{"sort":"price","order":["@c"]}}"#, Asked("cab")),
    (Priced, r#"{"provider":{"sort":"throughput"}}"#, Asked("cab")),
    (Priced, r#"{"provider":{"sort":"latency"}}"#, Asked("cab")),
    (Priced, r#"{"provider":{"sort":"best"}}"#, Refused(400, "provider.sort")),
    (Priced, r#"{"provider":{"sort":{"by":"best"}}}"#, Refused(400, "provider.sort.by")),
    (
        Priced,
        r#"{"provider":{"sort":{"partition":"some"}}}"#,
        Refused(400, "provider.sort.partition"),
    ),
    (Priced, r#"{"provider":{"sort":"price","max_price":{"prompt":2}}}"#, Asked("ab")),
    (Priced, r#"{"provider":{"sort":"price","max_price":{"completion":"1.999999"}}}"#, Asked("a")),
    (Priced, r#"{"provider":{"max_price":{"prompt":0.5}}}"#, Refused(404, "provider.max_price")),
    (Plain, r#"{"provider":{"max_price":{"prompt":900}}}"#, Refused(404, "provider.max_price")),
    (
        Priced,
        r#"{"provider":{"max_price":{"prompt":"x"}}}"#,
        Refused(400, "provider.max_price.prompt"),
    ),
    // What is kept.
    (Policies, r#"{"provider":{"zdr":true}}"#, Asked("a")),
    (Policies, r#"{"provider":{"zdr":false}}"#, Asked("abc")),
    (Policies, r#"{"provider":{"data_collection":"deny"}}"#, Asked("ab")),
    (Policies, r#"{"provider":{"data_collection":"allow"}}"#, Asked("abc")),
    (Plain, r#"{"provider":{"zdr":true}}"#, Refused(404, "provider.zdr")),
    (Plain, r#"{"provider":{"data_collection":"deny"}}"#, Refused(404, "provider.data_collection")),
    (Plain, r#"{"provider":{"data_collection":"no"}}"#, Refused(400, "provider.data_collection")),
    (
        Plain,
        r#"{"provider":{"enforce_distillable_text":true}}"#,
        Refused(404, "provider.enforce_distillable_text"),
    ),
    // What an endpoint is and takes.
    (Quantized, r#"{"provider":{"quantizations":["fp8"]}}"#, Asked("a")),
    (Quantized, r#"{"provider":{"quantizations":["fp8","unknown"]}}"#, Asked("ac")),
    (
        Quantized,
        r#"{"provider":{"quantizations":["bf16"]}}"#,
        Refused(404, "provider.quantizations"),
    ),
    (
        Quantized,
        r#"{"provider":{"quantizations":["fp9"]}}"#,
        Refused(400, "provider.quantizations"),
    ),
    (Limited, r#"{"seed":1}"#, Asked("ab")),
    (Limited, r#"{"seed":1,"provider":{"require_parameters":true}}"#, Asked("b")),
    (Limited, r#"{"provider":{"require_parameters":true}}"#, Asked("ab")),
    (
        Limited,
        r#"{"seed":1,"provider":{"require_parameters":true,"only":["@a"]}}"#,
        Refused(404, "provider.require_parameters"),
    ),
    // Several models.
    (TwoModels, r#"{"models":["@y"],"provider":{"sort":"price"}}"#, Asked("badc")),
    (
        TwoModels,
        r#"{"model":"@y","models":["@x","@y"],"provider":{"sort":"price"}}"#,
        Asked("dcba"),
    ),
    (
        TwoModels,
        r#"{"models":["@y"],"provider":{"sort":"price"},"route":"fallback"}"#,
        Asked("badc"),
    ),
    (TwoModels, r#"{"models":["@y"],"provider":{"sort":"price"},"route":"sort"}"#, Asked("dbca")),
    (
        TwoModels,
        r#"{"models":["@y"],"provider":{"sort":{"by":"price","partition":"none"}}}"#,
        Asked("dbca"),
    ),
    (
        TwoModels,
        r#"{"models":["@y"],"provider":{"sort":{"by":"price","partition":"model"}},"route":"sort"}"#,
        Asked("badc"),
    ),
    (
        TwoModels,
        r#"{"models":["@y"],"provider":{"sort":"price","allow_fallbacks":false}}"#,
        Asked("bd"),
    ),
    (
        TwoModels,
        r#"{"models":["@y"],"provider":{"sort":"price","max_price":{"prompt":2}}}"#,
        Asked("bdc"),
    ),
    (TwoModels, r#"{"models":["@y"],"route":"best"}"#, Refused(400, "route")),
    (TwoModels, r#"{"models":["nobody/m"],"provider":{"sort":"price"}}"#, Asked("ba")),
    (TwoModels, r#"{"model":"nobody/m","models":["@y:floor"]}"#, Asked("dc")),
    (TwoModels, r#"{"model":"nobody/m"}"#, Refused(400, "model")),
    // Variants.
    (Priced, r#"{"model":"@x:floor"}"#, Asked("abc")),
    (Priced, r#"{"model":"@x:nitro"}"#, Asked("cab")),
    (Priced, r#"{"model":"@x:nitro:floor"}"#, Asked("abc")),
    (Priced, r#"{"model":"@x:nitro","provider":{"sort":"price"}}"#, Asked("abc")),
    (Priced, r#"{"model":"@x:floor","provider":{"order":["@b"]}}"#, Asked("bac")),
    (Edition, r#"{"model":"@x:free"}"#, Asked("d")),
    (Edition, r#"{"model":"@x:free:nitro","models":["@x"]}"#, Asked("dabc")),
    (Plain, r#"{"model":"@x:free"}"#, Refused(400, "model")),
    (Plain, r#"{"model":"@x:extended"}"#, Refused(400, "model")),
    (Plain, r#"{"model":"@x:online"}"#, Refused(400, "model")),
    (Plain, r#"{"model":"@preset/p"}"#, Refused(400, "model")),
    // Aliases.
    (Alias, r#"{"model":"@f","provider":{"only":["@a","@c"]}}"#, Asked("aac")),
    (Alias, r#"{"model":"@f:nitro"}"#, Asked("aabc")),
    (Alias, r#"{"model":"@f:free"}"#, Refused(400, "model")),
    (Preset, r#"{"model":"@f"}"#, Asked("badc")),
    (
        Preset,
        r#"{"model":"@f","provider":{"sort":{"by":"price","partition":"none"}}}"#,
        Asked("dbca"),
    ),
    (Preset, r#"{"model":"@f","provider":{"order":["@c"]}}"#, Asked("bacd")),
];

/// The same for a key of its own, of which these lines say what it may.
pub const KEYS: &[(Setting, &str, &str, Expected)] = &[
    (Plain, "allowed_providers = ['@c', '@b']", "{}", Asked("bc")),
    (Plain, "allowed_providers = ['@B']", r#"{"provider":{"order":["@a"]}}"#, Asked("b")),
    (
        Plain,
        "allowed_providers = ['@b']",
        r#"{"provider":{"only":["@a"]}}"#,
        Refused(404, "provider.only"),
    ),
    (Plain, "allowed_providers = []", "{}", Refused(403, "model")),
    (Plain, "allowed_providers = ['@d']", "{}", Refused(403, "model")),
    (TwoModels, "allowed_models = ['@y']", r#"{"models":["@y:floor"]}"#, Asked("dc")),
    (TwoModels, "allowed_models = ['@y']", "{}", Refused(403, "model")),
    (Plain, "allowed_models = []", "{}", Refused(403, "model")),
    (Policies, "enforce_zdr = true", r#"{"provider":{"zdr":false}}"#, Asked("a")),
    (Plain, "enforce_zdr = true", "{}", Refused(404, "model")),
];
