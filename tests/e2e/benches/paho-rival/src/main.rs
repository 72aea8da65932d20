//! The exchange with paho-mqtt alone, as its documentation suggests: connect with paho's own TLS,
//! subscribe, publish, wait for the answer, one step after the other, on the asynchronous client.
//!
//! An idle client is kept for the whole run: without it the library stops and starts its threads in
//! every round, which costs a second. Speaks the protocol of the bench's contenders
//! (`../exchange/contender.rs`). Not part of the product.

use paho_mqtt::{
    AsyncClient, ConnectOptionsBuilder, CreateOptionsBuilder, Message, SslOptionsBuilder,
};
use std::error::Error;
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> Result<(), Box<dyn Error>> {
    let variable = |name: &str| std::env::var(format!("EXCHANGE_{name}"));
    let (roots, client_id) = (variable("ROOTS")?, variable("CLIENT_ID")?);
    let (username, password) = (variable("USERNAME")?, variable("PASSWORD")?);
    let (filter, trigger) = (variable("FILTER")?, variable("TRIGGER")?);
    let payload = vec![b'x'; variable("PAYLOAD")?.parse()?];
    let _anchor = client("tcp://127.0.0.1:1", "anchor")?;
    let mut lines = std::io::stdin().lock().lines();
    while let Some(port) = lines.next().transpose()? {
        let (start, cpu) = (Instant::now(), cpu());
        let client = client(&format!("ssl://localhost:{port}"), &client_id)?;
        let messages = client.start_consuming();
        let tls = SslOptionsBuilder::new()
            .trust_store(&roots)?
            .enable_server_cert_auth(true)
            .verify(true)
            .finalize();
        let options = ConnectOptionsBuilder::new_v3()
            .clean_session(true)
            .user_name(&username)
            .password(&*password)
            .ssl_options(tls)
            .finalize();
        client.connect(options).wait()?;
        client.subscribe(&filter, 1).wait()?;
        let sent = client.publish(Message::new(&trigger, payload.clone(), 1));
        let answer = loop {
            let message = messages.recv_timeout(PATIENCE)?.ok_or("disconnected")?;
            // The subscription brings one's own trigger, too.
            if message.topic() != trigger {
                break message;
            }
        };
        say(&[start.elapsed().as_micros(), answer.payload().len() as u128])?;
        lines.next().transpose()?;
        sent.wait()?;
        client.disconnect(None).wait()?;
        drop(client);
        say(&[(self::cpu() - cpu).as_micros()])?;
    }
    Ok(())
}

fn client(url: &str, id: &str) -> Result<AsyncClient, paho_mqtt::Error> {
    let options = CreateOptionsBuilder::new()
        .server_uri(url)
        .client_id(id)
        .persistence(None)
        .finalize();
    AsyncClient::new(options)
}

fn cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

fn say(numbers: &[u128]) -> std::io::Result<()> {
    let words: Vec<String> = numbers.iter().map(u128::to_string).collect();
    let mut out = std::io::stdout();
    writeln!(out, "{}", words.join(" "))?;
    out.flush()
}
