//! `arouter credits`: the account's money, in the store that the configuration names.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{CliError, ConfigArgs, ReadArgs, output};
use crate::clock::Clock;
use crate::id;
use crate::money::PicoUsd;
use crate::store::{Cause, Credit, Movement, Store, StoreError};

/// Who a credit is said to come from.
const ACTOR: &str = "command line";

/// The commands below `arouter credits`.
#[derive(Debug, Subcommand)]
pub(super) enum CreditsCommand {
    /// Put money on the account; an amount below zero takes a mistake back.
    Add(AddArgs),
    /// Show the balance and what moved it last, newest first.
    List(ListArgs),
}

/// Flags of `arouter credits add`.
#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// How much, in USD, such as `25.50`.
    #[arg(value_name = "USD", allow_negative_numbers = true)]
    amount: PicoUsd,
    /// What for.
    #[arg(long, value_name = "TEXT", default_value = "Credit", env = "AROUTER_DESCRIPTION")]
    description: String,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    read: ReadArgs,
}

/// Flags of `arouter credits list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// How many movements.
    #[arg(long, value_name = "N", default_value_t = 20, env = "AROUTER_LIMIT")]
    limit: u32,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    read: ReadArgs,
}

/// Runs one of them.
pub(super) fn run(command: &CreditsCommand) -> Result<(), CliError> {
    let config = match command {
        CreditsCommand::Add(args) => &args.config,
        CreditsCommand::List(args) => &args.config,
    };
    let config = config.load()?.config;
    super::block_on(async {
        let store = super::open_store(&config).await?;
        match command {
            CreditsCommand::Add(args) => add(&store, args).await,
            CreditsCommand::List(args) => list(&store, args).await,
        }
    })
}

async fn add(store: &Store, args: &AddArgs) -> Result<(), CliError> {
    if args.amount == PicoUsd::ZERO {
        return Err(CliError::Failed("the amount must be more or less than zero".to_owned()));
    }
    let credit = Credit {
        id: id::transaction_id(),
        created_ms: Clock::System.unix_ms(),
        amount: args.amount,
        description: args.description.clone(),
        actor: ACTOR.to_owned(),
    };
    let mut write = store.begin_write().await.map_err(failed)?;
    write.add_credit(&credit).await.map_err(failed)?;
    write.commit().await.map_err(failed)?;
    let (credits, usage) = totals(store).await?;
    let balance = credits.saturating_sub(usage);
    if args.read.json {
        return output::json(&json!({ "id": credit.id, "balance": balance.to_string() }));
    }
    output::answer(&format!("{} added, the balance is {balance} USD", credit.amount))
}

async fn list(store: &Store, args: &ListArgs) -> Result<(), CliError> {
    let (credits, usage) = totals(store).await?;
    let balance = credits.saturating_sub(usage);
    let movements = store.transactions(args.limit, None).await.map_err(failed)?;
    if args.read.json {
        return output::json(&json!({
            "balance": balance.to_string(),
            "total_credits": credits.to_string(),
            "total_usage": usage.to_string(),
            "transactions": movements.iter().map(object).collect::<Vec<_>>(),
        }));
    }
    let mut lines = vec![format!("balance {balance} USD: credits {credits}, used {usage}")];
    for movement in &movements {
        let (at, amount) = (time(movement), movement.amount.to_string());
        lines.push(format!("{at:<24} {amount:>16}  {}", what(movement)));
    }
    output::answer(&lines.join("\n"))
}

async fn totals(store: &Store) -> Result<(PicoUsd, PicoUsd), CliError> {
    let credits = store.credits_total().await.map_err(failed)?;
    let usage = store.account_usage().await.map_err(failed)?;
    Ok((credits, usage))
}

fn object(movement: &Movement) -> Value {
    json!({
        "id": movement.id,
        "amount": movement.amount.to_string(),
        "description": what(movement),
        "created_at": time(movement),
    })
}

fn what(movement: &Movement) -> String {
    match &movement.cause {
        Cause::Credit { description, actor } => format!("{description} ({actor})"),
        Cause::Request { model, .. } => model.clone(),
    }
}

fn time(movement: &Movement) -> String {
    let time = Timestamp::from_millisecond(movement.created_ms);
    time.map(|time| time.to_string()).unwrap_or_default()
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function of map_err")]
fn failed(error: StoreError) -> CliError {
    CliError::Failed(error.to_string())
}
