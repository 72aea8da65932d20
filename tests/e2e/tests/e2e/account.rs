//! A provisioned gateway, asked by its platform.

use std::time::Duration;

use e2e::site::{PID, TRANSPORT};
use e2e::Site;
use kura_formats::topic::Method;
use provision_platform::control::{ControlFault, ControlRequest};
use provision_platform::harness::TestPlatform;

fn provisioned() -> (TestPlatform, Site) {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    site.wait_provisioned().unwrap();
    (platform, site)
}

fn get(resource: &str) -> ControlRequest {
    ControlRequest::new("acme", "gw-1", Method::Get, "CONF-V1", resource)
}

fn text(body: Option<Vec<u8>>) -> String {
    String::from_utf8(body.unwrap_or_default()).unwrap()
}

#[test]
fn the_platform_reads_configurations_and_snapshots_of_a_gateway_that_it_has_provisioned() {
    let (platform, _site) = provisioned();
    let one = platform
        .control(&get(&format!("configurations/{TRANSPORT}")))
        .unwrap();
    assert_eq!(one.code, 200);
    let document = text(one.payload.body);
    assert!(
        document.contains("broker-url") && document.contains("gw-1"),
        "{document}"
    );
    let snapshots = platform.control(&get("snapshots")).unwrap();
    assert_eq!(snapshots.code, 200);
    assert!(text(snapshots.payload.body).contains("snapshotIds"));
    let unknown = platform.control(&get("nonsense")).unwrap();
    assert_eq!(unknown.code, 404);
}

#[test]
fn the_platform_changes_a_configuration_and_takes_the_change_back() {
    let (platform, site) = provisioned();
    let name =
        |site: &Site| site.property("org.eclipse.kura.cloud.CloudService", "device.custom-name");
    let before = name(&site).unwrap();
    let document = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
        <esf:configurations xmlns:esf=\"http://eurotech.com/esf/2.0\">\
        <esf:configuration pid=\"org.eclipse.kura.cloud.CloudService\"><esf:properties>\
        <esf:property name=\"device.custom-name\" array=\"false\" encrypted=\"false\" type=\"String\">\
        <esf:value>by the platform</esf:value></esf:property>\
        </esf:properties></esf:configuration></esf:configurations>";
    let put = ControlRequest::new("acme", "gw-1", Method::Put, "CONF-V1", "configurations");
    let put = platform.control(&put.with_body(document)).unwrap();
    assert_eq!(put.code, 200, "{:?}", put.payload);
    wait(&site, "the change", || {
        name(&site).unwrap() == Some("by the platform".into())
    });
    // The change may have made the gateway connect anew.
    let rollback = ControlRequest::new("acme", "gw-1", Method::Exec, "CONF-V1", "rollback");
    wait(&site, "an answer to the rollback", || {
        let mut asked = rollback.clone();
        asked.within = Duration::from_secs(3);
        platform
            .control(&asked)
            .is_ok_and(|reply| reply.code == 200)
    });
    wait(&site, "the old value", || name(&site).unwrap() == before);
    let provisioned = site.property(PID, "provisioned").unwrap();
    assert_eq!(provisioned, Some(true.into()));
}

#[test]
fn nothing_is_obeyed_or_answered_with_200_that_is_not_rightly_signed() {
    let (platform, _site) = provisioned();
    for fault in ControlFault::ALL {
        let mut asked = get("snapshots").with_fault(fault);
        asked.within = Duration::from_secs(2);
        let code = platform.control(&asked).map(|reply| reply.code);
        match fault {
            ControlFault::None => assert_eq!(code.unwrap(), 200),
            // The same request again may have the recorded reply again.
            ControlFault::Replayed => {}
            _ => assert!(!matches!(code, Ok(200)), "{fault:?}"),
        }
    }
    let after = platform.control(&get("snapshots")).unwrap();
    assert_eq!(after.code, 200, "it still answers who may ask");
}

fn wait(site: &Site, what: &str, mut holds: impl FnMut() -> bool) {
    let events = site.framework().unwrap().events();
    let end = std::time::Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(std::time::Instant::now() < end, "not within 30 s: {what}");
        drop(events.recv_timeout(Duration::from_millis(250)));
    }
}
