//! The package server by itself: right, and wrong in each way it can be told to be.

use super::client::http::{Answer, Fetch};
use super::client::PATIENCE;
use provision_platform::behaviour::PackageFault;
use provision_platform::packages::{Offer, PackageServer};
use provision_platform::pki::Pki;
use std::time::Duration;
use tempfile::TempDir;

const SIZE: usize = 200_000;
const PATH: &str = "/token/app/1.0";

struct Served {
    server: PackageServer,
    pki: Pki,
    content: Vec<u8>,
    _folder: TempDir,
}

fn serve(fault: PackageFault) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::create().unwrap();
    let content: Vec<u8> = (0..SIZE).map(|at| (at / 7) as u8).collect();
    let file = folder.path().join("app");
    std::fs::write(&file, &content).unwrap();
    let server = PackageServer::start(Some(&pki.package_server), None).unwrap();
    let offer = Offer {
        file,
        size: SIZE as u64,
        sha256: "abc".to_owned(),
        credentials: None,
        fault,
    };
    server.offer(PATH, offer);
    Served {
        server,
        pki,
        content,
        _folder: folder,
    }
}

impl Served {
    fn get(&self, fetch: Fetch<'_>) -> Answer {
        let url = format!("{}{PATH}", self.server.url());
        fetch.get(&url, self.pki.tls_root.certificate())
    }
}

#[test]
fn a_download_resumes_where_it_was_cut_as_long_as_the_file_is_the_same() {
    let served = serve(PackageFault::CutOnce { at: 70_000 });
    let first = served.get(Fetch::default());
    assert_eq!((first.status, first.length()), (200, SIZE));
    assert_eq!(first.body, served.content[..70_000]);
    let etag = first.header("etag").unwrap().to_owned();
    let mut rest = Fetch::from(70_000);
    rest.headers.push(("If-Range", etag));
    let rest = served.get(rest);
    assert_eq!((rest.status, rest.length()), (206, SIZE - 70_000));
    assert_eq!(
        rest.header("content-range"),
        Some("bytes 70000-199999/200000")
    );
    assert_eq!(rest.body, served.content[70_000..]);
    let mut changed = Fetch::from(70_000);
    changed.headers.push(("If-Range", "\"other\"".to_owned()));
    let changed = served.get(changed);
    assert_eq!((changed.status, changed.body.len()), (200, SIZE));
    let seen = served.server.wait_for_seen(3, PATIENCE).unwrap();
    let of = |n: usize| (seen[n].status, seen[n].from, seen[n].sent);
    assert_eq!(of(0), (200, None, 70_000));
    assert_eq!(of(1), (206, Some(70_000), 130_000));
    assert_eq!(of(2), (200, None, 200_000));
}

#[test]
fn heads_bounds_and_other_methods_are_answered_as_http_has_it() {
    let served = serve(PackageFault::None);
    let head = served.get(Fetch {
        method: "HEAD",
        ..Fetch::default()
    });
    assert_eq!(
        (head.status, head.length(), head.body.len()),
        (200, SIZE, 0)
    );
    let beyond = served.get(Fetch::from(SIZE));
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.header("content-range"), Some("bytes */200000"));
    let post = served.get(Fetch {
        method: "POST",
        ..Fetch::default()
    });
    assert_eq!(post.status, 405);
    served.server.withdraw(PATH);
    assert_eq!(served.get(Fetch::default()).status, 404);
}

#[test]
fn only_trusted_when_its_root_is() {
    let served = serve(PackageFault::None);
    let other = Pki::create().unwrap();
    let url = format!("{}{PATH}", served.server.url());
    let refused = std::panic::catch_unwind(|| {
        Fetch::default().get(&url, other.tls_root.certificate());
    });
    assert!(refused.is_err());
}

