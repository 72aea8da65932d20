//! Going on where a transfer was cut off.

use std::time::Duration;

use super::server::{content, Asked, Place, Server};

/// The part from `from` on, announced as the rest, of which `length` bytes come.
fn rest(asked: &mut Asked<'_>, whole: &[u8], length: usize) {
    let from = asked.from();
    asked.say(format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{}\r\nContent-Length: {}\r\n\r\n",
        whole.len() - 1,
        whole.len(),
        whole.len() - from
    ));
    asked.say(&whole[from..whole.len().min(from + length)]);
}

/// All of it announced, of which `length` bytes come.
fn beginning(asked: &mut Asked<'_>, whole: &[u8], validator: &str, length: usize) {
    asked.say(format!(
        "HTTP/1.1 200 OK\r\n{validator}Content-Length: {}\r\n\r\n",
        whole.len()
    ));
    asked.say(&whole[..length]);
}

const TAG: &str = "ETag: \"v1\"\r\n";

#[test]
fn a_transfer_that_is_cut_goes_on_where_it_ended() {
    for (validator, sent) in [
        (TAG, "\"v1\""),
        (
            "Last-Modified: Tue, 15 Nov 1994 12:45:26 GMT\r\n",
            "Tue, 15 Nov 1994 12:45:26 GMT",
        ),
    ] {
        let whole = content(300_000);
        let told = whole.clone();
        let server = Server::start(move |mut asked| match asked.number {
            0 => beginning(&mut asked, &told, validator, 100_000),
            1 => rest(&mut asked, &told, 150_000),
            _ => rest(&mut asked, &told, 300_000),
        });
        let mut place = Place::new();
        let received = place.get(&server.url("/x"), &whole).unwrap();
        assert_eq!(received.length, 300_000);
        assert!(std::fs::read(place.file()).unwrap() == whole);
        assert_eq!(server.header(0, "Range"), None);
        assert_eq!(server.header(1, "Range").unwrap(), "bytes=100000-");
        assert_eq!(server.header(2, "Range").unwrap(), "bytes=250000-");
        assert_eq!(server.header(1, "If-Range").unwrap(), sent);
        let fell = place
            .seen
            .windows(2)
            .any(|two| two[1].received < two[0].received);
        assert!(!fell, "{:?}", place.seen);
    }
}

#[test]
fn a_file_that_changed_meanwhile_begins_again() {
    let (old, new) = (content(100_000), vec![7; 90_000]);
    let told = new.clone();
    let server = Server::start(move |mut asked| match asked.number {
        0 => beginning(&mut asked, &old, TAG, 50_000),
        _ => beginning(&mut asked, &told, "ETag: \"v2\"\r\n", told.len()),
    });
    let mut place = Place::new();
    let received = place.get(&server.url("/x"), &new).unwrap();
    assert_eq!(received.length, 90_000);
    assert!(std::fs::read(place.file()).unwrap() == new);
}

#[test]
fn without_a_validator_nothing_is_pieced_together() {
    let whole = content(100_000);
    let told = whole.clone();
    let server = Server::start(move |mut asked| match asked.number {
        0 => beginning(&mut asked, &told, "ETag: W/\"weak\"\r\n", 50_000),
        _ => asked.whole(&told),
    });
    let mut place = Place::new();
    place.get(&server.url("/x"), &whole).unwrap();
    assert_eq!(server.header(1, "Range"), None);
}

