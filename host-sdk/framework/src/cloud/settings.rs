//! The three configurations of a connection, parsed. Kura validates in the browser only, so that
//! everything is checked here; the error names the first parameter that does not hold, and what it
//! was, secrets excepted.

use std::time::Duration;

use gateway_component_abi::value::{Properties, Scalar, Secret, Value};
use kura_formats::client_id::{self, ClientIdError};
use kura_formats::topic::{check_id, Topics};
use mqtt_session::BrokerUrl;

use super::control::Address;

/// Kura's default broker, which means that nobody has configured one.
const DUMMY_BROKER: &str = "mqtt://broker-url:1883";

/// Why there is nothing to connect to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The parameters still have the values they are delivered with.
    #[error("no cloud account is configured")]
    Unset,
    /// A parameter does not hold.
    #[error("{parameter}: {reason}")]
    Invalid {
        /// Its id.
        parameter: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// No client-id is configured, and the gateway has no MAC address yet.
    #[error("client-id is empty, and the primary network interface has no MAC address")]
    NoIdentity,
}

fn invalid(parameter: &'static str, reason: impl std::fmt::Display) -> SettingsError {
    SettingsError::Invalid {
        parameter,
        reason: reason.to_string(),
    }
}

/// When to connect: of the DataService.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `connect.auto-on-startup`.
    pub automatic: bool,
    /// `connect.retry-interval`.
    pub retry: Duration,
    /// `disconnect.quiesce-timeout`.
    pub quiesce: Duration,
}

impl Policy {
    /// Never fails: what does not hold has its default.
    pub fn of(data: &Properties) -> Policy {
        let seconds = |name: &str, default: u64| {
            let value = data.get(name).and_then(Value::as_integer);
            Duration::from_secs(value.and_then(|n| u64::try_from(n).ok()).unwrap_or(default))
        };
        Policy {
            automatic: flag(data, "connect.auto-on-startup", false),
            retry: seconds("connect.retry-interval", 60).max(Duration::from_secs(1)),
            quiesce: seconds("disconnect.quiesce-timeout", 10),
        }
    }
}

/// What the CloudService says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `device.display-name`.
    pub display_name: String,
    /// `device.custom-name`.
    pub custom_name: String,
    /// `encode.gzip`.
    pub gzip: bool,
}

/// How to connect: of the MqttDataTransport, with the topics of the CloudService.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Where to.
    pub broker: BrokerUrl,
    /// As it stands in topics.
    pub account: String,
    /// As it stands in topics and CONNECT.
    pub client_id: String,
    /// None: not sent.
    pub username: Option<String>,
    /// None: not sent.
    pub password: Option<Secret>,
    /// MQTT keep-alive.
    pub keep_alive: Duration,
    /// For connecting.
    pub timeout: Duration,
    /// The last will.
    pub will: Option<Will>,
    /// The grammar of the topics.
    pub topics: Topics,
    /// Whether to subscribe to control messages.
    pub subscribe: bool,
    /// Alias of the TLS client key, of old configurations.
    pub key_alias: Option<String>,
}

/// The last will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// Variables filled in.
    pub topic: String,
    /// Content.
    pub payload: String,
    /// 0 to 2.
    pub qos: u8,
    /// Kept by the broker.
    pub retain: bool,
}

impl Identity {
    /// Of the CloudService.
    pub fn of(cloud: &Properties) -> Identity {
        Identity {
            display_name: text(cloud, "device.display-name").unwrap_or_default(),
            custom_name: text(cloud, "device.custom-name").unwrap_or_default(),
            gzip: flag(cloud, "encode.gzip", true),
        }
    }
}

impl Link {
    /// Whose topics a session over it serves.
    pub(super) fn address(&self) -> Address {
        Address {
            topics: self.topics.clone(),
            account: self.account.clone(),
            client_id: self.client_id.clone(),
        }
    }

    /// Reads CloudService and MqttDataTransport. `mac` is that of the primary interface, with
    /// colons, if it is known.
    pub fn of(
        cloud: &Properties,
        transport: &Properties,
        mac: Option<&str>,
    ) -> Result<Link, SettingsError> {
        let url = text(transport, "broker-url").unwrap_or_default();
        if url.trim().trim_end_matches('/').is_empty()
            || url.trim().trim_end_matches('/') == DUMMY_BROKER
        {
            return Err(SettingsError::Unset);
        }
        let broker: BrokerUrl = url.parse().map_err(|e| invalid("broker-url", e))?;
        let account = text(transport, "topic.context.account-name").unwrap_or_default();
        check_id(&account).map_err(|e| invalid("topic.context.account-name", e))?;
        let client_id = client_id(transport, mac)?;
        let encoding = text(cloud, "payload.encoding");
        if encoding.as_deref().is_some_and(|e| e != "kura-protobuf") {
            return Err(invalid(
                "payload.encoding",
                "only kura-protobuf is spoken here",
            ));
        }
        let prefix = text(cloud, "topic.control-prefix").unwrap_or_else(|| "$EDC".to_owned());
        let topics = Topics::new(&prefix).map_err(|e| invalid("topic.control-prefix", e))?;
        let seconds = |name: &'static str, default: i32, max: i32| {
            let value = number(transport, name).unwrap_or(default);
            match u64::try_from(value) {
                Ok(seconds) if (1..=max as u64).contains(&seconds) => {
                    Ok(Duration::from_secs(seconds))
                }
                _ => Err(invalid(name, format!("{value} is not 1 to {max} seconds"))),
            }
        };
        Ok(Link {
            will: will(transport, &account, &client_id)?,
            username: text(transport, "username").filter(|name| !name.is_empty()),
            password: secret(transport, "password").filter(|secret| !secret.is_empty()),
            keep_alive: seconds("keep-alive", 30, 65_535)?,
            timeout: seconds("timeout", 10, 86_400)?,
            subscribe: flag(cloud, "enable.default.subscriptions", true),
            key_alias: text(transport, "ssl.certificate.alias").filter(|alias| !alias.is_empty()),
            broker,
            account,
            client_id,
            topics,
        })
    }
}

