//! The checks of these cases can fail: each sees what it is there to see.

use super::case::{at_deadline, at_once, failures, Case};
use super::child;
use super::peer::Caller;
use std::io;

const NAME: &str = "broker::checks::what_is_wrong_is_found_out";

fn refused(caller: Caller) -> io::Result<()> {
    let mut client = caller.heard()?;
    client.under_way();
    client.send(&[0x20, 2, 0, 3])?;
    client.until_gone()
}

fn right() -> Case {
    at_once("right", "broker.unavailable", "it is", refused)
}

#[test]
fn what_is_wrong_is_found_out() {
    if child::is_one() {
        return child::run();
    }
    let found = |case| failures(NAME, 1, vec![case]).join("\n");
    assert_eq!(found(right()), "");
    let large = found(right().ballast(40));
    assert!(large.contains("it grew by 4"), "{large}");
    // What the status tells of the broker, and the log.
    let leaky = found(right().canary("mqtts://127.0.0.1"));
    assert!(
        leaky.contains("in the log") && leaky.contains("in the status"),
        "{leaky}"
    );
    let other = found(at_once("other", "network.lost", "it is not", refused));
    assert!(other.contains("network.lost is expected, not"), "{other}");
    let early = found(at_deadline("early", "broker.unavailable", "no", refused));
    assert!(early.contains("it took 0."), "{early}");
    let stuck = found(at_once("stuck", "broker.unavailable", "no", |caller| {
        caller.secured()?;
        panic!("the script stops here");
    }));
    assert!(stuck.contains("the script stops here"), "{stuck}");
}
