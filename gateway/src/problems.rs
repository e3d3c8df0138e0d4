//! What can go wrong at the front door. The codes are stable.

web::problem_kinds! {
    pub const;

    /// Nobody has signed in, or is not believed.
    UNAUTHENTICATED = "unauthenticated", UNAUTHORIZED, "Not signed in",
        "Tienes que iniciar sesión.", "You have to sign in.";
    /// Too many requests.
    TOO_MANY_REQUESTS = "too_many_requests", TOO_MANY_REQUESTS, "Too many requests",
        "Demasiadas peticiones. Espera un momento.", "Too many requests. Please wait a moment.";
    /// No copy of the service can be reached.
    SERVICE_AWAY = "service_away", SERVICE_UNAVAILABLE, "Service away",
        "El servicio no está disponible. Inténtalo de nuevo en un momento.",
        "The service is not available. Please try again in a moment.";
    /// The service broke off without an answer, and what it did is not known.
    NO_ANSWER = "no_answer", BAD_GATEWAY, "No answer",
        "El servicio no ha respondido. Comprueba si el cambio se ha hecho antes de repetirlo.",
        "The service did not answer. Check whether the change was made before you repeat it.";
    /// The service took too long.
    TOO_SLOW = "too_slow", GATEWAY_TIMEOUT, "Too slow",
        "El servicio tarda demasiado. Inténtalo de nuevo más tarde.",
        "The service takes too long. Please try again later.";
    /// The service answered with an error of no kind that is known.
    SERVICE_FAILED = "service_failed", BAD_GATEWAY, "Service failed",
        "El servicio ha fallado. Inténtalo de nuevo más tarde.", "The service has failed. Please try again later.";
    /// A webhook that nobody can have sent.
    WEBHOOK_REFUSED = "webhook_refused", UNAUTHORIZED, "Webhook refused",
        "El aviso no está firmado como debe.", "The notification is not signed as it must be.";
    /// A protocol that is not spoken here.
    UPGRADE_REFUSED = "upgrade_refused", BAD_REQUEST, "Upgrade refused",
        "La conexión no se puede cambiar de esa forma.", "The connection cannot be changed in that way.";
}
