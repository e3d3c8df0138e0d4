//! Every problem of this service, with the status that it is sent with and the sentences for people.
//!
//! Codes are stable. Those that any service has are in [`web::kinds`]. Statuses of the engine's refusals: 404 for a name
//! that is not there, 409 for a state of the target that has to change first, 422 for files that have to change first,
//! 503 for what may be better in a moment.

use migration_engine::ErrorCode;
use web::Kind;

use crate::operations::RefusalCode;

web::problem_kinds! {
    pub(super) const ALL;

    // -- the door ------------------------------------------------------------------------------------------------
    UNAUTHENTICATED = "unauthenticated", UNAUTHORIZED, "Token needed",
        "Necesitas un token para hacer esto.", "You need a token to do this.";
    INVALID_TOKEN = "invalid_token", UNAUTHORIZED, "Token not accepted",
        "El token no es válido o ha caducado.", "The token is not valid or has expired.";
    INSUFFICIENT_SCOPE = "insufficient_scope", FORBIDDEN, "Scope missing",
        "Tu token no permite hacer esto.", "Your token does not allow this.";
    SERVICE_NOT_ALLOWED = "service_not_allowed", FORBIDDEN, "Service not allowed",
        "Tu token no es para ese servicio.", "Your token is not for that service.";
    // -- requests ------------------------------------------------------------------------------------------------
    INVALID_REQUEST = "invalid_request", UNPROCESSABLE_ENTITY, "Request cannot be used",
        "La petición contiene un dato que no se puede usar.", "The request contains something that cannot be used.";
    CONFIRMATION_REQUIRED = "confirmation_required", PRECONDITION_REQUIRED, "Confirmation needed",
        "Esto puede perder datos: confirma repitiendo el nombre.", "This can lose data: confirm by repeating the name.";
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "Idempotency key reused",
        "Esa clave ya se usó para otra petición.", "That key was already used for another request.";
    IDEMPOTENCY_IN_PROGRESS = "idempotency_in_progress", CONFLICT, "Still being worked on",
        "La misma petición todavía está en curso.", "The same request is still being worked on.";
    UNKNOWN_RUN = "unknown_run", NOT_FOUND, "No such run",
        "No existe esa ejecución.", "There is no such run.";
    RUN_IS_OVER = "run_is_over", CONFLICT, "Run is over",
        "Esa ejecución ya ha terminado.", "That run is over already.";
    UNKNOWN_INSTANCE = "unknown_instance", NOT_FOUND, "No such instance",
        "No hay ningún proceso en marcha con ese nombre.", "No process of that name is alive.";
    UNKNOWN_TOKEN = "unknown_token", NOT_FOUND, "No such token",
        "No existe ese token.", "There is no such token.";
    TOKEN_NAME_TAKEN = "token_name_taken", CONFLICT, "Token name taken",
        "Ya existe un token con ese nombre.", "There is a token of that name already.";
    // -- backups -------------------------------------------------------------------------------------------------
    UNKNOWN_BACKUP = "unknown_backup", NOT_FOUND, "No such backup",
        "No existe esa copia de seguridad.", "There is no such backup.";
    NO_BACKUP = "no_backup", CONFLICT, "No backup to rehearse on",
        "No hay ninguna copia de seguridad con los datos necesarios.", "There is no backup that has the rows needed.";
    BACKUP_OUTDATED = "backup_outdated", CONFLICT, "Backup outdated",
        "La copia de seguridad ya no corresponde al esquema actual.", "The backup no longer fits the present schema.";
    BACKUP_BUSY = "backup_busy", CONFLICT, "Backup is being worked on",
        "Ya se está trabajando con esa copia de seguridad.", "That backup is being worked on already.";
    BACKUP_IS_IDLE = "backup_is_idle", CONFLICT, "Nothing to cancel",
        "No hay nada en curso con esa copia de seguridad.", "Nothing is being done with that backup.";
    BACKUP_IS_ELSEWHERE = "backup_is_elsewhere", CONFLICT, "Backup is elsewhere",
        "Otro proceso está trabajando con esa copia de seguridad.", "Another process works on that backup.";
    BACKUP_STORAGE_UNCONFIGURED = "backup_storage_unconfigured", CONFLICT, "No storage for backups",
        "No está configurado dónde guardar las copias de seguridad.", "Where backups are kept is not configured.";
    BACKUP_STORAGE_UNAVAILABLE = "backup_storage_unavailable", SERVICE_UNAVAILABLE, "Storage of backups away",
        "El almacén de copias de seguridad no está disponible.", "The storage of backups cannot be used now.";
    BACKUP_STORAGE_FULL = "backup_storage_full", INSUFFICIENT_STORAGE, "Storage of backups full",
        "El almacén de copias de seguridad no tiene espacio.", "The storage of backups has no room left.";
    BACKUP_DAMAGED = "backup_damaged", UNPROCESSABLE_ENTITY, "Backup is damaged",
        "La copia de seguridad está dañada y no se puede restaurar.", "The backup is damaged and cannot be restored.";
    BACKUP_KEY_MISSING = "backup_key_missing", CONFLICT, "Key missing",
        "Falta la clave para leer la copia de seguridad.", "The key to read the backup is missing.";
    BACKUP_TOOLS_MISSING = "backup_tools_missing", CONFLICT, "PostgreSQL's programs missing",
        "Faltan los programas de PostgreSQL para hacer copias.", "PostgreSQL's programs for backups are missing.";
    BACKUP_TOO_NEW = "backup_too_new", CONFLICT, "Backup of a newer server",
        "La copia es de una versión más nueva de PostgreSQL.", "The backup is of a newer PostgreSQL.";
    DATABASE_EXISTS = "database_exists", CONFLICT, "Database exists",
        "Ya existe una base de datos con ese nombre.", "There is a database of that name already.";
    SCHEMAS_IN_USE = "schemas_in_use", CONFLICT, "Schemas in use",
        "Hay sesiones usando esas tablas; no se ha cambiado nada.", "Sessions use those tables; nothing was changed.";
    RESTORE_WOULD_BREAK = "restore_would_break", CONFLICT, "Restore would break references",
        "La restauración rompería referencias entre datos; no se ha cambiado nada.",
        "The restore would break references between data; nothing was changed.";
    RESTORE_BOUND = "restore_bound", CONFLICT, "Others are bound to it",
        "Otros objetos dependen de lo que se quiere restaurar.", "Other objects are bound to what should be restored.";
    RESTORE_NOT_IN_PLACE = "restore_not_in_place", CONFLICT, "Not into the live database",
        "Esa copia no se puede restaurar sobre la base de datos en uso.", "That backup cannot be restored into the live database.";
    UNKNOWN_TABLE = "unknown_table", NOT_FOUND, "No such table",
        "La copia de seguridad no tiene esa tabla.", "The backup does not have that table.";
    BACKUP_FAILED = "backup_failed", UNPROCESSABLE_ENTITY, "Backup failed",
        "La operación con la copia de seguridad ha fallado.", "What was to be done with the backup failed.";
    // -- the service's own database ------------------------------------------------------------------------------
    MASTER_UNAVAILABLE = "master_unavailable", SERVICE_UNAVAILABLE, "Master database away",
        "La base de datos del servicio no responde. Inténtalo más tarde.", "The service's own database does not answer. Please try later.";
    MASTER_FAILED = "master_failed", INTERNAL_SERVER_ERROR, "Master database refused",
        "La base de datos del servicio ha rechazado la operación.", "The service's own database refused the operation.";
    // -- the project's files -------------------------------------------------------------------------------------
    PROJECT_UNREADABLE = "project_unreadable", INTERNAL_SERVER_ERROR, "Project unreadable",
        "No se puede leer el proyecto de migraciones.", "The migration project cannot be read.";
    CATALOGUE_INVALID = "catalogue_invalid", INTERNAL_SERVER_ERROR, "Catalogue invalid",
        "El catálogo de servicios no es válido.", "The service catalogue is not valid.";
    FILE_MISNAMED = "file_misnamed", UNPROCESSABLE_ENTITY, "File misnamed",
        "Un archivo de migración no tiene un nombre válido.", "A migration file is not named as one.";
    DUPLICATE_VERSION = "duplicate_version", UNPROCESSABLE_ENTITY, "Duplicate version",
        "Dos migraciones tienen la misma versión.", "Two migrations have the same version.";
    UNPAIRED_FILE = "unpaired_file", UNPROCESSABLE_ENTITY, "Unpaired file",
        "A una migración le falta su archivo de ida o de vuelta.", "A migration lacks its up or its down file.";
    BAD_ENCODING = "bad_encoding", UNPROCESSABLE_ENTITY, "Bad encoding",
        "Un archivo de migración no está en UTF-8.", "A migration file is not in UTF-8.";
    SYNTAX_ERROR = "syntax_error", UNPROCESSABLE_ENTITY, "SQL does not parse",
        "Una migración contiene SQL con errores de sintaxis.", "A migration contains SQL that does not parse.";
    FORBIDDEN_STATEMENT = "forbidden_statement", UNPROCESSABLE_ENTITY, "Forbidden statement",
        "Una migración contiene una sentencia no permitida.", "A migration contains a statement that is not allowed.";
    BAD_DIRECTIVE = "bad_directive", UNPROCESSABLE_ENTITY, "Bad directive",
        "La cabecera de una migración no se entiende.", "The header of a migration is not understood.";
    DEPENDENCY_CYCLE = "dependency_cycle", UNPROCESSABLE_ENTITY, "Dependency cycle",
        "Las migraciones dependen unas de otras en círculo.", "The migrations depend on each other in a circle.";
    UNRESOLVED_REFERENCE = "unresolved_reference", UNPROCESSABLE_ENTITY, "Unresolved reference",
        "Una migración nombra algo que nadie crea.", "A migration names something that nothing creates.";
    CROSSES_DATABASES = "crosses_databases", UNPROCESSABLE_ENTITY, "Reference into another database",
        "Una migración hace referencia a algo que está en otra base de datos.",
        "A migration references something that is in another database.";
    SERVICE_ELSEWHERE = "service_elsewhere", UNPROCESSABLE_ENTITY, "Service lives elsewhere",
        "El servicio está en otra base de datos.", "The service lives in another database.";
    UNKNOWN_FLEET = "unknown_fleet", NOT_FOUND, "No such fleet",
        "No existe esa flota.", "There is no such fleet.";
    EMPTY_FLEET = "empty_fleet", CONFLICT, "Fleet without databases",
        "La flota no tiene bases de datos.", "The fleet has no databases.";
    FLEET_BUSY = "fleet_busy", CONFLICT, "Fleet is being worked on",
        "Hay una ejecución de esa flota sin terminar.", "A run of that fleet is not over.";
    // -- names ---------------------------------------------------------------------------------------------------
    UNKNOWN_SERVICE = "unknown_service", NOT_FOUND, "No such service",
        "No existe ese servicio.", "There is no such service.";
    UNKNOWN_SCHEMA = "unknown_schema", NOT_FOUND, "No such schema",
        "No existe ese esquema.", "There is no such schema.";
    UNKNOWN_ENVIRONMENT = "unknown_environment", NOT_FOUND, "No such environment",
        "No existe ese entorno.", "There is no such environment.";
    UNKNOWN_MIGRATION = "unknown_migration", NOT_FOUND, "No such migration",
        "No existe esa migración.", "There is no such migration.";
    // -- the target's state --------------------------------------------------------------------------------------
    EDITED = "edited", CONFLICT, "Applied migration was edited",
        "Una migración ya aplicada ha cambiado.", "A migration that is applied has changed.";
    HAS_DEPENDENTS = "has_dependents", CONFLICT, "Others depend on it",
        "Otras migraciones dependen de lo que quieres deshacer.", "Other migrations depend on what should be rolled back.";
    IRREVERSIBLE = "irreversible", CONFLICT, "Irreversible",
        "Esa migración no se puede deshacer.", "That migration cannot be rolled back.";
    BUSY = "busy", CONFLICT, "Busy",
        "Otra ejecución está en curso en este entorno.", "Another run is under way in this environment.";
    PROTECTED = "protected", FORBIDDEN, "Environment protected",
        "El entorno está protegido contra esta operación.", "The environment is protected against this.";
    NOT_ADOPTABLE = "not_adoptable", CONFLICT, "Cannot be adopted",
        "La carpeta o el historial de la otra herramienta no se puede adoptar así.", "The other tool's folder or history cannot be adopted as it is.";
    SCHEMA_DIFFERS = "schema_differs", CONFLICT, "Schema differs",
        "La base de datos no es lo que hacen esas migraciones.", "The database is not what these migrations make.";
    MIGRATION_FAILED = "migration_failed", UNPROCESSABLE_ENTITY, "Migration failed",
        "La migración ha fallado. Lo anterior se mantiene.", "The migration failed. What came before it stands.";
    SEED_FAILED = "seed_failed", UNPROCESSABLE_ENTITY, "Seed failed",
        "La carga de datos iniciales ha fallado.", "The seeding failed.";
    LOCK_TIMEOUT = "lock_timeout", CONFLICT, "Lock not had",
        "La base de datos está ocupada; no se ha cambiado nada.", "The database is busy; nothing was changed.";
    BLOCKS_OTHERS = "blocks_others", CONFLICT, "Migration keeps others waiting",
        "La migración hacía esperar demasiado a los demás.", "The migration kept others waiting too long.";
    HALF_ROLLED_BACK = "half_rolled_back", CONFLICT, "Rollback is not finished",
        "Una vuelta atrás se detuvo a la mitad de una migración.", "A rollback stopped in the middle of a migration.";
    ROWS_LEFT = "rows_left", CONFLICT, "Rows are not filled",
        "Quedan filas sin rellenar; el cambio no se ha cerrado.", "Rows are left to be filled; the change was not closed.";
    BACKFILL_STALLED = "backfill_stalled", SERVICE_UNAVAILABLE, "Backfill stalled",
        "El relleno de filas lleva demasiado tiempo en pausa.", "The filling of rows has paused for too long.";
    GATE_FAILED = "gate_failed", CONFLICT, "Gate does not hold",
        "La migración no cumple lo que exige el entorno.", "The migration does not meet what the environment requires.";
    BACKUP_REQUIRED = "backup_required", CONFLICT, "Backup required",
        "El entorno exige una copia de seguridad previa, y no se ha podido hacer.", "The environment requires a backup first, and there is none.";
    CONTRACT_HELD = "contract_held", CONFLICT, "Contract held",
        "Una versión en uso todavía necesita lo que la migración quita.", "A live release still needs what the migration takes away.";
    REHEARSAL_TIMEOUT = "rehearsal_timeout", UNPROCESSABLE_ENTITY, "Rehearsal took too long",
        "El ensayo de la migración ha tardado demasiado.", "The migration's rehearsal took too long.";
    CANCELLED = "cancelled", CONFLICT, "Cancelled",
        "La ejecución se ha cancelado.", "The run was cancelled.";
    ENVIRONMENT_UNCONFIGURED = "environment_unconfigured", CONFLICT, "Environment has no database",
        "El entorno no tiene base de datos configurada.", "The environment has no database configured.";
    DATABASE_NOT_CREATED = "database_not_created", CONFLICT, "Database not created yet",
        "El entorno todavía no tiene base de datos: la crea su primera ejecución.",
        "The environment has no database yet: its first run creates it.";
    TOO_FEW_APPLIED = "too_few_applied", CONFLICT, "Fewer are applied",
        "Hay menos migraciones aplicadas de las que quieres deshacer.", "Fewer migrations are applied than should be rolled back.";
    // -- the target's server -------------------------------------------------------------------------------------
    DATABASE_UNAVAILABLE = "database_unavailable", SERVICE_UNAVAILABLE, "Database away",
        "La base de datos no responde. Inténtalo más tarde.", "The database does not answer. Please try later.";
    AUTHENTICATION_FAILED = "authentication_failed", SERVICE_UNAVAILABLE, "Database refused the credentials",
        "La base de datos ha rechazado las credenciales del servicio.", "The database refused the service's credentials.";
    TLS_FAILED = "tls_failed", SERVICE_UNAVAILABLE, "TLS failed",
        "No se ha podido establecer una conexión segura con la base de datos.", "A secure connection to the database could not be made.";
    SERVER_TOO_OLD = "server_too_old", CONFLICT, "Server too old",
        "La versión de PostgreSQL es demasiado antigua.", "The PostgreSQL version is too old.";
    TRANSACTION_POOLER = "transaction_pooler", CONFLICT, "Transaction pooler",
        "Delante de la base de datos hay un pooler que no mantiene las sesiones.",
        "A pooler before the database does not keep sessions.";
    READ_ONLY = "read_only", CONFLICT, "Database is read-only",
        "La base de datos no admite cambios ahora.", "The database takes no changes now.";
    INSUFFICIENT_PRIVILEGE = "insufficient_privilege", CONFLICT, "Privilege missing",
        "Al usuario de la base de datos le falta un permiso.", "The database user lacks a privilege.";
    TARGET_TOO_NEW = "target_too_new", CONFLICT, "Target too new",
        "La base de datos la gestiona una versión más nueva del servicio.", "The database was written by a newer version of the service.";
    DISK_FULL = "disk_full", INSUFFICIENT_STORAGE, "Disk full",
        "El servidor de base de datos no tiene espacio.", "The database server has no room left.";
    ENGINE_FAILED = "internal", INTERNAL_SERVER_ERROR, "Engine failed",
        "Algo ha fallado en el servidor. Inténtalo de nuevo más tarde.", "Something went wrong on the server. Please try again later.";
}

