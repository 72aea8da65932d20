//! The session with the provision broker: opens it, and says in the state machine's words what
//! happens on it.

use std::time::Duration;

use kura_formats::payload::{self, MetricValue, Payload};
use kura_formats::topic::{TopicError, Topics};
use mqtt_session::{Event, Failure, Options, Publish, Session, Tls};
use zeroize::Zeroize;

use super::{trusted, Command, Worker};
use crate::diagnosis::{Code, Fault};
use crate::protocol::Outgoing;
use crate::provisioner::{Input, Plan, SessionEvent};
use crate::status::Bytes;

/// How long a polite end may take.
const GOODBYE: Duration = Duration::from_millis(100);
/// Replies that wait for a broker's acknowledgement, in bytes: what a broker that gives none can
/// have piled up. paho keeps two copies of each.
const UNACKNOWLEDGED: usize = 2 << 20;
/// Keep-alive of the session: Kura's default (MqttDataTransport, 30 s).
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// A provisioning session.
pub struct Link {
    number: u64,
    session: Session,
    opening: bool,
    /// That replies are lost was said.
    full: bool,
    /// Publishes that are not acknowledged yet.
    outstanding: usize,
    before: Bytes,
}

impl Link {
    /// Bytes of this session and all before it of the attempt.
    pub fn bytes(&self) -> Bytes {
        let counters = self.session.counters();
        Bytes {
            sent: self.before.sent + counters.sent,
            received: self.before.received + counters.received,
        }
    }
}

/// The bytes of a message that holds the activation key, which is wiped out of the message. The
/// session wipes the bytes.
fn encoded(mut message: Payload) -> Vec<u8> {
    let bytes = payload::encode(&message);
    for metric in &mut message.metrics {
        if let MetricValue::String(text) = &mut metric.value {
            text.zeroize();
        }
    }
    bytes
}

impl Worker {
    /// Opens the link of an attempt.
    pub(super) fn open_link(&mut self, plan: Plan) -> Result<(), Fault> {
        let anchor = self.shared.anchor().map_err(|e| of_failure(&e, None))?;
        let settings = &plan.settings;
        let identity = &plan.identity;
        let found = trusted::tls_anchors(&*self.host)?;
        let trigger = self.trigger(&plan)?;
        let mut options = Options::new(settings.broker.clone(), &identity.client_id);
        options.username = Some(identity.username.clone());
        options.password = Some(settings.password.clone());
        options.keep_alive = KEEP_ALIVE;
        options.limits.max_unacknowledged = UNACKNOWLEDGED;
        options.tls = Tls {
            anchors: found.roots,
            crls: found.crls.into(),
            // Optional: most provision brokers do not ask.
            client: self.client_identity(None).unwrap_or_else(|fault| {
                log::warn!("{}: no client certificate: {fault}", self.shared.pid());
                None
            }),
            session_cache: Some(self.tls_cache.clone()),
        };
        let topics = Topics::default();
        let unfit = |e: TopicError| Fault::new(Code::ConfigInvalid, e.to_string());
        options.subscriptions = vec![(
            topics
                .subscription(&settings.account_name, &identity.client_id)
                .map_err(unfit)?,
            1,
        )];
        options.first = Some(Publish::new(
            trigger
                .topic(&topics, &settings.account_name)
                .map_err(unfit)?,
            encoded(trigger.payload(super::wall_ms())),
            1,
        ));
        options.first_is_secret = true;
        log::debug!(
            "{}: transaction {}: {} as client-id {}, username {}, {} signers known",
            self.shared.pid(),
            plan.transaction,
            settings.broker,
            identity.client_id,
            identity.username,
            trigger.trusted_signers.len()
        );
        self.sessions += 1;
        let (number, own) = (self.sessions, self.own.clone());
        let session = Session::open(&anchor, options, move |event| {
            let _ = own.send(Command::Link(number, event));
        });
        self.extras.bytes = Bytes::default();
        self.extras.downloaded = Bytes::default();
        self.link = Some(Link {
            number,
            session,
            opening: false,
            full: false,
            outstanding: 1,
            before: Bytes::default(),
        });
        self.plan = Some(plan);
        Ok(())
    }

