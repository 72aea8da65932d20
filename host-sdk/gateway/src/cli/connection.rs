//! `gateway connection`: the cloud connections of a running gateway, over REST.

use serde_json::{json, Value};

use super::args::{Connection, Listed, Named};
use super::client::Client;
use super::error::CliError;
use super::out;

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
        out::json(&answer);
        return Ok(());
    }
    let heading = ["CONNECTION", "STATE", "ACCOUNT", "CLIENT-ID", "BROKER", ""];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    let instances = answer
        .get("cloudEndpointInstances")
        .and_then(Value::as_array);
    for connection in instances.into_iter().flatten() {
        let cell = |key: &str| {
            connection
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let keys = [
            "cloudEndpointPid",
            "state",
            "account",
            "clientId",
            "broker",
            "lastError",
        ];
        rows.push(keys.map(cell).to_vec());
    }
    out::table(&rows);
    Ok(())
}
