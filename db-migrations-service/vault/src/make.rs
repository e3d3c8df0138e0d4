//! Making a backup.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use embedded_postgres::Tools;
use futures_util::{StreamExt, TryStreamExt, stream};
use postgres_link::ConnectOptions;
use time::OffsetDateTime;
use tokio::sync::mpsc::{Receiver, channel};
use tokio_util::sync::CancellationToken;

use crate::archive::ArchiveReader;
use crate::error::VaultError;
use crate::manifest::{BackupId, Manifest, Part, PartKind, Scope, Segment};
use crate::plan;
use crate::program::{Program, Running};
use crate::source::Source;
use crate::storage::{Storage, StorageError, Stored};
use crate::stream::{self as pipe, PIECES, Passed, Progress, StreamError};
use crate::vault::{MANIFEST, Vault};

/// A part's objects are not longer, so that one can be sent again, and read back while the next is made.
const SEGMENT: u64 = 1 << 30;

/// What to back up, and what to say of it.
#[derive(Debug, Clone)]
pub struct MakeRequest {
    /// What it shall be called.
    pub id: BackupId,
    /// The environment, in the catalogue's words.
    pub environment: String,
    /// What it covers.
    pub scope: Scope,
    /// What it is for.
    pub description: Option<String>,
    /// Who asks for it.
    pub made_by: String,
    /// How long to keep it, days.
    pub retention_days: Option<u32>,
}

impl Vault {
    /// Backs up the database of `connect` as it is at this moment. `progress` tells how far it has come.
    ///
    /// # Errors
    /// Whatever stops it; then nothing of it stays.
    pub async fn make(
        &self,
        connect: &ConnectOptions,
        request: MakeRequest,
        progress: &Arc<Progress>,
        cancel: &CancellationToken,
    ) -> Result<Manifest, VaultError> {
        let created_at = self.now();
        let id = request.id.clone();
        // Where one part fails, the programs of the others have nothing left to do.
        let programs = cancel.child_token();
        let made = Box::pin(unless(cancel, self.make_as(created_at, connect, request, progress, &programs))).await;
        programs.cancel();
        if made.is_err() {
            // What stays where the store is away has no manifest, and is swept.
            if let Err(error) = self.take_away(&id).await {
                tracing::warn!(backup = %id, %error, "what was begun could not be taken back; the next sweep does it");
            }
        }
        made
    }

    async fn make_as(
        &self,
        created_at: OffsetDateTime,
        connect: &ConnectOptions,
        request: MakeRequest,
        progress: &Arc<Progress>,
        cancel: &CancellationToken,
    ) -> Result<Manifest, VaultError> {
        let id = request.id;
        let source = Source::open(connect, &request.scope).await?;
        let tools = Tools::for_server(&self.variables(), source.facts.server_version_num / 10_000)?;
        progress.expect(source.tables.iter().map(|table| table.bytes).sum(), source.tables.len() as u64);
        let jobs = self.jobs();
        let mut works = vec![
            Work::Bytes { name: "roles".to_owned(), kind: PartKind::Roles, bytes: source.roles.clone().into_bytes() },
            Work::Dump {
                name: "schema".to_owned(),
                kind: PartKind::Schema,
                arguments: vec!["--section=pre-data".to_owned(), "--section=post-data".to_owned()],
            },
        ];
        let data = plan::data_parts(&source.tables, plan::schemas(&request.scope), jobs).into_iter();
        works.extend(data.map(|part| Work::Dump {
            name: part.name,
            kind: PartKind::Data,
            arguments: [vec!["--section=data".to_owned()], part.arguments].concat(),
        }));
        let each = works.into_iter().enumerate().map(async |(at, work)| {
            let made = self.part(&id, work, &tools, connect, &source.snapshot, progress, cancel).await;
            made.map(|(part, passed)| (at, part, passed))
        });
        // Whichever ends first makes room for the next.
        let mut done: Vec<_> = stream::iter(each).buffer_unordered(jobs).try_collect().await?;
        done.sort_by_key(|(at, ..)| *at);
        let done: Vec<(Part, Passed)> = done.into_iter().map(|(_, part, passed)| (part, passed)).collect();
        let mut tables: Vec<_> = done
            .iter()
            .filter(|(part, _)| part.kind == PartKind::Data)
            .flat_map(|(_, passed)| passed.tables.iter().cloned())
            .collect();
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        let schemas = source.definitions.schema_fingerprints();
        let mut manifest = Manifest {
            format: Manifest::FORMAT,
            id,
            created_at,
            finished_at: self.now(),
            environment: request.environment,
            database: connect.database().to_owned(),
            origin: source.facts.origin.clone(),
            scope: request.scope,
            description: request.description,
            made_by: request.made_by,
            retention_days: request.retention_days,
            server_version_num: source.facts.server_version_num,
            locale: source.facts.locale.clone(),
            pg_dump: tools.version().to_string(),
            history: source.facts.history.clone(),
            fingerprint: source.definitions.fingerprint().to_string(),
            schemas: schemas.iter().map(|(name, print)| (name.unwrap_or("").to_owned(), print.to_string())).collect(),
            tables,
            outside_keys: source.facts.outside_keys.clone(),
            parts: done.into_iter().map(|(part, _)| part).collect(),
            recipients: self.keys().recipients(),
            sha256: String::new(),
        };
        source.conn.close().await;
        let json = manifest.seal().map_err(|source| VaultError::Manifest { id: manifest.id.clone(), source })?;
        self.storage().put_new(&format!("{}/{MANIFEST}", manifest.id), json.into()).await?;
        Ok(manifest)
    }

