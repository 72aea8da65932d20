//! Supplied over running over defaults, as in Kura, but with the types checked.

use std::collections::btree_map::Entry;

use gateway_component_abi::value::{Kind, Properties, Secret, Value};

use crate::crypto::Crypto;
use crate::metatype::{FieldProblem, Ocd};

use super::document::{is_sealed_as, sealed};
use super::{ConfigurationError, KURA_SERVICE_PID, SERVICE_FACTORY_PID, SERVICE_PID};

/// What a component is, whatever anybody supplies.
const IDENTITY: [&str; 3] = [SERVICE_FACTORY_PID, KURA_SERVICE_PID, SERVICE_PID];

/// One merge: `running` has its passwords encrypted, `supplied` in clear, the result again
/// encrypted. A password that is supplied as it was keeps its encrypted text.
pub(super) struct Merge<'a> {
    pub(super) pid: &'a str,
    pub(super) ocd: Option<&'a Ocd>,
    pub(super) crypto: &'a Crypto,
}

impl Merge<'_> {
    /// # Errors
    /// The first property that is not of its type.
    pub(super) fn merged(
        &self,
        running: Properties,
        supplied: Properties,
        remove: &[String],
    ) -> Result<Properties, ConfigurationError> {
        let mut merged = running;
        for name in remove.iter().filter(|name| !is_identity(name)) {
            // What is supplied as well is looked at together with what it was.
            if !supplied.contains_key(name) {
                merged.remove(name);
            }
        }
        let removed = |name: &String| remove.contains(name);
        let defaults = self.ocd.map(Ocd::defaults).unwrap_or_default();
        for (name, value) in supplied {
            if is_identity(&name) {
                continue;
            }
            let old = merged.get(&name);
            let value = self.fitting(&name, value, old)?;
            let unchanged = match old {
                Some(old) => is_sealed_as(old, &value, self.crypto)?,
                None => false,
            };
            if !unchanged {
                merged.insert(name, sealed(value, self.crypto)?);
            }
        }
        for (name, value) in defaults {
            if removed(&name) {
                continue;
            }
            if let Entry::Vacant(vacant) = merged.entry(name) {
                vacant.insert(sealed(value, self.crypto)?);
            }
        }
        Ok(merged)
    }

    /// Adds the defaults of what is not there.
    pub(super) fn add_defaults(
        &self,
        properties: &mut Properties,
    ) -> Result<(), ConfigurationError> {
        let defaults = self.ocd.map(Ocd::defaults).unwrap_or_default();
        for (name, value) in defaults {
            if let Entry::Vacant(vacant) = properties.entry(name) {
                vacant.insert(sealed(value, self.crypto)?);
            }
        }
        Ok(())
    }

    fn fitting(
        &self,
        name: &str,
        value: Value,
        running: Option<&Value>,
    ) -> Result<Value, ConfigurationError> {
        let Some(ad) = self.ocd.and_then(|ocd| ocd.ad(name)) else {
            // Without a metatype only a secret is kept a secret.
            return Ok(match (running.map(Value::kind), value.as_str()) {
                (Some(Kind::Password), Some(text)) => Secret::from(text).into(),
                _ => value,
            });
        };
        let value = ad.coerce(value);
        match ad.check_type(&value) {
            Ok(()) => Ok(value),
            Err(problem) => Err(self.invalid(problem)),
        }
    }

    pub(super) fn invalid(&self, problem: FieldProblem) -> ConfigurationError {
        ConfigurationError::Invalid {
            pid: self.pid.to_owned(),
            problem,
        }
    }
}

fn is_identity(name: &str) -> bool {
    IDENTITY.contains(&name)
}
