//! Opens what a URL names.

use std::path::Path as FilePath;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{Certificate, ClientOptions, ObjectStore, RetryConfig};

use super::error::Doing;
use super::url::{Address, S3Options, parse, refused};
use super::{Inner, Patience, Place, StorageError, folder};

type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What tells Amazon's stores who is asking. `AWS_PROFILE` and the files of the AWS tools are not read.
const S3_IDENTITIES: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
];

const S3_VARIABLES: [&str; 17] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_METADATA_ENDPOINT",
    "AWS_IMDSV1_FALLBACK",
    "AWS_SKIP_SIGNATURE",
    "AWS_REQUEST_PAYER",
    "AWS_SERVER_SIDE_ENCRYPTION",
    "AWS_SSE_KMS_KEY_ID",
    "AWS_SSE_BUCKET_KEY_ENABLED",
];

const GOOGLE_VARIABLES: [&str; 5] = [
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_SERVICE_ACCOUNT",
    "GOOGLE_SERVICE_ACCOUNT_PATH",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "GOOGLE_SKIP_SIGNATURE",
];

const AZURE_VARIABLES: [&str; 12] = [
    "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_TOKEN",
    "AZURE_STORAGE_ENDPOINT",
    "AZURE_STORAGE_USE_EMULATOR",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_AUTHORITY_HOST",
    "AZURE_MSI_ENDPOINT",
];

pub(super) fn connect(url: &str, variable: Variable, patience: Patience) -> Result<Inner, StorageError> {
    match parse(url)? {
        Address::Folder(path) => folder(&path, patience),
        Address::S3 { bucket, prefix, options } => {
            let builder = s3(&bucket, options, variable, &patience)?;
            remote(url, prefix, &patience, |retries| Ok(Arc::new(builder.clone().with_retry(retries).build()?)))
        }
        Address::Google { bucket, prefix } => {
            let mut builder = GoogleCloudStorageBuilder::new().with_bucket_name(bucket);
            for (key, value) in set(&GOOGLE_VARIABLES, variable) {
                builder = builder.with_config(key_of::<GoogleConfigKey>(key)?, value);
            }
            let builder = builder.with_client_options(patience.client());
            remote(url, prefix, &patience, |retries| Ok(Arc::new(builder.clone().with_retry(retries).build()?)))
        }
        Address::Azure { container, prefix } => {
            let mut builder = MicrosoftAzureBuilder::new().with_container_name(container);
            for (key, value) in set(&AZURE_VARIABLES, variable) {
                builder = builder.with_config(key_of::<AzureConfigKey>(key)?, value);
            }
            let mut client = patience.client();
            if variable("AZURE_STORAGE_ENDPOINT").is_some_and(|endpoint| endpoint.starts_with("http://")) {
                client = client.with_allow_http(true).with_no_system_certificates(true);
            }
            let builder = builder.with_client_options(client);
            remote(url, prefix, &patience, |retries| Ok(Arc::new(builder.clone().with_retry(retries).build()?)))
        }
    }
}

fn folder(path: &FilePath, patience: Patience) -> Result<Inner, StorageError> {
    let shown = std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    let doing = Doing { storage: shown.clone(), action: "open the folder", what: String::new() };
    let root = folder::open(path).map_err(|error| doing.io(&error))?;
    let store = LocalFileSystem::new_with_prefix(&root).map_err(|error| doing.store(&error))?.with_fsync(true);
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    Ok(Inner { shown, root: Path::ROOT, once: Arc::clone(&store), store, place: Place::Folder(root), patience })
}

fn remote<S: ObjectStore + MultipartStore>(
    url: &str,
    root: Path,
    patience: &Patience,
    build: impl Fn(RetryConfig) -> object_store::Result<Arc<S>>,
) -> Result<Inner, StorageError> {
    // The HTTP client takes the process's provider for TLS; there may be one already, and then it is ours.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let doing = Doing { storage: url.to_owned(), action: "prepare to connect", what: String::new() };
    let build = |retries| build(retries).map_err(|error| doing.store(&error));
    let store = build(patience.retries())?;
    let once = build(RetryConfig { max_retries: 0, ..patience.retries() })?;
    let place = Place::Remote(Arc::clone(&store) as Arc<dyn MultipartStore>);
    Ok(Inner { shown: url.to_owned(), root, store, once, place, patience: patience.clone() })
}

