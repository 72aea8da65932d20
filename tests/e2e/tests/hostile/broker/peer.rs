//! A broker that does what a script says, over real TLS with a certificate that is in order.
//!
//! It speaks just enough MQTT to come to the place where a script misbehaves, and to say one honest
//! word behind it: a reject, which the gateway hears only if its session is still alive. Every
//! connection runs the script from its beginning.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use kura_formats::payload::{self, Payload};
use kura_formats::request::{Ids, PROV_ERROR_CODE};
use openssl::base64::encode_block;
use openssl::sha::sha1;
use openssl::ssl::{ErrorCode, Ssl, SslContext, SslMethod, SslStream, SslVerifyMode};
use openssl::x509::X509;
use provision_platform::pki::Pki;

/// The longest that a script waits for the gateway.
const PATIENCE: Duration = Duration::from_secs(60);
/// All that the gateway under test subscribes to begins so (`contract::host::parameters`).
pub const OWN: &str = "$EDC/provisioning/trial/";

/// What a broker does with a connection. That the gateway goes is no error of it.
pub type Script = Box<dyn Fn(Caller) -> io::Result<()> + Send + Sync>;

/// A listening broker; ends when dropped.
pub struct Broker {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    broken: Arc<Mutex<Vec<String>>>,
}

/// The TLS of a broker with the certificate of `pki` and so many session tickets a handshake.
pub fn tls(pki: &Pki, tickets: usize) -> SslContext {
    let mut builder = SslContext::builder(SslMethod::tls_server()).unwrap();
    let chain = X509::stack_from_pem(&pki.broker.server_pem().unwrap()).unwrap();
    builder.set_certificate(&chain[0]).unwrap();
    for issuer in chain.into_iter().skip(1) {
        builder.add_extra_chain_cert(issuer).unwrap();
    }
    builder.set_private_key(pki.broker.key()).unwrap();
    builder.set_verify(SslVerifyMode::NONE);
    builder.set_session_id_context(b"hostile").unwrap();
    builder.set_num_tickets(tickets).unwrap();
    builder.build()
}

impl Broker {
    /// Listens on a free port. Each call of [`Client::under_way`] makes a file in `marks`, named by
    /// the number of the connection.
    pub fn start(tls: SslContext, marks: PathBuf, script: Script) -> Broker {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let broken = Arc::new(Mutex::new(Vec::new()));
        let (stopped, told) = (Arc::clone(&stop), Arc::clone(&broken));
        let thread = thread::spawn(move || {
            let script = Arc::new(script);
            let number = AtomicU32::new(0);
            let mut visits = Vec::new();
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let tcp = stream.unwrap();
                tcp.set_read_timeout(Some(PATIENCE)).unwrap();
                tcp.set_write_timeout(Some(PATIENCE)).unwrap();
                let number = number.fetch_add(1, Ordering::SeqCst) + 1;
                let caller = Caller {
                    tcp,
                    tls: tls.clone(),
                    number,
                    mark: marks.join(number.to_string()),
                };
                let script = Arc::clone(&script);
                // That the gateway has gone is what most scripts end with.
                visits.push(thread::spawn(move || drop(script(caller))));
            }
            for visit in visits {
                if let Err(panic) = visit.join() {
                    let literal = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                    let text = panic.downcast_ref::<String>().cloned().or(literal);
                    let text = text.unwrap_or_else(|| "a panic without text".to_owned());
                    told.lock().unwrap().push(text);
                }
            }
        });
        Broker {
            address,
            stop,
            thread: Some(thread),
            broken,
        }
    }

    /// For the parameter `broker-url`.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// Ends it, and tells where a script did not come to what it is there for.
    pub fn end(mut self) -> Vec<String> {
        self.join();
        std::mem::take(&mut self.broken.lock().unwrap())
    }

    fn join(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            drop(TcpStream::connect(self.address));
            let _ = thread.join();
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.join();
    }
}

/// A gateway that has connected, before TLS.
pub struct Caller {
    /// The connection.
    pub tcp: TcpStream,
    tls: SslContext,
    number: u32,
    mark: PathBuf,
}

impl Caller {
    /// From now on whatever this broker does to the gateway is being done.
    pub fn under_way(&self) {
        std::fs::write(&self.mark, "").unwrap();
    }

    /// Which connection of this broker it is, from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Closes with a reset instead of a goodbye.
    pub fn reset(self) -> io::Result<()> {
        reset(&self.tcp)
    }

    /// After the TLS handshake.
    pub fn secured(self) -> io::Result<Client> {
        let mut stream = SslStream::new(Ssl::new(&self.tls)?, self.tcp)?;
        stream.accept().map_err(io::Error::other)?;
        Ok(Client {
            stream,
            mark: self.mark,
            subscribe: [0; 2],
            trigger: [0; 2],
            said: Payload::new(),
            frames: None,
        })
    }

