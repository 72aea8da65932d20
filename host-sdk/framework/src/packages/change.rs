//! Carrying a change out, and taking it back.
//!
//! The store decides what is to change; here it happens, in the order that `packages` describes.

use std::path::PathBuf;

use super::archive::Archive;
use super::ledger::{Change, Content, Ledger, Phase};
use super::manifest::Manifest;
use super::stage::{stage, Order, Staged};
use super::store::Packages;
use super::PackageError;
use crate::events::Event;
use crate::plugins::PluginState;

/// So many packages are installed at most: each has libraries, which every start opens. What is in
/// them is its maker's business.
const MAX_PACKAGES: usize = 64;

impl Packages {
    /// Stages an archive and carries its change out; gives the name of the package.
    pub(super) fn bring(
        &self,
        ledger: &mut Ledger,
        key: Option<&str>,
        wanted: Option<(&str, &str)>,
        archive: &Archive,
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
        archive: &Archive,
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
        let name = &manifest.name;
        if content.installed.len() >= MAX_PACKAGES && !content.installed.contains_key(name) {
            return Err(PackageError::TooMany {
                name: name.clone(),
                limit: MAX_PACKAGES,
            });
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
    pub(super) fn carry_out(
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
    pub(super) fn take_back(&self, ledger: &mut Ledger, number: u64) -> Result<(), PackageError> {
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
    pub(super) fn mend(&self, ledger: &mut Ledger) -> Result<(), PackageError> {
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
    pub(super) fn end(
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
    pub(super) fn tidy(&self, ledger: &Ledger, number: u64) {
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
}

/// The number of the next change; in this process it is used once, whatever becomes of the change,
/// since the linker remembers the names of libraries.
pub(super) fn take_number(ledger: &mut Ledger) -> u64 {
    let number = ledger.content.next;
    ledger.content.next += 1;
    number
}

/// Whether nobody holds the package for a change that may be taken back.
pub(super) fn untouched(content: &Content, name: &str) -> Result<(), PackageError> {
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
