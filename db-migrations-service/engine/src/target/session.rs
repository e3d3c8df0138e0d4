//! Sessions on a target, and what their failures mean to an operator.

use postgres_link::{
    AdminConn, BatchError, BatchFailure, ConnectError, ConnectErrorKind, ConnectOptions, SqlError, sqlstate,
};

use super::quote::identifier;
use crate::engine::Target;
use crate::error::{EngineError, ErrorCode};

/// The oldest server that is supported, as `server_version_num`.
pub(crate) const OLDEST_SERVER: u32 = 140_000;

/// Opens a session. `what` ends its `application_name`, by which a blocked runner finds out whom it waits for.
pub(crate) async fn open(target: &Target, what: &str) -> Result<AdminConn, EngineError> {
    let conn = connect(&target.connect, what).await.map_err(|error| EngineError::from(&error))?;
    check_server(&conn)?;
    Ok(conn)
}

/// Like [`open`], but `None` when the database does not exist and may be created.
pub(crate) async fn open_existing(target: &Target, what: &str) -> Result<Option<AdminConn>, EngineError> {
    match connect(&target.connect, what).await {
        Ok(conn) => {
            check_server(&conn)?;
            Ok(Some(conn))
        }
        Err(error) if error.kind() == ConnectErrorKind::DatabaseMissing && target.create_database => Ok(None),
        Err(error) => Err(EngineError::from(&error)),
    }
}

/// Like [`open`], creating the database first where that is wanted and needed.
pub(crate) async fn open_or_create(target: &Target, what: &str) -> Result<AdminConn, EngineError> {
    if let Some(conn) = open_existing(target, what).await? {
        return Ok(conn);
    }
    let maintenance =
        connect(&target.connect.clone().with_database("postgres"), what).await.map_err(|e| EngineError::from(&e))?;
    check_server(&maintenance)?;
    maintenance.ensure_own_server().await.map_err(|e| EngineError::from(&e))?;
    let database = target.connect.database();
    match maintenance.batch(&format!("CREATE DATABASE {}", identifier(database))).await {
        // Another runner was faster.
        Err(error) if matches!(error.sqlstate(), Some("42P04" | "23505")) => {}
        Err(error) if error.sqlstate() == Some(sqlstate::INSUFFICIENT_PRIVILEGE) => {
            let mut refused = EngineError::new(
                ErrorCode::InsufficientPrivilege,
                format!("database {database:?} does not exist, and {} may not create it", target.connect.user()),
            )
            .cure(format!(
                "as a superuser run: CREATE DATABASE {} OWNER {}; or: ALTER ROLE {1} CREATEDB; everything else works without",
                identifier(database),
                identifier(target.connect.user())
            ));
            refused.sql = error.sql_error().cloned().map(Box::new);
            return Err(refused);
        }
        Err(error) => return Err(own_statement(&error, "creating the database")),
        Ok(_) => {}
    }
    maintenance.close().await;
    open(target, what).await
}

async fn connect(options: &ConnectOptions, what: &str) -> Result<AdminConn, ConnectError> {
    // Settings that a role or a database may carry must not reach into a run.
    let options = options
        .clone()
        .with_application_name(what.chars().take(63).collect::<String>())
        .with_option("search_path", "pg_catalog")
        .with_option("standard_conforming_strings", "on")
        .with_option("statement_timeout", "0")
        // A runner that vanishes between two messages of a transaction shall not keep its locks for ever.
        .with_option("idle_in_transaction_session_timeout", "5min")
        // Nor one whose machine or network is gone: the server, too, looks whether the other side is still there.
        .with_option("tcp_keepalives_idle", "15")
        .with_option("tcp_keepalives_interval", "5")
        .with_option("tcp_keepalives_count", "4")
        .with_option("tcp_user_timeout", "60s")
        .with_option("client_min_messages", "warning")
        .with_option("DateStyle", "ISO")
        // Where nothing is pending, one round trip is all: who takes a lock looks before.
        .looking_for_poolers_later();
    postgres_link::connect(&options).await
}

