//! Applications: fetched from the platform over HTTPS, installed with the transaction, taken back
//! with it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use applications::Application;
use component_check::stopwatch::Stopwatch;
use contract::process::thread_names;
use e2e::site::{state, PID, TRANSPORT};
use e2e::Site;
use gateway_component_abi::value::{Properties, Scalar, Secret, Value};
use gateway_host_sdk::ComponentState;
use kura_formats::configurations::{self, remote_seal, Configuration};
use provision_platform::behaviour::{Behaviour, ConfigurationFault, PackageFault, Script};
use provision_platform::harness::TestPlatform;
use provision_platform::store::{JobState, NewPackage, NewRequest};
use serde_json::Value as Json;

const WAIT: Duration = Duration::from_secs(40);
const HEATER: &str = "com.example.Heater";

/// A request with these packages.
fn request(platform: &TestPlatform, apps: &[Application]) -> i64 {
    let folder = tempfile::tempdir().unwrap();
    let mut new = NewRequest::new("gw-1", "user-gw-1", "secret", "acme");
    new.packages = apps
        .iter()
        .map(|app| NewPackage {
            file: app.write(folder.path()),
            name: app.name.clone(),
            version: app.version.clone(),
        })
        .collect();
    platform.create_request(&new).unwrap()
}

fn fault(number: usize, fault: PackageFault) -> Behaviour {
    Behaviour {
        package: Some((number, fault)),
        ..Behaviour::default()
    }
}

/// The connection to the target account, and a heater in the kitchen.
fn with_a_heater(platform: &TestPlatform, request: i64) -> ConfigurationFault {
    let target = platform.store().request(request).unwrap().unwrap().target;
    let one = |pid: &str, properties: Vec<(&str, Value)>| {
        let properties: Properties = properties
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let pid = pid.to_owned();
        configurations::write(&[Configuration { pid, properties }], &mut remote_seal).unwrap()
    };
    let transport = vec![
        ("broker-url", platform.target_broker().url().into()),
        ("topic.context.account-name", target.account.as_str().into()),
        ("username", target.username.as_str().into()),
        ("password", Secret::from(target.password.expose()).into()),
        ("client-id", target.client_id.as_str().into()),
    ];
    let heater = vec![
        ("service.factoryPid", HEATER.into()),
        ("enabled", true.into()),
        ("room", "kitchen".into()),
        ("target-temperature", Value::Scalar(Scalar::Double(19.5))),
    ];
    let data = vec![("connect.auto-on-startup", true.into())];
    ConfigurationFault::Documents(vec![
        one("heater-1", heater),
        one(TRANSPORT, transport),
        one("org.eclipse.kura.data.DataService", data),
    ])
}

fn site(platform: &TestPlatform) -> Site {
    Site::new(platform, "gw-1", "secret").unwrap()
}

fn heater(site: &Site) -> Option<Json> {
    let framework = site.framework().unwrap();
    let all = framework.components();
    let heater = all.iter().find(|c| c.factory_pid == HEATER)?;
    assert_eq!(heater.state, ComponentState::Active, "{:?}", heater.error);
    serde_json::from_str(&framework.status(&heater.pid)?).ok()
}

/// Downloads that lie in the component's folder.
fn downloads(site: &Site) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => walk(&path, found),
                path if path.extension().is_some_and(|e| e == "package") => found.push(path),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(&site.data(), &mut found);
    found
}

fn packages(site: &Site) -> Vec<String> {
    let list = site.framework().unwrap().packages().list();
    list.iter()
        .map(|package| format!("{} {}", package.name, package.version))
        .collect()
}

