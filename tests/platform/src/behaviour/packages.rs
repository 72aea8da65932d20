//! What goes wrong when a package is fetched.

/// What the package server does with a download.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PackageFault {
    /// The right thing.
    #[default]
    None,
    /// Sends this many bytes and then nothing more, with the connection open.
    Stall {
        /// Bytes of the file.
        after: u64,
    },
    /// Sends one byte a second, with what it announces: never long enough silent to be given up.
    Drip,
    /// Announces more bytes than it has, sends all it has, and closes.
    LengthTooLong {
        /// Bytes that do not exist.
        by: u64,
    },
    /// Announces fewer bytes than it has, and sends all it has.
    LengthTooShort {
        /// Bytes that were not announced.
        by: u64,
    },
    /// Announces no length, and sends zeros for as long as somebody reads.
    Endless,
    /// Redirects (302) to this address.
    Redirect(String),
    /// Redirects (302) to itself.
    RedirectLoop,
    /// Cuts the first connection after this many bytes; later ones are served.
    CutOnce {
        /// Bytes of the answer's body.
        at: u64,
    },
    /// Cuts every connection after this many bytes: only who resumes gets on.
    CutEach {
        /// Bytes of the answer's body.
        at: u64,
    },
    /// Cuts the first connection after this many bytes, and has another file from then on: other
    /// content of the same length, under another ETag.
    ChangedAfterCut {
        /// Bytes of the answer's body.
        at: u64,
    },
    /// Cuts the first connection after this many bytes, and answers a Range with the whole file.
    IgnoresRange {
        /// Bytes of the answer's body.
        at: u64,
    },
    /// Sends other content of the same length: the hash is wrong.
    OtherContent,
    /// 404.
    NotFound,
    /// 503.
    Unavailable,
    /// Asks for credentials (401) that the device was not told.
    UntoldCredentials,
}