fn s3(
    bucket: &str,
    options: S3Options,
    variable: Variable,
    patience: &Patience,
) -> Result<AmazonS3Builder, StorageError> {
    let first = |names: &[&str]| names.iter().find_map(|name| variable(name)).filter(|value| !value.is_empty());
    let endpoint = options.endpoint.or_else(|| first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]));
    let region = options.region.or_else(|| first(&["AWS_REGION", "AWS_DEFAULT_REGION"]));
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        // One request each: not every store has the other way, and a backup is a handful of objects.
        .with_disable_bulk_delete(true);
    for (key, value) in set(&S3_VARIABLES, variable) {
        builder = builder.with_config(key_of::<AmazonS3ConfigKey>(key)?, value);
    }
    if let Some(region) = region {
        builder = builder.with_region(region);
    }
    let mut client = trusting(patience.client(), variable)?;
    // A name with dots fits no certificate of bucket.s3.….amazonaws.com.
    let path_style = options.path_style.unwrap_or(endpoint.is_some() || bucket.contains('.'));
    if let Some(endpoint) = endpoint {
        if first(&S3_IDENTITIES).is_none() {
            return Err(refused("no credentials are set for it: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"));
        }
        let endpoint = checked_endpoint(&endpoint)?;
        if endpoint.scheme() == "http" {
            // Without TLS nobody's certificates are needed, and a small container has none.
            let apart = variable("AWS_WEB_IDENTITY_TOKEN_FILE").is_none();
            client = client.with_allow_http(true).with_no_system_certificates(apart);
        }
        builder = builder.with_endpoint(address(&endpoint, bucket, path_style));
    }
    Ok(builder.with_virtual_hosted_style_request(!path_style).with_client_options(client))
}

fn checked_endpoint(text: &str) -> Result<url::Url, StorageError> {
    let endpoint = url::Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some())
        .ok_or_else(|| refused("its endpoint is no address: it reads https://host or http://host:port"))?;
    if !endpoint.username().is_empty() || endpoint.password().is_some() {
        return Err(refused("its endpoint holds credentials: put them into AWS_ACCESS_KEY_ID and its like"));
    }
    Ok(endpoint)
}

/// The endpoint as the library wants it: with the bucket in the host's name, where it stands there.
fn address(endpoint: &url::Url, bucket: &str, path_style: bool) -> String {
    let text = endpoint.as_str().trim_end_matches('/');
    if path_style { text.to_owned() } else { text.replacen("://", &format!("://{bucket}."), 1) }
}

/// A client that also trusts the authorities in `AWS_CA_BUNDLE`, as the AWS tools do: a store of one's own often has
/// a certificate of one's own.
fn trusting(client: ClientOptions, variable: Variable) -> Result<ClientOptions, StorageError> {
    let Some(file) = variable("AWS_CA_BUNDLE").filter(|file| !file.is_empty()) else { return Ok(client) };
    let unusable = |why: String| refused(&format!("AWS_CA_BUNDLE names {file}, {why}"));
    let pem = std::fs::read(&file).map_err(|error| unusable(format!("which cannot be read ({error})")))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|_| unusable("which holds no certificates".to_owned()))?;
    Ok(found.into_iter().fold(client, ClientOptions::with_root_certificate))
}

/// The variables that are set to something.
fn set<'a>(names: &'a [&'a str], variable: Variable<'a>) -> impl Iterator<Item = (&'a str, String)> {
    names.iter().filter_map(move |name| variable(name).filter(|value| !value.is_empty()).map(|value| (*name, value)))
}

fn key_of<K: std::str::FromStr>(name: &str) -> Result<K, StorageError> {
    name.to_ascii_lowercase().parse().map_err(|_| refused(&format!("{name} is not understood")))
}
