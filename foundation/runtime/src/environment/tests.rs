use super::*;

fn dotenv(text: &str) -> Result<Environment, ConfigErrors> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(".env");
    fs::write(&path, text).expect("written");
    Environment::layered([], &path)
}

fn value(environment: &Environment, name: &str) -> Option<String> {
    environment.get(name).expect("readable")
}

#[test]
fn dotenv_knows_comments_export_quotes_and_escapes() {
    let text = "\u{feff}# comment\r\n\
        PLAIN = a b#c # comment\n\
        export EXPORTED=yes\n\
        exported=1\n\
        SINGLE='raw \\n $x \"q\" # no comment' # comment\n\
        DOUBLE=\"line\\nnext \\\"q\\\" \\\\ \\$x\"\n\
        EMPTY=\n\
        COMMENT_ONLY= # nothing\n\
        EQUALS=a=b\n\
        MULTI='first\nsecond'\n\
        TWICE=1\nTWICE=2\n";
    let environment = dotenv(text).expect("well-formed");
    for (name, expected) in [
        ("PLAIN", Some("a b#c")),
        ("EXPORTED", Some("yes")),
        ("exported", Some("1")),
        ("SINGLE", Some("raw \\n $x \"q\" # no comment")),
        ("DOUBLE", Some("line\nnext \"q\" \\ $x")),
        ("EMPTY", None),
        ("COMMENT_ONLY", None),
        ("EQUALS", Some("a=b")),
        ("MULTI", Some("first\nsecond")),
        ("TWICE", Some("2")),
        ("ABSENT", None),
    ] {
        assert_eq!(value(&environment, name).as_deref(), expected, "{name}");
    }
}

#[test]
fn a_malformed_line_is_named_and_not_repeated() {
    for (text, line) in [
        ("A=1\ngeheim\n", 2),
        ("\n\n1A=geheim", 3),
        ("A B=geheim", 1),
        ("=geheim", 1),
        ("A=1\nB=\"geheim\nC=2", 2),
        ("A='1\n2'\nB='x' geheim", 3),
        (r#"A="\q geheim""#, 1),
    ] {
        let error = dotenv(text).expect_err(text);
        let found = lines(&error);
        assert_eq!(found, [line], "{text:?}: {error}");
        assert!(!error.to_string().contains("geheim"), "{error}");
    }
}

fn lines(errors: &ConfigErrors) -> Vec<usize> {
    let line = |error: &ConfigError| match error {
        ConfigError::DotenvLine { line, .. } => *line,
        other => panic!("{other}"),
    };
    errors.0.iter().map(line).collect()
}

#[test]
fn all_malformed_lines_are_named() {
    let errors = dotenv("A=1\nno equals\nB='1\n2'\nB C=3\nD=4\nE=\"open\n").expect_err("three bad lines");
    assert_eq!(lines(&errors), [2, 5, 7]);
}

#[test]
fn the_process_wins_over_the_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(".env");
    fs::write(&path, "A=file\nB=file\nC_FILE=/absent\n").expect("written");
    let process = [("A", "process"), ("C", "process")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    let environment = Environment::layered(process, &path).expect("well-formed");
    assert_eq!(value(&environment, "A").as_deref(), Some("process"));
    assert_eq!(value(&environment, "B").as_deref(), Some("file"));
    assert_eq!(value(&environment, "C").as_deref(), Some("process"), "a nearer value beats a farther file");
    assert!(Environment::layered([], &folder.path().join("absent")).is_ok(), "no file is no error");
    assert!(Environment::layered([], folder.path()).is_err(), "a folder is");
}

#[test]
fn values_come_from_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("value");
    let named = path.to_str().expect("UTF-8");
    for (content, expected) in [("v\n", "v"), ("v\r\n", "v"), ("v", "v"), (" v \n\n", " v \n")] {
        fs::write(&path, content).expect("written");
        assert_eq!(value(&Environment::of([("A_FILE", named)]), "A").as_deref(), Some(expected), "{content:?}");
    }
    let both = Environment::of([("A", "x"), ("A_FILE", named)]);
    assert_eq!(both.get("A"), Err(ConfigError::Both { name: "A".into() }));
    assert_eq!(
        value(&Environment::of([("A", ""), ("A_FILE", named)]), "A").as_deref(),
        Some(" v \n"),
        "empty is unset"
    );
    let absent = Environment::of([("A_FILE", "/absent/value")]).get("A").expect_err("no such file");
    assert!(
        matches!(&absent, ConfigError::ValueFile { name, path, .. } if name == "A_FILE" && path == Path::new("/absent/value"))
    );
}

#[test]
fn everything_bad_is_reported_at_once_and_no_secret() {
    let environment = Environment::of([
        ("PORT", "80800"),
        ("LIMIT", "many"),
        ("API_KEY", "geheim"),
        ("DATABASE_URL", "geheim"),
        ("GOOD", " 7 "),
    ]);
    let mut values = environment.collector();
    assert_eq!(values.or("PORT", 3000_u16), 3000);
    assert_eq!(values.optional::<u8>("LIMIT"), None);
    assert_eq!(values.required::<u8>("API_KEY", "a number"), None);
    assert_eq!(values.required::<String>("NAME", "set it to the deployment's name"), None);
    assert_eq!(values.or("GOOD", 1), 7);
    values.reject("DATABASE_URL", "geheim is not allowed here");
    let text = values.finish(|| Some(())).expect_err("five are bad").to_string();
    for part in [
        "5 errors",
        "PORT has the value `80800`",
        "LIMIT has the value `many`",
        "API_KEY has the value (not shown)",
        "NAME is not set: set it to",
        "DATABASE_URL",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert!(!text.contains("geheim") && !format!("{environment:?}").contains("geheim"), "{text}");
}

#[test]
fn good_values_build_the_section() {
    let environment = Environment::of([("A", "1")]);
    let mut values = environment.collector();
    let a: Option<u8> = values.required("A", "a number");
    assert_eq!(values.finish(|| a), Ok(1));
    assert!(environment.collector().finish(|| None::<u8>).is_err(), "a forgotten `required` is no panic");
}

#[test]
fn what_a_program_knows_counts_where_nobody_says_otherwise() {
    let environment = Environment::of([("PORT", "8080"), ("EMPTY", "")]);
    let usual = [("PORT", "3000"), ("EMPTY", "x"), ("NAME", "profe")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    let environment = environment.or_usually(usual);
    let value = |name: &str| environment.get(name).expect("readable");
    assert_eq!(value("PORT").as_deref(), Some("8080"));
    assert_eq!(value("EMPTY").as_deref(), Some("x"), "an empty value counts as not set");
    assert_eq!(value("NAME").as_deref(), Some("profe"));
}
