//! What a download brings, and what a server may answer.

use std::os::unix::fs::{symlink, PermissionsExt};

use file_download::{Algorithm, DownloadError};
use openssl::hash::{hash, MessageDigest};

use super::server::{content, Place, Server};

#[test]
fn a_file_is_private_whole_and_hashed_however_it_is_delimited() {
    let whole = content(200_000);
    let told = whole.clone();
    let server = Server::start(move |mut asked| {
        let path = asked.head[0].split(' ').nth(1).unwrap().to_owned();
        match path.as_str() {
            "/length" => asked.whole(&told),
            "/chunks" => {
                asked.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                for chunk in told.chunks(777) {
                    asked.say(format!("{:x}\r\n", chunk.len()));
                    asked.say(chunk);
                    asked.say("\r\n");
                }
                asked.say("0\r\n\r\n");
            }
            "/end" => {
                asked.say("HTTP/1.0 200 OK\r\n\r\n");
                asked.say(&told);
            }
            "/interim" => {
                asked.say("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
                asked.whole(&told);
            }
            other => panic!("{other}"),
        }
    });
    for path in ["/length", "/chunks", "/end", "/interim"] {
        let mut place = Place::new();
        let received = place.get(&server.url(path), &whole).unwrap();
        assert_eq!(received.length, 200_000, "{path}");
        assert_eq!(received.sha256, openssl::sha::sha256(&whole), "{path}");
        assert!(std::fs::read(place.file()).unwrap() == whole, "{path}");
        let mode = std::fs::metadata(place.file())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o600, "{path}");
        let last = place.seen.last().unwrap();
        assert_eq!(last.received, 200_000, "{path}");
        let known = matches!(path, "/length" | "/interim");
        assert_eq!(last.total, known.then_some(200_000), "{path}");
    }
}

#[test]
fn stronger_digests_are_checked_and_sha256_is_told_beside_them() {
    let whole = content(70_000);
    let told = whole.clone();
    let server = Server::start(move |mut asked| asked.whole(&told));
    for (algorithm, digest) in [
        (Algorithm::Sha384, MessageDigest::sha384()),
        (Algorithm::Sha512, MessageDigest::sha512()),
    ] {
        let mut place = Place::new();
        let mut request = place.request(&server.url("/"), &whole);
        request.algorithm = algorithm;
        request.digest = hash(digest, &whole).unwrap().to_vec();
        let received = place.fetch(&request).unwrap();
        assert_eq!(received.sha256, openssl::sha::sha256(&whole));
        std::fs::remove_file(place.file()).unwrap();
        request.digest[5] ^= 1;
        let error = place.fetch(&request).unwrap_err();
        assert_eq!(error.code(), "package.corrupt");
        assert!(
            error.to_string().contains(&algorithm.to_string()),
            "{error}"
        );
    }
}

#[test]
fn another_file_than_announced_is_corrupt_and_not_left_behind() {
    let server = Server::start(|mut asked| asked.whole(b"something else"));
    let mut place = Place::new();
    let error = place.get(&server.url("/x"), b"the file").unwrap_err();
    assert_eq!(error.code(), "package.corrupt");
    assert!(
        matches!(error, DownloadError::Corrupt { length: 14, .. }),
        "{error}"
    );
    assert_eq!(server.asked(), 1, "the same bytes are not asked for twice");
    assert!(place.is_empty());
}

#[test]
fn what_is_there_already_is_neither_followed_nor_overwritten() {
    let server = Server::start(|mut asked| asked.whole(b"new"));
    let mut place = Place::new();
    std::fs::write(place.file(), "old").unwrap();
    let error = place.get(&server.url("/"), b"new").unwrap_err();
    assert_eq!(error.code(), "storage.unwritable");
    assert_eq!(std::fs::read(place.file()).unwrap(), b"old");
    std::fs::remove_file(place.file()).unwrap();
    let elsewhere = place.folder.path().join("elsewhere");
    symlink(&elsewhere, place.file()).unwrap();
    place.get(&server.url("/"), b"new").unwrap_err();
    assert!(!elsewhere.exists());
    assert_eq!(server.asked(), 0);
}

#[test]
fn a_folder_that_is_not_there_is_the_disk_and_not_the_network() {
    let mut place = Place::new();
    let mut request = place.request("http://127.0.0.1:1/", b"");
    request.file = place.folder.path().join("missing/file");
    let error = place.fetch(&request).unwrap_err();
    assert_eq!(error.code(), "storage.unwritable");
    assert!(error.to_string().contains("missing/file"), "{error}");
}

#[test]
fn a_refusal_is_told_once_and_an_overload_is_tried_again() {
    for (status, asked) in [
        (401, 1),
        (403, 1),
        (404, 1),
        (410, 1),
        (204, 1),
        (206, 1),
        (503, 3),
    ] {
        let server = Server::start(move |mut asked| {
            asked.say(format!(
                "HTTP/1.1 {status} Status\r\nContent-Length: 0\r\n\r\n"
            ));
        });
        let mut place = Place::new();
        let error = place.get(&server.url("/x"), b"").unwrap_err();
        assert_eq!(error.code(), "package.unavailable", "{status}");
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        assert_eq!(server.asked(), asked, "{status}");
        assert!(place.is_empty());
    }
    let server = Server::start(|mut asked| match asked.number {
        0 => {
            asked.say("HTTP/1.1 503 Busy\r\n\r\n");
        }
        _ => asked.whole(b"there"),
    });
    assert_eq!(
        Place::new().get(&server.url("/"), b"there").unwrap().length,
        5
    );
}

#[test]
fn a_server_that_is_not_there_is_named_with_the_networks_own_code() {
    // Port 1 (tcpmux) of the loopback: nobody listens.
    let mut place = Place::new();
    let error = place.get("http://127.0.0.1:1/x", b"").unwrap_err();
    assert_eq!(error.code(), "package.unavailable");
    assert_eq!(error.failure().unwrap().code(), "network.refused");
    let error = place.get("http://no-such-host.invalid/x", b"").unwrap_err();
    assert_eq!(error.failure().unwrap().code(), "network.dns");
    assert!(place.is_empty());
}
