//! Who may move a gateway to another account: whom it trusts already, and nobody who only comes with
//! a chain that is good.

use std::time::Duration;

use e2e::site::{state, PID};
use e2e::Site;
use gateway_component_abi::value::{Properties, Secret};
use gateway_host_sdk::keystore::DM_KEYSTORE;
use gateway_host_sdk::Action;
use provision_platform::harness::TestPlatform;
use provision_platform::pki::{fingerprint, Identity, Pki, Profile};
use serde_json::Value;

const WAIT: Duration = Duration::from_secs(40);

/// A platform of the same authorities with a signer of its own, which still has those of earlier
/// times, and expects the gateway.
fn platform(pki: &Pki, signer: &Identity, former: &[&Identity]) -> TestPlatform {
    let pki = Pki {
        signer: signer.clone(),
        ..pki.clone()
    };
    let former = former.iter().map(|one| (*one).clone()).collect();
    let platform = TestPlatform::start_with(pki, |mut settings| {
        settings.former_signers = former;
        settings
    })
    .unwrap();
    platform.request("gw-1", "secret").unwrap();
    platform
}

/// Sends the gateway to another platform.
fn send_to(site: &Site, platform: &TestPlatform) {
    let order = Properties::from([
        ("enabled".into(), true.into()),
        ("provisioned".into(), false.into()),
        (
            "broker-url".into(),
            platform.provision_broker().url().into(),
        ),
        ("password".into(), Secret::from("secret").into()),
        ("retry-interval".into(), 3600.into()),
    ]);
    let configuration = site.framework().unwrap().configuration();
    configuration.update(PID, &order).unwrap();
}

/// The certificates in DMKeystore that are no authorities, by their names there, sorted.
fn trusted(site: &Site) -> Vec<String> {
    let keystores = site.framework().unwrap().keystores();
    let entries = keystores.list(DM_KEYSTORE).unwrap();
    let aliases = entries.into_iter().map(|entry| entry.alias);
    let mut signers: Vec<String> = aliases.filter(|alias| alias != "dm-root").collect();
    signers.sort();
    signers
}

/// The names of these signers, as a provisioning gives them, sorted.
fn names(signers: &[&Identity]) -> Vec<String> {
    let name = |signer: &&Identity| {
        let fingerprint = fingerprint(signer.certificate()).unwrap();
        format!("dm-{}", &fingerprint[..16])
    };
    let mut names: Vec<String> = signers.iter().map(name).collect();
    names.sort();
    names
}

#[test]
fn only_a_signer_that_is_trusted_already_moves_a_gateway_and_two_are_trusted_at_once() {
    let pki = Pki::create().unwrap();
    let signer = |name| pki.intermediate.issue(&Profile::signer(name)).unwrap();
    let (first, second, third) = (
        signer("First Signer"),
        signer("Second Signer"),
        signer("Third Signer"),
    );
    let old = platform(&pki, &first, &[]);
    let mut site = Site::new(&old, "gw-1", "secret").unwrap();
    site.start().unwrap();
    site.wait_provisioned().unwrap();
    assert_eq!(trusted(&site), names(&[&first]));

    // Its chain ends in the trusted root, as that of the first signer did.
    let stranger = platform(&pki, &second, &[]);
    let before = site.world().unwrap();
    send_to(&site, &stranger);
    let status = site.wait_for_code("signature.untrusted").unwrap();
    assert_eq!(site.world().unwrap(), before, "not as before: {status:#}");

    // The trusted one has to introduce it.
    let heir = platform(&pki, &second, &[&first]);
    send_to(&site, &heir);
    site.wait_provisioned().unwrap();
    assert_eq!(trusted(&site), names(&[&first, &second]));

    // The new one is as good as the old one; a third displaces one of them.
    let next = platform(&pki, &third, &[&second]);
    let so_far = site.status()["transaction"].clone();
    send_to(&site, &next);
    let anew = |status: &Value| state(status) == "provisioned" && status["transaction"] != so_far;
    site.wait("the third account", WAIT, anew).unwrap();
    let both = trusted(&site);
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both.contains(&names(&[&third])[0]), "{both:?}");
}

#[test]
fn a_member_without_a_signer_is_moved_by_nobody_until_somebody_at_the_gateway_names_one() {
    let pki = Pki::create().unwrap();
    let old = platform(&pki, &pki.signer, &[]);
    let mut site = Site::new(&old, "gw-1", "secret").unwrap();
    site.start().unwrap();
    site.wait_provisioned().unwrap();
    let keystores = site.framework().unwrap().keystores().clone();
    for alias in trusted(&site) {
        keystores.remove(DM_KEYSTORE, &alias).unwrap();
    }
    assert_eq!(trusted(&site), [""; 0]);

    let new = platform(&pki, &pki.signer, &[]);
    let before = site.world().unwrap();
    send_to(&site, &new);
    let status = site.wait_for_code("signature.untrusted").unwrap();
    assert_eq!(site.world().unwrap(), before, "not as before: {status:#}");
    let message = status["error"]["message"].as_str().unwrap();
    assert!(message.contains(DM_KEYSTORE), "{message}");

    let pem = String::from_utf8(pki.signer.certificate_pem().unwrap()).unwrap();
    keystores
        .put_certificate(DM_KEYSTORE, "by-hand", &pem)
        .unwrap();
    let framework = site.framework().unwrap();
    framework.act(PID, Action::RetryNow).unwrap();
    site.wait_provisioned().unwrap();
}
