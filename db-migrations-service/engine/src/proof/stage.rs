//! A scratch database beside the target's own, on which migrations are walked: made, brought to where a history leads,
//! dropped.

use std::sync::Arc;
use std::time::Duration;

use postgres_link::{AdminConn, ConnectOptions};
use schema_catalog::{Follower, Snapshot};
use tokio_util::sync::CancellationToken;

use super::rehearsal::managed;
use super::rehearse::{Walked, Walker, snapshot};
use crate::catalogue::Service;
use crate::engine::Target;
use crate::error::{EngineError, ErrorCode};
use crate::event::EventSink;
use crate::migration::{MigrationId, Version};
use crate::project::{Project, Script};
use crate::request::RunContext;
use crate::run::attempt::Hands;
use crate::run::backfill::journal::Begun;
use crate::run::beside::Beside;
use crate::run::steps::Text;
use crate::scratch::Rehearsal;
use crate::target::session::{self, own_statement};
use crate::target::{prepare, store};

/// The database with two sessions on it. Whoever makes one strikes it, whatever came out.
pub(super) struct Stage {
    pub(super) project: Arc<Project>,
    server: ConnectOptions,
    /// It was made here, and is dropped here; `None` where it was lent.
    ours: Option<Rehearsal>,
    sessions: Box<Sessions>,
    /// The caller's, without its events: nobody is told of these runs.
    context: RunContext,
}

struct Sessions {
    /// Does the work.
    conn: AdminConn,
    /// Looks at it.
    beside: Beside,
}

impl Stage {
    /// Makes one that is prepared for the catalogue and otherwise empty.
    pub(super) async fn make(
        project: &Arc<Project>,
        target: &Target,
        context: &RunContext,
    ) -> Result<Self, EngineError> {
        let ours = Box::pin(Rehearsal::empty(&target.connect)).await?;
        let stage = Box::pin(Self::enter(project, target, ours, context)).await?;
        let conn = stage.conn();
        match prepare::prepare(conn, &project.catalogue, false, false, &context.cancel).await {
            Ok(()) => Ok(stage),
            Err(error) => stage.give_up(error).await,
        }
    }

    /// Makes one that stands where the history of `live` leads.
    pub(super) async fn replayed(
        project: &Arc<Project>,
        target: &Target,
        live: &AdminConn,
        context: &RunContext,
    ) -> Result<Self, EngineError> {
        let stage = Self::make(project, target, context).await?;
        match stage.replay(live).await {
            Ok(()) => Ok(stage),
            Err(error) => stage.give_up(error).await,
        }
    }

    /// Makes another that is the same, and enters this one anew: while it is copied, nobody may be on it.
    pub(super) async fn doubled(self, target: &Target) -> Result<(Self, Self), EngineError> {
        let Self { project, server, ours, sessions, context } = self;
        sessions.close().await;
        let ours = ours.ok_or_else(|| EngineError::new(ErrorCode::Internal, "a lent database is not copied"))?;
        let copy = match Box::pin(ours.copy(&server)).await {
            Ok(copy) => copy,
            Err(error) => {
                Box::pin(ours.drop()).await?;
                return Err(error);
            }
        };
        let stage = match Box::pin(Self::enter(&project, target, ours, &context)).await {
            Ok(stage) => stage,
            Err(error) => {
                Box::pin(copy.drop()).await?;
                return Err(error);
            }
        };
        match Box::pin(Self::enter(&project, target, copy, &context)).await {
            Ok(copy) => Ok((stage, copy)),
            Err(error) => stage.give_up(error).await,
        }
    }

    /// Opens the sessions on a database that was made here; drops it where that fails.
    async fn enter(
        project: &Arc<Project>,
        target: &Target,
        ours: Rehearsal,
        context: &RunContext,
    ) -> Result<Self, EngineError> {
        match Self::lent(project, target, ours.name(), context).await {
            Ok(stage) => Ok(Self { ours: Some(ours), ..stage }),
            Err(error) => {
                Box::pin(ours.drop()).await?;
                Err(error)
            }
        }
    }

    /// Opens the sessions on a database that stays when it is struck.
    pub(super) async fn lent(
        project: &Arc<Project>,
        target: &Target,
        name: &str,
        context: &RunContext,
    ) -> Result<Self, EngineError> {
        let sessions = Box::new(Sessions::open(target, name).await?);
        // A walk that hangs is cancelled without its caller.
        let cancel = context.cancel.child_token();
        let context = RunContext { events: EventSink::none(), cancel, ..context.clone() };
        let server = target.connect.clone();
        Ok(Self { project: Arc::clone(project), server, ours: None, sessions, context })
    }

    /// The session that does the work.
    pub(super) fn conn(&self) -> &AdminConn {
        &self.sessions.conn
    }

    /// Cancelled when a walk takes too long.
    pub(super) fn stop(&self) -> &CancellationToken {
        &self.context.cancel
    }

