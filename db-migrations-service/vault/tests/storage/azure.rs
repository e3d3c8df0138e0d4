//! A store that speaks Azure's language: Azurite, Microsoft's own emulator, one for all tests of this program.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use backup_vault::storage::{Storage, StorageError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use embedded_postgres::die_with_parent;
use futures_util::TryStreamExt;
use hmac::{Hmac, KeyInit, Mac};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::{ClientOptions, ObjectStore};
use rustix::process::Signal;
use time::OffsetDateTime;

use crate::server::patience;

/// The emulator's only account, as its documentation has it.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

static CONTAINERS: AtomicUsize = AtomicUsize::new(0);

/// A container of its own.
pub struct Container {
    name: String,
}

/// Where it listens; it is started by the first who asks.
fn endpoint() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| {
        let (tell, told) = mpsc::channel();
        // It ends with the thread that has started it, which lasts as long as this program does.
        std::thread::spawn(move || {
            let mut command = Command::new("azurite-blob");
            command.args(["--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence", "--disableTelemetry"]);
            die_with_parent(&mut command, Signal::KILL);
            let mut child = command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .expect("azurite-blob is installed: scripts/needs.sh test-database");
            for line in BufReader::new(child.stdout.take().expect("a pipe")).lines() {
                if let Some((_, address)) = line.expect("text").split_once("successfully listens on ") {
                    tell.send(format!("{address}/{ACCOUNT}")).ok();
                }
            }
            child.wait().ok();
        });
        told.recv().expect("it listens")
    })
}

pub fn variables(name: &str) -> Option<String> {
    match name {
        "AZURE_STORAGE_ACCOUNT_NAME" => Some(ACCOUNT.to_owned()),
        "AZURE_STORAGE_ACCOUNT_KEY" => Some(KEY.to_owned()),
        "AZURE_STORAGE_ENDPOINT" => Some(endpoint().to_owned()),
        _ => None,
    }
}

pub fn open(url: &str) -> Result<Storage, StorageError> {
    Storage::open_with(url, &variables, patience())
}

impl Container {
    /// An empty one.
    pub async fn new() -> Self {
        let name = format!("backups-{}", CONTAINERS.fetch_add(1, Ordering::Relaxed));
        let (now, endpoint) = (OffsetDateTime::now_utc(), endpoint());
        let (weekday, month) = (now.weekday().to_string(), now.month().to_string());
        let (hour, minute, second) = now.to_hms();
        let date = format!(
            "{}, {:02} {} {} {hour:02}:{minute:02}:{second:02} GMT",
            &weekday[..3],
            now.day(),
            &month[..3],
            now.year()
        );
        // What the store's library cannot do.
        let version = "2021-08-06";
        let signed = format!(
            "PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{date}\nx-ms-version:{version}\n/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
        );
        let key = STANDARD.decode(KEY).expect("base64");
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).expect("a key");
        mac.update(signed.as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        rustls::crypto::ring::default_provider().install_default().ok();
        let made = reqwest::Client::new()
            .put(format!("{endpoint}/{name}?restype=container"))
            .header("x-ms-date", date)
            .header("x-ms-version", version)
            .header("content-length", "0")
            .header("authorization", format!("SharedKey {ACCOUNT}:{signature}"))
            .send()
            .await
            .expect("it answers");
        assert_eq!(made.status().as_u16(), 201, "{}", made.text().await.unwrap_or_default());
        Self { name }
    }

    pub fn url(&self) -> String {
        format!("az://{}/platform", self.name)
    }

    /// The names of all objects, temporaries included.
    pub async fn objects(&self) -> BTreeSet<String> {
        let store = MicrosoftAzureBuilder::new()
            .with_account(ACCOUNT)
            .with_access_key(KEY)
            .with_endpoint(endpoint().to_owned())
            .with_client_options(ClientOptions::new().with_allow_http(true))
            .with_container_name(&self.name)
            .build()
            .expect("a store");
        let found: Vec<_> = store.list(None).try_collect().await.expect("a list");
        found.iter().map(|meta| meta.location.to_string()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_told_apart() {
    let container = Container::new().await;
    open(&container.url()).expect("a storage").probe().await.expect("it can be used");
    let absent = open("az://nobody-made-it/platform").expect("a storage").probe().await.expect_err("no container");
    assert!(matches!(absent, StorageError::NoBucket { .. }), "{absent}");
    let stranger = |name: &str| {
        if name == "AZURE_STORAGE_ACCOUNT_KEY" { Some(STANDARD.encode("another key")) } else { variables(name) }
    };
    let storage = Storage::open_with(&container.url(), &stranger, patience()).expect("a storage");
    let refused = storage.probe().await.expect_err("a wrong key");
    assert!(matches!(refused, StorageError::Denied { .. }), "{refused}");
    assert!(refused.to_string().contains("AZURE_STORAGE_ACCOUNT_KEY"), "{refused}");
    let nameless = |name: &str| if name == "AZURE_STORAGE_ACCOUNT_NAME" { None } else { variables(name) };
    let refused = Storage::open_with(&container.url(), &nameless, patience()).expect_err("nobody's");
    assert!(refused.to_string().contains("AZURE_STORAGE_ACCOUNT_NAME"), "{refused}");
    assert_eq!(container.objects().await, BTreeSet::new());
}
