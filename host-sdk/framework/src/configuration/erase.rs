//! Secrets that are over: what a component blanks is blank in every snapshot that is kept.
//!
//! The decision is in `docs/decisions/claim-secrets.md`. Not here: what a person blanks in a form,
//! which stays in older snapshots as every other value does.

use gateway_component_abi::value::{Properties, Secret, Value};

use super::document::Configurations;
use super::room::Room;
use super::{ConfigurationError, ConfigurationService, Update};

impl ConfigurationService {
    /// As [`ConfigurationService::update`], by the component itself: a Password that is supplied
    /// empty is empty in all snapshots when the call returns. After an error or a crash the same
    /// call again completes it.
    ///
    /// # Errors
    /// As [`ConfigurationService::update`].
    pub fn update_own(
        &self,
        pid: &str,
        properties: &Properties,
    ) -> Result<u64, ConfigurationError> {
        let update = vec![Update::new(pid, properties.clone())];
        // A component speaks for itself, whoever has captured it.
        let revision = self.change_where(
            Room::Spare,
            |state, crypto| state.updated(update, crypto),
            |_, _| Ok(()),
        )?;
        let blank: Vec<&String> = properties
            .iter()
            .filter(|(_, value)| value.as_secret().is_some_and(Secret::is_empty))
            .map(|(name, _)| name)
            .collect();
        if !blank.is_empty() {
            // Nobody writes a snapshot meanwhile.
            let _state = self.lock();
            self.snapshots
                .rewrite(&self.crypto, |all| erase(all, pid, &blank))?;
        }
        Ok(revision)
    }
}

/// Whether there was anything to erase.
fn erase(all: &mut Configurations, pid: &str, names: &[&String]) -> bool {
    let Some(properties) = all.get_mut(pid) else {
        return false;
    };
    let mut erased = false;
    for name in names {
        let Some(value) = properties.get_mut(name.as_str()) else {
            continue;
        };
        let holds = match value {
            // A seed may have a password as a text.
            Value::Scalar(_) => {
                value.as_secret().is_some_and(|secret| !secret.is_empty())
                    || value.as_str().is_some_and(|text| !text.is_empty())
            }
            Value::Array(..) => true,
        };
        if holds {
            *value = Secret::default().into();
            erased = true;
        }
    }
    erased
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

    use super::super::document;
    use super::*;
    use crate::crypto::Crypto;

    const CANARY: &str = "canary-7f3a9c";
    const OWN: &str = "org.example.Own";
    const OTHER: &str = "org.example.Other";

    fn password(text: &str) -> Properties {
        Properties::from([("password".to_owned(), Secret::from(text).into())])
    }

    /// Two components with the same password, in three snapshots and a seed.
    fn service(folder: &Path, crypto: &Arc<Crypto>) -> ConfigurationService {
        let configuration = |pid: &str| kura_formats::configurations::Configuration {
            pid: pid.to_owned(),
            properties: password(CANARY),
        };
        let seed = kura_formats::configurations::write(
            &[configuration(OWN), configuration(OTHER)],
            &mut |secret: &Secret| (false, secret.expose().to_owned()),
        )
        .unwrap();
        let service =
            ConfigurationService::open(&folder.join("snapshots"), crypto.clone(), Some(&seed))
                .unwrap();
        for number in 0..3 {
            let change = Properties::from([("number".to_owned(), number.into())]);
            service.update(OWN, &change).unwrap();
        }
        service
    }

    /// In how many snapshots the component has the password.
    fn holding(folder: &Path, crypto: &Crypto, pid: &str) -> usize {
        let files = fs::read_dir(folder.join("snapshots")).unwrap();
        files
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == "xml"))
            .filter(|path| {
                let all = document::read(&fs::read(path).unwrap(), crypto).unwrap();
                let mut value = all[pid]["password"].clone();
                document::open(&mut value, crypto).unwrap();
                value.as_secret().unwrap().expose() == CANARY
            })
            .count()
    }

    #[test]
    fn a_password_that_a_component_blanks_is_in_no_snapshot_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let crypto = Arc::new(Crypto::open(dir.path()).unwrap());
        let service = service(dir.path(), &crypto);
        assert_eq!(holding(dir.path(), &crypto, OWN), 4);
        service.update_own(OWN, &password("")).unwrap();
        assert_eq!(holding(dir.path(), &crypto, OWN), 0);
        assert_eq!(holding(dir.path(), &crypto, OTHER), 5);
        // Every snapshot can still be gone back to, with all that is no secret.
        for (id, number) in service
            .snapshots()
            .unwrap()
            .into_iter()
            .zip([None, Some(0)])
        {
            service.rollback(id).unwrap();
            let own = service.get(OWN).unwrap();
            assert_eq!(own.get("number"), number.map(Value::from).as_ref());
            assert!(own["password"].as_secret().unwrap().is_empty());
        }
        drop(service);
        ConfigurationService::open(&dir.path().join("snapshots"), crypto, None).unwrap();
    }

    #[test]
    fn the_same_call_completes_what_was_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let crypto = Arc::new(Crypto::open(dir.path()).unwrap());
        let service = service(dir.path(), &crypto);
        // As far as a call comes that is cut off after its own snapshot.
        service.update(OWN, &password("")).unwrap();
        assert_eq!(holding(dir.path(), &crypto, OWN), 4);
        let revision = service.revision();
        assert_eq!(service.update_own(OWN, &password("")).unwrap(), revision);
        assert_eq!(holding(dir.path(), &crypto, OWN), 0);
    }

    #[test]
    fn a_snapshot_that_cannot_be_read_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let crypto = Arc::new(Crypto::open(dir.path()).unwrap());
        let service = service(dir.path(), &crypto);
        let path = dir.path().join("snapshots/snapshot_0.xml");
        fs::write(&path, "damaged").unwrap();
        service.update_own(OWN, &password("")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"damaged");
        fs::remove_file(&path).unwrap();
        assert_eq!(holding(dir.path(), &crypto, OWN), 0);
    }
}
