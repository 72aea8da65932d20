//! Claim secrets in the memory of the process `gateway run`: there while it claims, gone once it
//! is a member of its account.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use e2e::process::Process;
use e2e::Site;
use gateway_component_abi::value::Secret;
use provision_platform::harness::TestPlatform;
use provision_platform::secret::Secret as PlatformSecret;
use provision_platform::store::{JobState, NewRequest};

const WAIT: Duration = Duration::from_secs(30);
const PASSWORD: &str = "memory-password-4b7d21c09e";
const KEY: &str = "memory-activation-key-83aa6f15d2";

/// Where in its writable memory the text is: mapping, address, and what is around it.
fn places_of(gateway: &Process, text: &str) -> Vec<String> {
    let process = format!("/proc/{}", gateway.id());
    let maps = fs::read_to_string(format!("{process}/maps")).unwrap();
    let mut memory = File::open(format!("{process}/mem")).unwrap();
    let mut found = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        if !rights.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let from = u64::from_str_radix(from, 16).unwrap();
        let to = u64::from_str_radix(to, 16).unwrap();
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        // Mapped a moment ago, and gone by now: a process that runs changes its memory.
        if memory.seek(SeekFrom::Start(from)).is_err() || memory.read_exact(&mut bytes).is_err() {
            continue;
        }
        for at in occurrences(&bytes, text.as_bytes()) {
            let around = &bytes[at.saturating_sub(48)..bytes.len().min(at + 96)];
            let around = String::from_utf8_lossy(around).escape_debug().to_string();
            let address = from + at as u64;
            found.push(format!("{address:x} of {line}: {around}"));
        }
    }
    found
}

fn occurrences(bytes: &[u8], text: &[u8]) -> Vec<usize> {
    let first = text[0];
    let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == first);
    starts
        .map(|(at, _)| at)
        .filter(|at| bytes[*at..].starts_with(text))
        .collect()
}

/// As it stands, and as CONF-V1 writes it.
fn forms(secret: &str) -> [String; 2] {
    let base64 = kura_formats::configurations::remote_seal(&Secret::from(secret)).1;
    [secret.to_owned(), base64]
}

/// Lets through whatever comes on two connections.
fn join(device: TcpStream, broker: TcpStream) {
    for (from, to) in [(&device, &broker), (&broker, &device)] {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Write);
        });
    }
}

/// A platform, its request, and the gateway that it awaits with these secrets.
fn claim() -> (TestPlatform, i64, Site) {
    let platform = TestPlatform::start().unwrap();
    let mut new = NewRequest::new("gw-1", "user-gw-1", PASSWORD, "acme");
    new.activation_key = Some(PlatformSecret::new(KEY));
    let request = platform.create_request(&new).unwrap();
    let site = Site::new(&platform, "gw-1", PASSWORD)
        .unwrap()
        .with("activation-key", Secret::from(KEY));
    (platform, request, site)
}

#[test]
fn the_claim_secrets_are_gone_from_the_memory_of_a_gateway_that_is_a_member() {
    let door = TcpListener::bind("localhost:0").unwrap();
    let (platform, request, site) = claim();
    let url = format!("mqtts://localhost:{}", door.local_addr().unwrap().port());
    let site = site.with("broker-url", url);
    let gateway = Process::start(&site, &["--allow-core-dumps"]).unwrap();

    // It waits for the broker's part of TLS: what is searched for is there, and is found.
    let (device, _) = door.accept().unwrap();
    for secret in [PASSWORD, KEY] {
        assert!(
            !places_of(&gateway, secret).is_empty(),
            "{secret}: not seen"
        );
    }
    let broker = TcpStream::connect(("localhost", platform.provision_broker().port())).unwrap();
    join(device, broker);
    platform
        .wait_for(request, JobState::Completed, WAIT)
        .unwrap();

    let all: Vec<String> = [PASSWORD, KEY].iter().flat_map(|s| forms(s)).collect();
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let left: Vec<String> = all.iter().flat_map(|f| places_of(&gateway, f)).collect();
        if left.is_empty() {
            break;
        }
        assert!(
            Instant::now() < until,
            "{} copies are left:\n{}",
            left.len(),
            left.join("\n")
        );
    }
}