#[test]
fn a_rest_that_is_not_the_one_asked_for_begins_again() {
    for range in [
        "bytes 0-99999/100000",
        "bytes 49999-99999/100000",
        "bytes 50000-99999/200000",
        "bytes 50000-50009/100000",
        "bytes 0-18446744073709551615/*",
        "bytes 50000-18446744073709551615/*",
        "rubbish",
    ] {
        let whole = content(100_000);
        let told = whole.clone();
        let server = Server::start(move |mut asked| match asked.number {
            0 => beginning(&mut asked, &told, TAG, 50_000),
            1 => {
                asked.say(format!(
                    "HTTP/1.1 206 Partial Content\r\nContent-Range: {range}\r\n\r\n"
                ));
                asked.say(&told[50_000..]);
            }
            _ => asked.whole(&told),
        });
        let mut place = Place::new();
        place.get(&server.url("/x"), &whole).expect(range);
        assert_eq!(server.asked(), 3, "{range}");
        assert_eq!(server.header(2, "Range"), None, "{range}");
    }
}

#[test]
fn a_beginning_that_is_longer_than_the_file_now_begins_again() {
    let whole = content(1000);
    let told = whole.clone();
    let server = Server::start(move |mut asked| match asked.number {
        0 => beginning(&mut asked, &content(100_000), TAG, 50_000),
        1 => {
            asked.say("HTTP/1.1 416 Range Not Satisfiable\r\n\r\n");
        }
        _ => asked.whole(&told),
    });
    Place::new().get(&server.url("/x"), &whole).unwrap();
    assert_eq!(server.header(2, "Range"), None);
}

#[test]
fn pieces_of_two_files_are_thrown_away_once() {
    let whole = content(100_000);
    let told = whole.clone();
    let server = Server::start(move |mut asked| match asked.number {
        0 => beginning(&mut asked, &vec![9; 100_000], TAG, 50_000),
        1 => rest(&mut asked, &told, 100_000),
        _ => asked.whole(&told),
    });
    Place::new().get(&server.url("/x"), &whole).unwrap();
    assert_eq!(server.asked(), 3);
    let server = Server::start(move |mut asked| match asked.number {
        0 | 2 => beginning(&mut asked, &vec![9; 100_000], TAG, 50_000),
        _ => rest(&mut asked, &content(100_000), 100_000),
    });
    let mut place = Place::new();
    let mut request = place.request(&server.url("/x"), &whole);
    request.limits.tries = 100;
    let error = place.fetch(&request).unwrap_err();
    assert_eq!(error.code(), "package.corrupt");
    assert_eq!(server.asked(), 4);
}

#[test]
fn a_server_that_stalls_is_left_and_continued() {
    let whole = content(100_000);
    let told = whole.clone();
    let server = Server::start(move |mut asked| match asked.number {
        0 => {
            beginning(&mut asked, &told, TAG, 50_000);
            asked.hang();
        }
        1 => asked.hang(),
        _ => rest(&mut asked, &told, 100_000),
    });
    let mut place = Place::new();
    let mut request = place.request(&server.url("/x"), &whole);
    request.limits.stall = Duration::from_millis(300);
    place.fetch(&request).unwrap();
    assert_eq!(server.header(2, "Range").unwrap(), "bytes=50000-");
}

#[test]
fn a_server_that_always_cuts_is_given_up_after_its_tries() {
    let server = Server::start(|mut asked| match asked.from() {
        0 => beginning(&mut asked, &content(100_000), TAG, 1),
        _ => rest(&mut asked, &content(100_000), 1),
    });
    let mut place = Place::new();
    let error = place.get(&server.url("/x"), b"").unwrap_err();
    assert_eq!(error.code(), "package.unavailable");
    assert_eq!(error.failure().unwrap().code(), "network.lost");
    assert_eq!(server.asked(), 3);
    assert!(place.is_empty());
}

#[test]
fn whoever_gets_further_may_try_more_often() {
    let whole = content(6 << 20);
    let told = whole.clone();
    let server = Server::start(move |mut asked| match asked.from() {
        0 => beginning(&mut asked, &told, TAG, 1 << 20),
        _ => rest(&mut asked, &told, 1 << 20),
    });
    let mut place = Place::new();
    place.get(&server.url("/x"), &whole).unwrap();
    assert_eq!(server.asked(), 6, "three tries, but a MiB each");
}
