//! A server that answers each request as its script says, and what a test needs around it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use file_download::{fetch, Algorithm, DownloadError, Limits, Progress, Received, Request};
use mqtt_session::Cancel;
use openssl::ssl::SslContext;
use tempfile::TempDir;

use super::certificates;

/// Bytes both ways, in clear or within TLS.
pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// What was asked, and where the answer goes.
pub struct Asked<'a> {
    /// 0 for the first request of the server's life.
    pub number: usize,
    /// The head, line by line.
    pub head: Vec<String>,
    pub stream: &'a mut dyn Stream,
}

impl Asked<'_> {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The first byte that is asked for.
    pub fn from(&self) -> usize {
        let range = self.header("Range").unwrap_or("bytes=0-");
        let digits = range.trim_start_matches("bytes=").trim_end_matches('-');
        digits.parse().unwrap()
    }

    /// A client that has gone is not the server's concern.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok() && self.stream.flush().is_ok()
    }

    /// Everything, in good order.
    pub fn whole(&mut self, content: &[u8]) {
        self.say(format!(
            "HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nContent-Length: {}\r\n\r\n",
            content.len()
        ));
        self.say(content);
    }

    /// Says nothing more until the client is gone.
    pub fn hang(&mut self) {
        let _ = self.stream.read(&mut [0; 1]);
    }
}

type Script = dyn Fn(Asked<'_>) + Send + Sync;

pub struct Server {
    pub address: SocketAddr,
    pub heads: Arc<Mutex<Vec<Vec<String>>>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(script: impl Fn(Asked<'_>) + Send + Sync + 'static) -> Server {
        Server::begin(None, Arc::new(script))
    }

    pub fn secure(tls: SslContext, script: impl Fn(Asked<'_>) + Send + Sync + 'static) -> Server {
        Server::begin(Some(tls), Arc::new(script))
    }

    fn begin(tls: Option<SslContext>, script: Arc<Script>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads: Arc<Mutex<Vec<Vec<String>>>> = Arc::default();
        let stopping = Arc::new(AtomicBool::new(false));
        let (kept, stop) = (heads.clone(), stopping.clone());
        let thread = thread::spawn(move || {
            let mut serving = Vec::new();
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let (stream, tls) = (stream.unwrap(), tls.clone());
                let (kept, script) = (kept.clone(), script.clone());
                serving.push(thread::spawn(move || serve(stream, tls, &kept, &*script)));
            }
            for thread in serving {
                thread.join().unwrap();
            }
        });
        Server {
            address,
            heads,
            stopping,
            thread: Some(thread),
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many requests came.
    pub fn asked(&self) -> usize {
        self.heads.lock().unwrap().len()
    }

    /// The header of the request of that number.
    pub fn header(&self, number: usize, name: &str) -> Option<String> {
        let heads = self.heads.lock().unwrap();
        heads[number].iter().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the server panicked");
        }
    }
}

fn serve(
    stream: TcpStream,
    tls: Option<SslContext>,
    heads: &Mutex<Vec<Vec<String>>>,
    script: &Script,
) {
    // A test that fails must not hang: the client of a server is gone long before.
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    match tls {
        None => answer(&mut { stream }, heads, script),
        Some(context) => {
            if let Some(mut stream) = certificates::accept(&context, stream) {
                answer(&mut stream, heads, script);
                let _ = stream.shutdown();
            }
        }
    }
}

fn answer(stream: &mut dyn Stream, heads: &Mutex<Vec<Vec<String>>>, script: &Script) {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => bytes.push(byte[0]),
            _ => return,
        }
    }
    let text = String::from_utf8(bytes).unwrap();
    let head: Vec<String> = text.trim_end().split("\r\n").map(str::to_owned).collect();
    let number = {
        let mut heads = heads.lock().unwrap();
        heads.push(head.clone());
        heads.len() - 1
    };
    script(Asked {
        number,
        head,
        stream,
    });
}

/// A folder for one download, which is gone afterwards.
pub struct Place {
    pub folder: TempDir,
    pub cancel: Cancel,
    pub seen: Vec<Progress>,
}

impl Place {
    pub fn new() -> Place {
        Place {
            folder: tempfile::tempdir().unwrap(),
            cancel: Cancel::new().unwrap(),
            seen: Vec::new(),
        }
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("file")
    }

    /// A request that is patient for a second and does not pause long.
    pub fn request(&self, url: &str, content: &[u8]) -> Request {
        let digest = openssl::sha::sha256(content).to_vec();
        let mut request =
            Request::new(url.parse().unwrap(), Algorithm::Sha256, digest, self.file());
        request.limits = Limits {
            stall: Duration::from_secs(10),
            tries: 3,
            pause: Duration::from_millis(1),
            ..Limits::default()
        };
        request
    }

    pub fn fetch(&mut self, request: &Request) -> Result<Received, DownloadError> {
        let seen = &mut self.seen;
        fetch(request, &self.cancel, &mut |progress| seen.push(progress))
    }

    pub fn get(&mut self, url: &str, content: &[u8]) -> Result<Received, DownloadError> {
        let request = self.request(url, content);
        self.fetch(&request)
    }

    /// Nothing is left behind.
    pub fn is_empty(&self) -> bool {
        std::fs::read_dir(self.folder.path()).unwrap().count() == 0
    }
}

/// Content in which every place is another.
pub fn content(length: usize) -> Vec<u8> {
    (0..length)
        .map(|n| (n ^ (n >> 8) ^ (n >> 16)) as u8)
        .collect()
}
