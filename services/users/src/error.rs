//! The problems of this service beside those of all services. Their codes are stable.

use service::web::Problem;
use service::{Fault, kinds};

use crate::model::Outcome;

service::web::problem_kinds! {
    pub(crate) const;

    /// Administrators do nothing of this to themselves, so that a school never loses its last one.
    OWN_MEMBERSHIP = "own_membership", CONFLICT, "Own membership",
        "No puedes hacer esto contigo mismo. Pídeselo a otro administrador.", "You cannot do this to yourself. Ask another administrator.";
    /// Name and telephone are the person's own.
    THE_PERSONS_OWN = "the_persons_own", FORBIDDEN, "The person's own",
        "Solo la propia persona puede cambiar estos datos.", "Only the person themselves can change these details.";
    /// An invitation is used up, over, or none of ours.
    INVITATION_VOID = "invitation_void", BAD_REQUEST, "Invitation void",
        "La invitación ya no sirve. Pide otra a tu institución.", "The invitation does not work any more. Ask your school for another one.";
    /// A file of people is not taken: nothing of it was.
    ROSTER_REFUSED = "roster_refused", UNPROCESSABLE_ENTITY, "Roster refused",
        "El archivo tiene errores y no se importó nada.", "The file has mistakes, and nothing of it was imported.";
}

/// What a refusal of the database's functions means to a caller; `what` they were about.
pub(crate) fn refused(outcome: Outcome, what: &str) -> Fault {
    match outcome {
        Outcome::OneSelf => Problem::new(OWN_MEMBERSHIP)
            .detail("administrators do this to others, never to themselves")
            .cure("ask another administrator of the organization")
            .into(),
        Outcome::NotOurs => the_persons_own(),
        Outcome::Exists => Problem::new(kinds::ALREADY_EXISTS)
            .detail(format!("the organization has this {what} already"))
            .cure("look it up in the list, also among the removed (status=deleted)")
            .into(),
        Outcome::Changed => Problem::new(kinds::CHANGED_MEANWHILE)
            .detail(format!("the {what} has another version than If-Match says"))
            .cure("read it again, and send the change with its ETag")
            .into(),
        Outcome::NoSuch | Outcome::Done => Fault::no_such(what),
    }
}

pub(crate) fn the_persons_own() -> Fault {
    let detail = "name, telephone, address and preferences of this person are theirs to change";
    Problem::new(THE_PERSONS_OWN).detail(detail).cure("ask the person to change it in their profile").into()
}

pub(crate) fn invitation_void() -> Fault {
    let detail = "the token was used, is over, was withdrawn, or is none";
    Problem::new(INVITATION_VOID).detail(detail).cure("ask the school to send the invitation again").into()
}
