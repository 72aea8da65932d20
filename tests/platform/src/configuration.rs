//! The configuration that a platform makes for a device when none was attached to its request:
//! the connection to the target account, as a CONF-V1 document.

use crate::behaviour::ConfigurationFault;
use crate::secret::SecretError;
use crate::store::TargetCredentials;
use gateway_component_abi::value::Value;
use kura_formats::configurations::{self, remote_seal, Configuration, ConfigurationsError};

/// Kura's pids of a cloud connection; one that is not the first has a suffix, such as `-2`.
const TRANSPORT: &str = "org.eclipse.kura.core.data.transport.mqtt.MqttDataTransport";
const DATA: &str = "org.eclipse.kura.data.DataService";
const CLOUD: &str = "org.eclipse.kura.cloud.CloudService";

/// Why none could be made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// Something cannot be written as XML.
    #[error("no configuration can be written for the device")]
    Unwritable(#[from] ConfigurationsError),
    /// No password could be made.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// What ends the pids of a connection: nothing for the first one, or if no pid is given.
pub(crate) fn suffix(connection_pid: Option<&str>) -> &str {
    connection_pid
        .and_then(|pid| pid.strip_prefix(CLOUD))
        .unwrap_or_default()
}

/// Makes the document. `connection_pid` is what the trigger named, the first connection if
/// nothing; `key_alias` is the key of the SSLKeystore to be shown to the broker, if any.
pub(crate) fn generate(
    target: &TargetCredentials,
    broker_url: &str,
    connection_pid: Option<&str>,
    key_alias: Option<&str>,
    fault: &ConfigurationFault,
) -> Result<Vec<u8>, ConfigurationError> {
    let suffix = suffix(connection_pid);
    let broker_url = match fault {
        ConfigurationFault::Broker(other) => other,
        _ => broker_url,
    };
    let password = match fault {
        ConfigurationFault::RefusedCredentials => crate::secret::random(32)?,
        _ => target.password.clone(),
    };
    let mut transport = vec![
        ("broker-url", Value::from(broker_url)),
        (
            "topic.context.account-name",
            Value::from(target.account.as_str()),
        ),
        ("username", Value::from(target.username.as_str())),
        ("password", Value::from(password.clone())),
        ("client-id", Value::from(target.client_id.as_str())),
    ];
    if let Some(alias) = key_alias {
        // Kura's old name; its newer ones look for whatever key the keystore has.
        transport.push(("ssl.certificate.alias", Value::from(alias)));
    }
    if *fault == ConfigurationFault::Misfit {
        transport.push(("keep-alive", Value::from("soon")));
    }
    let data = vec![("connect.auto-on-startup", Value::from(true))];
    let configuration = |pid: &str, properties: Vec<(&str, Value)>| Configuration {
        pid: format!("{pid}{suffix}"),
        properties: properties
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .collect(),
    };
    let all = [
        configuration(TRANSPORT, transport),
        configuration(DATA, data),
    ];
    Ok(configurations::write(&all, &mut remote_seal)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use kura_formats::configurations::{read, remote_open, XmlLimits};

    fn target() -> TargetCredentials {
        TargetCredentials {
            account: "acme".into(),
            client_id: "dev".into(),
            username: "device-dev".into(),
            password: "p<&>ss".into(),
        }
    }

    fn generated(connection: Option<&str>, fault: &ConfigurationFault) -> Vec<Configuration> {
        let xml = generate(&target(), "mqtts://localhost:1", connection, None, fault).unwrap();
        assert!(
            !String::from_utf8_lossy(&xml).contains("p&lt;"),
            "a password in clear"
        );
        read(&xml, &XmlLimits::default(), &mut remote_open).unwrap()
    }

    #[test]
    fn it_reads_back_with_the_credentials_of_the_target_account() {
        let all = generated(None, &ConfigurationFault::None);
        let transport = all.iter().find(|c| c.pid == TRANSPORT).unwrap();
        let text = |name| transport.properties[name].as_str().unwrap();
        assert_eq!(text("broker-url"), "mqtts://localhost:1");
        assert_eq!(text("topic.context.account-name"), "acme");
        assert_eq!(text("username"), "device-dev");
        assert_eq!(text("client-id"), "dev");
        assert_eq!(
            transport.properties["password"]
                .as_secret()
                .unwrap()
                .expose(),
            "p<&>ss"
        );
        let data = all.iter().find(|c| c.pid == DATA).unwrap();
        assert_eq!(
            data.properties["connect.auto-on-startup"].as_bool(),
            Some(true)
        );
    }

    #[test]
    fn a_connection_with_a_suffix_gets_its_own_pids() {
        let pid = format!("{CLOUD}-2");
        let pids: Vec<String> = generated(Some(&pid), &ConfigurationFault::None)
            .into_iter()
            .map(|c| c.pid)
            .collect();
        assert_eq!(pids, [format!("{TRANSPORT}-2"), format!("{DATA}-2")]);
    }

    #[test]
    fn refused_credentials_differ_from_those_of_the_account() {
        let all = generated(None, &ConfigurationFault::RefusedCredentials);
        let transport = all.iter().find(|c| c.pid == TRANSPORT).unwrap();
        assert_ne!(
            transport.properties["password"]
                .as_secret()
                .unwrap()
                .expose(),
            "p<&>ss"
        );
    }
}
