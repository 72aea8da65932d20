//! After a restart: to one of the two ends, by the journal alone.

use std::fs;
use std::path::{Path, PathBuf};

use super::journal::{self, Phase};
use super::{of_io, of_journal, Engine};
use crate::diagnosis::Fault;
use crate::provisioner::Recovered;

impl Engine {
    /// Follows the journal. Before the commit record: everything is taken back. After it: the
    /// state machine is told to complete. Idempotent, and may itself be cut off anywhere.
    pub fn recover(&mut self) -> Result<Recovered, Fault> {
        let phase = self
            .journal
            .summary()
            .transaction
            .as_ref()
            .map(|open| open.phase);
        match phase {
            // Nothing is done for it before it can be read again after a loss of power.
            Some(Phase::Committed) => self.journal.assure().map_err(|e| of_journal(&e))?,
            _ => {
                self.undo()?;
                self.sweep()?;
                self.let_go();
            }
        }
        Ok(Recovered {
            memory: self.memory(),
            committed: phase == Some(Phase::Committed),
        })
    }

    /// Tells the host that no configurations are kept for this component any more: it keeps them over
    /// a restart, and what was captured and never sealed has nothing to restore.
    fn let_go(&self) {
        if let Err(e) = self.host.capture(&[]) {
            log::debug!("{}: the configurations: {}", self.own_pid, e.message);
        }
    }

    /// Removes what no open transaction owns: plans that were never sealed, half-written
    /// temporary files, downloads. While a journal lies set aside its plan may be the only way back
    /// from what was applied, for whoever repairs that: so plans stay for as long.
    fn sweep(&self) -> Result<(), Fault> {
        let staging = self.folder.join("staging");
        let set_aside = entries(&self.folder)?
            .into_iter()
            .find(|path| journal::is_set_aside(path));
        for path in entries(&self.folder)? {
            if path.is_file() && has_extension(&path, "tmp") {
                remove(&path)?;
            }
        }
        for path in entries(&staging)? {
            match &set_aside {
                Some(journal) if has_extension(&path, "plan") => log::warn!(
                    "{}: {} is kept for as long as {}",
                    self.own_pid,
                    path.display(),
                    journal.display()
                ),
                _ => remove(&path)?,
            }
        }
        Ok(())
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let list = || {
        // What is found is removed: it must not be somebody else's.
        durable_file::check_folder(folder)?;
        fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect()
    };
    let listed: std::io::Result<_> = list();
    listed.map_err(|e| of_io(&folder.display().to_string(), &e))
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|is| is == extension)
}

/// A file, or a folder with all that is in it.
fn remove(path: &Path) -> Result<(), Fault> {
    let result = match path.is_dir() {
        true => durable_file::remove_folder(path),
        false => durable_file::remove(path),
    };
    result.map_err(|e| of_io(&path.display().to_string(), &e))
}
