//! The library as such: what it shows, what it says, what loading changes.

use std::path::Path;

use gateway_component_abi::entry::ENTRY_SYMBOL;
use gateway_component_abi::types::ABI_MAJOR;
use gateway_host_sdk::loader::{Library as Loaded, OpenOptions};
use gateway_host_sdk::metatype;

use super::{defaults, holds};
use crate::abi::{Library, Surroundings};
use crate::symbols;

pub(super) fn it_is_a_component_library(path: &Path) -> Result<(), String> {
    let options = OpenOptions {
        allow_insecure: true,
        ..OpenOptions::default()
    };
    // By the loader that gateways use, as its words are those that a user will see.
    Loaded::open(path, &options).map_err(|e| e.to_string())?;
    Library::open(path).map(drop)
}

pub(super) fn it_exports_its_doors_only(path: &Path) -> Result<(), String> {
    let doors = [ENTRY_SYMBOL, abi_stable::library::ROOT_MODULE_LOADER_NAME];
    let others: Vec<String> = symbols::exported(path)?
        .into_iter()
        .filter(|name| !doors.contains(&name.as_str()))
        .collect();
    holds(others.is_empty(), || {
        let some: Vec<_> = others.iter().take(10).map(String::as_str).collect();
        let count = others.len();
        format!(
            "it exports {count} symbols besides its doors: {}",
            some.join(", ")
        )
    })
}

pub(super) fn loading_changes_nothing_in_the_process(path: &Path) -> Result<(), String> {
    let before = Surroundings::now();
    let library = Library::open(path)?;
    let unchanged = |when: &str| match Surroundings::now().difference(&before) {
        None => Ok(()),
        Some(what) => Err(format!("{when} changed {what}")),
    };
    unchanged("loading")?;
    for pid in &library.pids {
        defaults(&library, pid)?;
    }
    unchanged("reading the metatype")
}

pub(super) fn another_major_version_is_refused(path: &Path) -> Result<(), String> {
    let library = Library::open(path)?;
    for major in [0, ABI_MAJOR + 1, 77, u32::MAX] {
        holds(!library.accepts(major), || {
            format!("{ENTRY_SYMBOL}({major}) returns a module, not NULL")
        })?;
    }
    holds(library.accepts(ABI_MAJOR), || {
        format!("{ENTRY_SYMBOL}({ABI_MAJOR}) returns NULL the second time")
    })
}

pub(super) fn the_module_says_what_it_is(path: &Path) -> Result<(), String> {
    let library = Library::open(path)?;
    let major = library.module.abi_major;
    holds(major == ABI_MAJOR, || {
        format!("abi_major of the module is {major}")
    })?;
    let [name, version, ..] = library.texts()?;
    holds(!name.is_empty(), || "the module has no name".to_owned())?;
    holds(!version.is_empty(), || {
        "the module has no version".to_owned()
    })
}

pub(super) fn metatypes_are_read_and_name_their_pids(path: &Path) -> Result<(), String> {
    let library = Library::open(path)?;
    for pid in &library.pids {
        for locale in ["", "en", "it", "it_IT", "xx", "no locale at all"] {
            let wrong = |what: String| format!("metatype({pid}, {locale:?}): {what}");
            let xml = library
                .metatype(pid, locale)
                .map_err(|e| wrong(e.to_string()))?;
            let read = metatype::read(xml.as_bytes()).map_err(|e| wrong(e.to_string()))?;
            let ocd = read
                .ocd_of(pid)
                .ok_or_else(|| wrong("no Designate with an OCD for this pid".to_owned()))?;
            if let Some(problem) = ocd.bad_defaults().first() {
                return Err(wrong(format!("the default of {problem}")));
            }
        }
    }
    Ok(())
}
