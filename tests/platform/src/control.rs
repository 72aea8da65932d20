//! Signed requests to a gateway that has been provisioned, over its account's broker.
//!
//! What is asked ([`ControlRequest`]), what came back ([`ControlReply`]), and what is wrong on
//! purpose ([`ControlFault`]). Sent by the running platform: from its own process by
//! [`crate::platform::Platform::control`], from another one through the database.

use crate::store::Package;
use kura_formats::payload::{MetricValue, Payload};
use kura_formats::topic::Method;
use std::time::Duration;

/// A request.
#[derive(Clone, Debug)]
pub struct ControlRequest {
    /// The gateway's account.
    pub account: String,
    /// Its client-id there.
    pub client_id: String,
    /// Such as `CONF-V1`.
    pub app: String,
    /// What is to be done.
    pub method: Method,
    /// The resource, level by level.
    pub resources: Vec<String>,
    /// Metrics besides the ids and those of the signature.
    pub metrics: Vec<(String, MetricValue)>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// A package that is offered meanwhile; the metrics that ask for it are added.
    pub package: Option<Package>,
    /// Waits, after a 200, for the notification about this resource that ends it.
    pub until_notified: Option<String>,
    /// What is wrong.
    pub fault: ControlFault,
    /// Time for the reply, and for each notification.
    pub within: Duration,
}

impl ControlRequest {
    /// A right one without metrics, body and package, with 30 s for the reply. `resource` is its
    /// levels with `/` between them.
    pub fn new(
        account: &str,
        client_id: &str,
        method: Method,
        app: &str,
        resource: &str,
    ) -> ControlRequest {
        ControlRequest {
            account: account.to_owned(),
            client_id: client_id.to_owned(),
            app: app.to_owned(),
            method,
            resources: resource.split('/').map(str::to_owned).collect(),
            metrics: Vec::new(),
            body: None,
            package: None,
            until_notified: None,
            fault: ControlFault::None,
            within: Duration::from_secs(30),
        }
    }

    /// With a body.
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> ControlRequest {
        self.body = Some(body.into());
        self
    }

    /// Wrong in this way.
    pub fn with_fault(mut self, fault: ControlFault) -> ControlRequest {
        self.fault = fault;
        self
    }
}

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ControlFault {
    /// Nothing.
    #[default]
    None,
    /// Not signed.
    Unsigned,
    /// Signed with another key, under the signer's names.
    OtherSigner,
    /// Signed over other content than what is sent.
    Altered,
    /// Signed for another client.
    OtherClient,
    /// Without `sig.timestamp`.
    WithoutTimestamp,
    /// `sig.timestamp` is an hour ago.
    Stale,
    /// `sig.timestamp` is in an hour.
    Early,
    /// Sent again after its reply, byte for byte; the second reply counts.
    Replayed,
    /// Another request with the `sig.id` of one that was answered; the second reply counts.
    SameSignatureId,
}

impl ControlFault {
    /// All, the right one first.
    pub const ALL: [ControlFault; 10] = [
        ControlFault::None,
        ControlFault::Unsigned,
        ControlFault::OtherSigner,
        ControlFault::Altered,
        ControlFault::OtherClient,
        ControlFault::WithoutTimestamp,
        ControlFault::Stale,
        ControlFault::Early,
        ControlFault::Replayed,
        ControlFault::SameSignatureId,
    ];

    /// As the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            ControlFault::None => "none",
            ControlFault::Unsigned => "unsigned",
            ControlFault::OtherSigner => "other-signer",
            ControlFault::Altered => "altered",
            ControlFault::OtherClient => "other-client",
            ControlFault::WithoutTimestamp => "without-timestamp",
            ControlFault::Stale => "stale",
            ControlFault::Early => "early",
            ControlFault::Replayed => "replayed",
            ControlFault::SameSignatureId => "same-signature-id",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<ControlFault> {
        ControlFault::ALL.into_iter().find(|f| f.name() == name)
    }
}

/// What the gateway said.
#[derive(Clone, Debug)]
pub struct ControlReply {
    /// `response.code`; 0 if it is missing.
    pub code: i32,
    /// The whole reply.
    pub payload: Payload,
    /// The last notification, where one was waited for.
    pub notification: Option<Payload>,
}

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// It cannot be addressed, signed or offered.
    #[error("the request cannot be made: {0}")]
    Unmade(String),
    /// The account's broker is not there.
    #[error("the request cannot be sent: {0}")]
    Unsent(String),
    /// No reply, or no notification, in time.
    #[error("{client_id} does not answer within {} s", within.as_secs())]
    Silent {
        /// Who was asked.
        client_id: String,
        /// How long.
        within: Duration,
    },
}
