//! What a cloud account may ask (CONF-V1): looking without secrets, merging a list, going back to a
//! snapshot. The cloud connections call it, after they have verified who asks.

use gateway_component_abi::value::Properties;

use crate::crypto::Crypto;

use super::document::held_all;
use super::room::Room;
use super::service::unreserved;
use super::state::{factory_of, State};
use super::{resolve_placeholders, Configuration, ConfigurationError, ConfigurationService};

impl ConfigurationService {
    /// The properties of a component, defaults included, with [`super::PLACEHOLDERS`] for passwords
    /// that are set: given back as they are they change nothing.
    pub fn get_held(&self, pid: &str) -> Option<Properties> {
        let state = self.lock();
        let properties = state.effective(pid, &self.crypto)?;
        Some(held_all(properties))
    }

    /// The configurations of a snapshot, sorted by pid, with placeholders for passwords.
    ///
    /// # Errors
    /// No such snapshot, or one that cannot be read.
    pub fn snapshot_held(&self, id: i64) -> Result<Vec<Configuration>, ConfigurationError> {
        let all = self.snapshots.get(id, &self.crypto)?;
        let held = |(pid, properties): (String, Properties)| Configuration {
            factory_pid: factory_of(&properties),
            properties: held_all(properties),
            pid,
        };
        Ok(all.into_iter().map(held).collect())
    }

    /// What [`ConfigurationService::put`] would make of the list: merged with what is there and
    /// validated, nothing changed. Placeholders are passwords as they are. Gives those that `wanted`
    /// picks, by pid and factory pid; all of them would take the list's memory once more.
    ///
    /// # Errors
    /// As [`ConfigurationService::validate`].
    pub fn preview(
        &self,
        list: &[Configuration],
        wanted: impl Fn(&str, Option<&str>) -> bool,
    ) -> Result<Vec<Configuration>, ConfigurationError> {
        let mut previews = Vec::new();
        let resolved = list.iter().cloned().map(|mut item| {
            self.resolve(&mut item);
            item
        });
        self.look_at(resolved, &[], |preview| {
            if wanted(&preview.pid, preview.factory_pid.as_deref()) {
                previews.push(preview);
            }
        })?;
        Ok(previews)
    }

    /// Merges the list into the configurations, making instances that do not exist: all in one
    /// snapshot or not at all. Placeholders are passwords as they are. Gives the new revision.
    ///
    /// # Errors
    /// An unknown pid without factory, a value that is not of its type, the file system.
    pub fn put(&self, list: impl Into<Vec<Configuration>>) -> Result<u64, ConfigurationError> {
        let mut list: Vec<Configuration> = list.into();
        for item in &mut list {
            self.resolve(item);
        }
        self.change(|state, crypto| state.applied(list, crypto))
    }

    /// As [`ConfigurationService::rollback`], but the components that `kept` picks, by pid and
    /// factory pid, stay as they are, whether or not the snapshot holds them.
    ///
    /// # Errors
    /// As `rollback`.
    pub fn rollback_but(
        &self,
        id: i64,
        kept: impl Fn(&str, Option<&str>) -> bool,
    ) -> Result<u64, ConfigurationError> {
        let kept =
            |pid: &String, properties: &Properties| kept(pid, factory_of(properties).as_deref());
        let next = |state: &mut State, crypto: &Crypto| {
            let mut all = self.snapshots.get(id, crypto)?;
            all.retain(|pid, properties| !kept(pid, properties));
            let stay = state.all.iter().filter(|(pid, p)| kept(pid, p));
            all.extend(stay.map(|(pid, p)| (pid.clone(), p.clone())));
            Ok(all)
        };
        self.change_where(Room::Spare, next, unreserved)
    }

    fn resolve(&self, item: &mut Configuration) {
        let running = self.get(&item.pid).unwrap_or_default();
        resolve_placeholders(&mut item.properties, &running);
    }
}
