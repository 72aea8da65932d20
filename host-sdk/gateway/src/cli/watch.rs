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
    told: String,
}

impl Watched {
    /// The one of pid `wanted`, else the first there is.
    #[must_use]
    pub fn new(wanted: Option<String>) -> Watched {
        Watched {
            wanted,
            told: String::new(),
        }
    }

    /// Its document and its connection now; an empty document while its plugin is not there.
    pub fn now(&mut self, framework: &Framework) -> (Document, Link) {
        let first = || framework.provisioning_pids().into_iter().next();
        let Some(pid) = self.wanted.clone().or_else(first) else {
            return (Document::default(), Link::default());
        };
        let document = match framework.status(&pid).map(|text| Document::parse(&text)) {
            Some(Ok(mut document)) => {
                document.instance.clone_from(&pid);
                document
            }
            Some(Err(e)) => {
                self.tell(format!("{pid}: its status document is not readable: {e}"));
                Document::default()
            }
            None => {
                let components = framework.components();
                let of_it = components
                    .into_iter()
                    .find(|component| component.pid == pid);
                if let Some(error) = of_it.and_then(|component| component.error) {
                    self.tell(format!("{pid}: {error}"));
                }
                Document::default()
            }
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

    /// Logs what keeps the document away, once.
    fn tell(&mut self, why: String) {
        if why != self.told {
            log::warn!("{why}");
            self.told = why;
        }
    }
}
