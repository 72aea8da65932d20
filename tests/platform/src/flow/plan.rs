//! The steps of an attempt in their order, and where each is addressed.

use crate::behaviour::{Order, Step};
use crate::pki::Identity;
use kura_formats::topic::Method;
use std::collections::VecDeque;

/// A step to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) step: Step,
    /// Sent in a wrong order on purpose: whatever the device says, the next step follows.
    pub(crate) out_of_order: bool,
    /// Certificates of this signer instead.
    pub(crate) other: Option<Box<Identity>>,
}

/// What an attempt consists of, besides the certificates and the commit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extent {
    /// The root of the target broker is sent.
    pub(crate) target_root: bool,
    /// The device makes a key and gets a certificate for it.
    pub(crate) device_key: bool,
    /// How many packages the device fetches.
    pub(crate) packages: usize,
    /// How many documents are sent.
    pub(crate) documents: usize,
}

pub(super) fn address(step: Step) -> (&'static str, Method, &'static [&'static str]) {
    match step {
        Step::Certificates => ("PROV-V1", Method::Put, &["certificates"]),
        Step::TargetRoot => (
            "KEYS-V1",
            Method::Post,
            &["keystores", "entries", "certificate"],
        ),
        Step::DeviceKey => ("KEYS-V1", Method::Post, &["keystores", "entries", "csr"]),
        Step::ClientCertificate => ("PROV-V1", Method::Put, &["credentials", "certificate"]),
        Step::Package(_) => ("DEPLOY-V2", Method::Exec, &["download"]),
        Step::Configuration(_) => ("CONF-V1", Method::Put, &["configurations"]),
        Step::Commit => ("PROV-V1", Method::Exec, &["commit"]),
    }
}

pub(super) fn plan(order: &Order, extent: Extent) -> VecDeque<Planned> {
    let in_order = |step| Planned {
        step,
        out_of_order: false,
        other: None,
    };
    let wrong = |step| Planned {
        step,
        out_of_order: true,
        other: None,
    };
    let mut steps = VecDeque::new();
    match order {
        Order::ConfigurationFirst => steps.push_back(wrong(Step::Configuration(0))),
        Order::CommitFirst => steps.push_back(wrong(Step::Commit)),
        Order::Reversed => {
            steps.push_back(wrong(Step::Commit));
            steps.extend(
                (0..extent.documents)
                    .rev()
                    .map(|n| wrong(Step::Configuration(n))),
            );
            steps.extend((0..extent.packages).rev().map(|n| wrong(Step::Package(n))));
            if extent.device_key {
                steps.push_back(wrong(Step::ClientCertificate));
                steps.push_back(wrong(Step::DeviceKey));
            }
            if extent.target_root {
                steps.push_back(wrong(Step::TargetRoot));
            }
        }
        Order::Right | Order::CertificatesTwice | Order::OtherCertificates(_) => {}
    }
    steps.push_back(in_order(Step::Certificates));
    match order {
        Order::CertificatesTwice => steps.push_back(wrong(Step::Certificates)),
        Order::OtherCertificates(other) => steps.push_back(Planned {
            step: Step::Certificates,
            out_of_order: true,
            other: Some(other.clone()),
        }),
        Order::Right | Order::Reversed | Order::ConfigurationFirst | Order::CommitFirst => {}
    }
    if extent.target_root {
        steps.push_back(in_order(Step::TargetRoot));
    }
    if extent.device_key {
        steps.push_back(in_order(Step::DeviceKey));
        steps.push_back(in_order(Step::ClientCertificate));
    }
    steps.extend((0..extent.packages).map(|n| in_order(Step::Package(n))));
    steps.extend((0..extent.documents).map(|n| in_order(Step::Configuration(n))));
    steps.push_back(in_order(Step::Commit));
    steps
}
