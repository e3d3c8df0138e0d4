//! The service, its mailbox, and people of the seeds.

use std::time::Duration;

use http::Method;
use serde_json::Value;
use tempfile::TempDir;
use testkit::people::SCHOOLS;
use testkit::{Person, Platform, Seen, Served};
use uuid::Uuid;

pub struct World {
    pub platform: Platform,
    pub served: Served,
    pub mailbox: TempDir,
}

impl World {
    pub async fn start() -> Self {
        let platform = Platform::start().await;
        let mailbox = tempfile::tempdir().expect("a folder");
        let mail = mail::MailSettings::folder(mailbox.path(), "profe@escuela.example".parse().expect("an address"));
        let settings = users::UsersSettings {
            service: platform.settings(&users::DEFINITION).await,
            ..users::UsersSettings::with(mail)
        };
        let service = users::bind(settings).await.expect("it starts");
        Self { platform, served: Served::ready(service).await, mailbox }
    }

    pub async fn ask(&self, person: &Person, method: Method, path: &str, body: Option<Value>) -> Seen {
        self.served.ask(&self.platform.issuer, person, method, path, body).await
    }

    pub async fn get(&self, person: &Person, path: &str) -> Seen {
        self.ask(person, Method::GET, path, None).await
    }

    pub async fn post(&self, person: &Person, path: &str, body: Value) -> Seen {
        self.ask(person, Method::POST, path, Some(body)).await
    }

    /// One value of the database.
    pub async fn value(&self, sql: &str) -> String {
        self.platform.db.value(sql).await.unwrap_or_default()
    }

    /// A file of people.
    pub async fn import(&self, person: &Person, query: &str, file: &str) -> Seen {
        let request = self.served.request(Method::POST, &format!("/api/users/import{query}"));
        let request = request.bearer_auth(self.platform.issuer.token(person)).header("content-type", "text/csv");
        Seen::of(request.body(file.to_owned())).await
    }

    /// The token in the one letter to this address, once it has come.
    pub async fn token_to(&self, address: &str) -> String {
        let wait = async {
            loop {
                let found = std::fs::read_dir(self.mailbox.path()).expect("a folder").find_map(|entry| {
                    let text = std::fs::read_to_string(entry.expect("an entry").path()).ok()?;
                    token_of(&text, address)
                });
                match found {
                    Some(token) => return token,
                    None => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        tokio::time::timeout(Duration::from_mins(2), wait).await.expect("a letter comes")
    }
}

/// Quoted-printable breaks lines and writes `=` as `=3D`.
fn token_of(letter: &str, address: &str) -> Option<String> {
    let letter = letter.replace("=\r\n", "").replace("=\n", "").replace("=3D", "=");
    let (head, text) = letter.split_once("\r\n\r\n").or_else(|| letter.split_once("\n\n"))?;
    if !head.contains(address) {
        return None;
    }
    let token: String =
        text.split_once("#token=")?.1.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    (token.len() == 43).then_some(token)
}

/// Somebody of the first school, by number: 1 administrates, 11-13 teach, 21-28 learn, 31-34 are parents.
pub fn id(number: u32) -> Uuid {
    format!("00000001-0001-4000-8000-{number:012}").parse().expect("an id")
}

/// The role that they hold.
pub fn role_id(number: u32) -> Uuid {
    format!("00000005-0001-4000-8000-{number:012}").parse().expect("an id")
}

/// Somebody of the seeds' first school in a role.
pub fn person(number: u32, role: kernel::AppRole) -> Person {
    Person { id: id(number), email: "", role, school: SCHOOLS[0] }
}
