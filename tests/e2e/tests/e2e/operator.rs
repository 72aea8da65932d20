//! What an operator does to the configuration while a provisioning is being applied.

use std::net::TcpListener;
use std::time::Duration;

use e2e::site::{error_code, state, PID, TRANSPORT};
use e2e::Site;
use gateway_component_abi::value::Properties;
use gateway_host_sdk::configuration::{ConfigurationError, ConfigurationService};
use provision_platform::behaviour::{Behaviour, ConfigurationFault, Rejection, Script, Step};
use provision_platform::harness::TestPlatform;

const WAIT: Duration = Duration::from_secs(30);
const CLOUD: &str = "org.eclipse.kura.cloud.CloudService";

/// A gateway that waits for the broker of its new account, which never answers.
fn proving() -> (TestPlatform, TcpListener, Site) {
    let platform = TestPlatform::start().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let broker = format!("mqtts://{}", silent.local_addr().unwrap());
    let behaviour = Behaviour {
        configuration: ConfigurationFault::Broker(broker),
        ..Behaviour::default()
    };
    platform.behave(Script::once(behaviour)).unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    site.wait("proving", WAIT, |status| state(status) == "proving")
        .unwrap();
    (platform, silent, site)
}

fn change(
    service: &ConfigurationService,
    pid: &str,
    name: &str,
) -> Result<u64, ConfigurationError> {
    let value = Properties::from([(name.to_owned(), "by hand".into())]);
    service.update(pid, &value)
}

#[test]
fn what_a_provisioning_may_take_back_is_refused_and_everything_else_stays() {
    let (_platform, _silent, mut site) = proving();
    let service = || site.framework().unwrap().configuration();
    // A change of what the provisioning has changed would be lost by its undo, or undo it.
    let refused = change(service(), TRANSPORT, "username")
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains(TRANSPORT) && refused.contains(PID),
        "{refused}"
    );
    let refused = service().rollback(0).unwrap_err();
    assert!(
        matches!(refused, ConfigurationError::Reserved { .. }),
        "{refused}"
    );
    let connection = site
        .framework()
        .unwrap()
        .delete_connection(CLOUD)
        .unwrap_err();
    assert_eq!(connection.status, gateway_component_abi::status::E_CONFLICT);
    let all = service().pids();
    assert!(
        all.iter().any(|pid| pid == PID),
        "half of the connection is gone"
    );
    // Another component is nobody's business, and neither is the one that provisions.
    change(service(), CLOUD, "device.custom-name").unwrap();
    site.set("enabled", false).unwrap();
    site.wait("idle", WAIT, |status| state(status) == "idle")
        .unwrap();
    assert_eq!(
        site.property(CLOUD, "device.custom-name").unwrap(),
        Some("by hand".into())
    );
    // It is over.
    let service = site.framework().unwrap().configuration();
    change(service, TRANSPORT, "username").unwrap();
}

/// What it has applied is there when the gateway starts again, until the component takes it back.
#[test]
fn what_a_restart_has_cut_off_is_reserved_until_it_is_taken_back() {
    let (platform, _silent, mut site) = proving();
    let applied = site.property(TRANSPORT, "username").unwrap();
    let reserved = site.data().join("snapshots/reserved.json");
    site.stop();
    drop(platform);
    let held = std::fs::read_to_string(&reserved).unwrap();
    assert!(held.contains(TRANSPORT) && held.contains(PID), "{held}");
    site.start().unwrap();
    let free = |_: &serde_json::Value| std::fs::read_to_string(&reserved).unwrap() == "[]";
    site.wait("its own change taken back", WAIT, free).unwrap();
    assert_ne!(site.property(TRANSPORT, "username").unwrap(), applied);
    let service = site.framework().unwrap().configuration();
    change(service, TRANSPORT, "username").unwrap();
}

#[test]
fn once_provisioned_everything_can_be_changed() {
    let (_platform, silent, mut site) = proving();
    // The next attempt names the right one.
    drop(silent);
    site.set("retry-interval", 1).unwrap();
    site.wait_provisioned().unwrap();
    let service = site.framework().unwrap().configuration();
    change(service, TRANSPORT, "lwt.payload").unwrap();
}

#[test]
fn a_provisioning_that_cannot_be_sealed_keeps_nothing() {
    let platform = TestPlatform::start().unwrap();
    let rejection = Rejection {
        code: "request.not-active".into(),
        message: "not yet".into(),
        retry_after: None,
    };
    let behaviour = Behaviour {
        reject_at: Some((Step::Certificates, rejection)),
        ..Behaviour::default()
    };
    platform.behave(Script::once(behaviour)).unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    let status = site.wait_for_code("platform.rejected").unwrap();
    // The transaction goes on in the next attempt, and its plan cannot be written.
    let transaction = status["transaction"].as_str().unwrap();
    let staging = site.data().join("components").join(PID).join("staging");
    let plan = staging.join(format!("{transaction}.plan"));
    std::fs::create_dir_all(plan.join("in-the-way")).unwrap();
    site.wait("the plan in vain", WAIT, |status| {
        error_code(status) == "storage.unwritable"
    })
    .unwrap();
    // The code is told before what was captured is let go.
    let service = site.framework().unwrap().configuration().clone();
    site.wait("a change by hand", WAIT, |_| {
        change(&service, TRANSPORT, "lwt.payload").is_ok()
    })
    .unwrap();
    std::fs::remove_dir_all(plan).unwrap();
    site.wait_provisioned().unwrap();
}
