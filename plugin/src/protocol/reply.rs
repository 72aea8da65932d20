//! What goes back to the platform: replies, and the notifications of a download. All of it is
//! QoS 1 and not retained.

use kura_formats::payload::{encode, gzip, Payload};
use kura_formats::request::{self, ResponseCode, PROV_ERROR_CODE};
use kura_formats::topic::{TopicError, Topics};

use super::names;
use super::operation::Download;
use super::request::{Inbox, Request};
use crate::diagnosis::Fault;

/// Smaller payloads are not worth compressing.
const MIN_GZIP: usize = 256;
/// The longest `response.exception.message`, in bytes.
const MAX_MESSAGE: usize = 2048;

/// A message to be published.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its topic.
    pub topic: String,
    /// Its payload, encoded.
    pub payload: Vec<u8>,
}

impl std::fmt::Debug for Outgoing {
    /// Without the content, which may be a configuration.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes)", self.topic, self.payload.len())
    }
}

/// Makes the replies of one session.
#[derive(Clone, Debug)]
pub struct Replies {
    topics: Topics,
    account: String,
    client_id: String,
}

/// How a download stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownloadState {
    /// So far.
    InProgress {
        /// Bytes of the file, 0 while unknown.
        size: u64,
        /// Percent, 0..100.
        progress: u8,
    },
    /// There, and the one that was announced.
    Completed {
        /// Bytes of the file.
        size: u64,
    },
    /// It will not come.
    Failed(Fault),
}

impl Replies {
    /// For the requests that this inbox reads.
    pub fn to(inbox: &Inbox) -> Self {
        Self {
            topics: inbox.topics().clone(),
            account: inbox.account().to_owned(),
            client_id: inbox.client_id().to_owned(),
        }
    }

    /// 200, with a body where the request asked for something. `timestamp` in ms since 1970 UTC.
    ///
    /// # Errors
    /// [`TopicError`] if the account cannot stand in a topic; the rest was checked when the
    /// request was read.
    pub fn done(
        &self,
        request: &Request,
        body: Option<Vec<u8>>,
        timestamp: i64,
    ) -> Result<Outgoing, TopicError> {
        let mut payload = request::reply(ResponseCode::Ok, timestamp);
        payload.body = body;
        self.reply(request, &payload)
    }

    /// A refusal, with the fault's code, response code, message and causes. `timestamp` in ms
    /// since 1970 UTC.
    ///
    /// # Errors
    /// As [`Replies::done`].
    pub fn refused(
        &self,
        request: &Request,
        fault: &Fault,
        timestamp: i64,
    ) -> Result<Outgoing, TopicError> {
        let code = ResponseCode::from_code(fault.response_code()).unwrap_or(ResponseCode::Internal);
        let message = told(fault);
        let payload = request::refusal(code, fault.code.as_str(), &message, timestamp);
        self.reply(request, &payload)
    }

    fn reply(&self, request: &Request, payload: &Payload) -> Result<Outgoing, TopicError> {
        let ids = &request.ids;
        let topic = self.topics.reply(
            &self.account,
            &ids.requester,
            request.app(),
            &ids.request_id,
        )?;
        Ok(Outgoing {
            topic,
            payload: coded(payload, request.accepts_gzip()),
        })
    }

    /// `DEPLOY-V2/NOTIFY/{client-id}/download` to `requester`, with the metrics of Kura's
    /// `NotificationPublisherImpl`, and `prov.error.code` on a failure. `timestamp` in ms since
    /// 1970 UTC.
    ///
    /// # Errors
    /// [`TopicError`] if account, client-id or requester cannot stand in a topic.
    pub fn download(
        &self,
        requester: &str,
        download: &Download,
        state: &DownloadState,
        timestamp: i64,
    ) -> Result<Outgoing, TopicError> {
        let (size, progress, status, fault) = match state {
            DownloadState::InProgress { size, progress } => {
                (*size, (*progress).min(100), "IN_PROGRESS", None)
            }
            DownloadState::Completed { size } => (*size, 100, "COMPLETED", None),
            DownloadState::Failed(fault) => (0, 0, "FAILED", Some(fault)),
        };
        let mut payload = Payload::new()
            .with_timestamp(timestamp)
            .with_metric("client.id", self.client_id.as_str())
            .with_metric("job.id", download.job_id)
            .with_metric("dp.name", download.name.as_str())
            .with_metric("dp.download.size", i32::try_from(size).unwrap_or(i32::MAX))
            .with_metric("dp.download.progress", i32::from(progress))
            .with_metric("dp.download.status", status)
            .with_metric("dp.download.index", 0);
        if let Some(fault) = fault {
            payload.push("dp.download.error.message", told(fault));
            payload.push(PROV_ERROR_CODE, fault.code.as_str());
        }
        let topic = self.topics.notify(
            &self.account,
            requester,
            names::DEPLOY_V2,
            &self.client_id,
            "download",
        )?;
        Ok(Outgoing {
            topic,
            payload: encode(&payload),
        })
    }
}

