//! From the database beside into the live one, under other names.

use std::io;
use std::sync::Arc;

use embedded_postgres::Tools;
use futures_util::{StreamExt, TryStreamExt, stream};
use postgres_link::ConnectOptions;
use tokio_util::sync::CancellationToken;

use crate::error::VaultError;
use crate::make::{Ended, blocking, settle};
use crate::manifest::Scope;
use crate::plan;
use crate::program::Program;
use crate::restore::Side;
use crate::source::Source;
use crate::stream::Progress;
use crate::unnamed::Unnamed;
use crate::vault::Vault;

/// Copies the schemas `staged`. `without` are arguments of `pg_dump` that say what of their definitions stays behind.
pub(crate) async fn copy(
    vault: &Vault,
    side: &Side<'_>,
    live: &ConnectOptions,
    (staged, without): (&[String], &[&str]),
    progress: &Arc<Progress>,
    cancel: &CancellationToken,
) -> Result<(), VaultError> {
    if staged.is_empty() {
        return Ok(());
    }
    // Not the history: its rows are brought back by themselves.
    let scope = Scope { services: Vec::new(), schemas: staged.to_vec() };
    let source = Source::open(&side.connect(), &scope).await?;
    let tools = Tools::for_server(&vault.variables(), source.facts.server_version_num / 10_000)?;
    let schemas: Vec<String> = staged.iter().map(|name| format!("--schema={}", plan::quoted(name))).collect();
    let copying = Copying { tools: &tools, from: side.connect(), to: live.clone(), cancel };
    let file = Unnamed::new().map_err(|error| VaultError::stream("schema")(error.into()))?;
    let path = file.path();
    let definitions = [
        "--format=custom".to_owned(),
        "--section=pre-data".to_owned(),
        "--section=post-data".to_owned(),
        format!("--file={path}"),
    ];
    copying
        .run(
            Program::new(&tools, "pg_dump", &copying.from)
                .arguments(definitions)
                .arguments(without)
                .arguments(&schemas),
        )
        .await?;
    copying.restore(&["--section=pre-data".to_owned(), path.clone()]).await?;
    let tables: Vec<_> = source.tables.into_iter().filter(|table| staged.contains(&table.name.schema)).collect();
    let parts = plan::data_parts(&tables, schemas, vault.jobs());
    stream::iter(parts.into_iter().map(|part| copying.pipe(part.arguments, &source.snapshot, progress)))
        .buffer_unordered(vault.jobs())
        .try_collect::<Vec<()>>()
        .await?;
    copying.restore(&["--section=post-data".to_owned(), format!("--jobs={}", vault.jobs()), path]).await?;
    source.conn.close().await;
    Ok(())
}

struct Copying<'a> {
    tools: &'a Tools,
    from: ConnectOptions,
    to: ConnectOptions,
    cancel: &'a CancellationToken,
}

impl Copying<'_> {
    async fn run(&self, program: Program) -> Result<(), VaultError> {
        let running = program.start()?;
        running.end_with(self.cancel);
        blocking(move || settle(Ok(()), running)).await.map_err(|ended| ended.told("copy"))
    }

    fn pg_restore(&self) -> Program {
        let database = format!("--dbname={}", self.to.database());
        Program::new(self.tools, "pg_restore", &self.to).arguments(["--exit-on-error".to_owned(), database])
    }

    async fn restore(&self, arguments: &[String]) -> Result<(), VaultError> {
        self.run(self.pg_restore().arguments(arguments)).await
    }

    /// One side's output is the other side's input.
    async fn pipe(&self, arguments: Vec<String>, snapshot: &str, progress: &Arc<Progress>) -> Result<(), VaultError> {
        let dump =
            Program::pg_dump(self.tools, &self.from, snapshot).arguments(["--section=data"]).arguments(arguments);
        let mut dumping = dump.start()?;
        let mut restoring = self.pg_restore().arguments(["--section=data"]).start()?;
        dumping.end_with(self.cancel);
        restoring.end_with(self.cancel);
        let (mut output, input, watched) = (dumping.take_output(), restoring.take_input(), Arc::clone(progress));
        let piped = blocking(move || {
            let copied = match input {
                Some(mut input) => io::copy(&mut output, &mut input),
                None => Ok(0),
            };
            drop(output);
            watched.bytes.fetch_add(*copied.as_ref().unwrap_or(&0), std::sync::atomic::Ordering::Relaxed);
            let dumped = dumping.finish();
            settle(copied.map_err(Into::into), restoring)?;
            dumped.map_err(Ended::Program)
        });
        piped.await.map_err(|ended| ended.told("copy"))
    }
}
