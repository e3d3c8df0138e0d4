//! The problems that any domain service can have beside those of [`web::kinds`]. Their codes are stable.

web::problem_kinds! {
    pub const ALL;

    /// Nobody is signed in, or their token is not believed.
    UNAUTHENTICATED = "unauthenticated", UNAUTHORIZED, "Not signed in",
        "Inicia sesión para continuar.", "Sign in to go on.";
    /// Somebody is signed in who may not do this.
    FORBIDDEN = "forbidden", FORBIDDEN, "Not allowed",
        "No tienes permiso para hacer esto.", "You are not allowed to do this.";
    /// No such row, or none that the caller may see.
    NO_SUCH_RECORD = "no_such_record", NOT_FOUND, "No such record",
        "No existe, o no tienes acceso.", "It does not exist, or you have no access to it.";
    /// A value that only one may have is taken.
    ALREADY_EXISTS = "already_exists", CONFLICT, "Already exists",
        "Ya existe uno igual.", "There is one like it already.";
    /// It refers to what is not there, or something else refers to it.
    REFERENCE = "reference", CONFLICT, "Reference",
        "Depende de algo que no existe o que todavía se usa.", "It depends on something that does not exist, or that is still in use.";
    /// A value is outside of what the record allows.
    INVALID_VALUE = "invalid_value", UNPROCESSABLE_ENTITY, "Invalid value",
        "Un valor no es válido.", "A value is not valid.";
    /// The record was changed since the caller read it.
    CHANGED_MEANWHILE = "changed_meanwhile", PRECONDITION_FAILED, "Changed meanwhile",
        "Alguien lo ha cambiado entretanto. Vuelve a abrirlo.", "Somebody has changed it meanwhile. Open it again.";
    /// The request came before, and has no answer yet.
    IDEMPOTENCY_IN_PROGRESS = "idempotency_in_progress", CONFLICT, "Still under way",
        "La misma petición todavía se está procesando.", "The same request is still under way.";
    /// The key came before with something else.
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "Idempotency key reused",
        "La petición repite la clave de otra distinta.", "The request repeats the key of a different one.";
    /// Too many requests of one kind.
    TOO_MANY_REQUESTS = "too_many_requests", TOO_MANY_REQUESTS, "Too many requests",
        "Demasiados intentos. Espera un momento.", "Too many attempts. Wait a moment.";
    /// It took longer than a request may take.
    TOOK_TOO_LONG = "took_too_long", SERVICE_UNAVAILABLE, "Took too long",
        "La operación tardó demasiado. Inténtalo de nuevo.", "The operation took too long. Please try again.";
    /// It met others at work, and the same again may succeed.
    TRY_AGAIN = "try_again", SERVICE_UNAVAILABLE, "Try again",
        "Hay otra operación en curso. Inténtalo de nuevo.", "Another operation is under way. Please try again.";
    /// More work than the service takes at once.
    BUSY = "busy", SERVICE_UNAVAILABLE, "Busy",
        "El servicio está muy ocupado. Inténtalo en unos segundos.", "The service is very busy. Try again in a few seconds.";
    /// The database cannot be reached.
    DATABASE_AWAY = "database_away", SERVICE_UNAVAILABLE, "Database away",
        "El servicio no está disponible en este momento.", "The service is not available at the moment.";
    /// Whether it was done is not known.
    OUTCOME_UNKNOWN = "outcome_unknown", SERVICE_UNAVAILABLE, "Outcome unknown",
        "No sabemos si se completó. Compruébalo antes de repetirlo.", "It is not known whether it was completed. Check before you repeat it.";
}
