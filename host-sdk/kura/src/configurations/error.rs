//! Why a document of configurations cannot be read or written. No message holds a password.

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationsError {
    /// Not well-formed XML, or not UTF-8.
    #[error("configurations, line {line}: {reason}")]
    Xml {
        /// Of the document, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// Well-formed, but not Kura's schema.
    #[error("configurations, line {line}: {what}")]
    Structure {
        /// Of the document, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// More than [`super::XmlLimits`] allows.
    #[error("configurations, line {line}: more than {limit} {what}")]
    Limit {
        /// Of the document, from 1.
        line: usize,
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// One configuration is wrong as a whole.
    #[error("configurations, line {line}: pid {pid:?}: {what}")]
    Pid {
        /// Of the document, from 1.
        line: usize,
        /// Which.
        pid: String,
        /// What is wrong.
        what: String,
    },
    /// One property is wrong.
    #[error("configurations, line {line}: pid {pid:?}, property {name:?}: {what}")]
    Property {
        /// Of the document, from 1.
        line: usize,
        /// Of which configuration.
        pid: String,
        /// Which.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// A value that XML cannot hold, or that would not be read again as it was.
    #[error("configurations cannot hold pid {pid:?}, property {name:?}: {what}")]
    Unwritable {
        /// Of which configuration.
        pid: String,
        /// Which; empty if the pid itself is meant.
        name: String,
        /// What is wrong.
        what: &'static str,
    },
}
