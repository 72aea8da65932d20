//! `/services/cloudconnection/v1`: Kura's interface to cloud connections.
//!
//! There is one factory, that of Kura's default stack, and there are no publishers or
//! subscribers. Beyond Kura an instance says its stack, its account, client-id and broker, why it
//! is not connected, and what became of its control messages. Kura's `configurations` resources are those of
//! `configuration/v2`, restricted to stacks; they are not repeated here.

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::{get, post};
use axum::Router;
use gateway_host_sdk::{ConnectionInfo, ConnectionState};
use serde::Deserialize;
use serde_json::{json, Value};

use super::answer::{blocking, done, ok, parse, Answer, Refusal};
use super::Shared;
use crate::cli::connection::FACTORY;
use crate::control;

/// What a name may be, as Kura's factory says it (`kura.ui.csf.pid.regex`).
const PATTERN: &str = "^org.eclipse.kura.cloud.CloudService\\-[a-zA-Z0-9]+$";

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/instances", get(instances))
        .route("/factories", get(factories))
        .route("/cloudEndpoint", post(create).delete(delete))
        .route("/cloudEndpoint/stackComponentPids", post(stack))
        .route("/cloudEndpoint/connect", post(connect))
        .route("/cloudEndpoint/disconnect", post(disconnect))
        .route("/cloudEndpoint/isConnected", post(is_connected))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    cloud_connection_factory_pid: Option<String>,
    cloud_endpoint_pid: String,
}

impl Endpoint {
    /// Reads a request that has to name the factory.
    fn of_factory(body: &Bytes) -> Result<String, Refusal> {
        let endpoint: Endpoint = parse(body)?;
        match endpoint.cloud_connection_factory_pid.as_deref() {
            Some(FACTORY) => Ok(endpoint.cloud_endpoint_pid),
            Some(other) => Err(Refusal::absent(format!("there is no factory {other:?}"))),
            None => Err(Refusal::bad(
                "parameter \"cloudConnectionFactoryPid\" is required",
            )),
        }
    }

    fn pid(body: &Bytes) -> Result<String, Refusal> {
        parse::<Endpoint>(body).map(|endpoint| endpoint.cloud_endpoint_pid)
    }
}

async fn instances(State(shared): State<Shared>) -> Answer {
    blocking(shared, |shared| {
        let instances: Vec<_> = shared
            .framework
            .connections()
            .iter()
            .map(instance)
            .collect();
        ok(&json!({"cloudEndpointInstances": instances, "pubsubInstances": []}))
    })
    .await
}

fn instance(connection: &ConnectionInfo) -> Value {
    json!({
        "cloudConnectionFactoryPid": FACTORY,
        "cloudEndpointPid": connection.pid,
        // Kura knows UNREGISTERED, DISCONNECTED and CONNECTED; the way there is CONNECTING.
        "state": connection.state.as_str(),
        "cloudEndpointType": "CLOUD_CONNECTION_MANAGER",
        "stackComponentPids": stack_of(connection),
        "provisioningPid": connection.provisioning_pid,
        "account": connection.account,
        "clientId": connection.client_id,
        "broker": connection.broker,
        "lastError": connection.last_error,
        "since": connection.since_ms,
        "controlMessages": control::to_json(&connection.control),
    })
}

fn stack_of(connection: &ConnectionInfo) -> Vec<&str> {
    let mut pids = vec![
        connection.pid.as_str(),
        connection.data_pid.as_str(),
        connection.transport_pid.as_str(),
    ];
    pids.extend(connection.provisioning_pid.as_deref());
    pids
}

async fn factories() -> Answer {
    ok(&json!({
        "cloudConnectionFactories": [{
            "cloudConnectionFactoryPid": FACTORY,
            "defaultCloudEndpointPid": format!("{FACTORY}-2"),
            "cloudEndpointPidRegex": PATTERN,
        }],
        "pubSubFactories": [],
    }))
}

async fn stack(State(shared): State<Shared>, body: Bytes) -> Answer {
    let pid = Endpoint::of_factory(&body)?;
    blocking(shared, move |shared| {
        let connection = find(shared, &pid)?;
        ok(&json!({"pids": stack_of(&connection)}))
    })
    .await
}

async fn create(State(shared): State<Shared>, body: Bytes) -> Answer {
    let pid = Endpoint::of_factory(&body)?;
    blocking(shared, move |shared| {
        shared
            .framework
            .create_connection(&pid)
            .map_err(|e| Refusal::called(&e))?;
        done()
    })
    .await
}

async fn delete(State(shared): State<Shared>, body: Bytes) -> Answer {
    let pid = Endpoint::of_factory(&body)?;
    blocking(shared, move |shared| {
        shared
            .framework
            .delete_connection(&pid)
            .map_err(|e| Refusal::called(&e))?;
        done()
    })
    .await
}

async fn connect(State(shared): State<Shared>, body: Bytes) -> Answer {
    let pid = Endpoint::pid(&body)?;
    blocking(shared, move |shared| {
        shared
            .framework
            .connect(&pid)
            .map_err(|e| Refusal::called(&e))?;
        done()
    })
    .await
}

async fn disconnect(State(shared): State<Shared>, body: Bytes) -> Answer {
    let pid = Endpoint::pid(&body)?;
    blocking(shared, move |shared| {
        shared
            .framework
            .disconnect(&pid)
            .map_err(|e| Refusal::called(&e))?;
        done()
    })
    .await
}

async fn is_connected(State(shared): State<Shared>, body: Bytes) -> Answer {
    let pid = Endpoint::pid(&body)?;
    blocking(shared, move |shared| {
        let connection = find(shared, &pid)?;
        ok(&json!({"connected": connection.state == ConnectionState::Connected}))
    })
    .await
}

fn find(shared: &Shared, pid: &str) -> Result<ConnectionInfo, Refusal> {
    let found = shared
        .framework
        .connections()
        .into_iter()
        .find(|c| c.pid == pid);
    found.ok_or_else(|| Refusal::absent(format!("there is no cloud connection {pid:?}")))
}
