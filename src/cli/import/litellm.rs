//! The `config.yaml` of a LiteLLM proxy, section by section.
//!
//! A `model_name` becomes a model; its deployments become endpoints, in order; deployments at one
//! address share a provider, and their keys its pool.

mod credential;
mod deployments;
mod fallbacks;
mod info;
mod known;
mod params;
mod price;
mod providers;
mod settings;
mod target;

use super::draft::Draft;
use super::input::Field;
use super::report::Report;
use credential::Secrets;

/// Sections in which every setting is looked at.
const SECTIONS: [&str; 4] =
    ["model_list", "litellm_settings", "router_settings", "general_settings"];

/// Fills the draft and the report.
pub(super) fn convert(root: &Field<'_>, draft: &mut Draft, report: &mut Report) {
    for section in SECTIONS.into_iter().filter_map(|name| root.get(name)) {
        if !section.is_container() {
            report.exact(&section, "empty");
        }
    }
    let mut secrets = Secrets::of(root);
    deployments::convert(root, (draft, &mut secrets), report);
    settings::convert(root, (draft, &mut secrets), report);
    fallbacks::convert(root, draft, report);
    settings::attempts(root, draft, report);
    known::convert(root, report);
}

/// A setting of the router, which may also be written in `litellm_settings`; the router's counts.
fn router_setting<'a>(root: &Field<'a>, name: &str, report: &mut Report) -> Option<Field<'a>> {
    let of = |section: &str| root.get(section).and_then(|section| section.get(name));
    let (router, library) = (of("router_settings"), of("litellm_settings"));
    if let (Some(router), Some(library)) = (&router, &library) {
        report.unsupported(library, format!("{} counts instead", router.path()));
    }
    router.or(library)
}
