//! `deploy/gateway/` is what the route table says, and nginx takes it.

use std::path::{Path, PathBuf};
use std::process::Command;

use gateway::{DEFAULT_ROUTES, Table, envoy, nginx};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/gateway")
}

fn table() -> Table {
    Table::parse(DEFAULT_ROUTES).expect("a good table")
}

#[test]
fn what_is_committed_is_made_from_the_table() {
    let made = [("nginx.conf", nginx(&table())), ("envoy.yaml", envoy(&table()))];
    for (name, text) in made {
        let path = folder().join(name);
        if std::env::var_os("UPDATE_GATEWAY").is_some() {
            std::fs::create_dir_all(folder()).expect("a folder");
            std::fs::write(&path, &text).expect("written");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "{name} is stale; run UPDATE_GATEWAY=1 cargo test -p gateway --test deploy");
    }
}

#[test]
fn every_path_and_service_stands_in_both() {
    let (nginx, envoy) = (nginx(&table()), envoy(&table()));
    for route in &table().routes {
        for path in &route.paths {
            assert!(nginx.contains(&format!("location ~ ^{path}")), "{path}");
            assert!(envoy.contains(&format!(": {path} ")) || envoy.contains(&format!(": {path},")), "{path}");
        }
    }
    for upstream in table().upstreams.keys() {
        assert!(
            nginx.contains(&format!("upstream {upstream} {{")) && envoy.contains(&format!("- name: {upstream}\n")),
            "{upstream}"
        );
    }
}

/// The server itself says whether it would start with it.
#[test]
fn nginx_takes_it() {
    let program = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let program = program.expect("nginx is installed; run scripts/needs.sh test-database");
    let temporary = tempfile::tempdir().expect("a folder");
    let mut test = Command::new(program);
    test.args(["-t", "-q", "-e", "stderr", "-p"]).arg(temporary.path()).arg("-g").arg("pid nginx.pid; daemon off;");
    let told = test
        .arg("-c")
        .arg(folder().canonicalize().expect("it is there").join("nginx.conf"))
        .output()
        .expect("nginx runs");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
}
