//! The thread of one cloud connection: it owns the MQTT session and decides when there is one.
//!
//! It wants to be connected after it was told to connect, or from the start where
//! `connect.auto-on-startup` says so, and does not want to after it was told to disconnect. While it
//! wants to and is not, it tries, with pauses of `connect.retry-interval` and up to a quarter more.
//! It reads its configuration itself, so that a connect that follows a change never uses the old one.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mqtt_session::{Event as SessionEvent, Failure, Session};

use super::control::{Desk, Outgoing};
use super::ending::Done;
use super::settings::{Identity, Link, Policy, SettingsError};
use super::stack::Stack;
use super::{birth, control, session, ConnectionInfo, Surroundings};
use crate::component::services::ConnectionState;
use crate::events::Event;

/// The longest wait for a session to end in good order.
pub(super) const LONGEST_QUIESCE: Duration = Duration::from_secs(2);

/// Why a held connection is not connected.
const HELD: &str = "held until its provisioning has come to an end";

/// What the thread is told.
pub(super) enum Command {
    /// The configuration, or a keystore, may have changed.
    Reload,
    /// Connect, held or not; the transaction, if not empty, goes into the next BIRTH.
    Connect(String),
    /// Disconnect and stay so; answered when it is done.
    Disconnect(Done),
    /// The same, and whatever it is told, until it is released.
    Hold(Done),
    /// What it was told counts again.
    Release,
    /// What the session of that epoch says.
    Session(u64, SessionEvent),
    /// A control message has been served, with what is to be published.
    Served(Option<Outgoing>),
    /// To be published; true: also later, if there is no session.
    Notify(Outgoing, bool),
    /// Disconnect and end.
    Stop,
}

/// The state of the thread.
pub(super) struct Actor {
    pub(super) stack: Stack,
    pub(super) surroundings: Arc<Surroundings>,
    pub(super) info: Arc<Mutex<ConnectionInfo>>,
    events: Sender<Command>,
    /// What it was told last: connect or disconnect.
    told: Option<bool>,
    /// Whether its component keeps it disconnected, whatever it was told.
    held: bool,
    policy: Option<Policy>,
    identity: Option<Identity>,
    link: Result<Link, SettingsError>,
    pub(super) session: Option<Open>,
    /// Tells the events of this session from those of earlier ones.
    epoch: u64,
    retry: Option<Instant>,
    /// For the next BIRTH, until the broker has taken over one that carries it.
    transaction: Option<String>,
    announced: Option<Announced>,
    pub(super) desk: Desk,
    /// Replies for the next session of their address.
    pub(super) unsent: VecDeque<Outgoing>,
    /// The configuration is read anew once so many control messages have been served: the one at
    /// hand may be what changed it, and is to be answered over the session that it came by.
    pub(super) reload_after: Option<u64>,
}

/// A BIRTH with a transaction that is on its way.
struct Announced {
    epoch: u64,
    message: u64,
    transaction: String,
}

/// A session and what it was opened with.
pub(super) struct Open {
    pub(super) session: Session,
    pub(super) link: Link,
    pub(super) up: bool,
}

impl Actor {
    /// Not connected, nothing read yet. `events` leads back to the thread itself.
    pub(super) fn new(
        stack: Stack,
        surroundings: Arc<Surroundings>,
        info: Arc<Mutex<ConnectionInfo>>,
        events: Sender<Command>,
    ) -> Actor {
        let reports = events.clone();
        let served = move |outgoing| drop(reports.send(Command::Served(outgoing)));
        let notices = events.clone();
        let notify =
            move |outgoing, lasting| drop(notices.send(Command::Notify(outgoing, lasting)));
        let desk = control::open_desk(
            Arc::clone(&surroundings),
            &stack.cloud,
            Box::new(served),
            Arc::new(notify),
        );
        let kept = surroundings.memory.of(&stack.cloud);
        Actor {
            desk,
            unsent: VecDeque::new(),
            reload_after: None,
            stack,
            surroundings,
            info,
            events,
            told: None,
            held: kept.held,
            policy: None,
            identity: None,
            link: Err(SettingsError::Unset),
            session: None,
            epoch: 0,
            retry: None,
            transaction: kept.transaction,
            announced: None,
        }
    }

