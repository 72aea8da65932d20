//! The libraries that were found, and who makes what.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::watch::Stamp;
use super::{descriptor, version, PluginInfo, PluginState};
use crate::component::trials::{Held, Trials};
use crate::loader::{Library, LoadError, OpenOptions};
use crate::metatype::Ocd;

/// All plugins, and for each factory pid the one that makes it: the newest version, among equals the
/// newest file. One owner, one thread.
#[derive(Debug)]
pub struct Registry {
    options: OpenOptions,
    /// Private folder for links to files whose name the linker has seen before.
    links: PathBuf,
    trials: Arc<Trials>,
    serial: u64,
    seen: BTreeSet<PathBuf>,
    entries: BTreeMap<PathBuf, Entry>,
}

#[derive(Debug)]
struct Entry {
    stamp: Stamp,
    outcome: Result<Loaded, String>,
}

#[derive(Debug)]
struct Loaded {
    library: Library,
    definitions: BTreeMap<String, Ocd>,
    note: Option<String>,
}

impl Registry {
    /// An empty one. `links` is an existing private folder.
    pub fn new(options: OpenOptions, links: PathBuf, trials: Arc<Trials>) -> Registry {
        Registry {
            options,
            links,
            trials,
            serial: 0,
            seen: BTreeSet::new(),
            entries: BTreeMap::new(),
        }
    }

    /// What was reported of a file last, if it is known.
    pub fn stamp(&self, path: &Path) -> Option<Stamp> {
        self.entries.get(path).map(|entry| entry.stamp)
    }

    /// Opens a library and closes it again: the factory pids that it offers, if it is a plugin as a
    /// whole. Its place should be one of its own: the linker remembers names.
    pub fn probe(path: &Path, options: &OpenOptions) -> Result<Vec<String>, LoadError> {
        let library = Library::open(path, options)?;
        let definitions = definitions(&library, path)?;
        Ok(definitions.into_keys().collect())
    }

    /// How libraries are opened.
    pub fn options(&self) -> OpenOptions {
        self.options
    }

    /// Opens a file that arrived, or is another one than before.
    pub fn arrived(&mut self, path: &Path, stamp: Stamp) {
        let trials = Arc::clone(&self.trials);
        let outcome = match trials.begin(&path.display().to_string(), &stamp.form()) {
            Ok(_trial) => {
                // Before: of a library that ends the process now, nothing else tells.
                log::info!("opening {}", path.display());
                self.load(path).map_err(|e| crate::one_line(&e))
            }
            Err(Held { strikes }) => Err(format!(
                "{} is not opened: it ended the gateway {strikes} times in a row while it was; \
                 replace it, or touch the file to have it tried again",
                path.display()
            )),
        };
        match &outcome {
            Ok(loaded) => {
                let module = loaded.library.module();
                log::info!(
                    "plugin {} {} from {}",
                    module.name,
                    module.version,
                    path.display()
                );
                if let Some(note) = &loaded.note {
                    log::warn!("{note}");
                }
            }
            Err(e) => log::warn!("{e}"),
        }
        self.entries
            .insert(path.to_owned(), Entry { stamp, outcome });
    }

    /// Forgets a file that is gone. Its instances are somebody else's to end; until then the library
    /// stays open.
    pub fn gone(&mut self, path: &Path) {
        if self.entries.remove(path).is_some() {
            log::info!("plugin {} was removed", path.display());
        }
    }

    /// The library that makes components of this factory pid.
    pub fn provider(&self, factory_pid: &str) -> Option<&Library> {
        self.provider_entry(factory_pid)
            .map(|(_, loaded)| &loaded.library)
    }

    /// The definition of its parameters.
    pub fn definition(&self, factory_pid: &str) -> Option<&Ocd> {
        let (_, loaded) = self.provider_entry(factory_pid)?;
        loaded.definitions.get(factory_pid)
    }

    /// All factory pids that somebody makes.
    pub fn factories(&self) -> BTreeSet<String> {
        self.loaded()
            .flat_map(|(_, _, loaded)| loaded.definitions.keys().cloned())
            .collect()
    }

