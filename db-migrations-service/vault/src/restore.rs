//! Bringing a backup back, into a database that is new.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use embedded_postgres::Tools;
use futures_util::{StreamExt, TryStreamExt, stream};
use postgres_link::claims::drop_database;
use postgres_link::quote::{identifier, literal};
use postgres_link::{AdminConn, ConnectOptions};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{Sender, channel};
use tokio_util::sync::CancellationToken;

use crate::archive::{ArchiveReader, Frozen, TableName};
use crate::beside;
use crate::error::VaultError;
use crate::make::{Ended, blocking, settle, unless};
use crate::manifest::{BackupId, Manifest, OutsideKey, Part, PartKind};
use crate::program::Program;
use crate::roles::{self, Extent};
use crate::stream::{self as pipe, PIECES, Passed, Progress, StreamError};
use crate::unnamed::Unnamed;
use crate::vault::Vault;

/// A table with fewer rows is not worth emptying first, which makes it a new file.
const FREEZING: u64 = 1_000;

/// Tables that are what they seem, and that no extension has made.
const ORDINARY_TABLES: &str = "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_depend d \
       WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')";

/// What came of a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The backup.
    pub id: BackupId,
    /// The new database's name.
    pub database: String,
    /// Foreign keys that stand unchecked, since the other end's rows are not in the backup.
    pub unchecked_keys: Vec<OutsideKey>,
}

impl Vault {
    /// Restores into a new database `database` on the server of `server`. It is there when all of it is there: until then it has
    /// another name.
    ///
    /// # Errors
    /// Whatever stops it; then there is no new database. Roles that were created stay.
    pub async fn restore_into_new(
        &self,
        id: &BackupId,
        server: &ConnectOptions,
        database: &str,
        progress: &Arc<Progress>,
        cancel: &CancellationToken,
    ) -> Result<Restored, VaultError> {
        let manifest = self.manifest(id).await?;
        let maintenance = maintenance(server).await?;
        let taken = format!("SELECT FROM pg_database WHERE datname = {}", literal(database));
        if maintenance.batch(&taken).await.map_err(own("looking for the database"))?.rows().next().is_some() {
            return Err(VaultError::DatabaseExists(database.to_owned()));
        }
        let side = Box::pin(Side::create(self, manifest, server, beside::RESTORING, cancel)).await?;
        let restored = async {
            let part = side.load(progress, cancel).await?;
            let statements = roles::statements(&part, &side.name, Extent::Database)
                .map_err(|error| side.damaged(format!("its roles cannot be read: {error}")))?;
            for statement in statements {
                maintenance
                    .batch(&statement)
                    .await
                    .map_err(own("giving the database its owner, rights and settings"))?;
            }
            let rename = format!("ALTER DATABASE {} RENAME TO {}", identifier(&side.name), identifier(database));
            maintenance.batch(&rename).await.map_err(own("naming the new database"))?;
            Ok(())
        };
        match Box::pin(unless(cancel, restored)).await {
            Ok(()) => Ok(Restored {
                id: id.clone(),
                database: database.to_owned(),
                unchecked_keys: side.manifest.outside_keys.clone(),
            }),
            Err(error) => {
                side.strike().await;
                Err(error)
            }
        }
    }
}

/// A database that a backup is being restored into.
pub(crate) struct Side<'a> {
    vault: &'a Vault,
    pub manifest: Manifest,
    server: ConnectOptions,
    tools: Tools,
    pub name: String,
    /// Says that somebody works on it, as long as it is open.
    claim: AdminConn,
}

