//! Who is invited, and registers by themselves with that address.

use reqwest::Method;
use serde_json::json;

use super::school::{School, Up, after};

const PASSWORD: &str = "una-frase-larga-y-rara";
const OWN: &str = "otra-frase-larga-y-rara";

fn invite(school: &School, email: &str) {
    let admin = school.token("admin@escuela.example");
    let body = json!({ "email": email, "role": "teacher" });
    let invited = school.ask(Method::POST, "/users/invitations", Some(&admin), Some(&body));
    assert_eq!((invited.status, &invited.body["status"]), (201, &json!("invited")), "{invited:?}");
}

fn register(school: &School, email: &str) {
    let body = json!({ "email": email, "password": PASSWORD, "name": "Docente Invitada" });
    assert_eq!(school.ask(Method::POST, "/auth/register", None, Some(&body)).status, 202);
}

/// They are nobody's teacher before the address is shown, and the school's after that, without the letter that invites them.
#[track_caller]
fn belongs_to_the_school(school: &School, email: &str, password: &str) {
    let login = school.login(email, password);
    assert_eq!((login.status, &login.body["memberships"][0]["role"]), (200, &json!("teacher")), "{login:?}");
    let admin = school.token("admin@escuela.example");
    let waiting = school.get("/users/invitations", &admin).body;
    assert_eq!(waiting["total"], 0, "nobody waits any more: {waiting}");
}

#[test]
fn who_was_invited_and_registers_belongs_to_the_school_once_the_address_is_theirs() {
    let up = Up::start();
    let school = &up.school;
    // Invited first: the address has an account, so registering mails a link to choose its password.
    let email = "invitada@escuela.example";
    invite(school, email);
    register(school, email);
    assert_eq!(school.login(email, PASSWORD).status, 401, "whoever registers with another's address gains nothing");
    let letter = school.letter(email, "/reset-password#token=");
    let set = json!({ "token": after(&letter, "/reset-password#token="), "password": PASSWORD });
    assert_eq!(school.ask(Method::POST, "/auth/reset-password", None, Some(&set)).status, 200);
    belongs_to_the_school(school, email, PASSWORD);

    // Registered first, perhaps by a stranger who waits for the owner to confirm: what was sent and set before is void.
    let email = "registrada@escuela.example";
    register(school, email);
    let letter = school.letter(email, "/api/auth/verify-email/");
    invite(school, email);
    let path = format!("/auth/verify-email/{}", after(&letter, "/api/auth/verify-email/"));
    assert_eq!(school.ask(Method::GET, &path, None, None).status, 400, "the link of before the invitation");
    assert_eq!(school.login(email, PASSWORD).status, 401, "the password of before the invitation");
    // Whoever reads that mailbox chooses the password.
    register(school, email);
    let letter = school.letter(email, "/reset-password#token=");
    let set = json!({ "token": after(&letter, "/reset-password#token="), "password": OWN });
    assert_eq!(school.ask(Method::POST, "/auth/reset-password", None, Some(&set)).status, 200);
    assert_eq!(school.login(email, PASSWORD).status, 401);
    belongs_to_the_school(school, email, OWN);
}
