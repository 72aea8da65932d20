//! A gateway that was switched off sends nothing: the packets are counted by the kernel, in a network
//! of its own in which there is nobody else.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use e2e::site::state;
use e2e::Site;
use provision_platform::harness::TestPlatform;

use super::again;

/// Set in the process that runs in name spaces of its own.
const INSIDE: &str = "GWC_TEST_OWN_NETWORK";
const WAIT: Duration = Duration::from_secs(20);
/// Longer than two pauses of 1 s, with the quarter that chance may add to each.
const TWO_PAUSES: Duration = Duration::from_millis(2600);

/// What a broker that never says a word sees of its clients.
#[derive(Debug, PartialEq)]
enum Seen {
    Arrived,
    Left,
}

/// A broker for one client after the other. It hangs up first where `patient` is false.
fn broker(patient: bool) -> (u16, Receiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (seen, events): (Sender<Seen>, _) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if seen.send(Seen::Arrived).is_err() {
                return;
            }
            let mut buffer = [0; 4096];
            while patient && matches!(stream.read(&mut buffer), Ok(n) if n > 0) {}
            drop(stream);
            if seen.send(Seen::Left).is_err() {
                return;
            }
        }
    });
    (port, events)
}

/// Packets that went over the loopback, the only interface there is.
fn packets() -> u64 {
    let table = fs::read_to_string("/proc/self/net/dev").unwrap();
    let line = table
        .lines()
        .find_map(|line| line.trim().strip_prefix("lo:"))
        .unwrap();
    // Eight columns of what was received; the packets are the second of what was sent.
    line.split_whitespace().nth(9).unwrap().parse().unwrap()
}

/// Waits until no connection is between two states in which the kernel itself still sends: what is
/// left listens or has been closed on both sides.
fn connections_have_ended() {
    let end = Instant::now() + WAIT;
    loop {
        let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
        // 06 is TIME_WAIT, 0A is LISTEN (include/net/tcp_states.h).
        let open = table
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().nth(3))
            .filter(|state| !["06", "0A"].contains(state))
            .count();
        if open == 0 {
            return;
        }
        assert!(Instant::now() < end, "connections stay open: {table}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A gateway that is sent to a broker of this kind.
fn gateway(patient: bool) -> (Site, Receiver<Seen>) {
    // For its certificates alone: what it would send is not to be counted.
    let platform = TestPlatform::start().unwrap();
    let (port, seen) = broker(patient);
    let site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("broker-url", format!("mqtts://127.0.0.1:{port}"));
    (site, seen)
}

/// Switches it off, and holds that it is silent from the moment at which it says so.
fn is_silent_once_disabled(site: &mut Site, seen: &Receiver<Seen>) {
    site.set("enabled", false).unwrap();
    site.wait("idle", WAIT, |status| state(status) == "idle")
        .unwrap();
    // What was on its way to the broker when it was switched off has arrived there.
    connections_have_ended();
    while seen.try_recv().is_ok() {}
    let before = packets();
    // Nothing can be waited for but time, in which it would have come twice.
    assert_eq!(
        seen.recv_timeout(TWO_PAUSES),
        Err(RecvTimeoutError::Timeout)
    );
    assert_eq!(packets(), before, "packets after it was disabled");
    // And the count would have seen it: enabled again, it is there.
    site.set("enabled", true).unwrap();
    assert_eq!(seen.recv_timeout(WAIT), Ok(Seen::Arrived));
    assert!(packets() > before);
}

fn in_a_network_of_its_own(name: &str, test: impl Fn()) {
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    if let Some(mut command) = again::in_name_spaces("ip link set lo up") {
        command.env(INSIDE, "1");
        again::run(command, &format!("silence::{name}"));
    }
}

#[test]
fn switched_off_in_the_middle_of_an_attempt_it_sends_no_packet_more() {
    in_a_network_of_its_own(
        "switched_off_in_the_middle_of_an_attempt_it_sends_no_packet_more",
        || {
            let (mut site, seen) = gateway(true);
            site.start().unwrap();
            assert_eq!(seen.recv_timeout(WAIT), Ok(Seen::Arrived));
            is_silent_once_disabled(&mut site, &seen);
        },
    );
}

#[test]
fn switched_off_between_two_attempts_it_sends_no_packet_more() {
    in_a_network_of_its_own(
        "switched_off_between_two_attempts_it_sends_no_packet_more",
        || {
            let (mut site, seen) = gateway(false);
            site.start().unwrap();
            // It comes back by itself, each time after a pause of about 1 s.
            for expected in [Seen::Arrived, Seen::Left, Seen::Arrived, Seen::Left] {
                assert_eq!(seen.recv_timeout(WAIT), Ok(expected));
            }
            site.wait("the pause", WAIT, |status| state(status) == "waiting")
                .unwrap();
            is_silent_once_disabled(&mut site, &seen);
        },
    );
}
