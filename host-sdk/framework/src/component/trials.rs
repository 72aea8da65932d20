//! Calls into foreign code that may take the process with them, so that the next start knows which
//! one it was: a library that crashes when it is opened, or when its component is given its
//! configuration, would otherwise crash every start again.
//!
//! Before such a call its subject is written down, after it that is wiped out again: `trials` in
//! the data folder, one line of JSON. A subject that a start finds there gets a strike; with
//! [`LIMIT`] strikes, one start after the other, it is held back until somebody changes something
//! about it or says to try it again. Any call that returns, whatever it says, wipes out the strikes
//! of its subject.
//!
//! One crash proves nothing: a person may have killed the process, or the system for lack of
//! memory, at just that moment; that it hits the same subject three times in a row, in calls that
//! take milliseconds, does. And three starts take seconds. The file is not synced while all is
//! well, which would cost more than the calls: what was written outlives the process. Only a start
//! that has found a strike waits for the disk. What did not end the process but the whole system, a
//! loss of power above all, is nobody's strike and no early end: what was left under another boot id
//! of the kernel is not judged, not even where a component took the system with it. In a container
//! that id is the one of its host.
//!
//! A component that crashes right after such a call, in a thread of its own, is found out in
//! another way. A start that ended by itself within [`PROBATION`], in no call, says of nobody that
//! it was him; after [`LIMIT`] of them in a row the next starts are careful: after each call into a
//! component the gateway looks on for a while before it makes the next, and what ends it in that
//! while is that component's strike. It looks on for longer than any of these starts took, [`LOOK`]
//! at least: so one that crashes is still looked at when it does, and is not taken for the next one.
//! How long a start takes is noted each second of its probation. Not found out: one that takes
//! longer than the probation, as `docs/decisions/crash-loops.md` says.
//!
//! Nor is a run judged that was told to end ([`Stop`](super::Stop)): whoever told it so may lose his
//! patience and kill it, in whatever it is doing then.
//!
//! The supervisor and the registry of plugins call this.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use durable_file::Slate;
use serde::{Deserialize, Serialize};

/// Name of the file in the data folder.
pub const FILE: &str = "trials";
/// So many starts in a row that ended in the same call: it is not made any more.
pub const LIMIT: u32 = 3;

/// A process that has lived so long is well.
pub const PROBATION: Duration = Duration::from_secs(60);
/// How long a careful start looks on at least; at most for as long as [`PROBATION`].
pub const LOOK: Duration = Duration::from_secs(3);
/// How much longer it looks on than the starts before it took, s: these are noted each second, and
/// how long a component takes is not the same each time.
const LONGER: u64 = 2;

/// Where the kernel says which start of the system this is; Linux, `random(4)`.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A subject that is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// How often it ended the gateway.
    pub strikes: u32,
}

