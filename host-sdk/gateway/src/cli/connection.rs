//! `gateway connection`: the cloud connections of a running gateway, over REST.

use serde_json::{json, Value};

use super::args::{Connection, Listed, Named};
use super::client::Client;
use super::error::CliError;
use super::out;
use crate::control;

const BASE: &str = "/cloudconnection/v1";

/// The factory of the stack, by Kura's name.
pub const FACTORY: &str = "org.eclipse.kura.cloud.CloudService";

/// Does what the command says.
///
/// # Errors
/// As the client.
pub fn run(command: &Connection) -> Result<(), CliError> {
    match command {
        Connection::List(listed) => list(listed),
        Connection::Create(named) => {
            Client::find(&named.reach)?.post(&format!("{BASE}/cloudEndpoint"), &endpoint(named))?;
            Ok(())
        }
        Connection::Delete(named) => {
            Client::find(&named.reach)?
                .delete(&format!("{BASE}/cloudEndpoint"), &endpoint(named))?;
            Ok(())
        }
        Connection::Connect(named) => act(named, "connect"),
        Connection::Disconnect(named) => act(named, "disconnect"),
    }
}

fn endpoint(named: &Named) -> Value {
    json!({"cloudConnectionFactoryPid": FACTORY, "cloudEndpointPid": named.pid})
}

fn act(named: &Named, action: &str) -> Result<(), CliError> {
    let path = format!("{BASE}/cloudEndpoint/{action}");
    Client::find(&named.reach)?.post(&path, &json!({"cloudEndpointPid": named.pid}))?;
    Ok(())
}

fn list(listed: &Listed) -> Result<(), CliError> {
    let answer = Client::find(&listed.reach)?.get(&format!("{BASE}/instances"))?;
    if listed.json {
        out::json(&answer)?;
        return Ok(());
    }
    let heading = [
        "CONNECTION",
        "STATE",
        "ACCOUNT",
        "CLIENT-ID",
        "BROKER",
        "CONTROL MESSAGES",
        "",
    ];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for connection in instances(&answer) {
        let cell = |key: &str| {
            connection
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let keys = ["cloudEndpointPid", "state", "account", "clientId", "broker"];
        let mut row = keys.map(cell).to_vec();
        let control = connection
            .get("controlMessages")
            .and_then(control::in_words);
        row.push(control.unwrap_or_default());
        row.push(cell("lastError"));
        rows.push(row);
    }
    out::table(&rows)?;
    Ok(())
}

/// The control messages of the connection that a ProvisioningService belongs to, in words; nothing
/// where none came.
///
/// # Errors
/// As the client.
pub(super) fn control_of(client: &Client, provisioning: &str) -> Result<Option<String>, CliError> {
    let answer = client.get(&format!("{BASE}/instances"))?;
    let own = |connection: &&Value| {
        connection.get("provisioningPid").and_then(Value::as_str) == Some(provisioning)
    };
    let connection = instances(&answer).find(own);
    Ok(connection
        .and_then(|connection| connection.get("controlMessages"))
        .and_then(control::in_words))
}

fn instances(answer: &Value) -> impl Iterator<Item = &Value> {
    let list = answer.get("cloudEndpointInstances");
    list.and_then(Value::as_array).into_iter().flatten()
}
