//! An S3 server in this process; its objects are files.

use std::net::SocketAddr;
use std::path::Path;

use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;

use crate::Outcome;

const BUCKET: &str = "backups";
const KEY: &str = "the-key";
const SECRET: &str = "the-secret-of-the-key";

/// Starts it, with an empty bucket, for as long as the runtime lives.
pub async fn start(folder: &Path) -> Outcome<SocketAddr> {
    std::fs::create_dir_all(folder.join(BUCKET)).map_err(|error| error.to_string())?;
    let files = s3s_fs::FileSystem::new(folder).map_err(|error| format!("the S3 server: {error:?}"))?;
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
    let service = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            // Broken connections are what this is for.
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(address)
}

/// The storage's URL, by way of this address.
pub fn url(address: SocketAddr) -> String {
    format!("s3://{BUCKET}/soak?endpoint=http://{address}")
}

/// What its clients have in their environment.
pub const VARIABLES: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_REGION", "eu-central-1")];
