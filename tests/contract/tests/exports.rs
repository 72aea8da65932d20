//! What the library shows to the linker.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

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
