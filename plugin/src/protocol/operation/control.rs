//! The ends of an attempt: `commit` and `reject`.

use kura_formats::payload::Payload;
use kura_formats::request::PROV_ERROR_CODE;

use super::metric;
use crate::diagnosis::Fault;
use crate::protocol::names;

/// `EXEC PROV-V1/commit`. The provisioner compares all three with its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The transaction meant.
    pub transaction_id: String,
    /// The attempt meant.
    pub nonce: Vec<u8>,
    /// SHA-256 of the manifest meant.
    pub manifest: Vec<u8>,
}

/// `EXEC PROV-V1/reject`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The platform's code, e.g. `request.expired`; not empty.
    pub code: String,
    /// The platform's text; may be empty.
    pub message: String,
    /// Seconds, as sent; [`Fault::rejected`] clamps it.
    pub retry_after: Option<i32>,
    /// The attempt meant.
    pub nonce: Vec<u8>,
}

impl Reject {
    /// What ends the attempt.
    pub fn fault(&self) -> Fault {
        Fault::rejected(&self.code, &self.message, self.retry_after)
    }
}

pub(super) fn commit(payload: &Payload) -> Result<Commit, Fault> {
    Ok(Commit {
        transaction_id: metric::required_text(payload, names::PROV_TRANSACTION_ID)?.to_owned(),
        nonce: metric::bytes(payload, names::PROV_NONCE)?.to_vec(),
        manifest: metric::bytes(payload, names::PROV_MANIFEST_SHA256)?.to_vec(),
    })
}

pub(super) fn reject(payload: &Payload) -> Result<Reject, Fault> {
    Ok(Reject {
        code: metric::required_text(payload, PROV_ERROR_CODE)?.to_owned(),
        message: metric::text(payload, names::PROV_ERROR_MESSAGE)?
            .unwrap_or_default()
            .to_owned(),
        retry_after: metric::int32(payload, names::RETRY_AFTER)?,
        nonce: metric::bytes(payload, names::PROV_NONCE)?.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::diagnosis::Code;

    fn whole_commit() -> Payload {
        Payload::new()
            .with_metric("prov.transaction.id", "t")
            .with_metric("prov.nonce", vec![1; 32])
            .with_metric("prov.manifest.sha256", vec![2; 32])
    }

    fn whole_reject() -> Payload {
        Payload::new()
            .with_metric("prov.error.code", "request.expired")
            .with_metric("prov.error.message", "on Monday")
            .with_metric("retry.after", 90)
            .with_metric("prov.nonce", vec![1; 32])
    }

    #[test]
    fn whole_messages_are_read() {
        let commit = commit(&whole_commit()).unwrap();
        assert_eq!(commit.transaction_id, "t");
        assert_eq!((commit.nonce, commit.manifest), (vec![1; 32], vec![2; 32]));
        let reject = reject(&whole_reject()).unwrap();
        assert_eq!(reject.nonce, [1; 32]);
        let fault = reject.fault();
        assert_eq!(fault.retry_after, Some(90));
        let words = ("request.expired".to_owned(), "on Monday".to_owned());
        assert_eq!(fault.platform, Some(words));
    }

    #[test]
    fn every_member_is_missed_by_name_and_checked_for_its_type() {
        let required = ["prov.transaction.id", "prov.nonce", "prov.manifest.sha256"];
        let parse = |payload: &Payload| commit(payload).map(drop);
        refuses_each(&whole_commit(), &required, &required, &parse);
        let parse = |payload: &Payload| reject(payload).map(drop);
        let all = [
            "prov.error.code",
            "prov.error.message",
            "retry.after",
            "prov.nonce",
        ];
        refuses_each(
            &whole_reject(),
            &["prov.error.code", "prov.nonce"],
            &all,
            &parse,
        );
    }

    fn refuses_each(
        whole: &Payload,
        required: &[&str],
        typed: &[&str],
        parse: &dyn Fn(&Payload) -> Result<(), Fault>,
    ) {
        for name in required {
            let mut without = whole.clone();
            without.metrics.retain(|m| m.name != *name);
            let fault = parse(&without).unwrap_err();
            assert_eq!(fault.code, Code::ProtocolMalformed);
            assert!(fault.message.contains(name), "{fault}");
        }
        for name in typed {
            let fault = parse(&whole.clone().with_metric(*name, 1.5)).unwrap_err();
            assert!(fault.message.contains(name), "{fault}");
        }
    }
}
