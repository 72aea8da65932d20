//! Packages: asked for, fetched, and done before the device is configured.

use super::client::device::{root, Device, Request};
use super::client::http::Fetch;
use super::client::PATIENCE;
use super::{completed, failed, platform};
use kura_formats::request::{reply, ResponseCode};
use provision_platform::harness::TestPlatform;
use provision_platform::pki::Pki;
use provision_platform::store::{JobState, NewPackage, NewRequest, StoreError};
use std::path::Path;
use std::time::Duration;

const DOWNLOAD: &str = "DEPLOY-V2/EXEC/download";

/// Content that no two packages share.
fn content(number: u8) -> Vec<u8> {
    (0..50_000_u32)
        .map(|at| (at.wrapping_mul(31) >> 3) as u8 ^ number)
        .collect()
}

fn packages(folder: &Path, number: u8) -> Vec<NewPackage> {
    (0..number)
        .map(|n| {
            let file = folder.join(format!("app-{n}.zip"));
            std::fs::write(&file, content(n)).unwrap();
            NewPackage {
                file,
                name: format!("app-{n}"),
                version: "1.0".to_owned(),
            }
        })
        .collect()
}

fn request(platform: &TestPlatform, number: u8, credentials: bool) -> i64 {
    let folder = tempfile::tempdir().unwrap();
    let mut new = NewRequest::new("dev", "user-dev", "secret", "acme");
    new.packages = packages(folder.path(), number);
    new.package_credentials = credentials;
    // The files are the platform's own from here on.
    platform.create_request(&new).unwrap()
}

fn at_the_first_download(platform: &TestPlatform) -> (Device, Request) {
    let mut device = Device::connect(platform, "dev", "secret").unwrap();
    device.trigger();
    let certificates = device.expect("PROV-V1/PUT/certificates");
    device.judge_chain(&certificates, &root(platform)).unwrap();
    device.accept(&certificates);
    let download = device.expect(DOWNLOAD);
    device.judge(&download).unwrap();
    (device, download)
}

#[test]
fn nine_packages_are_fetched_one_after_the_other_before_the_configuration() {
    let platform = platform();
    let number = request(&platform, 9, false);
    let tls_root = platform.pki().tls_root.certificate();
    let (mut device, mut download) = at_the_first_download(&platform);
    for n in 0..9 {
        let text = |name| download.payload.string(name).unwrap().to_owned();
        assert_eq!(
            (text("dp.name"), text("dp.version")),
            (format!("app-{n}"), "1.0".to_owned())
        );
        assert_eq!(text("dp.download.protocol"), "HTTPS");
        let answer = Fetch::default().get(&text("dp.uri"), tls_root);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, content(n));
        device.notify(&download, "IN_PROGRESS", 50, None);
        device.fetched(&download, &answer.body);
        let next = device.request();
        device.judge(&next).unwrap();
        match n {
            8 => assert_eq!(next.name(), "CONF-V1/PUT/configurations"),
            _ => assert_eq!(next.name(), DOWNLOAD),
        }
        download = next;
    }
    device.accept(&download);
    let commit = device.expect("PROV-V1/EXEC/commit");
    device.check_commit(&commit);
    device.accept(&commit);
    let job = completed(&platform, number);
    for seen in platform.package_server().seen() {
        let gone = format!("{}{}", platform.package_server().url(), seen.path);
        let status = Fetch::default().get(&gone, tls_root).status;
        assert_eq!(status, 404, "still on offer");
    }
    let store = platform.store();
    use JobState::*;
    assert_eq!(
        store.states(job.id).unwrap(),
        [
            Running,
            Started,
            AppsInstalling,
            AppsInstalled,
            ConfUpdating,
            ConfUpdated,
            Completed
        ]
    );
    let attempt = store.attempts(job.id).unwrap().remove(0);
    let downloads = store.downloads(attempt.id).unwrap();
    assert_eq!(downloads.len(), 9);
    assert!(downloads
        .iter()
        .all(|d| d.status == "COMPLETED" && d.progress == 100));
}

#[test]
fn a_download_that_fails_fails_the_job_with_the_devices_own_code() {
    let platform = platform();
    let number = request(&platform, 2, false);
    let (mut device, download) = at_the_first_download(&platform);
    device.answer(&download, &reply(ResponseCode::Ok, 1));
    device.notify(&download, "FAILED", 10, Some("package.corrupt"));
    assert_eq!(failed(&platform, number), "package.corrupt");
    // The device need not wait for more until its deadline.
    let reject = device.expect("PROV-V1/EXEC/reject");
    device.judge(&reject).unwrap();
    let code = reject.payload.string("prov.error.code");
    assert_eq!(code, Some("package.corrupt"));
    let job = platform.job(number).unwrap().unwrap();
    assert_eq!(job.error_message.as_deref(), Some("says the test"));
    let store = platform.store();
    let attempt = store.attempts(job.id).unwrap().remove(0);
    let downloads = store.downloads(attempt.id).unwrap();
    assert_eq!(downloads[0].status, "FAILED");
}

