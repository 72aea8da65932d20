//! Archives of packages: `gateway_host_sdk::packages`.
//!
//! The input is the tar; gzip has a target of its own, and would only keep the fuzzer from getting
//! anywhere. What is taken must be such that installing it cannot lead anywhere else.

use std::io::Write;

use flate2::write::GzEncoder;
use flate2::Compression;
use gateway_host_sdk::packages::{inspect_from, manifest, pack};

use crate::Seed;

pub(crate) fn run(data: &[u8]) {
    // As it is, too: it may be gzip by itself.
    check(data, None);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(data).unwrap();
    check(&gzip.finish().unwrap(), Some(data));
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
    let small = packed(&[library.clone()]);
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
