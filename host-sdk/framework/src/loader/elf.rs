//! A look at a file before the linker gets it: whether it is a whole ELF shared library for this
//! machine. The linker's own words for the same are poor, and a truncated library kills the process
//! (SIGBUS) instead of being refused.
//!
//! Source of the layout: System V ABI, "Object Files" (ELF header, program header).

use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use super::LoadError;

const ET_DYN: u16 = 3;
const PT_LOAD: u32 = 1;

/// Checks the file; the error says what it is instead.
pub(super) fn check(path: &Path) -> Result<(), LoadError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => LoadError::NotFound(path.to_owned()),
        _ => LoadError::Unreadable {
            path: path.to_owned(),
            source,
        },
    };
    // A link may be followed here; a pipe is not waited for.
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::CLOEXEC).bits()).unwrap_or_default();
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let verdict = if metadata.is_file() {
        examine(&mut file, metadata.len()).map_err(unreadable)?
    } else {
        Some("it is not a file".to_owned())
    };
    match verdict {
        None => Ok(()),
        Some(reason) => Err(LoadError::NoLibrary {
            path: path.to_owned(),
            reason,
        }),
    }
}

/// What the beginning of a file of `length` bytes tells: what is wrong with it, if anything. What
/// the headers place behind the beginning is not judged.
pub(crate) fn look(head: &[u8], length: u64) -> Option<String> {
    examine(&mut io::Cursor::new(head), length).unwrap_or(None)
}

/// What is wrong with it, if anything.
fn examine(file: &mut (impl Read + Seek), length: u64) -> io::Result<Option<String>> {
    let wrong = |reason: &str| Ok(Some(reason.to_owned()));
    if length == 0 {
        return wrong("it is empty");
    }
    let mut header = [0u8; 64];
    let read = fill(file, &mut header)?;
    if !header.starts_with(b"\x7fELF") {
        return wrong("it is not an ELF file");
    }
    if read < 52 {
        return wrong("it is truncated within its header");
    }
    let (wide, little) = (header.get(4) == Some(&2), header.get(5) == Some(&1));
    if wide != cfg!(target_pointer_width = "64") || little != cfg!(target_endian = "little") {
        return wrong("it is for another architecture (word size or byte order)");
    }
    if wide && read < 64 {
        return wrong("it is truncated within its header");
    }
    let at = |offset: usize, size: usize| number(&header, offset, size, little);
    if let Some(expected) = machine() {
        let machine = at(18, 2);
        if machine != u64::from(expected) {
            return Ok(Some(format!(
                "it is for another architecture (ELF machine {machine}, this is {expected})"
            )));
        }
    }
    if at(16, 2) != u64::from(ET_DYN) {
        return wrong("it is an ELF file, but not a shared library");
    }
    let (program, sections, sizes) = if wide {
        (
            at(32, 8),
            at(40, 8),
            [at(54, 2), at(56, 2), at(58, 2), at(60, 2)],
        )
    } else {
        (
            at(28, 4),
            at(32, 4),
            [at(42, 2), at(44, 2), at(46, 2), at(48, 2)],
        )
    };
    let [program_size, program_count, section_size, section_count] = sizes;
    let mut end = sections.saturating_add(section_size * section_count);
    end = end.max(program.saturating_add(program_size * program_count));
    if end > length {
        return Ok(Some(format!(
            "it is truncated: {length} bytes of at least {end}"
        )));
    }
    file.seek(SeekFrom::Start(program))?;
    for _ in 0..program_count {
        let mut entry = [0u8; 56];
        let Some(entry) = entry.get_mut(..program_size as usize) else {
            return wrong("its program headers make no sense");
        };
        file.read_exact(entry)?;
        let at = |offset: usize, size: usize| number(entry, offset, size, little);
        let (offset, size) = if wide {
            (at(8, 8), at(32, 8))
        } else {
            (at(4, 4), at(16, 4))
        };
        let end = offset.saturating_add(size);
        if at(0, 4) == u64::from(PT_LOAD) && end > length {
            return Ok(Some(format!(
                "it is truncated: {length} bytes of at least {end}"
            )));
        }
    }
    Ok(None)
}

/// The ELF machine number (`e_machine`) of this process, where it is known here.
fn machine() -> Option<u16> {
    match std::env::consts::ARCH {
        "x86" => Some(3),
        "powerpc64" => Some(21),
        "s390x" => Some(22),
        "arm" => Some(40),
        "x86_64" => Some(62),
        "aarch64" => Some(183),
        "riscv32" | "riscv64" => Some(243),
        "loongarch64" => Some(258),
        _ => None,
    }
}

fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

fn number(bytes: &[u8], offset: usize, size: usize, little: bool) -> u64 {
    let digits = bytes.get(offset..offset + size).unwrap_or_default();
    let add = |sum: u64, digit: &u8| sum << 8 | u64::from(*digit);
    if little {
        digits.iter().rev().fold(0, add)
    } else {
        digits.iter().fold(0, add)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::io::Cursor;

    use super::*;

    fn verdict(bytes: &[u8]) -> Option<String> {
        examine(&mut Cursor::new(bytes), bytes.len() as u64).unwrap()
    }

    /// A library that is certainly there: one that this test itself is linked with.
    fn libc() -> Vec<u8> {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let path = maps
            .lines()
            .filter_map(|line| line.split_whitespace().last())
            .find(|path| path.contains("/libc.so") || path.contains("/libc-"))
            .unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn a_whole_library_passes_and_no_part_of_it_does() {
        let whole = libc();
        assert_eq!(verdict(&whole), None);
        for part in [1, 10, 60, 1000, whole.len() / 2, whole.len() - 1] {
            assert!(verdict(whole.get(..part).unwrap()).is_some(), "{part}");
        }
    }

    #[test]
    fn other_files_are_named_for_what_they_are() {
        assert!(verdict(b"").unwrap().contains("empty"));
        assert!(verdict(b"#!/bin/sh\n").unwrap().contains("not an ELF"));
        let mut other = libc();
        *other.get_mut(18).unwrap() ^= 0x55;
        assert!(verdict(&other).unwrap().contains("architecture"));
        let program = std::fs::read("/proc/self/exe").unwrap();
        let mut program = program;
        *program.get_mut(16).unwrap() = 2;
        assert!(verdict(&program).unwrap().contains("not a shared library"));
    }

    #[test]
    fn a_pipe_is_refused_and_not_waited_for() {
        use rustix::fs::{mknodat, FileType, Mode, CWD};

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe.so");
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let (done, wait) = std::sync::mpsc::channel();
        std::thread::spawn(move || done.send(check(&path)));
        let verdict = wait.recv_timeout(std::time::Duration::from_secs(10));
        let refused = verdict
            .expect("it waits for somebody to write")
            .unwrap_err();
        assert!(refused.to_string().contains("not a file"), "{refused}");
    }
}
