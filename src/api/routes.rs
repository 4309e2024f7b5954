//! The route table of management: which paths below `/api/v1`, `/v1` and `/api` are answered here,
//! with which methods, and for which kind of key.
//!
//! Read by `proxy/operation.rs`, which asks here before it gives up on a path. A resource may have
//! one variable segment, written `{}`; what stands there is given on as it was sent.

use crate::auth::{ApiKey, KeyKind};
use crate::error::{GatewayError, Kind};

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callers {
    /// Keys that call models.
    Regular,
    /// Keys that manage.
    Management,
    /// Both.
    Both,
}

/// What answers a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handler {
    /// All keys.
    ListKeys,
    /// A new key.
    CreateKey,
    /// One key.
    ShowKey,
    /// A change of a key.
    UpdateKey,
    /// The end of a key.
    DeleteKey,
    /// The key that asks.
    CurrentKey,
    /// What is left on the account.
    Balance,
    /// What was put on the account.
    Credits,
    /// Money for the account.
    AddCredit,
    /// What moved the account's money.
    Transactions,
    /// Requests of an end user, or sums of days.
    Activity,
    /// Sums as a file.
    ActivityExport,
    /// Sums of all requests.
    UsageSummary,
    /// Sums over time.
    UsageTimeseries,
}

impl Handler {
    /// Name in records and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::ListKeys => "keys_list",
            Self::CreateKey => "keys_create",
            Self::ShowKey => "keys_show",
            Self::UpdateKey => "keys_update",
            Self::DeleteKey => "keys_delete",
            Self::CurrentKey => "key",
            Self::Balance => "balance",
            Self::Credits => "credits",
            Self::AddCredit => "credits_add",
            Self::Transactions => "transactions",
            Self::Activity => "activity",
            Self::ActivityExport => "activity_export",
            Self::UsageSummary => "usage_summary",
            Self::UsageTimeseries => "usage_timeseries",
        }
    }
}

/// A call that has an answer here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// What answers.
    pub handler: Handler,
    /// Who may call.
    pub callers: Callers,
    /// What stands at the variable segment of the path.
    pub variable: Option<String>,
}

impl Route {
    /// Refuses a key of the wrong kind.
    pub fn admit(&self, key: &ApiKey) -> Result<(), GatewayError> {
        let text = match (self.callers, key.kind) {
            (Callers::Management, KeyKind::Regular) => {
                "only a management key can perform this operation"
            }
            (Callers::Regular, KeyKind::Management) => {
                "a management key cannot perform this operation"
            }
            _ => return Ok(()),
        };
        Err(GatewayError::client(Kind::PermissionDenied, text))
    }
}

/// Why a path below the roots is not answered here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// No such path.
    NotFound,
    /// The path takes these methods only.
    MethodNotAllowed(&'static str),
}

/// A path and what can be done with it.
struct Resource {
    roots: &'static [&'static str],
    /// Below the root; `{}` stands for one segment.
    path: &'static str,
    /// The methods of `calls`, as the header `Allow` has them.
    allow: &'static str,
    calls: &'static [(&'static str, Handler, Callers)],
}

/// Where most resources are served: the documented place and its alias.
const EVERYWHERE: &[&str] = &["/api/v1", "/v1"];

/// Where the sums of usage are served.
const USAGE: &[&str] = &["/api/usage"];

