//! What earlier answers say about where a request should go: the conversation's cache (sticky
//! routing) and tool calls (Auto Exacto).
//!
//! Used by `admit` on the candidates, and by `respond` when an answer is over. Only the order of
//! the endpoints of one model is changed, never the order of models; nothing is looked at where
//! there is no choice.

use super::auto_route;
use super::exchange::Exchange;
use super::state::{Services, Snapshot};
use super::tool_judge::{Case, ToolJudge};
use crate::auth::ApiKey;
use crate::chat::FinishReason;
use crate::error::GatewayError;
use crate::formats::Observed;
use crate::formats::tool_calls::GatheredCalls;
use crate::json::{Elements, Head, as_str, find};
use crate::routing::auto::Explanation;
use crate::routing::conversation::Turn;
use crate::routing::exacto::{Board, Standing};
use crate::routing::{Candidate, EndpointView, Gate, Health, Kept, Live, StickyKey};
use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Instant;

/// What is kept of a request for the end of its answer.
#[derive(Debug, Default)]
pub struct Steering {
    /// The conversation, where there is a choice of endpoints.
    pub sticky: Option<StickyKey>,
    /// Whether calls of tools are judged.
    pub judges_tools: bool,
    /// Why its model was chosen, if the gateway chose it.
    pub auto: Option<Explanation>,
}

/// What a request says about the order of endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wishes {
    /// It names providers in an order of its own.
    pub orders: bool,
    /// Endpoints are ranked by how their tool calls turn out.
    pub ranks_tools: bool,
    /// It has tools whose calls can be judged.
    pub has_tools: bool,
}

impl Wishes {
    /// The wishes of a request for these models.
    pub fn read(models: &[String], (body, head): (&[u8], &Head)) -> Self {
        let provider = head.raw(body, "provider").unwrap_or_default();
        let member = |name| find(provider, name).and_then(|place| provider.get(place));
        let is_list = |raw: &[u8]| Elements::new(raw).is_some_and(|mut list| list.next().is_some());
        let sort = member("sort").filter(|raw| *raw != b"null").map(|raw| {
            let by = find(raw, "by").and_then(|place| raw.get(place));
            as_str(by.unwrap_or(raw)).unwrap_or_default()
        });
        let has = |variant: &str| {
            models.iter().any(|name| name.split(':').skip(1).any(|found| found == variant))
        };
        let tools = head.raw(body, "tools").filter(|tools| is_list(tools));
        let orders = member("order").is_some_and(is_list);
        let ranks_tools = match sort.as_deref() {
            Some(by) => by == "exacto",
            None => has("exacto") || (tools.is_some() && !has("floor") && !has("nitro")),
        };
        Self {
            orders,
            ranks_tools: ranks_tools && !orders,
            has_tools: tools.is_some_and(ToolJudge::takes),
        }
    }
}

/// What admission asks on its way from a body to candidates.
pub struct Steer<'a> {
    services: &'a Services,
    key: &'a ApiKey,
    /// The request, if it is a chat.
    turn: Option<Turn<'a>>,
    /// The name its conversation is kept under.
    model: Option<String>,
    wishes: Wishes,
    kept: Option<Kept>,
    steering: Steering,
}

impl<'a> Steer<'a> {
    /// For a request for these models; `turn` is missing where there is no conversation.
    pub fn new(
        (services, key): (&'a Services, &'a ApiKey),
        models: &[String],
        (body, head, turn): (&[u8], &Head, Option<Turn<'a>>),
    ) -> Self {
        let wishes = Wishes::read(models, (body, head));
        let (model, steering) = (models.first().cloned(), Steering::default());
        Self { services, key, turn, model, wishes, kept: None, steering }
    }

    /// Puts models in the place of the names of routers.
    pub fn choose_models(
        &mut self,
        snapshot: &Snapshot,
        models: &mut Vec<String>,
    ) -> Result<(), GatewayError> {
        let Some(turn) = self.turn else { return Ok(()) };
        if auto_route::router(&snapshot.routing, models).is_none() {
            return Ok(());
        }
        self.look_up();
        let place = (self.services, snapshot, self.key);
        let kept = self.kept.as_ref().map(|kept| &*kept.model);
        self.steering.auto = auto_route::resolve(place, models, (turn.body, turn.head), kept)?;
        Ok(())
    }

    /// Orders the endpoints of each model.
    pub fn order<C: Borrow<Candidate>>(&mut self, candidates: &mut [C]) {
        if self.turn.is_none() || !has_choice(candidates) {
            return;
        }
        self.look_up();
        self.steering.judges_tools = self.wishes.has_tools;
        order(self.services, candidates, (self.wishes, self.kept.as_ref()));
    }

    /// Whether a router chose the model.
    pub fn chose(&self) -> bool {
        self.steering.auto.is_some()
    }

    /// What is kept for the end of the answer.
    pub fn finish(self) -> Steering {
        self.steering
    }

    /// Finds the conversation, once.
    fn look_up(&mut self) {
        if self.wishes.orders || self.steering.sticky.is_some() {
            return;
        }
        let (Some(turn), Some(model)) = (&self.turn, &self.model) else { return };
        let sticky = &self.services.sticky;
        self.steering.sticky = sticky.key(&self.key.hash, model, turn);
        let found = self.steering.sticky.as_ref();
        self.kept = found.and_then(|found| sticky.choice(found, Instant::now()));
    }
}

/// How endpoints are doing, with standings that last.
#[derive(Debug, Clone, Copy)]
pub struct LiveNow<'a> {
    /// How they are doing at this moment.
    pub health: &'a Health,
    /// What their tool calls made of them.
    pub exacto: &'a Board,
}

