//! The contender `mqtt-session`: the exchange as the component does it.
//!
//! Runs in a process of its own ([`crate::contender`] says how it is spoken to).

use std::io::{BufRead, Write};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use mqtt_session::{Anchor, Event, Options, Publish, Session};
use openssl::x509::X509;

use crate::Outcome;

const PATIENCE: Duration = Duration::from_secs(20);

/// Does rounds until standard input ends.
pub fn main() -> Outcome<()> {
    let variable = |name: &str| {
        std::env::var(format!("EXCHANGE_{name}")).map_err(|e| format!("EXCHANGE_{name}: {e}"))
    };
    let (roots, client_id) = (variable("ROOTS")?, variable("CLIENT_ID")?);
    let (username, password) = (variable("USERNAME")?, variable("PASSWORD")?);
    let (filter, trigger) = (variable("FILTER")?, variable("TRIGGER")?);
    let payload = vec![b'x'; variable("PAYLOAD")?.parse()?];
    let anchor = Anchor::new()?;
    let mut lines = std::io::stdin().lock().lines();
    while let Some(port) = lines.next().transpose()? {
        let (start, cpu) = (Instant::now(), cpu_time());
        let mut options = Options::new(format!("mqtts://localhost:{port}").parse()?, &*client_id);
        options.tls.anchors = X509::stack_from_pem(&std::fs::read(&roots)?)?;
        options.username = Some(username.clone());
        options.password = Some(password.clone().into());
        options.subscriptions = vec![(filter.clone(), 1)];
        options.first = Some(Publish::new(&*trigger, payload.clone(), 1));
        options.deadline = Some(start + PATIENCE);
        let (events, incoming) = channel();
        let session = Session::open(&anchor, options, move |event| drop(events.send(event)));
        let answer = loop {
            match incoming.recv_timeout(PATIENCE)? {
                // The subscription brings one's own trigger, too.
                Event::Message(message) if message.topic != trigger => break message.payload.len(),
                Event::Failed(why) => return Err(why.into()),
                _ => {}
            }
        };
        say(&[start.elapsed().as_micros(), answer as u128])?;
        lines.next().transpose()?;
        session.disconnect(PATIENCE);
        say(&[(cpu_time() - cpu).as_micros()])?;
    }
    Ok(())
}

fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or_default();
    Duration::new(now.tv_sec.unsigned_abs(), nanoseconds)
}

fn say(numbers: &[u128]) -> std::io::Result<()> {
    let words: Vec<String> = numbers.iter().map(u128::to_string).collect();
    let mut out = std::io::stdout();
    writeln!(out, "{}", words.join(" "))?;
    out.flush()
}
