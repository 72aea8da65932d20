//! From the commit request to provisioned, and back where it must be.

use super::world::World;
use crate::diagnosis::{Code, Fault};
use crate::provisioner::{Input, Memory, Recovered, SessionEvent, StateName};
use crate::settings::Settings;

#[test]
fn the_whole_flow_ends_provisioned_in_this_order() {
    let mut world = World::active();
    let commit = world.whole_flow();
    assert_eq!(world.reply(&commit), Some((200, None)));
    assert_eq!(world.state(), StateName::Committing);
    world.session(SessionEvent::Flushed);
    assert_eq!(world.state(), StateName::Provisioned);
    let order: Vec<&str> = world.log.iter().map(String::as_str).collect();
    let from = order.iter().position(|entry| *entry == "seal").unwrap();
    assert_eq!(
        order.split_at(from).1,
        [
            "seal",
            "apply",
            "prove",
            "commit",
            "complete",
            "publish",
            "disconnect",
            "finish",
            "report"
        ]
    );
    world.configure();
    assert_eq!(world.state(), StateName::Provisioned);
    assert_eq!(world.attempts_begun, 1);
    assert_eq!(world.code(), None);
    assert_eq!(world.leaked, 0);
}

#[test]
fn every_step_that_fails_before_the_commit_goes_back_and_says_why() {
    let fault = |code| Err(Fault::new(code, "as scripted"));
    type Case = (&'static str, fn(&mut World, Fault), Code);
    let cases: [Case; 4] = [
        ("seal", |w, f| w.sealed = Err(f), Code::StorageUnwritable),
        (
            "apply",
            |w, f| w.applied.push_back(Err(f)),
            Code::ApplyFailed,
        ),
        ("prove", |w, f| w.proved = Some(Err(f)), Code::ProofFailed),
        ("commit", |w, f| w.committed = Err(f), Code::StorageFull),
    ];
    for (name, script, code) in cases {
        let mut world = World::active();
        let fault: Result<(), Fault> = fault(code);
        script(&mut world, fault.unwrap_err());
        let commit = world.whole_flow();
        assert_eq!(world.count("undo"), 1, "{name}");
        assert_eq!(world.count("complete"), 0, "{name}");
        assert_eq!(
            world.reply(&commit),
            Some((500, Some(code.as_str()))),
            "{name}"
        );
        assert_eq!(world.code(), Some(code), "{name}");
        assert_eq!(world.properties.get("provisioned"), None, "{name}");
    }
}

#[test]
fn a_link_lost_after_the_commit_request_does_not_roll_back() {
    let mut world = World::active();
    world.proved = None;
    world.whole_flow();
    world.link_fails(Code::NetworkLost);
    assert_eq!(world.state(), StateName::Proving);
    world.input(crate::provisioner::Input::Proved(Ok(())));
    assert_eq!(world.count("finish"), 1);
    world.configure();
    assert_eq!(world.state(), StateName::Provisioned);
    assert_eq!(world.leaked, 0, "no reply into a dead link");
}

#[test]
fn a_reply_that_is_never_acknowledged_is_awaited_five_seconds() {
    let mut world = World::active();
    world.whole_flow();
    world.pass(std::time::Duration::from_millis(4999));
    assert_eq!(world.count("finish"), 0);
    world.pass(std::time::Duration::from_millis(1));
    assert_eq!(world.count("finish"), 1);
}

#[test]
fn a_retry_that_is_due_with_the_end_of_the_wait_for_the_reply_is_made() {
    let mut world = World::active();
    world.set("retry-interval", 5);
    world.completed = Err(Fault::new(Code::StorageFull, "for a moment"));
    world.whole_flow();
    assert_eq!(world.count("complete"), 1);
    world.completed = Ok(());
    world.seconds(5);
    assert_eq!(world.count("complete"), 2);
    assert_eq!(world.count("finish"), 1);
    world.configure();
    assert_eq!(world.state(), StateName::Provisioned);
}

#[test]
fn after_the_commit_record_the_way_is_forward_however_often() {
    let mut world = World::active();
    world.completed = Err(Fault::new(Code::ApplyFailed, "the host is busy"));
    let commit = world.whole_flow();
    assert_eq!(world.reply(&commit), Some((200, None)), "the commit stands");
    world.session(SessionEvent::Flushed);
    assert_eq!(world.count("finish"), 0);
    world.set("enabled", false);
    world.seconds(120);
    assert_eq!(world.count("undo"), 0);
    assert_eq!(world.count("complete"), 3);
    world.completed = Ok(());
    world.seconds(60);
    assert_eq!(world.count("finish"), 1);
    world.configure();
    assert_eq!(world.state(), StateName::Provisioned);
}

#[test]
fn a_restart_after_the_commit_record_completes() {
    let mut world = World::new();
    world.recovered = Ok(Recovered {
        memory: Memory {
            transaction: Some("t".into()),
            attempts: 2,
            ..Memory::default()
        },
        committed: true,
    });
    world.configure();
    assert_eq!(
        world.log.get(..3).unwrap(),
        ["recover", "complete", "disconnect"]
    );
    assert_eq!(world.count("finish"), 1);
    assert_eq!(world.attempts_begun, 0);
    world.configure();
    assert_eq!(world.state(), StateName::Provisioned);
    assert_eq!(
        world.attempts(),
        2,
        "attempts keeps the number of the successful transaction"
    );
}

#[test]
fn a_repeated_commit_while_it_is_carried_out_has_no_second_effect() {
    let mut world = World::active();
    world.proved = None;
    world.whole_flow();
    let replies = world.replies.len();
    // The same request again: same id, same bytes.
    let plan = world.plan.clone().unwrap();
    let _ = plan;
    world.request_as(
        "r9",
        "CONF-V1/PUT/configurations",
        super::world::CONF.as_bytes(),
        &[],
    );
    assert_eq!(world.reply("r9"), Some((409, Some("protocol.unexpected"))));
    assert_eq!(world.replies.len(), replies + 1);
    assert_eq!(world.state(), StateName::Proving);
}

#[test]
fn an_update_from_before_the_success_does_not_start_it_again() {
    let mut world = World::active();
    let before = Settings::parse(&world.properties);
    world.whole_flow();
    world.session(SessionEvent::Flushed);
    // It was on its way when the success was written.
    world.input(Input::Configured(Box::new(before)));
    assert_eq!(world.state(), StateName::Provisioned);
    assert_eq!(world.attempts_begun, 1);
    // But a wish that came later counts, even if the echo of the success was skipped.
    world.set("provisioned", false);
    world.set("enabled", true);
    assert_eq!(world.state(), StateName::Connecting);
    assert!(world.plan.as_ref().unwrap().reprovisioning);
}
