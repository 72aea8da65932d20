//! What a server can make us hold, and what it cannot.

use super::server::{Place, Server};

#[test]
fn a_file_beyond_the_limit_is_refused_as_soon_as_it_is_known() {
    let announced = Server::start(|mut asked| {
        asked.say("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
        asked.hang();
    });
    let endless = Server::start(|mut asked| {
        asked.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while asked.say(format!("1000\r\n{}\r\n", "x".repeat(0x1000))) {}
    });
    for (server, size) in [(&announced, "99999999999"), (&endless, "")] {
        let mut place = Place::new();
        let mut request = place.request(&server.url("/x"), b"");
        request.limits.size = 1 << 20;
        let error = place.fetch(&request).unwrap_err();
        assert_eq!(error.code(), "protocol.too-large");
        let text = error.to_string();
        assert!(text.contains("1048576") && text.contains(size), "{text}");
        assert_eq!(server.asked(), 1);
        assert!(place.is_empty());
    }
}

#[test]
fn a_file_of_exactly_the_limit_is_taken() {
    let server = Server::start(|mut asked| asked.whole(&[1; 1000]));
    let mut place = Place::new();
    let mut request = place.request(&server.url("/x"), &[1; 1000]);
    request.limits.size = 1000;
    place.fetch(&request).unwrap();
}

#[test]
fn what_is_no_http_ends_within_its_bounds() {
    let endless_head = Server::start(|mut asked| {
        asked.say("HTTP/1.1 200 OK\r\n");
        while asked.say(format!("X: {}\r\n", "y".repeat(1000))) {}
    });
    let interim = Server::start(
        |mut asked| {
            while asked.say("HTTP/1.1 102 Processing\r\n\r\n") {}
        },
    );
    let rubbish = Server::start(|mut asked| {
        asked.say("SSH-2.0-OpenSSH_9\r\n");
    });
    let packed = Server::start(|mut asked| {
        asked.say("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx");
    });
    for server in [&endless_head, &interim, &rubbish, &packed] {
        let mut place = Place::new();
        let error = place.get(&server.url("/x"), b"x").unwrap_err();
        assert_eq!(error.code(), "package.unavailable");
        assert!(error.to_string().contains("no usable HTTP"), "{error}");
        assert_eq!(server.asked(), 1, "{error}");
        assert!(place.is_empty());
    }
}

/// Bytes of memory that this process has had at most.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

#[test]
fn a_hundred_megabytes_take_no_more_memory_than_one() {
    const SIZE: usize = 100 << 20;
    let block = vec![0x5a; 1 << 20];
    let mut whole = openssl::sha::Sha256::new();
    for _ in 0..SIZE / block.len() {
        whole.update(&block);
    }
    let server = Server::start(move |mut asked| {
        asked.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n"));
        while asked.say(&block) {}
    });
    let mut place = Place::new();
    let mut request = place.request(&server.url("/x"), b"");
    request.digest = whole.finish().to_vec();
    request.limits.size = SIZE as u64;
    let (before, mut blocks) = (peak(), 0);
    let received = file_download::fetch(&request, &place.cancel, &mut |_| blocks += 1).unwrap();
    let grown = peak() - before;
    assert_eq!(received.length, SIZE as u64);
    assert!(blocks > 1000, "{blocks} blocks");
    assert!(grown < 16 << 20, "{grown} bytes more");
    place.seen.clear();
}
