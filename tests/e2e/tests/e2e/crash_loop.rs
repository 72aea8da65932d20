//! An application that takes the gateway with it, brought by a provisioning: the gateway comes up
//! again, takes the provisioning back, and takes a better one.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use applications::Application;
use e2e::process::Process;
use e2e::Site;
use gateway_component_abi::value::{Properties, Value};
use kura_formats::configurations::{remote_seal, write, Configuration};
use provision_platform::behaviour::{Behaviour, ConfigurationFault, Script};
use provision_platform::harness::TestPlatform;
use provision_platform::store::{JobState, NewPackage, NewRequest};

/// Before the ProvisioningService, by its name: at a start it is activated first, and would keep that
/// from taking it back.
const HEATER: &str = "boiler-heater";
const WAIT: Duration = Duration::from_secs(60);

/// An instance of the heater, and the connection to the target account.
fn documents(platform: &TestPlatform, request: i64) -> ConfigurationFault {
    let target = platform.store().request(request).unwrap().unwrap().target;
    let one = |pid: &str, properties: &[(&str, Value)]| Configuration {
        pid: pid.to_owned(),
        properties: properties
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect::<Properties>(),
    };
    let all = [
        one(
            HEATER,
            &[("service.factoryPid", "com.example.Heater".into())],
        ),
        one(
            e2e::site::TRANSPORT,
            &[
                ("broker-url", platform.target_broker().url().into()),
                ("topic.context.account-name", target.account.as_str().into()),
                ("username", target.username.as_str().into()),
                ("password", target.password.expose().into()),
                ("client-id", target.client_id.as_str().into()),
            ],
        ),
        one(
            "org.eclipse.kura.data.DataService",
            &[("connect.auto-on-startup", true.into())],
        ),
    ];
    ConfigurationFault::Documents(vec![write(&all, &mut remote_seal).unwrap()])
}

/// Has the platform bring this heater.
fn bring(platform: &TestPlatform, heater: &Application) -> i64 {
    let folder = tempfile::tempdir().unwrap();
    let mut new = NewRequest::new("gw-1", "user-gw-1", "secret", "acme");
    new.overwrite = true;
    new.packages = vec![NewPackage {
        file: heater.write(folder.path()),
        name: heater.name.clone(),
        version: heater.version.clone(),
    }];
    let request = platform.create_request(&new).unwrap();
    let behaviour = Behaviour {
        configuration: documents(platform, request),
        ..Behaviour::default()
    };
    platform.behave(Script::always(behaviour)).unwrap();
    request
}

#[test]
fn an_application_that_crashes_the_gateway_is_taken_back_and_a_better_one_taken() {
    let platform = TestPlatform::start().unwrap();
    bring(&platform, &Application::heater("1.0").with("HEATER_DYING"));
    let site = Site::new(&platform, "gw-1", "secret").unwrap();
    let run = || {
        let arguments = ["--until", "provisioned", "--deadline", "40"];
        let gateway = Process::start(&site, &arguments).unwrap();
        gateway.ended(WAIT).unwrap()
    };
    for _ in 0..3 {
        let status = run();
        assert!(status.signal().is_some(), "{status}");
    }
    let request = bring(&platform, &Application::heater("1.1"));
    let status = run();
    assert_eq!(status.code(), Some(0), "{status}");
    platform
        .wait_for(request, JobState::Completed, WAIT)
        .unwrap();
    let mut site = site;
    site.start().unwrap();
    let installed = site.property(HEATER, "service.factoryPid").unwrap();
    assert_eq!(installed, Some("com.example.Heater".into()));
}