impl<'a> Side<'a> {
    /// Creates it, with the encoding and the locale of the one that was backed up.
    pub(crate) async fn create(
        vault: &'a Vault,
        manifest: Manifest,
        server: &ConnectOptions,
        prefix: &str,
        cancel: &CancellationToken,
    ) -> Result<Self, VaultError> {
        let maintenance = maintenance(server).await?;
        let ours = maintenance.server_version_num() / 10_000;
        suits(vault, &manifest, maintenance.server_version_num())?;
        // What a newer pg_dump wrote only a newer pg_restore reads.
        let written = manifest.pg_dump.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(ours);
        let tools = Tools::for_server(&vault.variables(), ours.max(written)).map_err(|source| {
            let id = manifest.id.clone();
            if written > ours { VaultError::OlderTools { id, written, source } } else { source.into() }
        })?;
        let name = beside::name(prefix, &manifest.id)?;
        if !cancel.is_cancelled() {
            beside::sweep(&maintenance).await?;
        }
        let claim = beside::claim(maintenance, &name).await?;
        let side = Self { vault, manifest, server: server.clone(), tools, name, claim };
        if !cancel.is_cancelled() {
            let create = side.create_statement();
            side.claim.batch(&create).await.map_err(own("creating the database to restore into"))?;
        }
        Ok(side)
    }

    fn create_statement(&self) -> String {
        let locale = &self.manifest.locale;
        let value = |key: &str| locale.get(key).map(|value| literal(value));
        // Which option names the locale is told by the provider, since PostgreSQL 15.
        let provided = match locale.get("provider").map(String::as_str) {
            Some("i") => "LOCALE_PROVIDER icu ICU_LOCALE",
            Some("b") => "LOCALE_PROVIDER builtin BUILTIN_LOCALE",
            _ => "",
        };
        let options =
            [("ENCODING", "encoding"), ("LC_COLLATE", "collate"), ("LC_CTYPE", "ctype"), (provided, "locale")];
        let options: Vec<String> = options
            .iter()
            .filter(|(option, _)| !option.is_empty())
            .filter_map(|(option, key)| Some(format!(" {option} {}", value(key)?)))
            .collect();
        format!("CREATE DATABASE {} TEMPLATE template0{}", identifier(&self.name), options.concat())
    }

    /// How to reach it.
    pub(crate) fn connect(&self) -> ConnectOptions {
        self.server.clone().with_database(&self.name).with_application_name("profe restore")
    }

    /// Brings all of it back: roles that are missing, definitions, rows, indexes and keys, event triggers. Answers the roles' part.
    pub(crate) async fn load(
        &self,
        progress: &Arc<Progress>,
        cancel: &CancellationToken,
    ) -> Result<Vec<u8>, VaultError> {
        let part = self.roles(progress).await?;
        let missing = roles::statements(&part, &self.name, Extent::Roles)
            .map_err(|error| self.damaged(format!("its roles cannot be read: {error}")))?;
        let conn = postgres_link::connect(&self.connect()).await?;
        for statement in missing {
            conn.batch(&statement).await.map_err(own("creating the roles that are missing"))?;
        }
        conn.close().await;
        self.fill(progress, cancel).await?;
        Ok(part)
    }

    /// Reads the roles' part, which comes first.
    pub(crate) async fn roles(&self, progress: &Arc<Progress>) -> Result<Vec<u8>, VaultError> {
        progress
            .expect(self.manifest.parts.iter().map(|part| part.plain_bytes).sum(), self.manifest.tables.len() as u64);
        self.small(PartKind::Roles, progress).await
    }

    /// Brings back what needs the roles to be there: definitions, rows, indexes and keys, event triggers.
    pub(crate) async fn fill(&self, progress: &Arc<Progress>, cancel: &CancellationToken) -> Result<(), VaultError> {
        let conn = postgres_link::connect(&self.connect()).await?;
        let definitions = self.definitions(progress).await?;
        let list = Lists::of(&self.list(&definitions).await?, &self.manifest.outside_keys);
        self.restore(&definitions, &["--section=pre-data"], None, cancel).await?;
        let freezing = Arc::new(self.freezing(&conn).await?);
        let parts = self.manifest.parts.iter().filter(|part| part.kind == PartKind::Data);
        let rows: Vec<_> = parts.map(|part| self.rows(part, &freezing, progress, cancel)).collect();
        stream::iter(rows).buffer_unordered(self.vault.jobs()).try_collect::<Vec<()>>().await?;
        let jobs = format!("--jobs={}", self.vault.jobs());
        self.restore(&definitions, &["--section=post-data", &jobs], Some(&list.most), cancel).await?;
        for key in &self.manifest.outside_keys {
            conn.batch(&add_unchecked(key)).await.map_err(own("adding a foreign key that leads out of the backup"))?;
        }
        if let Some(event_triggers) = &list.event_triggers {
            self.restore(&definitions, &["--section=post-data"], Some(event_triggers), cancel).await?;
        }
        conn.close().await;
        Ok(())
    }

