//! Changes of a folder: durable once the folder itself is synced.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use crate::way;

/// Syncs the entries of a folder.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Creates a folder of mode 0700; one that exists already is fine, a
/// symbolic link to one is not. Its parent must exist.
pub fn create_folder(path: &Path) -> io::Result<()> {
    way::check(path)?;
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => sync_folder(parent(path)),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            // Not through a link: somebody else may have put it there.
            match fs::symlink_metadata(path)?.file_type() {
                folder if folder.is_dir() => Ok(()),
                link if link.is_symlink() => Err(way::link(path)),
                _ => Err(io::Error::new(
                    io::ErrorKind::NotADirectory,
                    "it is no folder",
                )),
            }
        }
        Err(e) => Err(e),
    }
}

/// Removes a file; one that is not there is fine.
pub fn remove(path: &Path) -> io::Result<()> {
    way::check(path)?;
    match fs::remove_file(path) {
        Ok(()) => sync_folder(parent(path)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// Removes a folder with all that is in it; one that is not there is fine.
pub fn remove_folder(path: &Path) -> io::Result<()> {
    way::check(path)?;
    match fs::remove_dir_all(path) {
        Ok(()) => sync_folder(parent(path)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// Renames within one file system, replacing what is there.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    way::check(from)?;
    way::check(to)?;
    fs::rename(from, to)?;
    sync_folder(parent(to))?;
    if parent(from) != parent(to) {
        sync_folder(parent(from))?;
    }
    Ok(())
}

pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
