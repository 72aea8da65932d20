//! How much a gateway keeps configured, all components together: the one place that says so.
//!
//! Each request is bounded by what it weighs; this bounds what they leave. The measure is that of a
//! request, and so is the decision (`docs/decisions/weight.md` of `kura-formats`). What is refused
//! here would have been read again at the next start up to four times that size; what a snapshot can
//! never hold ([`XmlLimits`]) is refused to everybody. A gateway that keeps more already, from a
//! version that knew no bound, may be changed in every way that makes it no heavier.
//!
//! The configuration service asks before it writes a snapshot, and where it only looks what a list
//! would make. Not here: what one request may weigh, keystores, packages.

use std::collections::BTreeMap;

use gateway_component_abi::value::{Properties, Value};
use kura_formats::configurations::XmlLimits;

use super::document::Configurations;
use super::state::State;
use super::ConfigurationError;

/// What all configurations may weigh together ([`weight_kept`], and more for each that lives). Kura's
/// of a whole gateway weigh half of it; what one request may bring fits beside those of a new one.
///
/// [`weight_kept`]: kura_formats::configurations::weight_kept
pub const MAX_KEPT: usize = 2560 << 10;

/// What an instance weighs besides its configuration: it has a thread, and what a thread needs. A
/// ProvisioningService that waits was seen to take 200 KiB.
pub(super) const PER_INSTANCE: usize = 32 << 10;

/// What there is more for a change that must not fail for want of room.
const SPARE: usize = 64 << 10;

/// Characters of a pid that a message shows: the contract cuts a long one at its end, where the
/// remedy is.
const SHOWN: usize = 80;

/// Who asks for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// An operator, an account, a provisioning.
    Anybody,
    /// A component that says how it stands, as it has to at the end of a provisioning; and whoever
    /// goes back to a snapshot, which may have that in it.
    Spare,
    /// An undo. The room was kept for it: see [`weigh`].
    Back,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    /// All of them together.
    #[error(
        "the configurations of all components would weigh {weight} together, and this gateway keeps \
         {limit}: {pid} would have {of_pid} of it; make that smaller, or first remove components, \
         properties or long values that nobody needs (besides its text each password weighs \
         2048, each other value 128, each component 1024, and 32768 more if it runs)"
    )]
    Weight {
        /// The component that would grow most.
        pid: String,
        /// What it would weigh.
        of_pid: usize,
        /// All together.
        weight: usize,
        /// What they may.
        limit: usize,
    },
    /// Of something that a snapshot cannot hold more of.
    #[error(
        "{of} would have {count} {what}, and a snapshot holds at most {limit}; make it smaller"
    )]
    Count {
        /// A component, a property of one, or all of it.
        of: String,
        /// Of what.
        what: &'static str,
        /// So many.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
}

/// Whether `next` may be written instead of what is.
pub(super) fn admit(
    state: &State,
    next: &Configurations,
    room: Room,
) -> Result<(), ConfigurationError> {
    for (pid, properties) in next {
        readable(pid, properties)?;
    }
    count(
        "the gateway",
        "components",
        next.len(),
        XmlLimits::default().configurations,
    )?;
    weigh(state, weights(state, next), room)
}

/// Whether these components may weigh so much, and all others what they do.
pub(super) fn admit_some(
    state: &State,
    some: BTreeMap<String, usize>,
) -> Result<(), ConfigurationError> {
    let mut next = weights(state, &state.all);
    next.extend(some.iter().map(|(pid, weight)| (pid.as_str(), *weight)));
    weigh(state, next, Room::Anybody)
}

/// Whether a snapshot can hold a component.
pub(super) fn readable(pid: &str, properties: &Properties) -> Result<(), ConfigurationError> {
    let limits = XmlLimits::default();
    count(pid, "properties", properties.len(), limits.properties)?;
    for (name, value) in properties {
        if let Value::Array(_, scalars) = value {
            if scalars.len() > limits.values {
                let of = format!("{name} of {pid}");
                return count(&of, "values", scalars.len(), limits.values);
            }
        }
    }
    Ok(())
}

/// Whether a document can be read again that has so many bytes.
pub(super) fn readable_bytes(bytes: usize) -> Result<(), ConfigurationError> {
    count(
        "the configuration",
        "bytes",
        bytes,
        XmlLimits::default().bytes,
    )
}

fn count(
    of: &str,
    what: &'static str,
    count: usize,
    limit: usize,
) -> Result<(), ConfigurationError> {
    if count <= limit {
        return Ok(());
    }
    Err(ConfigurationError::TooMuch(TooMuch::Count {
        of: of.to_owned(),
        what,
        count,
        limit,
    }))
}

fn weights<'a>(state: &State, all: &'a Configurations) -> BTreeMap<&'a str, usize> {
    let weight = |(pid, properties)| (String::as_str(pid), state.weight(pid, properties));
    all.iter().map(weight).collect()
}

