//! The proof and the cloud connection make the same client-id of what is configured.

use std::time::Duration;

use e2e::site::TRANSPORT;
use e2e::Site;
use gateway_component_abi::value::{Properties, Secret};
use kura_formats::configurations::{self, remote_seal, Configuration};
use provision_platform::behaviour::{Behaviour, ConfigurationFault, Script};
use provision_platform::harness::TestPlatform;
use provision_platform::store::NewRequest;

const WAIT: Duration = Duration::from_secs(30);

/// Provisions a gateway whose new configuration says `configured`, into an account whose broker lets
/// it in as `expected` alone.
fn becomes(configured: &str, expected: &str) {
    let platform = TestPlatform::start().unwrap();
    let mut new = NewRequest::new("gw-1", "user-gw-1", "secret", "acme");
    new.target_client_id = Some(expected.to_owned());
    let request = platform.create_request(&new).unwrap();
    let target = platform.store().request(request).unwrap().unwrap().target;
    let transport = Properties::from([
        (
            "broker-url".into(),
            platform.target_broker().url().to_string().into(),
        ),
        (
            "topic.context.account-name".into(),
            target.account.as_str().into(),
        ),
        ("username".into(), target.username.as_str().into()),
        (
            "password".into(),
            Secret::from(target.password.expose()).into(),
        ),
        ("client-id".into(), configured.into()),
    ]);
    let data = Properties::from([("connect.auto-on-startup".into(), true.into())]);
    let all = [
        (TRANSPORT, transport),
        ("org.eclipse.kura.data.DataService", data),
    ]
    .map(|(pid, properties)| Configuration {
        pid: pid.to_owned(),
        properties,
    });
    let document = configurations::write(&all, &mut remote_seal).unwrap();
    let behaviour = Behaviour {
        configuration: ConfigurationFault::Documents(vec![document]),
        ..Behaviour::default()
    };
    platform.behave(Script::always(behaviour)).unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    let status = site.wait_provisioned().unwrap();
    assert_eq!(status["attempt"], 1, "{status}");
    assert_eq!(status["target"]["client_id"], expected, "{status}");
    let device = platform
        .wait_until(WAIT, |store| {
            Ok(store
                .devices()?
                .into_iter()
                .find(|d| d.client_id == expected))
        })
        .unwrap();
    assert!(device.is_some(), "the account saw no BIRTH of {expected}");
}

#[test]
fn characters_that_no_topic_may_have_are_replaced_in_both() {
    becomes("gw.1/kitchen", "gw-1-kitchen");
}

#[test]
fn an_empty_one_is_the_mac_address_in_both() {
    becomes("", "020000000001");
}
