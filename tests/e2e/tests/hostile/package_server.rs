//! A package server that is wrong in each way it can be: the gateway gets the whole file or none,
//! says why, and is as before.

use applications::Application;
use e2e::Site;
use provision_platform::behaviour::{Behaviour, PackageFault, Script};
use provision_platform::harness::TestPlatform;
use provision_platform::packages::{Offer, PackageServer};
use provision_platform::store::{JobState, NewPackage, NewRequest};
use serde_json::Value;
use std::time::Duration;

/// Enough to be cut: an application has at least so many bytes.
const SOME: u64 = 1000;

struct Case {
    platform: TestPlatform,
    request: i64,
    site: Site,
}

/// A gateway that is to get one application; the first attempt's server is like this.
fn case(fault: PackageFault) -> Case {
    let platform = TestPlatform::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let app = Application::named("app", "1.0");
    let mut new = NewRequest::new("gw-1", "user-gw-1", "secret", "acme");
    new.packages = vec![NewPackage {
        file: app.write(folder.path()),
        name: app.name.clone(),
        version: app.version.clone(),
    }];
    let request = platform.create_request(&new).unwrap();
    platform
        .behave(Script::once(Behaviour {
            package: Some((0, fault)),
            ..Behaviour::default()
        }))
        .unwrap();
    let site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("timeout", 10)
        .with("retry-interval", 3);
    Case {
        platform,
        request,
        site,
    }
}

impl Case {
    fn provisioned(&mut self) -> Value {
        let status = self.site.wait_provisioned().unwrap();
        self.platform
            .wait_for(self.request, JobState::Completed, Duration::from_secs(20))
            .unwrap();
        let packages = self.site.framework().unwrap().packages().list();
        assert_eq!(packages.len(), 1);
        status
    }
}

/// The first attempt ends in `code`, with the gateway as before; the second succeeds.
fn fails(fault: PackageFault, code: &str) {
    let mut case = case(fault);
    case.site.start().unwrap();
    let before = case.site.world().unwrap();
    case.site.wait_for_code(code).unwrap();
    assert!(case.site.world().unwrap() == before, "not as before");
    assert_eq!(case.provisioned()["attempt"], 2);
}

/// The first attempt succeeds in spite of it; gives the first bytes that were asked for.
fn gets_through(fault: PackageFault) -> Vec<Option<u64>> {
    let mut case = case(fault);
    case.site.start().unwrap();
    assert_eq!(case.provisioned()["attempt"], 1);
    let seen = case.platform.package_server().seen();
    seen.into_iter().map(|seen| seen.from).collect()
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
fn a_server_that_announces_too_much_never_delivers() {
    fails(
        PackageFault::LengthTooLong { by: 10 },
        "package.unavailable",
    );
}

#[test]
fn a_server_that_stalls_costs_one_attempt() {
    fails(PackageFault::Stall { after: SOME }, "package.unavailable");
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
