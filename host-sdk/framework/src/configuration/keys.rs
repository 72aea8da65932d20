//! The keys of changes that have been made, so that the same key has no second effect, even
//! after a restart. Values are absolute, so a key that is lost between the change and its record
//! does no harm: the repetition changes nothing.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use super::ConfigurationError;

/// How many keys are remembered.
const MAX_KEYS: usize = 1024;

/// Which way a change goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Apply,
    Restore,
}

impl Direction {
    fn prefix(self) -> &'static str {
        match self {
            Direction::Apply => "apply:",
            Direction::Restore => "restore:",
        }
    }
}

#[derive(Debug)]
pub(super) struct Keys {
    path: PathBuf,
    keys: VecDeque<String>,
}

impl Keys {
    /// Reads the keys. A file that is none is a loss of memory, which does no harm (see the
    /// module), and is reported.
    pub(super) fn open(folder: &Path) -> Result<Keys, ConfigurationError> {
        let path = folder.join("applied.json");
        let keys = match durable_file::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|e| {
                log::error!("{} cannot be read: {e}", path.display());
                VecDeque::new()
            }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => VecDeque::new(),
            Err(source) => return Err(ConfigurationError::Storage { path, source }),
        };
        Ok(Keys { path, keys })
    }

    pub(super) fn contains(&self, direction: Direction, key: &str) -> bool {
        let key = format!("{}{key}", direction.prefix());
        self.keys.contains(&key)
    }

    /// Remembers a key, for as long as the power stays where it was applied, and forgets those of the other direction: what was applied
    /// before a restore may be applied again after it.
    pub(super) fn remember(
        &mut self,
        direction: Direction,
        key: &str,
    ) -> Result<(), ConfigurationError> {
        let mut keys = self.keys.clone();
        keys.retain(|known| known.starts_with(direction.prefix()));
        keys.push_back(format!("{}{key}", direction.prefix()));
        while keys.len() > MAX_KEYS {
            keys.pop_front();
        }
        let storage = |source| ConfigurationError::Storage {
            path: self.path.clone(),
            source,
        };
        let bytes = serde_json::to_vec(&keys).map_err(|e| storage(e.into()))?;
        match direction {
            // Lost with the power, it is as if it had not come so far; see the module.
            Direction::Apply => durable_file::write_lazily(&self.path, &bytes),
            // The keys that it forgets must not come back.
            Direction::Restore => durable_file::write(&self.path, &bytes),
        }
        .map_err(storage)?;
        self.keys = keys;
        Ok(())
    }
}
