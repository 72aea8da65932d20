//! `package.json`: what a package says of itself, and what it may hold.
//!
//! Two kinds of files: libraries, which lie beside each other (`libheater.so`), and metatype
//! descriptors (`metatype/com.example.Heater.xml`). Where a file comes to lie follows from its name
//! alone, so that a name that passes here cannot lead out of the plugin directory.

use std::collections::BTreeSet;

pub use kura_formats::deploy::is_plain;
use serde::{Deserialize, Serialize};

/// Name of the first entry of an archive.
pub const MANIFEST: &str = "package.json";
/// The form that is written and read here.
pub const FORMAT: u32 = 1;
/// The most files in a package.
pub const MAX_FILES: usize = 64;
/// The longest manifest, in bytes.
pub const MAX_MANIFEST: u64 = 64 << 10;
/// All files of a package together, in bytes.
pub const MAX_TOTAL: u64 = 256 << 20;
/// The longest metatype descriptor, in bytes; all of a package together may have twice that. Those of
/// Kura's own bundles have less than 100 KiB. They are held in memory until the package is installed.
pub const MAX_METATYPE: u64 = 256 << 10;
/// The longest name of a file, in bytes.
const MAX_FILE_NAME: usize = 100;
/// The folder of the descriptors.
pub(super) const METATYPE: &str = "metatype";

/// What a package says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// `[A-Za-z0-9._-]{1,255}`, not `.` or `..`.
    pub name: String,
    /// Likewise.
    pub version: String,
    /// Its files; at least one is a library.
    pub files: Vec<PackageFile>,
}

/// One file of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageFile {
    /// `NAME.so` or `metatype/NAME.xml`.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256, 64 lower-case hex digits.
    pub sha256: String,
}

impl PackageFile {
    /// Whether it is a library.
    pub fn is_library(&self) -> bool {
        self.path.ends_with(".so")
    }
}

/// The part of a path behind the folder. No two files of a package share it.
pub(super) fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

impl Manifest {
    /// Reads and checks a manifest; the error is one line.
    pub(super) fn read(json: &[u8]) -> Result<Manifest, String> {
        let manifest: Manifest = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Everything that must hold; the error names what does not.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("format {}, known is {FORMAT}", self.format));
        }
        for (what, text) in [("name", &self.name), ("version", &self.version)] {
            if !is_plain(text) {
                let text: String = text.chars().take(64).collect();
                return Err(format!(
                    "{what} {text:?} is not 1 to 255 of A-Z a-z 0-9 . _ -"
                ));
            }
        }
        if self.files.len() > MAX_FILES {
            return Err(format!("{} files, at most {MAX_FILES}", self.files.len()));
        }
        let (mut seen, mut total, mut descriptors) = (BTreeSet::new(), 0u64, 0u64);
        for file in &self.files {
            let path: String = file.path.chars().take(64).collect();
            place(&file.path).map_err(|what| format!("{path:?} {what}"))?;
            if !seen.insert(&file.path) {
                return Err(format!("{path:?} occurs twice"));
            }
            let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            if file.sha256.len() != 64 || !file.sha256.bytes().all(hex) {
                return Err(format!(
                    "the sha256 of {path:?} is not 64 lower-case hex digits"
                ));
            }
            if !file.is_library() {
                descriptors = descriptors.saturating_add(file.size);
                if file.size > MAX_METATYPE || descriptors > 2 * MAX_METATYPE {
                    return Err(format!(
                        "{path:?} has {} bytes, at most {MAX_METATYPE} for a descriptor and twice \
                         that for all",
                        file.size
                    ));
                }
            }
            total = total.saturating_add(file.size);
        }
        if total > MAX_TOTAL {
            return Err(format!("{total} bytes of files, at most {MAX_TOTAL}"));
        }
        if !self.files.iter().any(PackageFile::is_library) {
            return Err("it holds no library".to_owned());
        }
        Ok(())
    }
}

/// Whether a file of that path may be in a package; the error says what is wrong with it.
pub(super) fn place(path: &str) -> Result<(), &'static str> {
    let (folder, name) = match path.split_once('/') {
        Some((folder, name)) => (Some(folder), name),
        None => (None, path),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b);
    if name.is_empty() || name.len() > MAX_FILE_NAME || !name.bytes().all(plain) {
        return Err("is not a plain relative name (1 to 100 of A-Z a-z 0-9 . _ + -)");
    }
    if name.starts_with('.') {
        return Err("begins with a dot");
    }
    let stem = |end: &str| name.strip_suffix(end).is_some_and(|stem| !stem.is_empty());
    match folder {
        None if stem(".so") => Ok(()),
        Some(METATYPE) if stem(".xml") => Ok(()),
        _ => Err("is neither NAME.so nor metatype/NAME.xml, and a package holds nothing else"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_plugin_directory() {
        for good in ["libheater.so", "a.so", "metatype/com.example.Heater.xml"] {
            assert_eq!(place(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            ".so",
            "/etc/a.so",
            "../a.so",
            "a/../b.so",
            "./a.so",
            "sub/a.so",
            ".hidden.so",
            "a.so/",
            "metatype/../a.xml",
            "metatype//a.xml",
            "metatype/a/b.xml",
            "metatype/.xml",
            "metatype/a.so",
            "a.xml",
            "metatype",
            "a\0.so",
            "a\n.so",
            "ä.so",
            "README",
            &format!("{}.so", "a".repeat(98)),
        ] {
            assert!(place(bad).is_err(), "{bad:?}");
        }
    }
}
