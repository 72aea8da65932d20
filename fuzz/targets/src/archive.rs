//! Application packages: `gateway_host_sdk::packages::inspect`.
//!
//! The first byte: 0, the rest is an archive as it is; else, the rest is a tar that only lacks its
//! checksums and its gzip: a fuzzer finds neither.

use std::io::Write;

use gateway_host_sdk::metatype;
use gateway_host_sdk::packages::manifest::{is_plain, MAX_FILES, MAX_METATYPE};
use gateway_host_sdk::packages::{inspect, pack};
use kura_formats::payload::{gunzip, gzip};

use crate::Seed;

/// The unit of a tar, in bytes.
const BLOCK: usize = 512;

pub(crate) fn run(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else {
        return;
    };
    let archive = match mode {
        0 => rest.to_vec(),
        _ => gzip(&with_checksums(rest)),
    };
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&archive).unwrap();
    file.flush().unwrap();
    let Ok(contents) = inspect(file.path()) else {
        return;
    };
    let manifest = &contents.manifest;
    assert!(is_plain(&manifest.name) && is_plain(&manifest.version));
    assert!(manifest.files.len() <= MAX_FILES);
    for file in &manifest.files {
        // Where it will lie follows from this alone.
        let inside = file.path.strip_prefix("metatype/").unwrap_or(&file.path);
        assert!(!inside.is_empty() && !inside.contains(['/', '\\', '\0']) && inside != "..");
    }
    for xml in &contents.metatypes {
        assert!(xml.len() as u64 <= MAX_METATYPE);
        metatype::read(xml).expect("what is in a package has been read");
    }
}

/// The tar with the checksum that each of its headers should have.
fn with_checksums(tar: &[u8]) -> Vec<u8> {
    let mut tar = tar.to_vec();
    tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    let mut at = 0;
    while at + BLOCK <= tar.len() {
        let header = &mut tar[at..at + BLOCK];
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let digits = String::from_utf8_lossy(&header[124..135]).into_owned();
        let size = usize::from_str_radix(digits.trim_matches(['\0', ' ']), 8).unwrap_or(0);
        at = at
            .saturating_add(BLOCK)
            .saturating_add(size.div_ceil(BLOCK) * BLOCK);
    }
    tar
}

pub(crate) fn seeds() -> Vec<Seed> {
    // The head of an ELF library for x86-64 without any part.
    let mut library = vec![0u8; 128];
    library[..20].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0");
    library[52] = 64;
    library[54] = 56;
    library[58] = 64;
    let xml = b"<MetaData><OCD id=\"o\"><AD id=\"a\" type=\"Integer\" default=\"1\"/></OCD><Designate factoryPid=\"p\"><Object ocdref=\"o\"/></Designate></MetaData>";
    let files = [
        ("libheater.so".to_owned(), library.clone()),
        ("metatype/p.xml".to_owned(), xml.to_vec()),
    ];
    let mut whole = Vec::new();
    pack("heater", "1.0", &files, &mut whole).unwrap();
    let mut small = Vec::new();
    pack("h", "1", &files[..1], &mut small).unwrap();
    let tar = |archive: &[u8]| [&[1], gunzip(archive, 1 << 20).unwrap().as_slice()].concat();
    vec![
        ("whole", [&[0], whole.as_slice()].concat()),
        ("tar", tar(&whole)),
        ("tar-small", tar(&small)),
        ("cut", [&[0], &whole[..whole.len() / 2]].concat()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else nothing behind the checksums would ever be reached.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_seeds_are_packages() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let (_, seed) = seeds().swap_remove(1);
        file.write_all(&gzip(&with_checksums(&seed[1..]))).unwrap();
        let contents = inspect(file.path()).unwrap();
        assert_eq!(
            (contents.manifest.files.len(), contents.metatypes.len()),
            (2, 1)
        );
    }
}
