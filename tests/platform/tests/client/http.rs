//! A plain HTTP client: one request, and whatever comes back until the connection ends.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::PATIENCE;
use base64::prelude::{Engine, BASE64_STANDARD};
use openssl::ssl::{SslConnector, SslMethod};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::X509;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// It did not end by itself.
    pub stalled: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn length(&self) -> usize {
        self.header("content-length").unwrap().parse().unwrap()
    }
}

pub struct Fetch<'a> {
    pub method: &'a str,
    pub headers: Vec<(&'a str, String)>,
    pub within: Duration,
    /// Stops reading there.
    pub most: usize,
}

impl Default for Fetch<'_> {
    fn default() -> Self {
        Fetch {
            method: "GET",
            headers: Vec::new(),
            within: PATIENCE,
            most: usize::MAX,
        }
    }
}

impl Fetch<'_> {
    pub fn from(at: usize) -> Self {
        let mut fetch = Fetch::default();
        fetch.headers.push(("Range", format!("bytes={at}-")));
        fetch
    }

    pub fn with_credentials(mut self, name: &str, password: &str) -> Self {
        let text = BASE64_STANDARD.encode(format!("{name}:{password}"));
        self.headers
            .push(("Authorization", format!("Basic {text}")));
        self
    }

    pub fn get(self, url: &str, root: &X509) -> Answer {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (authority, path) = rest.split_once('/').unwrap();
        let stream = TcpStream::connect(authority).unwrap();
        stream.set_read_timeout(Some(self.within)).unwrap();
        if scheme == "http" {
            return self.exchange(stream, path);
        }
        let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(root.clone()).unwrap();
        connector.set_cert_store(store.build());
        let host = authority.split(':').next().unwrap();
        let stream = connector.build().connect(host, stream).unwrap();
        self.exchange(stream, path)
    }

    fn exchange(self, mut stream: impl Read + Write, path: &str) -> Answer {
        let mut head = format!("{} /{path} HTTP/1.1\r\nHost: localhost\r\n", self.method);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        let (mut bytes, mut chunk, mut stalled) = (Vec::new(), vec![0; 64 * 1024], false);
        while bytes.len() < self.most {
            match stream.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => bytes.extend_from_slice(&chunk[..count]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    stalled = true;
                    break;
                }
                Err(_) => break,
            }
        }
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let body = bytes.split_off(end + 4);
        let head = String::from_utf8(bytes).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        Answer {
            status: status.parse().unwrap(),
            headers: lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect(),
            body,
            stalled,
        }
    }
}
