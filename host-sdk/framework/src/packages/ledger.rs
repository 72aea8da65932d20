//! What is installed, and which changes of it can still be taken back: one file, `packages.json`,
//! replaced as a whole by the one durable writer.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::storage;
use super::manifest::{place, PackageFile};
use super::PackageError;

const FORMAT: u32 = 1;

/// The file and what is in it.
#[derive(Debug)]
pub(super) struct Ledger {
    path: PathBuf,
    pub(super) content: Content,
}

/// All that is known of packages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    format: u32,
    /// Number of the next change; never used twice, as it names a folder.
    pub(super) next: u64,
    /// Whether the folder of descriptors was made here, and goes when it is empty.
    pub(super) made_metatype: bool,
    pub(super) installed: BTreeMap<String, Installed>,
    /// By number.
    pub(super) changes: BTreeMap<u64, Change>,
}

/// A package that is installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Installed {
    pub(super) version: String,
    pub(super) files: Vec<PackageFile>,
}

/// A change that can be taken back: an install, or a removal under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Change {
    /// Of whoever asked for it.
    pub(super) key: String,
    pub(super) package: String,
    pub(super) phase: Phase,
    pub(super) before: Option<Installed>,
    pub(super) after: Option<Installed>,
    /// Paths whose old file is kept in the folder of the change.
    pub(super) kept: Vec<String>,
}

/// How far a change has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Phase {
    /// Files are being moved, one way or the other. Found at a start, it is taken back.
    Switching,
    /// The files are those of `after`.
    Done,
}

impl Ledger {
    /// Reads the file in `folder`; without one, nothing is installed. Names in it are checked as
    /// those of an archive are.
    pub(super) fn open(folder: &Path) -> Result<Ledger, PackageError> {
        let path = folder.join("packages.json");
        let damaged = |reason: String| PackageError::Record {
            path: path.clone(),
            reason,
        };
        let content = match durable_file::read(&path) {
            Ok(json) => serde_json::from_slice(&json).map_err(|e| damaged(e.to_string()))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Content {
                format: FORMAT,
                ..Content::default()
            },
            Err(e) => return Err(storage(&path)(e)),
        };
        content.check().map_err(damaged)?;
        Ok(Ledger { path, content })
    }

    /// Writes what is to be, and only then takes it for true.
    pub(super) fn write(&mut self, content: Content) -> Result<(), PackageError> {
        let json = serde_json::to_vec_pretty(&content)
            .map_err(|e| storage(&self.path)(io::Error::from(e)))?;
        durable_file::write(&self.path, &json).map_err(storage(&self.path))?;
        self.content = content;
        Ok(())
    }
}

impl Content {
    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("format {}, known is {FORMAT}", self.format));
        }
        let changed = self.changes.values();
        let all = changed
            .flat_map(|change| [&change.before, &change.after])
            .flatten()
            .chain(self.installed.values());
        let kept = self.changes.values().flat_map(|change| &change.kept);
        for path in all
            .flat_map(|i| i.files.iter().map(|f| &f.path))
            .chain(kept)
        {
            place(path).map_err(|what| format!("{path:?} {what}"))?;
        }
        Ok(())
    }

    /// The change that was asked for by `key`.
    pub(super) fn by_key(&self, key: &str) -> Option<(u64, &Change)> {
        let mut changes = self.changes.iter();
        let (number, change) = changes.find(|(_, change)| change.key == key)?;
        Some((*number, change))
    }

    /// Who a file of the plugin directory belongs to, or may come to belong to again.
    pub(super) fn owner(&self, path: &str) -> Option<&str> {
        let holds = |i: &Installed| i.files.iter().any(|file| file.path == path);
        let installed = self.installed.iter().find(|(_, i)| holds(i));
        if let Some((name, _)) = installed {
            return Some(name);
        }
        let mut changes = self.changes.values();
        let change = changes.find(|c| [&c.before, &c.after].into_iter().flatten().any(holds))?;
        Some(&change.package)
    }
}

impl Change {
    /// Every path that it touches.
    pub(super) fn paths(&self) -> BTreeSet<&str> {
        let both = [&self.before, &self.after].into_iter().flatten();
        both.flat_map(|i| i.files.iter().map(|file| file.path.as_str()))
            .collect()
    }

    /// Whether `after` has a file of that path.
    pub(super) fn brings(&self, path: &str) -> bool {
        let after = self.after.iter();
        after.flat_map(|i| &i.files).any(|file| file.path == path)
    }
}
