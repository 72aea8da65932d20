//! A small file that is written over and over, in place.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// The longest content that is read.
const MAX_SIZE: u64 = 64 * 1024;

/// A file for what the next process is to know if this one is killed, mode 0600. A write waits for
/// nothing and costs the disk next to nothing: it stays in the memory of the system, which outlives
/// the process, and is written out now and then as one page. After a loss of power the content may
/// be an older one, or a mixture: whoever reads it must be able to tell. One writer at a time.
#[derive(Debug)]
pub struct Slate {
    file: File,
    length: usize,
}

impl Slate {
    /// Opens the file, creating it where it does not exist, and gives its content.
    ///
    /// # Errors
    /// The system's; also if the file is larger than 64 KiB, and so none of these.
    pub fn open(path: &Path) -> io::Result<(Slate, Vec<u8>)> {
        crate::check(path)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(crate::read::careful())
            .open(path)?;
        let size = file.metadata()?.len();
        if size > MAX_SIZE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it is too large",
            ));
        }
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let length = content.len();
        Ok((Slate { file, length }, content))
    }

    /// Writes `content` over what is there, filled up with spaces to the length of that, in one
    /// call.
    ///
    /// # Errors
    /// The system's. What is there then is of no use.
    pub fn write(&mut self, content: &[u8]) -> io::Result<()> {
        let mut padded = content.to_vec();
        padded.resize(content.len().max(self.length), b' ');
        self.file.write_all_at(&padded, 0)?;
        self.length = padded.len();
        Ok(())
    }

    /// Waits until the last content is on the disk.
    ///
    /// # Errors
    /// The system's.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_written_last_is_there_whole_whatever_was_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slate");
        let (mut slate, content) = Slate::open(&path).unwrap();
        assert_eq!(content, b"");
        for content in [
            "a longer content",
            "short",
            "",
            "the longest content of all",
        ] {
            slate.write(content.as_bytes()).unwrap();
            let (_, read) = Slate::open(&path).unwrap();
            assert_eq!(String::from_utf8(read).unwrap().trim_end(), content);
        }
        slate.sync().unwrap();
        std::fs::write(&path, vec![b' '; 70_000]).unwrap();
        assert!(Slate::open(&path).is_err());
    }
}
