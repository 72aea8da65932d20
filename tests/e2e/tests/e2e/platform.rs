//! What a platform may refuse or do wrong: each ends in its own code, with the gateway as before.

use e2e::Site;
use gateway_component_abi::value::Secret;
use provision_platform::behaviour::{
    Behaviour, CommitFault, ConfigurationFault, Script, Signing, Step,
};
use provision_platform::clock;
use provision_platform::harness::TestPlatform;
use provision_platform::pki::Pki;
use provision_platform::platform::Admission;
use provision_platform::store::{JobState, NewRequest};
use std::time::Duration;

fn by_trigger() -> TestPlatform {
    TestPlatform::start_with(Pki::create().unwrap(), |mut settings| {
        settings.admission = Admission::ByTrigger;
        settings
    })
    .unwrap()
}

/// One attempt with `behaviour` ends in `code`; the next one succeeds.
fn once(behaviour: Behaviour, code: &str) {
    let platform = TestPlatform::start().unwrap();
    let request = platform.request("gw-1", "secret").unwrap();
    platform.behave(Script::once(behaviour)).unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("timeout", 10)
        .with("retry-interval", 3600);
    let before = site.first_start().unwrap();
    site.wait_for_code(code).unwrap();
    assert_eq!(
        site.world().unwrap(),
        before,
        "the gateway is not as before"
    );
    site.retry_now().unwrap();
    let status = site.wait_provisioned().unwrap();
    assert_eq!(status["attempt"], 2);
    platform
        .wait_for(request, JobState::Completed, Duration::from_secs(20))
        .unwrap();
}

#[test]
fn an_expired_request() {
    let platform = by_trigger();
    let mut new = NewRequest::new("gw-1", "user-gw-1", "secret", "acme");
    new.expires_on = Some(clock::now() - 60_000);
    let request = platform.create_request(&new).unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    let before = site.first_start().unwrap();
    let status = site.wait_for_code("platform.rejected").unwrap();
    assert_eq!(status["error"]["platform"]["code"], "request.expired");
    assert_eq!(site.world().unwrap(), before);
    platform.store().set_window(request, None, None).unwrap();
    site.wait_provisioned().unwrap();
}

#[test]
fn a_wrong_activation_key() {
    let platform = TestPlatform::start().unwrap();
    let mut new = NewRequest::new("gw-1", "user-gw-1", "secret", "acme");
    new.activation_key = Some(provision_platform::secret::Secret::new("the-right-key"));
    platform.create_request(&new).unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("activation-key", Secret::from("the-wrong-key"));
    let before = site.first_start().unwrap();
    let status = site.wait_for_code("platform.rejected").unwrap();
    assert_eq!(
        status["error"]["platform"]["code"],
        "activation-key.invalid"
    );
    let remedy = status["error"]["remedy"].as_str().unwrap();
    assert!(remedy.contains("type the activation-key"), "{remedy}");
    assert_eq!(site.world().unwrap(), before);
    site.set("activation-key", Secret::from("the-right-key"))
        .unwrap();
    site.wait_provisioned().unwrap();
}

#[test]
fn an_untrusted_root_of_the_received_chain() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.trust_chain(&Pki::create().unwrap().root).unwrap();
    let before = site.first_start().unwrap();
    site.wait_for_code("trust.untrusted-root").unwrap();
    assert_eq!(site.world().unwrap(), before);
    site.trust_chain(&platform.pki().root).unwrap();
    site.wait_provisioned().unwrap();
}

#[test]
fn a_silent_platform() {
    once(Behaviour::silent(), "platform.silent");
}

#[test]
fn a_platform_that_stops_before_the_commit() {
    let behaviour = Behaviour {
        silent_from: Some(Step::Commit),
        ..Behaviour::default()
    };
    once(behaviour, "platform.silent");
}

#[test]
fn a_configuration_that_does_not_fit_a_metatype() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    platform
        .behave(Script::once(Behaviour {
            configuration: ConfigurationFault::Misfit,
            ..Behaviour::default()
        }))
        .unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("timeout", 10)
        .with("retry-interval", 3600);
    let before = site.first_start().unwrap();
    site.wait("the refusal", Duration::from_secs(30), |status| {
        let code = status["error"]["code"].as_str().unwrap_or("");
        status["state"] == "waiting"
            && (code == "configuration.invalid"
                || (code == "platform.rejected"
                    && status["error"]["platform"]["code"] == "configuration.invalid"))
    })
    .unwrap();
    assert_eq!(site.world().unwrap(), before);
    site.retry_now().unwrap();
    site.wait_provisioned().unwrap();
}

#[test]
fn a_target_account_that_refuses_the_new_credentials() {
    let behaviour = Behaviour {
        configuration: ConfigurationFault::RefusedCredentials,
        ..Behaviour::default()
    };
    once(behaviour, "proof.failed");
}

#[test]
fn unsigned_and_wrongly_signed_requests() {
    for (signing, code) in [
        (Signing::Missing, "signature.missing"),
        (Signing::OtherSigner, "signature.untrusted"),
        (Signing::Altered, "signature.invalid"),
        (Signing::WithoutNonce, "signature.replayed"),
        (Signing::WithoutTimestamp, "signature.invalid"),
    ] {
        let behaviour = Behaviour {
            signing,
            ..Behaviour::default()
        };
        once(behaviour, code);
    }
}

#[test]
fn a_commit_that_means_something_else() {
    for commit in [
        CommitFault::Digest,
        CommitFault::Nonce,
        CommitFault::Transaction,
    ] {
        let behaviour = Behaviour {
            commit,
            ..Behaviour::default()
        };
        once(
            behaviour,
            if commit == CommitFault::Nonce {
                // The nonce is signed, too, and is looked at first.
                "signature.replayed"
            } else {
                "transaction.mismatch"
            },
        );
    }
}

#[test]
fn every_request_twice_provisions_once() {
    let platform = TestPlatform::start().unwrap();
    let request = platform.request("gw-1", "secret").unwrap();
    platform
        .behave(Behaviour {
            twice: true,
            ..Behaviour::default()
        })
        .unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    let status = site.wait_provisioned().unwrap();
    assert_eq!(status["attempt"], 1);
    platform
        .wait_for(request, JobState::Completed, Duration::from_secs(20))
        .unwrap();
}

#[test]
fn a_lost_reply_to_the_commit_provisions_once() {
    let platform = TestPlatform::start().unwrap();
    let request = platform.request("gw-1", "secret").unwrap();
    platform
        .behave(Script::once(Behaviour {
            deaf_to: Some(Step::Commit),
            ..Behaviour::default()
        }))
        .unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    let status = site.wait_provisioned().unwrap();
    assert_eq!(status["attempt"], 1);
    // Completed by the BIRTH.
    platform
        .wait_for(request, JobState::Completed, Duration::from_secs(20))
        .unwrap();
}
