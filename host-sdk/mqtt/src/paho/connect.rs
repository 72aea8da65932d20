//! One client of paho for one session, connected to one loopback port.
//!
//! The rule that shapes this file: paho's connect token holds a reference to the client. If that
//! one is the last, the client is destroyed inside paho's own callback, and paho stands still for
//! ever. So the client is dropped only after the token is gone, and the token tells when: its
//! closures, dropped after its client reference, carry a [`Farewell`].

use super::Anchor;
use crate::shared::Shared;
use crate::{Failure, Publish};
use paho_mqtt::{
    AsyncClient, ConnectOptionsBuilder, CreateOptionsBuilder, Message, PersistenceType, QoS,
    MQTT_VERSION_3_1_1,
};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What is known of a pending connect.
#[derive(Default)]
pub(super) struct ConnectToken {
    state: Mutex<TokenState>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default)]
struct TokenState {
    result: Option<Result<(), i32>>,
    gone: bool,
}

impl ConnectToken {
    fn state(&self) -> MutexGuard<'_, TokenState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn resolve(&self, result: Result<(), i32>) {
        self.state().result = Some(result);
    }

    /// Whether paho has let go of the token, and with it of its reference to the client.
    pub(super) fn is_gone(&self) -> bool {
        self.state().gone
    }

    /// Waits for that until the given time.
    pub(super) fn wait_gone(&self, until: Instant) -> bool {
        let mut state = self.state();
        while !state.gone {
            let now = Instant::now();
            if now >= until {
                return false;
            }
            state = self
                .changed
                .wait_timeout(state, until - now)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }
}

/// Dropped with paho's token.
struct Farewell {
    token: Arc<ConnectToken>,
    shared: Arc<Shared>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.token.state().gone = true;
        self.token.changed.notify_all();
        self.shared.wake();
    }
}

/// A client that connects, or has connected, to our loopback port.
pub(crate) struct Paho {
    client: Option<AsyncClient>,
    token: Arc<ConnectToken>,
    anchor: Anchor,
}

impl Paho {
    /// Starts to connect to `port`, presenting `pass` as the client-id. Returns at once.
    pub(crate) fn connect(
        anchor: &Anchor,
        shared: &Arc<Shared>,
        port: SocketAddr,
        pass: &str,
    ) -> Result<Paho, Failure> {
        anchor.reap();
        let create = CreateOptionsBuilder::new_v3()
            .server_uri(format!("tcp://{port}"))
            .client_id(pass)
            .persistence(PersistenceType::None)
            .max_buffered_messages(i32::MAX)
            .finalize();
        let client = AsyncClient::new(create)
            .map_err(|e| Failure::exhausted(format_args!("paho creates no client: {e}")))?;
        let inbox = Arc::clone(shared);
        client.set_message_callback(move |_, message| {
            if let Some(message) = message {
                inbox.inbox().delivered.push_back(message);
                inbox.wake();
            }
        });
        // The keep-alive is the link's: paho's would be checked at an interval that all clients of
        // the process share.
        let options = ConnectOptionsBuilder::with_mqtt_version(MQTT_VERSION_3_1_1)
            .clean_session(true)
            .keep_alive_interval(Duration::from_secs(65_535))
            .max_inflight(1_000)
            .finalize();
        let token = Arc::new(ConnectToken::default());
        let farewell = Farewell {
            token: Arc::clone(&token),
            shared: Arc::clone(shared),
        };
        let (ok, ok_shared) = (Arc::clone(&token), Arc::clone(shared));
        let paho = Paho {
            client: Some(client.clone()),
            token,
            anchor: anchor.clone(),
        };
        // The returned token is of no use and is dropped here; what paho keeps is told by `farewell`.
        drop(client.connect_with_callbacks(
            options,
            move |_, _| {
                ok.resolve(Ok(()));
                ok_shared.wake();
            },
            move |_, _, code| {
                farewell.token.resolve(Err(code));
                farewell.shared.wake();
            },
        ));
        Ok(paho)
    }

    /// Whether paho has its CONNACK, or its error code.
    pub(crate) fn result(&self) -> Option<Result<(), i32>> {
        let state = *self.token.state();
        // A token that is gone without a result was refused by the call itself.
        state.result.or(state.gone.then_some(Err(-1)))
    }

    /// Whether the client may be dropped without being buried.
    pub(crate) fn is_settled(&self) -> bool {
        self.token.is_gone()
    }

    /// One SUBSCRIBE with all filters. Its SUBACK is judged by the guard, not by paho.
    pub(crate) fn subscribe(&self, filters: &[(String, u8)]) -> Result<(), Failure> {
        let Some(client) = &self.client else {
            return Err(Failure::internal("no client"));
        };
        let topics: Vec<&str> = filters.iter().map(|(topic, _)| topic.as_str()).collect();
        let qos: Vec<QoS> = filters.iter().map(|&(_, qos)| quality(qos)).collect();
        let mut token = client.subscribe_many(&topics, &qos);
        match token.try_wait() {
            Some(Err(e)) => Err(Failure::internal(format_args!(
                "paho does not subscribe: {e}"
            ))),
            _ => Ok(()),
        }
    }

    /// Queues a message. Its acknowledgement is seen by the guard.
    pub(crate) fn publish(&self, publish: Publish) -> Result<(), Failure> {
        let Some(client) = &self.client else {
            return Err(Failure::internal("no client"));
        };
        let Publish {
            topic,
            payload,
            qos,
            retained,
        } = publish;
        let message = if retained {
            Message::new_retained(topic, payload, quality(qos))
        } else {
            Message::new(topic, payload, quality(qos))
        };
        match client.try_publish(message) {
            Ok(_) => Ok(()),
            Err(e) => Err(Failure::internal(format_args!(
                "paho does not publish: {e}"
            ))),
        }
    }
}

impl Drop for Paho {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            if self.token.is_gone() {
                drop(client);
            } else {
                self.anchor.bury(client, Arc::clone(&self.token));
            }
        }
    }
}

fn quality(qos: u8) -> QoS {
    match qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_client_dropped_while_it_connects_is_kept_until_paho_lets_go() {
        let anchor = Anchor::new().unwrap();
        let shared = Arc::new(Shared::new().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let paho = Paho::connect(&anchor, &shared, listener.local_addr().unwrap(), "pass").unwrap();
        // paho is connected in TCP, and waits for a CONNACK that does not come.
        let (stream, _) = listener.accept().unwrap();
        let token = Arc::clone(&paho.token);
        drop(paho);
        assert_eq!(anchor.buried(), 1);
        drop((stream, listener));
        assert!(token.wait_gone(Instant::now() + Duration::from_secs(10)));
        anchor.reap();
        assert_eq!(anchor.buried(), 0);
    }

    #[test]
    fn the_last_anchor_waits_for_a_pending_connect() {
        let anchor = Anchor::new().unwrap();
        let shared = Arc::new(Shared::new().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let paho = Paho::connect(&anchor, &shared, listener.local_addr().unwrap(), "pass").unwrap();
        let (stream, _) = listener.accept().unwrap();
        let token = Arc::clone(&paho.token);
        drop(paho);
        drop((stream, listener));
        drop(anchor);
        assert!(token.is_gone());
    }
}
