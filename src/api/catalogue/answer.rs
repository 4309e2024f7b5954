//! Answers to what is asked of the catalogue.
//!
//! Called by `proxy/local.rs` with the snapshot of the request. A long list gives way to other
//! requests every few hundred models.

use super::endpoint::{EndpointObject, ModelEndpoints};
use super::face::parameter_names;
use super::filter::Filter;
use super::gemini::{GeminiModel, GeminiPage};
use super::lookup::Lookup;
use super::order::{Cut, Order, Page};
use super::{Catalogue, Seen, providers};
use crate::api::query::{Query, wrong};
use crate::auth::ApiKey;
use crate::catalog::{Parameter, ParameterSet};
use crate::error::{GatewayError, Kind};
use crate::routing::RoutingTable;
use crate::routing::health::Health;
use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

/// Models that are looked at before others get a turn.
const MODELS_AT_A_TIME: usize = 256;

/// What an answer is made from.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// What there is.
    pub catalogue: &'a Catalogue,
    /// What names mean.
    pub routing: &'a RoutingTable,
    /// Who asks.
    pub key: &'a ApiKey,
    /// How endpoints are doing.
    pub health: &'a Health,
    /// The time, Unix seconds.
    pub now_s: u64,
    /// The path that the asked one begins with: `/v1` or `/api/v1`.
    pub root: &'a str,
}

/// Answers, in JSON.
pub async fn answer(
    view: View<'_>,
    lookup: &Lookup,
    query: Option<&str>,
) -> Result<Bytes, GatewayError> {
    let query = Query::parse(query)?;
    match lookup {
        Lookup::Models => view.list("/models", Filter::read(&query, view.routing)?, &query).await,
        Lookup::UserModels => {
            view.list("/models/user", Filter::read(&query, view.routing)?, &query).await
        }
        Lookup::EmbeddingModels => {
            let filter = Filter::read(&query, view.routing)?.of_embeddings();
            view.list("/embeddings/models", filter, &query).await
        }
        Lookup::Count => {
            let found = view.matching(&Filter::read(&query, view.routing)?).await;
            data(&json!({ "count": found.len() }))
        }
        Lookup::Model(name) => Ok(Bytes::from(view.model(name)?.face.object.to_string())),
        Lookup::ModelData(name) => {
            Ok(Bytes::from(format!("{{\"data\":{}}}", view.model(name)?.face.object)))
        }
        Lookup::Endpoints(name) => view.endpoints(name),
        Lookup::ZdrEndpoints => view.zdr_endpoints().await,
        Lookup::Providers => {
            let models = view.matching(&Filter::default()).await;
            data(&providers::list(view.routing, view.key, &models))
        }
        Lookup::Parameters(name) => view.parameters(name, &query),
        Lookup::GeminiModels => {
            let models = view.matching(&Filter::default()).await;
            to_json(&GeminiPage::of(&query, &models)?)
        }
        Lookup::GeminiModel(name) => {
            let home = view.model(&format!("google/{name}"));
            let seen = home.or_else(|_| view.model(name))?;
            to_json(&GeminiModel::of(seen.names, &seen.face))
        }
    }
}

