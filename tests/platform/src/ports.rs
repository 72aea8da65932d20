//! The ports of a platform, remembered in its data folder: devices and their configurations know
//! them, so that a platform that starts again must listen there again.
//!
//! A wish, and no more: a port that somebody else has taken meanwhile is replaced by another one.

use crate::broker::DevicePorts;
use serde_json::{json, Value};
use std::path::Path;

const FILE: &str = "ports.json";

/// What was listened on last time; nothing where it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) provision: Option<DevicePorts>,
    pub(crate) target: Option<DevicePorts>,
    pub(crate) packages: Option<u16>,
}

impl Remembered {
    /// Reads the file of a data folder; one that cannot be read is none.
    pub(crate) fn load(data: &Path) -> Remembered {
        let document = std::fs::read(data.join(FILE)).unwrap_or_default();
        let document: Value = serde_json::from_slice(&document).unwrap_or_default();
        let port = |path: &str| {
            let number = document.pointer(path)?.as_u64()?;
            u16::try_from(number).ok().filter(|port| *port > 0)
        };
        let of = |name: &str| {
            Some(DevicePorts {
                tls: port(&format!("/{name}/tls"))?,
                mutual: port(&format!("/{name}/mutual"))?,
            })
        };
        Remembered {
            provision: of("provision"),
            target: of("target"),
            packages: port("/packages"),
        }
    }

    /// Writes the file, if it changes.
    pub(crate) fn save(&self, data: &Path) -> std::io::Result<()> {
        if Remembered::load(data) == *self {
            return Ok(());
        }
        let of =
            |ports: Option<DevicePorts>| ports.map(|p| json!({"tls": p.tls, "mutual": p.mutual}));
        let document = json!({
            "provision": of(self.provision),
            "target": of(self.target),
            "packages": self.packages,
        });
        durable_file::write(&data.join(FILE), format!("{document:#}\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_damage_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Remembered::load(folder.path()), Remembered::default());
        let remembered = Remembered {
            provision: Some(DevicePorts { tls: 1, mutual: 2 }),
            target: None,
            packages: Some(65_535),
        };
        remembered.save(folder.path()).unwrap();
        assert_eq!(Remembered::load(folder.path()), remembered);
        std::fs::write(folder.path().join(FILE), "{\"packages\": 70000}").unwrap();
        assert_eq!(Remembered::load(folder.path()), Remembered::default());
    }
}
