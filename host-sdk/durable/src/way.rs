//! The way to one's own files: no folder on it is a symbolic link.
//!
//! Who keeps private folders resolves the path to the outermost one once, with [`resolve`]: links
//! above it are the operator's. From then on a link among the folders of a path is one that was put
//! there, and everything in this crate refuses it by its name ([`check`]).
//!
//! This is a look before the use, not a lock: who can exchange a folder between the two can write in
//! folders of mode 0700, and is root or the user of this process already. What it keeps from being
//! read and overwritten is what a restored, copied or tampered data folder points at.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::folder::parent;

/// Refuses a path one of whose folders is a symbolic link. The last component may be anything.
///
/// # Errors
/// [`io::ErrorKind::NotADirectory`], naming the link.
pub fn check(path: &Path) -> io::Result<()> {
    let mut folders: Vec<&Path> = path.ancestors().skip(1).collect();
    folders.reverse();
    for folder in folders {
        // What cannot be looked at, or is not there, will be told by the use itself.
        if fs::symlink_metadata(folder).is_ok_and(|metadata| metadata.is_symlink()) {
            return Err(link(folder));
        }
    }
    Ok(())
}

/// As [`check`], of a folder that will be read: it is no symbolic link either.
///
/// # Errors
/// As [`check`].
pub fn check_folder(folder: &Path) -> io::Result<()> {
    // Its name does not matter: the folder is on the way to every file in it.
    check(&folder.join("file"))
}

pub(crate) fn link(path: &Path) -> io::Error {
    let what = format!("{} is a symbolic link instead of a folder", path.display());
    io::Error::new(io::ErrorKind::NotADirectory, what)
}

/// The path without links, absolute: of the outermost folder of one's own, which need not exist.
///
/// # Errors
/// The system's, if what is there of it cannot be looked at.
pub fn resolve(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => match (path.parent(), path.file_name()) {
            (Some(above), Some(name)) if above != path => Ok(resolve(match above {
                empty if empty.as_os_str().is_empty() => parent(path),
                above => above,
            })?
            .join(name)),
            _ => Err(e),
        },
        result => result,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder `own` with a folder `inner` and a file `file` in that, all real; and what looks the
    /// same behind the link `link/inner/file`.
    fn world() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["own/inner", "theirs/inner"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
            fs::write(dir.path().join(folder).join("file"), "content").unwrap();
        }
        symlink(dir.path().join("theirs"), dir.path().join("link")).unwrap();
        dir
    }

    type Use = Box<dyn Fn(&Path) -> io::Result<()>>;

    /// Everything that this crate does, to a path in a folder that holds `inner/file`.
    fn uses() -> Vec<(&'static str, Use)> {
        let file = |folder: &Path| folder.join("inner/file");
        vec![
            ("read", Box::new(move |f| crate::read(&file(f)).map(drop))),
            ("open", Box::new(move |f| crate::open(&file(f)).map(drop))),
            (
                "append",
                Box::new(move |f| crate::Appender::open(&file(f), 7).map(drop)),
            ),
            ("write", Box::new(move |f| crate::write(&file(f), b"new"))),
            (
                "write_lazily",
                Box::new(move |f| crate::write_lazily(&file(f), b"new")),
            ),
            (
                "create",
                Box::new(|f| crate::create(&f.join("inner/new"), b"new")),
            ),
            (
                "write_all",
                Box::new(|f| crate::write_all(&f.join("inner"), [("a", &b"a"[..])])),
            ),
            ("sweep", Box::new(|f| crate::sweep(&f.join("inner")))),
            (
                "create_folder",
                Box::new(|f| crate::create_folder(&f.join("inner/folder"))),
            ),
            (
                "rename",
                Box::new(move |f| crate::rename(&file(f), &f.join("inner/other"))),
            ),
            (
                "remove",
                Box::new(|f| crate::remove(&f.join("inner/other"))),
            ),
            (
                "remove_folder",
                Box::new(|f| crate::remove_folder(&f.join("inner"))),
            ),
        ]
    }

    #[test]
    fn nothing_is_done_through_a_link_however_far_up_it_is() {
        let dir = world();
        let link = dir.path().join("link");
        for (name, act) in uses() {
            let refused = act(&link).unwrap_err().to_string();
            assert!(
                refused.contains(link.to_str().unwrap()),
                "{name}: {refused}"
            );
            assert!(refused.contains("is a symbolic link"), "{name}: {refused}");
        }
        assert!(crate::sweep(&link).is_err() && check_folder(&link).is_err());
        let inner = dir.path().join("theirs/inner");
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1);
        assert_eq!(fs::read(inner.join("file")).unwrap(), b"content");
        // The same without a link goes well, in the same order.
        for (name, act) in uses() {
            assert!(act(&dir.path().join("own")).is_ok(), "{name}");
        }
    }

    #[test]
    fn links_above_are_the_operators_once_they_are_resolved() {
        let dir = world();
        let real = fs::canonicalize(dir.path()).unwrap().join("theirs");
        let resolved = resolve(&dir.path().join("link/inner/file")).unwrap();
        assert_eq!(resolved, real.join("inner/file"));
        let absent = resolve(&dir.path().join("link/new/folder")).unwrap();
        assert_eq!(absent, real.join("new/folder"));
        assert_eq!(
            resolve(Path::new("absent")).unwrap(),
            std::env::current_dir().unwrap().join("absent")
        );
        check(&absent).unwrap();
    }
}