    /// Makes one part and stores it.
    #[expect(clippy::too_many_arguments, reason = "they are what all parts share")]
    async fn part(
        &self,
        id: &BackupId,
        work: Work,
        tools: &Tools,
        connect: &ConnectOptions,
        snapshot: &str,
        progress: &Arc<Progress>,
        cancel: &CancellationToken,
    ) -> Result<(Part, Passed), VaultError> {
        let (name, kind) = (work.name().to_owned(), work.kind());
        let (send, receive) = channel(PIECES);
        let (keys, watched) = (self.keys().clone(), Arc::clone(progress));
        let pack: Box<dyn FnOnce() -> Result<Passed, Ended> + Send> = match work {
            Work::Bytes { bytes, .. } => {
                Box::new(move || pipe::pack(bytes.as_slice(), None, &keys, send, &watched).map_err(Ended::Stream))
            }
            Work::Dump { arguments, .. } => {
                let mut running = Program::pg_dump(tools, connect, snapshot).arguments(arguments).start()?;
                running.end_with(cancel);
                let output = running.take_output();
                Box::new(move || {
                    let packed = pipe::pack(output, Some(ArchiveReader::joining()), &keys, send, &watched);
                    settle(packed, running)
                })
            }
        };
        let object = format!("{id}/{name}");
        let (stored, packed) = tokio::join!(store(self.storage(), &object, receive), blocking(pack));
        // The store's refusal ends the other side too, whose own words say less.
        let segments = stored?;
        let passed = packed.map_err(|ended| ended.told(&name))?;
        let part = Part { name, kind, plain_bytes: passed.bytes, plain_checksum: passed.checksum.clone(), segments };
        Ok((part, passed))
    }
}

/// One part's origin.
enum Work {
    Bytes { name: String, kind: PartKind, bytes: Vec<u8> },
    Dump { name: String, kind: PartKind, arguments: Vec<String> },
}

impl Work {
    fn name(&self) -> &str {
        match self {
            Self::Bytes { name, .. } | Self::Dump { name, .. } => name,
        }
    }

    fn kind(&self) -> PartKind {
        match self {
            Self::Bytes { kind, .. } | Self::Dump { kind, .. } => *kind,
        }
    }
}

/// How the side that makes a stream ended.
pub(crate) enum Ended {
    Stream(StreamError),
    Program(crate::program::ProgramError),
    Thread,
}

impl Ended {
    pub(crate) fn told(self, part: &str) -> VaultError {
        match self {
            Self::Stream(source) => VaultError::stream(part)(source),
            Self::Program(error) => error.into(),
            Self::Thread => VaultError::stream(part)(StreamError::Refused),
        }
    }
}

/// A program's complaint says more than the stream that ended with it.
pub(crate) fn settle<T>(streamed: Result<T, StreamError>, running: Running) -> Result<T, Ended> {
    match (streamed, running.finish()) {
        (Ok(passed), Ok(())) => Ok(passed),
        (Ok(_) | Err(StreamError::Archive(_)), Err(error)) => Err(Ended::Program(error)),
        (Err(StreamError::Io(broken)), Err(error)) if broken.kind() == std::io::ErrorKind::BrokenPipe => {
            Err(Ended::Program(error))
        }
        (Err(error), _) => Err(Ended::Stream(error)),
    }
}

/// Work that takes a processor or waits for a program, beside the asynchronous.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Ended> + Send + 'static,
) -> Result<T, Ended> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Ended::Thread))
}

/// Stores what comes over the channel, in as many objects as it takes.
async fn store(storage: &Storage, name: &str, mut pieces: Receiver<Bytes>) -> Result<Vec<Segment>, StorageError> {
    let mut segments = Vec::new();
    let mut next = pieces.recv().await;
    while let Some(piece) = next.take() {
        let object = format!("{name}.{:03}", segments.len());
        let mut upload = storage.upload(&object)?;
        let mut bytes = piece.len() as u64;
        upload.write(piece).await?;
        loop {
            match pieces.recv().await {
                Some(piece) if bytes < SEGMENT => {
                    bytes += piece.len() as u64;
                    upload.write(piece).await?;
                }
                other => {
                    next = other;
                    break;
                }
            }
        }
        let Stored { bytes, sha256 } = upload.finish().await?;
        let object = object.rsplit('/').next().unwrap_or_default().to_owned();
        segments.push(Segment { object, bytes, sha256: pipe::hex(&sha256) });
    }
    Ok(segments)
}

/// The work's answer, or word that it was cancelled.
pub(crate) async fn unless<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, VaultError>>,
) -> Result<T, VaultError> {
    match cancel.run_until_cancelled(work).await {
        Some(Err(_)) | None if cancel.is_cancelled() => Err(VaultError::Cancelled),
        Some(done) => done,
        None => Err(VaultError::Cancelled),
    }
}
