//! The storage, on a folder and on an S3 server that fails as it is told to.

mod azure;
mod server;

mod contract;
mod faults;
mod folder;
mod killed;
mod refusals;

/// Content that is not the same anywhere: of a generator that needs no state but the position.
fn content(bytes: usize) -> Vec<u8> {
    (0..bytes as u64).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

async fn read(storage: &backup_vault::storage::Storage, name: &str) -> Vec<u8> {
    let mut reading = storage.read(name).await.expect("it can be read");
    let mut found = Vec::new();
    while let Some(piece) = reading.next().await.expect("it is read to its end") {
        found.extend_from_slice(&piece);
    }
    assert_eq!(found.len() as u64, reading.bytes());
    found
}

/// Writes a whole object in pieces of a size that fits nothing.
async fn write(
    storage: &backup_vault::storage::Storage,
    name: &str,
    content: &[u8],
) -> Result<backup_vault::storage::Stored, backup_vault::storage::StorageError> {
    let mut upload = storage.upload(name)?;
    for piece in content.chunks(3_333_333) {
        if let Err(error) = upload.write(hyper::body::Bytes::copy_from_slice(piece)).await {
            // Not left to the drop, which does it in its own time. The storage may still be failing.
            upload.abort().await.ok();
            return Err(error);
        }
    }
    upload.finish().await
}

const MIB: usize = 1 << 20;
