//! Whole provisionings, by a scripted device, over real brokers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "../client/mod.rs"]
mod client;
mod control;
mod hostile;
mod keys;
mod package_server;
mod packages;
mod provisioning;
mod restart;

use client::{Client, Login, PATIENCE};
use kura_formats::configurations::{read, remote_open, XmlLimits};
use kura_formats::payload::{encode, Payload};
use mqtt_session::Failure;
use provision_platform::harness::TestPlatform;
use provision_platform::secret::Secret;
use provision_platform::store::{JobState, TargetCredentials};

const TRANSPORT: &str = "org.eclipse.kura.core.data.transport.mqtt.MqttDataTransport";

fn platform() -> TestPlatform {
    client::log();
    TestPlatform::start().unwrap()
}

/// The broker address and credentials of a CONF-V1 document.
fn credentials(document: &[u8]) -> (String, TargetCredentials) {
    let all = read(document, &XmlLimits::default(), &mut remote_open).unwrap();
    let transport = all.iter().find(|c| c.pid == TRANSPORT).unwrap();
    let text = |name: &str| transport.properties[name].as_str().unwrap().to_owned();
    let credentials = TargetCredentials {
        account: text("topic.context.account-name"),
        client_id: text("client-id"),
        username: text("username"),
        password: Secret::new(
            transport.properties["password"]
                .as_secret()
                .unwrap()
                .expose(),
        ),
    };
    (text("broker-url"), credentials)
}

fn join_target(platform: &TestPlatform, document: &[u8]) -> Result<Client, Failure> {
    let (url, target) = credentials(document);
    let login = Login {
        client_id: &target.client_id,
        username: &target.username,
        password: target.password.expose(),
    };
    let topic = format!("$EDC/{}/{}/#", target.account, target.client_id);
    Client::connect(
        &url,
        platform.pki().tls_root.certificate(),
        login,
        &[&topic],
    )
}

fn birth(client: &Client, id: &str, transaction: &str) {
    let payload = Payload::new()
        .with_metric("display_name", "the device")
        .with_metric("prov.transaction.id", transaction);
    client.publish(&format!("$EDC/acme/{id}/MQTT/BIRTH"), encode(&payload));
}

fn completed(platform: &TestPlatform, request: i64) -> provision_platform::store::Job {
    platform
        .wait_for(request, JobState::Completed, PATIENCE)
        .unwrap()
}

fn failed(platform: &TestPlatform, request: i64) -> String {
    let job = platform
        .wait_for(request, JobState::Failed, PATIENCE)
        .unwrap();
    job.error_code.unwrap()
}