fn check_server(conn: &AdminConn) -> Result<(), EngineError> {
    let version = conn.server_version_num();
    if version >= OLDEST_SERVER {
        return Ok(());
    }
    Err(EngineError::new(
        ErrorCode::ServerTooOld,
        format!("the server is PostgreSQL {}.{}, and 14 is the oldest supported", version / 10_000, version % 10_000),
    )
    .cure("upgrade the server"))
}

/// Refuses early where nothing can be written. The server tells both settings at login, so this costs no round trip.
pub(crate) fn check_writable(conn: &AdminConn, target: &Target) -> Result<(), EngineError> {
    let on = |name: &str| conn.parameter(name).as_deref() == Some("on");
    if on("in_hot_standby") {
        return Err(EngineError::new(
            ErrorCode::ReadOnly,
            format!("{} is a standby and takes no writes", target.connect.redacted()),
        )
        .cure("connect to the primary, or give several hosts and target_session_attrs=read-write"));
    }
    if on("default_transaction_read_only") {
        return Err(EngineError::new(
            ErrorCode::ReadOnly,
            format!("{} is set to read-only", target.connect.redacted()),
        )
        .cure("unset default_transaction_read_only for this database or user"));
    }
    Ok(())
}

impl From<&ConnectError> for EngineError {
    fn from(error: &ConnectError) -> Self {
        use ConnectErrorKind as K;
        let code = match error.kind() {
            K::AuthenticationFailed | K::NoPgHbaEntry | K::NoPassword => ErrorCode::AuthenticationFailed,
            K::TlsUnknownIssuer
            | K::TlsExpired
            | K::TlsWrongName
            | K::TlsNotOffered
            | K::TlsClientCertificate
            | K::TlsFailed => ErrorCode::TlsFailed,
            K::TransactionPooler => ErrorCode::TransactionPooler,
            _ => ErrorCode::DatabaseUnavailable,
        };
        let mut mapped = Self::new(code, error.to_string()).cure(error.cure());
        mapped.sql = error.sql_error().cloned().map(Box::new);
        mapped
    }
}

/// The failure of a statement that is the engine's own, not a migration's.
pub(crate) fn own_statement(error: &BatchError, doing: &str) -> EngineError {
    match &error.failure {
        BatchFailure::Sql(sql) => classify(sql, format!("{doing}: {}", sql.message)),
        BatchFailure::ConnectionLost(why) => lost(&format!("{doing}: {why}")),
        BatchFailure::Protocol(why) | BatchFailure::Unsendable(why) => {
            EngineError::new(ErrorCode::Internal, format!("{doing}: {why}"))
        }
    }
}

/// The session ended under the engine.
pub(crate) fn lost(why: &str) -> EngineError {
    EngineError::new(ErrorCode::DatabaseUnavailable, format!("the connection to the database was lost: {why}"))
        .cure("see that the server runs, then run again: what was in hand is either whole or not there, and the next run knows which")
}

/// What PostgreSQL said, by what an operator has to do about it.
pub(crate) fn classify(sql: &SqlError, message: String) -> EngineError {
    let (code, cure) = match sql.sqlstate.as_str() {
        sqlstate::INSUFFICIENT_PRIVILEGE => {
            (ErrorCode::InsufficientPrivilege, "grant the missing right; `profe doctor` lists what is needed")
        }
        "25006" => (ErrorCode::ReadOnly, "connect to the primary, or unset default_transaction_read_only"),
        "53100" => {
            (ErrorCode::DiskFull, "free space on the database server's disk, then run again; nothing was half applied")
        }
        "53300" => (ErrorCode::DatabaseUnavailable, "close sessions or raise max_connections, then run again"),
        _ if sql.is_connection_loss() => {
            (ErrorCode::DatabaseUnavailable, "wait until the server is up, then run again")
        }
        _ => (ErrorCode::Internal, "this is a fault of the engine or of its tables; `profe doctor` looks at both"),
    };
    let mut error = EngineError::new(code, message).cure(cure);
    error.sql = Some(Box::new(sql.clone()));
    error
}
