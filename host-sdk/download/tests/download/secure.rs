//! HTTPS: the same verdicts as those over a broker.

use super::certificates::{self, Authority, Wish};
use super::server::{content, Place, Server};

#[test]
fn a_file_comes_over_https_from_a_server_of_a_trusted_root() {
    let root = Authority::new("root");
    let context = certificates::server(&root.issue(&Wish::default()), Default::default());
    let whole = content(300_000);
    let told = whole.clone();
    let server = Server::secure(context, move |mut asked| asked.whole(&told));
    let mut place = Place::new();
    let url = format!("https://localhost:{}/x", server.address.port());
    let mut request = place.request(&url, &whole);
    request.tls.anchors = vec![root.cert.clone()];
    assert_eq!(place.fetch(&request).unwrap().length, 300_000);
    let counters = place.cancel.counters();
    assert!(
        counters.received > 300_000 && counters.sent > 100,
        "{counters:?}"
    );
}

#[test]
fn a_server_that_is_not_trusted_is_named_and_asked_nothing() {
    let (root, other) = (Authority::new("root"), Authority::new("other"));
    for (wish, anchor, code) in [
        (Wish::default(), &other, "tls.untrusted"),
        (
            Wish {
                names: &["elsewhere"],
                ..Wish::default()
            },
            &root,
            "tls.hostname",
        ),
        (
            Wish {
                from: -9,
                to: -1,
                ..Wish::default()
            },
            &root,
            "tls.expired",
        ),
    ] {
        let context = certificates::server(&root.issue(&wish), Default::default());
        let server = Server::secure(context, |mut asked| asked.whole(b"x"));
        let mut place = Place::new();
        let mut request = place.request(&format!("https://{}/x", server.address), b"x");
        request.tls.anchors = vec![anchor.cert.clone()];
        let error = place.fetch(&request).unwrap_err();
        assert_eq!(error.code(), "package.unavailable");
        assert_eq!(error.failure().unwrap().code(), code);
        assert!(
            error.failure().unwrap().to_string().contains("CN=broker"),
            "{error}"
        );
        assert_eq!(server.asked(), 0);
        assert!(place.is_empty());
    }
}

#[test]
fn a_cut_within_tls_is_no_end_of_the_file() {
    let root = Authority::new("root");
    let context = certificates::server(&root.issue(&Wish::default()), Default::default());
    let server = Server::secure(context, |mut asked| {
        asked.say("HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 9\r\n\r\nhalf");
    });
    let mut place = Place::new();
    let mut request = place.request(&format!("https://{}/x", server.address), b"half");
    request.tls.anchors = vec![root.cert.clone()];
    let error = place.fetch(&request).unwrap_err();
    assert_eq!(error.failure().unwrap().code(), "network.lost");
}
