//! The control topics of Kura: `{prefix}/{account}/{client-id}/{APP}/{METHOD}/{resource...}`, the
//! replies, notifications and lifecycle messages beside them. Grammar only: whether a topic may be
//! published is the broker's business, whether a message was retained the session's. Called by
//! both ends of a control session.

use std::fmt;

/// Kura's default of `topic.control-prefix`.
pub const DEFAULT_PREFIX: &str = "$EDC";

/// The application of lifecycle messages.
pub const LIFECYCLE_APP: &str = "MQTT";

/// The longest id in bytes.
const MAX_ID: usize = 255;

/// Why a text is no id, or no topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// No character at all.
    #[error("the {what} is empty")]
    Empty {
        /// Which part.
        what: &'static str,
    },
    /// More than 255 bytes.
    #[error("the {what} has {length} bytes, more than 255")]
    TooLong {
        /// Which part.
        what: &'static str,
        /// Its length.
        length: usize,
    },
    /// `/`, `+`, `#` or a control character.
    #[error("the {what} contains {character:?}, which cannot be part of a topic level")]
    Character {
        /// Which part.
        what: &'static str,
        /// The first such character.
        character: char,
    },
}

/// Whether the text may stand as one level of a topic: 1 to 255 bytes, no `/`, `+`, `#`, no
/// control character.
///
/// # Errors
/// [`TopicError`], with "id" as the part.
pub fn check_id(id: &str) -> Result<(), TopicError> {
    check(id, "id")
}

fn check(id: &str, what: &'static str) -> Result<(), TopicError> {
    if id.is_empty() {
        return Err(TopicError::Empty { what });
    }
    if id.len() > MAX_ID {
        return Err(TopicError::TooLong {
            what,
            length: id.len(),
        });
    }
    match id
        .chars()
        .find(|c| matches!(c, '/' | '+' | '#') || c.is_control())
    {
        Some(character) => Err(TopicError::Character { what, character }),
        None => Ok(()),
    }
}

/// The five methods of a request; nothing else is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Read.
    Get,
    /// Set.
    Put,
    /// Create.
    Post,
    /// Delete.
    Del,
    /// Do.
    Exec,
}

impl Method {
    /// All five.
    pub const ALL: [Method; 5] = [
        Method::Get,
        Method::Put,
        Method::Post,
        Method::Del,
        Method::Exec,
    ];

    /// As in a topic.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Put => "PUT",
            Method::Post => "POST",
            Method::Del => "DEL",
            Method::Exec => "EXEC",
        }
    }

    /// The method of that name, in upper case as Kura has it.
    pub fn from_name(name: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|method| method.name() == name)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The topic of a request, in its parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestTopic {
    /// Whose.
    pub account: String,
    /// To which client.
    pub client_id: String,
    /// Application and version, e.g. `CONF-V1`.
    pub app: String,
    /// What to do.
    pub method: Method,
    /// With what; empty where the topic ends behind the method.
    pub resources: Vec<String>,
}

impl RequestTopic {
    /// What a signature covers: `APP/METHOD/resource...`.
    pub fn application_topic(&self) -> String {
        let mut topic = format!("{}/{}", self.app, self.method);
        for resource in &self.resources {
            topic.push('/');
            topic.push_str(resource);
        }
        topic
    }

    /// The resources, joined as in the topic.
    pub fn resource(&self) -> String {
        self.resources.join("/")
    }
}

/// What a topic below the control prefix is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A request to `client_id`.
    Request(RequestTopic),
    /// `{account}/{client_id}/MQTT/{name}`: a lifecycle message that client sent (its own echo,
    /// if it is the receiver). Never a request, whatever the name.
    Lifecycle {
        /// Whose.
        account: String,
        /// Who sent it.
        client_id: String,
        /// `BIRTH`, `DC`, `APPS`, `LWT`, `PROV`; may have several levels.
        name: String,
    },
    /// A reply to `requester`.
    Reply {
        /// Whose.
        account: String,
        /// Who asked.
        requester: String,
        /// Application.
        app: String,
        /// Of which request.
        request_id: String,
    },
    /// A notification to `requester`.
    Notify {
        /// Whose.
        account: String,
        /// Who asked.
        requester: String,
        /// Application.
        app: String,
        /// Who sent it.
        client_id: String,
        /// About what.
        resource: String,
    },
    /// Anything else; to be ignored.
    Other,
}

/// The topics below one control prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    prefix: String,
}

impl Default for Topics {
    fn default() -> Self {
        Self {
            prefix: DEFAULT_PREFIX.to_owned(),
        }
    }
}

