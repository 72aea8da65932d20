//! Libraries in C that are loaded before all others into a process, to make its system misbehave
//! or to watch it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::SiteError;

/// Builds one from one C file, into `folder`. `None`, with a word, without a compiler.
///
/// # Errors
/// Of the folder; what the compiler says.
pub fn library(source: &str, folder: &Path) -> Result<Option<PathBuf>, SiteError> {
    let file = folder.join("preload.c");
    std::fs::write(&file, source).map_err(|e| SiteError(format!("{}: {e}", file.display())))?;
    let library = folder.join("libpreload.so");
    let mut command = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    command.args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"]);
    command.arg("-o").args([&library, &file]).arg("-ldl");
    match command.output() {
        Ok(output) if output.status.success() => Ok(Some(library)),
        Ok(output) => Err(SiteError(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )),
        Err(e) => {
            println!("skipped: no C compiler: {e}");
            Ok(None)
        }
    }
}
