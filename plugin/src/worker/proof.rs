//! The proof: the component itself connects to the target account with the new credentials.
//!
//! Clean session, the client-id that the new configuration gives the cloud connection, nothing subscribed, nothing
//! published. CONNACK 0 is the proof.

use std::time::{Duration, Instant};

use gateway_component_abi::value::{Properties, Secret, Value};
use kura_formats::client_id;
use mqtt_session::client_key::{self, ClientKeyError};
use mqtt_session::{BrokerUrl, ClientIdentity, Event, Options, Session, Tls};
use openssl::pkey::PKey;

use super::{link, trusted, Command, Worker};
use crate::diagnosis::{Code, Fault};
use crate::host::{EntryKind, SSL_KEYSTORE};
use crate::provisioner::{Input, SessionEvent};
use crate::transaction::of_host;

/// The proof under way.
pub struct Proof {
    number: u64,
    target: String,
    _session: Session,
}

impl Worker {
    /// Begins the proof; its result comes as [`Input::Proved`].
    pub(super) fn begin_proof(&mut self, within: Duration) -> Result<(), Fault> {
        let Some(connection) = self
            .host
            .connection()
            .map_err(|e| of_host("the cloud connection", &e))?
        else {
            return Err(Fault::new(
                Code::HostUnsupported,
                "the host has no gwc.cloud-connection/1: the new account cannot be proved",
            ));
        };
        let properties = self
            .host
            .configurations(&connection.transport_pid, true)
            .map_err(|e| of_host(&connection.transport_pid, &e))?
            .into_iter()
            .find(|c| c.pid == connection.transport_pid)
            .map(|c| c.properties)
            .unwrap_or_default();
        let options = self.target(&connection.transport_pid, &properties, within)?;
        let anchor = self
            .shared
            .anchor()
            .map_err(|e| link::of_failure(&e, None))?;
        let target = format!("{} as {}", options.broker, options.client_id);
        log::info!("{}: proving {target}", self.shared.pid());
        self.extras.target(&properties, &options.client_id);
        self.sessions += 1;
        let (number, own) = (self.sessions, self.own.clone());
        let session = Session::open(&anchor, options, move |event| {
            let _ = own.send(Command::Proof(number, event));
        });
        self.proof = Some(Proof {
            number,
            target,
            _session: session,
        });
        Ok(())
    }

    fn target(
        &self,
        pid: &str,
        properties: &Properties,
        within: Duration,
    ) -> Result<Options, Fault> {
        let text = |name: &str| properties.get(name).and_then(Value::as_str).unwrap_or("");
        let url = text("broker-url");
        let broker: BrokerUrl = url
            .parse()
            .map_err(|e| Fault::new(Code::ProofFailed, format!("{pid}: broker-url {url}: {e}")))?;
        let mac = self.system_facts()?.mac;
        let client_id = client_id::of_connection(text("client-id"), mac.as_deref())
            .map_err(|e| Fault::new(Code::ProofFailed, format!("{pid}: {e}")))?;
        let mut options = Options::new(broker, client_id);
        let username = text("username");
        options.username = (!username.is_empty()).then(|| username.to_owned());
        options.password = match properties.get("password") {
            Some(value) => value
                .as_secret()
                .map(|secret| secret.expose())
                .or_else(|| value.as_str())
                .filter(|password| !password.is_empty())
                .map(Secret::from),
            None => None,
        };
        // Without TLS the cloud connection reads no keystore either.
        if options.broker.scheme.is_tls() {
            let found = trusted::tls_anchors(&*self.host)?;
            let alias = Some(text("ssl.certificate.alias")).filter(|alias| !alias.is_empty());
            options.tls = Tls {
                anchors: found.roots,
                crls: found.crls.into(),
                client: self.client_identity(alias)?,
                session_cache: None,
            };
        }
        options.deadline = Instant::now().checked_add(within);
        Ok(options)
    }

    /// The client certificate for a broker that asks, as the cloud connection chooses it: that of
    /// the key of SSLKeystore with this alias; without one, as [`client_key`] says.
    pub(super) fn client_identity(
        &self,
        alias: Option<&str>,
    ) -> Result<Option<ClientIdentity>, Fault> {
        let refused = |e| of_host(SSL_KEYSTORE, &e);
        let entries = self.host.keystore(SSL_KEYSTORE).map_err(refused)?;
        let keys = entries
            .iter()
            .filter(|entry| entry.kind == EntryKind::PrivateKey)
            .map(|entry| (entry.alias.as_str(), entry.pem.as_str()));
        let Some(chosen) = client_key::choose(keys, alias).map_err(|e| unusable(&e))? else {
            return Ok(None);
        };
        let key = self
            .host
            .private_key(SSL_KEYSTORE, &chosen.alias)
            .map_err(refused)?;
        let key = PKey::private_key_from_pem(key.expose().as_bytes()).map_err(|e| {
            Fault::new(
                Code::ProofFailed,
                format!("{SSL_KEYSTORE}: the client key {}: {e}", chosen.alias),
            )
        })?;
        Ok(Some(ClientIdentity {
            chain: chosen.chain,
            key,
        }))
    }

    fn proof_waits(&mut self, what: &'static str) {
        self.input(Input::Session(SessionEvent::Waiting(what)));
    }

    pub(super) fn proof_event(&mut self, number: u64, event: Event) {
        let Some(proof) = self.proof.as_ref().filter(|proof| proof.number == number) else {
            return;
        };
        let result = match event {
            Event::Connected { .. } => Ok(()),
            Event::Failed(failure) => Err(Fault::new(
                Code::ProofFailed,
                format!("the new account did not accept {}", proof.target),
            )
            .because_of(&link::of_failure(&failure, None))),
            // Told if it is where the time of the attempt runs out.
            Event::Connecting(_) => return self.proof_waits("the account's broker to answer"),
            Event::Handshaking => {
                return self.proof_waits("the TLS handshake of the account's broker")
            }
            Event::TlsEstablished(_) => return self.proof_waits("CONNACK of the account's broker"),
            _ => return,
        };
        // Connected: the session is dropped, which closes it. The cloud connection takes over.
        if let Some(proof) = self.proof.take() {
            proof._session.disconnect(Duration::from_millis(50));
        }
        self.input(Input::Proved(result));
    }
}

fn unusable(error: &ClientKeyError) -> Fault {
    let what = match error {
        ClientKeyError::Absent { .. } => format!("ssl.certificate.alias: {SSL_KEYSTORE}: {error}"),
        ClientKeyError::Damaged { source, .. } => format!("{SSL_KEYSTORE}: {error}: {source}"),
    };
    Fault::new(Code::ProofFailed, what)
}
