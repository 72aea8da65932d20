//! Ending a download, by its owner or by the clock, wherever it is.

use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use file_download::{fetch, DownloadError};

use super::server::{content, Place, Server};
use super::stopwatch::Stopwatch;

/// Cancels as soon as `reached` says so, and gives how long the download went on.
fn cancelled_after(reached: mpsc::Receiver<()>, url: &str, pause: Duration) -> Duration {
    let mut place = Place::new();
    let mut request = place.request(url, b"");
    request.limits.pause = pause;
    let cancel = place.cancel.clone();
    let canceller = thread::spawn(move || {
        reached
            .recv_timeout(Duration::from_secs(30))
            .expect("the stage is reached");
        let watch = Stopwatch::start();
        cancel.cancel();
        watch
    });
    let error = place.fetch(&request).unwrap_err();
    let took = canceller.join().unwrap().stop();
    assert!(matches!(error, DownloadError::Cancelled { .. }), "{error}");
    assert!(place.is_empty());
    took
}

const AT_ONCE: Duration = Duration::from_millis(200);

#[test]
fn a_download_ends_at_once_at_every_stage() {
    type Stage = (
        &'static str,
        fn(super::server::Asked<'_>, &mpsc::Sender<()>),
    );
    let stages: [Stage; 4] = [
        ("before the head", |mut asked, reached| {
            reached.send(()).unwrap();
            asked.hang();
        }),
        ("within the head", |mut asked, reached| {
            asked.say("HTTP/1.1 200 O");
            reached.send(()).unwrap();
            asked.hang();
        }),
        ("within the content", |mut asked, reached| {
            asked.say("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nxxx");
            reached.send(()).unwrap();
            asked.hang();
        }),
        ("while bytes pour in", |mut asked, reached| {
            asked.say("HTTP/1.1 200 OK\r\nContent-Length: 60000000\r\n\r\n");
            asked.say(content(1_000_000));
            reached.send(()).unwrap();
            while asked.say([0; 4096]) {}
        }),
    ];
    for (stage, script) in stages {
        let (reach, reached) = mpsc::channel();
        let server = Server::start(move |asked| script(asked, &reach));
        let took = cancelled_after(reached, &server.url("/x"), Duration::from_millis(1));
        assert!(took < AT_ONCE, "{stage}: {took:?}");
    }
}

#[test]
fn bytes_that_are_there_already_do_not_hold_up_a_cancellation() {
    let whole = content(200_000);
    let told = whole.clone();
    let (wrote, written) = mpsc::channel();
    let server = Server::start(move |mut asked| {
        asked.whole(&told);
        wrote.send(()).unwrap();
    });
    let place = Place::new();
    let request = place.request(&server.url("/x"), &whole);
    let mut first = true;
    let result = fetch(&request, &place.cancel, &mut |_| {
        if std::mem::take(&mut first) {
            let patience = Duration::from_secs(30);
            written
                .recv_timeout(patience)
                .expect("the server has written everything");
            place.cancel.cancel();
        }
    });
    let error = result.unwrap_err();
    assert!(matches!(error, DownloadError::Cancelled { .. }), "{error}");
    assert!(place.is_empty());
}

#[test]
fn a_handshake_that_is_never_answered_is_left_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (reach, reached) = mpsc::channel();
    let silent = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        reach.send(()).unwrap();
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap_or_default();
    });
    let took = cancelled_after(reached, &format!("https://{address}/x"), Duration::ZERO);
    assert!(took < AT_ONCE, "{took:?}");
    silent.join().unwrap();
}

#[test]
fn a_pause_between_two_tries_ends_at_once() {
    let (reach, reached) = mpsc::channel();
    let server = Server::start(move |mut asked| {
        asked.say("HTTP/1.1 503 Busy\r\n\r\n");
        reach.send(()).unwrap();
    });
    let took = cancelled_after(reached, &server.url("/x"), Duration::from_secs(25));
    assert!(took < AT_ONCE, "{took:?}");
}

#[test]
fn the_deadline_ends_a_slow_download_and_says_how_far_it_came() {
    let server = Server::start(|mut asked| {
        asked.say("HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 1000\r\n\r\nxxx");
        asked.hang();
    });
    let mut place = Place::new();
    let mut request = place.request(&server.url("/x"), b"");
    let begun = Instant::now();
    request.deadline = Some(begun + Duration::from_secs(1));
    let error = place.fetch(&request).unwrap_err();
    let took = begun.elapsed();
    assert!(
        matches!(error, DownloadError::Late { received: 3, .. }),
        "{error}"
    );
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(5),
        "{took:?}"
    );
    assert!(place.is_empty());
}
