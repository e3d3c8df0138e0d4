//! The settings in libpq's `options`, for a server that got none at the login.

/// The names and values of `-c name=value` and `--name=value`, later ones last; `None` where anything else stands there.
pub(super) fn parse(options: &str) -> Option<Vec<(String, String)>> {
    let mut words = words(options).into_iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let setting = match (word.strip_prefix("--"), word.strip_prefix("-c")) {
            (Some(long), _) => long.to_owned(),
            (None, Some("")) => words.next()?,
            (None, Some(short)) => short.to_owned(),
            (None, None) => return None,
        };
        let (name, value) = setting.split_once('=')?;
        // As the server reads a command line.
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Some(settings)
}

/// Split at blanks; a backslash takes what follows as it is.
fn words(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.get_or_insert_default().extend(characters.next()),
            blank if blank.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn settings_are_read_as_the_server_reads_them() {
        let pairs = |text: &str| {
            parse(text).map(|all| all.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>())
        };
        let all = pairs(r"-c a.b=1  -clock_timeout=2s --work-mem=4MB -c c=x\ y\\z -c d=").expect("settings");
        assert_eq!(all, ["a.b=1", "lock_timeout=2s", "work_mem=4MB", r"c=x y\z", "d="]);
        assert_eq!(pairs(""), Some(Vec::new()));
        for other in ["-B 100", "-c", "-c novalue", "name=value"] {
            assert_eq!(pairs(other), None, "{other}");
        }
    }
}
