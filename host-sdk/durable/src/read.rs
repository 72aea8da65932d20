//! Reading one's own files: never through a link that somebody put in their place.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// What every file of one's own is opened with: a symbolic link is an error (ELOOP), and a pipe
/// does not keep the caller waiting for somebody to write into it.
pub(crate) fn careful() -> i32 {
    i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC).bits())
        .unwrap_or_default()
}

/// Opens a regular file for reading.
///
/// # Errors
/// The system's; also if the path is a symbolic link, or no regular file.
pub fn open(path: &Path) -> io::Result<File> {
    crate::check(path)?;
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(careful()).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    let what = "it is no regular file";
    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
}

/// The content of a regular file.
///
/// # Errors
/// As [`open`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    // Allocated once: a vector that grows leaves copies of a secret behind.
    let size = usize::try_from(file.metadata()?.len()).unwrap_or_default();
    let mut content = Vec::with_capacity(size.saturating_add(1));
    file.read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_put_in_the_place_of_a_file_is_not_followed_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        crate::write(&at("own"), b"content").unwrap();
        assert_eq!(read(&at("own")).unwrap(), b"content");
        symlink(at("own"), at("link")).unwrap();
        let pipe = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("pipe"),
            rustix::fs::FileType::Fifo,
            pipe,
            0,
        )
        .unwrap();
        for name in ["link", "pipe", "."] {
            assert!(read(&at(name)).is_err(), "{name}");
            assert!(crate::Appender::open(&at(name), 0).is_err(), "{name}");
        }
    }

    #[test]
    fn a_write_replaces_a_link_and_leaves_its_target_alone() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("victim"), "precious").unwrap();
        std::fs::create_dir(at("elsewhere")).unwrap();
        symlink(at("victim"), at("file")).unwrap();
        symlink(at("elsewhere"), at("folder")).unwrap();
        crate::write(&at("file"), b"own").unwrap();
        assert_eq!(read(&at("file")).unwrap(), b"own");
        assert_eq!(read(&at("victim")).unwrap(), b"precious");
        assert!(crate::create_folder(&at("folder")).is_err());
        assert!(crate::create_folder(&at("elsewhere")).is_ok());
    }
}
