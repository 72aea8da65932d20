//! Archives of packages: `gateway_host_sdk::packages`.
//!
//! The input is a tar that only lacks its checksums and its gzip, which a fuzzer does not find by
//! itself; gzip has a target of its own. What is taken must be such that installing it cannot lead anywhere else.

use std::io::Write;

use flate2::write::GzEncoder;
use flate2::Compression;
use gateway_host_sdk::metatype;
use gateway_host_sdk::packages::{inspect_from, manifest, pack};

use crate::Seed;

/// The unit of a tar, in bytes.
const BLOCK: usize = 512;

pub(crate) fn run(data: &[u8]) {
    // As it is, too: it may be gzip by itself.
    check(data, None);
    let tar = with_checksums(data);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(&tar).unwrap();
    check(&gzip.finish().unwrap(), Some(&tar));
}

fn check(archive: &[u8], tar: Option<&[u8]>) {
    let Ok(contents) = inspect_from(archive) else {
        return;
    };
    let package = &contents.manifest;
    assert!(manifest::is_plain(&package.name) && manifest::is_plain(&package.version));
    assert!(package.files.len() <= manifest::MAX_FILES);
    let mut total = 0;
    for file in &package.files {
        let name = match file.path.strip_prefix("metatype/") {
            Some(name) => name.strip_suffix(".xml"),
            None => file.path.strip_suffix(".so"),
        };
        let name = name.unwrap();
        assert!(!name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']));
        total += file.size;
    }
    assert!(total <= manifest::MAX_TOTAL);
    // All of it was there.
    assert!(tar.is_none_or(|tar| tar.len() as u64 > total));
    let descriptors = package.files.iter().filter(|file| !file.is_library());
    assert_eq!(descriptors.count(), contents.metatypes.len());
    for xml in &contents.metatypes {
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

/// A library as far as a look from outside goes, of the machine that the corpus was made on.
fn elf() -> Vec<u8> {
    let mut header = vec![0; 64];
    header[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    header[16] = 3;
    header[18] = 62;
    header[20] = 1;
    header
}

pub(crate) fn seeds() -> Vec<Seed> {
    let xml = include_bytes!("../../../tests/applications/heater/metatype/com.example.Heater.xml");
    let library = ("liba.so".to_owned(), elf());
    let descriptor = ("metatype/com.example.Heater.xml".to_owned(), xml.to_vec());
    let packed = |files: &[(String, Vec<u8>)]| {
        let mut archive = Vec::new();
        pack("heater", "1.0", files, &mut archive).unwrap();
        let mut tar = Vec::new();
        std::io::copy(&mut flate2::read::GzDecoder::new(&*archive), &mut tar).unwrap();
        tar
    };
    let small = packed(std::slice::from_ref(&library));
    let kind = |kind: u8| {
        // Of the second header, with the sum of its bytes corrected.
        let mut tar = small.clone();
        let (old, header) = (tar[1024 + 156], &mut tar[1024..1536]);
        header[156] = kind;
        let sum = std::str::from_utf8(&header[148..154]).unwrap();
        let sum = u32::from_str_radix(sum, 8).unwrap() + u32::from(kind) - u32::from(old);
        header[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
        tar
    };
    vec![
        ("library", small.clone()),
        ("descriptor", packed(&[library, descriptor])),
        ("link", kind(b'2')),
        ("pax", kind(b'x')),
        ("long-name", kind(b'L')),
        ("sparse", kind(b'S')),
        ("cut", small[..1600].to_vec()),
        ("behind", [&*small, b"x"].concat()),
    ]
}