/// What a provisioning has captured counts with what it weighed then, if that is more than it does
/// now: so its undo has room, whatever others have added meanwhile.
fn weigh(state: &State, next: BTreeMap<&str, usize>, room: Room) -> Result<(), ConfigurationError> {
    let limit = match room {
        Room::Anybody => MAX_KEPT,
        Room::Spare => MAX_KEPT + SPARE,
        Room::Back => return Ok(()),
    };
    let now = weights(state, &state.all);
    let held = state.reserved.weights();
    let total = |of: &BTreeMap<&str, usize>| {
        let more = held.iter().map(|(pid, captured)| {
            captured.saturating_sub(of.get(pid).copied().unwrap_or_default())
        });
        of.values().sum::<usize>() + more.sum::<usize>()
    };
    let weight = total(&next);
    if weight <= limit || weight <= total(&now) {
        return Ok(());
    }
    let grown = |(pid, weight): &(&str, usize)| {
        weight.saturating_sub(now.get(pid).copied().unwrap_or_default())
    };
    let (pid, of_pid) = next.into_iter().max_by_key(grown).unwrap_or_default();
    Err(ConfigurationError::TooMuch(TooMuch::Weight {
        pid: pid.chars().take(SHOWN).collect(),
        of_pid,
        weight,
        limit,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;
    use std::sync::Arc;

    use gateway_component_abi::value::{Kind, Scalar};

    use super::super::{document, Configuration, ConfigurationService, Holder, Update};
    use super::*;
    use crate::crypto::Crypto;

    /// Weighs 1024, the texts, and 128 for each value.
    fn text(bytes: usize) -> Properties {
        Properties::from([("text".to_owned(), "x".repeat(bytes).into())])
    }

    fn seed(all: &[(&str, Properties)]) -> Vec<u8> {
        let all = all.iter().map(|(pid, p)| ((*pid).to_owned(), p.clone()));
        document::write(&all.collect()).unwrap()
    }

    fn open(
        folder: &Path,
        seed: Option<&[u8]>,
    ) -> Result<ConfigurationService, ConfigurationError> {
        let crypto = Arc::new(Crypto::open(folder).unwrap());
        ConfigurationService::open(&folder.join("snapshots"), crypto, seed)
    }

    /// With the components `a`, `b` and `c`, and room for so much in the text of one of them.
    fn service(folder: &Path) -> (ConfigurationService, usize) {
        let all = ["a", "b", "c"].map(|pid| (pid, text(0)));
        let service = open(folder, Some(&seed(&all))).unwrap();
        (service, MAX_KEPT - 3 * (1024 + 1 + 4 + 128))
    }

    fn item(pid: &str, properties: Properties) -> Vec<Configuration> {
        vec![Configuration {
            pid: pid.to_owned(),
            factory_pid: None,
            properties,
        }]
    }

    fn refused<T>(result: Result<T, ConfigurationError>) -> TooMuch {
        match result {
            Err(ConfigurationError::TooMuch(why)) => why,
            Err(other) => unreachable!("{other:?}"),
            Ok(_) => unreachable!("it was taken"),
        }
    }

    #[test]
    fn what_many_changes_leave_is_bounded_and_read_again_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let (service, room) = service(dir.path());
        let each = 100 << 10;
        let more = |n: usize| Properties::from([(format!("{n:03}"), "x".repeat(each).into())]);
        let most = room / (each + 128 + 3);
        for n in 0..most {
            service.update("a", &more(n)).unwrap();
        }
        let snapshots = service.snapshots().unwrap();
        let why = refused(service.update("a", &more(most)));
        assert!(
            matches!(&why, TooMuch::Weight { pid, weight, .. } if pid == "a" && *weight > MAX_KEPT)
        );
        assert_eq!(service.snapshots().unwrap(), snapshots);
        let before = service.get("a").unwrap();
        assert_eq!(before.len(), most + 1);
        drop(service);
        let service = open(dir.path(), None).unwrap();
        assert!(service.findings().is_empty());
        assert_eq!(service.get("a").unwrap(), before);
        // There is a remedy.
        let remove = Update {
            remove: vec!["000".to_owned()],
            ..Update::new("a", Properties::new())
        };
        service.update_many(&[remove]).unwrap();
        service.update("a", &more(most)).unwrap();
    }

    #[test]
    fn every_way_to_add_something_has_the_same_bound() {
        let dir = tempfile::tempdir().unwrap();
        let (service, room) = service(dir.path());
        service.update("a", &text(room)).unwrap();
        refused(service.update("a", &text(room + 1)));
        refused(service.update_if(service.revision(), &[Update::new("b", text(1))]));
        refused(service.put(item("b", text(1))));
        refused(service.apply("key", item("b", text(1))));
        refused(service.check(item("b", text(1)), &[]));
        refused(service.validate(&item("b", text(1)), &[]));
        refused(service.preview(&item("b", text(1)), |_, _| true));
        let factory = Properties::from([(super::super::SERVICE_FACTORY_PID.into(), "f".into())]);
        refused(service.put(item("new", factory)));
        // What takes no more than it gives is fine, and so is what a component says of itself.
        let both = [item("a", text(room - 1)), item("b", text(1))].concat();
        service.check(both.clone(), &[]).unwrap();
        service.put(both).unwrap();
        refused(service.update("b", &text(2)));
        service.update_own("b", &text(SPARE)).unwrap();
        refused(service.update_own("b", &text(SPARE + 2)));
        let (full, heaviest) = (service.revision(), service.get("b"));
        service.update("b", &text(0)).unwrap();
        service
            .rollback_but(i64::try_from(full).unwrap(), |_, _| false)
            .unwrap();
        assert_eq!(service.get("b"), heaviest);
        service.update("b", &text(0)).unwrap();
        service.rollback(i64::try_from(full).unwrap()).unwrap();
        drop(service);
        assert_eq!(open(dir.path(), None).unwrap().get("b"), heaviest);
    }

    #[test]
    fn an_undo_has_room_whatever_others_have_added_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let (service, room) = service(dir.path());
        service.update("a", &text(room)).unwrap();
        let holder = Holder {
            pid: "own".into(),
            instance: 1,
        };
        let undo = service.capture_for(&holder, &["a"]).unwrap();
        service
            .apply_for(&holder, "key", item("a", text(0)))
            .unwrap();
        refused(service.update("b", &text(1)));
        drop(service);
        let service = open(dir.path(), None).unwrap();
        refused(service.update("b", &text(1)));
        service.restore_for(&holder, "undo", &undo).unwrap();
        assert_eq!(service.get("a"), Some(text(room)));
        // It is free again once it is over.
        let _undo = service.capture_for(&holder, &["a"]).unwrap();
        service
            .apply_for(&holder, "key", item("a", text(0)))
            .unwrap();
        service.release(&holder);
        service.update("b", &text(room)).unwrap();
        drop(service);
        assert_eq!(open(dir.path(), None).unwrap().get("b"), Some(text(room)));
    }

    #[test]
    fn no_component_has_more_than_a_snapshot_holds() {
        let limits = XmlLimits::default();
        let dir = tempfile::tempdir().unwrap();
        let (service, _) = service(dir.path());
        let some = |from: usize, to: usize| -> Properties {
            let property = |n| (format!("{n:05}"), true.into());
            (from..to).map(property).collect()
        };
        let half = limits.properties / 2;
        service.update("a", &some(0, half)).unwrap();
        // With the text that is there it is one too many.
        let why = refused(service.update("a", &some(half, limits.properties)));
        assert!(matches!(
            why,
            TooMuch::Count {
                what: "properties",
                ..
            }
        ));
        service
            .update("a", &some(half, limits.properties - 1))
            .unwrap();
        let values = vec![Scalar::Boolean(true); limits.values + 1];
        let many = Properties::from([("many".into(), Value::Array(Kind::Boolean, values))]);
        let why = refused(service.update("b", &many));
        assert!(matches!(why, TooMuch::Count { what: "values", .. }));
        refused(service.check(item("b", many), &[]));
        drop(service);
        let service = open(dir.path(), None).unwrap();
        assert!(service.findings().is_empty());
        assert_eq!(service.get("a").unwrap().len(), limits.properties);
    }

    #[test]
    fn a_gateway_that_keeps_more_already_is_only_made_lighter() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("snapshots")).unwrap();
        let left = seed(&[("a", text(2 * MAX_KEPT)), ("b", text(0))]);
        std::fs::write(dir.path().join("snapshots/snapshot_1.xml"), left).unwrap();
        let service = open(dir.path(), None).unwrap();
        refused(service.update("b", &text(1)));
        service.update("a", &text(2 * MAX_KEPT - 2)).unwrap();
        service
            .update_many(&[Update::new("a", text(MAX_KEPT)), Update::new("b", text(9))])
            .unwrap();
        refused(service.rollback(1));
    }

    #[test]
    fn a_seed_that_is_too_much_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let seed = seed(&[("a", text(MAX_KEPT))]);
        refused(open(dir.path(), Some(&seed)));
        assert!(std::fs::read_dir(dir.path().join("snapshots"))
            .unwrap()
            .next()
            .is_none());
    }

    #[test]
    fn the_message_names_what_is_too_much_and_the_remedy_within_what_the_contract_takes() {
        let why = TooMuch::Weight {
            pid: "p".repeat(80),
            of_pid: MAX_KEPT,
            weight: 2 * MAX_KEPT,
            limit: MAX_KEPT,
        };
        let message = why.to_string();
        assert!(message.len() < gateway_component_abi::status::ERROR_MESSAGE_SIZE);
        assert!(message.contains("would have 2621440") && message.contains("remove"));
    }
}