const RESOURCES: &[Resource] = &[
    Resource {
        roots: EVERYWHERE,
        path: "/activity",
        allow: "GET",
        calls: &[("GET", Handler::Activity, Callers::Both)],
    },
    Resource {
        roots: EVERYWHERE,
        path: "/activity/export",
        allow: "GET",
        calls: &[("GET", Handler::ActivityExport, Callers::Both)],
    },
    Resource {
        roots: USAGE,
        path: "/summary",
        allow: "GET",
        calls: &[("GET", Handler::UsageSummary, Callers::Both)],
    },
    Resource {
        roots: USAGE,
        path: "/timeseries",
        allow: "GET",
        calls: &[("GET", Handler::UsageTimeseries, Callers::Both)],
    },
    Resource {
        roots: EVERYWHERE,
        path: "/keys",
        allow: "GET, POST",
        calls: &[
            ("GET", Handler::ListKeys, Callers::Management),
            ("POST", Handler::CreateKey, Callers::Management),
        ],
    },
    Resource {
        roots: EVERYWHERE,
        path: "/keys/{}",
        allow: "GET, PATCH, DELETE",
        calls: &[
            ("GET", Handler::ShowKey, Callers::Management),
            ("PATCH", Handler::UpdateKey, Callers::Management),
            ("DELETE", Handler::DeleteKey, Callers::Management),
        ],
    },
    Resource {
        roots: EVERYWHERE,
        path: "/key",
        allow: "GET",
        calls: &[("GET", Handler::CurrentKey, Callers::Both)],
    },
    Resource {
        roots: EVERYWHERE,
        path: "/balance",
        allow: "GET",
        calls: &[("GET", Handler::Balance, Callers::Both)],
    },
    Resource {
        roots: EVERYWHERE,
        path: "/credits",
        allow: "GET, POST",
        calls: &[
            ("GET", Handler::Credits, Callers::Both),
            ("POST", Handler::AddCredit, Callers::Management),
        ],
    },
    Resource {
        roots: EVERYWHERE,
        path: "/transactions",
        allow: "GET",
        calls: &[("GET", Handler::Transactions, Callers::Both)],
    },
];

/// The route of a method and a path that was found to be plain.
pub fn find(method: &str, path: &str) -> Result<Route, Miss> {
    let (resource, variable) = RESOURCES
        .iter()
        .find_map(|resource| resource.variable_in(path).map(|variable| (resource, variable)))
        .ok_or(Miss::NotFound)?;
    let asked = if method == "HEAD" { "GET" } else { method };
    let (_, handler, callers) = resource
        .calls
        .iter()
        .find(|(method, ..)| *method == asked)
        .ok_or(Miss::MethodNotAllowed(resource.allow))?;
    let variable = Some(variable).filter(|segment| !segment.is_empty()).map(str::to_owned);
    Ok(Route { handler: *handler, callers: *callers, variable })
}

impl Resource {
    /// What stands at the variable segment of a path of this resource, which is nothing if it has
    /// none; `None` for the path of another resource.
    fn variable_in<'p>(&self, path: &'p str) -> Option<&'p str> {
        self.roots.iter().find_map(|root| {
            let rest = path.strip_prefix(root)?;
            let Some((before, after)) = self.path.split_once("{}") else {
                return (rest == self.path).then_some("");
            };
            let segment = rest.strip_prefix(before)?.strip_suffix(after)?;
            let is_one = !segment.is_empty() && !segment.contains('/');
            is_one.then_some(segment)
        })
    }
}

/// Method, path and callers of one request per route.
pub fn samples() -> Vec<(&'static str, String, Callers)> {
    let mut samples = Vec::new();
    for resource in RESOURCES {
        for root in resource.roots {
            for (method, _, callers) in resource.calls {
                let path = format!("{root}{}", resource.path.replace("{}", SAMPLE_SEGMENT));
                samples.push((*method, path, *callers));
            }
        }
    }
    samples
}

/// What stands at the variable segment of a sample: the hash of no key.
const SAMPLE_SEGMENT: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allow_lists_the_methods() {
        for resource in RESOURCES {
            let methods: Vec<&str> = resource.calls.iter().map(|(method, ..)| *method).collect();
            assert_eq!(methods.join(", "), resource.allow, "{}", resource.path);
        }
    }

    #[test]
    fn every_sample_is_found_and_other_methods_are_not() {
        for (method, path, callers) in samples() {
            assert_eq!(find(method, &path).unwrap().callers, callers, "{method} {path}");
            assert!(matches!(find("TRACE", &path), Err(Miss::MethodNotAllowed(_))), "{path}");
            assert_eq!(find(method, &format!("{path}/x/y")), Err(Miss::NotFound), "{path}");
        }
    }
}
