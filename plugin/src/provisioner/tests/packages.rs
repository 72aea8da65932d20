//! Packages within an attempt: one after the other, told about, and what waits for them.

use std::time::Duration;

use super::world::{World, CONF};
use crate::diagnosis::{Code, Fault};
use crate::provisioner::steps::{Progress, Step};
use crate::provisioner::{Input, PackageState, StateName};

fn receiving() -> World {
    let mut world = World::active();
    world.reach();
    world.certificates();
    world
}

fn told(world: &World) -> Vec<(&str, &str, i32, Option<&str>)> {
    world
        .notes
        .iter()
        .map(|(name, status, percent, code)| {
            (name.as_str(), status.as_str(), *percent, code.as_deref())
        })
        .collect()
}

fn progress(world: &mut World, received: u64, size: Option<u64>) {
    let n = world.downloading[0].0;
    world.input(Input::Downloading { n, received, size });
}

#[test]
fn packages_come_one_after_the_other_and_are_committed_in_their_places() {
    let mut world = receiving();
    let first = world.download("a");
    let second = world.download("b");
    assert_eq!(world.reply(&first), Some((200, None)), "at once");
    assert_eq!(world.reply(&second), Some((200, None)), "at once");
    assert_eq!(world.downloading, [(0, "a".to_owned())]);
    world.arrives(Ok(10));
    assert_eq!(world.downloading, [(1, "b".to_owned())]);
    world.arrives(Ok(20));
    world.configuration();
    let lines = world.machine.view().packages.to_vec();
    assert!(
        lines.iter().all(|line| line.state == PackageState::Staged),
        "{lines:?}"
    );
    assert_eq!(lines[1].size, Some(20));
    let commit = world.commit(None, None, None);
    assert_eq!(world.reply(&commit), Some((200, None)));
    assert_eq!(world.count("stage package"), 2);
    assert_eq!(
        told(&world),
        [
            ("a", "IN_PROGRESS", 0, None),
            ("a", "COMPLETED", 100, None),
            ("b", "IN_PROGRESS", 0, None),
            ("b", "COMPLETED", 100, None),
        ]
    );
}