#[test]
fn each_wrong_length_is_wrong_in_its_own_way() {
    let long = serve(PackageFault::LengthTooLong { by: 1000 }).get(Fetch::default());
    assert_eq!((long.length(), long.body.len()), (SIZE + 1000, SIZE));
    let short = serve(PackageFault::LengthTooShort { by: 1000 }).get(Fetch::default());
    assert_eq!((short.length(), short.body.len()), (SIZE - 1000, SIZE));
    let endless = serve(PackageFault::Endless).get(Fetch {
        most: 10 * SIZE,
        ..Fetch::default()
    });
    assert_eq!(endless.header("content-length"), None);
    assert!(endless.body.len() > 9 * SIZE);
}

#[test]
fn a_stalled_download_stays_open_and_its_server_can_still_end() {
    let served = serve(PackageFault::Stall { after: 5000 });
    let stalled = served.get(Fetch {
        within: Duration::from_millis(300),
        ..Fetch::default()
    });
    assert!(stalled.stalled);
    assert_eq!((stalled.length(), stalled.body.len()), (SIZE, 5000));
    // One that is still open does not keep the server from ending.
    let url = format!("{}{PATH}", served.server.url());
    let root = served.pki.tls_root.certificate().clone();
    let waiting = std::thread::spawn(move || Fetch::default().get(&url, &root).stalled);
    served.server.wait_for_seen(2, PATIENCE).unwrap();
    drop(served);
    assert!(!waiting.join().unwrap(), "cut, and not waited out");
}

#[test]
fn each_other_fault_is_what_it_says() {
    let status = |fault| serve(fault).get(Fetch::default()).status;
    assert_eq!(status(PackageFault::NotFound), 404);
    assert_eq!(status(PackageFault::Unavailable), 503);
    assert_eq!(status(PackageFault::UntoldCredentials), 401);
    for (fault, to) in [
        (
            PackageFault::Redirect("file:///etc/passwd".to_owned()),
            "file:///etc/passwd",
        ),
        (
            PackageFault::Redirect("http://localhost:1/x".to_owned()),
            "http://localhost:1/x",
        ),
        (PackageFault::RedirectLoop, PATH),
    ] {
        let answer = serve(fault).get(Fetch::default());
        assert_eq!((answer.status, answer.header("location")), (302, Some(to)));
    }
    let served = serve(PackageFault::OtherContent);
    let other = served.get(Fetch::default());
    assert_eq!(other.body.len(), SIZE);
    assert_ne!(other.body, served.content);
}

#[test]
fn each_fault_of_resuming_is_what_it_says() {
    let served = serve(PackageFault::CutEach { at: 60_000 });
    let mut all = Vec::new();
    while all.len() < SIZE {
        let part = served.get(Fetch::from(all.len()));
        assert!(part.body.len() <= 60_000);
        all.extend(part.body);
    }
    assert_eq!(all, served.content);
    let served = serve(PackageFault::ChangedAfterCut { at: 60_000 });
    let first = served.get(Fetch::default());
    let second = served.get(Fetch::from(60_000));
    assert_eq!((first.body.len(), second.status), (60_000, 206));
    assert_ne!(first.header("etag"), second.header("etag"));
    assert_ne!(second.body, served.content[60_000..]);
    let served = serve(PackageFault::IgnoresRange { at: 60_000 });
    assert_eq!(served.get(Fetch::default()).body.len(), 60_000);
    let whole = served.get(Fetch::from(60_000));
    assert_eq!((whole.status, whole.body), (200, served.content.clone()));
}

#[test]
fn without_a_certificate_it_speaks_http() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app");
    std::fs::write(&file, "plain").unwrap();
    let server = PackageServer::start(None, None).unwrap();
    let offer = Offer {
        file,
        size: 5,
        sha256: "abc".to_owned(),
        credentials: None,
        fault: PackageFault::None,
    };
    server.offer(PATH, offer);
    let pki = Pki::create().unwrap();
    let url = format!("{}{PATH}", server.url());
    let answer = Fetch::default().get(&url, pki.tls_root.certificate());
    assert_eq!(answer.body, b"plain");
}
