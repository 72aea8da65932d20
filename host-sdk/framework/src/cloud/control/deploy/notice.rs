//! How an order stands: notifications to who gave it, and the board for who asks. Metrics as Kura's
//! `NotificationPublisherImpl` sends them, and `prov.error.code` on a failure.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kura_formats::payload::{encode, MetricValue, Payload};
use kura_formats::request::PROV_ERROR_CODE;

use super::super::reply::{Answer, Outgoing};
use super::super::Address;
use super::job::Kind;
use super::order::Order;
use super::Notify;
use crate::cloud::birth::now_ms;

/// How one step of an order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// So far: percent, and the bytes of the file, 0 while unknown.
    InProgress { percent: i32, size: i32 },
    /// Done; the bytes of the file.
    Completed { size: i32 },
    /// The requester ended it.
    Cancelled,
    /// It failed: stable code, and one line.
    Failed { code: &'static str, message: String },
}

impl Standing {
    fn word(&self) -> &'static str {
        match self {
            Standing::InProgress { .. } => "IN_PROGRESS",
            Standing::Completed { .. } => "COMPLETED",
            Standing::Cancelled => "CANCELLED",
            Standing::Failed { .. } => "FAILED",
        }
    }

    fn metrics(&self, kind: Kind, order: &Order) -> Vec<(&'static str, MetricValue)> {
        let [size_name, progress_name, status_name, message_name] = kind.metrics();
        let (percent, size) = match self {
            Standing::InProgress { percent, size } => (*percent, *size),
            Standing::Completed { size } => (100, *size),
            Standing::Cancelled | Standing::Failed { .. } => (0, 0),
        };
        let mut metrics = vec![
            ("job.id", order.job_id.into()),
            ("dp.name", order.name.as_str().into()),
            (progress_name, percent.into()),
            (status_name, self.word().into()),
        ];
        if !order.version.is_empty() {
            metrics.push(("dp.version", order.version.as_str().into()));
        }
        if kind == Kind::Download {
            metrics.push((size_name, size.into()));
            metrics.push(("dp.download.index", 0.into()));
        }
        if let Standing::Failed { code, message } = self {
            metrics.push((message_name, message.as_str().into()));
            metrics.push((PROV_ERROR_CODE, (*code).into()));
        }
        metrics
    }
}

/// The latest download and installation of a connection.
#[derive(Debug, Default)]
pub(super) struct Board {
    latest: Mutex<Latest>,
}

#[derive(Debug, Default)]
struct Latest {
    download: Option<(Order, Standing)>,
    install: Option<(Order, Standing)>,
}

impl Board {
    /// The answer to `GET download` and `GET install`; `IDLE` before the first.
    pub(super) fn answer(&self, kind: Kind) -> Answer {
        let latest = self.lock();
        let standing = match kind {
            Kind::Download => &latest.download,
            Kind::Install | Kind::Uninstall => &latest.install,
        };
        let [_, _, status, _] = kind.metrics();
        let metrics = match standing {
            Some((order, standing)) => standing.metrics(kind, order),
            None => vec![(status, "IDLE".into())],
        };
        Answer {
            metrics,
            body: None,
        }
    }

    fn set(&self, kind: Kind, order: &Order, standing: &Standing) {
        let mut latest = self.lock();
        let now = Some((order.clone(), standing.clone()));
        match kind {
            Kind::Download => latest.download = now,
            Kind::Install => latest.install = now,
            Kind::Uninstall => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells who gave an order how it stands.
pub(super) struct Notifier {
    pub(super) address: Address,
    pub(super) requester: String,
    pub(super) notify: Notify,
    pub(super) board: Arc<Board>,
    /// Set before the last notification: who hears it may give another order.
    pub(super) ended: Arc<AtomicBool>,
}

impl Notifier {
    /// Tells how the order has ended.
    pub(super) fn tell_last(&self, kind: Kind, order: &Order, standing: &Standing) {
        self.ended.store(true, Ordering::Release);
        self.tell(kind, order, standing);
    }

    pub(super) fn tell(&self, kind: Kind, order: &Order, standing: &Standing) {
        self.board.set(kind, order, standing);
        let address = &self.address;
        let topic = address.topics.notify(
            &address.account,
            &self.requester,
            super::APP,
            &address.client_id,
            kind.name(),
        );
        let topic = match topic {
            Ok(topic) => topic,
            Err(e) => return log::error!("no notification of {}: {e}", order.name),
        };
        let mut payload = Payload::new()
            .with_timestamp(now_ms())
            .with_metric("client.id", address.client_id.as_str());
        for (name, value) in standing.metrics(kind, order) {
            payload.push(name, value);
        }
        let lasting = !matches!(standing, Standing::InProgress { .. });
        let outgoing = Outgoing {
            address: address.clone(),
            topic,
            payload: encode(&payload),
        };
        (self.notify)(outgoing, lasting);
    }
}
