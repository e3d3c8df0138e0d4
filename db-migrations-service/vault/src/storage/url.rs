//! What a storage's URL says.

use std::path::PathBuf;

use object_store::path::Path;
use url::Url;

use super::StorageError;

/// A place, as the URL names it.
pub(super) enum Address {
    Folder(PathBuf),
    S3 { bucket: String, prefix: Path, options: S3Options },
    Google { bucket: String, prefix: Path },
    Azure { container: String, prefix: Path },
}

/// What can be said of an S3 server in the URL; the rest, and what is not said, comes from the variables.
#[derive(Default)]
pub(super) struct S3Options {
    pub endpoint: Option<String>,
    pub region: Option<String>,
    pub path_style: Option<bool>,
}

/// Reads a URL. It is never repeated in an error: what was put there by mistake may be a secret.
pub(super) fn parse(text: &str) -> Result<Address, StorageError> {
    if text.is_empty() {
        return Err(refused("it is empty: name a folder or a URL"));
    }
    let Some((scheme, _)) = text.split_once("://") else {
        return Ok(Address::Folder(PathBuf::from(text)));
    };
    let url = Url::parse(text).map_err(|error| refused(&format!("it cannot be read ({error})")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("it holds credentials: put them into the variables, as AWS_ACCESS_KEY_ID"));
    }
    if url.fragment().is_some() {
        return Err(refused("it ends in a fragment (#…): leave that out"));
    }
    match scheme {
        "file" => folder(&url),
        "s3" => {
            let options = s3_options(&url)?;
            named(&url, "bucket").map(|(bucket, prefix)| Address::S3 { bucket, prefix, options })
        }
        "gs" => {
            no_options(&url)?;
            named(&url, "bucket").map(|(bucket, prefix)| Address::Google { bucket, prefix })
        }
        "az" => {
            no_options(&url)?;
            named(&url, "container").map(|(container, prefix)| Address::Azure { container, prefix })
        }
        other => Err(refused(&format!(
            "nothing is known of {other:?}: there are a folder's path, file://, s3://, gs:// and az://"
        ))),
    }
}

/// The folder that a storage's URL names, where it names one that can be used.
pub fn folder_of(url: &str) -> Option<PathBuf> {
    match parse(url) {
        Ok(Address::Folder(path)) => Some(path),
        _ => None,
    }
}

fn folder(url: &Url) -> Result<Address, StorageError> {
    no_options(url)?;
    let path = url.to_file_path().map_err(|()| refused("a file:// URL has three slashes and an absolute path"))?;
    Ok(Address::Folder(path))
}

fn named(url: &Url, kind: &str) -> Result<(String, Path), StorageError> {
    let name = url.host_str().unwrap_or_default();
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if name.is_empty() || !name.bytes().all(sound) || url.port().is_some() {
        return Err(refused(&format!("it names no {kind}: it reads {}://{kind}/prefix", url.scheme())));
    }
    let prefix = Path::from_url_path(url.path()).map_err(|_| refused("its path is no prefix for objects"))?;
    Ok((name.to_owned(), prefix))
}

fn no_options(url: &Url) -> Result<(), StorageError> {
    match url.query_pairs().next() {
        Some((key, _)) => Err(refused(&format!("{}:// has no option {key:?}", url.scheme()))),
        None => Ok(()),
    }
}

fn s3_options(url: &Url) -> Result<S3Options, StorageError> {
    let mut options = S3Options::default();
    for (key, value) in url.query_pairs() {
        match &*key {
            "endpoint" => options.endpoint = Some(value.into_owned()),
            "region" => options.region = Some(value.into_owned()),
            "path_style" => {
                let parsed = value.parse().map_err(|_| refused("path_style is true or false"))?;
                options.path_style = Some(parsed);
            }
            other => {
                return Err(refused(&format!("s3:// has no option {other:?}: there are endpoint, region, path_style")));
            }
        }
    }
    Ok(options)
}

pub(super) fn refused(why: &str) -> StorageError {
    StorageError::Url(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        match parse(url) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{url} was taken"),
        }
    }

    #[test]
    fn only_a_folder_has_a_disk() {
        let folder = |url| folder_of(url).map(|path| path.display().to_string());
        assert_eq!(folder("/var/backups").as_deref(), Some("/var/backups"));
        assert_eq!(folder("file:///var/backups").as_deref(), Some("/var/backups"));
        assert_eq!(folder("file:///var/our%20backups").as_deref(), Some("/var/our backups"));
        for url in ["s3://bucket/prefix", "gs://bucket", "az://container"] {
            assert_eq!(folder(url), None, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_without_repeating_it() {
        for (url, says) in [
            ("", "is empty"),
            ("ftp://host/x", "s3://, gs:// and az://"),
            ("s3://", "names no bucket"),
            ("s3:///prefix", "names no bucket"),
            ("s3://bucket:80/x", "names no bucket"),
            ("s3://key:hunter2@bucket/x", "variables"),
            ("s3://bucket?secret_access_key=hunter2", "no option \"secret_access_key\""),
            ("s3://bucket?path_style=hunter2", "true or false"),
            ("az://container?sas=hunter2", "no option \"sas\""),
            ("s3://bucket/x#hunter2", "fragment"),
            ("file://host/x", "three slashes"),
        ] {
            let refusal = refusal(url);
            assert!(refusal.contains(says), "{url}: {refusal}");
            assert!(!refusal.contains("hunter2"), "{url}: {refusal}");
        }
    }

    #[test]
    fn a_path_is_a_folder_and_dots_do_not_leave_a_bucket() {
        assert!(matches!(parse("backups"), Ok(Address::Folder(path)) if path.as_os_str() == "backups"));
        assert!(matches!(parse("file:///a%20b"), Ok(Address::Folder(path)) if path.as_os_str() == "/a b"));
        let Ok(Address::S3 { bucket, prefix, .. }) = parse("s3://bucket/a/../../b/") else { panic!("not read") };
        assert_eq!((bucket.as_str(), prefix.as_ref()), ("bucket", "b"));
    }
}