    /// All plugins, for people.
    pub fn infos(&self) -> Vec<PluginInfo> {
        self.entries
            .iter()
            .map(|(path, entry)| self.describe(path, entry))
            .collect()
    }

    /// One plugin, for people; one that is gone has the state `Removed`.
    pub fn info(&self, path: &Path) -> PluginInfo {
        match self.entries.get(path) {
            Some(entry) => self.describe(path, entry),
            None => blank(path, PluginState::Removed, None),
        }
    }

    fn describe(&self, path: &Path, entry: &Entry) -> PluginInfo {
        let loaded = match &entry.outcome {
            Ok(loaded) => loaded,
            Err(e) => return blank(path, PluginState::Failed, Some(e.clone())),
        };
        let module = loaded.library.module();
        let active = loaded.definitions.keys().any(|factory| {
            self.provider_entry(factory)
                .is_some_and(|(provider, _)| provider == path)
        });
        let state = if active {
            PluginState::Active
        } else {
            PluginState::Superseded
        };
        PluginInfo {
            path: path.to_owned(),
            name: module.name.clone(),
            version: module.version.clone(),
            vendor: module.vendor.clone(),
            build_date: module.build_date.clone(),
            state,
            error: loaded.note.clone(),
            components: loaded.definitions.keys().cloned().collect(),
        }
    }

    fn loaded(&self) -> impl Iterator<Item = (&Path, &Stamp, &Loaded)> {
        self.entries.iter().filter_map(|(path, entry)| {
            let loaded = entry.outcome.as_ref().ok()?;
            Some((path.as_path(), &entry.stamp, loaded))
        })
    }

    fn provider_entry(&self, factory_pid: &str) -> Option<(&Path, &Loaded)> {
        self.loaded()
            .filter(|(_, _, loaded)| loaded.definitions.contains_key(factory_pid))
            .max_by(|(_, a_stamp, a), (_, b_stamp, b)| {
                let (a, b) = (a.library.module(), b.library.module());
                version::compare(&a.version, &b.version)
                    .then(a_stamp.modified().cmp(&b_stamp.modified()))
            })
            .map(|(path, _, loaded)| (path, loaded))
    }

    fn load(&mut self, path: &Path) -> Result<Loaded, LoadError> {
        let library = if self.seen.insert(path.to_owned()) {
            Library::open(path, &self.options)?
        } else {
            self.load_again(path)?
        };
        let definitions = definitions(&library, path)?;
        let note = definitions
            .iter()
            .find_map(|(factory, ocd)| descriptor::compare(path, factory, ocd));
        Ok(Loaded {
            library,
            definitions,
            note,
        })
    }

    /// The linker takes a name it has loaded before for the same library, whatever the file is now:
    /// it gets another name.
    fn load_again(&mut self, path: &Path) -> Result<Library, LoadError> {
        self.serial += 1;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let link = self.links.join(format!("{}-{name}", self.serial));
        let unreadable = |source: io::Error| LoadError::Unreadable {
            path: link.clone(),
            source,
        };
        durable_file::check(&link).map_err(unreadable)?;
        match std::fs::remove_file(&link) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(unreadable(e)),
            _ => {}
        }
        symlink(path, &link).map_err(unreadable)?;
        let library = Library::open_as(path, &link, &self.options);
        let _ = std::fs::remove_file(&link);
        library
    }
}

/// The definitions of all kinds of components of a library, which is reported as `path`.
fn definitions(library: &Library, path: &Path) -> Result<BTreeMap<String, Ocd>, LoadError> {
    let mut definitions = BTreeMap::new();
    for kind in &library.module().components {
        let factory = &kind.factory_pid;
        let ocd = descriptor::embedded(library, factory).map_err(|what| LoadError::Malformed {
            path: path.to_owned(),
            what,
        })?;
        definitions.insert(factory.clone(), ocd);
    }
    Ok(definitions)
}

fn blank(path: &Path, state: PluginState, error: Option<String>) -> PluginInfo {
    PluginInfo {
        path: path.to_owned(),
        name: String::new(),
        version: String::new(),
        vendor: String::new(),
        build_date: String::new(),
        state,
        error,
        components: Vec::new(),
    }
}