    /// The tables whose rows come in frozen: those that are worth it. What an extension has made may hold rows already.
    async fn freezing(&self, conn: &AdminConn) -> Result<HashSet<TableName>, VaultError> {
        let large = self.manifest.tables.iter().filter(|table| table.figures.rows >= FREEZING);
        let large: HashSet<&TableName> = large.map(|table| &table.name).collect();
        if large.is_empty() {
            return Ok(HashSet::new());
        }
        let made = conn.batch(ORDINARY_TABLES).await.map_err(own("looking for the tables to fill"))?;
        let field = |row: &[Option<String>], at: usize| row.get(at).cloned().flatten().unwrap_or_default();
        let named = made.rows().map(|row| TableName { schema: field(row, 0), name: field(row, 1) });
        Ok(named.filter(|name| large.contains(name)).collect())
    }

    /// A part that is small, in memory.
    async fn small(&self, kind: PartKind, progress: &Arc<Progress>) -> Result<Vec<u8>, VaultError> {
        let part = self.manifest.parts.iter().find(|part| part.kind == kind);
        let part = part.ok_or_else(|| self.damaged("a part is missing from its manifest".to_owned()))?;
        let (send, receive) = channel(PIECES);
        let (keys, encrypted, watched) = (self.vault.keys().clone(), self.is_encrypted(), Arc::clone(progress));
        let unpacked = blocking(move || {
            let mut whole = Vec::new();
            let passed = pipe::unpack(receive, encrypted, &keys, None, &mut whole, &watched).map_err(Ended::Stream)?;
            Ok((passed, whole))
        });
        let (fed, unpacked) = tokio::join!(self.send(part, send), unpacked);
        fed?;
        let (passed, whole) = unpacked.map_err(|ended| self.told(part, ended))?;
        self.compare(part, &passed)?;
        Ok(whole)
    }

    /// The definitions' archive as a file, which is what `pg_restore` needs to work on several at once. It holds no rows.
    async fn definitions(&self, progress: &Arc<Progress>) -> Result<Unnamed, VaultError> {
        let archive = self.small(PartKind::Schema, progress).await?;
        Unnamed::holding(&archive).map_err(|error| VaultError::stream("schema")(error.into()))
    }

    /// What definitions it has, a line each as `pg_restore --list` writes them.
    pub(crate) async fn contents(&self, progress: &Arc<Progress>) -> Result<String, VaultError> {
        let definitions = self.definitions(progress).await?;
        self.list(&definitions).await
    }

    /// What the archive holds, a line each.
    async fn list(&self, archive: &Unnamed) -> Result<String, VaultError> {
        let mut running = Program::new(&self.tools, "pg_restore", &self.connect())
            .arguments(["--list".to_owned(), archive.path()])
            .start()?;
        let mut output = running.take_output();
        let listed = blocking(move || {
            let mut list = Vec::new();
            let read = std::io::Read::read_to_end(&mut output, &mut list).map_err(Into::into);
            settle(read, running)?;
            Ok(list)
        });
        let list = listed.await.map_err(|ended| ended.told("schema"))?;
        Ok(String::from_utf8_lossy(&list).into_owned())
    }

