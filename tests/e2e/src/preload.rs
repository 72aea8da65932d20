//! Libraries in C that are loaded before all others into a process, to make its system misbehave
//! or to watch it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds one from one C file, into `folder`. `None`, with a word, without a compiler.
///
/// # Panics
/// If it does not compile.
pub fn library(source: &str, folder: &Path) -> Option<PathBuf> {
    let file = folder.join("preload.c");
    std::fs::write(&file, source).expect("the source of the library");
    let library = folder.join("libpreload.so");
    let mut command = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    command.args([
        "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o",
    ]);
    match command.arg(&library).arg(&file).arg("-ldl").output() {
        Ok(output) => assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(e) => {
            println!("skipped: no C compiler: {e}");
            return None;
        }
    }
    Some(library)
}