impl Topics {
    /// With that prefix, one level.
    ///
    /// # Errors
    /// [`TopicError`] if it cannot be a level.
    pub fn new(prefix: &str) -> Result<Self, TopicError> {
        check(prefix, "control prefix")?;
        Ok(Self {
            prefix: prefix.to_owned(),
        })
    }

    /// The control prefix.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What this topic is, by its grammar. Account and client are the caller's to compare.
    pub fn classify(&self, topic: &str) -> Incoming {
        self.split(topic).unwrap_or(Incoming::Other)
    }

    fn split(&self, topic: &str) -> Option<Incoming> {
        let mut levels = topic.split('/');
        if levels.next()? != self.prefix {
            return None;
        }
        let account = valid(levels.next()?)?;
        let client_id = valid(levels.next()?)?;
        let app = valid(levels.next()?)?;
        let verb = levels.next()?;
        let mut rest = levels.clone();
        if app == LIFECYCLE_APP {
            let mut name = valid(verb)?;
            for level in rest {
                name.push('/');
                name.push_str(level);
            }
            return Some(Incoming::Lifecycle {
                account,
                client_id,
                name,
            });
        }
        if let Some(method) = Method::from_name(verb) {
            let resources = levels.map(str::to_owned).collect();
            return Some(Incoming::Request(RequestTopic {
                account,
                client_id,
                app,
                method,
                resources,
            }));
        }
        let first = valid(rest.next()?)?;
        match verb {
            "REPLY" if rest.next().is_none() => Some(Incoming::Reply {
                account,
                requester: client_id,
                app,
                request_id: first,
            }),
            "NOTIFY" => Some(Incoming::Notify {
                account,
                requester: client_id,
                app,
                client_id: first,
                resource: rest.collect::<Vec<_>>().join("/"),
            }),
            _ => None,
        }
    }

    /// The topic of a request.
    ///
    /// # Errors
    /// [`TopicError`] naming the part that cannot stand in a topic.
    pub fn request(&self, topic: &RequestTopic) -> Result<String, TopicError> {
        let base = self.base(&topic.account, &topic.client_id, "client-id")?;
        check(&topic.app, "application")?;
        for resource in &topic.resources {
            check(resource, "resource")?;
        }
        Ok(format!("{base}/{}", topic.application_topic()))
    }

    /// `{prefix}/{account}/{requester}/{app}/REPLY/{request_id}`.
    ///
    /// # Errors
    /// [`TopicError`] naming the part that cannot stand in a topic.
    pub fn reply(
        &self,
        account: &str,
        requester: &str,
        app: &str,
        request_id: &str,
    ) -> Result<String, TopicError> {
        let base = self.base(account, requester, "requester client-id")?;
        check(app, "application")?;
        check(request_id, "request id")?;
        Ok(format!("{base}/{app}/REPLY/{request_id}"))
    }

    /// `{prefix}/{account}/{requester}/{app}/NOTIFY/{client_id}/{resource}`.
    ///
    /// # Errors
    /// [`TopicError`] naming the part that cannot stand in a topic.
    pub fn notify(
        &self,
        account: &str,
        requester: &str,
        app: &str,
        client_id: &str,
        resource: &str,
    ) -> Result<String, TopicError> {
        let base = self.base(account, requester, "requester client-id")?;
        check(app, "application")?;
        check(client_id, "client-id")?;
        for level in resource.split('/') {
            check(level, "resource")?;
        }
        Ok(format!("{base}/{app}/NOTIFY/{client_id}/{resource}"))
    }

    /// `{prefix}/{account}/{client_id}/MQTT/{name}`.
    ///
    /// # Errors
    /// [`TopicError`] naming the part that cannot stand in a topic.
    pub fn lifecycle(
        &self,
        account: &str,
        client_id: &str,
        name: &str,
    ) -> Result<String, TopicError> {
        let base = self.base(account, client_id, "client-id")?;
        check(name, "lifecycle message")?;
        Ok(format!("{base}/{LIFECYCLE_APP}/{name}"))
    }

    /// The filter of everything sent to a client: `{prefix}/{account}/{client_id}/#`.
    ///
    /// # Errors
    /// [`TopicError`] naming the part that cannot stand in a topic.
    pub fn subscription(&self, account: &str, client_id: &str) -> Result<String, TopicError> {
        Ok(format!("{}/#", self.base(account, client_id, "client-id")?))
    }

    fn base(
        &self,
        account: &str,
        client_id: &str,
        what: &'static str,
    ) -> Result<String, TopicError> {
        check(account, "account")?;
        check(client_id, what)?;
        Ok(format!("{}/{account}/{client_id}", self.prefix))
    }
}

fn valid(level: &str) -> Option<String> {
    check_id(level).ok().map(|()| level.to_owned())
}
