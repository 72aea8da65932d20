//! The worker: one thread per active instance, a loop without decisions.
//!
//! It feeds the state machine of [`crate::provisioner`] with what happens, and carries out what
//! it wants: `effects` does so, `link` and `proof` hold the two MQTT sessions, `download` the
//! thread of a download, `preflight` the local checks, `shared` what other threads may see. Not on
//! the worker but on threads of the host, `control` verifies control messages, and `accepted`
//! remembers them.

mod accepted;
mod claim;
mod control;
mod download;
mod effects;
mod link;
#[cfg(test)]
mod memory_tests;
mod pace;
mod preflight;
mod proof;
mod repetition;
mod shared;
mod trusted;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mqtt_session::Hold;

use crate::diagnosis::Fault;
use crate::host::Host;
use crate::provisioner::{Action, Input, Now, Plan, Provisioner, Refused, StateName};
use crate::settings::Parsed;
use crate::status::{self, Extras};
use crate::transaction::Engine;
use crate::trust::Clock;
use claim::Claim;
pub use control::Counts;
use download::Downloading;
use link::Link;
use pace::Pace;
use proof::Proof;
use repetition::Repetition;
pub use shared::Shared;
use trusted::Trusted;

/// What the worker is told.
pub enum Command {
    /// New parameters.
    Configure(Box<Parsed>),
    /// A person wants something.
    Act(Action, Sender<Result<(), Refused>>),
    /// Run the checks now.
    Preflight(Sender<String>),
    /// Who this gateway is.
    Identity(Sender<String>),
    /// Who may sign control messages now, and whether the clock can be believed.
    Signers(Sender<Result<Clock, Fault>>),
    /// A control message was accepted or refused.
    Judged,
    /// Look again at what was missing.
    SystemChanged,
    /// From the provisioning session of that number.
    Link(u64, mqtt_session::Event),
    /// From the download of that number.
    Download(u64, download::Told),
    /// From the proof of that number.
    Proof(u64, mqtt_session::Event),
    /// End.
    Stop,
}

/// The state of the worker thread.
pub struct Worker {
    host: Arc<dyn Host>,
    shared: Arc<Shared>,
    own: Sender<Command>,
    commands: Receiver<Command>,
    started: Instant,
    provisioner: Provisioner,
    engine: Option<Engine>,
    link: Option<Link>,
    proof: Option<Proof>,
    download: Option<Downloading>,
    /// Of the message at hand: the broker's next one waits until there is room for it.
    hold: Option<Hold>,
    /// Numbers the sessions, so that a late event of an ended one is known.
    sessions: u64,
    plan: Option<Plan>,
    trusted: Trusted,
    tls_cache: mqtt_session::SessionCache,
    extras: Extras,
    pace: Pace,
    /// Of the counts of control messages, which anybody at the account's broker can raise.
    tally: Pace,
    said: Option<StateName>,
    repetition: Repetition,
    /// The platform that this instance holds, so that no other provisions against it.
    claim: Option<Claim>,
    /// Gave way once to an instance that comes first by pid.
    gave_way: bool,
}

impl Worker {
    /// A worker that has not begun.
    pub fn new(
        host: Arc<dyn Host>,
        shared: Arc<Shared>,
        own: Sender<Command>,
        commands: Receiver<Command>,
    ) -> Self {
        Worker {
            host,
            own,
            commands,
            started: Instant::now(),
            provisioner: Provisioner::new(),
            engine: None,
            link: None,
            proof: None,
            download: None,
            hold: None,
            sessions: 0,
            plan: None,
            trusted: Trusted::new(Arc::clone(&shared)),
            tls_cache: mqtt_session::SessionCache::default(),
            extras: Extras::new(shared.pid()),
            // Before the first parameters there is nothing to show: `inactive` stands.
            pace: Pace::of_changes(Provisioner::new().revision()),
            tally: Pace::of_counts(shared.control().total()),
            shared,
            said: None,
            repetition: Repetition::default(),
            claim: None,
            gave_way: false,
        }
    }

