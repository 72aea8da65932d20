//! Writing an archive. The same files give the same bytes: entries are sorted, and times, owners
//! and modes are always the same.
//!
//! The command line and tests call it; a gateway itself packs nothing.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use openssl::sha::sha256;
use tar::{Builder, EntryType, Header};

use super::manifest::{Manifest, PackageFile, FORMAT, MANIFEST};
use super::read::hex;

/// Why a package cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// What would not be taken by any gateway.
    #[error("the package cannot be made: {0}")]
    Refused(String),
    /// The file cannot be written.
    #[error("the package cannot be written")]
    Write(#[from] io::Error),
}

/// Writes a package of `files`, `(path, content)`, to `to`; a path is `NAME.so` or
/// `metatype/NAME.xml`.
///
/// # Errors
/// Whatever a gateway would refuse; `to` cannot be written.
pub fn pack(
    name: &str,
    version: &str,
    files: &[(String, Vec<u8>)],
    to: impl Write,
) -> Result<Manifest, PackError> {
    let mut sorted: Vec<&(String, Vec<u8>)> = files.iter().collect();
    sorted.sort();
    let manifest = Manifest {
        format: FORMAT,
        name: name.to_owned(),
        version: version.to_owned(),
        files: sorted
            .iter()
            .map(|(path, content)| PackageFile {
                path: path.clone(),
                size: content.len() as u64,
                sha256: hex(&sha256(content)),
            })
            .collect(),
    };
    manifest.check().map_err(PackError::Refused)?;
    let json = serde_json::to_vec(&manifest).map_err(|e| PackError::Refused(e.to_string()))?;
    let gzip = GzBuilder::new().mtime(0).operating_system(255);
    let mut archive = Builder::new(gzip.write(to, Compression::best()));
    append(&mut archive, MANIFEST, &json)?;
    for (path, content) in sorted {
        append(&mut archive, path, content)?;
    }
    archive.into_inner()?.finish()?.flush()?;
    Ok(manifest)
}

fn append(archive: &mut Builder<impl Write>, path: &str, content: &[u8]) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_path(path)?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    header.set_cksum();
    archive.append(&header, content)
}
