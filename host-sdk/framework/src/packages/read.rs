//! Reading an archive: a gzip'd tar whose first entry is the manifest.
//!
//! Streamed, in constant memory, and in one pass: [`read`] hands the content of each file to a
//! [`Receiver`] as it comes, and says at the end whether all of it was right. The `tar` crate reads
//! headers; it unpacks nothing, and its treatment of long names, sparse files and extended headers
//! is switched off: entries that are not plain files are refused. How much can come out of an
//! archive is bounded by the manifest before anything else of it is read.
//!
//! `inspect` and `install` of the store call it, and the command line for files.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use openssl::sha::Sha256;
use tar::{Archive, Entry, EntryType};

use super::manifest::{self, Manifest, PackageFile, MANIFEST, MAX_MANIFEST};
use super::ArchiveError;

/// Behind the last entry tar writes zeros up to a multiple of its block of records.
const MAX_PADDING: u64 = 64 << 10;

/// Where the content of an archive goes. An error of it ends the reading.
pub(super) trait Receiver {
    /// Its own errors, and those of the archive.
    type Error: From<ArchiveError>;
    /// The manifest, before any file.
    fn manifest(&mut self, manifest: &Manifest) -> Result<(), Self::Error>;
    /// A file begins.
    fn file(&mut self, file: &PackageFile) -> Result<(), Self::Error>;
    /// More of it.
    fn data(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
    /// It is whole, and has the digest that the manifest names.
    fn end(&mut self) -> Result<(), Self::Error>;
}

/// Reads `source` to its end.
pub(super) fn read<B: BufRead, R: Receiver>(
    source: B,
    receiver: &mut R,
) -> Result<Manifest, R::Error> {
    let mut archive = Archive::new(GzDecoder::new(source));
    let manifest = entries(&mut archive, receiver)?;
    let mut decoder = archive.into_inner();
    padding(&mut decoder)?;
    let mut source = decoder.into_inner();
    match source.fill_buf() {
        Ok([]) => Ok(manifest),
        Ok(_) => Err(ArchiveError::Trailing.into()),
        Err(e) => Err(ArchiveError::Unreadable(e).into()),
    }
}

fn entries<S: Read, R: Receiver>(
    archive: &mut Archive<S>,
    receiver: &mut R,
) -> Result<Manifest, R::Error> {
    let mut entries = archive.entries().map_err(broken)?.raw(true);
    let mut first = match entries.next() {
        Some(entry) => entry.map_err(broken)?,
        None => return Err(ArchiveError::Manifest("it is missing".to_owned()).into()),
    };
    let manifest = manifest(&mut first)?;
    receiver.manifest(&manifest)?;
    let mut seen = BTreeSet::new();
    for entry in entries {
        let mut entry = entry.map_err(broken)?;
        let name = name(&entry)?;
        let refused = |reason: &str| ArchiveError::Entry {
            entry: short(&name),
            reason: reason.to_owned(),
        };
        let Some(file) = manifest.files.iter().find(|file| file.path == name) else {
            // Says what is wrong with the name, if that is it.
            let reason = manifest::place(&name)
                .err()
                .unwrap_or("is not in the manifest");
            return Err(refused(reason).into());
        };
        if !seen.insert(file.path.as_str()) {
            return Err(refused("occurs twice").into());
        }
        let size = entry.header().size().map_err(broken)?;
        if size != file.size {
            let reason = format!("has {size} bytes, the manifest says {}", file.size);
            return Err(refused(&reason).into());
        }
        content(&mut entry, file, receiver)?;
    }
    match manifest
        .files
        .iter()
        .find(|f| !seen.contains(f.path.as_str()))
    {
        Some(missing) => Err(ArchiveError::Entry {
            entry: short(&missing.path),
            reason: "is in the manifest, but not in the archive".to_owned(),
        }
        .into()),
        None => Ok(manifest),
    }
}

fn manifest<S: Read>(entry: &mut Entry<'_, S>) -> Result<Manifest, ArchiveError> {
    let name = name(entry)?;
    if name != MANIFEST {
        return Err(ArchiveError::Manifest(format!(
            "it is not the first entry, which is {:?}",
            short(&name)
        )));
    }
    let size = entry.header().size().map_err(broken)?;
    if size > MAX_MANIFEST {
        let what = format!("{size} bytes, at most {MAX_MANIFEST}");
        return Err(ArchiveError::Manifest(what));
    }
    let mut json = Vec::new();
    entry.read_to_end(&mut json).map_err(broken)?;
    if json.len() as u64 != size {
        return Err(truncated(MANIFEST));
    }
    Manifest::read(&json).map_err(ArchiveError::Manifest)
}

/// Hands over the content of one file.
fn content<S: Read, R: Receiver>(
    entry: &mut Entry<'_, S>,
    file: &PackageFile,
    receiver: &mut R,
) -> Result<(), R::Error> {
    receiver.file(file)?;
    let mut buffer = [0u8; 32 << 10];
    let (mut digest, mut left) = (Sha256::new(), file.size);
    loop {
        let read = entry.read(&mut buffer).map_err(broken)?;
        let part = buffer.get(..read).unwrap_or_default();
        if part.is_empty() {
            break;
        }
        left = left.saturating_sub(read as u64);
        digest.update(part);
        receiver.data(part)?;
    }
    if left > 0 {
        return Err(truncated(&file.path).into());
    }
    if hex(&digest.finish()) != file.sha256 {
        return Err(ArchiveError::Entry {
            entry: short(&file.path),
            reason: "has another SHA-256 than the manifest says".to_owned(),
        }
        .into());
    }
    receiver.end()
}

/// The name of an entry, which is a plain file.
fn name<S: Read>(entry: &Entry<'_, S>) -> Result<String, ArchiveError> {
    let header = entry.header();
    let name = String::from_utf8_lossy(&header.path_bytes()).into_owned();
    let refused = |reason: &str| ArchiveError::Entry {
        entry: short(&name),
        reason: reason.to_owned(),
    };
    let what = match header.entry_type() {
        EntryType::Regular => None,
        EntryType::Link => Some("a hard link"),
        EntryType::Symlink => Some("a symbolic link"),
        EntryType::Char | EntryType::Block => Some("a device"),
        EntryType::Directory => Some("a folder"),
        EntryType::Fifo => Some("a fifo"),
        EntryType::GNUSparse => Some("a sparse file"),
        EntryType::GNULongName | EntryType::GNULongLink => Some("a long name"),
        EntryType::XGlobalHeader | EntryType::XHeader => Some("an extended header"),
        _ => Some("of a kind that is not known"),
    };
    if let Some(what) = what {
        return Err(refused(&format!("is {what}, and not a plain file")));
    }
    if header
        .link_name_bytes()
        .is_some_and(|link| !link.is_empty())
    {
        return Err(refused("names a link"));
    }
    Ok(name)
}

/// Behind the entries: the two blocks that end a tar, and zeros.
fn padding(source: &mut impl Read) -> Result<(), ArchiveError> {
    let (mut buffer, mut length) = ([0u8; 4096], 0u64);
    loop {
        let read = source.read(&mut buffer).map_err(broken)?;
        let part = buffer.get(..read).unwrap_or_default();
        if part.is_empty() {
            break;
        }
        length += read as u64;
        if length > MAX_PADDING || part.iter().any(|byte| *byte != 0) {
            return Err(ArchiveError::Trailing);
        }
    }
    // The first of the two was read with the entries.
    if length < 512 {
        return Err(ArchiveError::Truncated(
            "the end of the archive is missing".to_owned(),
        ));
    }
    Ok(())
}

fn truncated(entry: &str) -> ArchiveError {
    ArchiveError::Truncated(format!("entry {:?} ends too early", short(entry)))
}

/// The source's own errors come with other kinds than those of a wrong format.
fn broken(error: io::Error) -> ArchiveError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ArchiveError::Truncated(error.to_string()),
        _ if error.raw_os_error().is_some() => ArchiveError::Unreadable(error),
        _ => ArchiveError::Damaged(error),
    }
}

fn short(name: &str) -> String {
    name.chars().take(64).collect()
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
