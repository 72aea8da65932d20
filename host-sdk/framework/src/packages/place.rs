//! The files: staged beside the plugins, moved in and back by renaming.
//!
//! ```text
//! PLUGINS/libheater.so                    what the watch sees and the loader opens
//!         metatype/com.example.Heater.xml
//!         .packages/7/new/                what change 7 brings
//!                     old/                what it replaced, until it is settled
//! ```
//!
//! `.packages` is on the same file system, is hidden from the watch, and is there only while a
//! change is. Whatever can fail for the size of a file fails while staging; after that files are
//! only linked, renamed and removed, so that there is never half a file in the plugin directory,
//! nor a moment without one where it is replaced. No link is followed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::storage;
use super::ledger::Change;
use super::manifest::{base, METATYPE};
use super::PackageError;

const STAGING: &str = ".packages";

/// The plugin directory, and the folder of one change in it.
#[derive(Debug)]
pub(super) struct Place {
    plugins: PathBuf,
}

impl Place {
    /// The plugin directory, absolute and without links.
    pub(super) fn new(plugins: &Path) -> Place {
        Place {
            plugins: plugins.to_owned(),
        }
    }

    /// Where a file of a package is when it is installed.
    pub(super) fn target(&self, path: &str) -> PathBuf {
        self.plugins.join(path)
    }

    fn staging(&self) -> PathBuf {
        self.plugins.join(STAGING)
    }

    fn folder(&self, change: u64) -> PathBuf {
        self.staging().join(change.to_string())
    }

    /// Where a file that a change brings is before it is installed.
    pub(super) fn new_file(&self, change: u64, path: &str) -> PathBuf {
        self.folder(change).join("new").join(base(path))
    }

    fn old_file(&self, change: u64, path: &str) -> PathBuf {
        self.folder(change).join("old").join(base(path))
    }

