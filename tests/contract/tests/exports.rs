//! What the library shows to the linker, and asks of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn the_two_doors_are_all_that_the_library_exports() {
    let output = Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(contract::plugin_library())
        .output()
        .expect("nm (binutils) runs");
    assert!(output.status.success(), "nm: {output:?}");
    let names: BTreeSet<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.split_whitespace().last().unwrap().to_owned())
        .collect();
    let doors = [
        gateway_component_abi::entry::ENTRY_SYMBOL,
        abi_stable::library::ROOT_MODULE_LOADER_NAME,
    ];
    assert_eq!(names, doors.map(str::to_owned).into_iter().collect());
}

/// What `readelf` says of the library, in lines.
fn readelf(what: &str) -> Vec<String> {
    let output = Command::new("readelf")
        .args(["-W", what])
        .arg(contract::plugin_library())
        .output()
        .expect("readelf (binutils) runs");
    assert!(output.status.success(), "readelf: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn nothing_writable_is_executable_and_no_address_stays_writable() {
    let segments = readelf("--segments");
    let flags = |name: &str| {
        let line = segments
            .iter()
            .find(|line| line.split_whitespace().next() == Some(name))
            .unwrap_or_else(|| panic!("no {name}: {segments:#?}"));
        // Type, offset, two addresses, two sizes, then flags that may be apart, then the alignment.
        let words: Vec<&str> = line.split_whitespace().skip(6).collect();
        words[..words.len() - 1].concat()
    };
    assert_eq!(flags("GNU_STACK"), "RW");
    assert_eq!(flags("GNU_RELRO"), "R");
    let loaded = segments
        .iter()
        .filter(|line| line.split_whitespace().next() == Some("LOAD"));
    for line in loaded {
        assert!(!(line.contains('W') && line.contains('E')), "{line}");
    }
    let dynamic = readelf("--dynamic").join("\n");
    // With RELRO: the table of functions is complete at load, and read-only from then on.
    assert!(dynamic.contains("BIND_NOW"), "{dynamic}");
    assert!(!dynamic.contains("TEXTREL"), "{dynamic}");
}

#[test]
fn it_needs_openssl_and_the_system_and_looks_in_no_folder_of_its_own() {
    let dynamic = readelf("--dynamic");
    for line in &dynamic {
        assert!(
            !line.contains("RPATH") && !line.contains("RUNPATH"),
            "{line}"
        );
    }
    let needed: Vec<&str> = dynamic
        .iter()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split(['[', ']']).nth(1))
        .collect();
    // OpenSSL is the system's, for its updates; the rest is what any Rust library needs of libc.
    let known = [
        "libssl.",
        "libcrypto.",
        "libgcc_s.",
        "libc.",
        "libm.",
        "libdl.",
        "libpthread.",
        "librt.",
        "ld-",
    ];
    for name in &needed {
        assert!(known.iter().any(|known| name.starts_with(known)), "{name}");
    }
    assert!(
        needed.iter().any(|name| name.starts_with("libssl.")),
        "{needed:?}"
    );
}