    /// Publishes on the link; without one the message is lost, as on a broken network.
    pub(super) fn publish(&mut self, message: Outgoing) {
        let Some(link) = &mut self.link else { return };
        log::debug!(
            "{}: publish {}, {} bytes",
            self.shared.pid(),
            message.topic,
            message.payload.len()
        );
        match link
            .session
            .publish(Publish::new(message.topic, message.payload, 1))
        {
            Ok(_) => link.outstanding += 1,
            // The broker does not acknowledge what was sent before: the platform waits in vain.
            Err(failure @ Failure::TooLarge { .. }) if !std::mem::replace(&mut link.full, true) => {
                log::warn!("{}: not published: {failure}", self.shared.pid());
            }
            Err(failure) => log::debug!("{}: not published: {failure}", self.shared.pid()),
        }
    }

    /// Ends the link.
    pub(super) fn close_link(&mut self) {
        if let Some(link) = self.link.take() {
            self.extras.bytes = link.bytes();
            link.session.disconnect(GOODBYE);
        }
    }

    pub(super) fn link_event(&mut self, number: u64, event: Event) {
        let Some(link) = self.link.as_mut().filter(|link| link.number == number) else {
            return;
        };
        log::debug!("{}: {}", self.shared.pid(), in_words(&event));
        let event = match event {
            Event::Resolving => SessionEvent::Waiting("the address of the broker"),
            Event::Connecting(_) if !std::mem::replace(&mut link.opening, true) => {
                self.input(Input::Session(SessionEvent::Opening));
                SessionEvent::Waiting("the TCP connection")
            }
            Event::Connecting(_) => return,
            Event::Handshaking => SessionEvent::Waiting("the broker's TLS handshake"),
            Event::TlsEstablished(peer) => {
                self.extras.broker_certificate(&peer);
                SessionEvent::Waiting("the broker's CONNACK")
            }
            Event::Connected { .. } => SessionEvent::Waiting("the broker's SUBACK"),
            Event::Subscribed => SessionEvent::Ready,
            Event::Published(_) => {
                link.outstanding = link.outstanding.saturating_sub(1);
                if link.outstanding > 0 {
                    return;
                }
                SessionEvent::Flushed
            }
            Event::Message(message) => {
                self.hold = Some(message.hold);
                SessionEvent::Message {
                    topic: message.topic,
                    payload: message.payload,
                    retained: message.retained,
                }
            }
            Event::Failed(failure) => {
                let fault = of_failure(&failure, self.plan.as_ref());
                SessionEvent::Failed(fault)
            }
        };
        self.input(Input::Session(event));
    }
}

/// What happened on the link, for whoever reads along; of a message only its topic and size.
fn in_words(event: &Event) -> String {
    match event {
        Event::Resolving => "looks up the broker's address".into(),
        Event::Connecting(address) => format!("connects to {address}"),
        Event::Handshaking => "TCP is there, the TLS handshake begins".into(),
        Event::TlsEstablished(peer) => {
            let how = if peer.resumed { "resumed" } else { "new" };
            format!("TLS with {}, {how}", peer.facts.subject)
        }
        Event::Connected { .. } => "CONNACK: accepted".into(),
        Event::Subscribed => "SUBACK: subscribed, the trigger is out".into(),
        Event::Published(_) => "PUBACK".into(),
        Event::Message(message) => format!(
            "received {}, {} bytes",
            message.topic,
            message.payload.len()
        ),
        Event::Failed(failure) => format!("the link ended: {failure}"),
    }
}

/// A failure of the link as a fault. A refusal by the broker shows what to compare.
pub fn of_failure(failure: &Failure, plan: Option<&Plan>) -> Fault {
    let code = failure.code().parse().unwrap_or(Code::NetworkLost);
    let refused = matches!(
        failure,
        Failure::BadCredentials
            | Failure::NotAuthorized
            | Failure::IdentifierRejected
            | Failure::SubscriptionRefused { .. }
    );
    match plan {
        Some(plan) if refused => Fault::new(
            code,
            format!(
                "{} refused client-id {}, username {}, account {}{}: {failure}",
                plan.settings.broker,
                plan.identity.client_id,
                plan.identity.username,
                plan.settings.account_name,
                match plan.settings.password.is_empty() {
                    true => "; the password is empty",
                    false => "",
                }
            ),
        ),
        Some(plan) => Fault::new(code, format!("{}: {failure}", plan.settings.broker)),
        None => Fault::new(code, failure.to_string()),
    }
}