    /// Makes the folders of a change, empty. Not durable before [`Place::sync`].
    pub(super) fn prepare(&self, change: u64) -> Result<(), PackageError> {
        let staging = self.staging();
        make(&staging)?;
        let folder = self.folder(change);
        match fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(storage(&folder)(e)),
            _ => {}
        }
        for path in [&folder, &folder.join("new"), &folder.join("old")] {
            make(path)?;
        }
        Ok(())
    }

    /// Opens a new file of a change, which only its owner may read and write.
    pub(super) fn create(&self, change: u64, path: &str) -> Result<File, PackageError> {
        let path = self.new_file(change, path);
        durable_file::check(&path).map_err(storage(&path))?;
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
            .open(&path)
            .map_err(storage(&path))
    }

    /// Keeps what is there now under the paths of a change, by a second name; gives those that
    /// were there.
    pub(super) fn keep(&self, number: u64, change: &Change) -> Result<Vec<String>, PackageError> {
        let mut kept = Vec::new();
        for path in change.paths() {
            let target = self.target(path);
            let old = self.old_file(number, path);
            match fs::symlink_metadata(&target) {
                Ok(there) if there.is_file() => {
                    fs::hard_link(&target, &old).map_err(storage(&old))?;
                    kept.push(path.to_owned());
                }
                Ok(_) => {
                    return Err(PackageError::Conflict(format!(
                        "{} is no plain file; remove it first",
                        target.display()
                    )))
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(storage(&target)(e)),
            }
        }
        Ok(kept)
    }

    /// Makes durable what was staged and kept for a change.
    pub(super) fn sync(&self, change: u64) -> Result<(), PackageError> {
        let folder = self.folder(change);
        let (new, old) = (folder.join("new"), folder.join("old"));
        for path in [&new, &old, &folder, &self.staging(), &self.plugins] {
            durable_file::sync_folder(path).map_err(storage(path))?;
        }
        Ok(())
    }

    /// Whether the folder of descriptors has to be made.
    pub(super) fn lacks_metatype(&self) -> Result<bool, PackageError> {
        let path = self.plugins.join(METATYPE);
        match fs::symlink_metadata(&path) {
            Ok(there) if there.is_dir() => Ok(false),
            Ok(_) => Err(PackageError::Conflict(format!(
                "{} is no folder; remove it first",
                path.display()
            ))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(e) => Err(storage(&path)(e)),
        }
    }

    /// From before to after. Descriptors first, so that a library finds its own.
    pub(super) fn switch(&self, number: u64, change: &Change) -> Result<(), PackageError> {
        let metatype = self.plugins.join(METATYPE);
        let mut paths: Vec<&str> = change.paths().into_iter().collect();
        paths.sort_by_key(|path| path.ends_with(".so"));
        if paths.iter().any(|path| path.contains('/')) {
            match DirBuilder::new().mode(0o755).create(&metatype) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(storage(&metatype)(e))
                }
                _ => {}
            }
        }
        for path in &paths {
            let target = self.target(path);
            if change.brings(path) {
                fs::rename(self.new_file(number, path), &target).map_err(storage(&target))?;
            } else {
                remove(&target)?;
            }
        }
        self.sync_targets()
    }

    /// From wherever [`Place::switch`] or this itself was cut off, back to before.
    pub(super) fn restore(
        &self,
        number: u64,
        change: &Change,
        made_metatype: bool,
    ) -> Result<(), PackageError> {
        for path in change.paths() {
            let target = self.target(path);
            if change.kept.iter().any(|kept| kept == path) {
                let old = self.old_file(number, path);
                match fs::rename(&old, &target) {
                    // It is back already.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    result => result.map_err(storage(&target))?,
                }
            } else {
                remove(&target)?;
            }
        }
        if made_metatype {
            self.drop_metatype()?;
        }
        self.sync_targets()
    }

    /// Removes the folder of descriptors if it is empty.
    pub(super) fn drop_metatype(&self) -> Result<(), PackageError> {
        let metatype = self.plugins.join(METATYPE);
        match fs::remove_dir(&metatype) {
            Err(e) if !expected(&e) => Err(storage(&metatype)(e)),
            _ => Ok(()),
        }
    }

    fn sync_targets(&self) -> Result<(), PackageError> {
        let metatype = self.plugins.join(METATYPE);
        match durable_file::sync_folder(&metatype) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(storage(&metatype)(e)),
            _ => {}
        }
        durable_file::sync_folder(&self.plugins).map_err(storage(&self.plugins))
    }

    /// Removes what a change kept and staged.
    pub(super) fn clear(&self, change: u64) -> Result<(), PackageError> {
        let folder = self.folder(change);
        match fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(storage(&folder)(e)),
            _ => {}
        }
        let staging = self.staging();
        match fs::remove_dir(&staging) {
            Err(e) if !expected(&e) => Err(storage(&staging)(e)),
            _ => durable_file::sync_folder(&self.plugins).map_err(storage(&self.plugins)),
        }
    }

    /// Removes what no change of the ledger owns.
    pub(super) fn sweep(&self, owned: &dyn Fn(u64) -> bool) -> Result<(), PackageError> {
        let staging = self.staging();
        durable_file::check_folder(&staging).map_err(storage(&staging))?;
        let entries = match fs::read_dir(&staging) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(storage(&staging)(e)),
        };
        let mut stays = false;
        for entry in entries {
            let entry = entry.map_err(storage(&staging))?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.parse::<u64>().ok());
            match number {
                Some(number) if !owned(number) => self.clear(number)?,
                Some(_) => stays = true,
                None => {
                    log::warn!("{} is not ours", entry.path().display());
                    stays = true;
                }
            }
        }
        if stays {
            return Ok(());
        }
        match fs::remove_dir(&staging) {
            Err(e) if !expected(&e) => Err(storage(&staging)(e)),
            _ => Ok(()),
        }
    }
}

/// Of the removal of a folder that need not be there, nor be empty.
fn expected(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory
    )
}

fn make(path: &Path) -> Result<(), PackageError> {
    durable_file::check(path).map_err(storage(path))?;
    match DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            let there = fs::symlink_metadata(path).map_err(storage(path))?;
            if there.is_dir() {
                return Ok(());
            }
            Err(PackageError::Conflict(format!(
                "{} is no folder; remove it first",
                path.display()
            )))
        }
        result => result.map_err(storage(path)),
    }
}

fn remove(path: &Path) -> Result<(), PackageError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(storage(path)(e)),
        _ => Ok(()),
    }
}
