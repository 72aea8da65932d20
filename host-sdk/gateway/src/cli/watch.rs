//! Which provisioning `gateway run` watches, and how it stands.
//!
//! Reads the framework's status document and connections; changes nothing.

use gateway_host_sdk::{ConnectionState, Framework};

use crate::outcome::Link;
use crate::status::Document;

/// The watched provisioning.
#[derive(Debug, Default)]
pub struct Watched {
    wanted: Option<String>,
    unreadable: bool,
}

impl Watched {
    /// The one of pid `wanted`, else the first there is.
    #[must_use]
    pub fn new(wanted: Option<String>) -> Watched {
        Watched {
            wanted,
            unreadable: false,
        }
    }

    /// Its document and its connection now; empty ones while its plugin is not there.
    pub fn now(&mut self, framework: &Framework) -> (Document, Link) {
        let pid = self
            .wanted
            .clone()
            .or_else(|| framework.provisioning_pids().into_iter().next());
        let Some(pid) = pid else {
            return (Document::default(), Link::default());
        };
        let document = framework.status(&pid).map(|text| Document::parse(&text));
        let document = match document {
            Some(Ok(document)) => document,
            Some(Err(e)) => {
                if !self.unreadable {
                    log::warn!("{pid}: its status document is not readable: {e}");
                }
                self.unreadable = true;
                Document::default()
            }
            None => Document::default(),
        };
        let connections = framework.connections();
        let of_it = connections
            .into_iter()
            .find(|c| c.provisioning_pid.as_deref() == Some(&pid));
        let link = of_it.map(|connection| Link {
            connected: connection.state == ConnectionState::Connected,
            account: connection.account,
            client_id: connection.client_id,
            broker: connection.broker,
        });
        (document, link.unwrap_or_default())
    }
}
