//! Where a download may be led.

use std::sync::{Arc, Mutex};

use file_download::Credentials;
use zeroize::Zeroizing;

use super::certificates::{self, Authority, Wish};
use super::server::{Place, Server};

fn credentials() -> Option<Credentials> {
    Some(Credentials {
        username: "me".into(),
        password: Zeroizing::new("secret".into()),
    })
}

fn moved(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
}

#[test]
fn a_redirect_on_the_same_host_keeps_the_credentials() {
    let server = Server::start(|mut asked| match asked.number {
        0 => {
            asked.say(moved("../b?c"));
        }
        _ => asked.whole(b"x"),
    });
    let mut place = Place::new();
    let mut request = place.request(&server.url("/a/z"), b"x");
    request.credentials = credentials();
    place.fetch(&request).unwrap();
    assert_eq!(server.heads.lock().unwrap()[1][0], "GET /b?c HTTP/1.1");
    for number in 0..2 {
        let sent = server.header(number, "Authorization");
        assert_eq!(sent.as_deref(), Some("Basic bWU6c2VjcmV0"));
    }
}

#[test]
fn credentials_do_not_follow_to_another_host() {
    let other = Server::start(|mut asked| asked.whole(b"x"));
    let to = moved(&other.url("/x"));
    let server = Server::start(move |mut asked| {
        asked.say(&to);
    });
    let mut place = Place::new();
    let mut request = place.request(&server.url("/x"), b"x");
    request.credentials = credentials();
    place.fetch(&request).unwrap();
    assert!(server.header(0, "Authorization").is_some());
    assert_eq!(other.header(0, "Authorization"), None);
}

#[test]
fn what_is_not_http_is_refused_by_name_and_not_opened() {
    for (location, named) in [
        ("file:///etc/passwd", "file:"),
        ("ftp://127.0.0.1/x", "ftp:"),
        ("http://u:p4ss@127.0.0.1/x", "user name"),
    ] {
        let server = Server::start(move |mut asked| {
            asked.say(moved(location));
        });
        let mut place = Place::new();
        let error = place.get(&server.url("/x"), b"").unwrap_err();
        assert_eq!(error.code(), "package.unavailable");
        let text = error.to_string();
        assert!(text.contains(named) && !text.contains("p4ss"), "{text}");
        assert_eq!(server.asked(), 1);
        assert!(place.is_empty());
    }
}

#[test]
fn a_circle_of_redirects_ends() {
    let server = Server::start(|mut asked| {
        asked.say(moved("/again"));
    });
    let error = Place::new().get(&server.url("/x"), b"").unwrap_err();
    assert!(error.to_string().contains("too many redirects"), "{error}");
    assert_eq!(server.asked(), 6, "five redirects are followed");
    let server = Server::start(|mut asked| {
        asked.say("HTTP/1.1 301 Moved\r\n\r\n");
    });
    let error = Place::new().get(&server.url("/x"), b"").unwrap_err();
    assert!(error.to_string().contains("where to"), "{error}");
}

#[test]
fn https_never_falls_to_http() {
    let plain = Arc::new(Mutex::new(0));
    let count = plain.clone();
    let other = Server::start(move |mut asked| {
        *count.lock().unwrap() += 1;
        asked.whole(b"x");
    });
    let root = Authority::new("root");
    let context = certificates::server(&root.issue(&Wish::default()), Default::default());
    let to = moved(&other.url("/x"));
    let server = Server::secure(context, move |mut asked| {
        asked.say(&to);
    });
    let mut place = Place::new();
    let mut request = place.request(&format!("https://{}/x", server.address), b"x");
    request.tls.anchors = vec![root.cert.clone()];
    let error = place.fetch(&request).unwrap_err();
    assert!(error.to_string().contains("from https to http"), "{error}");
    assert_eq!(*plain.lock().unwrap(), 0);
}
