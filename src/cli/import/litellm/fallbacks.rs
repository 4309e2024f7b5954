//! `model_group_alias`, `fallbacks`, and the default model.
//!
//! A fallback becomes further endpoints of the model, after its own; endpoints of a fallback's own
//! fallbacks are not taken along.

use super::super::draft::{Draft, Endpoint};
use super::super::input::Field;
use super::super::report::Report;
use super::{router_setting, target};

/// Fills aliases, further endpoints and the default model.
pub(super) fn convert(root: &Field<'_>, draft: &mut Draft, report: &mut Report) {
    aliases(root, draft, report);
    // What a model serves by itself, before anything is added to it.
    let own: Vec<(String, Vec<Endpoint>)> =
        draft.models.iter().map(|model| (model.name.clone(), model.endpoints.clone())).collect();
    let own = Own(own);
    if let Some(list) = router_setting(root, "fallbacks", report) {
        for (from, targets) in list.children().iter().flat_map(Field::entries) {
            for field in targets_of(&targets) {
                fallback(&[from.to_owned()], &field, (&own, draft), report);
            }
        }
        if !list.is_container() {
            report.exact(&list, "none");
        }
    }
    if let Some(list) = router_setting(root, "default_fallbacks", report) {
        let all: Vec<String> = own.0.iter().map(|(name, _)| name.clone()).collect();
        for field in targets_of(&list) {
            fallback(&all, &field, (&own, draft), report);
        }
    }
    for name in ["context_window_fallbacks", "content_policy_fallbacks"] {
        if let Some(field) = router_setting(root, name, report) {
            let reason = "models have no list of their own for this error; clients can send several \
                          `models`";
            report.unsupported(&field, reason);
        }
    }
    default_model(root, draft, report);
}

/// The endpoints that models have of their own.
struct Own(Vec<(String, Vec<Endpoint>)>);

impl Own {
    /// The endpoints of a model, an alias, or a name with a provider's prefix.
    fn endpoints(&self, draft: &Draft, name: &str) -> Vec<Endpoint> {
        let of_model = |name: &str| self.0.iter().find(|(known, _)| known == name);
        if let Some((_, endpoints)) = of_model(name) {
            return endpoints.clone();
        }
        if let Some((_, targets)) = draft.aliases.iter().find(|(alias, _)| alias == name) {
            let models = targets.iter().filter_map(|target| of_model(target));
            return models.flat_map(|(_, endpoints)| endpoints.clone()).collect();
        }
        let by_prefix = name.split_once('/').filter(|_| target::is_model_name(name));
        let provider = by_prefix.and_then(|(prefix, rest)| Some((draft.provider(prefix)?, rest)));
        let endpoint =
            provider.filter(|(_, rest)| !rest.is_empty()).map(|(provider, rest)| Endpoint {
                provider: provider.slug.clone(),
                upstream_model: rest.to_owned(),
                price: Vec::new(),
                order: f64::MAX,
            });
        endpoint.into_iter().collect()
    }
}

/// A list, or one name.
fn targets_of<'a>(field: &Field<'a>) -> Vec<Field<'a>> {
    if field.is_container() { field.children() } else { vec![field.clone()] }
}

fn fallback(
    from: &[String],
    field: &Field<'_>,
    (own, draft): (&Own, &mut Draft),
    report: &mut Report,
) {
    let Some(name) = field.text() else {
        report.manual(field, "only names of models can be carried over");
        return;
    };
    let endpoints = own.endpoints(draft, name);
    let every = from.iter().any(|from| from == "*");
    let mut added = false;
    for model in draft.models.iter_mut().filter(|m| every || from.contains(&m.name)) {
        if model.name == name {
            added = true;
            continue;
        }
        for endpoint in &endpoints {
            if !model.endpoints.iter().any(|known| known.is_same(endpoint)) {
                model.endpoints.push(endpoint.clone());
            }
            added = true;
        }
    }
    if added {
        let reason =
            "its endpoints follow those of the model; usage names the provider that served";
        report.approximate(field, reason);
    } else if endpoints.is_empty() {
        report.manual(field, "no model of that name was carried over");
    } else {
        report.manual(field, "the model it belongs to was not carried over");
    }
}

fn aliases(root: &Field<'_>, draft: &mut Draft, report: &mut Report) {
    let Some(table) = router_setting(root, "model_group_alias", report) else { return };
    if !table.is_container() {
        report.exact(&table, "none");
    }
    let entries = table.entries();
    for (name, field) in table.entries() {
        let table = field.get("model");
        if let Some(hidden) = field.get("hidden") {
            report.unsupported(&hidden, "aliases are listed among the models");
        }
        let field = table.unwrap_or(field);
        let names: Option<Vec<String>> =
            targets_of(&field).iter().map(|target| Some(target.text()?.to_owned())).collect();
        let chained = |target: &str| {
            draft.model(target).is_none() && entries.iter().any(|(alias, _)| *alias == target)
        };
        let served = |target: &String| {
            let by_prefix = target.split_once('/').and_then(|(prefix, _)| draft.provider(prefix));
            !chained(target)
                && target::is_model_name(target)
                && (draft.model(target).is_some() || by_prefix.is_some())
        };
        match names {
            Some(names) if names.is_empty() || !names.iter().all(served) => {
                report.manual(&field, "the model it stands for was not carried over");
            }
            Some(_) if draft.model(name).is_some() || !target::is_model_name(name) => {
                report.manual(&field, "the alias has the name of a model, or no name for one");
            }
            Some(names) => {
                if field.is_list() {
                    report.approximate(&field, "an alias with its candidates in order");
                } else {
                    report.exact(&field, "an alias");
                }
                draft.aliases.push((name.to_owned(), names));
            }
            None => report.manual(&field, "only names of models can be carried over"),
        }
    }
}

fn default_model(root: &Field<'_>, draft: &mut Draft, report: &mut Report) {
    let general = root.get("general_settings");
    let Some(field) = general.and_then(|general| general.get("completion_model")) else { return };
    let known = |name: &&str| {
        draft.model(name).is_some() || draft.aliases.iter().any(|(alias, _)| alias == name)
    };
    match field.text().filter(known) {
        Some(name) => {
            draft.default_model = Some(name.to_owned());
            report.approximate(&field, "the model of a request that names none");
        }
        None => report.manual(&field, "no model of that name was carried over"),
    }
}
