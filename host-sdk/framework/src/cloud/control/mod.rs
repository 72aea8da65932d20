//! Control messages: what the cloud account sends to `$EDC/{account}/{client-id}/#`.
//!
//! They get no answer yet. This is where they enter: [`received`] sorts out what is no request, and
//! is the one place from which requests will reach the framework's applications (CONF-V1, KEYS-V1,
//! DEPLOY-V2), each of them only after the component that provisioned this connection has verified
//! its signature (`gwc.control-verifier/1`, `Instance::verify_control`). It fails closed: where no
//! verifier is there, or it does not say yes, a request is dropped without an answer, as Kura drops
//! a badly signed one.

use kura_formats::topic::{Incoming, Topics};
use mqtt_session::Message;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No request: an own echo, a reply, a notification, something unknown, something retained.
    Ignored,
    /// A request that nobody could verify.
    Dropped,
}

/// Looks at a message.
pub fn received(topics: &Topics, account: &str, client_id: &str, message: &Message) -> Verdict {
    if message.retained {
        return Verdict::Ignored;
    }
    let Incoming::Request(request) = topics.classify(&message.topic) else {
        return Verdict::Ignored;
    };
    if request.account != account || request.client_id != client_id {
        return Verdict::Ignored;
    }
    log::warn!(
        "the request {} was dropped: nobody verifies control messages yet",
        request.application_topic()
    );
    Verdict::Dropped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_request_gets_through_unverified() {
        let message = |topic: &str, retained| Message {
            topic: topic.to_owned(),
            payload: Vec::new(),
            qos: 1,
            retained,
            duplicate: false,
        };
        let look = |message| received(&Topics::default(), "a", "c", &message);
        let put = "$EDC/a/c/CONF-V1/PUT/configurations";
        assert_eq!(look(message(put, false)), Verdict::Dropped);
        assert_eq!(look(message(put, true)), Verdict::Ignored);
        assert_eq!(
            look(message("$EDC/a/c/MQTT/BIRTH", false)),
            Verdict::Ignored
        );
        assert_eq!(
            look(message("$EDC/a/d/CONF-V1/GET/x", false)),
            Verdict::Ignored
        );
    }
}
