//! The store: what is installed, and changing it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::Serialize;

use super::inspect::{inspect, Contents};
use super::ledger::{Change, Content, Installed, Ledger, Phase};
use super::manifest::{is_plain, Manifest, PackageFile};
use super::place::Place;
use super::stage::{stage, Order, Staged};
use super::{ArchiveError, Incoming, PackageError, PluginHost};
use crate::events::{Event, Hub};
use crate::plugins::PluginState;

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
    place: Place,
    ledger: Mutex<Ledger>,
    host: OnceLock<Arc<dyn PluginHost>>,
    hub: Hub,
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

    /// Looks into an archive, which has to be this version of this package.
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
        let contents = inspect(archive)?;
        let manifest = &contents.manifest;
        if (name, version) == (&manifest.name, &manifest.version) {
            return Ok(contents);
        }
        Err(PackageError::Archive {
            path: archive.to_owned(),
            source: ArchiveError::Other {
                found: format!("{} {}", manifest.name, manifest.version),
                wanted: format!("{name} {version}"),
            },
        })
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
        self.bring(&mut ledger, Some(key), wanted, archive)?;
        Ok(())
    }

    /// Installs whatever package the archive is, for good.
    ///
    /// # Errors
    /// As [`Packages::install`]; also while a change of the package by somebody else is not settled.
    pub fn install_now(&self, archive: &Path) -> Result<PackageInfo, PackageError> {
        let mut ledger = self.lock();
        self.mend(&mut ledger)?;
        let name = self.bring(&mut ledger, None, None, archive)?;
        drop(ledger);
        let mut all = self.list().into_iter();
        all.find(|info| info.name == name)
            .ok_or(PackageError::Unknown(name))
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

    /// Stages an archive and carries its change out; gives the name of the package.
    fn bring(
        &self,
        ledger: &mut Ledger,
        key: Option<&str>,
        wanted: Option<(&str, &str)>,
        archive: &Path,
    ) -> Result<String, PackageError> {
        let number = take_number(ledger);
        let result = self.stage_and_switch(ledger, number, key, wanted, archive);
        let mut name = String::new();
        let result = result.map(|staged| name = staged);
        self.end(ledger, number, result)?;
        Ok(name)
    }

    fn stage_and_switch(
        &self,
        ledger: &mut Ledger,
        number: u64,
        key: Option<&str>,
        wanted: Option<(&str, &str)>,
        archive: &Path,
    ) -> Result<String, PackageError> {
        let order = Order {
            number,
            wanted,
            archive,
        };
        let allowed = |manifest: &Manifest| self.allowed(&ledger.content, key, manifest);
        let (name, staged) = stage(&self.place, &ledger.content, &order, &allowed)?;
        let Staged::Files(after) = staged else {
            log::info!("package {name} is installed exactly so");
            return Ok(name);
        };
        let change = Change {
            key: key.unwrap_or_default().to_owned(),
            package: name.clone(),
            phase: Phase::Switching,
            before: ledger.content.installed.get(&name).cloned(),
            after: Some(after),
            kept: Vec::new(),
        };
        self.probe(number, &change)?;
        self.carry_out(ledger, number, change)?;
        Ok(name)
    }

    /// Whether the files of a package may come to lie where they have to.
    fn allowed(
        &self,
        content: &Content,
        key: Option<&str>,
        manifest: &Manifest,
    ) -> Result<(), PackageError> {
        if key.is_none() {
            untouched(content, &manifest.name)?;
        }
        for file in &manifest.files {
            match content.owner(&file.path) {
                Some(owner) if owner == manifest.name => {}
                Some(owner) => {
                    return Err(PackageError::Conflict(format!(
                        "{} belongs to the package {owner}",
                        file.path
                    )))
                }
                None if self.place.target(&file.path).symlink_metadata().is_ok() => {
                    return Err(PackageError::Conflict(format!(
                        "{} is there and belongs to no package; remove it first",
                        self.place.target(&file.path).display()
                    )))
                }
                None => {}
            }
        }
        if manifest.files.iter().any(|file| !file.is_library()) {
            self.place.lacks_metatype()?;
        }
        Ok(())
    }

    /// Opens the staged libraries as a test.
    fn probe(&self, number: u64, change: &Change) -> Result<(), PackageError> {
        let Some(host) = self.host.get() else {
            return Ok(());
        };
        let libraries = change.paths();
        for path in libraries
            .iter()
            .filter(|path| path.ends_with(".so") && change.brings(path))
        {
            let staged = self.place.new_file(number, path);
            let factories = host
                .probe(&staged)
                .map_err(|reason| PackageError::Library {
                    package: title(change),
                    reason: reason.replace(&staged.display().to_string(), path),
                })?;
            for factory in factories {
                let Some(provider) = host.provider(&factory) else {
                    continue;
                };
                if !libraries
                    .iter()
                    .any(|path| self.place.target(path) == provider)
                {
                    return Err(PackageError::Conflict(format!(
                        "{path} makes {factory}, which {} makes already",
                        provider.display()
                    )));
                }
            }
        }
        Ok(())
    }

    /// From `switching` to `done`, or back. `number` is prepared, and what it brings is staged.
    fn carry_out(
        &self,
        ledger: &mut Ledger,
        number: u64,
        mut change: Change,
    ) -> Result<(), PackageError> {
        change.kept = self.place.keep(number, &change)?;
        self.place.sync(number)?;
        let mut content = ledger.content.clone();
        let descriptors = change.paths().iter().any(|path| path.contains('/'));
        content.made_metatype |= descriptors && self.place.lacks_metatype()?;
        content.changes.insert(number, change.clone());
        ledger.write(content)?;
        let result = self
            .place
            .switch(number, &change)
            .and_then(|()| self.adopt(&change))
            .and_then(|()| {
                let mut content = ledger.content.clone();
                match &change.after {
                    Some(after) => content
                        .installed
                        .insert(change.package.clone(), after.clone()),
                    None => content.installed.remove(&change.package),
                };
                content.changes.remove(&number);
                if !change.key.is_empty() {
                    change.phase = Phase::Done;
                    content.changes.insert(number, change.clone());
                }
                ledger.write(content)
            });
        if let Err(error) = result {
            if let Err(again) = self.take_back(ledger, number) {
                log::error!("{}", crate::one_line(&again));
            }
            return Err(error);
        }
        match &change.after {
            Some(_) => log::info!("package {} is installed", title(&change)),
            None => log::info!("package {} is removed", change.package),
        }
        self.hub.post(Event::Package {
            name: change.package,
        });
        Ok(())
    }

    /// Has the libraries of a change loaded, or forgotten. Fails if one of them is refused.
    fn adopt(&self, change: &Change) -> Result<(), PackageError> {
        let Some(host) = self.host.get() else {
            return Ok(());
        };
        let paths = change.paths();
        let libraries: Vec<PathBuf> = paths
            .iter()
            .filter(|path| path.ends_with(".so"))
            .map(|path| self.place.target(path))
            .collect();
        let infos = host.adopt(&libraries);
        match infos.into_iter().find(|i| i.state == PluginState::Failed) {
            Some(failed) => Err(PackageError::Library {
                package: title(change),
                reason: failed.error.unwrap_or_default(),
            }),
            None => Ok(()),
        }
    }

    /// Takes a `switching` change back, however far it came.
    fn take_back(&self, ledger: &mut Ledger, number: u64) -> Result<(), PackageError> {
        let mut content = ledger.content.clone();
        let Some(change) = content.changes.remove(&number) else {
            return Ok(());
        };
        self.place.restore(number, &change, content.made_metatype)?;
        if let Err(e) = self.adopt(&change) {
            // It is as it was before.
            log::warn!("{}", crate::one_line(&e));
        }
        match change.before {
            Some(before) => content.installed.insert(change.package.clone(), before),
            None => content.installed.remove(&change.package),
        };
        content.made_metatype = content.made_metatype && !self.place.lacks_metatype()?;
        ledger.write(content)?;
        self.tidy(ledger, number);
        self.hub.post(Event::Package {
            name: change.package,
        });
        Ok(())
    }

    /// Takes back what was cut off, by a crash or by a disk that failed.
    fn mend(&self, ledger: &mut Ledger) -> Result<(), PackageError> {
        let switching = |(number, change): (&u64, &Change)| {
            (change.phase == Phase::Switching).then_some(*number)
        };
        let mut open: Vec<u64> = ledger
            .content
            .changes
            .iter()
            .filter_map(switching)
            .collect();
        // The newest first.
        open.reverse();
        for number in open {
            log::warn!("an unfinished change of a package is taken back");
            self.take_back(ledger, number)?;
        }
        Ok(())
    }

    /// The end of a change: what nobody needs any more goes.
    fn end(
        &self,
        ledger: &mut Ledger,
        number: u64,
        result: Result<(), PackageError>,
    ) -> Result<(), PackageError> {
        self.tidy(ledger, number);
        result
    }

    /// Removes the folder of a change that the ledger does not know (any more). What stays, the next
    /// start sweeps.
    fn tidy(&self, ledger: &Ledger, number: u64) {
        if ledger.content.changes.contains_key(&number) {
            return;
        }
        let cleared = self.place.clear(number).and_then(|()| {
            if ledger.content.made_metatype {
                self.place.drop_metatype()?;
            }
            Ok(())
        });
        if let Err(e) = cleared {
            log::warn!("{}", crate::one_line(&e));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of the next change; in this process it is used once, whatever becomes of the change,
/// since the linker remembers the names of libraries.
fn take_number(ledger: &mut Ledger) -> u64 {
    let number = ledger.content.next;
    ledger.content.next += 1;
    number
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

/// Whether nobody holds the package for a change that may be taken back.
fn untouched(content: &Content, name: &str) -> Result<(), PackageError> {
    match content.changes.values().any(|c| c.package == name) {
        true => Err(PackageError::Conflict(format!(
            "{name} was installed by a provisioning that is not finished; wait for its end"
        ))),
        false => Ok(()),
    }
}

fn title(change: &Change) -> String {
    match &change.after {
        Some(after) => format!("{} {}", change.package, after.version),
        None => change.package.clone(),
    }
}
