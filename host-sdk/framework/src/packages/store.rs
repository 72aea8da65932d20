//! The store: what is installed, and changing it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::Serialize;

use super::archive::Archive;
use super::change::{take_number, untouched};
use super::inspect::{inspect_open, Contents};
use super::ledger::{Change, Installed, Ledger, Phase};
use super::manifest::{is_plain, PackageFile};
use super::place::Place;
use super::{ArchiveError, Incoming, PackageError, PluginHost};
use crate::events::{Event, Hub};

/// The longest key of a caller, in bytes.
const MAX_KEY: usize = 1024;

/// A package for people to see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PackageInfo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its files, relative to the plugin directory.
    pub files: Vec<PackageFile>,
    /// Whether the change that brought it can still be taken back.
    pub pending: bool,
}

/// The packages of a gateway. Any thread; changes are made one after the other, each durable when
/// the call returns.
pub struct Packages {
    folder: PathBuf,
    pub(super) place: Place,
    ledger: Mutex<Ledger>,
    pub(super) host: OnceLock<Arc<dyn PluginHost>>,
    pub(super) hub: Hub,
}

impl std::fmt::Debug for Packages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packages")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Packages {
    /// Opens the ledger in `folder`, which exists, for the plugin directory `plugins` (absolute,
    /// without links), and takes back what was cut off. To be called before a plugin is opened.
    /// Where the disk refuses that, the gateway starts all the same, so that it can be asked why;
    /// it is tried again before the next change.
    ///
    /// # Errors
    /// A ledger that cannot be read or understood.
    pub fn open(folder: &Path, plugins: &Path, hub: Hub) -> Result<Packages, PackageError> {
        let packages = Packages {
            folder: folder.to_owned(),
            place: Place::new(plugins),
            ledger: Mutex::new(Ledger::open(folder)?),
            host: OnceLock::new(),
            hub,
        };
        packages.recover();
        Ok(packages)
    }

    fn recover(&self) {
        let mut ledger = self.lock();
        let result = self.mend(&mut ledger).and_then(|()| {
            let content = &ledger.content;
            self.place
                .sweep(&|number| content.changes.contains_key(&number))?;
            if content.made_metatype {
                self.place.drop_metatype()?;
            }
            Ok(())
        });
        if let Err(e) = result {
            log::error!("packages: {}", crate::one_line(&e));
        }
    }

    /// Says who loads plugins. Once, before the first change.
    pub fn attach(&self, host: Arc<dyn PluginHost>) {
        if self.host.set(host).is_err() {
            log::error!("the packages have a plugin host already");
        }
    }

    /// The installed packages, sorted by name.
    pub fn list(&self) -> Vec<PackageInfo> {
        let ledger = self.lock();
        let content = &ledger.content;
        let info = |(name, installed): (&String, &Installed)| PackageInfo {
            name: name.clone(),
            version: installed.version.clone(),
            files: installed.files.clone(),
            pending: content.changes.values().any(|c| c.package == *name),
        };
        content.installed.iter().map(info).collect()
    }

    /// Looks into an archive, which has to be this version of this package. It is a file of this
    /// process or of a component: a link is refused, here and where one is installed.
    ///
    /// # Errors
    /// [`PackageError::Archive`], [`PackageError::BadName`].
    pub fn inspect(
        &self,
        name: &str,
        version: &str,
        archive: &Path,
    ) -> Result<Contents, PackageError> {
        named(name, version)?;
        let open = Archive::own(archive)?;
        let contents = inspect_open(&open)?;
        let manifest = &contents.manifest;
        if (name, version) == (&manifest.name, &manifest.version) {
            return Ok(contents);
        }
        Err(open.refused(ArchiveError::Other {
            found: format!("{} {}", manifest.name, manifest.version),
            wanted: format!("{name} {version}"),
        }))
    }

    /// A private file for an archive that comes from elsewhere.
    ///
    /// # Errors
    /// The file system.
    pub fn incoming(&self) -> Result<Incoming, PackageError> {
        Incoming::new(&self.folder)
    }

    /// Installs an archive, replacing another version of the package. The same key again has no
    /// effect, until it is reverted or settled; nor has what is installed exactly so.
    ///
    /// # Errors
    /// Whatever [`PackageError`] names; nothing has changed then.
    pub fn install(
        &self,
        key: &str,
        name: &str,
        version: &str,
        archive: &Path,
    ) -> Result<(), PackageError> {
        named(name, version)?;
        if key.is_empty() || key.len() > MAX_KEY {
            return Err(PackageError::Conflict(format!(
                "the key of the change of {name} is empty or too long"
            )));
        }
        let mut ledger = self.lock();
        self.mend(&mut ledger)?;
        if let Some((_, change)) = ledger.content.by_key(key) {
            let same = |after: &Installed| after.version == version;
            if change.package == name && change.after.as_ref().is_some_and(same) {
                return Ok(());
            }
            return Err(PackageError::Conflict(format!(
                "the key {key:?} stands for another change, of {}",
                change.package
            )));
        }
        let wanted = Some((name, version));
        let archive = Archive::own(archive)?;
        self.bring(&mut ledger, Some(key), wanted, &archive)?;
        Ok(())
    }

    /// Installs whatever package the archive is, for good.
    ///
    /// # Errors
    /// As [`Packages::install`]; also while a change of the package by somebody else is not settled.
    pub fn install_now(&self, archive: &Path) -> Result<PackageInfo, PackageError> {
        let archive = Archive::own(archive)?;
        let mut ledger = self.lock();
        self.mend(&mut ledger)?;
        let name = self.bring(&mut ledger, None, None, &archive)?;
        drop(ledger);
        let mut all = self.list().into_iter();
        all.find(|info| info.name == name)
            .ok_or(PackageError::Unknown(name))
    }

    /// Installs an archive that is open, which has to be this version of this package, for good.
    ///
    /// # Errors
    /// As [`Packages::install_now`].
    pub(crate) fn install_open(
        &self,
        name: &str,
        version: &str,
        archive: &Archive,
    ) -> Result<(), PackageError> {
        named(name, version)?;
        let mut ledger = self.lock();
        self.mend(&mut ledger)?;
        self.bring(&mut ledger, None, Some((name, version)), archive)?;
        Ok(())
    }

    /// Removes a package, for good. Its components lose their library; their configurations stay.
    ///
    /// # Errors
    /// [`PackageError::Unknown`]; a change that is not settled; the file system.
    pub fn remove(&self, name: &str) -> Result<(), PackageError> {
        let mut ledger = self.lock();
        self.mend(&mut ledger)?;
        let Some(installed) = ledger.content.installed.get(name).cloned() else {
            return Err(PackageError::Unknown(name.chars().take(64).collect()));
        };
        untouched(&ledger.content, name)?;
        let number = take_number(&mut ledger);
        let change = Change {
            key: String::new(),
            package: name.to_owned(),
            phase: Phase::Switching,
            before: Some(installed),
            after: None,
            kept: Vec::new(),
        };
        let result = self
            .place
            .prepare(number)
            .and_then(|()| self.carry_out(&mut ledger, number, change));
        self.end(&mut ledger, number, result)
    }

    /// Brings back what was there before the install of that key. A key that is not known, or
    /// reverted already, is fine.
    ///
    /// # Errors
    /// A later change of the package that is not reverted; the file system.
    pub fn revert(&self, key: &str) -> Result<(), PackageError> {
        let mut ledger = self.lock();
        self.mend(&mut ledger)?;
        let Some((number, change)) = ledger.content.by_key(key) else {
            return Ok(());
        };
        let (package, after) = (change.package.clone(), change.after.clone());
        let later = |(n, c): (&u64, &Change)| *n > number && c.package == package;
        if ledger.content.changes.iter().any(later)
            || ledger.content.installed.get(&package) != after.as_ref()
        {
            return Err(PackageError::Conflict(format!(
                "{package} has been changed again since; that has to be taken back first"
            )));
        }
        let mut content = ledger.content.clone();
        if let Some(change) = content.changes.get_mut(&number) {
            change.phase = Phase::Switching;
        }
        ledger.write(content)?;
        self.take_back(&mut ledger, number)?;
        log::info!("package {package}: its change was taken back");
        Ok(())
    }

    /// Forgets what [`Packages::revert`] needs. A key that is not known is fine.
    ///
    /// # Errors
    /// The file system.
    pub fn settle(&self, key: &str) -> Result<(), PackageError> {
        let mut ledger = self.lock();
        self.mend(&mut ledger)?;
        let Some((number, change)) = ledger.content.by_key(key) else {
            return Ok(());
        };
        let name = change.package.clone();
        let mut content = ledger.content.clone();
        content.changes.remove(&number);
        ledger.write(content)?;
        self.tidy(&ledger, number);
        self.hub.post(Event::Package { name });
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn named(name: &str, version: &str) -> Result<(), PackageError> {
    for (what, given) in [("package", name), ("version", version)] {
        if !is_plain(given) {
            return Err(PackageError::BadName {
                what,
                given: given.chars().take(64).collect(),
            });
        }
    }
    Ok(())
}
