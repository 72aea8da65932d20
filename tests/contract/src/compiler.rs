//! The system's C and C++ compiler: `CC`, `CXX`, or `cc` and `c++`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::repository;

/// A language that the headers are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// C99 and C11.
    C,
    /// C++11 and C++17.
    Cpp,
}

impl Language {
    /// The oldest standard that the headers are for, and that of our own programs.
    fn standards(self) -> [&'static str; 2] {
        match self {
            Language::C => ["c99", "c11"],
            Language::Cpp => ["c++11", "c++17"],
        }
    }

    /// The system's compiler, and clang where it is there.
    fn compilers(self) -> Vec<OsString> {
        let (variable, default, other) = match self {
            Language::C => ("CC", "cc", "clang"),
            Language::Cpp => ("CXX", "c++", "clang++"),
        };
        let mut all = vec![std::env::var_os(variable).unwrap_or_else(|| OsString::from(default))];
        if Command::new(other).arg("--version").output().is_ok() {
            all.push(OsString::from(other));
        }
        all
    }

    fn command(self, compiler: &OsString, standard: &str) -> Command {
        let mut command = Command::new(compiler);
        command.arg(format!("-std={standard}"));
        command.args(["-Wall", "-Wextra", "-pedantic", "-Werror"]);
        command.arg("-I").arg(repository().join("include"));
        command
    }

    /// Checks a source text by all standards and compilers, making nothing. The error is what the
    /// first compiler that refuses says.
    pub fn check(self, source: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join(match self {
            Language::C => "source.c",
            Language::Cpp => "source.cpp",
        });
        std::fs::write(&file, source).expect("the temporary folder is writable");
        for compiler in self.compilers() {
            for standard in self.standards() {
                let mut command = self.command(&compiler, standard);
                said(command.arg("-fsyntax-only").arg(&file).output())
                    .map_err(|text| format!("{} {standard}: {text}", compiler.display()))?;
            }
        }
        Ok(())
    }
}

/// Builds a program of one C file into `folder`, all warnings being errors.
///
/// # Panics
/// With what the compiler says, if it refuses.
pub fn build(source: &Path, folder: &Path) -> PathBuf {
    let program = folder.join(source.file_stem().expect("a file name"));
    let (compilers, [_, standard]) = (Language::C.compilers(), Language::C.standards());
    let compiler = compilers.first().expect("the system's compiler");
    let mut command = Language::C.command(compiler, standard);
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