    /// Until it is told to stop.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        self.reload();
        loop {
            let command = match self.retry {
                None => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => commands.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match command {
                Ok(Command::Reload) => {
                    if !self.answers_first() {
                        self.reload();
                    }
                }
                Ok(Command::Served(outgoing)) => self.served(outgoing),
                Ok(Command::Notify(outgoing, lasting)) => self.notify(outgoing, lasting),
                Ok(Command::Connect(transaction)) => self.told_to_connect(transaction),
                Ok(Command::Disconnect(done)) => {
                    self.told = Some(false);
                    self.end();
                    drop(done);
                }
                Ok(Command::Hold(done)) => {
                    self.held = true;
                    self.end();
                    drop(done);
                }
                Ok(Command::Release) => {
                    self.held = false;
                    self.reload();
                }
                Ok(Command::Session(epoch, SessionEvent::Published(message))) => {
                    self.published(epoch, message);
                }
                Ok(Command::Session(epoch, event)) if epoch == self.epoch => self.happened(event),
                Ok(Command::Session(..)) => {}
                // Reading anew finds an address that came late.
                Err(RecvTimeoutError::Timeout) => {
                    self.retry = None;
                    self.reload();
                }
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.finish_serving(commands);
        self.close();
        self.show(ConnectionState::Disconnected, None);
    }

    fn wanted(&self) -> bool {
        let automatic = || self.policy.as_ref().is_some_and(|policy| policy.automatic);
        !self.held && self.told.unwrap_or_else(automatic)
    }

    fn end(&mut self) {
        self.retry = None;
        self.close();
        self.show(ConnectionState::Disconnected, self.reason());
    }

    /// Why there is nothing to connect to.
    fn reason(&self) -> Option<String> {
        match self.held {
            true => Some(HELD.to_owned()),
            false => self.link.as_ref().err().map(ToString::to_string),
        }
    }

    /// Reads the configuration; reconnects if that changes how to connect.
    pub(super) fn reload(&mut self) {
        let get = |pid: &str| self.surroundings.configuration.get(pid).unwrap_or_default();
        let (cloud, data) = (get(&self.stack.cloud), get(&self.stack.data));
        let transport = get(&self.stack.transport);
        let mac = self
            .surroundings
            .system
            .get(crate::system::names::PRIMARY_MAC);
        let link = Link::of(&cloud, &transport, mac.as_deref());
        let identity = Identity::of(&cloud);
        let renamed = self.identity.as_ref().is_some_and(|old| *old != identity);
        self.policy = Some(Policy::of(&data));
        self.identity = Some(identity);
        let moved = link != self.link;
        self.link = link;
        if moved {
            self.close();
            self.retry = None;
            self.show(ConnectionState::Disconnected, None);
        }
        if !self.wanted() {
            self.retry = None;
            if self.session.is_none() {
                self.show(ConnectionState::Disconnected, self.reason());
            }
        } else if self.session.is_none() && self.retry.is_none() {
            self.open();
        } else if renamed {
            self.announce();
        }
    }

    fn told_to_connect(&mut self, transaction: String) {
        self.told = Some(true);
        self.held = false;
        self.retry = None;
        if !transaction.is_empty() {
            self.transaction = Some(transaction);
        }
        let before = self.epoch;
        self.reload();
        match &self.session {
            None if self.epoch == before => self.open(),
            // It is up with the present configuration: the transaction is news to the account.
            Some(_) if self.epoch == before && self.transaction.is_some() => self.announce(),
            _ => {}
        }
    }

    fn open(&mut self) {
        self.retry = None;
        self.close();
        let link = match &self.link {
            Ok(link) => link.clone(),
            Err(SettingsError::NoIdentity) => return self.failed(&SettingsError::NoIdentity),
            // Only another configuration helps.
            Err(e) => {
                let reason = e.to_string();
                return self.show(ConnectionState::Disconnected, Some(reason));
            }
        };
        let (anchor, mut options) = match session::options(&self.surroundings, &link) {
            Ok(ready) => ready,
            Err(e) => return self.failed(&e),
        };
        options.first = self.lifecycle(&link, "BIRTH", 1, self.transaction.as_deref());
        self.epoch += 1;
        self.expect(Session::FIRST);
        let (epoch, events) = (self.epoch, self.events.clone());
        log::info!(
            "{} connects to {} as {}",
            self.stack.cloud,
            link.broker,
            link.client_id
        );
        self.show(ConnectionState::Connecting, None);
        let session = Session::open(&anchor, options, move |event| {
            let _ = events.send(Command::Session(epoch, event));
        });
        self.session = Some(Open {
            session,
            link,
            up: false,
        });
    }

    /// Remembers which message carries the transaction, if there is one.
    fn expect(&mut self, message: u64) {
        let epoch = self.epoch;
        self.announced = self.transaction.clone().map(|transaction| Announced {
            epoch,
            message,
            transaction,
        });
    }

    fn happened(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Subscribed => {
                if let Some(open) = &mut self.session {
                    open.up = true;
                    log::info!("{} is connected to {}", self.stack.cloud, open.link.broker);
                }
                self.show(ConnectionState::Connected, None);
                self.send_unsent();
                // Told of it when this session, and its BIRTH, were on their way already.
                let said = self.announced.as_ref().filter(|a| a.epoch == self.epoch);
                let late = self.transaction.is_some()
                    && said.map(|a| &a.transaction) != self.transaction.as_ref();
                if late {
                    self.announce();
                }
            }
            SessionEvent::Message(message) => {
                self.received(message);
            }
            SessionEvent::Failed(failure) => {
                self.session = None;
                self.failed(&Coded(&failure));
            }
            SessionEvent::Resolving
            | SessionEvent::Connecting(_)
            | SessionEvent::Handshaking
            | SessionEvent::TlsEstablished(_)
            | SessionEvent::Published(_)
            | SessionEvent::Connected { .. } => {}
        }
    }

    /// The broker has taken over a message, perhaps one of a session that is ending.
    fn published(&mut self, epoch: u64, message: u64) {
        let ours = |a: &mut Announced| a.epoch == epoch && a.message == message;
        if let Some(announced) = self.announced.take_if(ours) {
            let transaction = announced.transaction;
            log::info!("{}: the account knows of {transaction}", self.stack.cloud);
            let memory = &self.surroundings.memory;
            if let Err(e) = memory.announced(&self.stack.cloud, &transaction) {
                log::warn!("{}: the account hears of it again: {e}", self.stack.cloud);
            }
            if self.transaction.as_ref() == Some(&transaction) {
                self.transaction = None;
            }
        }
    }

    /// After a failure: another try later, if it is still wanted.
    fn failed(&mut self, reason: &dyn std::fmt::Display) {
        log::warn!("{}: {reason}", self.stack.cloud);
        let wanted = self.wanted();
        if wanted {
            let pause = self
                .policy
                .as_ref()
                .map_or(Duration::from_secs(60), |p| p.retry);
            self.retry = Some(Instant::now() + pause + jitter(pause));
        }
        let state = if wanted {
            ConnectionState::Connecting
        } else {
            ConnectionState::Disconnected
        };
        self.show(state, Some(reason.to_string()));
    }

    /// Sends another BIRTH over the session that is up.
    fn announce(&mut self) {
        let Some(open) = self.session.as_ref().filter(|open| open.up) else {
            return;
        };
        let birth = self.lifecycle(&open.link, "BIRTH", 1, self.transaction.as_deref());
        match birth.map(|birth| open.session.publish(birth)) {
            Some(Ok(message)) => self.expect(message),
            Some(Err(e)) => log::warn!("{}: no BIRTH: {e}", self.stack.cloud),
            None => {}
        }
    }

    fn lifecycle(
        &self,
        link: &Link,
        name: &str,
        qos: u8,
        transaction: Option<&str>,
    ) -> Option<mqtt_session::Publish> {
        let identity = self.identity.as_ref()?;
        let system = &self.surroundings.system;
        let payload = match name {
            "DC" => birth::disconnect(system, identity),
            _ => birth::birth(
                system,
                &self.surroundings.version,
                identity,
                &control::APPLICATIONS,
                transaction,
            ),
        };
        let topic = link
            .topics
            .lifecycle(&link.account, &link.client_id, name)
            .inspect_err(|e| log::error!("{}: {e}", self.stack.cloud))
            .ok()?;
        let bytes = birth::bytes(&payload, identity.gzip);
        Some(mqtt_session::Publish::new(topic, bytes, qos))
    }

    /// Ends the session, if there is one: in good order, with a DC, if it is up.
    fn close(&mut self) {
        let Some(open) = self.session.take() else {
            return;
        };
        // What the session still says is not heard any more.
        self.epoch += 1;
        if !open.up {
            return;
        }
        if let Some(farewell) = self.lifecycle(&open.link, "DC", 0, None) {
            if let Err(e) = open.session.publish(farewell) {
                log::debug!("{}: no DC: {e}", self.stack.cloud);
            }
        }
        let quiesce = self.policy.as_ref().map_or(LONGEST_QUIESCE, |p| p.quiesce);
        open.session
            .disconnect(quiesce.clamp(Duration::from_millis(100), LONGEST_QUIESCE));
        log::info!(
            "{} is disconnected from {}",
            self.stack.cloud,
            open.link.broker
        );
    }

    fn show(&self, state: ConnectionState, last_error: Option<String>) {
        let provisioning_pid = self.surroundings.provisioning_pid(&self.stack.cloud);
        let info = {
            let mut info = self.info.lock().unwrap_or_else(PoisonError::into_inner);
            let before = info.clone();
            info.provisioning_pid = provisioning_pid;
            if info.state != state {
                info.state = state;
                info.since_ms = birth::now_ms();
            }
            // A failure stays visible through the next try, until there is success or an order.
            if last_error.is_some() || state != ConnectionState::Connecting {
                info.last_error = last_error;
            }
            match &self.link {
                Ok(link) => {
                    info.account = link.account.clone();
                    info.client_id = link.client_id.clone();
                    info.broker = link.broker.to_string();
                }
                Err(_) => {
                    info.account.clear();
                    info.client_id.clear();
                    info.broker.clear();
                }
            }
            if *info == before {
                return;
            }
            info.clone()
        };
        self.surroundings.hub.post(Event::Connection(info));
    }
}

/// A failure with its stable code.
struct Coded<'a>(&'a Failure);

impl std::fmt::Display for Coded<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.0.code(), self.0)
    }
}

/// Up to a quarter of the pause, so that a fleet that lost power together does not come back
/// together.
fn jitter(pause: Duration) -> Duration {
    let mut random = [0u8; 1];
    match openssl::rand::rand_bytes(&mut random) {
        Ok(()) => pause.mul_f64(f64::from(random.first().copied().unwrap_or(0)) / 1_024.0),
        Err(_) => Duration::ZERO,
    }
}