/// The kind of an engine's refusal. Its code is the engine's own word, which a test compares.
pub(super) fn of_engine(code: ErrorCode) -> Kind {
    match code {
        ErrorCode::ProjectUnreadable => PROJECT_UNREADABLE,
        ErrorCode::CatalogueInvalid => CATALOGUE_INVALID,
        ErrorCode::UnknownService => UNKNOWN_SERVICE,
        ErrorCode::UnknownEnvironment => UNKNOWN_ENVIRONMENT,
        ErrorCode::UnknownMigration => UNKNOWN_MIGRATION,
        ErrorCode::FileMisnamed => FILE_MISNAMED,
        ErrorCode::DuplicateVersion => DUPLICATE_VERSION,
        ErrorCode::UnpairedFile => UNPAIRED_FILE,
        ErrorCode::BadEncoding => BAD_ENCODING,
        ErrorCode::SyntaxError => SYNTAX_ERROR,
        ErrorCode::ForbiddenStatement => FORBIDDEN_STATEMENT,
        ErrorCode::BadDirective => BAD_DIRECTIVE,
        ErrorCode::DependencyCycle => DEPENDENCY_CYCLE,
        ErrorCode::UnresolvedReference => UNRESOLVED_REFERENCE,
        ErrorCode::CrossesDatabases => CROSSES_DATABASES,
        ErrorCode::Edited => EDITED,
        ErrorCode::HasDependents => HAS_DEPENDENTS,
        ErrorCode::Irreversible => IRREVERSIBLE,
        ErrorCode::Busy => BUSY,
        ErrorCode::MigrationFailed => MIGRATION_FAILED,
        ErrorCode::LockTimeout => LOCK_TIMEOUT,
        ErrorCode::SeedFailed => SEED_FAILED,
        ErrorCode::BlocksOthers => BLOCKS_OTHERS,
        ErrorCode::HalfRolledBack => HALF_ROLLED_BACK,
        ErrorCode::RowsLeft => ROWS_LEFT,
        ErrorCode::BackfillStalled => BACKFILL_STALLED,
        ErrorCode::GateFailed => GATE_FAILED,
        ErrorCode::BackupRequired => BACKUP_REQUIRED,
        ErrorCode::ContractHeld => CONTRACT_HELD,
        ErrorCode::RehearsalTimeout => REHEARSAL_TIMEOUT,
        ErrorCode::BackupOutdated => BACKUP_OUTDATED,
        ErrorCode::Cancelled => CANCELLED,
        ErrorCode::DatabaseUnavailable => DATABASE_UNAVAILABLE,
        ErrorCode::AuthenticationFailed => AUTHENTICATION_FAILED,
        ErrorCode::TlsFailed => TLS_FAILED,
        ErrorCode::ServerTooOld => SERVER_TOO_OLD,
        ErrorCode::TransactionPooler => TRANSACTION_POOLER,
        ErrorCode::ReadOnly => READ_ONLY,
        ErrorCode::InsufficientPrivilege => INSUFFICIENT_PRIVILEGE,
        ErrorCode::TargetTooNew => TARGET_TOO_NEW,
        ErrorCode::DiskFull => DISK_FULL,
        ErrorCode::NotAdoptable => NOT_ADOPTABLE,
        ErrorCode::SchemaDiffers => SCHEMA_DIFFERS,
        ErrorCode::Protected => PROTECTED,
        ErrorCode::Internal => ENGINE_FAILED,
    }
}

