//! A provision broker that demands a client certificate: the key and the certificate that somebody
//! has put into the SSLKeystore open it, nothing else does, and the status says what is missing.

use std::time::Duration;

use e2e::site::{error_code, state, PID};
use e2e::Site;
use gateway_host_sdk::keystore::SSL_KEYSTORE;
use gateway_host_sdk::Action;
use provision_platform::harness::TestPlatform;
use provision_platform::pki::{Identity, Profile};
use provision_platform::store::JobState;

const ALIAS: &str = "factory-key";

/// Puts a key and its certificate into the SSLKeystore of a gateway that runs, instead of what is
/// there.
fn import(site: &Site, identity: &Identity) {
    let mut pem = identity.server_pem().unwrap();
    pem.extend(identity.key_pem().unwrap().iter());
    let pem = String::from_utf8(pem).unwrap();
    let keystores = site.framework().unwrap().keystores();
    keystores.remove(SSL_KEYSTORE, ALIAS).unwrap();
    keystores.import_pem(SSL_KEYSTORE, ALIAS, &pem).unwrap();
}

fn at_the_door(platform: &TestPlatform) -> (i64, Site) {
    let request = platform.request("gw-1", "secret").unwrap();
    let site = Site::new(platform, "gw-1", "secret")
        .unwrap()
        .with("broker-url", platform.provision_broker().mutual_url())
        .with("retry-interval", 3600);
    (request, site)
}

fn retry(site: &Site) {
    site.framework()
        .unwrap()
        .act(PID, Action::RetryNow)
        .unwrap();
}

#[test]
fn the_right_certificate_opens_the_provision_broker_and_nothing_else_does() {
    let platform = TestPlatform::start().unwrap();
    let (request, mut site) = at_the_door(&platform);
    let pki = platform.pki();
    let client = Profile::client("gw-1");
    site.start().unwrap();
    let stranger = Identity::self_signed(&Profile::authority("Somebody")).unwrap();
    let authority = &pki.device_authority;
    let wrong = [
        (None, "demands a client certificate"),
        (Some(stranger.issue(&client).unwrap()), "does not know"),
        (
            Some(authority.issue(&client.clone().expired()).unwrap()),
            "out of its time",
        ),
        (
            Some(
                authority
                    .issue(&Profile::server("gw-1", &["gw-1"]))
                    .unwrap(),
            ),
            "purpose",
        ),
    ];
    for (attempt, (identity, reason)) in wrong.iter().enumerate() {
        if let Some(identity) = identity {
            import(&site, identity);
            retry(&site);
        }
        let before = site.world().unwrap();
        let status = site
            .wait(reason, Duration::from_secs(20), |status| {
                state(status) == "waiting" && status["attempt"] == attempt + 1
            })
            .unwrap();
        assert_eq!(error_code(&status), "tls.protocol", "{status:#}");
        let message = status["error"]["message"].as_str().unwrap();
        assert!(message.contains(reason), "{reason} is not in: {message}");
        assert_eq!(site.world().unwrap(), before, "{reason}: not as before");
    }
    let right = pki.device_authority.issue(&client).unwrap();
    import(&site, &right);
    retry(&site);
    site.wait_provisioned().unwrap();
    platform
        .wait_for(request, JobState::Completed, Duration::from_secs(20))
        .unwrap();
}
