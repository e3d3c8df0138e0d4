use std::time::Duration;

use super::*;

fn parse(text: &str) -> Result<ConnectOptions, OptionsError> {
    ConnectOptions::parse_with(text, &|name| (name == "HOME").then(|| "/home/ada".to_owned()))
}

fn good(text: &str) -> ConnectOptions {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> String {
    parse(text).err().unwrap_or_else(|| panic!("{text} was taken")).to_string()
}

fn password(options: &ConnectOptions) -> Option<&str> {
    options.password.as_ref().map(Secret::reveal)
}

#[test]
fn a_url_and_its_conninfo_mean_the_same() {
    let url = good("postgresql://ada:p%40ss%2Fw%25rd@db.example:6543/my%20shop?sslmode=require&application_name=x%26y");
    let pairs = good(
        r"host=db.example port = 6543 user=ada password='p@ss/w%rd' dbname='my shop' sslmode=require application_name=x&y",
    );
    for options in [url, pairs] {
        assert_eq!(options.host_summary(), "db.example:6543");
        assert_eq!((options.user(), options.database()), ("ada", "my shop"));
        assert_eq!(password(&options), Some("p@ss/w%rd"));
        assert_eq!(options.sslmode(), SslMode::Require);
        assert_eq!(options.application_name.as_deref(), Some("x&y"));
    }
}

#[test]
fn quotes_and_backslashes() {
    let options = good(r"user=a\ b password='it\'s \\ here' dbname='' host=h");
    assert_eq!((options.user(), password(&options)), ("a b", Some(r"it's \ here")));
    assert_eq!(options.database(), "a b", "an empty value is none, and the database is called like the user");
    assert!(refused("user='ada").contains("not closed"));
    assert!(refused("geheim").contains("key=value") && !refused("geheim").contains("geheim"));
    assert!(!refused("user=a geheim dbname=x").contains("geheim"));
}

#[test]
fn several_hosts() {
    let hosts = |text: &str| good(text).host_summary();
    assert_eq!(hosts("postgres://u@a,b:2,[::1]:3,[::2]/d"), "a:5432,b:2,[::1]:3,[::2]:5432");
    assert_eq!(hosts("user=u host=a,b port=7"), "a:7,b:7");
    assert_eq!(hosts("user=u host=a,b port=7,8"), "a:7,b:8");
    assert_eq!(hosts("user=u hostaddr=10.0.0.1"), "10.0.0.1:5432");
    assert!(refused("user=u host=a,b,c port=1,2").contains("2 ports stand beside 3 hosts"));
    assert!(refused("user=u host=a,b hostaddr=10.0.0.1").contains("2 hosts"));
    assert!(refused("user=u hostaddr=db.example").contains("IP address"));
}

#[test]
fn sockets() {
    for text in
        ["postgres://u@%2Frun%2Fpg:6000/d", "postgres://u@/d?host=/run/pg&port=6000", "host=/run/pg user=u port=6000"]
    {
        assert_eq!(good(text).endpoints[0].host, Host::Unix("/run/pg".into()), "{text}");
        assert_eq!(good(text).host_summary(), "/run/pg:6000");
    }
}

#[test]
fn what_is_unknown_or_unsupported_is_named() {
    assert!(refused("user=u hots=x").contains("`hots`"));
    assert!(refused("postgres://u@h/d?sslmdoe=x").contains("`sslmdoe`"));
    for text in
        ["sslpassword=geheim", "sslnegotiation=direct", "service=x", "gssencmode=require", "client_encoding=latin1"]
    {
        let error = refused(&format!("user=u {text}"));
        assert!(error.contains(text.split('=').next().expect("a name")) && !error.contains("geheim"), "{error}");
    }
    for (text, says) in [
        ("port=0", "65535"),
        ("port=x", "65535"),
        ("sslmode=on", "verify-full"),
        ("connect_timeout=soon", "seconds"),
        ("target_session_attrs=any-old", "read-write"),
        ("channel_binding=maybe", "require"),
    ] {
        assert!(refused(&format!("user=u {text}")).contains(says), "{text}");
    }
    for text in ["postgres://u:geheim/x@h/d", "postgres://u:geheim?x@h/d"] {
        assert!(refused(text).contains("%2F") && !refused(text).contains("geheim"), "{text}");
    }
    assert!(refused("postgres://u:50%@h/d").contains("%25"));
    assert!(refused("postgres://u@[::1/d").contains("not closed"));
}

#[test]
fn the_environment_fills_what_is_missing() {
    let environment = |name: &str| {
        let value = match name {
            "PGHOST" => "env.example",
            "PGPORT" => "6000",
            "PGUSER" => "env_user",
            "PGPASSWORD" => "env_password",
            "PGDATABASE" => "env_database",
            "PGSSLMODE" => "verify-ca",
            "PGSSLROOTCERT" => "/env/root.crt",
            "PGCONNECT_TIMEOUT" => "1",
            "PGAPPNAME" => "",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let options = ConnectOptions::parse_with("", &environment).expect("all is there");
    assert_eq!(options.host_summary(), "env.example:6000");
    assert_eq!((options.user(), options.database()), ("env_user", "env_database"));
    assert_eq!(password(&options), Some("env_password"));
    assert_eq!(options.sslrootcert, RootCertificate::File("/env/root.crt".into()));
    assert_eq!(options.connect_timeout, Some(Duration::from_secs(2)), "libpq's least");
    assert_eq!(options.application_name, None);
    let options = ConnectOptions::parse_with("postgres://ada:own@h:1/d?sslmode=disable", &environment).expect("valid");
    assert_eq!(options.host_summary(), "h:1");
    assert_eq!((options.user(), password(&options)), ("ada", Some("own")));
    assert_eq!(options.sslmode(), SslMode::Disable);
    let error = ConnectOptions::parse_with("user=u", &|name| (name == "PGSSLMODE").then(|| "on".to_owned()));
    assert!(error.expect_err("not a mode").to_string().contains("PGSSLMODE"), "the variable is blamed");
}

#[test]
fn defaults_are_those_of_libpq() {
    let options = good("host=h user=u");
    assert_eq!(options.sslmode(), SslMode::Prefer);
    assert_eq!(options.passfile.as_deref(), Some("/home/ada/.pgpass".as_ref()));
    assert_eq!(options.sslrootcert, RootCertificate::Default(Some("/home/ada/.postgresql/root.crt".into())));
    assert_eq!(options.sslcert, None, "only where the file exists");
    assert_eq!(options.connect_timeout, Some(Duration::from_secs(10)), "ours");
    assert_eq!(good("host=h user=u connect_timeout=0").connect_timeout, None);
    let system = good("host=h user=u sslrootcert=system");
    assert_eq!(system.sslmode(), SslMode::VerifyFull);
    assert!(refused("host=h user=u sslrootcert=system sslmode=require").contains("too weak"));
    assert!(!good("host=h").user().is_empty(), "the account that runs this");
}

#[test]
fn people_never_see_the_password() {
    let options = good("postgres://ada:geheim@h/d?options=-c%20app.key=geheim").with_option("app.other", "geheim");
    let all = format!("{options:?} {} {}", options.redacted(), options.host_summary());
    assert!(!all.contains("geheim"), "{all}");
    assert_eq!(
        good("user='a b' host=h,[x dbname=d/e").redacted(),
        "postgresql://a%20b@h:5432,[x:5432/d%2Fe?sslmode=prefer"
    );
    let socket = good("host=/run/pg user=u dbname=d application_name=me");
    assert_eq!(good(&socket.redacted()).endpoints, socket.endpoints, "it can be read back");
}

#[test]
fn builders_replace_what_was_parsed() {
    let options = good("postgres://ada:own@h/d?options=-c%20a.b=1")
        .with_database("other")
        .with_application_name("me")
        .with_option("c.d", r"x y\z");
    assert_eq!(options.options, r"-c a.b=1 -c c.d=x\ y\\z");
    assert_eq!((options.database(), password(&options)), ("other", Some("own")));
    assert_eq!(password(&options.clone().with_user("ada")), Some("own"));
    assert_eq!(password(&options.clone().with_user("bob")), None, "another's password");
    assert_eq!(password(&options.with_user("bob").with_password("new")), Some("new"));
}