/// The message and its causes on one line, cut.
fn told(fault: &Fault) -> String {
    let mut text = fault.message.clone();
    for cause in &fault.causes {
        if text.len() + 2 + cause.len() > MAX_MESSAGE {
            break;
        }
        text.push_str(": ");
        text.push_str(cause);
    }
    text
}

fn coded(payload: &Payload, accepts_gzip: bool) -> Vec<u8> {
    let plain = encode(payload);
    if !accepts_gzip || plain.len() < MIN_GZIP {
        return plain;
    }
    let packed = gzip(&plain);
    if packed.len() < plain.len() {
        packed
    } else {
        plain
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::testing::{inbox, payload, request};
    use super::*;
    use crate::diagnosis::Code;
    use kura_formats::payload::{decode, is_gzip, Limits};

    fn read(message: &Outgoing) -> Payload {
        decode(&message.payload, &Limits::default()).unwrap()
    }

    #[test]
    fn a_reply_goes_to_the_requester_with_its_code() {
        let replies = Replies::to(&inbox());
        let request = request("KEYS-V1", "POST", "keystores/entries/csr", payload());
        let done = replies.done(&request, Some(b"PEM".to_vec()), 7).unwrap();
        assert_eq!(done.topic, "$EDC/acme/platform-1/KEYS-V1/REPLY/r1");
        let content = read(&done);
        assert_eq!(content.int32("response.code"), Some(200));
        assert_eq!(content.timestamp, Some(7));
        assert_eq!(content.body.as_deref(), Some(&b"PEM"[..]));
        assert_eq!(content.string("prov.error.code"), None);
    }

    #[test]
    fn every_code_reaches_the_platform_with_its_response_code() {
        let replies = Replies::to(&inbox());
        let request = request("PROV-V1", "EXEC", "commit", payload());
        for code in Code::ALL {
            let fault = Fault::new(code, "the object").caused_by("why");
            let content = read(&replies.refused(&request, &fault, 7).unwrap());
            assert_eq!(
                content.int32("response.code"),
                Some(code.response_code()),
                "{code}"
            );
            assert_eq!(content.string("prov.error.code"), Some(code.as_str()));
            let message = content.string("response.exception.message");
            assert_eq!(message, Some("the object: why"));
        }
        let content = read(
            &replies
                .refused(&request, &Fault::not_found("x"), 7)
                .unwrap(),
        );
        assert_eq!(content.int32("response.code"), Some(404));
    }

    #[test]
    fn a_long_tale_of_causes_is_cut() {
        let mut fault = Fault::new(Code::ProofFailed, "m");
        for _ in 0..100 {
            fault = fault.caused_by("x".repeat(1000));
        }
        assert!(told(&fault).len() <= MAX_MESSAGE);
        assert!(told(&fault).len() > MAX_MESSAGE / 2);
    }

    #[test]
    fn gzip_is_sent_only_to_who_reads_it_and_where_it_helps() {
        let replies = Replies::to(&inbox());
        let reader = payload().with_metric("accept_encoding", "gzip");
        let body = Some(vec![b'x'; 10_000]);
        for (message, body, packed) in [
            (payload(), body.clone(), false),
            (reader.clone(), body, true),
            (reader, None, false),
        ] {
            let request = request("CONF-V1", "GET", "configurations", message);
            let reply = replies.done(&request, body.clone(), 0).unwrap();
            assert_eq!(is_gzip(&reply.payload), packed);
            assert_eq!(read(&reply).body, body);
        }
    }

    #[test]
    fn a_download_is_told_as_kura_tells_it() {
        let replies = Replies::to(&inbox());
        let download = Download {
            uri: "http://h/x".into(),
            name: "heater".into(),
            version: "1".into(),
            job_id: 42,
            hash: format!("SHA-256:{}", "0".repeat(64)).parse().unwrap(),
            credentials: None,
        };
        let failed = Fault::new(Code::PackageCorrupt, "heater 1");
        for (state, status, size, progress, code) in [
            (
                DownloadState::InProgress {
                    size: 9,
                    progress: 250,
                },
                "IN_PROGRESS",
                9,
                100,
                None,
            ),
            (
                DownloadState::Completed { size: u64::MAX },
                "COMPLETED",
                i32::MAX,
                100,
                None,
            ),
            (
                DownloadState::Failed(failed),
                "FAILED",
                0,
                0,
                Some("package.corrupt"),
            ),
        ] {
            let told = replies
                .download("platform-1", &download, &state, 3)
                .unwrap();
            assert_eq!(
                told.topic,
                "$EDC/acme/platform-1/DEPLOY-V2/NOTIFY/gw-1/download"
            );
            let content = read(&told);
            assert_eq!(content.string("client.id"), Some("gw-1"));
            assert_eq!(content.int64("job.id"), Some(42));
            assert_eq!(content.string("dp.name"), Some("heater"));
            assert_eq!(content.string("dp.download.status"), Some(status));
            assert_eq!(content.int32("dp.download.size"), Some(size));
            assert_eq!(content.int32("dp.download.progress"), Some(progress));
            assert_eq!(content.string("prov.error.code"), code);
            let message = content.string("dp.download.error.message");
            assert_eq!(message.is_some(), code.is_some());
        }
    }
}