/// The kind of a refusal of the operations layer.
pub(super) fn of_refusal(code: RefusalCode) -> Kind {
    match code {
        RefusalCode::EnvironmentUnconfigured => ENVIRONMENT_UNCONFIGURED,
        RefusalCode::ServiceElsewhere => SERVICE_ELSEWHERE,
        RefusalCode::UnknownFleet => UNKNOWN_FLEET,
        RefusalCode::UnknownSchema => UNKNOWN_SCHEMA,
        RefusalCode::EmptyFleet => EMPTY_FLEET,
        RefusalCode::FleetBusy => FLEET_BUSY,
        RefusalCode::ConfirmationRequired => CONFIRMATION_REQUIRED,
        RefusalCode::InvalidRequest => INVALID_REQUEST,
        RefusalCode::ServiceNotAllowed => SERVICE_NOT_ALLOWED,
        RefusalCode::UnknownRun => UNKNOWN_RUN,
        RefusalCode::RunIsOver => RUN_IS_OVER,
        RefusalCode::UnknownInstance => UNKNOWN_INSTANCE,
        RefusalCode::UnknownToken => UNKNOWN_TOKEN,
        RefusalCode::TokenNameTaken => TOKEN_NAME_TAKEN,
        RefusalCode::DatabaseNotCreated => DATABASE_NOT_CREATED,
        RefusalCode::TooFewApplied => TOO_FEW_APPLIED,
        RefusalCode::UnknownBackup => UNKNOWN_BACKUP,
        RefusalCode::NoBackup => NO_BACKUP,
        RefusalCode::BackupBusy => BACKUP_BUSY,
        RefusalCode::BackupIsIdle => BACKUP_IS_IDLE,
        RefusalCode::BackupIsElsewhere => BACKUP_IS_ELSEWHERE,
        RefusalCode::BackupStorageUnconfigured => BACKUP_STORAGE_UNCONFIGURED,
        RefusalCode::BackupStorageUnavailable => BACKUP_STORAGE_UNAVAILABLE,
        RefusalCode::BackupStorageFull => BACKUP_STORAGE_FULL,
        RefusalCode::BackupDamaged => BACKUP_DAMAGED,
        RefusalCode::BackupKeyMissing => BACKUP_KEY_MISSING,
        RefusalCode::BackupToolsMissing => BACKUP_TOOLS_MISSING,
        RefusalCode::BackupTooNew => BACKUP_TOO_NEW,
        RefusalCode::DatabaseExists => DATABASE_EXISTS,
        RefusalCode::SchemasInUse => SCHEMAS_IN_USE,
        RefusalCode::RestoreWouldBreak => RESTORE_WOULD_BREAK,
        RefusalCode::RestoreBound => RESTORE_BOUND,
        RefusalCode::RestoreNotInPlace => RESTORE_NOT_IN_PLACE,
        RefusalCode::UnknownTable => UNKNOWN_TABLE,
        RefusalCode::BackupFailed => BACKUP_FAILED,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use migration_engine::catalogue::alerts::AlertRule;

    use super::*;

    fn every() -> impl Iterator<Item = &'static Kind> {
        ALL.iter().chain(web::kinds::ALL)
    }

    /// The dashboard's texts for what the service says in English.
    fn spanish() -> BTreeMap<String, String> {
        let file = include_str!("../../dashboard/assets/i18n/codes.es.js");
        let object = file.split_once("export default ").expect("an export").1.trim().trim_end_matches(';');
        serde_json::from_str(object).expect("one JSON object")
    }

    #[test]
    fn the_dashboard_says_every_code_and_every_alert_in_spanish() {
        let words = spanish();
        for kind in every() {
            assert_eq!(
                words.get(&format!("problem.{}", kind.code)).map(String::as_str),
                Some(kind.es),
                "{}",
                kind.code
            );
            assert!(words.contains_key(&format!("cure.{}", kind.code)), "what to do about {}", kind.code);
        }
        let codes: BTreeSet<_> = every().map(|kind| kind.code).collect();
        for key in words.keys() {
            let of_code = key.strip_prefix("problem.").or(key.strip_prefix("cure."));
            assert!(of_code.is_none_or(|code| codes.contains(code)), "{key} is of no code");
        }
        for rule in AlertRule::ALL {
            let key = format!("alert.{}", rule.as_str());
            assert!(words.keys().any(|other| *other == key || other.starts_with(&format!("{key}."))), "{key}");
        }
    }

    #[test]
    fn codes_are_the_words_of_the_layers_below_and_stand_once() {
        let word = |value: serde_json::Value| value.as_str().map(str::to_owned).expect("a word");
        for code in
            [ErrorCode::Busy, ErrorCode::DependencyCycle, ErrorCode::TlsFailed, ErrorCode::Internal, ErrorCode::Edited]
        {
            assert_eq!(of_engine(code).code, word(serde_json::to_value(code).expect("a code")));
        }
        for code in [
            RefusalCode::UnknownRun,
            RefusalCode::TokenNameTaken,
            RefusalCode::DatabaseNotCreated,
            RefusalCode::TooFewApplied,
            RefusalCode::BackupIsIdle,
            RefusalCode::BackupStorageUnconfigured,
            RefusalCode::SchemasInUse,
            RefusalCode::RestoreWouldBreak,
            RefusalCode::RestoreNotInPlace,
        ] {
            assert_eq!(of_refusal(code).code, word(serde_json::to_value(code).expect("a code")));
        }
        let all: Vec<_> = every().map(|kind| kind.code).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }
}
