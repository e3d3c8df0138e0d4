//! What a storage says when it cannot be used, and what it never says.

use backup_vault::storage::{Storage, StorageError};
use testkit::block_on;

use crate::server::{BUCKET, Fault, KEY, SECRET, Server, open, patience, variables};

/// Each refusal of a server, and the words that must be in ours.
#[test]
fn each_refusal_names_its_cure() {
    type Kind = fn(&StorageError) -> bool;
    let denied: Kind = |error| matches!(error, StorageError::Denied { .. });
    let no_bucket: Kind = |error| matches!(error, StorageError::NoBucket { .. });
    let full: Kind = |error| matches!(error, StorageError::Full { .. });
    let unreachable: Kind = |error| matches!(error, StorageError::Unreachable { .. });
    let failed: Kind = |error| matches!(error, StorageError::Failed { .. });
    let cases: [(u16, &str, Kind, &str); 11] = [
        (403, "InvalidAccessKeyId", denied, "check AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", denied, "check AWS_SECRET_ACCESS_KEY"),
        (403, "RequestTimeTooSkewed", denied, "clock"),
        (400, "ExpiredToken", denied, "renew"),
        (403, "AccessDenied", denied, "let these credentials"),
        (404, "NoSuchBucket", no_bucket, "create it"),
        (507, "XMinioStorageFull", full, "make room"),
        (403, "QuotaExceeded", full, "make room"),
        (400, "EntityTooLarge", full, "make room"),
        (503, "SlowDown", unreachable, "503 SlowDown"),
        (400, "AuthorizationHeaderMalformed", failed, "AWS_REGION"),
    ];
    block_on(async {
        let server = Server::start().await;
        let storage = server.storage();
        for (status, code, kind, cure) in cases {
            server.plan(move |_| Fault::Answer(status, code));
            let error = storage.probe().await.expect_err(code);
            let text = error.to_string();
            assert!(kind(&error) && text.contains(cure), "{code}: {error:?}");
            assert!(!text.contains('\n') && !text.contains('<') && !text.contains(SECRET), "{text}");
            let small = storage.read_small("b-1/manifest.json", 10).await.expect_err(code);
            assert!(kind(&small), "{code}: {small:?}");
            assert!(kind(&storage.list("").await.expect_err(code)), "{code} in a list");
        }
        server.plan(|_| Fault::None);
        server.assert_holds(&[]);
    });
}

#[test]
fn wrong_credentials_are_told_apart() {
    block_on(async {
        let server = Server::start().await;
        for (wrong, says) in
            [("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"), ("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS")]
        {
            let variable = |name: &str| if name == wrong { Some("something-else".to_owned()) } else { variables(name) };
            let storage = Storage::open_with(&server.url(), &variable, patience()).expect("it is not asked yet");
            let error = storage.probe().await.expect_err("they are wrong");
            assert!(matches!(error, StorageError::Denied { .. }), "{error:?}");
            assert!(error.to_string().contains(says), "{error}");
            assert!(!error.to_string().contains("something-else"), "{error}");
        }
        server.assert_holds(&[]);
    });
}

#[test]
fn credentials_are_in_no_text() {
    block_on(async {
        let server = Server::start().await;
        let storage = server.storage();
        let texts = [format!("{storage:?}"), storage.shown().to_owned()];
        for text in texts {
            assert!(!text.contains(KEY) && !text.contains(SECRET), "{text}");
            assert!(text.contains(&format!("s3://{BUCKET}/platform")), "{text}");
        }
    });
}

#[test]
fn a_server_of_ones_own_wants_credentials() {
    let url = "s3://backups/platform?endpoint=http://127.0.0.1:9";
    let error = Storage::open(url, &|_| None).expect_err("there are none");
    assert!(error.to_string().contains("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"), "{error}");
    let half = |name: &str| (name == "AWS_ACCESS_KEY_ID").then(|| KEY.to_owned());
    let error = Storage::open(url, &half).expect_err("there is no secret");
    assert!(error.to_string().contains("SecretAccessKey"), "{error}");
    for endpoint in ["nonsense", "ftp://host", "http://key:hunter2@host"] {
        let error = open(&format!("s3://backups?endpoint={endpoint}")).expect_err("it is no address");
        assert!(matches!(error, StorageError::Url(_)) && !error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn nobody_at_the_address_is_told_as_that() {
    block_on(async {
        // Taken and given back: nobody listens there.
        let free =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        let storage = open(&format!("s3://backups/platform?endpoint=http://{free}")).expect("it is not asked yet");
        let error = storage.probe().await.expect_err("nobody is there");
        assert!(matches!(error, StorageError::Unreachable { .. }), "{error:?}");
        assert!(error.to_string().contains("onnection refused"), "{error}");
    });
}

#[test]
fn a_certificate_of_ones_own_is_trusted_where_it_is_named() {
    block_on(async {
        let (server, authority) = Server::start_tls().await;
        let (of_it, of_another) = (tempfile::NamedTempFile::new(), tempfile::NamedTempFile::new());
        let (of_it, of_another) = (of_it.expect("a file"), of_another.expect("a file"));
        let another = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        std::fs::write(of_it.path(), authority).expect("the file");
        std::fs::write(of_another.path(), another.cert.pem()).expect("the file");
        let url = server.url().replace("http://", "https://");
        let storage = |bundle: &std::path::Path| {
            let bundle = bundle.to_str().expect("a path").to_owned();
            let variable = |name: &str| if name == "AWS_CA_BUNDLE" { Some(bundle.clone()) } else { variables(name) };
            Storage::open_with(&url, &variable, patience())
        };
        storage(of_it.path()).expect("it is opened").probe().await.expect("it is trusted");
        server.plan(|_| Fault::None);
        let error = storage(of_another.path()).expect("it is opened").probe().await.expect_err("it is not trusted");
        assert!(matches!(error, StorageError::Unreachable { .. }), "{error:?}");
        assert!(error.to_string().contains("ertificate"), "{error}");
        assert!(server.seen().is_empty());
        let error = storage("/nowhere/bundle.pem".as_ref()).expect_err("there is no such file");
        assert!(error.to_string().contains("AWS_CA_BUNDLE names /nowhere/bundle.pem"), "{error}");
    });
}

#[test]
fn the_other_providers_are_opened_by_the_same_library() {
    let azure = |name: &str| match name {
        "AZURE_STORAGE_ACCOUNT_NAME" => Some("escuela".to_owned()),
        "AZURE_STORAGE_ACCOUNT_KEY" => Some("c2VjcmV0".to_owned()),
        _ => None,
    };
    let storage = Storage::open("az://backups/platform", &azure).expect("Azure");
    assert!(!format!("{storage:?}").contains("c2VjcmV0"));
    Storage::open("gs://backups/platform", &|_| None).expect("Google");
    let broken = |name: &str| (name == "GOOGLE_SERVICE_ACCOUNT_KEY").then(|| "{\"hunter2\"".to_owned());
    let error = Storage::open("gs://backups/platform", &broken).expect_err("it is no key");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}
