//! The archives of an attempt, in the staging folder: as many bytes as one attempt may leave there, and
//! none of a package that the host refuses.
//!
//! They go with the transaction, or with the attempt. The download is [`crate::worker`]'s.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{of_io, of_package, Engine, Item};
use crate::diagnosis::Fault;

/// Bytes of the archives in one attempt.
pub const MAX_PACKAGES: u64 = 256 << 20;

impl Engine {
    /// The staging folder of the open transaction, for files; made when first asked for.
    pub fn staging_folder(&self, transaction: &str) -> Result<PathBuf, Fault> {
        let folder = self.folder.join("staging").join(transaction);
        durable_file::create_folder(&folder)
            .map_err(|e| of_io(&folder.display().to_string(), &e))?;
        Ok(folder)
    }

    /// So many bytes one more archive in the staging folder may have.
    pub fn room_in(&self, folder: &Path) -> Result<u64, Fault> {
        let taken =
            length_of_files(folder).map_err(|e| of_io(&folder.display().to_string(), &e))?;
        Ok(MAX_PACKAGES.saturating_sub(taken))
    }

    /// Keeps a package for the commit, after the host has looked into it. The archive of one that is
    /// not kept is removed.
    pub fn stage_package(&mut self, name: &str, version: &str, path: &str) -> Result<(), Fault> {
        let result = self.look_into(name, version, path);
        if result.is_err() {
            if let Err(e) = durable_file::remove(Path::new(path)) {
                log::warn!("{}: {path} stays until the attempt ends: {e}", self.own_pid);
            }
        }
        result
    }

    fn look_into(&mut self, name: &str, version: &str, path: &str) -> Result<(), Fault> {
        let metatypes = self
            .host
            .inspect_package(name, version, path)
            .map_err(|e| of_package(&format!("package {name} {version}"), &e))?;
        self.stage(Item::Package {
            name: name.to_owned(),
            version: version.to_owned(),
            path: path.to_owned(),
            metatypes,
        })
    }
}

fn length_of_files(folder: &Path) -> io::Result<u64> {
    durable_file::check_folder(folder)?;
    let mut length: u64 = 0;
    for entry in fs::read_dir(folder)? {
        length = length.saturating_add(entry?.metadata()?.len());
    }
    Ok(length)
}
