//! A package server that is wrong in each way it can be: the gateway gets the whole file or none,
//! says why, and is as before. Those that take all the time there is are in `deadline`.

use applications::Application;
use e2e::Site;
use provision_platform::behaviour::{Behaviour, PackageFault, Script};
use provision_platform::harness::TestPlatform;
use provision_platform::packages::{Offer, PackageServer};
use provision_platform::store::{JobState, NewPackage, NewRequest};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::gateway::Gateway;

/// Enough to be cut: an application has at least so many bytes.
const SOME: u64 = 1000;
/// What is larger takes its time on a slow machine.
const MEGABYTE: u64 = 1 << 20;
/// The largest package that a gateway takes.
const LARGEST: usize = 64 << 20;

struct Case {
    platform: TestPlatform,
    request: i64,
    gateway: Gateway,
}

/// A gateway that is to get one application; the first attempt's server is like this.
fn case(fault: PackageFault) -> Case {
    sized_case(fault, Application::write)
}

fn sized_case(fault: PackageFault, write: impl FnOnce(&Application, &Path) -> PathBuf) -> Case {
    let behaviour = Behaviour {
        package: Some((0, fault)),
        ..Behaviour::default()
    };
    case_of(behaviour, write)
}

fn case_of(behaviour: Behaviour, write: impl FnOnce(&Application, &Path) -> PathBuf) -> Case {
    let platform = TestPlatform::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let app = Application::named("app", "1.0");
    let mut new = NewRequest::new("gw-1", "user-gw-1", "secret", "acme");
    new.packages = vec![NewPackage {
        file: write(&app, folder.path()),
        name: app.name.clone(),
        version: app.version.clone(),
    }];
    let request = platform.create_request(&new).unwrap();
    platform.behave(Script::once(behaviour)).unwrap();
    let site = Site::new(&platform, "gw-1", "secret").unwrap();
    let gateway = match new.packages[0].file.metadata().unwrap().len() {
        0..MEGABYTE => Gateway::idle(site),
        _ => Gateway::patient(site),
    };
    gateway.enable();
    Case {
        platform,
        request,
        gateway,
    }
}

impl Case {
    fn provisioned(&self) -> Value {
        let status = self.gateway.provisioned();
        self.platform
            .wait_for(self.request, JobState::Completed, Duration::from_secs(20))
            .unwrap();
        assert_eq!(self.gateway.packages(), ["app 1.0"]);
        status
    }

    /// The first attempt ends in `code`, with the gateway as before; the second succeeds.
    fn fails(&self, code: &str) {
        self.gateway.fails(code);
        self.gateway.retry();
        assert_eq!(self.provisioned()["attempt"], 2);
    }
}

fn fails(fault: PackageFault, code: &str) {
    case(fault).fails(code);
}

/// The first attempt succeeds in spite of it; gives the first bytes that were asked for.
fn gets_through(fault: PackageFault) -> Vec<Option<u64>> {
    let case = case(fault);
    assert_eq!(case.provisioned()["attempt"], 1);
    let seen = case.platform.package_server().seen();
    seen.into_iter().map(|seen| seen.from).collect()
}

fn largest(app: &Application, folder: &Path) -> PathBuf {
    app.write_large(folder, LARGEST)
}

#[test]
fn the_largest_package_is_installed() {
    let case = sized_case(PackageFault::None, largest);
    assert_eq!(case.provisioned()["attempt"], 1);
}

#[test]
fn as_many_bytes_of_something_else_are_corrupt() {
    sized_case(PackageFault::OtherContent, largest).fails("package.corrupt");
}

#[test]
fn more_than_the_largest_package_is_not_even_begun() {
    let larger = |app: &Application, folder: &Path| app.write_large(folder, LARGEST * 5 / 4);
    let case = sized_case(PackageFault::None, larger);
    case.gateway.fails("protocol.too-large");
    let seen = case
        .platform
        .package_server()
        .wait_for_seen(1, Duration::from_secs(20))
        .unwrap();
    assert!(seen[0].sent < LARGEST as u64, "{seen:?}");
}

#[test]
fn what_never_ends_is_given_up_at_the_size_of_the_largest_package() {
    fails(PackageFault::Endless, "protocol.too-large");
}

#[test]
fn what_is_ordered_twice_is_fetched_once() {
    let behaviour = Behaviour {
        twice: true,
        ..Behaviour::default()
    };
    let case = case_of(behaviour, Application::write);
    assert_eq!(case.provisioned()["attempt"], 1);
    let fetched = case.platform.package_server().seen();
    assert_eq!(fetched.len(), 1, "{fetched:?}");
    assert_eq!(case.gateway.outcomes(), ["ok"], "carried out once");
}

#[test]
fn a_download_that_is_cut_once_is_resumed() {
    let from = gets_through(PackageFault::CutOnce { at: SOME });
    assert_eq!(from, [None, Some(SOME)]);
}

#[test]
fn a_download_whose_rest_is_not_to_be_had_begins_again() {
    let from = gets_through(PackageFault::IgnoresRange { at: SOME });
    assert_eq!(from, [None, None]);
}

#[test]
fn a_file_that_changes_between_two_parts_is_not_put_together() {
    fails(
        PackageFault::ChangedAfterCut { at: SOME },
        "package.corrupt",
    );
}

#[test]
fn other_content_is_corrupt() {
    fails(PackageFault::OtherContent, "package.corrupt");
}

#[test]
fn a_server_that_announces_too_little_has_another_file() {
    fails(PackageFault::LengthTooShort { by: 10 }, "package.corrupt");
}

#[test]
fn what_is_not_there_is_unavailable() {
    fails(PackageFault::NotFound, "package.unavailable");
}

#[test]
fn a_password_that_nobody_told_is_unavailable() {
    fails(PackageFault::UntoldCredentials, "package.unavailable");
}

#[test]
fn no_file_of_the_gateway_is_taken_for_a_package() {
    let to = "file:///etc/hostname".to_owned();
    fails(PackageFault::Redirect(to), "package.unavailable");
}

#[test]
fn a_circle_of_redirects_comes_to_an_end() {
    fails(PackageFault::RedirectLoop, "package.unavailable");
}

#[test]
fn nobody_is_led_from_https_to_http() {
    let plain = PackageServer::start(None, None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "plain").unwrap();
    let offer = Offer {
        file,
        size: 5,
        sha256: "abc".to_owned(),
        credentials: None,
        fault: PackageFault::None,
    };
    plain.offer("/app", offer);
    let to = format!("{}/app", plain.url());
    fails(PackageFault::Redirect(to), "package.unavailable");
    assert_eq!(plain.seen(), [], "it went there");
}
