//! `profe token …`

use clap::{Args, Subcommand};
use owo_colors::OwoColorize;
use serde_json::json;
use time::OffsetDateTime;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::show::{DIM, GOOD, Table, Tone, WARN, time};
use crate::operations::{SCOPES, TokenOrder, TokenRecord};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a token; it is shown this once
    Create(Create),
    /// List tokens, without their secrets
    List,
    /// Take a token back, at once and for good
    Revoke {
        /// Its id, as `profe token list` shows it
        id: String,
    },
}

/// Arguments.
#[derive(Debug, Args)]
pub struct Create {
    /// Who or what will use it
    #[arg(long, value_name = "TEXT")]
    name: String,
    /// What it may do, separated by commas
    #[arg(long, value_name = "SCOPE", value_delimiter = ',', required = true, value_parser = clap::builder::PossibleValuesParser::new(SCOPES))]
    scopes: Vec<String>,
    /// Only for these services, separated by commas; all, if none is named
    #[arg(short, long = "service", value_name = "NAME", value_delimiter = ',')]
    services: Vec<String>,
    /// Until when, in days from now
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    expires_days: Option<u32>,
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_operations(async |operations| {
            match self {
                Self::Create(create) => {
                    let order = TokenOrder {
                        name: create.name,
                        scopes: create.scopes,
                        services: create.services,
                        expires_at: create
                            .expires_days
                            .map(|n| OffsetDateTime::now_utc() + time::Duration::days(n.into())),
                    };
                    let (record, secret) = operations.create_token(order, &context.caller()).await?;
                    let mut document = serde_json::to_value(&record).unwrap_or_default();
                    document["token"] = json!(secret.reveal());
                    context.output.document(&document);
                    context.output.note(format!("{} {} ({})", "Made".style(GOOD), record.id, record.scopes.join(", ")));
                    context.output.note(
                        "Keep it now, it is shown this once. Send it as: Authorization: Bearer …"
                            .style(DIM)
                            .to_string(),
                    );
                    context.output.line(secret.reveal());
                }
                Self::List => list(context, &operations.tokens().await?),
                Self::Revoke { id } => {
                    let record = operations.revoke_token(&id, &context.caller()).await?;
                    context.output.document(&record);
                    context.output.line(format!("{} {} {}", "Revoked".style(WARN), record.id, record.name));
                }
            }
            Ok(Exit::Ok)
        })
    }
}

fn list(context: &Context, tokens: &[TokenRecord]) {
    context.output.document(&tokens);
    if tokens.is_empty() {
        context.output.line("There are no tokens. `profe token create --name … --scopes …` makes one.");
        return;
    }
    let mut table = Table::new(&["ID", "NAME", "SCOPES", "SERVICES", "STATE", "LAST USED"]);
    for token in tokens {
        let now = OffsetDateTime::now_utc();
        let (state, tone) = match (token.revoked_at, token.expires_at) {
            (Some(_), _) => ("revoked", Tone::Dim),
            (None, Some(end)) if end <= now => ("expired", Tone::Warn),
            _ => ("usable", Tone::Good),
        };
        table.row([
            (token.id.clone(), None),
            (token.name.clone(), None),
            (token.scopes.join(", "), None),
            (token.services.as_ref().map_or_else(|| "all".to_owned(), |names| names.join(", ")), None),
            (state.to_owned(), Some(tone)),
            (token.last_used_at.map_or_else(|| "never".to_owned(), time), Some(Tone::Dim)),
        ]);
    }
    context.output.line(table.to_string());
}
