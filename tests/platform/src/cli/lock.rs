//! One running platform in a data folder.

use super::Failure;
use rustix::fs::{flock, FlockOperation};
use std::fs::File;
use std::path::Path;

/// Held while a platform runs; the kernel releases it whatever happens.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    pub(super) fn take(folder: &Path) -> Result<Lock, Failure> {
        let path = folder.join("run.lock");
        let file = File::create(&path)
            .map_err(|e| Failure::Other(format!("{} cannot be written: {e}", path.display())))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Failure::Other(format!(
                "another provision-platform runs in {}",
                folder.display()
            ))
        })?;
        Ok(Lock { _file: file })
    }
}
