//! Gateways that become members of an account.

use std::time::Duration;

use e2e::site::{state, CONNECTION, PID, TRANSPORT};
use e2e::Site;
use provision_platform::harness::TestPlatform;
use provision_platform::pki::Pki;
use provision_platform::store::JobState;

const WAIT: Duration = Duration::from_secs(30);

#[test]
fn a_gateway_with_one_credential_becomes_a_member_of_the_account() {
    let platform = TestPlatform::start().unwrap();
    let request = platform.request("gw-1", "claim-secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "claim-secret").unwrap();
    site.start().unwrap();
    let status = site.wait_provisioned().unwrap();
    assert_eq!(status["provisioned"], true);
    assert_eq!(status["enabled"], false);
    assert_eq!(status["attempt"], 1);
    assert_eq!(status["error"], serde_json::Value::Null);
    assert_eq!(status["trust"]["root_verified"], true);
    assert_eq!(
        site.property(PID, "provisioned").unwrap(),
        Some(true.into())
    );
    assert_eq!(site.property(PID, "enabled").unwrap(), Some(false.into()));
    assert_eq!(
        site.property(TRANSPORT, "topic.context.account-name")
            .unwrap(),
        Some("acme".into())
    );
    let job = platform
        .wait_for(request, JobState::Completed, WAIT)
        .unwrap();
    assert_eq!(
        Some(job.transaction_id.unwrap_or_default()),
        status["transaction"].as_str().map(str::to_owned)
    );
    let device = platform
        .wait_until(WAIT, |store| {
            Ok(store.devices()?.into_iter().find(|d| d.client_id == "gw-1"))
        })
        .unwrap()
        .expect("the account saw a BIRTH");
    assert_eq!(device.account, "acme");
}

#[test]
fn after_a_restart_it_is_still_provisioned_and_connects_by_itself() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "claim-secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "claim-secret").unwrap();
    site.start().unwrap();
    site.wait_provisioned().unwrap();
    site.stop();
    site.start().unwrap();
    let status = site.wait_provisioned().unwrap();
    assert_eq!(status["attempt"], 1);
    assert!(site
        .framework()
        .unwrap()
        .connections()
        .iter()
        .any(|c| c.pid == CONNECTION));
}

#[test]
fn the_target_broker_may_have_a_root_that_comes_with_the_provisioning() {
    let platform =
        TestPlatform::start_with(Pki::create().unwrap(), |s| s.with_target_root_apart()).unwrap();
    platform.request("gw-1", "claim-secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "claim-secret").unwrap();
    site.start().unwrap();
    site.wait_provisioned().unwrap();
}

#[test]
fn the_target_account_may_live_at_the_same_broker() {
    let platform = TestPlatform::start_with(Pki::create().unwrap(), |mut s| {
        s.same_broker = true;
        s
    })
    .unwrap();
    platform.request("gw-1", "claim-secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "claim-secret").unwrap();
    site.start().unwrap();
    site.wait_provisioned().unwrap();
}

#[test]
fn without_ca_authentication_an_unknown_root_is_accepted_and_shown_for_good() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "claim-secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "claim-secret")
        .unwrap()
        .with("ca-authentication", false);
    site.trust_chain(&Pki::create().unwrap().root).unwrap();
    site.start().unwrap();
    let status = site.wait_provisioned().unwrap();
    assert_eq!(status["trust"]["root_verified"], false);
    site.stop();
    site.start().unwrap();
    let status = site
        .wait("provisioned", WAIT, |s| state(s) == "provisioned")
        .unwrap();
    assert_eq!(status["trust"]["root_verified"], false);
}

#[test]
fn two_gateways_are_provisioned_at_the_same_time() {
    let platform = TestPlatform::start().unwrap();
    let mut sites: Vec<Site> = ["gw-1", "gw-2"]
        .into_iter()
        .map(|id| {
            platform.request(id, "claim-secret").unwrap();
            let mut site = Site::new(&platform, id, "claim-secret").unwrap();
            site.start().unwrap();
            site
        })
        .collect();
    for site in &mut sites {
        site.wait_provisioned().unwrap();
    }
}