    /// After the question of a WebSocket, behind the TLS handshake: with the answer to it.
    pub fn asked(self) -> io::Result<(Client, String)> {
        let mut client = self.secured()?;
        let mut question = Vec::new();
        while !question.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.stream.read_exact(&mut byte)?;
            question.push(byte[0]);
        }
        let question = String::from_utf8(question).unwrap();
        let key = question
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
            .expect("a key");
        let proof = sha1(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Accept: {}\r\n\r\n",
            encode_block(&proof)
        );
        Ok((client, answer))
    }

    /// After the upgrade to a WebSocket.
    pub fn upgraded(self) -> io::Result<Client> {
        let (mut client, answer) = self.asked()?;
        client.send(answer.as_bytes())?;
        client.frames = Some(VecDeque::new());
        Ok(client)
    }

    /// After CONNECT, SUBSCRIBE and the trigger, which come in one flight. Nothing is answered yet.
    pub fn heard(self) -> io::Result<Client> {
        let mut client = self.secured()?;
        client.hear()?;
        Ok(client)
    }

    /// The same, and CONNACK.
    pub fn accepted(self) -> io::Result<Client> {
        let mut client = self.heard()?;
        client.send(&CONNACK)?;
        Ok(client)
    }

    /// The same, and SUBACK and PUBACK: everything is as it should be.
    pub fn welcomed(self) -> io::Result<Client> {
        let mut client = self.accepted()?;
        client.acknowledge()?;
        Ok(client)
    }
}

/// Accepted, no session.
pub const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// A gateway that has connected, within TLS.
pub struct Client {
    stream: SslStream<TcpStream>,
    mark: PathBuf,
    /// Packet id of SUBSCRIBE, and of the trigger.
    pub subscribe: [u8; 2],
    /// As above.
    pub trigger: [u8; 2],
    said: Payload,
    /// In a WebSocket: what came in frames and was not read yet.
    frames: Option<VecDeque<u8>>,
}

impl Client {
    /// Waits for CONNECT, SUBSCRIBE and the trigger.
    pub fn hear(&mut self) -> io::Result<()> {
        let (kind, _) = self.packet()?;
        assert_eq!(kind, 0x10, "CONNECT comes first");
        let (kind, subscribe) = self.packet()?;
        assert_eq!(kind, 0x82, "then SUBSCRIBE");
        self.subscribe = [subscribe[0], subscribe[1]];
        let (kind, trigger) = self.packet()?;
        assert_eq!(kind, 0x32, "then the trigger, QoS 1");
        let topic = usize::from(u16::from_be_bytes([trigger[0], trigger[1]]));
        self.trigger = [trigger[2 + topic], trigger[3 + topic]];
        self.said = payload::decode(&trigger[4 + topic..], &payload::Limits::default()).unwrap();
        Ok(())
    }

    /// MQTT, in a frame of its own in a WebSocket.
    pub fn say(&mut self, packet: &[u8]) -> io::Result<()> {
        match self.frames {
            None => self.send(packet),
            Some(_) => self.send(&frame(0x82, packet)),
        }
    }

    /// As they are, within TLS.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The same bytes again and again until the gateway goes.
    pub fn send_for_ever(&mut self, bytes: &[u8]) -> io::Result<()> {
        loop {
            self.send(bytes)?;
        }
    }

    /// From now on whatever this broker does to the gateway is being done.
    pub fn under_way(&self) {
        std::fs::write(&self.mark, "").unwrap();
    }

    /// SUBACK and PUBACK, as it should be.
    pub fn acknowledge(&mut self) -> io::Result<()> {
        let (s, t) = (self.subscribe, self.trigger);
        self.say(&[0x90, 3, s[0], s[1], 1])?;
        self.say(&[0x40, 2, t[0], t[1]])
    }