/// Which calls are being made, and which subjects have ended the process. Any thread.
#[derive(Debug)]
pub struct Trials(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    /// None where the disk does not give the file: then nothing is held back.
    slate: Option<Slate>,
    state: State,
    careful: bool,
    began: Instant,
    /// Whether the process has been told to end.
    ending: bool,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// Subjects of calls that have not returned yet, and in which form they were called.
    open: BTreeMap<String, String>,
    strikes: BTreeMap<String, Strike>,
    /// Whether the process is on probation.
    #[serde(default)]
    young: bool,
    /// How many starts in a row ended on probation, in no call.
    #[serde(default)]
    early: u32,
    /// How long the process has been on probation, s.
    #[serde(default)]
    lived: u64,
    /// How long that of the longest of the starts took that ended early in a row, s.
    #[serde(default)]
    longest: u64,
    /// The start of the system that this is of; empty where it is not known.
    #[serde(default)]
    boot: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Strike {
    count: u32,
    form: String,
}

/// A call that is being made; it has returned when this is dropped.
#[derive(Debug)]
pub struct Trial {
    trials: Arc<Trials>,
    subject: String,
}

impl Trials {
    /// Reads what the last process left in the data folder, and counts it.
    pub fn open(data: &Path) -> Trials {
        let boot = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
        Trials::open_in(data, boot.trim())
    }

    fn open_in(data: &Path, boot: &str) -> Trials {
        let path = data.join(FILE);
        let (slate, content) = match Slate::open(&path) {
            Ok((slate, content)) => (Some(slate), content),
            Err(e) => {
                log::warn!(
                    "{}: {e}; a crashing plugin is not found out",
                    path.display()
                );
                (None, Vec::new())
            }
        };
        // What a loss of power has made of it says nothing.
        let mut state: State = serde_json::from_slice(&content).unwrap_or_default();
        let mut unfinished = std::mem::take(&mut state.open);
        if state.boot != boot {
            // The system ended, not just the process.
            boot.clone_into(&mut state.boot);
            state.young = false;
            unfinished.clear();
        }
        for (subject, form) in &unfinished {
            let strike = state.strikes.entry(subject.clone()).or_insert(Strike {
                count: 0,
                form: form.clone(),
            });
            strike.count = match strike.form == *form {
                true => strike.count.saturating_add(1),
                false => 1,
            };
            strike.form.clone_from(form);
            log::error!(
                "the gateway ended while {subject} was being called, for the {}. time in a row",
                strike.count
            );
        }
        if state.young {
            state.longest = state.longest.max(state.lived);
            if unfinished.is_empty() {
                state.early = state.early.saturating_add(1);
            }
        }
        (state.young, state.lived) = (true, 0);
        let careful = state.early >= LIMIT;
        if careful {
            log::error!(
                "the gateway ended soon after its start, {} times in a row: it looks at each \
                 component for {} s before it starts the next",
                state.early,
                state.look().as_secs()
            );
        }
        let mut inner = Inner {
            slate,
            state,
            careful,
            began: Instant::now(),
            ending: false,
        };
        inner.write();
        if !unfinished.is_empty() {
            inner.sync();
        }
        Trials(Mutex::new(inner))
    }

    /// Begins a call. `form` tells two of the same subject apart: if it is another one than that
    /// of its strikes, they do not count any more.
    ///
    /// # Errors
    /// [`Held`]: the call is not to be made.
    pub fn begin(self: &Arc<Trials>, subject: &str, form: &str) -> Result<Trial, Held> {
        let mut inner = self.lock();
        if let Some(strike) = inner.state.strikes.get(subject) {
            if strike.form == form && strike.count >= LIMIT {
                return Err(Held {
                    strikes: strike.count,
                });
            }
        }
        if !inner.ending {
            inner.state.open.insert(subject.to_owned(), form.to_owned());
            inner.write();
        }
        Ok(Trial {
            trials: Arc::clone(self),
            subject: subject.to_owned(),
        })
    }

    /// How long to look on after a call, before its trial ends; not at all, as a rule.
    pub fn look(&self) -> Option<Duration> {
        let inner = self.lock();
        inner.careful.then(|| inner.state.look())
    }

    /// The process lives: to be told each second of its probation.
    pub fn lives(&self) {
        let lived = self.lock().began.elapsed();
        self.has_lived(lived.as_secs());
    }

    fn has_lived(&self, seconds: u64) {
        let mut inner = self.lock();
        if inner.state.young && seconds > inner.state.lived {
            inner.state.lived = seconds;
            inner.write();
        }
    }

    /// The process has been told to end: nothing of what comes now is a strike, or an early end, and
    /// the strikes that there are stay as they are.
    pub fn end(&self) {
        let mut inner = self.lock();
        if !std::mem::replace(&mut inner.ending, true) {
            inner.careful = false;
            inner.state.open.clear();
            inner.state.is_over();
            inner.write();
        }
    }

    /// The process is well: it has outlived its probation.
    pub fn is_well(&self) {
        let mut inner = self.lock();
        inner.careful = false;
        if inner.state.young {
            inner.state.is_over();
            inner.write();
        }
    }

    /// Forgets the strikes of a subject: it is tried again.
    pub fn forgive(&self, subject: &str) {
        let mut inner = self.lock();
        if inner.state.strikes.remove(subject).is_some() {
            inner.write();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The probation is.
    fn is_over(&mut self) {
        (self.young, self.early, self.longest) = (false, 0, 0);
    }

    fn look(&self) -> Duration {
        Duration::from_secs(self.longest.saturating_add(LONGER)).clamp(LOOK, PROBATION)
    }
}

impl Inner {
    /// A file that cannot be written is not asked again.
    fn write(&mut self) {
        let Some(slate) = &mut self.slate else { return };
        let written = serde_json::to_vec(&self.state)
            .map_err(std::io::Error::from)
            .and_then(|json| slate.write(&json));
        if let Err(e) = written {
            log::warn!("{FILE}: {e}; a crashing plugin is not found out until the next start");
            self.slate = None;
        }
    }

    fn sync(&self) {
        if let Some(Err(e)) = self.slate.as_ref().map(Slate::sync) {
            log::warn!("{FILE}: {e}");
        }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let mut inner = self.trials.lock();
        if inner.ending {
            return;
        }
        inner.state.open.remove(&self.subject);
        inner.state.strikes.remove(&self.subject);
        inner.write();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A process that ends in the call: nothing of it is dropped.
    fn ends_in(data: &Path, subject: &str, form: &str) -> Result<(), Held> {
        let trial = Arc::new(Trials::open(data)).begin(subject, form)?;
        std::mem::forget(trial);
        Ok(())
    }

    #[test]
    fn a_subject_that_ends_three_starts_in_a_row_is_held_back_until_it_is_another() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..LIMIT {
            ends_in(dir.path(), "heater", "1").unwrap();
        }
        let held = Held { strikes: LIMIT };
        assert_eq!(ends_in(dir.path(), "heater", "1"), Err(held));
        // It stays so over restarts, and nobody else pays for it.
        assert_eq!(ends_in(dir.path(), "heater", "1"), Err(held));
        ends_in(dir.path(), "pump", "1").unwrap();
        ends_in(dir.path(), "heater", "2").unwrap();
        let trials = Arc::new(Trials::open(dir.path()));
        trials.begin("heater", "2").unwrap();
        assert_eq!(trials.lock().state.strikes.len(), 1, "that of the pump");
    }

    #[test]
    fn a_call_that_returns_and_a_second_chance_wipe_out_the_strikes() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 1..LIMIT {
            ends_in(dir.path(), "heater", "1").unwrap();
        }
        drop(Arc::new(Trials::open(dir.path())).begin("heater", "1"));
        for _ in 0..LIMIT {
            ends_in(dir.path(), "heater", "1").unwrap();
        }
        let trials = Arc::new(Trials::open(dir.path()));
        assert!(trials.begin("heater", "1").is_err());
        trials.forgive("heater");
        trials.begin("heater", "1").unwrap();
        let trials = Trials::open(dir.path());
        assert!(trials.lock().state.strikes.is_empty());
    }

    #[test]
    fn starts_that_end_early_in_no_call_make_the_next_ones_careful() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..LIMIT {
            let trials = Arc::new(Trials::open(dir.path()));
            assert_eq!(trials.look(), None);
            trials.begin("heater", "1").unwrap();
        }
        for _ in 0..LIMIT {
            let trials = Arc::new(Trials::open(dir.path()));
            assert_eq!(trials.look(), Some(LOOK));
            trials.begin("pump", "1").unwrap();
            // It ends the process while that looks on.
            std::mem::forget(trials.begin("heater", "1").unwrap());
        }
        let trials = Arc::new(Trials::open(dir.path()));
        assert!(trials.begin("heater", "1").is_err());
        trials.begin("pump", "1").unwrap();
        trials.is_well();
        assert_eq!(trials.look(), None, "it is over in this process, too");
        let trials = Arc::new(Trials::open(dir.path()));
        assert_eq!(trials.look(), None);
        assert!(trials.begin("heater", "1").is_err());
    }

    /// Had it looked on for a moment only, the next one would be taken for the one that crashes.
    #[test]
    fn a_careful_start_looks_on_for_longer_than_the_starts_before_it_took() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..LIMIT {
            let trials = Arc::new(Trials::open(dir.path()));
            trials.begin("heater", "1").unwrap();
            trials.begin("pump", "1").unwrap();
            trials.has_lived(20);
        }
        // This time it takes longer, and somebody else is being looked at.
        let trials = Arc::new(Trials::open(dir.path()));
        assert_eq!(trials.look(), Some(Duration::from_secs(22)));
        trials.begin("heater", "1").unwrap();
        trials.has_lived(25);
        std::mem::forget(trials.begin("pump", "1").unwrap());
        for _ in 0..LIMIT {
            let trials = Arc::new(Trials::open(dir.path()));
            assert_eq!(trials.look(), Some(Duration::from_secs(27)));
            std::mem::forget(trials.begin("heater", "1").unwrap());
            trials.has_lived(20);
        }
        let trials = Arc::new(Trials::open(dir.path()));
        assert!(trials.begin("heater", "1").is_err());
        trials.begin("pump", "1").unwrap();
        trials.is_well();
        drop(trials);
        for _ in 0..LIMIT {
            Trials::open(dir.path()).has_lived(1000);
        }
        assert_eq!(Trials::open(dir.path()).look(), Some(PROBATION));
        // That of another start of the system says nothing.
        let dir = tempfile::tempdir().unwrap();
        for (boot, lived) in [("1", 9), ("1", 9), ("1", 9), ("2", 1000), ("3", 5)] {
            let trials = Trials::open_in(dir.path(), boot);
            assert_eq!(trials.look(), None);
            trials.has_lived(lived);
        }
        let look = Trials::open_in(dir.path(), "3").look();
        assert_eq!(look, Some(Duration::from_secs(11)));
    }

    #[test]
    fn a_run_that_was_told_to_end_strikes_nobody_and_wipes_out_nothing() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 1..LIMIT {
            ends_in(dir.path(), "heater", "1").unwrap();
        }
        for _ in 0..LIMIT {
            let trials = Arc::new(Trials::open(dir.path()));
            let before = trials.begin("heater", "1").unwrap();
            trials.end();
            // Killed in either, or returned from both: it is all the same.
            std::mem::forget(before);
            std::mem::forget(trials.begin("pump", "1").unwrap());
            drop(trials.begin("heater", "1").unwrap());
            trials.end();
        }
        let trials = Arc::new(Trials::open(dir.path()));
        assert_eq!(trials.look(), None);
        assert_eq!(trials.lock().state.strikes.len(), 1);
        std::mem::forget(trials.begin("heater", "1").unwrap());
        let trials = Arc::new(Trials::open(dir.path()));
        assert!(trials.begin("heater", "1").is_err());
    }

    /// A gateway on a vehicle's ignition, whose trips take a minute.
    #[test]
    fn starts_that_end_with_the_system_are_nobodys_strikes_and_not_early() {
        let dir = tempfile::tempdir().unwrap();
        let ends = |boot: &str| {
            let trials = Arc::new(Trials::open_in(dir.path(), boot));
            std::mem::forget(trials.begin("heater", "1").unwrap());
            trials.look()
        };
        for boot in ["1", "2", "3", "4", "5", "6", "7", "8"] {
            assert_eq!(ends(boot), None);
        }
        let trials = Trials::open_in(dir.path(), "9");
        assert_eq!(trials.lock().state.strikes.len(), 0);
        assert_eq!(trials.lock().state.early, 0);
        drop(trials);
        // What ended the process alone counts on over them.
        for boot in ["9", "9", "10", "11", "11"] {
            ends(boot);
        }
        let trials = Arc::new(Trials::open_in(dir.path(), "11"));
        assert!(trials.begin("heater", "1").is_err());
    }

    #[test]
    fn what_a_loss_of_power_leaves_is_nobodys_strike() {
        let dir = tempfile::tempdir().unwrap();
        for left in ["\0\0\0\0", "{\"open\":{\"heater\":", "", "[]"] {
            std::fs::write(dir.path().join(FILE), left).unwrap();
            let trials = Arc::new(Trials::open(dir.path()));
            assert_eq!(trials.look(), None, "{left:?}");
            let inner = trials.lock();
            assert!(inner.state.open.is_empty() && inner.state.strikes.is_empty());
            drop(inner);
            trials.begin("heater", "1").unwrap();
        }
    }
}
