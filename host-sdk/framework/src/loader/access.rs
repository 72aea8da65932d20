//! Who may change a plugin: its code runs with all rights of the gateway, so that whoever may write
//! the file, or put another in its place, owns the gateway.
//!
//! What is looked at is each step of the way by which the linker will find the file: every folder, and
//! every symbolic link with the folders that it leads through. If nobody but root and ourselves can
//! change any of them, nobody else can make the linker find another file than the one that was
//! looked at, however long that takes; so the file need not be handed over as an open one. (The
//! linker takes no open files, and a name such as `/proc/self/fd/7` would make it take the next
//! plugin for this one: it remembers names.) An ACL that lets others write shows in the mode, as its
//! mask stands where the group's bits are.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::LoadError;

const OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;
/// As many links as Linux follows on one way (path_resolution(7)).
const LINKS: usize = 40;

/// Refuses a file that others than its owner may write, or that belongs to somebody who is neither
/// root nor the user of this process; the same for every folder and link on the way to it. In a
/// folder above, the sticky bit is enough; the one where the file is, and the one of the path, are
/// nobody's but ours. `path` is absolute.
pub(super) fn check(path: &Path) -> Result<(), LoadError> {
    let us = rustix::process::geteuid().as_raw();
    let mut at = PathBuf::from("/");
    judge(us, &at, &look(&at)?, Place::Above)?;
    let mut left = steps(path);
    let mut links = 0;
    while let Some(step) = left.pop_front() {
        if step == ".." {
            at.pop();
            continue;
        }
        let place = at.join(step);
        let metadata = look(&place)?;
        if metadata.is_symlink() {
            judge(us, &place, &metadata, Place::Link)?;
            // Of the path itself: its folder is the one in which plugins are put.
            if left.is_empty() {
                judge(us, &at, &look(&at)?, Place::Folder)?;
            }
            links += 1;
            if links > LINKS {
                return Err(unreadable(path)(rustix::io::Errno::LOOP.into()));
            }
            let target = fs::read_link(&place).map_err(unreadable(&place))?;
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            let mut further = steps(&target);
            further.append(&mut left);
            left = further;
        } else if left.is_empty() {
            judge(us, &place, &metadata, Place::File)?;
            judge(us, &at, &look(&at)?, Place::Folder)?;
        } else {
            judge(us, &place, &metadata, Place::Above)?;
            at = place;
        }
    }
    Ok(())
}

fn steps(path: &Path) -> VecDeque<OsString> {
    let step = |component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(step).collect()
}

fn look(path: &Path) -> Result<Metadata, LoadError> {
    fs::symlink_metadata(path).map_err(unreadable(path))
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> LoadError + '_ {
    |source| LoadError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

/// What something on the way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    File,
    /// The folder of the file, or of a link that stands for it.
    Folder,
    /// A folder further above.
    Above,
    /// Its mode says nothing; its folder does.
    Link,
}

fn judge(us: u32, path: &Path, metadata: &Metadata, place: Place) -> Result<(), LoadError> {
    match verdict(us, place, metadata.uid(), metadata.mode()) {
        None => Ok(()),
        Some(reason) => Err(LoadError::Insecure {
            path: path.to_owned(),
            reason,
        }),
    }
}

