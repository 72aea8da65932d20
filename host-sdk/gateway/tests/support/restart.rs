//! A gateway as a page sees it that is started again while the page is open: the stream of events
//! breaks, and from then on another token is the right one.
//!
//! Stands between browser and gateway, one connection to a request.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;

/// Listens for ever on the address that it gives, for the gateway at `gateway` (both without a
/// scheme).
pub fn behind(gateway: &str, token: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().to_string();
    let restarted = Arc::new(AtomicBool::new(false));
    let (gateway, token, here) = (gateway.to_owned(), token.to_owned(), own.clone());
    thread::spawn(move || {
        for browser in listener.incoming() {
            let restarted = Arc::clone(&restarted);
            let names = [gateway.clone(), token.clone(), here.clone()];
            // A browser that goes away ends the connection, not the test.
            thread::spawn(move || browser.and_then(|browser| pass(browser, &names, &restarted)));
        }
    });
    own
}

fn pass(
    mut browser: TcpStream,
    [gateway, token, here]: &[String; 3],
    restarted: &AtomicBool,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        browser.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let mut head = String::from_utf8_lossy(&head).replace(here, gateway);
    let events = head.starts_with("GET /services/events ");
    if restarted.load(Ordering::SeqCst) {
        head = head.replace(token, "of-another-run");
    }
    let head = head
        .replace("Connection: keep-alive", "Connection: close")
        .replace("connection: keep-alive", "connection: close");
    let mut server = TcpStream::connect(gateway)?;
    server.write_all(head.as_bytes())?;
    if events && !restarted.swap(true, Ordering::SeqCst) {
        // The head of the answer arrives, so the page is live; then nothing more.
        let mut answer = [0; 4096];
        let n = server.read(&mut answer)?;
        browser.write_all(answer.get(..n).unwrap_or_default())?;
        return browser.shutdown(Shutdown::Both);
    }
    let (mut body, mut to) = (browser.try_clone()?, server.try_clone()?);
    thread::spawn(move || std::io::copy(&mut body, &mut to));
    std::io::copy(&mut server, &mut browser)?;
    browser.shutdown(Shutdown::Both)
}
