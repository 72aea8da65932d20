//! The system's C and C++ compiler: `CC`, `CXX`, or `cc` and `c++`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::repository;

/// A language that the headers are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// C11.
    C,
    /// C++17.
    Cpp,
}

impl Language {
    fn command(self) -> Command {
        let (variable, default) = match self {
            Language::C => ("CC", "cc"),
            Language::Cpp => ("CXX", "c++"),
        };
        let name = std::env::var_os(variable).unwrap_or_else(|| OsString::from(default));
        let mut command = Command::new(name);
        command.arg(match self {
            Language::C => "-std=c11",
            Language::Cpp => "-std=c++17",
        });
        command.args(["-Wall", "-Wextra", "-pedantic", "-Werror"]);
        command.arg("-I").arg(repository().join("include"));
        command
    }

    /// Checks a source text, making nothing. The error is what the compiler says.
    pub fn check(self, source: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join(match self {
            Language::C => "source.c",
            Language::Cpp => "source.cpp",
        });
        std::fs::write(&file, source).expect("the temporary folder is writable");
        let mut command = self.command();
        said(command.arg("-fsyntax-only").arg(file).output())
    }
}

/// Builds a program of one C file into `folder`, all warnings being errors.
///
/// # Panics
/// With what the compiler says, if it refuses.
pub fn build(source: &Path, folder: &Path) -> PathBuf {
    let program = folder.join(source.file_stem().expect("a file name"));
    let mut command = Language::C.command();
    command.arg(source).arg("-o").arg(&program);
    // Where threads and dlopen are no part of the C library.
    command.args(["-pthread", "-ldl"]);
    if let Err(text) = said(command.output()) {
        panic!("{}:\n{text}", source.display());
    }
    program
}

fn said(output: std::io::Result<Output>) -> Result<(), String> {
    let output = output.expect("the system has a compiler");
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}