impl<'a> View<'a> {
    /// The models that the key may use and the filter lets through, by id.
    async fn matching(&self, filter: &Filter) -> Vec<Seen<'a>> {
        let mut found = Vec::new();
        for some in self.catalogue.entries.chunks(MODELS_AT_A_TIME) {
            let seen = some.iter().filter_map(|entry| entry.seen_by(self.key));
            found.extend(seen.filter(|seen| filter.fits(seen.names, &seen.face, self.now_s)));
            tokio::task::yield_now().await;
        }
        found
    }

    /// A list in the union of OpenAI's, OpenRouter's and Anthropic's shapes.
    async fn list(&self, path: &str, filter: Filter, query: &Query) -> Result<Bytes, GatewayError> {
        let (order, page) = (Order::read(query)?, Page::read(query)?);
        let mut found = self.matching(&filter).await;
        order.sort(&mut found, self.health);
        let cut = page.cut(&found)?;
        let next = cut.next.map(|(offset, limit)| {
            let page = [("offset", offset.to_string()), ("limit", limit.to_string())];
            format!("{}{path}?{}", self.root, query.with(&page))
        });
        let id = |seen: Option<&Seen<'_>>| seen.map(|seen| seen.names.id.to_string());
        let head = json!({
            "object": "list",
            "first_id": id(cut.shown.first()),
            "last_id": id(cut.shown.last()),
            "has_more": cut.has_more,
            "total_count": found.len(),
            "links": { "next": next },
        });
        Ok(with_data(&head.to_string(), &cut))
    }

    fn model(&self, name: &str) -> Result<Seen<'a>, GatewayError> {
        self.catalogue.find(self.routing, self.key, name).ok_or_else(|| no_model(name))
    }

    fn endpoints(&self, name: &str) -> Result<Bytes, GatewayError> {
        let seen = self.model(name)?;
        let names = (&*seen.names.id, &*seen.names.title);
        let endpoints = seen.face.endpoints.iter();
        let endpoints: Vec<EndpointObject<'_>> =
            endpoints.map(|one| EndpointObject::of(names, one, self.health)).collect();
        data(&ModelEndpoints::of(names, &seen.face.facts, endpoints))
    }

    async fn zdr_endpoints(&self) -> Result<Bytes, GatewayError> {
        let models = self.matching(&Filter::default()).await;
        let mut objects = Vec::new();
        for some in models.chunks(MODELS_AT_A_TIME) {
            for seen in some.iter().filter(|seen| seen.names.target.is_none()) {
                let names = (&*seen.names.id, &*seen.names.title);
                let endpoints = seen.face.endpoints.iter().filter(|one| one.data_policy.zdr);
                objects.extend(endpoints.map(|one| EndpointObject::of(names, one, self.health)));
            }
            tokio::task::yield_now().await;
        }
        data(&objects)
    }

    fn parameters(&self, name: &str, query: &Query) -> Result<Bytes, GatewayError> {
        let seen = self.model(name)?;
        let asked = query.get("provider");
        let served: Vec<ParameterSet> = seen
            .face
            .endpoints
            .iter()
            .filter(|one| {
                asked.is_none_or(|asked| {
                    one.provider.names().any(|name| name.eq_ignore_ascii_case(asked))
                })
            })
            .map(|one| one.parameters)
            .collect();
        if served.is_empty() {
            return Err(wrong("provider", "a provider that serves the model"));
        }
        let taken = |one: &Parameter| served.iter().any(|set| set.contains(*one));
        let all: ParameterSet = Parameter::ALL.iter().copied().filter(taken).collect();
        data(&json!({
            "model": &*seen.names.id,
            "supported_parameters": parameter_names(all),
        }))
    }
}

/// A list whose objects are ready; `head` is an object without them.
fn with_data(head: &str, cut: &Cut<'_, '_>) -> Bytes {
    let objects = || cut.shown.iter().map(|seen| &*seen.face.object);
    let size = head.len() + objects().map(|object| object.len() + 1).sum::<usize>() + 16;
    let mut body = String::with_capacity(size);
    body.push_str(head.strip_suffix('}').unwrap_or(head));
    body.push_str(",\"data\":[");
    for (place, object) in objects().enumerate() {
        if place > 0 {
            body.push(',');
        }
        body.push_str(object);
    }
    body.push_str("]}");
    body.into()
}

/// What OpenRouter wraps its answers in.
fn data(data: &impl Serialize) -> Result<Bytes, GatewayError> {
    #[derive(Serialize)]
    struct Wrapped<'d, T> {
        data: &'d T,
    }
    to_json(&Wrapped { data })
}

fn to_json(value: &impl Serialize) -> Result<Bytes, GatewayError> {
    let body = serde_json::to_vec(value);
    body.map(Bytes::from).map_err(|error| GatewayError::internal(format!("catalogue: {error}")))
}

fn no_model(name: &str) -> GatewayError {
    let text = format!("model '{name}' is not known");
    let mut error = GatewayError::client(Kind::NotFound, text).with_param("model");
    error.provider_code = Some("model_not_found".into());
    error
}
