//! Who may connect to a broker and what for: commands of mosquitto's dynamic-security plugin.
//!
//! The commands are made here and sent by the platform over its own session. One role and one
//! client for each device. The plugin applies them at once: a client that is disabled or deleted is
//! disconnected and refused from then on.

use crate::secret::Secret;
use serde_json::{json, Value};

/// Where commands go.
pub const TOPIC: &str = "$CONTROL/dynamic-security/v1";
/// Where their results come from.
pub const RESPONSE_TOPIC: &str = "$CONTROL/dynamic-security/v1/response";

/// A user of a broker, tied to one client-id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The only client-id it may use.
    pub client_id: String,
    /// Its name; unique in its broker.
    pub username: String,
    /// Its password.
    pub password: Secret,
    /// What it may do.
    pub access: Access,
}

/// What a user may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// As a provisioning user of this account, by the access rules of the provisioning profile.
    Provisioning {
        /// The provisioning account.
        account: String,
    },
    /// As a device of this account.
    Device {
        /// The target account.
        account: String,
    },
}

/// The rules: what may be published to, what may be subscribed to.
struct Rules {
    publish: Vec<String>,
    subscribe: Vec<String>,
}

impl Client {
    fn rules(&self) -> Rules {
        let client = &self.client_id;
        match &self.access {
            Access::Provisioning { account } => Rules {
                publish: vec![
                    format!("$EDC/{account}/{client}/MQTT/#"),
                    format!("$EDC/{account}/+/+/REPLY/#"),
                    format!("$EDC/{account}/+/+/NOTIFY/{client}/#"),
                ],
                subscribe: vec![format!("$EDC/{account}/{client}/#")],
            },
            // As Kura's broker rules for devices: control and data topics of its own, replies and
            // notifications to whoever asked.
            Access::Device { account } => Rules {
                publish: vec![
                    format!("$EDC/{account}/{client}/#"),
                    format!("$EDC/{account}/+/+/REPLY/#"),
                    format!("$EDC/{account}/+/+/NOTIFY/{client}/#"),
                    format!("{account}/{client}/#"),
                ],
                subscribe: vec![
                    format!("$EDC/{account}/{client}/#"),
                    format!("{account}/{client}/#"),
                ],
            },
        }
    }

    /// Lets it in.
    pub fn admit(&self) -> Vec<Value> {
        let rules = self.rules();
        let allow = |acltype: &'static str| move |topic: &String| json!({"acltype": acltype, "topic": topic, "allow": true});
        let acls: Vec<Value> = rules
            .publish
            .iter()
            .map(allow("publishClientSend"))
            .chain(rules.subscribe.iter().map(allow("subscribePattern")))
            .collect();
        vec![
            json!({"command": "createRole", "rolename": self.username, "acls": acls}),
            json!({
                "command": "createClient",
                "username": self.username,
                "password": self.password.expose(),
                "clientid": self.client_id,
                "roles": [{"rolename": self.username}],
            }),
        ]
    }

    /// Throws it out and refuses it from now on.
    pub fn dismiss(&self) -> Vec<Value> {
        vec![
            // Disconnects it, which deleting alone does not in all versions.
            json!({"command": "disableClient", "username": self.username}),
            json!({"command": "deleteClient", "username": self.username}),
            json!({"command": "deleteRole", "rolename": self.username}),
        ]
    }
}

/// One message with these commands.
pub fn message(commands: &[Value]) -> Vec<u8> {
    json!({ "commands": commands }).to_string().into_bytes()
}

/// The errors in a response, one per failed command.
pub fn errors(response: &[u8]) -> Vec<String> {
    let Ok(response) = serde_json::from_slice::<Value>(response) else {
        return vec!["the response is no JSON".to_owned()];
    };
    let Some(responses) = response.get("responses").and_then(Value::as_array) else {
        return vec!["the response holds no responses".to_owned()];
    };
    let word = |value: &Value, key| value.get(key).and_then(Value::as_str).map(str::to_owned);
    responses
        .iter()
        .filter_map(|r| {
            let command = word(r, "command").unwrap_or_default();
            word(r, "error").map(|error| format!("{command}: {error}"))
        })
        .collect()
}
