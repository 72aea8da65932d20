//! What is configured, in memory, and what a change would make of it. Pure: nothing is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gateway_component_abi::value::{Properties, Value};
use kura_formats::configurations::weight_kept;

use crate::crypto::Crypto;
use crate::metatype::Ocd;

use super::document::Configurations;
use super::keys::Keys;
use super::merge::Merge;
use super::notify::{Change, ChangeKind};
use super::reserve::Reserved;
use super::room::PER_INSTANCE;
use super::{ConfigurationError, Update, KURA_SERVICE_PID, SERVICE_FACTORY_PID};

/// Of so many components that are gone it is remembered when they went.
const REMEMBERED: usize = 1024;

pub(super) struct State {
    pub(super) all: Configurations,
    /// By pid, the revision at which it changed last; deleted ones, too.
    pub(super) changed: BTreeMap<String, u64>,
    pub(super) revision: u64,
    pub(super) factories: BTreeMap<String, Arc<Ocd>>,
    /// Those of `factories` whose instances are no more than their configuration.
    pub(super) parts: BTreeSet<String>,
    pub(super) singletons: BTreeMap<String, Arc<Ocd>>,
    pub(super) keys: Keys,
    pub(super) reserved: Reserved,
}

impl State {
    pub(super) fn new(all: Configurations, id: i64, keys: Keys, reserved: Reserved) -> State {
        State {
            all,
            changed: BTreeMap::new(),
            revision: u64::try_from(id).unwrap_or(0),
            factories: BTreeMap::new(),
            parts: BTreeSet::new(),
            singletons: BTreeMap::new(),
            keys,
            reserved,
        }
    }

    /// Forgets when components changed that are gone, once they are many: nobody can update them, and
    /// one that is made anew has changed since. An undo that finds such a one makes it anew.
    pub(super) fn forget(&mut self) {
        let Self {
            changed,
            all,
            singletons,
            reserved,
            ..
        } = self;
        for remembered in [changed, &mut reserved.touched] {
            if remembered.len() > all.len() + REMEMBERED {
                remembered.retain(|pid, _| all.contains_key(pid) || singletons.contains_key(pid));
            }
        }
    }

    pub(super) fn is_known(&self, pid: &str) -> bool {
        self.all.contains_key(pid) || self.singletons.contains_key(pid)
    }

    pub(super) fn factory_pid(&self, pid: &str) -> Option<String> {
        factory_of(self.all.get(pid)?)
    }

    /// What a component weighs where it is kept: its configuration, and its instance where somebody
    /// makes one.
    pub(super) fn weight(&self, pid: &str, properties: &Properties) -> usize {
        let lives = factory_of(properties).is_some_and(|factory| {
            self.factories.contains_key(&factory) && !self.parts.contains(&factory)
        });
        let instance = if lives { PER_INSTANCE } else { 0 };
        weight_kept(pid, properties) + instance
    }

    pub(super) fn factory_ocd(&self, factory_pid: &str) -> Option<Arc<Ocd>> {
        self.factories.get(factory_pid).cloned()
    }

    pub(super) fn ocd(&self, pid: &str) -> Option<Arc<Ocd>> {
        match self.factory_pid(pid) {
            Some(factory) => self.factory_ocd(&factory),
            None => self
                .singletons
                .get(pid)
                .or_else(|| self.factories.get(pid))
                .cloned(),
        }
    }

    pub(super) fn effective(&self, pid: &str, crypto: &Crypto) -> Option<Properties> {
        if !self.is_known(pid) {
            return None;
        }
        let ocd = self.ocd(pid);
        let ocd = ocd.as_deref();
        let merge = Merge { pid, ocd, crypto };
        let mut properties = self.all.get(pid).cloned().unwrap_or_default();
        if let Err(e) = merge.add_defaults(&mut properties) {
            log::error!("the defaults of {pid} cannot be added: {e}");
        }
        Some(properties)
    }

    pub(super) fn updated(
        &self,
        updates: Vec<Update>,
        crypto: &Crypto,
    ) -> Result<Configurations, ConfigurationError> {
        let mut all = self.all.clone();
        for update in updates {
            let pid = update.pid.as_str();
            if !self.is_known(pid) {
                return Err(ConfigurationError::Unknown { pid: pid.into() });
            }
            let ocd = self.ocd(pid);
            let ocd = ocd.as_deref();
            let merge = Merge { pid, ocd, crypto };
            let running = all.remove(pid).unwrap_or_default();
            let merged = merge.merged(running, update.properties, &update.remove)?;
            all.insert(update.pid, merged);
        }
        Ok(all)
    }

    /// What becomes of each component. A registered singleton exists whether or not anything is
    /// stored for it.
    pub(super) fn changes_to(&self, new: &Configurations) -> Vec<Change> {
        let change = |pid: &String, properties, kind| Change {
            pid: pid.clone(),
            factory_pid: factory_of(properties),
            kind: match self.singletons.contains_key(pid) {
                true => ChangeKind::Updated,
                false => kind,
            },
        };
        let old = &self.all;
        let gone = old
            .iter()
            .filter(|(pid, _)| !new.contains_key(*pid))
            .map(|(pid, properties)| change(pid, properties, ChangeKind::Deleted));
        let others = new
            .iter()
            .filter_map(|(pid, properties)| match old.get(pid) {
                None => Some(change(pid, properties, ChangeKind::Created)),
                Some(old) if old != properties => {
                    Some(change(pid, properties, ChangeKind::Updated))
                }
                Some(_) => None,
            });
        gone.chain(others).collect()
    }

    /// The properties of a new instance.
    pub(super) fn created(
        &self,
        factory_pid: &str,
        pid: &str,
        properties: Properties,
        crypto: &Crypto,
    ) -> Result<Properties, ConfigurationError> {
        check_pid(pid)?;
        check_pid(factory_pid)?;
        let ocd = self.factory_ocd(factory_pid);
        let ocd = ocd.as_deref();
        let merge = Merge { pid, ocd, crypto };
        let identity = Properties::from([
            (SERVICE_FACTORY_PID.to_owned(), Value::from(factory_pid)),
            (KURA_SERVICE_PID.to_owned(), Value::from(pid)),
        ]);
        merge.merged(identity, properties, &[])
    }
}

/// The factory pid that properties name.
pub(super) fn factory_of(properties: &Properties) -> Option<String> {
    let factory = properties.get(SERVICE_FACTORY_PID)?.as_str()?;
    (!factory.is_empty()).then(|| factory.to_owned())
}

fn check_pid(pid: &str) -> Result<(), ConfigurationError> {
    let length = pid.chars().count();
    if (1..=255).contains(&length) && !pid.chars().any(char::is_control) {
        return Ok(());
    }
    Err(ConfigurationError::BadPid {
        pid: pid.chars().take(64).collect(),
    })
}
