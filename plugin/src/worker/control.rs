//! Control messages after the provisioning: judged, remembered for good, counted.
//!
//! It runs on the host's threads, and calls no host: who may sign, and whether the clock can be
//! believed, the worker has found out for each message before. Called by
//! [`crate::component::Component::verify`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use kura_formats::payload::{self, Limits};

use super::accepted::{Accepted, NotAccepted};
use super::preflight::plausible_at;
use super::shared::lock;
use super::wall_ms;
use crate::diagnosis::{Code, Fault};
use crate::transaction::of_io;
use crate::trust::{Clock, Freshness, SignatureError, SignedView, Verifier};

/// How many control messages had which end, since the instance was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accepted ones.
    pub accepted: u64,
    /// Refused ones, by their code.
    pub refused: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// Of all together.
    pub fn total(&self) -> u64 {
        self.refused
            .values()
            .fold(self.accepted, |sum, count| sum.saturating_add(*count))
    }

    fn count(&mut self, verdict: &Result<(), Fault>) {
        let counter = match verdict {
            Ok(()) => &mut self.accepted,
            Err(fault) => self.refused.entry(fault.code.as_str()).or_default(),
        };
        *counter = counter.saturating_add(1);
    }
}

/// Where the accepted messages are kept.
#[derive(Debug, Default)]
struct Memory {
    folder: PathBuf,
    /// `None` until it could be read.
    accepted: Option<Accepted>,
}

impl Memory {
    fn open(&mut self) -> Result<&mut Accepted, NotAccepted> {
        let accepted = match self.accepted.take() {
            Some(accepted) => accepted,
            None => Accepted::open(&self.folder, witness)?,
        };
        Ok(self.accepted.insert(accepted))
    }
}

/// When a file was last written that says it was then: now, where no clock that is believed can
/// have said so.
fn witness(written_ms: i64) -> i64 {
    match plausible_at(written_ms / 1000) {
        Ok(()) => written_ms,
        Err(_) => wall_ms(),
    }
}

/// The control messages of an instance.
pub struct Control {
    verifier: Arc<Mutex<Verifier>>,
    /// Held while a message is written down, so never by the worker while it serves.
    memory: Mutex<Memory>,
    good_time_ms: AtomicI64,
    counts: Mutex<Counts>,
}

impl Control {
    /// Judged by `verifier`.
    pub fn new(verifier: Arc<Mutex<Verifier>>) -> Self {
        Control {
            verifier,
            memory: Mutex::default(),
            good_time_ms: AtomicI64::new(0),
            counts: Mutex::default(),
        }
    }

    /// Reads what was accepted before, in the component's folder. Where that cannot be, the log
    /// says so, and it is tried again with each message: none is accepted before.
    pub fn recall(&self, pid: &str, folder: &Path) {
        let mut memory = lock(&self.memory);
        *memory = Memory {
            folder: folder.to_owned(),
            accepted: None,
        };
        match memory.open() {
            Ok(accepted) => self.note_good_time(accepted),
            Err(e) => log::warn!("{pid}: no control message is accepted: {}", of_memory(&e)),
        }
    }

    /// The clock was not before this when a message was accepted, ms since 1970; 0 if none was.
    pub fn good_time_ms(&self) -> i64 {
        self.good_time_ms.load(Ordering::Acquire)
    }

    fn note_good_time(&self, accepted: &Accepted) {
        let good = accepted.good_time_ms();
        self.good_time_ms.fetch_max(good, Ordering::AcqRel);
    }

    /// Verifies a message outside a session, by the signers and the clock of this moment. When
    /// this says that it is accepted, no restart makes it acceptable once more.
    ///
    /// # Errors
    /// Why it is not; also if it cannot be remembered.
    pub fn verify(
        &self,
        account: &str,
        client_id: &str,
        application_topic: &str,
        bytes: &[u8],
        clock: Clock,
    ) -> Result<(), Fault> {
        // The bytes are the host's: of what is large no second copy is made.
        let limits = Limits::default();
        let (payload, body) = match payload::is_gzip(bytes) {
            true => payload::decode(bytes, &limits).map(|payload| (payload, None)),
            false => payload::decode_apart(bytes, &limits),
        }
        .map_err(|e| Fault::new(Code::ProtocolMalformed, e.to_string()))?;
        let view = SignedView {
            account,
            client_id,
            application_topic,
            payload: &payload,
        };
        let body = match body {
            Some(at) => bytes.get(at).unwrap_or_default(),
            None => payload.body.as_deref().unwrap_or_default(),
        };
        // Whoever signs nothing keeps nobody waiting for the disk.
        let judged = lock(&self.verifier)
            .judge(&view, body, clock, Freshness::Window)
            .map_err(|e| super::trusted::of_signature(&e))?;
        let mut memory = lock(&self.memory);
        let accepted = memory.open().map_err(|e| of_memory(&e))?;
        accepted
            .accept(&judged.id, judged.timestamp)
            .map_err(|e| of_memory(&e))?;
        self.note_good_time(accepted);
        Ok(())
    }

    /// Counts what became of a message.
    pub fn count(&self, verdict: &Result<(), Fault>) {
        lock(&self.counts).count(verdict);
    }

    /// How many there were.
    pub fn total(&self) -> u64 {
        lock(&self.counts).total()
    }

    /// How many had which end.
    pub fn counts(&self) -> Counts {
        lock(&self.counts).clone()
    }
}