fn client_id(transport: &Properties, mac: Option<&str>) -> Result<String, SettingsError> {
    let configured = text(transport, "client-id").unwrap_or_default();
    client_id::of_connection(&configured, mac).map_err(|e| match e {
        ClientIdError::NoMac => SettingsError::NoIdentity,
        ClientIdError::Unfit(e) => invalid("client-id", e),
    })
}

fn will(
    transport: &Properties,
    account: &str,
    client_id: &str,
) -> Result<Option<Will>, SettingsError> {
    let topic = text(transport, "lwt.topic").unwrap_or_default();
    if topic.is_empty() {
        return Ok(None);
    }
    let topic = topic
        .replace("#account-name", account)
        .replace("#client-id", client_id);
    if topic.contains(['+', '#', '\0']) || topic.len() > 65_535 {
        return Err(invalid("lwt.topic", format!("{topic:?} is no topic")));
    }
    let qos = number(transport, "lwt.qos").unwrap_or(0);
    let qos = u8::try_from(qos)
        .ok()
        .filter(|qos| *qos <= 2)
        .ok_or_else(|| invalid("lwt.qos", format!("{qos} is not 0, 1 or 2")))?;
    Ok(Some(Will {
        topic,
        payload: text(transport, "lwt.payload").unwrap_or_default(),
        qos,
        retain: flag(transport, "lwt.retain", false),
    }))
}

fn text(properties: &Properties, name: &str) -> Option<String> {
    properties.get(name)?.as_str().map(str::to_owned)
}

fn flag(properties: &Properties, name: &str, default: bool) -> bool {
    properties
        .get(name)
        .and_then(Value::as_bool)
        .unwrap_or(default)
}

fn number(properties: &Properties, name: &str) -> Option<i32> {
    properties.get(name)?.as_integer()
}

fn secret(properties: &Properties, name: &str) -> Option<Secret> {
    match properties.get(name)? {
        Value::Scalar(Scalar::Password(secret)) => Some(secret.clone()),
        Value::Scalar(Scalar::String(text)) => Some(Secret::from(text.as_str())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cloud::stack;

    fn defaults(factory: &str) -> Properties {
        let definitions = stack::definitions();
        let (_, ocd) = definitions.iter().find(|(pid, _)| *pid == factory).unwrap();
        ocd.defaults()
    }

    fn link(changes: &[(&str, &str)]) -> Result<Link, SettingsError> {
        let mut transport = defaults(stack::MQTT_TRANSPORT);
        for (name, value) in changes {
            transport.insert((*name).to_owned(), (*value).into());
        }
        let cloud = defaults(stack::CLOUD_SERVICE);
        Link::of(&cloud, &transport, Some("aa:bb:cc:dd:ee:ff"))
    }

    #[test]
    fn the_values_it_is_delivered_with_mean_unset() {
        assert_eq!(link(&[]), Err(SettingsError::Unset));
        assert_eq!(link(&[("broker-url", "")]), Err(SettingsError::Unset));
        assert!(!Policy::of(&defaults(stack::DATA_SERVICE)).automatic);
    }

    #[test]
    fn an_empty_client_id_is_the_mac_and_others_are_made_fit() {
        let url = ("broker-url", "mqtts://b:8883/");
        let one = link(&[url]).unwrap();
        assert_eq!(one.client_id, "AABBCCDDEEFF");
        assert_eq!(
            one.will.unwrap().topic,
            "$EDC/account-name/AABBCCDDEEFF/MQTT/LWT"
        );
        assert_eq!(
            link(&[url, ("client-id", "a.b/c")]).unwrap().client_id,
            "a-b-c"
        );
    }

    #[test]
    fn what_does_not_hold_is_named() {
        let url = ("broker-url", "mqtts://b");
        let named = |changes: &[(&str, &str)]| link(changes).unwrap_err().to_string();
        assert!(named(&[("broker-url", "http://b")]).starts_with("broker-url: "));
        assert!(named(&[url, ("topic.context.account-name", "a/b")])
            .starts_with("topic.context.account-name: "));
        assert!(named(&[url, ("lwt.topic", "a/#")]).starts_with("lwt.topic: "));
    }
}