    pub(super) fn walker(&self) -> Walker<'_> {
        let settings = &self.project.catalogue.run;
        let Sessions { conn, beside } = &*self.sessions;
        Walker {
            hands: Hands { conn, beside, settings, context: &self.context },
            follower: Follower::new(beside.opened().unwrap_or(conn), managed(&self.project)),
            stop: self.stop(),
            timeout: Duration::from_secs(settings.rehearsal_timeout_s),
        }
    }

    /// Applies what was applied to `live`.
    pub(super) async fn replay(&self, live: &AdminConn) -> Result<(), EngineError> {
        let walker = self.walker();
        for applied in history(live, &self.project).await? {
            walker.replay(&applied).await.map_err(|error| not_replayed(*error))?;
        }
        self.stand(&walker, live).await
    }

    /// Begins what was begun on `live` and is not done.
    async fn stand(&self, walker: &Walker<'_>, live: &AdminConn) -> Result<(), EngineError> {
        let state = store::read(live).await?;
        let mut begun: Vec<&Begun> = state.begun().collect();
        begun.sort_by_key(|begun| (begun.since_us, &begun.id));
        for together in begun.chunk_by(|one, other| one.id == other.id) {
            let first = together[0];
            let walked = walked(
                &self.project,
                first.id.clone(),
                first.service.clone(),
                first.name.clone(),
                first.up_sql.clone(),
                first.down_sql.clone(),
            )?;
            walker.stand(&walked, together).await.map_err(|error| not_replayed(*error))?;
        }
        Ok(())
    }

    /// The managed schemas as they stand.
    pub(super) async fn snapshot(&self) -> Result<Snapshot, EngineError> {
        snapshot(self.conn(), &managed(&self.project)).await
    }

    /// Leaves it, and drops it where it was made here.
    pub(super) async fn strike(self) -> Result<(), EngineError> {
        self.sessions.close().await;
        match self.ours {
            Some(ours) => Box::pin(ours.drop()).await,
            None => Ok(()),
        }
    }

    pub(super) async fn give_up<T>(self, error: EngineError) -> Result<T, EngineError> {
        self.strike().await?;
        Err(error)
    }
}

impl Sessions {
    async fn open(target: &Target, name: &str) -> Result<Self, EngineError> {
        // Nothing of it need outlive a crash, so nobody waits for the disk.
        let connect = target.connect.clone().with_database(name).with_option("synchronous_commit", "off");
        let place = Target { environment: target.environment.clone(), connect, create_database: false };
        let what = "profe rehearsal";
        let beside = Beside::holding(Box::pin(session::open(&place, what)).await?);
        Ok(Self { conn: Box::pin(session::open(&place, what)).await?, beside })
    }

    async fn close(self) {
        self.conn.close().await;
        self.beside.close().await;
    }
}

/// What was applied here, in order, with the SQL as applied.
pub(super) async fn history(live: &AdminConn, project: &Project) -> Result<Vec<Walked>, EngineError> {
    let query = "SELECT schema_name, version, service, name, up_sql, down_sql FROM migration_service.history \
                 WHERE rolled_back_at IS NULL ORDER BY id";
    let outcome = match live.batch(query).await {
        Ok(outcome) => outcome,
        Err(error) if matches!(error.sqlstate(), Some("42P01" | "3F000")) => return Ok(Vec::new()),
        Err(error) => return Err(own_statement(&error, "reading the history")),
    };
    let rows = outcome.statements.into_iter().flat_map(|s| s.rows);
    rows.map(|row| {
        let [schema, version, service, name, up_sql, down_sql] = store::cells(row)?;
        let id = MigrationId::new(schema, Version::from_stored(store::number(&version)?));
        walked(project, id, service, name, up_sql, down_sql)
    })
    .collect()
}

/// A migration that stands in a target, or was begun in it. Its way back is not walked: it stands.
fn walked(
    project: &Project,
    id: MigrationId,
    service: String,
    name: String,
    up_sql: String,
    down_sql: String,
) -> Result<Walked, EngineError> {
    let up = Script::parse(&format!("{id} (up SQL from the history)"), up_sql.clone(), &id.schema)?;
    let owner = project.catalogue.services.get(&service).and_then(Service::owner_role).unwrap_or_default();
    let (up_transactional, up_sets_session) = (up.is_transactional(), up.sets_session());
    let down = Script::opaque(&format!("{id} (down SQL from the history)"), &down_sql);
    Ok(Walked {
        id,
        service,
        name,
        owner,
        up: Text::from(up),
        down: Text::from(down),
        up_sql,
        down_sql,
        up_transactional,
        down_transactional: true,
        up_sets_session,
        down_sets_session: false,
        irreversible: true,
    })
}

fn not_replayed(error: EngineError) -> EngineError {
    let mut told = EngineError::new(
        ErrorCode::GateFailed,
        format!("what was applied here cannot be applied to an empty database: {}", error.message),
    )
    .cure("without a replay nothing can be rehearsed; the other gates remain (`--gate`)");
    told.migration = error.migration;
    told.location = error.location;
    told.sql = error.sql;
    told
}
