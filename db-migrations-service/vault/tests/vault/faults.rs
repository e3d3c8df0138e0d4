//! What goes wrong: one clear error each, nothing listed that cannot be restored, nothing left behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use backup_vault::{Keys, Manifest, Progress, Scope, Vault, VaultError};
use embedded_postgres::Binaries;
use testkit::server;
use tokio_util::sync::CancellationToken;

use crate::help::{Place, everything, keys, left, objects, plans, request, vault};

async fn restore(vault: &Vault, manifest: &Manifest) -> Result<backup_vault::Restored, VaultError> {
    let (progress, cancel) = (Arc::new(Progress::default()), CancellationToken::new());
    let name = format!("back_{}", manifest.id.as_str().replace('-', "_"));
    vault.restore_into_new(&manifest.id, server().connect(), &name, &progress, &cancel).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_byte_flipped_in_any_part_is_found() {
    let place = Place::new().await;
    let manifest = place.make(plans()).await;
    for file in objects(&place, &manifest) {
        let sound = fs::read(&file).unwrap();
        let mut flipped = sound.clone();
        flipped[sound.len() / 2] ^= 1;
        fs::write(&file, &flipped).unwrap();
        let verified = place.verify(&manifest).await;
        let name = file.file_name().unwrap().to_str().unwrap();
        assert_eq!(verified.findings.len(), 1, "{verified:?}");
        assert!(
            verified.findings[0].contains(name) && verified.findings[0].contains("not what was stored"),
            "{verified:?}"
        );
        let error = restore(&place.vault, &manifest).await.unwrap_err();
        assert!(error.to_string().contains("cannot be restored"), "{error}");
        fs::write(&file, &sound).unwrap();
    }
    assert_eq!(left(&manifest).await.as_deref(), Some("0"));
    assert!(place.verify(&manifest).await.holds());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_missing_or_cut_short_is_found() {
    let place = Place::new().await;
    let manifest = place.make(plans()).await;
    let file = objects(&place, &manifest).remove(0);
    let sound = fs::read(&file).unwrap();
    fs::write(&file, &sound[..sound.len() - 1]).unwrap();
    assert_eq!(place.verify(&manifest).await.findings.len(), 1);
    fs::remove_file(&file).unwrap();
    let verified = place.verify(&manifest).await;
    assert!(verified.findings[0].contains("there is no"), "{verified:?}");
    assert_eq!(left(&manifest).await.as_deref(), Some("0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_manifest_is_not_believed_and_without_one_there_is_no_backup() {
    let place = Place::new().await;
    let manifest = place.make(plans()).await;
    let file = place.folder.path().join(manifest.id.as_str()).join("manifest.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"rows\": 2000", "\"rows\": 1999")).unwrap();
    let listed = place.vault.list().await.unwrap();
    assert!(listed[0].manifest.as_ref().unwrap_err().contains("was changed"), "{listed:?}");
    assert!(restore(&place.vault, &manifest).await.unwrap_err().to_string().contains("was changed"));
    assert!(!place.verify(&manifest).await.holds());
    // That of another backup in its place.
    let other = place.make(plans()).await;
    fs::copy(place.folder.path().join(other.id.as_str()).join("manifest.json"), &file).unwrap();
    assert!(place.vault.manifest(&manifest.id).await.unwrap_err().to_string().contains("another backup"));
    // One that nobody would read keeps the others from nothing.
    fs::File::create(&file).unwrap().set_len(65 << 20).unwrap();
    let listed = place.vault.list().await.unwrap();
    let said: Vec<_> = listed.iter().map(|one| one.manifest.as_ref().err().map_or("", String::as_str)).collect();
    assert!(said.contains(&"") && said.iter().any(|said| said.contains("is damaged")), "{said:?}");
    fs::remove_file(&file).unwrap();
    let ids: Vec<_> = place.vault.list().await.unwrap().into_iter().map(|one| one.id).collect();
    assert_eq!(ids, std::slice::from_ref(&other.id));
    assert!(matches!(place.vault.manifest(&manifest.id).await, Err(VaultError::Unknown(_))));
    assert!(matches!(place.vault.delete(&manifest.id).await, Err(VaultError::Unknown(_))));
    place.vault.delete(&other.id).await.unwrap();
    assert!(place.vault.list().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_encrypted_is_read_with_its_key_alone() {
    let ((public, secret), (_, other)) = (keys(), keys());
    let mut place = Place::new().await;
    let url = place.folder.path().to_str().unwrap().to_owned();
    place.vault = vault(&url, Keys::parse(&public, &secret).unwrap());
    let manifest = place.make(plans()).await;
    assert_eq!(manifest.recipients, [public]);
    assert!(place.verify(&manifest).await.holds());
    let stored: Vec<u8> = objects(&place, &manifest).iter().flat_map(|file| fs::read(file).unwrap()).collect();
    assert!(
        stored.starts_with(b"age-encryption.org/v1") && !String::from_utf8_lossy(&stored).contains("plans_owner_fkey")
    );

    let stranger = vault(&url, Keys::parse("", &format!("# another\n{other}\n")).unwrap());
    let error = restore(&stranger, &manifest).await.unwrap_err();
    assert!(matches!(error, VaultError::NoKey { .. }), "{error}");
    assert_eq!(left(&manifest).await.as_deref(), Some("0"));
    assert!(!format!("{stranger:?} {error}").contains("SECRET"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_leaves_nothing() {
    let place = Place::new().await;
    let (progress, cancel) = (Arc::new(Progress::default()), CancellationToken::new());
    let watch = async {
        while progress.bytes.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let made = place.vault.make(place.db.connect(), request(Scope::default()), &progress, &cancel);
    let (made, ()) = tokio::join!(made, watch);
    assert!(matches!(made, Err(VaultError::Cancelled)), "{made:?}");
    assert_eq!(everything(place.folder.path()), [] as [&str; 0]);
}

/// `pg_dump` that ends in the middle of its work, by itself or by a signal.
#[tokio::test(flavor = "multi_thread")]
async fn a_pg_dump_that_dies_leaves_nothing() {
    let mut place = Place::new().await;
    let real = Binaries::find(&|name| std::env::var(name).ok()).unwrap().folder().to_owned();
    for (after, said) in [
        ("kill -9 $$", "signal 9"),
        ("echo 'pg_dump: error: no more' >&2; exit 1", "no more"),
        ("exit 0", "ends in the middle"),
    ] {
        let tools = tempfile::tempdir().unwrap();
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in *--section=data*) {0}/pg_dump \"$@\" | head -c 20000; {after};; *) exec {0}/pg_dump \"$@\";; esac\n",
            real.display()
        );
        for (name, content) in [("pg_dump", script.as_str()), ("pg_restore", "#!/bin/sh\nexit 1\n")] {
            let program = tools.path().join(name);
            fs::write(&program, content).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let bin = tools.path().display().to_string();
        let storage = place.vault.storage().clone();
        place.vault =
            Vault::new(storage, Keys::default(), Arc::new(move |name| (name == "PG_BIN").then(|| bin.clone())));
        let error = place.try_make(Scope::default()).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert_eq!(everything(place.folder.path()), [] as [&str; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_there_is_never_written_over() {
    let place = Place::new().await;
    let manifest = place.make(plans()).await;
    let (progress, cancel) = (Arc::new(Progress::default()), CancellationToken::new());
    let taken =
        place.vault.restore_into_new(&manifest.id, server().connect(), place.db.name(), &progress, &cancel).await;
    assert!(matches!(taken, Err(VaultError::DatabaseExists(_))), "{taken:?}");
    assert_eq!(place.db.value("SELECT count(*) FROM plans.plans").await.as_deref(), Some("2000"));
}

/// Roles belong to the cluster: what is missing is made, what is there stays as it is.
#[tokio::test(flavor = "multi_thread")]
async fn roles_rights_and_settings_come_back() {
    let place = Place::new().await;
    let role = format!("keeper_{}", &place.db.name()[5..17]);
    let db = place.db.name();
    place
        .db
        .value(&format!(
            "CREATE ROLE {role} LOGIN CREATEDB CONNECTION LIMIT 3; COMMENT ON ROLE {role} IS 'it''s theirs'; ALTER ROLE {role} SET search_path = plans, public;
             ALTER TABLE plans.plans OWNER TO {role}; GRANT SELECT ON users.users TO {role};
             ALTER DATABASE \"{db}\" SET work_mem = '5MB'; ALTER ROLE {role} IN DATABASE \"{db}\" SET statement_timeout = '7s';
             REVOKE ALL ON DATABASE \"{db}\" FROM PUBLIC; GRANT CONNECT ON DATABASE \"{db}\" TO {role} WITH GRANT OPTION"
        ))
        .await;
    let manifest = place.make(Scope::default()).await;
    // Gone from the cluster.
    place.db.value(&format!("REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}; DROP ROLE {role}")).await;
    let restored = restore(&place.vault, &manifest).await.unwrap();
    let back = server().session(&restored.database).await;
    let query = format!(
        "SELECT r.rolcanlogin, r.rolcreatedb, r.rolsuper, r.rolconnlimit, r.rolconfig, shobj_description(r.oid, 'pg_authid'),
                (SELECT relowner FROM pg_class WHERE oid = 'plans.plans'::regclass) = r.oid, has_table_privilege(r.oid, 'users.users', 'SELECT'),
                has_database_privilege(r.oid, current_database(), 'CONNECT WITH GRANT OPTION'),
                (SELECT string_agg(c, ',' ORDER BY c) FROM pg_db_role_setting s, unnest(s.setconfig) c WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))
           FROM pg_roles r WHERE r.rolname = '{role}'"
    );
    let row: Vec<String> = back
        .batch(&query)
        .await
        .unwrap()
        .rows()
        .next()
        .unwrap()
        .iter()
        .map(|c| c.clone().unwrap_or_default())
        .collect();
    assert_eq!(
        row,
        [
            "t",
            "t",
            "f",
            "3",
            "{\"search_path=plans, public\"}",
            "it's theirs",
            "t",
            "t",
            "t",
            "statement_timeout=7s,work_mem=5MB"
        ]
    );
    back.close().await;
    let admin = server().session("postgres").await;
    admin.batch(&format!("DROP DATABASE \"{}\" WITH (FORCE)", restored.database)).await.unwrap();
    admin.batch(&format!("DROP ROLE {role}")).await.unwrap();
}
