//! `--package FILE[:NAME:VERSION]`.

use provision_platform::store::NewPackage;
use std::path::{Path, PathBuf};

/// Endings that are no part of a version.
const ENDINGS: [&str; 8] = [
    ".tar.gz", ".tgz", ".tar", ".zip", ".dp", ".deb", ".pkg", ".so",
];

/// Reads the option's value. Without name and version, the file's name says both: what follows the
/// last `-` before a digit is the version.
pub(super) fn parse(value: &str) -> Result<NewPackage, String> {
    let mut parts = value.rsplitn(3, ':');
    let (version, name, file) = (parts.next(), parts.next(), parts.next());
    if let (Some(file), Some(name), Some(version)) = (file, name, version) {
        return Ok(NewPackage {
            file: PathBuf::from(file),
            name: name.to_owned(),
            version: version.to_owned(),
        });
    }
    let file = Path::new(value);
    let full = file
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or_default();
    let stem = ENDINGS
        .iter()
        .find_map(|ending| full.strip_suffix(ending))
        .unwrap_or(full);
    let dash = stem.char_indices().rev().find(|(at, c)| {
        let next = stem.get(at + 1..).and_then(|rest| rest.chars().next());
        *c == '-' && next.is_some_and(|c| c.is_ascii_digit())
    });
    let (name, version) = dash
        .and_then(|(at, _)| Some((stem.get(..at)?, stem.get(at + 1..)?)))
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| format!("{value:?} does not say its version: write FILE:NAME:VERSION"))?;
    Ok(NewPackage {
        file: file.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn name_and_version_are_given_or_in_the_name_of_the_file() {
        for (value, file, name, version) in [
            (
                "a/heater-1.0.300.tar.gz",
                "a/heater-1.0.300.tar.gz",
                "heater",
                "1.0.300",
            ),
            (
                "my-app-2.0-rc1.zip",
                "my-app-2.0-rc1.zip",
                "my-app",
                "2.0-rc1",
            ),
            ("x.dp:heater:1", "x.dp", "heater", "1"),
            ("a:b/x.dp:heater:1", "a:b/x.dp", "heater", "1"),
        ] {
            let package = parse(value).unwrap();
            assert_eq!(package.file, Path::new(file));
            assert_eq!(
                (package.name.as_str(), package.version.as_str()),
                (name, version)
            );
        }
        for value in ["heater.dp", "-1.dp", "", "heater-x.dp"] {
            assert!(
                parse(value).unwrap_err().contains("FILE:NAME:VERSION"),
                "{value}"
            );
        }
    }
}
