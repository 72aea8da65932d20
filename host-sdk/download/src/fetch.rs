//! The download itself: tries, redirects, going on after a cut.
//!
//! One connection per request, closed behind it. Each try begins at the address that was given, since
//! where it leads may change; the validator makes sure that what is continued is the same file.

use crate::error::Redirection;
use crate::head::{self, Head, Resume, HEAD_LIMIT};
use crate::sink::{Sink, BLOCK};
use crate::{Address, DownloadError, Progress, Received, Request};
use mqtt_session::{Cancel, Connection, Ended, Failure, Read};
use std::time::{Duration, Instant};

/// How many redirects are followed in one try.
const REDIRECTS: usize = 5;
/// How many interim answers (1xx) are skipped.
const INTERIM: usize = 8;
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Whoever gets so many bytes further may try as often again.
const WORTH_A_TRY: u64 = 1 << 20;

/// Downloads; returns when the file is durable and has the digest, or with the reason why not, and
/// then without a file. `progress` is called for every block, and must not wait.
///
/// # Errors
/// See [`DownloadError`]. A failure of the network is told only after all tries.
pub fn fetch(
    request: &Request,
    cancel: &Cancel,
    progress: &mut dyn FnMut(Progress),
) -> Result<Received, DownloadError> {
    let sink = Sink::create(request)?;
    let mut fetch = Fetch {
        request,
        cancel,
        progress,
        sink,
        validator: None,
        total: None,
        pieced: false,
        mended: false,
    };
    let received = fetch.run()?;
    fetch.sink.keep()?;
    Ok(received)
}

struct Fetch<'a> {
    request: &'a Request,
    cancel: &'a Cancel,
    progress: &'a mut dyn FnMut(Progress),
    sink: Sink,
    /// Of what has been written so far.
    validator: Option<String>,
    total: Option<u64>,
    /// What has been written so far came in more than one piece.
    pieced: bool,
    /// Pieces that did not make the file were thrown away once.
    mended: bool,
}

/// Why a try ended without the file.
enum Stop {
    /// Another try may help.
    Again(DownloadError),
    /// It will not.
    Final(DownloadError),
}

impl From<DownloadError> for Stop {
    fn from(error: DownloadError) -> Stop {
        Stop::Final(error)
    }
}