    async fn restore(
        &self,
        archive: &Unnamed,
        arguments: &[&str],
        list: Option<&str>,
        cancel: &CancellationToken,
    ) -> Result<(), VaultError> {
        let file = list
            .map(|list| Unnamed::holding(list.as_bytes()))
            .transpose()
            .map_err(|error| VaultError::stream("schema")(error.into()))?;
        let program = self
            .pg_restore()
            .arguments(arguments)
            .arguments(file.iter().map(|file| format!("--use-list={}", file.path())))
            .arguments([archive.path()]);
        let running = program.start()?;
        running.end_with(cancel);
        blocking(move || settle(Ok(()), running)).await.map_err(|ended| ended.told("schema"))
    }

    fn pg_restore(&self) -> Program {
        let database = format!("--dbname={}", self.name);
        // A subscription would be one to what the live database is subscribed to, whose place it would take.
        let always = ["--exit-on-error".to_owned(), "--no-subscriptions".to_owned(), database];
        Program::new(&self.tools, "pg_restore", &self.connect()).arguments(always)
    }

    /// Restores a part with rows, as it comes.
    async fn rows(
        &self,
        part: &Part,
        freezing: &Arc<HashSet<TableName>>,
        progress: &Arc<Progress>,
        cancel: &CancellationToken,
    ) -> Result<(), VaultError> {
        let (send, receive) = channel(PIECES);
        let (keys, encrypted, watched) = (self.vault.keys().clone(), self.is_encrypted(), Arc::clone(progress));
        let mut running = self.pg_restore().arguments(["--section=data"]).start()?;
        running.end_with(cancel);
        let (input, freezing) = (running.take_input(), Arc::clone(freezing));
        let unpacked = blocking(move || {
            let reader = Some(ArchiveReader::default());
            let passed = match input {
                Some(input) => {
                    let mut input = Frozen::new(input, &freezing);
                    pipe::unpack(receive, encrypted, &keys, reader, &mut input, &watched)
                }
                None => Err(pipe::StreamError::Refused),
            };
            settle(passed, running)
        });
        let (fed, unpacked) = tokio::join!(self.send(part, send), unpacked);
        // A part that the store does not give ends the other side too, whose own words say less.
        fed?;
        let passed = unpacked.map_err(|ended| self.told(part, ended))?;
        self.compare(part, &passed)
    }