    /// One whole packet of the gateway: first byte, and what is behind the fixed header.
    pub fn packet(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let first = self.take(1)?[0];
        let (mut length, mut place) = (0, 0);
        loop {
            let byte = self.take(1)?[0];
            length |= usize::from(byte & 0x7f) << place;
            place += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        Ok((first, self.take(length)?))
    }

    /// So many bytes of MQTT.
    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let Some(frames) = &mut self.frames else {
            let mut bytes = vec![0; length];
            self.stream.read_exact(&mut bytes)?;
            return Ok(bytes);
        };
        while frames.len() < length {
            let mut head = [0; 2];
            self.stream.read_exact(&mut head)?;
            let mut long = [0; 2];
            let content = match head[1] & 0x7f {
                126 => {
                    self.stream.read_exact(&mut long)?;
                    u16::from_be_bytes(long)
                }
                short => u16::from(short),
            };
            let mut mask = [0; 4];
            self.stream.read_exact(&mut mask)?;
            let mut bytes = vec![0; usize::from(content)];
            self.stream.read_exact(&mut bytes)?;
            frames.extend(bytes.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
        }
        Ok(frames.drain(..length).collect())
    }

    /// The same bytes again and again, reading what the gateway has to say to them, until it goes.
    pub fn send_for_ever_and_listen(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut answers = vec![0; 64 << 10];
        loop {
            self.send(bytes)?;
            self.below()
                .set_read_timeout(Some(Duration::from_millis(1)))?;
            loop {
                match self.stream.ssl_read(&mut answers) {
                    Ok(0) => return Ok(()),
                    Ok(_) => {}
                    Err(e) if e.code() == ErrorCode::WANT_READ => break,
                    Err(e) => return Err(io::Error::other(e)),
                }
            }
        }
    }

    /// The honest word: the platform's own refusal. Whoever hears it ends the attempt with
    /// `platform.rejected`, and has taken no harm from what came before.
    pub fn reject(&mut self) -> io::Result<()> {
        let nonce = self.said.bytes("prov.nonce").unwrap().to_vec();
        let payload = request("the-honest-word")
            .with_metric("prov.nonce", nonce)
            .with_metric(PROV_ERROR_CODE, "request.expired");
        let topic = format!("{OWN}PROV-V1/EXEC/reject");
        let packet = publish(topic.as_bytes(), &payload::encode(&payload));
        self.say(&packet)?;
        self.until_gone()
    }

    /// Reads, and answers nothing, until the gateway goes.
    pub fn until_gone(&mut self) -> io::Result<()> {
        let mut bytes = [0; 16 << 10];
        while self.stream.read(&mut bytes)? > 0 {}
        Ok(())
    }

    /// Says nothing for so long, the pace of a drip.
    ///
    /// # Errors
    /// If the gateway says something, or goes.
    pub fn rest(&mut self, time: Duration) -> io::Result<()> {
        let tcp = self.below();
        tcp.set_read_timeout(Some(time))?;
        let said = tcp.peek(&mut [0]);
        tcp.set_read_timeout(Some(PATIENCE))?;
        match said {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
            _ => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    /// Ends the connection in good order.
    pub fn close(mut self) -> io::Result<()> {
        let _ = self.stream.shutdown();
        self.stream.get_ref().shutdown(Shutdown::Both)
    }

    /// Ends it with a reset.
    pub fn reset(self) -> io::Result<()> {
        reset(self.stream.get_ref())
    }

    /// The connection below TLS.
    pub fn below(&mut self) -> &mut TcpStream {
        self.stream.get_mut()
    }
}

fn reset(tcp: &TcpStream) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_linger(
        tcp,
        Some(Duration::ZERO),
    )?)
}

/// A frame of a WebSocket server, its first byte as given: 0x82 is all of a binary message.
pub fn frame(first: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let head = match length {
        0..=125 => vec![first, length as u8],
        _ => [&[first, 126][..], &length.to_be_bytes()].concat(),
    };
    [head, content.to_vec()].concat()
}

/// A request with the ids that it needs to be answered.
pub fn request(id: &str) -> Payload {
    let ids = Ids {
        request_id: id.to_owned(),
        requester: "platform".to_owned(),
    };
    kura_formats::request::request(&ids, 0)
}

/// PUBLISH, QoS 0.
pub fn publish(topic: &[u8], payload: &[u8]) -> Vec<u8> {
    packet(0x30, &[&text(topic), payload])
}

/// PUBLISH with a packet id: QoS 1 for the first byte 0x32, QoS 2 for 0x34.
pub fn publish_with_id(first: u8, topic: &[u8], id: u16, payload: &[u8]) -> Vec<u8> {
    packet(first, &[&text(topic), &id.to_be_bytes(), payload])
}

/// Text as MQTT writes it, of at most 65,535 bytes.
fn text(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes(), bytes].concat()
}

/// A packet of these parts.
pub fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut packet = head(first, length);
    parts.iter().for_each(|part| packet.extend_from_slice(part));
    packet
}

/// The fixed header of a packet that has, or only says that it has, so many bytes behind it.
pub fn head(first: u8, mut length: usize) -> Vec<u8> {
    let mut head = vec![first];
    loop {
        let low = (length & 0x7f) as u8;
        length >>= 7;
        if length == 0 {
            head.push(low);
            return head;
        }
        head.push(low | 0x80);
    }
}