#[test]
fn applications_come_over_a_line_that_breaks_and_are_alive_with_their_configuration() {
    let platform = TestPlatform::start().unwrap();
    let apps = [
        Application::heater("1.2.0"),
        Application::named("pump", "0.9"),
    ];
    let request = request(&platform, &apps);
    let behaviour = Behaviour {
        configuration: with_a_heater(&platform, request),
        ..fault(0, PackageFault::CutOnce { at: 3_000 })
    };
    platform.behave(Script::once(behaviour)).unwrap();
    let mut site = site(&platform);
    site.start().unwrap();
    let status = site.wait_provisioned().unwrap();
    assert_eq!(status["attempt"], 1, "the cut ended nothing: {status:#}");
    assert_eq!(packages(&site), ["heater 1.2.0", "pump 0.9"]);
    let alive = heater(&site).expect("the heater runs");
    assert_eq!(alive["state"], "heating");
    assert_eq!(alive["room"], "kitchen");
    assert_eq!(alive["release"], "1.2.0");
    assert!(downloads(&site).is_empty(), "{:?}", downloads(&site));

    // What people and the platform were told.
    let mut received = 0;
    for (line, name) in status["packages"]
        .as_array()
        .unwrap()
        .iter()
        .zip(["heater", "pump"])
    {
        assert_eq!(
            (&line["name"], &line["state"]),
            (&name.into(), &"staged".into())
        );
        assert_eq!(line["received"], line["size"]);
        received += line["size"].as_u64().unwrap();
    }
    assert!(
        status["bytes"]["received"].as_u64().unwrap() > received,
        "{status:#}"
    );
    let job = platform
        .wait_for(request, JobState::Completed, WAIT)
        .unwrap();
    let attempt = platform.store().attempts(job.id).unwrap().remove(0);
    let told = platform.store().downloads(attempt.id).unwrap();
    assert_eq!(told.len(), 2);
    assert!(told
        .iter()
        .all(|d| d.status == "COMPLETED" && d.progress == 100));
    let record = read_record(&site).unwrap();
    assert!(
        record.contains(r#"["heater 1.2.0","pump 0.9"]"#),
        "{record}"
    );

    // They stay over a restart.
    site.stop();
    site.start().unwrap();
    site.wait_provisioned().unwrap();
    assert_eq!(heater(&site).unwrap()["room"], "kitchen");
}

fn read_record(site: &Site) -> std::io::Result<String> {
    fn find(folder: &Path) -> Option<PathBuf> {
        for entry in std::fs::read_dir(folder).ok()?.flatten() {
            let path = entry.path();
            if path.ends_with("record.jsonl") {
                return Some(path);
            }
            if let Some(found) = path.is_dir().then(|| find(&path)).flatten() {
                return Some(found);
            }
        }
        None
    }
    std::fs::read_to_string(find(&site.data()).unwrap_or_default())
}

#[test]
fn a_new_account_that_refuses_takes_the_applications_back() {
    let platform = TestPlatform::start().unwrap();
    request(&platform, &[Application::heater("1.0")]);
    let behaviour = Behaviour {
        configuration: ConfigurationFault::RefusedCredentials,
        ..Behaviour::default()
    };
    platform.behave(Script::once(behaviour)).unwrap();
    let mut site = site(&platform).with("retry-interval", 600);
    let before = site.first_start().unwrap();
    let status = site.wait_for_code("proof.failed").unwrap();
    assert_eq!(status["packages"][0]["state"], "staged", "{status:#}");
    assert_eq!(site.world().unwrap(), before);
    assert!(packages(&site).is_empty() && downloads(&site).is_empty());
    assert!(heater(&site).is_none());
    // The next attempt fetches it again, and keeps it.
    site.framework()
        .unwrap()
        .act(PID, gateway_host_sdk::Action::RetryNow)
        .unwrap();
    site.wait_provisioned().unwrap();
    assert_eq!(packages(&site), ["heater 1.0"]);
}

/// A site in the middle of a download that has stalled.
fn stalled(platform: &TestPlatform) -> Site {
    request(platform, &[Application::heater("1.0")]);
    let stall = fault(0, PackageFault::Stall { after: 2_000 });
    platform.behave(Script::once(stall)).unwrap();
    let mut site = site(platform).with("timeout", 10);
    site.start().unwrap();
    site.wait("a download under way", WAIT, |status| {
        status["packages"][0]["received"].as_u64() == Some(2_000)
    })
    .unwrap();
    site
}

/// Whether a download is under way in this process; other tests have theirs, unless each has a
/// process.
fn downloading() -> bool {
    // The kernel keeps fifteen bytes of a name.
    thread_names()
        .iter()
        .any(|name| name.starts_with("package-downloa"))
}

#[test]
fn switching_off_in_the_middle_of_a_download_leaves_nothing() {
    let platform = TestPlatform::start().unwrap();
    let mut site = stalled(&platform);
    assert_eq!(downloads(&site).len(), 1);
    assert!(downloading());
    let watch = Stopwatch::start();
    site.set("enabled", false).unwrap();
    site.wait("idle", WAIT, |status| state(status) == "idle")
        .unwrap();
    let took = watch.stop();
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(downloads(&site).is_empty());
    if std::env::var_os("NEXTEST").is_some() {
        assert!(
            !downloading(),
            "its thread ends before everything is taken back"
        );
    }
    site.set("enabled", true).unwrap();
    site.wait_provisioned().unwrap();
    assert_eq!(packages(&site), ["heater 1.0"]);
}

#[test]
fn the_gateway_stops_at_once_in_the_middle_of_a_download_and_sweeps_it_up_later() {
    let platform = TestPlatform::start().unwrap();
    let mut site = stalled(&platform);
    let watch = Stopwatch::start();
    site.stop();
    let took = watch.stop();
    assert!(took < Duration::from_secs(2), "{took:?}");
    site.start().unwrap();
    site.wait_provisioned().unwrap();
    assert_eq!(packages(&site), ["heater 1.0"]);
    assert!(downloads(&site).is_empty());
}

#[test]
fn the_deadline_ends_a_download_that_stalls_and_the_next_attempt_succeeds() {
    let platform = TestPlatform::start().unwrap();
    let mut site = stalled(&platform);
    let status = site.wait_for_code("package.unavailable").unwrap();
    let message = status["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("heater 1.0") && message.contains("2000 of"),
        "{message}"
    );
    assert!(downloads(&site).is_empty());
    site.wait_provisioned().unwrap();
}

#[test]
fn nine_applications_with_a_password_come_one_after_the_other() {
    let platform = TestPlatform::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut new = NewRequest::new("gw-1", "user-gw-1", "secret", "acme");
    new.package_credentials = true;
    for app in Application::several(9, "1.0") {
        new.packages.push(NewPackage {
            file: app.write(folder.path()),
            name: app.name.clone(),
            version: app.version.clone(),
        });
    }
    platform.create_request(&new).unwrap();
    let mut site = site(&platform);
    site.start().unwrap();
    site.wait_provisioned().unwrap();
    assert_eq!(packages(&site).len(), 9);
}
