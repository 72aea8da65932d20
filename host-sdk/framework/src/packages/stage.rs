//! From the archive into the folder of a change.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::archive::Archive;
use super::error::storage;
use super::inspect::Look;
use super::ledger::{Content, Installed};
use super::manifest::{Manifest, PackageFile};
use super::place::Place;
use super::read::{self, hex, Receiver};
use super::{ArchiveError, PackageError};

/// What staging came to.
pub(super) enum Staged {
    /// The files are in the folder of the change, each synced.
    Files(Installed),
    /// Exactly this is installed already.
    Same,
}

/// What is to be staged.
pub(super) struct Order<'a> {
    /// Number of the change.
    pub(super) number: u64,
    /// The package that is wanted; where it is not named, whatever the archive is.
    pub(super) wanted: Option<(&'a str, &'a str)>,
    /// The archive.
    pub(super) archive: &'a Archive,
}

/// Reads the archive into the folder of the change. `allowed` sees the manifest before any file is
/// written.
pub(super) fn stage(
    place: &Place,
    content: &Content,
    order: &Order<'_>,
    allowed: &dyn Fn(&Manifest) -> Result<(), PackageError>,
) -> Result<(String, Staged), PackageError> {
    let mut writer = Writer {
        place,
        content,
        order,
        allowed,
        look: Look::default(),
        file: None,
        same: false,
    };
    let archive = |source| order.archive.refused(source);
    let source = order.archive.reader().map_err(archive)?;
    match read::read(source, &mut writer) {
        Ok(manifest) if writer.same => Ok((manifest.name, Staged::Same)),
        Ok(manifest) => {
            let installed = Installed {
                version: manifest.version,
                files: manifest.files,
            };
            Ok((manifest.name, Staged::Files(installed)))
        }
        Err(Stop::Archive(source)) => Err(archive(source)),
        Err(Stop::Package(error)) => Err(error),
    }
}

/// Why the reading ended.
enum Stop {
    Archive(ArchiveError),
    Package(PackageError),
}

impl From<ArchiveError> for Stop {
    fn from(error: ArchiveError) -> Stop {
        Stop::Archive(error)
    }
}

impl From<PackageError> for Stop {
    fn from(error: PackageError) -> Stop {
        Stop::Package(error)
    }
}

struct Writer<'a> {
    place: &'a Place,
    content: &'a Content,
    order: &'a Order<'a>,
    allowed: &'a dyn Fn(&Manifest) -> Result<(), PackageError>,
    look: Look,
    file: Option<(File, std::path::PathBuf)>,
    /// Whether all of it is there already, and only has to be read.
    same: bool,
}

impl Writer<'_> {
    /// Whether this very package is installed, and its files are as they were installed.
    fn is_there(&self, manifest: &Manifest) -> bool {
        let Some(installed) = self.content.installed.get(&manifest.name) else {
            return false;
        };
        installed.version == manifest.version
            && installed.files == manifest.files
            && installed.files.iter().all(|file| {
                let there = digest(&self.place.target(&file.path));
                there.is_ok_and(|digest| digest == file.sha256)
            })
    }
}

impl Receiver for Writer<'_> {
    type Error = Stop;

    fn manifest(&mut self, manifest: &Manifest) -> Result<(), Stop> {
        if let Some((name, version)) = self.order.wanted {
            if (name, version) != (&manifest.name, &manifest.version) {
                return Err(ArchiveError::Other {
                    found: format!("{} {}", manifest.name, manifest.version),
                    wanted: format!("{name} {version}"),
                }
                .into());
            }
        }
        (self.allowed)(manifest)?;
        self.look.manifest(manifest)?;
        self.same = self.is_there(manifest);
        if !self.same {
            self.place.prepare(self.order.number)?;
        }
        Ok(())
    }

    fn file(&mut self, file: &PackageFile) -> Result<(), Stop> {
        if !self.same {
            let made = self.place.create(self.order.number, &file.path)?;
            let path = self.place.new_file(self.order.number, &file.path);
            self.file = Some((made, path));
        }
        self.look.file(file)?;
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        if let Some((file, path)) = &mut self.file {
            file.write_all(bytes).map_err(storage(path))?;
        }
        self.look.data(bytes)?;
        Ok(())
    }

    fn end(&mut self) -> Result<(), Stop> {
        self.look.end()?;
        if let Some((file, path)) = self.file.take() {
            file.sync_all().map_err(storage(&path))?;
        }
        Ok(())
    }
}

/// SHA-256 of a file.
fn digest(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let (mut file, mut digest) = (durable_file::open(path)?, openssl::sha::Sha256::new());
    let mut buffer = [0u8; 32 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&digest.finish())),
            read => digest.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}
