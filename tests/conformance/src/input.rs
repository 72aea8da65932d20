//! The files that are judged, read up to a bound: a file of another kind, or one without an end, must
//! not take the memory of the machine.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

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
}
