//! The platform dies in the middle of a provisioning and comes back from its database.

use std::time::Duration;

use e2e::Site;
use provision_platform::behaviour::{Behaviour, Script, Step};
use provision_platform::harness::TestPlatform;
use provision_platform::pki::{DeviceKey, Pki};
use provision_platform::store::{JobState, NewRequest};

const WAIT: Duration = Duration::from_secs(30);

/// A platform that goes no further than before this step, in its first life.
fn stops_at(step: Step) -> (TestPlatform, i64) {
    let platform = TestPlatform::start_with(Pki::create().unwrap(), |s| s).unwrap();
    let mut new = NewRequest::new("gw-1", "user-gw-1", "secret", "acme");
    new.device_key = Some(DeviceKey::EcP256);
    let request = platform.create_request(&new).unwrap();
    platform
        .behave(Script::once(Behaviour {
            silent_from: Some(step),
            ..Behaviour::default()
        }))
        .unwrap();
    (platform, request)
}

fn site(platform: &TestPlatform) -> Site {
    Site::new(platform, "gw-1", "secret").unwrap()
}

#[test]
fn a_provisioning_goes_on_after_the_platform_died_before_any_step() {
    for step in [
        Step::Certificates,
        Step::DeviceKey,
        Step::ClientCertificate,
        Step::Configuration(0),
        Step::Commit,
    ] {
        let (platform, request) = stops_at(step);
        let mut site = site(&platform);
        site.start().unwrap();
        // So far, and no further.
        platform
            .wait_until(WAIT, |store| {
                let Some(job) = store.current_job(request)? else {
                    return Ok(None);
                };
                let Some(attempt) = store.attempts(job.id)?.pop() else {
                    return Ok(None);
                };
                let answered = store.exchanges(attempt.id)?;
                let answered = answered.iter().filter(|e| e.response_code == Some(200));
                let wanted = match step {
                    Step::Certificates => 0,
                    Step::DeviceKey => 1,
                    Step::ClientCertificate => 2,
                    Step::Configuration(_) => 3,
                    _ => 4,
                };
                Ok((answered.count() == wanted).then_some(()))
            })
            .unwrap()
            .unwrap_or_else(|| panic!("not as far as {step:?}"));
        let platform = platform.restart().unwrap();
        let status = site.wait_provisioned().unwrap();
        let job = platform
            .wait_for(request, JobState::Completed, WAIT)
            .unwrap();
        assert_eq!(
            status["transaction"].as_str(),
            job.transaction_id.as_deref()
        );
        assert_eq!(platform.store().jobs(request).unwrap().len(), 1, "{step:?}");
    }
}

#[test]
fn a_platform_that_died_with_the_reply_to_the_commit_hears_of_it_by_the_birth() {
    let platform = TestPlatform::start().unwrap();
    let request = platform.request("gw-1", "secret").unwrap();
    platform
        .behave(Script::once(Behaviour {
            deaf_to: Some(Step::Commit),
            ..Behaviour::default()
        }))
        .unwrap();
    let mut site = site(&platform);
    site.start().unwrap();
    // The commit is on its way: whatever of it arrives, it is carried out at most once.
    platform
        .wait_until(WAIT, |store| {
            Ok(store.current_job(request)?.filter(|job| job.commit_sent))
        })
        .unwrap()
        .expect("the commit is sent");
    let platform = platform.restart().unwrap();
    site.wait_provisioned().unwrap();
    let job = platform
        .wait_for(request, JobState::Completed, WAIT)
        .unwrap();
    assert!(job.commit_sent);
    assert_eq!(platform.store().jobs(request).unwrap().len(), 1);
}
