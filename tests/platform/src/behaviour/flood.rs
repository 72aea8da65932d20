//! More, or larger, requests than any flow has.

use super::Step;

/// Requests that the device does not know, sent in one go before a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flood {
    /// Before this step.
    pub before: Step,
    /// How many.
    pub requests: usize,
    /// How often each is published, byte for byte.
    pub copies: usize,
    /// Bytes of zeros in the body of each; nothing if zero.
    pub body: usize,
    /// Compressed, whatever the device has said: a bomb, if the body is large.
    pub gzip: bool,
}

impl Flood {
    /// So many small requests before the commit.
    pub fn of(requests: usize) -> Flood {
        Flood {
            before: Step::Commit,
            requests,
            copies: 1,
            body: 0,
            gzip: false,
        }
    }

    /// One request with so many bytes before the commit.
    pub fn large(body: usize) -> Flood {
        Flood {
            body,
            ..Flood::of(1)
        }
    }

    /// The same, compressed to about a thousandth.
    pub fn bomb(body: usize) -> Flood {
        Flood {
            gzip: true,
            ..Flood::large(body)
        }
    }
}
