//! A bare MQTT client for the tests: a session whose events can be waited for.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod device;
pub mod http;

use mqtt_session::{
    Anchor, ClientIdentity, Event, Failure, Message, Options, Publish, Session, Tls,
};
use openssl::x509::X509;
use std::sync::mpsc::{channel, Receiver};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub const PATIENCE: Duration = Duration::from_secs(20);

fn anchor() -> &'static Anchor {
    static ANCHOR: OnceLock<Anchor> = OnceLock::new();
    ANCHOR.get_or_init(|| Anchor::new().unwrap())
}

/// RUST_LOG=debug shows what the brokers say.
pub fn log() {
    let _ = env_logger::builder().is_test(true).try_init();
}

pub struct Client {
    pub session: Session,
    events: Receiver<Event>,
}

/// How a client shows itself.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    pub client_id: &'a str,
    pub username: &'a str,
    pub password: &'a str,
}

impl Client {
    /// Connects, subscribes, and waits until that has worked or failed.
    pub fn connect(
        url: &str,
        root: &X509,
        login: Login<'_>,
        topics: &[&str],
    ) -> Result<Client, Failure> {
        Client::connect_with(url, root, None, login, topics)
    }

    /// The same, with a certificate to show.
    pub fn connect_with(
        url: &str,
        root: &X509,
        certificate: Option<ClientIdentity>,
        login: Login<'_>,
        topics: &[&str],
    ) -> Result<Client, Failure> {
        let mut options = Options::new(url.parse().unwrap(), login.client_id);
        options.username = Some(login.username.to_owned());
        options.password = Some(login.password.into());
        options.tls = Tls {
            anchors: vec![root.clone()],
            client: certificate,
            ..Tls::default()
        };
        options.deadline = Some(Instant::now() + PATIENCE);
        options.subscriptions = topics.iter().map(|t| ((*t).to_owned(), 1)).collect();
        let (sender, events) = channel();
        let session = Session::open(anchor(), options, move |e| drop(sender.send(e)));
        let client = Client { session, events };
        loop {
            match client.event() {
                Event::Subscribed => return Ok(client),
                Event::Failed(failure) => return Err(failure),
                _ => {}
            }
        }
    }

    pub fn event(&self) -> Event {
        self.events
            .recv_timeout(PATIENCE)
            .expect("an event in time")
    }

    pub fn publish(&self, topic: &str, payload: impl Into<Vec<u8>>) {
        self.session
            .publish(Publish::new(topic, payload, 1))
            .unwrap();
    }

    pub fn message(&self) -> Message {
        loop {
            match self.event() {
                Event::Message(message) => return message,
                Event::Failed(failure) => panic!("lost: {failure}"),
                _ => {}
            }
        }
    }

    /// Waits for the end of the session.
    pub fn end(&self) -> Failure {
        loop {
            if let Event::Failed(failure) = self.event() {
                return failure;
            }
        }
    }
}
