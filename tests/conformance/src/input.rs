//! The files that are judged, read up to a bound: a file of another kind, or one without an end, must
//! not take the memory of the machine.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Most bytes of one document. The readers stop far below, and say so.
pub const MAX_DOCUMENT: u64 = 64 << 20;
/// Most bytes of one file of cases; the whole of x509-limbo has less than a tenth of it.
pub const MAX_CASES: u64 = 1 << 30;

/// What stands in the file.
///
/// # Errors
/// It cannot be read, or has more than `most` bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let too_large = || {
        let what = format!("it has more than {most} bytes");
        io::Error::new(io::ErrorKind::FileTooLarge, what)
    };
    if length > most {
        return Err(too_large());
    }
    // What has a length of 0 may be a device.
    let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Err(too_large());
    }
    Ok(content)
}

/// The files, and for each folder among them the `.xml` files at any depth in it, sorted. A link to
/// a folder in it is not followed. A folder that cannot be read, or has no such file, stays itself:
/// reading it says so.
pub fn documents(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in paths {
        let mut found = match path.is_dir() {
            true => below(path).unwrap_or_default(),
            false => Vec::new(),
        };
        if found.is_empty() {
            found.push(path.clone());
        }
        found.sort();
        all.append(&mut found);
    }
    all
}

fn below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|is| is == "xml") {
                found.push(path);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::samples::Scratch;

    #[test]
    fn a_file_is_read_up_to_the_bound() {
        let file = Scratch::new(b"1234");
        assert_eq!(read(file.path(), 4).unwrap(), b"1234");
        for (path, most) in [(file.path(), 3), (Path::new("/dev/zero"), 5000)] {
            let error = read(path, most).unwrap_err().to_string();
            assert_eq!(error, format!("it has more than {most} bytes"));
        }
    }
    #[test]
    fn a_folder_stands_for_the_documents_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("b/c")).unwrap();
        for name in ["z.xml", "b/c/y.xml", "b/notes.txt"] {
            std::fs::write(path(name), "x").unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), path("b/round")).unwrap();
        let empty = path("empty");
        std::fs::create_dir(&empty).unwrap();
        let given = [path("b/notes.txt"), folder.path().to_owned(), empty.clone()];
        assert_eq!(
            documents(&given),
            [path("b/notes.txt"), path("b/c/y.xml"), path("z.xml"), empty]
        );
    }
}
