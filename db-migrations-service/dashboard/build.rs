//! Compresses what is below `assets/` and lists it as Rust, so that the binary holds all of it and serving it costs
//! nothing but the bytes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=assets");
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("assets");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut files = BTreeMap::new();
    collect(&folder, "", &mut files)?;

    // One name for all of them together: a page and what it imports are always of one version.
    let mut hash = DefaultHasher::new();
    files.hash(&mut hash);
    let version = format!("{:016x}", hash.finish());

    let mut list = format!("const VERSION: &str = {version:?};\nstatic FILES: &[File] = &[\n");
    for (number, (path, content)) in files.iter().enumerate() {
        let content = match path.as_str() {
            "index.html" => String::from_utf8_lossy(content).replace("{version}", &version).into_bytes(),
            _ => content.clone(),
        };
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&content)?;
        fs::write(out.join(number.to_string()), &content)?;
        fs::write(out.join(format!("{number}.gz")), packed.finish()?)?;
        let embedded = |name: String| format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}\"))");
        let (plain, packed) = (embedded(number.to_string()), embedded(format!("{number}.gz")));
        let _ = writeln!(list, "    File {{ path: {path:?}, plain: {plain}, packed: {packed} }},");
    }
    list.push_str("];\n");
    fs::write(out.join("files.rs"), list)
}

/// Every file below `folder` by its path with `/`.
fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{path}/"), files)?;
        } else {
            files.insert(path, fs::read(entry.path())?);
        }
    }
    Ok(())
}