#[test]
fn progress_is_told_to_the_platform_in_tenths_and_to_people_as_it_is() {
    let mut world = receiving();
    world.download("a");
    for received in 0..=1000 {
        progress(&mut world, received * 3_000, Some(3_000_000));
    }
    let view = world.machine.view();
    let (_, line) = view
        .steps
        .lines()
        .find(|(step, _)| *step == Step::Packages)
        .unwrap();
    assert_eq!(line.progress, Progress::Running);
    assert_eq!(line.detail, "0 of 1 received; a 1.0: 3.0 of 3.0 MB");
    assert_eq!(view.packages[0].received, 3_000_000);
    world.arrives(Ok(3_000_000));
    let percents: Vec<i32> = world.notes.iter().map(|note| note.2).collect();
    assert_eq!(percents, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    world.download("b");
    let before = world.notes.len();
    for received in 0..100 {
        progress(&mut world, received << 16, None);
    }
    assert_eq!(
        world.notes.len() - before,
        6,
        "a note per MiB where the size is not known"
    );
}

#[test]
fn a_commit_during_a_download_is_untimely_and_ends_the_attempt() {
    let mut world = receiving();
    world.download("a");
    let commit = world.commit(None, None, None);
    assert_eq!(
        world.reply(&commit),
        Some((409, Some("protocol.unexpected")))
    );
    assert_eq!(world.count("undo"), 1);
    assert!(world.downloading.is_empty(), "it ends with the attempt");
    assert_eq!(world.code(), Some(Code::ProtocolUnexpected));
}

#[test]
fn a_download_that_fails_leaves_the_attempt_open_and_no_place_in_the_manifest() {
    for code in [
        Code::PackageUnavailable,
        Code::PackageCorrupt,
        Code::StorageFull,
    ] {
        let mut world = receiving();
        world.download("a");
        world.arrives(Err(code));
        let note = ("a", "FAILED", 0, Some(code.as_str()));
        assert_eq!(told(&world).last(), Some(&note));
        assert_eq!(world.state(), StateName::Receiving);
        // The same name may be asked for again, and the rest goes on.
        let again = world.download("a");
        assert_eq!(world.reply(&again), Some((200, None)));
        world.arrives(Ok(5));
        let commit = world.commit(None, None, None);
        assert_eq!(world.reply(&commit), Some((200, None)), "{code}");
    }
}

#[test]
fn a_reject_that_repeats_our_own_refusal_leaves_what_we_know_of_it() {
    let mut world = receiving();
    world.download("a");
    world.arrives(Err(Code::PackageCorrupt));
    world.reject("package.corrupt", Some(120));
    let (fault, _) = world.machine.view().fault.unwrap().clone();
    assert_eq!(
        (fault.code, fault.message.as_str()),
        (Code::PackageCorrupt, "as scripted")
    );
    assert_eq!(fault.retry_after, Some(120));
    let mut world = receiving();
    world.download("a");
    world.arrives(Err(Code::PackageCorrupt));
    world.reject("request.expired", None);
    assert_eq!(world.code(), Some(Code::PlatformRejected));
}

#[test]
fn a_package_that_the_host_cannot_use_is_told_as_failed() {
    let mut world = receiving();
    world.package_staged = Err(Fault::new(Code::PackageFailed, "no plugin in it"));
    world.download("a");
    world.arrives_unusable();
    let note = ("a", "FAILED", 0, Some("package.failed"));
    assert_eq!(told(&world).last(), Some(&note));
    assert_eq!(world.machine.view().packages[0].state, PackageState::Failed);
    world.seconds(300);
    assert_eq!(world.code(), Some(Code::PackageFailed), "the last refusal");
}

#[test]
fn the_deadline_in_the_middle_of_a_download_says_how_far_it_was() {
    let mut world = receiving();
    world.download("a");
    progress(&mut world, 123, Some(456));
    world.pass(Duration::from_secs(300));
    assert_eq!(world.code(), Some(Code::PackageUnavailable));
    let message = world.machine.view().fault.unwrap().0.message.clone();
    assert!(
        message.contains("a 1.0") && message.contains("123 of 456"),
        "{message}"
    );
    assert_eq!(world.count("undo"), 1);
    assert!(world.downloading.is_empty());
    // The next attempt knows nothing of it.
    world.seconds(75);
    assert!(world.machine.view().packages.is_empty());
}

#[test]
fn switching_off_during_a_download_ends_it_and_takes_everything_back() {
    let mut world = receiving();
    world.download("a");
    world.download("b");
    world.set("enabled", false);
    assert_eq!(world.state(), StateName::Idle);
    assert!(world.downloading.is_empty());
    assert_eq!(world.count("undo"), 1);
    // What was on its way when it ended comes late, and counts for nothing.
    world.input(Input::Downloaded {
        n: 0,
        result: Err(Fault::new(Code::PackageUnavailable, "late")),
    });
    assert_eq!(world.count("download"), 1, "the second one is not begun");
}

#[test]
fn a_repeated_request_downloads_once() {
    let mut world = receiving();
    let id = world.download("a");
    world.download_as(&id, "a");
    let again = world.replies.iter().filter(|(other, ..)| *other == id);
    let codes: Vec<i32> = again.map(|(_, code, _)| *code).collect();
    assert_eq!(codes, [200, 200], "the recorded reply again");
    assert_eq!(world.count("download"), 1);
    // Under another id it is another request, for what is here already.
    let other = world.download_again("a");
    assert_eq!(
        world.reply(&other),
        Some((409, Some("protocol.unexpected")))
    );
}

#[test]
fn the_tenth_package_is_refused_and_the_nine_go_on() {
    let mut world = receiving();
    for n in 0..9 {
        let id = world.download(&format!("p{n}"));
        assert_eq!(world.reply(&id), Some((200, None)));
    }
    let tenth = world.download_again("p9");
    assert_eq!(
        world.reply(&tenth),
        Some((409, Some("protocol.unexpected")))
    );
    for _ in 0..9 {
        world.arrives(Ok(1));
    }
    let commit = world.commit(None, None, None);
    assert_eq!(world.reply(&commit), Some((200, None)));
}

#[test]
fn a_host_without_packages_says_so_at_once() {
    let mut world = World::new();
    world.installs_packages = false;
    world.configure();
    world.reach();
    world.certificates();
    let id = world.download_again("a");
    assert_eq!(world.reply(&id), Some((500, Some("package.failed"))));
    assert_eq!(world.count("download"), 0);
    world.seconds(300);
    let (fault, _) = world.machine.view().fault.unwrap().clone();
    assert!(fault.causes[0].starts_with("host.unsupported"), "{fault:?}");
}

#[test]
fn a_download_before_the_certificates_is_untimely() {
    let mut world = World::active();
    world.reach();
    let id = world.download_again("a");
    assert_eq!(world.reply(&id), Some((409, Some("protocol.unexpected"))));
    assert_eq!(world.count("download"), 0);
}

#[test]
fn a_configuration_waits_for_the_packages_that_come_before_it() {
    let mut world = receiving();
    world.download("a");
    let configuration = world.configuration();
    world.download("b");
    assert_eq!(
        world.reply(&configuration),
        None,
        "its metatypes are under way"
    );
    assert_eq!(world.count("stage"), 0);
    // Repeated meanwhile, it has no second effect.
    world.request_as(
        &configuration,
        "CONF-V1/PUT/configurations",
        CONF.as_bytes(),
        &[],
    );
    world.arrives(Ok(1));
    assert_eq!(world.reply(&configuration), None);
    world.arrives(Ok(2));
    assert_eq!(world.reply(&configuration), Some((200, None)));
    assert_eq!(world.count("stage"), 1);
    let order: Vec<&str> = world.log.iter().map(String::as_str).collect();
    let at = |what: &str| order.iter().rposition(|entry| *entry == what).unwrap();
    assert!(at("stage package") < at("stage"));
    let commit = world.commit(None, None, None);
    assert_eq!(
        world.reply(&commit),
        Some((200, None)),
        "in the order of arrival"
    );
}

#[test]
fn a_waiting_configuration_is_looked_at_though_the_package_fails() {
    let mut world = receiving();
    world.download("a");
    let configuration = world.configuration();
    world.staged = Err(Fault::new(Code::ConfigurationInvalid, "no such component"));
    world.arrives(Err(Code::PackageCorrupt));
    assert_eq!(
        world.reply(&configuration),
        Some((400, Some("configuration.invalid")))
    );
    assert_eq!(world.state(), StateName::Receiving);
}

#[test]
fn what_waits_for_a_package_is_bounded() {
    let mut world = receiving();
    world.download("a");
    let mut ids: Vec<String> = (0..16).map(|_| world.configuration()).collect();
    assert!(ids.iter().all(|id| world.reply(id).is_none()));
    let beyond = world.request("CONF-V1/PUT/configurations", CONF.as_bytes(), &[]);
    assert_eq!(
        world.reply(&beyond),
        Some((413, Some("protocol.too-large")))
    );
    world.arrives(Ok(1));
    ids.retain(|id| world.reply(id) != Some((200, None)));
    assert!(ids.is_empty(), "{ids:?}");
    let commit = world.commit(None, None, None);
    assert_eq!(world.reply(&commit), Some((200, None)));
}

#[test]
fn what_waits_for_a_package_counts_before_it_is_staged() {
    use kura_formats::configurations::MAX_WEIGHT;
    let mut world = receiving();
    world.download("a");
    let large = format!("{CONF}{}", "\n".repeat(MAX_WEIGHT / 4));
    for _ in 0..3 {
        let id = world.request("CONF-V1/PUT/configurations", large.as_bytes(), &[]);
        assert_eq!(world.reply(&id), None, "it waits");
    }
    let anchor = format!(
        r#"{{"keystoreServicePid":"SSLKeystore","alias":"a","certificate":"{}"}}"#,
        "x".repeat(48 << 10)
    );
    let mut taken = 0;
    let refused = loop {
        let id = world.request(
            "KEYS-V1/POST/keystores/entries/certificate",
            anchor.as_bytes(),
            &[],
        );
        if world.reply(&id) != Some((200, None)) {
            break id;
        }
        taken += 1;
        assert!(
            taken * anchor.len() <= MAX_WEIGHT / 4,
            "{taken} beside what waits"
        );
    };
    let too_large = Some((413, Some("protocol.too-large")));
    assert_eq!(world.reply(&refused), too_large);
    assert!(taken > 2, "{taken}");
    world.arrives(Ok(10));
    assert_eq!(world.count("stage"), 3 + taken, "what waited has its place");
}
