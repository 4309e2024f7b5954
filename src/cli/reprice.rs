//! `arouter usage reprice`: recorded requests at the prices of today.
//!
//! Reads the store page by page, computes what every request costs at the prices that the
//! configuration or the built-in catalog has now, and writes back what changed: each page's
//! requests and the sums that hold them in one transaction. What is not written for any reason
//! keeps its old cost, so that a run that broke off is simply repeated.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use clap::Args;

use super::output::{self, columns};
use super::{CliError, ConfigArgs};
use crate::billing::reprice::repricing;
use crate::catalog::Pricing;
use crate::config::Config;
use crate::money::PicoUsd;
use crate::server::build;
use crate::store::{Generation, PageMark, Store, StoreError, UsageFilter};
use crate::usage::report;

/// Requests that are read and written at a time.
const PAGE: u32 = 500;

/// Flags of `arouter usage reprice`.
#[derive(Debug, Args)]
pub(super) struct RepriceArgs {
    /// Not before this time: `2026-04-03` (midnight UTC) or `2026-04-03T12:00:00Z`.
    #[arg(long, value_name = "TIME", value_parser = report::time_ms, env = "AROUTER_FROM")]
    from: Option<i64>,
    /// Before this time.
    #[arg(long, value_name = "TIME", value_parser = report::time_ms, env = "AROUTER_TO")]
    to: Option<i64>,
    /// Only requests that this model answered, such as `openai/gpt-5.4`.
    #[arg(long, value_name = "MODEL", env = "AROUTER_MODEL")]
    model: Option<String>,
    /// Say what would change, and change nothing.
    #[arg(long, env = "AROUTER_DRY_RUN")]
    dry_run: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs it.
pub(super) fn run(args: &RepriceArgs) -> Result<(), CliError> {
    let config = args.config.load()?.config;
    let filter = UsageFilter {
        from_ms: args.from,
        to_ms: args.to,
        model: args.model.clone(),
        ..UsageFilter::default()
    };
    let writing = if args.dry_run { Writing::No } else { Writing::Yes };
    super::block_on(async {
        let store = super::open_store(&config).await?;
        let changes = reprice(&store, &filter, &PriceBook::of(&config), writing).await;
        let changes = changes.map_err(|error| CliError::Failed(error.to_string()))?;
        output::answer(&changes.table(writing))
    })
}

/// Whether new costs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    Yes,
    No,
}

async fn reprice(
    store: &Store,
    filter: &UsageFilter,
    prices: &PriceBook<'_>,
    writing: Writing,
) -> Result<Changes, StoreError> {
    let mut changes = Changes::default();
    let mut mark = None;
    loop {
        let page = store.usage_page(filter, mark.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(changes) };
        mark = Some(PageMark::after(last));
        let mut repricings = Vec::new();
        for record in &page {
            let Some(pricing) = prices.find(record) else {
                changes.without_price += u64::from(!record.model.is_empty());
                continue;
            };
            if let Some(repricing) = repricing(record, &pricing) {
                changes.note(record, repricing.cost_pico_usd);
                repricings.push(repricing);
            }
        }
        if writing == Writing::Yes && !repricings.is_empty() {
            changes.written += store.reprice(&repricings).await?;
        }
    }
}

/// The prices of today for recorded requests, found as routing finds them.
struct PriceBook<'c> {
    config: &'c Config,
    /// By the model's name and the provider's, and by the provider's own name of the model; `None`
    /// where two endpoints of one provider cost differently, so that a record does not say which.
    configured: HashMap<(String, String), Option<Arc<Pricing>>>,
    by_upstream: HashMap<(String, String), Option<Arc<Pricing>>>,
}

impl<'c> PriceBook<'c> {
    fn of(config: &'c Config) -> Self {
        let mut book = Self { config, configured: HashMap::new(), by_upstream: HashMap::new() };
        for (id, entry) in &config.models {
            for endpoint in build::model(config, id, entry).endpoints {
                let provider = config.provider(&endpoint.provider);
                let slug = provider.map_or(&*endpoint.provider, |(slug, _)| slug).to_owned();
                let upstream = (slug.clone(), endpoint.upstream_model.to_string());
                book.by_upstream.entry(upstream).or_insert_with(|| endpoint.pricing.clone());
                let known = book.configured.entry((id.clone(), slug));
                known
                    .and_modify(|known| {
                        if *known != endpoint.pricing {
                            *known = None;
                        }
                    })
                    .or_insert(endpoint.pricing);
            }
        }
        book
    }

    fn find(&self, record: &Generation) -> Option<Arc<Pricing>> {
        let provider = &record.provider;
        if let Some(known) = self.configured.get(&(record.model.clone(), provider.clone())) {
            return known.clone();
        }
        let upstream_model = record.model.strip_prefix(provider.as_str())?.strip_prefix('/')?;
        let upstream = (provider.clone(), upstream_model.to_owned());
        if let Some(known) = self.by_upstream.get(&upstream) {
            return known.clone();
        }
        build::known_model(self.config, provider, upstream_model)?.pricing.clone()
    }
}

/// What a run found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    by_model: BTreeMap<String, Change>,
    /// Requests whose new cost is in the store.
    written: u64,
    /// Requests that were answered, but for which no price is known now.
    without_price: u64,
}

/// The requests of one model.
#[derive(Debug, Default, PartialEq, Eq)]
struct Change {
    requests: u64,
    before: PicoUsd,
    after: PicoUsd,
}

impl Change {
    fn cells(&self, name: &str) -> Vec<String> {
        let difference = self.after.saturating_sub(self.before);
        let amounts = [self.before, self.after, difference].map(|usd| usd.to_string());
        let mut cells = vec![name.to_owned(), self.requests.to_string()];
        cells.extend(amounts);
        cells
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.before = self.before.saturating_add(other.before);
        self.after = self.after.saturating_add(other.after);
    }
}

impl Changes {
    fn note(&mut self, record: &Generation, cost: PicoUsd) {
        let one = Change { requests: 1, before: record.cost_pico_usd, after: cost };
        self.by_model.entry(record.model.clone()).or_default().add(&one);
    }

    fn total(&self) -> Change {
        let mut total = Change::default();
        self.by_model.values().for_each(|change| total.add(change));
        total
    }

    fn table(&self, writing: Writing) -> String {
        let head = ["MODEL", "REQUESTS", "BEFORE (USD)", "AFTER (USD)", "DIFFERENCE"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(self.by_model.iter().map(|(model, change)| change.cells(model)));
        rows.push(self.total().cells("total"));
        let kept = match self.without_price {
            0 => String::new(),
            count => format!("{count} requests keep their cost: no price is known now.\n"),
        };
        let done = match writing {
            Writing::Yes => format!("{} requests have a new cost.\n", self.written),
            Writing::No => "Nothing was changed.\n".to_owned(),
        };
        format!("{}{kept}{done}", columns(&rows))
    }
}

#[cfg(test)]
mod tests;
