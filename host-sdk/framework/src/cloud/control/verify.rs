//! Asks the component that provisions a connection who signed a request.

use gateway_component_abi::status;
use kura_formats::request::ResponseCode;

use super::refusal::Refusal;
use super::request::Request;
use crate::cloud::Components;
use crate::loader::ComponentError;

/// A request that is not served, and the reason under which it is counted.
#[derive(Debug)]
pub(super) struct Unverified {
    pub(super) reason: &'static str,
    pub(super) refusal: Refusal,
}

/// The reason for which there is no verdict.
pub(super) const UNAVAILABLE: &str = "verifier.unavailable";

/// The verdicts of a verifier, and the response code of each.
const VERDICTS: [(&str, ResponseCode); 9] = [
    ("signature.missing", ResponseCode::Forbidden),
    ("signature.invalid", ResponseCode::Forbidden),
    ("signature.untrusted", ResponseCode::Forbidden),
    ("signature.replayed", ResponseCode::Forbidden),
    ("protocol.malformed", ResponseCode::BadRequest),
    ("protocol.too-large", ResponseCode::TooLarge),
    ("clock.implausible", ResponseCode::Internal),
    ("storage.unwritable", ResponseCode::Internal),
    ("storage.full", ResponseCode::Internal),
];

/// Whether the component `pid` vouches for the request.
pub(super) fn verify(
    components: Option<&dyn Components>,
    pid: Option<&str>,
    request: &Request,
) -> Result<(), Unverified> {
    let instance = pid
        .zip(components)
        .and_then(|(pid, components)| components.instance(pid));
    let Some(instance) = instance else {
        return Err(unavailable(
            "no component verifies the control messages of this connection",
        ));
    };
    let topic = &request.topic;
    instance
        .verify_control(
            &topic.account,
            &topic.client_id,
            &request.application_topic,
            &request.bytes,
        )
        .map_err(|error| judged(&error))
}

fn judged(error: &ComponentError) -> Unverified {
    let ComponentError::Refused { source, .. } = error else {
        return unavailable(error.to_string());
    };
    match VERDICTS.iter().find(|(code, _)| *code == source.code) {
        Some(&(code, response)) => Unverified {
            reason: code,
            refusal: Refusal::new(response, code, &source.message),
        },
        None if source.status == status::E_DENIED => unavailable(format!(
            "the verifier says {:?}: {}",
            source.code, source.message
        )),
        None => unavailable(crate::one_line(error)),
    }
}

/// Nobody vouches: to the requester that is a signer who is not trusted.
fn unavailable(why: impl Into<String>) -> Unverified {
    Unverified {
        reason: UNAVAILABLE,
        refusal: Refusal::new(ResponseCode::Forbidden, "signature.untrusted", why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_component_abi::safe::error::CallError;

    fn refused(status: i32, code: &str) -> Unverified {
        judged(&ComponentError::Refused {
            component: "p".to_owned(),
            function: "gwc.control-verifier/1 verify",
            source: CallError::new(status, code, "why"),
        })
    }

    #[test]
    fn every_verdict_keeps_its_code() {
        for (code, response) in VERDICTS {
            let verdict = refused(status::E_DENIED, code);
            assert_eq!(verdict.reason, code);
            assert_eq!(verdict.refusal.code, code);
            assert_eq!(verdict.refusal.response, response);
        }
    }

    #[test]
    fn what_is_no_verdict_is_no_acceptance() {
        let unsupported = ComponentError::Unsupported {
            component: "p".to_owned(),
            extension: "gwc.control-verifier/1",
        };
        for verdict in [
            refused(status::E_STATE, ""),
            refused(status::E_DENIED, "novel.code"),
            refused(status::E_PANIC, "internal.panic"),
            judged(&unsupported),
        ] {
            assert_eq!(verdict.reason, UNAVAILABLE);
            assert_eq!(verdict.refusal.response, ResponseCode::Forbidden);
        }
    }
}
