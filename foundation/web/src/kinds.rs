//! The problems that any service can have before its own code is reached. Their codes are stable.

/// Constants of [`Kind`](crate::Kind), each with its code, status, title and sentences in both languages; with `pub const ALL;` first also
/// the list of them, with `pub const;` without it.
#[macro_export]
macro_rules! problem_kinds {
    ($vis:vis const ALL; $($rest:tt)+) => {
        $crate::problem_kinds! { @each ($vis) $($rest)+ }
        $crate::problem_kinds! { @list $($rest)+ }
    };
    (@each ($vis:vis) $($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $title:literal, $es:literal, $en:literal;)+) => {
        $($(#[$doc])* $vis const $name: $crate::Kind = $crate::Kind {
            code: $code,
            status: ::http::StatusCode::$status,
            title: $title,
            es: $es,
            en: $en,
        };)+
    };
    (@list $($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $title:literal, $es:literal, $en:literal;)+) => {
        /// All of them.
        pub const ALL: &[$crate::Kind] = &[$($name),+];
    };
    ($vis:vis const; $($rest:tt)+) => {
        $crate::problem_kinds! { @each ($vis) $($rest)+ }
    };
}

crate::problem_kinds! {
    pub const ALL;

    /// No route for the path.
    NOT_FOUND = "not_found", NOT_FOUND, "No such path",
        "Lo que buscas no existe.", "What you are looking for does not exist.";
    /// A route, but not for the method.
    METHOD_NOT_ALLOWED = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed",
        "Esta operación no se puede hacer de esta forma.", "This cannot be done in this way.";
    /// The body is not JSON.
    MALFORMED_JSON = "malformed_json", BAD_REQUEST, "Malformed JSON",
        "Los datos enviados no son JSON válido.", "The data that was sent is not valid JSON.";
    /// The body is JSON, but not what is expected.
    INVALID_BODY = "invalid_body", UNPROCESSABLE_ENTITY, "Invalid body",
        "Los datos enviados no tienen la forma esperada.", "The data that was sent does not have the expected form.";
    /// The body says that it is something else.
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "Unsupported media type",
        "El formato de los datos no se admite.", "The format of the data is not supported.";
    /// The body is larger than allowed.
    BODY_TOO_LARGE = "body_too_large", PAYLOAD_TOO_LARGE, "Body too large",
        "Los datos enviados son demasiado grandes.", "The data that was sent is too large.";
    /// The body did not arrive in time, or broke off.
    BODY_INCOMPLETE = "body_incomplete", REQUEST_TIMEOUT, "Body incomplete",
        "Los datos no llegaron completos. Inténtalo de nuevo.", "The data did not arrive completely. Please try again.";
    /// A query parameter cannot be used.
    INVALID_QUERY = "invalid_query", BAD_REQUEST, "Invalid query",
        "Un parámetro de la dirección no es válido.", "A parameter of the address is not valid.";
    /// A part of the path cannot be used.
    INVALID_PATH = "invalid_path", BAD_REQUEST, "Invalid path",
        "Una parte de la dirección no es válida.", "A part of the address is not valid.";
    /// A header cannot be used.
    INVALID_HEADER = "invalid_header", BAD_REQUEST, "Invalid header",
        "La petición tiene una cabecera no válida.", "The request has a header that is not valid.";
    /// The Host header names somebody else.
    HOST_NOT_ALLOWED = "host_not_allowed", MISDIRECTED_REQUEST, "Host not allowed",
        "Este servicio no atiende con ese nombre.", "This service does not answer to that name.";
    /// A web page of another origin calls.
    ORIGIN_NOT_ALLOWED = "origin_not_allowed", FORBIDDEN, "Origin not allowed",
        "Esa página no puede llamar a este servicio.", "That page may not call this service.";
    /// The service is not ready yet.
    NOT_READY = "not_ready", SERVICE_UNAVAILABLE, "Not ready",
        "El servicio todavía se está preparando.", "The service is still getting ready.";
    /// The program broke down on this request.
    INTERNAL = "internal_error", INTERNAL_SERVER_ERROR, "Internal error",
        "Algo ha fallado en el servidor. Inténtalo de nuevo más tarde.",
        "Something went wrong on the server. Please try again later.";
}