    /// Reads a part's objects one after the other, checking each.
    async fn send(&self, part: &Part, to: Sender<Result<Bytes, String>>) -> Result<(), VaultError> {
        for segment in &part.segments {
            let path = format!("{}/{}", self.manifest.id, segment.object);
            let failed = async |error: VaultError| {
                // The other side must not take the end of the channel for that of the part.
                let _ = to.send(Err(error.to_string())).await;
                Err(error)
            };
            let mut reading = match self.vault.storage().read(&path).await {
                Ok(reading) => reading,
                Err(error) => return failed(error.into()).await,
            };
            let (mut hasher, mut bytes, mut wanted) = (Sha256::new(), 0, true);
            loop {
                match reading.next().await {
                    Ok(Some(piece)) => {
                        hasher.update(&piece);
                        bytes += piece.len() as u64;
                        // Where nobody takes it any more, what was wrong may have been in this object, whose checksum tells.
                        wanted = wanted && to.send(Ok(piece)).await.is_ok();
                    }
                    Ok(None) => break,
                    Err(error) => return failed(error.into()).await,
                }
            }
            if bytes != segment.bytes || pipe::hex(&hasher.finalize()) != segment.sha256 {
                return failed(self.damaged(format!("{} is not what was stored", segment.object))).await;
            }
            if !wanted {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What was stored as it is and cannot be unpacked was not packed by us.
    fn told(&self, part: &Part, ended: Ended) -> VaultError {
        match ended {
            Ended::Stream(error @ (StreamError::Io(_) | StreamError::Archive(_))) => {
                self.damaged(format!("{} cannot be read ({error})", part.name))
            }
            other => other.told(&part.name),
        }
    }

    fn compare(&self, part: &Part, passed: &Passed) -> Result<(), VaultError> {
        if passed.bytes == part.plain_bytes && passed.checksum == part.plain_checksum {
            return Ok(());
        }
        Err(self.damaged(format!("what is in {} is not what was put in", part.name)))
    }

    fn is_encrypted(&self) -> bool {
        !self.manifest.recipients.is_empty()
    }

    pub(crate) fn damaged(&self, what: String) -> VaultError {
        VaultError::Damaged { id: self.manifest.id.clone(), what }
    }

    /// Whether its server has been there all the time.
    pub(crate) async fn is_there(&self) -> bool {
        self.claim.batch("SELECT").await.is_ok()
    }

    /// Drops it, whoever is connected.
    pub(crate) async fn strike(&self) {
        let dropped = async {
            let maintenance = maintenance(&self.server).await?;
            maintenance.batch(&drop_database(&self.name)).await.map_err(own("dropping what was restored"))?;
            Ok::<_, VaultError>(())
        };
        if let Err(error) = dropped.await {
            tracing::warn!(database = self.name, %error, "it could not be dropped");
        }
    }
}

/// The archive's list, taken apart.
struct Lists {
    /// All but what follows.
    most: String,
    /// Event triggers come when nothing is left for them to see.
    event_triggers: Option<String>,
}

impl Lists {
    /// A line is `number; catalog object KIND schema name owner`; those that begin with a semicolon are remarks.
    fn of(list: &str, outside: &[OutsideKey]) -> Self {
        let outside: HashSet<u32> = outside.iter().map(|key| key.oid).collect();
        let (mut most, mut event_triggers) = (String::new(), String::new());
        for line in list.lines().filter(|line| !line.starts_with(';')) {
            let rest = line.split_once("; ").map_or("", |(_, rest)| rest);
            let mut words = rest.splitn(3, ' ');
            let (_, object, what) = (words.next(), words.next(), words.next().unwrap_or_default());
            if what.starts_with("EVENT TRIGGER ") || what.starts_with("COMMENT - EVENT TRIGGER ") {
                event_triggers.push_str(line);
                event_triggers.push('\n');
                continue;
            }
            let leads_out = what.starts_with("FK CONSTRAINT ")
                && object.and_then(|object| object.parse().ok()).is_some_and(|object| outside.contains(&object));
            if !leads_out {
                most.push_str(line);
                most.push('\n');
            }
        }
        Self { most, event_triggers: Some(event_triggers).filter(|list| !list.is_empty()) }
    }
}

fn add_unchecked(key: &OutsideKey) -> String {
    let definition = key.definition.strip_suffix(" NOT VALID").unwrap_or(&key.definition);
    format!("ALTER TABLE {} ADD CONSTRAINT {} {definition} NOT VALID", key.table.quoted(), identifier(&key.name))
}

pub(crate) fn own(doing: &'static str) -> impl Fn(postgres_link::BatchError) -> VaultError {
    move |error| VaultError::server(&error, doing)
}

/// Whether a backup can be read here, and restored on a server of this version.
pub(crate) fn suits(vault: &Vault, manifest: &Manifest, server_version_num: u32) -> Result<(), VaultError> {
    if !vault.keys().can_read(&manifest.recipients) {
        return Err(VaultError::NoKey { id: manifest.id.clone(), recipients: manifest.recipients.clone() });
    }
    let (server, backup) = (server_version_num / 10_000, manifest.server_version_num / 10_000);
    if server < backup {
        return Err(VaultError::OlderServer { id: manifest.id.clone(), backup, server });
    }
    Ok(())
}

/// A session from which databases are made, named and dropped.
pub(crate) async fn maintenance(server: &ConnectOptions) -> Result<AdminConn, VaultError> {
    let connect = server.clone().with_database("postgres").with_application_name("profe restore");
    Ok(postgres_link::connect(&connect).await?)
}