#[test]
fn a_notification_may_overtake_the_reply_and_those_of_other_jobs_count_for_nothing() {
    let platform = platform();
    request(&platform, 2, false);
    let (mut device, first) = at_the_first_download(&platform);
    device.notify(&first, "COMPLETED", 100, None);
    device.answer(&first, &reply(ResponseCode::Ok, 1));
    let second = device.expect(DOWNLOAD);
    device.notify(&first, "FAILED", 0, Some("package.corrupt"));
    device.fetched(&second, &content(1));
    device.expect("CONF-V1/PUT/configurations");
}

#[test]
fn a_device_that_stops_telling_fails_the_attempt() {
    let platform = TestPlatform::start_with(Pki::create().unwrap(), |mut settings| {
        settings.download_timeout = Duration::from_millis(300);
        settings
    })
    .unwrap();
    let number = request(&platform, 1, false);
    let (device, download) = at_the_first_download(&platform);
    device.answer(&download, &reply(ResponseCode::Ok, 1));
    device.notify(&download, "IN_PROGRESS", 1, None);
    assert_eq!(failed(&platform, number), "device.silent");
}

#[test]
fn credentials_are_told_to_the_device_and_demanded_of_everybody() {
    let platform = platform();
    let number = request(&platform, 1, true);
    let tls_root = platform.pki().tls_root.certificate();
    let (_device, download) = at_the_first_download(&platform);
    let text = |name| download.payload.string(name).unwrap();
    let (name, password) = (text("dp.download.username"), text("dp.download.password"));
    let get = |fetch: Fetch<'_>| fetch.get(text("dp.uri"), tls_root);
    let without = get(Fetch::default());
    assert_eq!(without.status, 401);
    assert!(without
        .header("www-authenticate")
        .unwrap()
        .starts_with("Basic"));
    assert_eq!(
        get(Fetch::default().with_credentials(name, "guessed")).status,
        401
    );
    let with = get(Fetch::default().with_credentials(name, password));
    assert_eq!((with.status, with.body), (200, content(0)));
    let access = platform.store().package_access(number).unwrap().unwrap();
    assert!(!format!("{access:?}").contains(password));
}

#[test]
fn what_cannot_be_sent_is_refused_when_the_request_is_made() {
    let platform = platform();
    let folder = tempfile::tempdir().unwrap();
    let base = NewRequest::new("dev", "user-dev", "secret", "acme");
    let refusal = |packages: Vec<NewPackage>| {
        let new = NewRequest {
            packages,
            ..base.clone()
        };
        platform.store().create_request(&new).unwrap_err()
    };
    let ten = refusal(packages(folder.path(), 10));
    assert!(
        matches!(
            ten,
            StoreError::Invalid {
                field: "packages",
                ..
            }
        ),
        "{ten}"
    );
    let mut twice = packages(folder.path(), 1);
    twice.extend(packages(folder.path(), 1));
    assert!(matches!(refusal(twice), StoreError::Invalid { .. }));
    for name in ["", "..", "a/b", "a b"] {
        let mut one = packages(folder.path(), 1);
        one[0].name = name.to_owned();
        assert!(
            matches!(refusal(one), StoreError::Invalid { .. }),
            "{name:?}"
        );
    }
    let mut missing = packages(folder.path(), 1);
    missing[0].file = folder.path().join("missing.zip");
    let missing = refusal(missing);
    assert!(missing.to_string().contains("missing.zip"), "{missing}");
}

#[test]
fn the_address_of_a_package_is_nobody_elses() {
    let platform = platform();
    request(&platform, 1, false);
    let tls_root = platform.pki().tls_root.certificate();
    let (_device, download) = at_the_first_download(&platform);
    let uri = download.payload.string("dp.uri").unwrap();
    let (_, path) = uri.split_once("localhost:").unwrap();
    let token = path.split('/').nth(1).unwrap();
    assert_eq!(token.len(), 32);
    let other = uri.replace(token, &"x".repeat(32));
    assert_eq!(Fetch::default().get(&other, tls_root).status, 404);
    let server = platform.package_server();
    assert!(server.wait_for_seen(1, PATIENCE).is_some());
}