fn verdict(us: u32, place: Place, owner: u32, mode: u32) -> Option<String> {
    let what = match place {
        Place::File => "file",
        Place::Folder | Place::Above => "folder",
        Place::Link => "link",
    };
    if owner != 0 && owner != us {
        return Some(format!("the {what} belongs to another user ({owner})"));
    }
    let spared = match place {
        Place::File | Place::Folder => false,
        Place::Above => mode & STICKY != 0,
        Place::Link => true,
    };
    if mode & OTHERS_WRITE != 0 && !spared {
        return Some(format!(
            "the {what} may be written by others (mode {:o})",
            mode & 0o7777
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]
    use std::os::unix::fs::{lchown, symlink, PermissionsExt};

    use super::*;

    #[test]
    fn only_root_and_ourselves_may_be_able_to_write() {
        use Place::{Above, File, Folder, Link};
        for (place, owner, mode) in [
            (File, 1000, 0o100_755),
            (File, 0, 0o100_755),
            (Folder, 0, 0o40_755),
            (Above, 0, 0o41_777),
            (Link, 1000, 0o120_777),
        ] {
            assert_eq!(verdict(1000, place, owner, mode), None, "{place:?}");
        }
        for (place, owner, mode) in [
            (File, 1001, 0o100_755),
            (File, 1000, 0o100_775),
            (File, 1000, 0o100_757),
            (Folder, 0, 0o40_757),
            (Folder, 0, 0o40_775),
            (Folder, 0, 0o41_777),
            (Folder, 1001, 0o40_755),
            (Above, 0, 0o40_775),
            (Above, 1001, 0o41_777),
            (Link, 1001, 0o120_777),
        ] {
            assert!(verdict(1000, place, owner, mode).is_some(), "{place:?}");
        }
    }

    /// `real/lib/x.so`; `way/lib`, a link to `../real/lib`; `plugins/x.so`, a link to
    /// `way/lib/x.so`. All private, in a folder whose way is.
    fn world() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let at = fs::canonicalize(dir.path()).unwrap();
        for folder in ["real/lib", "way", "plugins"] {
            fs::create_dir_all(at.join(folder)).unwrap();
            for part in Path::new(folder).ancestors() {
                chmod(&at.join(part), 0o755);
            }
        }
        fs::write(at.join("real/lib/x.so"), "").unwrap();
        chmod(&at.join("real/lib/x.so"), 0o644);
        symlink("../real/lib", at.join("way/lib")).unwrap();
        symlink(at.join("way/lib/x.so"), at.join("plugins/x.so")).unwrap();
        (dir, at)
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn refused(path: &Path) -> (PathBuf, String) {
        match check(path) {
            Err(LoadError::Insecure { path, reason }) => (path, reason),
            other => panic!("{other:?}"),
        }
    }

    const ON_THE_WAY: [&str; 5] = ["plugins", "way", "real", "real/lib", "real/lib/x.so"];

    #[test]
    fn every_folder_on_the_way_counts_also_those_that_links_lead_through() {
        let (_dir, at) = world();
        let plugin = at.join("plugins/x.so");
        check(&plugin).unwrap();
        for name in ON_THE_WAY {
            let place = at.join(name);
            let before = fs::metadata(&place).unwrap().mode() & 0o7777;
            for open in [0o020, 0o002] {
                chmod(&place, before | open);
                let (path, reason) = refused(&plugin);
                assert_eq!(path, place, "{reason}");
                assert!(reason.contains("written by others"), "{reason}");
            }
            // As /tmp: enough above, not where plugins are put or the file is.
            chmod(&place, before | 0o1022);
            assert_eq!(
                check(&plugin).is_ok(),
                ["way", "real"].contains(&name),
                "{name}"
            );
            chmod(&place, before);
        }
        check(&plugin).unwrap();
    }

    #[test]
    fn whoever_owns_a_step_of_the_way_may_lead_it_elsewhere() {
        let (_dir, at) = world();
        let plugin = at.join("plugins/x.so");
        if !rustix::process::geteuid().is_root() {
            println!("skipped: only root can give files away");
            return;
        }
        for name in ON_THE_WAY.into_iter().chain(["plugins/x.so", "way/lib"]) {
            lchown(at.join(name), Some(4711), None).unwrap();
            let (path, reason) = refused(&plugin);
            assert_eq!(path, at.join(name), "{reason}");
            assert!(reason.contains("another user (4711)"), "{reason}");
            lchown(at.join(name), Some(0), None).unwrap();
        }
        check(&plugin).unwrap();
    }

    #[test]
    fn links_in_a_circle_come_to_an_end() {
        let (_dir, at) = world();
        symlink("b.so", at.join("plugins/a.so")).unwrap();
        symlink("a.so", at.join("plugins/b.so")).unwrap();
        let error = check(&at.join("plugins/a.so")).unwrap_err();
        assert!(matches!(error, LoadError::Unreadable { .. }), "{error}");
    }
}