impl Live for LiveNow<'_> {
    fn endpoint(&self, provider: &str, upstream_model: &str) -> EndpointView {
        Live::endpoint(self.health, provider, upstream_model)
    }

    fn tool_standing(&self, endpoint: (&str, &str), view: &EndpointView) -> Standing {
        self.exacto.standing(endpoint, view, Instant::now())
    }
}

/// Whether a model has more than one endpoint among the candidates.
fn has_choice<C: Borrow<Candidate>>(candidates: &[C]) -> bool {
    let mut pairs = candidates.array_windows();
    pairs.any(|[one, other]| one.borrow().canonical == other.borrow().canonical)
}

fn order<C: Borrow<Candidate>>(
    services: &Services,
    candidates: &mut [C],
    (wishes, kept): (Wishes, Option<&Kept>),
) {
    let live = LiveNow { health: &services.health, exacto: &services.exacto };
    let view = |candidate: &Candidate| -> EndpointView {
        live.endpoint(&candidate.provider.slug, &candidate.upstream_model)
    };
    let groups =
        candidates.chunk_by_mut(|one, other| one.borrow().canonical == other.borrow().canonical);
    for group in groups.filter(|group| group.len() > 1) {
        if wishes.ranks_tools {
            group.sort_by_cached_key(|candidate| {
                let candidate = candidate.borrow();
                let view = view(candidate);
                let name = (&*candidate.provider.slug, &*candidate.upstream_model);
                (!is_well(&view), live.tool_standing(name, &view))
            });
        }
        let stays = |candidate: &C| {
            let candidate = candidate.borrow();
            let same = |kept: &Kept| {
                kept.provider == candidate.provider.slug
                    && kept.upstream_model == candidate.upstream_model
            };
            kept.is_some_and(same) && is_well(&view(candidate))
        };
        if let Some(at) = group.iter().position(stays) {
            group.get_mut(..=at).unwrap_or_default().rotate_right(1);
        }
    }
}

fn is_well(view: &EndpointView) -> bool {
    !matches!(view.gate, Gate::Open { .. }) && !view.recent_outage
}

impl Exchange<'_> {
    /// An answer is over and was a success: the conversation stays with the endpoint if its cache
    /// is worth it, and its calls of tools are handed to the judge.
    pub fn learn(
        &self,
        candidate: &Candidate,
        observed: &Observed,
        calls: Option<Box<GatheredCalls>>,
    ) {
        let (services, steering) = (self.services(), self.steering());
        let prompt_tokens = observed.usage.prompt.unwrap_or(0);
        if let Some(key) = &steering.sticky
            && candidate.pricing.as_ref().is_some_and(|price| price.rewards_cache(prompt_tokens))
        {
            let kept = Kept {
                provider: Arc::clone(&candidate.provider.slug),
                upstream_model: Arc::clone(&candidate.upstream_model),
                model: Arc::clone(&candidate.canonical),
            };
            services.sticky.note(key, kept, observed.usage.cached.unwrap_or(0), Instant::now());
        }
        // An answer that was cut off has calls that are.
        let is_whole =
            matches!(observed.finish, Some(FinishReason::ToolCalls | FinishReason::Stop));
        if let Some(calls) =
            calls.filter(|calls| steering.judges_tools && is_whole && !calls.is_empty())
        {
            self.submit(candidate, *calls);
        }
    }

    fn submit(&self, candidate: &Candidate, calls: GatheredCalls) {
        let metrics = &self.services().metrics;
        let provider = &candidate.provider.slug;
        let count = calls.count();
        let (Some(calls), Some(tools)) = (calls.into_calls(), self.tools()) else {
            return metrics.count_tool_calls(provider, "skipped", count);
        };
        let case = Case {
            provider: Arc::clone(provider),
            upstream_model: Arc::clone(&candidate.upstream_model),
            tools: tools.into(),
            calls,
        };
        if let Err(calls) = self.services().tool_judge.submit(case) {
            metrics.count_tool_calls(provider, "skipped", calls);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes() {
        let tools = r#""tools":[{"name":"f"}]"#;
        let cases = [
            ("m", "{}", (false, false, false)),
            ("m", r#"{"tools":[]}"#, (false, false, false)),
            ("m", "{T}", (false, true, true)),
            ("m:floor", "{T}", (false, false, true)),
            ("m:free:nitro", "{T}", (false, false, true)),
            ("m:exacto", "{}", (false, true, false)),
            ("m", r#"{"provider":{"sort":"exacto"}}"#, (false, true, false)),
            ("m", r#"{"provider":{"sort":"price"},T}"#, (false, false, true)),
            ("m", r#"{"provider":{"sort":{"by":"throughput"}},T}"#, (false, false, true)),
            ("m", r#"{"provider":{"sort":null,"order":[]},T}"#, (false, true, true)),
            ("m", r#"{"provider":{"order":["a"]},T}"#, (true, false, true)),
            ("m:exacto", r#"{"provider":{"order":["a"]}}"#, (true, false, false)),
        ];
        for (model, body, (orders, ranks_tools, has_tools)) in cases {
            let body = body.replace('T', tools);
            let head = Head::scan(body.as_bytes()).unwrap();
            let found = Wishes::read(&[model.to_owned()], (body.as_bytes(), &head));
            assert_eq!(found, Wishes { orders, ranks_tools, has_tools }, "{model} {body}");
        }
    }
}
