//! `profe db scratch`

use clap::Args;
use owo_colors::OwoColorize;
use serde_json::json;

use super::url;
use crate::cli::context::{Context, block_on};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::show::GOOD;
use crate::operations::Recording;

/// Arguments.
#[derive(Debug, Args)]
pub struct Scratch {
    /// A word for its name
    #[arg(default_value = "dev", conflicts_with_all = ["drop", "list"])]
    label: String,
    /// Without the environment's seeds
    #[arg(long, conflicts_with_all = ["drop", "list"])]
    no_seeds: bool,
    /// Drop this one
    #[arg(long, value_name = "NAME", conflicts_with = "list")]
    drop: Option<String>,
    /// List those that exist
    #[arg(long)]
    list: bool,
}

impl Scratch {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let project = context.project()?;
        let databases = context.databases()?;
        let operations = context.operations(project, databases, Recording::Alongside)?;
        let entry = operations.environment(context.environment())?;
        if entry.protected {
            return Err(Failure::other(
                Exit::Refused,
                "protected",
                format!("the environment {:?} is protected: no throwaway databases on its server", entry.environment),
                "name another environment with --environment",
            ));
        }
        let target = entry.target.as_ref().map_err(|reason| Failure::usage(reason.clone(), ""))?;
        let project = operations.project().clone();
        let scratch =
            migration_engine::scratch::Scratch::new(&target.connect, project, &entry.environment, !self.no_seeds);
        let output = context.output;
        if self.list {
            let names = block_on(scratch.list())??;
            output.document(&names);
            for name in &names {
                output.line(name);
            }
        } else if let Some(name) = &self.drop {
            block_on(scratch.drop(name))??;
            output.document(&json!({ "dropped": name }));
            output.line(format!("{} {name}", "dropped".style(GOOD)));
        } else {
            let connect = block_on(scratch.create(&self.label))??;
            let url = url::of(context, &operations, databases, &entry.environment, connect.database())?;
            output.document(&json!({ "database": connect.database(), "url": url }));
            output.line(&url);
            if databases.cluster().is_some() {
                output.note("The private server stops with this command; `profe up` keeps it running.");
            }
        }
        Ok(Exit::Ok)
    }
}
