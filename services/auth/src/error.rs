//! The problems of this service beside those of all services. Their codes are stable.

use http::header::RETRY_AFTER;
use service::web::Problem;
use service::{Fault, kinds};

service::web::problem_kinds! {
    pub(crate) const;

    /// Address and password are not those of an account that may sign in. Which of it is wrong is told to nobody.
    SIGN_IN_FAILED = "sign_in_failed", UNAUTHORIZED, "Sign-in failed",
        "El correo o la contraseña no son correctos, o la dirección todavía no está confirmada.",
        "The e-mail or the password is wrong, or the address has not been confirmed yet.";
    /// The session cannot be gone on with.
    SESSION_OVER = "session_over", UNAUTHORIZED, "Session over",
        "La sesión ha terminado. Inicia sesión de nuevo.", "The session is over. Please sign in again.";
    /// The current password that was given is not the account's.
    WRONG_PASSWORD = "wrong_password", FORBIDDEN, "Wrong password",
        "La contraseña actual no es correcta.", "The current password is wrong.";
    /// A password that others would guess.
    WEAK_PASSWORD = "weak_password", UNPROCESSABLE_ENTITY, "Weak password",
        "Esa contraseña no es segura. Elige otra.", "That password is not safe. Choose another one.";
    /// A link that was mailed is used up, over, or none of ours.
    LINK_VOID = "link_void", BAD_REQUEST, "Link void",
        "El enlace ya no sirve. Pide uno nuevo.", "The link does not work any more. Ask for a new one.";
    /// Nobody can join this organization.
    NO_SUCH_ORGANIZATION = "no_such_organization", UNPROCESSABLE_ENTITY, "No such organization",
        "Esa institución no existe.", "There is no such organization.";
}

pub(crate) fn sign_in_failed() -> Fault {
    let detail = "no account that may sign in has this address and this password";
    let cure = "check both, confirm the address by the link that was mailed, or ask for a new password";
    Problem::new(SIGN_IN_FAILED).detail(detail).cure(cure).into()
}

pub(crate) fn session_over() -> Fault {
    Problem::new(SESSION_OVER).detail("the refresh token is of no session that goes on").cure("sign in again").into()
}

pub(crate) fn link_void() -> Fault {
    let detail = "the token was used, is over, is for something else, or is none";
    Problem::new(LINK_VOID).detail(detail).cure("ask for a new one").into()
}

/// Too many attempts; `wait_s` says when the next one is taken.
pub(crate) fn limited(wait_s: f64) -> Fault {
    let seconds = (wait_s.ceil() as u64).max(1).to_string();
    let problem =
        Problem::new(kinds::TOO_MANY_REQUESTS).detail("too many attempts from this address or on this account");
    problem
        .header(RETRY_AFTER, &seconds)
        .cure(format!("try again in {seconds} s, or ask for a new password by mail"))
        .into()
}

/// More passwords wait to be looked at than is reasonable.
pub(crate) fn busy() -> Fault {
    let problem = Problem::new(kinds::BUSY).detail("too many passwords are being looked at");
    problem.header(RETRY_AFTER, "1").cure("send it again in a moment").into()
}
