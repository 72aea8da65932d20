//! A canary in every secret: it is found in no log line, no status, no file in clear.

use e2e::{capture, Site};
use gateway_component_abi::value::Secret;
use provision_platform::harness::TestPlatform;
use provision_platform::secret::Secret as PlatformSecret;
use provision_platform::store::NewRequest;

const PASSWORD: &str = "canary-password-5e1f";
const KEY: &str = "canary-activation-key-9a3c";
const WRONG: &str = "canary-wrong-password-77d0";

fn assert_nowhere(site: &Site) {
    for canary in [PASSWORD, KEY, WRONG] {
        let base64 = base64(canary);
        for text in [canary, base64.as_str()] {
            let lines = capture::lines_with(text);
            assert!(lines.is_empty(), "in the log: {lines:?}");
            assert!(
                site.documents
                    .iter()
                    .all(|document| !document.contains(text)),
                "in a status document"
            );
            let files = site.files_with(text).unwrap();
            assert!(files.is_empty(), "in clear in {files:?}");
        }
    }
}

/// As CONF-V1 and careless snapshots write passwords.
fn base64(text: &str) -> String {
    kura_formats::configurations::remote_seal(&Secret::from(text)).1
}

#[test]
fn no_secret_leaves_the_gateway_in_success_and_failure() {
    capture::start();
    let platform = TestPlatform::start().unwrap();
    let mut new = NewRequest::new("gw-1", "user-gw-1", PASSWORD, "acme");
    new.activation_key = Some(PlatformSecret::new(KEY));
    platform.create_request(&new).unwrap();
    let mut site = Site::new(&platform, "gw-1", WRONG)
        .unwrap()
        .with("activation-key", Secret::from(KEY));
    site.start().unwrap();
    site.wait_for_code("broker.not-authorized").unwrap();
    assert!(
        !capture::lines_with("gw-1").is_empty(),
        "the log was captured"
    );
    assert_nowhere(&site);
    site.set("password", Secret::from(PASSWORD)).unwrap();
    site.wait_provisioned().unwrap();
    assert_nowhere(&site);
    site.stop();
    assert_nowhere(&site);
}
