//! After a restart: to one of the two ends, by the journal alone.

use super::journal::Phase;
use super::Engine;
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
            Some(Phase::Committed) => {}
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
    /// temporary files, downloads.
    fn sweep(&self) -> Result<(), Fault> {
        for folder in [self.folder.clone(), self.folder.join("staging")] {
            let entries = std::fs::read_dir(&folder)
                .map_err(|e| super::of_io(&folder.display().to_string(), &e))?;
            let staging = folder != self.folder;
            for entry in entries.flatten() {
                let path = entry.path();
                let temporary = entry.file_name().to_string_lossy().ends_with(".tmp");
                let result = if path.is_dir() && staging {
                    durable_file::remove_folder(&path)
                } else if path.is_file() && (staging || temporary) {
                    durable_file::remove(&path)
                } else {
                    Ok(())
                };
                result.map_err(|e| super::of_io(&path.display().to_string(), &e))?;
            }
        }
        Ok(())
    }
}