    /// Runs until [`Command::Stop`].
    pub fn run(mut self) {
        log::debug!("{}: active", self.shared.pid());
        loop {
            self.drain();
            // What came over the link has been dealt with.
            self.hold = None;
            if self.shared.stopping() {
                break;
            }
            self.show();
            self.let_go();
            if self.is_due() {
                // Before whatever else waits: a peer that never stops talking gains no time.
                self.input(Input::Timeout);
                continue;
            }
            match self.next() {
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(command) => self.take(command),
                // Something is due, or the status is to be told.
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        // The last change is never lost, not even to an end within a tenth of a second.
        if self.status_due().is_some() {
            self.shared.notify();
        }
        log::debug!("{}: inactive", self.shared.pid());
    }

    fn is_due(&self) -> bool {
        let due = self.provisioner.timeout();
        due.is_some_and(|at| at <= self.now().mono)
    }

    fn next(&self) -> Result<Command, RecvTimeoutError> {
        let now = self.now().mono;
        let machine = self.provisioner.timeout().map(|at| at.saturating_sub(now));
        let status = self.status_due();
        match (machine, status) {
            (None, None) => self
                .commands
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
            (a, b) => {
                let wait = a.unwrap_or(Duration::MAX).min(b.unwrap_or(Duration::MAX));
                self.commands.recv_timeout(wait)
            }
        }
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Configure(parsed) => self.input(Input::Configured(parsed)),
            Command::Act(action, answer) => {
                let result = self.provisioner.act(self.now(), action);
                log::info!(
                    "{}: {action:?} {}",
                    self.shared.pid(),
                    match &result {
                        Ok(()) => "accepted".to_owned(),
                        Err(refused) => format!("refused: {}", refused.0),
                    }
                );
                let _ = answer.send(result);
            }
            Command::Preflight(answer) => {
                let report = self.check(false);
                let _ = answer.send(report.to_json());
            }
            Command::Identity(answer) => {
                let _ = answer.send(self.identity_sheet());
            }
            Command::Signers(answer) => {
                let _ = answer.send(self.signers_now());
            }
            // Shown with the next turn.
            Command::Judged => {}
            Command::SystemChanged => self.input(Input::SystemChanged),
            Command::Link(number, event) => self.link_event(number, event),
            Command::Download(number, told) => self.download_event(number, told),
            Command::Proof(number, event) => self.proof_event(number, event),
            Command::Stop => {}
        }
    }

    fn now(&self) -> Now {
        Now {
            mono: self.started.elapsed(),
            wall_ms: wall_ms(),
        }
    }

    fn input(&mut self, input: Input) {
        let now = self.now();
        self.provisioner.handle(now, input);
        // Each state is told, also one that the next output ends at once.
        self.show();
    }

    /// Carries out everything that is wanted; each result goes back at once.
    fn drain(&mut self) {
        while let Some(output) = self.provisioner.poll() {
            if self.shared.stopping() {
                return;
            }
            if let Some(input) = self.effect(output) {
                self.input(input);
            }
        }
    }

    /// Whoever has finished, is disabled or cannot run holds no platform.
    fn let_go(&mut self) {
        if matches!(
            self.provisioner.view().state,
            StateName::Idle | StateName::Provisioned | StateName::Invalid | StateName::GaveUp
        ) {
            self.claim = None;
            self.gave_way = false;
        }
    }

    /// In how long a watcher is to be told of the status document; `None` if it was.
    fn status_due(&self) -> Option<Duration> {
        let now = self.now().mono;
        let changes = self.pace.due(self.provisioner.revision(), now);
        let total = self.shared.control().total();
        let counts = self.tally.due(total, now);
        changes.into_iter().chain(counts).min()
    }

    /// Publishes the status document if it changed; to a watcher at most ten times a second, and
    /// once a second where nothing but counts did.
    fn show(&mut self) {
        let Some(wait) = self.status_due() else {
            return;
        };
        let view = self.provisioner.view();
        let state = view.state;
        if self.said != Some(state) {
            self.said = Some(state);
            let level = self.repetition.level(view.fault);
            status::log_change(self.shared.pid(), &view, level);
            let event = status::event(self.shared.pid(), &view);
            let _ = self.host.post(status::EVENT_TOPIC, &event);
        }
        self.extras.bytes = self.link.as_ref().map_or(self.extras.bytes, Link::bytes);
        self.extras.downloading = self.download.as_ref().map(Downloading::bytes);
        self.extras.control = self.shared.control().counts();
        let document = status::document(&self.provisioner.view(), &self.extras, wall_ms());
        self.shared.set_document(document);
        if wait.is_zero() {
            let now = self.now().mono;
            self.pace.told(self.provisioner.revision(), now);
            self.tally.told(self.extras.control.total(), now);
            self.shared.notify();
        }
    }
}

/// Wall clock, ms since 1970; before that it is negative.
fn wall_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(time) => i64::try_from(time.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    }
}
