//! Packages that do not come, are others than announced, or are none.

use applications::Application;
use e2e::Site;
use provision_platform::behaviour::{Behaviour, PackageFault, Script};
use provision_platform::harness::TestPlatform;
use provision_platform::store::{NewPackage, NewRequest};
use serde_json::Value;

use super::succeeds;

fn request(platform: &TestPlatform, archive: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("heater.tar.gz");
    std::fs::write(&file, archive).unwrap();
    let mut new = NewRequest::new("gw-1", "user-gw-1", "secret", "acme");
    new.packages.push(NewPackage {
        file,
        name: "heater".into(),
        version: "1.0".into(),
    });
    new.overwrite = true;
    platform.create_request(&new).unwrap();
}

/// One attempt ends in `code` with the gateway as before; `mend` makes the next one succeed.
fn once(
    fault: PackageFault,
    archive: &[u8],
    code: &str,
    mend: impl FnOnce(&TestPlatform),
) -> Value {
    let platform = TestPlatform::start().unwrap();
    request(&platform, archive);
    let behaviour = Behaviour {
        package: Some((0, fault)),
        ..Behaviour::default()
    };
    platform.behave(Script::once(behaviour)).unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("timeout", 10)
        .with("retry-interval", 3600);
    let before = site.first_start().unwrap();
    // Not earlier: what was staged is taken back by then.
    let status = site.wait_for_code(code).unwrap();
    assert_eq!(site.world().unwrap(), before);
    mend(&platform);
    site.retry_now().unwrap();
    succeeds(&mut site);
    let installed = site.framework().unwrap().packages().list();
    assert_eq!(installed.len(), 1);
    status
}

fn names_the_package(status: &Value) {
    let message = status["error"]["message"].as_str().unwrap();
    assert!(message.contains("heater 1.0"), "{message}");
    assert_eq!(status["packages"][0]["state"], "failed");
}

#[test]
fn a_package_that_is_not_there() {
    let good = Application::heater("1.0").archive();
    let status = once(PackageFault::NotFound, &good, "package.unavailable", |_| {});
    names_the_package(&status);
    let message = status["error"]["message"].as_str().unwrap();
    assert!(message.contains("404"), "{message}");
}

#[test]
fn a_package_that_leads_to_a_file_of_the_gateway() {
    let good = Application::heater("1.0").archive();
    let lead = PackageFault::Redirect("file:///etc/hostname".into());
    let status = once(lead, &good, "package.unavailable", |_| {});
    names_the_package(&status);
    let message = status["error"]["message"].as_str().unwrap();
    assert!(message.contains("file:"), "{message}");
}

#[test]
fn a_package_that_is_another_one_than_announced() {
    let good = Application::heater("1.0").archive();
    let status = once(PackageFault::OtherContent, &good, "package.corrupt", |_| {});
    names_the_package(&status);
}

#[test]
fn a_package_that_never_ends() {
    let good = Application::heater("1.0").archive();
    let status = once(PackageFault::Endless, &good, "protocol.too-large", |_| {});
    names_the_package(&status);
}

#[test]
fn a_package_that_the_host_cannot_install() {
    // Announced and received as it is: nobody but the host can say that it is no package.
    let status = once(
        PackageFault::None,
        b"no archive",
        "package.failed",
        |platform| {
            request(platform, &Application::heater("1.0").archive());
        },
    );
    names_the_package(&status);
}

#[test]
fn an_application_that_does_not_come_alive_is_taken_back() {
    // It can be looked into, but its library needs what is not there.
    let dead = Application::heater("1.0").with("HEATER_UNLINKED").archive();
    let status = once(PackageFault::None, &dead, "package.failed", |platform| {
        request(platform, &Application::heater("1.0").archive());
    });
    let message = status["error"]["message"].as_str().unwrap();
    assert!(message.contains("heater 1.0"), "{message}");
    assert_eq!(status["packages"][0]["state"], "staged");
}