/// Why a message was not accepted, as a fault.
fn of_memory(error: &NotAccepted) -> Fault {
    match error {
        NotAccepted::Before(replay) => super::trusted::of_signature(&SignatureError::from(*replay)),
        NotAccepted::Damaged { .. } => Fault::new(Code::StorageUnwritable, error.to_string()),
        NotAccepted::Io { path, error } => of_io(&path.display().to_string(), error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use kura_formats::payload::{encode, MetricValue, Payload};

    use super::*;
    use crate::trust::fixtures::{Ca, Leaf, NOW};
    use crate::trust::sign;

    const CLOCK: Clock = Clock::Plausible(NOW * 1000);

    struct World {
        signer: Ca,
        verifier: Arc<Mutex<Verifier>>,
        folder: tempfile::TempDir,
    }

    impl World {
        fn new() -> World {
            let signer = Ca::root("Root").issue("Signer", Leaf::default());
            let mut verifier = Verifier::new();
            verifier.trust(std::slice::from_ref(&signer.certificate), &[]);
            World {
                signer,
                verifier: Arc::new(Mutex::new(verifier)),
                folder: tempfile::tempdir().unwrap(),
            }
        }

        /// As after a start of the process.
        fn control(&self) -> Control {
            let control = Control::new(self.verifier.clone());
            control.recall("pid", self.folder.path());
            control
        }

        fn message(&self, id: &str) -> Vec<u8> {
            let payload = Payload::new()
                .with_metric("sig.id", id)
                .with_metric("sig.timestamp", NOW * 1000);
            let view = SignedView {
                account: "acme",
                client_id: "gw-1",
                application_topic: "A/GET/x",
                payload: &payload,
            };
            let content = view.canonical().unwrap();
            let signature = sign(&content, &self.signer.certificate, &self.signer.key).unwrap();
            encode(&payload.with_metric("signature", MetricValue::Bytes(signature)))
        }
    }

    fn verify(control: &Control, message: &[u8], clock: Clock) -> Result<(), Code> {
        control
            .verify("acme", "gw-1", "A/GET/x", message, clock)
            .map_err(|fault| fault.code)
    }

    #[test]
    fn a_message_that_comes_by_many_threads_at_once_is_accepted_once() {
        let world = World::new();
        let control = world.control();
        for round in 0..20 {
            let message = world.message(&round.to_string());
            let verdicts: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4)
                    .map(|_| scope.spawn(|| verify(&control, &message, CLOCK)))
                    .collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().unwrap())
                    .collect()
            });
            let accepted = verdicts.iter().filter(|verdict| verdict.is_ok());
            assert_eq!(accepted.count(), 1, "{verdicts:?}");
        }
    }

    #[test]
    fn what_was_accepted_is_replayed_after_a_restart_and_what_was_refused_is_not() {
        let world = World::new();
        let [done, refused] = ["done", "refused"].map(|id| world.message(id));
        let control = world.control();
        assert_eq!(verify(&control, &done, CLOCK), Ok(()));
        assert_eq!(
            verify(&control, &refused, Clock::Implausible),
            Err(Code::ClockImplausible)
        );
        let control = world.control();
        assert_eq!(control.good_time_ms(), NOW * 1000 - 300_000);
        assert_eq!(verify(&control, &done, CLOCK), Err(Code::SignatureReplayed));
        assert_eq!(verify(&control, &refused, CLOCK), Ok(()));
    }

    #[test]
    fn trouble_with_the_memory_is_the_devices_and_forged_messages_keep_their_reason() {
        let world = World::new();
        let file = world.folder.path().join("accepted.jsonl");
        std::fs::create_dir(&file).unwrap();
        let control = world.control();
        let message = world.message("a");
        let unsigned = encode(&Payload::new());
        assert_eq!(
            verify(&control, &message, CLOCK),
            Err(Code::StorageUnwritable)
        );
        assert_eq!(
            verify(&control, &unsigned, CLOCK),
            Err(Code::SignatureMissing)
        );
        std::fs::remove_dir(&file).unwrap();
        assert_eq!(verify(&control, &message, CLOCK), Ok(()));
        std::fs::write(&file, "?").unwrap();
        let control = world.control();
        let other = world.message("b");
        let damaged = verify(&control, &other, CLOCK).unwrap_err();
        assert_eq!(damaged, Code::StorageUnwritable);
        assert_eq!(damaged.class(), crate::diagnosis::Class::Device);
    }

    #[test]
    fn every_end_is_counted_by_its_code() {
        let control = World::new().control();
        let refused = |code| Err(Fault::new(code, ""));
        for verdict in [
            Ok(()),
            refused(Code::SignatureMissing),
            refused(Code::ProtocolMalformed),
            refused(Code::SignatureMissing),
        ] {
            control.count(&verdict);
        }
        let counts = control.counts();
        assert_eq!((counts.accepted, counts.total()), (1, 4));
        let refused: Vec<_> = counts.refused.into_iter().collect();
        assert_eq!(
            refused,
            [("protocol.malformed", 1), ("signature.missing", 2)]
        );
    }

    #[test]
    fn a_file_of_no_believable_time_was_written_now() {
        let now = wall_ms();
        assert_eq!(witness(now - 5), now - 5);
        for never in [0, -1, i64::MIN, i64::MAX] {
            let found = witness(never);
            assert!((now..now + 60_000).contains(&found), "{found}");
        }
    }
}
