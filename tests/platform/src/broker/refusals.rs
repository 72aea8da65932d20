//! Who was refused at the door of a broker, as its log tells it.
//!
//! mosquitto writes a line for each CONNECT that it refuses, and its releases differ in whether the
//! line names the client-id (2.0.11 does not); the user name and, of course, the password are in
//! none. So this says that somebody came and when, and who only where the broker does. Filled by
//! the thread that carries the broker's log; emptied by the platform's thread.

use crate::clock::{self, Millis};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// So many client-ids are kept apart between two looks; those of all others count as unnamed.
const APART: usize = 64;

/// What came under one name since somebody looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The client-id; none where the broker does not tell it.
    pub client_id: Option<String>,
    /// How often.
    pub count: u32,
    /// The last time.
    pub last_on: Millis,
}

/// Refused connections that nobody has looked at yet.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<BTreeMap<Option<String>, (u32, Millis)>>);

impl Refusals {
    /// Takes a line of the broker's log.
    pub(super) fn heard(&self, line: &str) {
        let Some(name) = refused(line) else { return };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = Some(name)
            .filter(|name| !name.is_empty())
            .map(str::to_owned);
        let name = name.filter(|name| all.len() < APART || all.contains_key(&Some(name.clone())));
        let (count, last_on) = all.entry(name).or_default();
        *count = count.saturating_add(1);
        *last_on = clock::now();
    }

    /// What came since the last look.
    pub(super) fn take(&self) -> Vec<Refused> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *all).into_iter();
        taken
            .map(|(client_id, (count, last_on))| Refused {
                client_id,
                count,
                last_on,
            })
            .collect()
    }
}

/// The client-id in a line about a refused connection, empty where it is not told; `None` for any
/// other line. Other lines begin otherwise, whatever a client calls itself.
fn refused(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("Client ")?;
    let (name, reason) = rest.rsplit_once(" disconnected")?;
    if !(reason.starts_with([',', ':']) && reason.contains("not authori")) {
        return None;
    }
    // Later releases put the address behind the name.
    let name = name.rsplit_once(" [").map_or(name, |(name, _)| name);
    Some(if name == "<unknown>" { "" } else { name })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn refusals_are_told_by_name_where_the_broker_tells_it() {
        for (line, name) in [
            ("Client <unknown> disconnected, not authorised.", Some("")),
            ("Client gw-1 disconnected, not authorised.", Some("gw-1")),
            (
                "Client gw 1 [127.0.0.1:5] disconnected: not authorised.",
                Some("gw 1"),
            ),
            ("Client gw-1 disconnected.", None),
            ("Client gw-1 closed its connection.", None),
            (
                "New client connected from 127.0.0.1:5 as Client x disconnected, not authorised. (p2, c1)",
                None,
            ),
        ] {
            assert_eq!(refused(line), name, "{line}");
        }
    }

    #[test]
    fn a_flood_of_names_takes_little_room_and_is_counted() {
        let refusals = Refusals::default();
        for n in 0..10_000 {
            refusals.heard(&format!("Client gw-{n} disconnected, not authorised."));
        }
        let taken = refusals.take();
        assert!(taken.len() <= APART + 1, "{}", taken.len());
        assert_eq!(taken.iter().map(|r| r.count).sum::<u32>(), 10_000);
        assert_eq!(taken[0].client_id, None);
        assert!(refusals.take().is_empty());
    }
}