impl Fetch<'_> {
    fn run(&mut self) -> Result<Received, DownloadError> {
        let limits = self.request.limits;
        let (mut tries, mut pause, mut reached) = (0, limits.pause, 0);
        loop {
            let error = match self.attempt().and_then(|()| self.judge()) {
                Ok(received) => return Ok(received),
                Err(Stop::Final(error)) => return Err(error),
                Err(Stop::Again(error)) => error,
            };
            tries += 1;
            if self.sink.written() >= reached + WORTH_A_TRY {
                (tries, pause) = (1, limits.pause);
            }
            reached = reached.max(self.sink.written());
            if tries >= limits.tries.max(1) {
                return Err(error);
            }
            let from = self.sink.written();
            log::info!(
                "{error}; going on at byte {from}, {tries} of {} tries used",
                limits.tries
            );
            let time = self.left(pause)?;
            self.cancel.pause(time).map_err(|_| self.cancelled())?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One try: from the address to the end of the content.
    fn attempt(&mut self) -> Result<(), Stop> {
        let mut address = self.request.address.clone();
        for _ in 0..=REDIRECTS {
            let resume = self.resume()?;
            let (mut answer, head) = self.ask(&address, resume.as_ref())?;
            match head.status {
                301 | 302 | 303 | 307 | 308 => {
                    address = redirected(&address, &head)
                        .map_err(|reason| self.redirect(&address, reason))?;
                }
                200 => {
                    if self.sink.written() > 0 {
                        self.restart()?;
                    }
                    self.accept(&address, &head, head.announced())?;
                    return self.receive(&address, &mut answer, &head);
                }
                206 if resume.is_some() => {
                    self.continue_at(&address, &head)?;
                    return self.receive(&address, &mut answer, &head);
                }
                status => return Err(self.refused(&address, status)),
            }
        }
        Err(self.redirect(&address, Redirection::TooMany).into())
    }

    /// What is there can be continued if it can be recognised; else it begins again.
    fn resume(&mut self) -> Result<Option<Resume>, DownloadError> {
        let from = self.sink.written();
        match &self.validator {
            _ if from == 0 => Ok(None),
            Some(validator) => Ok(Some(Resume {
                from,
                validator: validator.clone(),
            })),
            None => self.restart().map(|()| None),
        }
    }

    fn restart(&mut self) -> Result<(), DownloadError> {
        self.sink.restart(self.request.algorithm)?;
        (self.validator, self.total, self.pieced) = (None, None, false);
        self.tell();
        Ok(())
    }

    /// Sends the request, and reads the head of the answer.
    fn ask(&mut self, address: &Address, resume: Option<&Resume>) -> Result<(Answer, Head), Stop> {
        let patience = self.left(self.request.limits.stall)?;
        let tls = address.is_secure().then(|| self.request.tls.clone());
        let opened = Connection::open(address.host(), address.port(), tls, patience, self.cancel);
        let mut connection = opened.map_err(|ended| self.ended(address, ended))?;
        let credentials = self
            .request
            .credentials
            .as_ref()
            .filter(|_| address.same_origin(&self.request.address));
        let request = head::request(address, credentials, resume);
        connection
            .write_all(&request, patience)
            .map_err(|ended| self.ended(address, ended))?;
        let mut answer = Answer {
            connection,
            buffer: vec![0; BLOCK],
            filled: 0,
        };
        let mut interim = 0;
        loop {
            let known = answer.buffer.get(..answer.filled).unwrap_or_default();
            match Head::parse(known).map_err(|what| malformed(address, what))? {
                Some((head, used)) => {
                    answer.consume(used);
                    if !(100..200).contains(&head.status) {
                        return Ok((answer, head));
                    }
                    interim += 1;
                    if interim > INTERIM {
                        return Err(malformed(address, "interim answers without end").into());
                    }
                }
                None => {
                    if let Read::End = self.fill(address, &mut answer, HEAD_LIMIT)? {
                        let failure = answer.connection.cut_short();
                        return Err(self.ended(address, failure.into()));
                    }
                }
            }
        }
    }

    /// Reads behind what is there, up to `limit` bytes in all.
    fn fill(&self, address: &Address, answer: &mut Answer, limit: usize) -> Result<Read, Stop> {
        let patience = self.left(self.request.limits.stall)?;
        let room = answer.buffer.get_mut(answer.filled..limit);
        let read = answer
            .connection
            .read(room.unwrap_or_default(), patience)
            .map_err(|ended| self.ended(address, ended))?;
        if let Read::Bytes(n) = read {
            answer.filled += n;
        }
        Ok(read)
    }

    /// The answer is the file from its first byte on.
    fn accept(
        &mut self,
        address: &Address,
        head: &Head,
        total: Option<u64>,
    ) -> Result<(), DownloadError> {
        if let Some(total) = total {
            self.check_size(address, total)?;
            self.sink.reserve(total)?;
        }
        self.total = total;
        self.validator.clone_from(&head.validator);
        self.tell();
        Ok(())
    }

    /// The answer is the rest of the file, exactly; anything else begins again.
    fn continue_at(&mut self, address: &Address, head: &Head) -> Result<(), Stop> {
        let Some(end) = head.rest(self.sink.written(), self.total) else {
            self.restart()?;
            let error = malformed(
                address,
                "the rest of the file is not the one that was asked for",
            );
            return Err(Stop::Again(error));
        };
        self.check_size(address, end)?;
        self.total = Some(end);
        self.pieced = true;
        Ok(())
    }

    /// The content, into the file.
    fn receive(&mut self, address: &Address, answer: &mut Answer, head: &Head) -> Result<(), Stop> {
        let mut body = head.body();
        loop {
            let mut at = 0;
            while at < answer.filled && !body.is_done() {
                let rest = answer.buffer.get(at..answer.filled).unwrap_or_default();
                let (used, content) = body.take(rest).map_err(|what| malformed(address, what))?;
                let length = self.sink.written().saturating_add(content.len() as u64);
                self.check_size(address, length)?;
                self.sink.write(content)?;
                at += used;
            }
            answer.filled = 0;
            self.tell();
            if body.is_done() {
                break;
            }
            if let Read::End = self.fill(address, answer, BLOCK)? {
                if body.ends_with_connection() {
                    break;
                }
                let failure = answer.connection.cut_short();
                return Err(self.ended(address, failure.into()));
            }
        }
        match self.total {
            Some(total) if total != self.sink.written() => {
                let failure = answer.connection.cut_short();
                Err(self.ended(address, failure.into()))
            }
            _ => Ok(()),
        }
    }

    /// Everything has come: is it the file?
    fn judge(&mut self) -> Result<Received, Stop> {
        let (found, received) = self.sink.digest()?;
        if found == self.request.digest {
            return Ok(received);
        }
        let error = DownloadError::Corrupt {
            address: self.request.address.clone(),
            algorithm: self.request.algorithm,
            found: hex(&found).into(),
            expected: hex(&self.request.digest).into(),
            length: received.length,
        };
        if self.pieced && !std::mem::replace(&mut self.mended, true) {
            // The pieces may be of two files, whatever the server says.
            self.restart()?;
            return Err(Stop::Again(error));
        }
        Err(Stop::Final(error))
    }

    fn check_size(&self, address: &Address, size: u64) -> Result<(), DownloadError> {
        let limit = self.request.limits.size;
        if size <= limit {
            return Ok(());
        }
        Err(DownloadError::TooLarge {
            address: address.clone(),
            size,
            limit,
        })
    }

    /// `time`, or what is left until the deadline.
    fn left(&self, time: Duration) -> Result<Duration, DownloadError> {
        let Some(deadline) = self.request.deadline else {
            return Ok(time);
        };
        match deadline.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(time.min(left)),
            _ => Err(DownloadError::Late {
                address: self.request.address.clone(),
                received: self.sink.written(),
            }),
        }
    }

    fn tell(&mut self) {
        (self.progress)(Progress {
            received: self.sink.written(),
            total: self.total,
        });
    }

    fn refused(&mut self, address: &Address, status: u16) -> Stop {
        let error = DownloadError::Status {
            address: address.clone(),
            status,
        };
        match status {
            // What is there is no beginning of what the server has now.
            416 => match self.restart() {
                Ok(()) => Stop::Again(error),
                Err(error) => Stop::Final(error),
            },
            408 | 425 | 429 | 500 | 502..=504 => Stop::Again(error),
            _ => Stop::Final(error),
        }
    }

    fn ended(&self, address: &Address, ended: Ended) -> Stop {
        let failure = match ended {
            Ended::Cancelled => return Stop::Final(self.cancelled()),
            Ended::Failed(failure) => failure,
        };
        if let Err(late) = self.left(Duration::MAX) {
            return Stop::Final(late);
        }
        let again = matches!(
            failure,
            Failure::Dns { .. }
                | Failure::Refused { .. }
                | Failure::Unreachable { .. }
                | Failure::Exhausted { .. }
                | Failure::Timeout { .. }
                | Failure::Lost { .. }
                | Failure::TlsProtocol { .. }
        );
        let error = DownloadError::Network {
            address: address.clone(),
            failure: Box::new(failure),
        };
        if again {
            Stop::Again(error)
        } else {
            Stop::Final(error)
        }
    }

    fn redirect(&self, address: &Address, reason: Redirection) -> DownloadError {
        DownloadError::Redirect {
            address: address.clone(),
            reason,
        }
    }

    fn cancelled(&self) -> DownloadError {
        DownloadError::Cancelled {
            address: self.request.address.clone(),
        }
    }
}

/// An answer being read.
struct Answer {
    connection: Connection,
    /// One block.
    buffer: Vec<u8>,
    /// Bytes of it that were read and not used.
    filled: usize,
}

impl Answer {
    fn consume(&mut self, used: usize) {
        let used = used.min(self.filled);
        self.buffer.copy_within(used..self.filled, 0);
        self.filled -= used;
    }
}

fn redirected(address: &Address, head: &Head) -> Result<Address, Redirection> {
    let location = head.location.as_deref().ok_or(Redirection::Nowhere)?;
    let next = address.follow(location)?;
    if address.is_secure() && !next.is_secure() {
        return Err(Redirection::Downgrade);
    }
    Ok(next)
}

fn malformed(address: &Address, what: impl Into<String>) -> DownloadError {
    DownloadError::Malformed {
        address: address.clone(),
        what: what.into(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
