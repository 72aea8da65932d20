//! The way back: what a gateway was and had comes back when the new account does not accept it,
//! the connection to the old one included, and the platform hears why.

use std::time::Duration;

use applications::Application;
use e2e::site::{PID, TRANSPORT};
use e2e::Site;
use gateway_component_abi::value::{Properties, Scalar, Secret, Value};
use gateway_host_sdk::ConnectionState;
use kura_formats::configurations::{remote_seal, write, Configuration};
use provision_platform::behaviour::{Behaviour, ConfigurationFault, Script};
use provision_platform::harness::TestPlatform;
use provision_platform::pki::Pki;
use provision_platform::store::{JobState, NewPackage, NewRequest, Store};

const WAIT: Duration = Duration::from_secs(30);
const DATA: &str = "org.eclipse.kura.data.DataService";

fn births(store: &Store) -> u32 {
    let devices = store.devices().unwrap();
    let device = devices.into_iter().find(|d| d.client_id == "gw-1");
    device.map_or(0, |device| device.births)
}

/// Sends the gateway to another platform.
fn send_to(site: &Site, platform: &TestPlatform) {
    let order = Properties::from([
        ("enabled".into(), true.into()),
        ("provisioned".into(), false.into()),
        (
            "broker-url".into(),
            platform.provision_broker().url().to_string().into(),
        ),
        ("password".into(), Secret::from("claim-secret").into()),
        ("retry-interval".into(), 3.into()),
    ]);
    let configuration = site.framework().unwrap().configuration();
    configuration.update(PID, &order).unwrap();
}

#[test]
fn the_old_account_has_its_gateway_again_when_the_new_one_refuses_it_and_the_platform_hears_why() {
    let pki = Pki::create().unwrap();
    let old = TestPlatform::start_with(pki.clone(), |settings| settings).unwrap();
    let new = TestPlatform::start_with(pki, |settings| settings).unwrap();
    old.request("gw-1", "claim-secret").unwrap();
    let mut site = Site::new(&old, "gw-1", "claim-secret").unwrap();
    site.start().unwrap();
    site.wait_provisioned().unwrap();
    let at = |broker: String| {
        move |info: &gateway_host_sdk::ConnectionInfo| {
            info.state == ConnectionState::Connected && info.broker == broker
        }
    };
    let (old_url, new_url) = (old.target_broker().url(), new.target_broker().url());
    site.wait_connection("the old account", WAIT, at(old_url.clone()))
        .unwrap();
    let before = site.world().unwrap();
    let known = old
        .wait_until(WAIT, |store| Ok(Some(births(store)).filter(|n| *n > 0)))
        .unwrap()
        .unwrap();

    let request = new.request("gw-1", "claim-secret").unwrap();
    new.behave(Script::once(Behaviour {
        configuration: ConfigurationFault::RefusedCredentials,
        ..Behaviour::default()
    }))
    .unwrap();
    send_to(&site, &new);
    site.wait_for_code("proof.failed").unwrap();
    site.wait_connection("the old account again", WAIT, at(old_url))
        .unwrap();
    assert_eq!(site.world().unwrap(), before, "not as before");
    // The old broker sees it come back, and the new one nothing of it.
    old.wait_until(
        WAIT,
        |store| Ok(Some(()).filter(|()| births(store) > known)),
    )
    .unwrap()
    .expect("a BIRTH at the old account");
    assert_eq!(births(&new.store()), 0);
    let told = new
        .wait_until(WAIT, |store| {
            let Some(job) = store.current_job(request)? else {
                return Ok(None);
            };
            let attempts = store.attempts(job.id)?;
            Ok(attempts.into_iter().find_map(|attempt| attempt.outcome))
        })
        .unwrap();
    assert_eq!(told.as_deref(), Some("proof.failed"));

    // The next attempt goes well.
    site.wait_provisioned().unwrap();
    site.wait_connection("the new account", WAIT, at(new_url))
        .unwrap();
    new.wait_for(request, JobState::Completed, WAIT).unwrap();
    let seen = new.wait_until(WAIT, |store| Ok(Some(births(store)).filter(|n| *n > 0)));
    assert_eq!(seen.unwrap(), Some(1));
}

fn document(all: &[(&str, &[(&str, Value)])]) -> Vec<u8> {
    let all: Vec<Configuration> = all
        .iter()
        .map(|(pid, properties)| Configuration {
            pid: (*pid).to_owned(),
            properties: properties
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        })
        .collect();
    write(&all, &mut remote_seal).unwrap()
}

#[test]
fn documents_are_merged_in_order_and_what_they_and_a_package_made_is_taken_back() {
    let platform = TestPlatform::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let heater = Application::heater("1.0");
    let mut new = NewRequest::new("gw-1", "user-gw-1", "claim-secret", "acme");
    new.packages = vec![NewPackage {
        file: heater.write(folder.path()),
        name: heater.name.clone(),
        version: heater.version.clone(),
    }];
    let request = platform.create_request(&new).unwrap();
    let target = platform.store().request(request).unwrap().unwrap().target;
    let factory = || ("service.factoryPid", Value::from("com.example.Heater"));
    let documents = |password: &str| {
        vec![
            document(&[
                (
                    "kitchen",
                    &[
                        factory(),
                        ("room", "Kitchen".into()),
                        ("mode", "economy".into()),
                    ],
                ),
                (DATA, &[("connect.auto-on-startup", false.into())]),
            ]),
            document(&[
                (
                    "cellar",
                    &[
                        factory(),
                        ("target-temperature", Value::Scalar(Scalar::Double(12.5))),
                    ],
                ),
                ("kitchen", &[("mode", "comfort".into())]),
            ]),
            document(&[
                (
                    TRANSPORT,
                    &[
                        ("broker-url", platform.target_broker().url().into()),
                        ("topic.context.account-name", "acme".into()),
                        ("username", target.username.as_str().into()),
                        ("client-id", target.client_id.as_str().into()),
                        ("password", Secret::from(password).into()),
                    ],
                ),
                (DATA, &[("connect.auto-on-startup", true.into())]),
            ]),
        ]
    };
    let sending = |password: &str| Behaviour {
        configuration: ConfigurationFault::Documents(documents(password)),
        ..Behaviour::default()
    };
    let (wrong, right) = (sending("wrong"), sending(target.password.expose()));
    platform.behave(Script::each([wrong, right])).unwrap();
    let mut site = Site::new(&platform, "gw-1", "claim-secret")
        .unwrap()
        .with("retry-interval", 3600);
    let before = site.first_start().unwrap();
    site.wait_for_code("proof.failed").unwrap();
    assert_eq!(site.world().unwrap(), before, "not as before");

    site.retry_now().unwrap();
    site.wait_provisioned().unwrap();
    platform
        .wait_for(request, JobState::Completed, WAIT)
        .unwrap();
    let property = |pid: &str, name: &str| site.property(pid, name).unwrap();
    assert_eq!(property("kitchen", "room"), Some("Kitchen".into()));
    assert_eq!(property("kitchen", "mode"), Some("comfort".into()));
    assert_eq!(
        property("cellar", "target-temperature"),
        Some(Value::Scalar(Scalar::Double(12.5)))
    );
    assert_eq!(property("cellar", "mode"), Some("comfort".into()));
    assert_eq!(property(DATA, "connect.auto-on-startup"), Some(true.into()));
    let framework = site.framework().unwrap();
    framework.settle();
    let active: Vec<String> = framework
        .components()
        .into_iter()
        .filter(|component| component.factory_pid == "com.example.Heater")
        .map(|component| component.pid)
        .collect();
    assert_eq!(active, ["cellar", "kitchen"]);
}
