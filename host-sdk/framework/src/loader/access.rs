//! Who may change a plugin: its code runs with all rights of the gateway, so that whoever may write
//! the file, or put another in its place, owns the gateway.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::LoadError;

const OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// Refuses a file that others than its owner may write, or that belongs to somebody who is neither
/// root nor the user of this process; the same for its folder, and for the folders above, except
/// that there the sticky bit is enough. Links are followed first.
pub(super) fn check(path: &Path) -> Result<(), LoadError> {
    let unreadable = |path: &Path, source| LoadError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let real = fs::canonicalize(path).map_err(|e| unreadable(path, e))?;
    let us = rustix::process::geteuid().as_raw();
    for (depth, place) in real.ancestors().enumerate() {
        let metadata = fs::metadata(place).map_err(|e| unreadable(place, e))?;
        if let Some(reason) = verdict(us, depth, metadata.uid(), metadata.mode()) {
            return Err(LoadError::Insecure {
                path: place.to_owned(),
                reason,
            });
        }
    }
    Ok(())
}

/// `depth` 0 is the file, 1 its folder, more are the folders above.
fn verdict(us: u32, depth: usize, owner: u32, mode: u32) -> Option<String> {
    let what = if depth == 0 { "file" } else { "folder" };
    if owner != 0 && owner != us {
        return Some(format!("the {what} belongs to another user ({owner})"));
    }
    let sticky = depth > 1 && mode & STICKY != 0;
    if mode & OTHERS_WRITE != 0 && !sticky {
        return Some(format!(
            "the {what} may be written by others (mode {:o})",
            mode & 0o7777
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::verdict;

    #[test]
    fn only_root_and_ourselves_may_be_able_to_write() {
        assert_eq!(verdict(1000, 0, 1000, 0o100755), None);
        assert_eq!(verdict(1000, 0, 0, 0o100755), None);
        assert!(verdict(1000, 0, 1001, 0o100755).is_some());
        assert!(verdict(1000, 0, 1000, 0o100775).is_some());
        assert!(verdict(1000, 1, 0, 0o40757).is_some());
        assert!(verdict(1000, 1, 0, 0o41777).is_some());
        assert_eq!(verdict(1000, 2, 0, 0o41777), None);
    }
}
