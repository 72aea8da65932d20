//! Judges of the formats this project reads: files of cases in, one line per failing case and a
//! count out. The functions are what the tests call, so that a test and the command line say the
//! same. They hold no data of their own, and judge the real code: `kura-formats` and its
//! neighbours, nothing re-implemented; what was read of an XML document is compared with what a
//! second parser (`second`) finds there.

pub mod input;
pub mod metatype;
pub mod payload;
pub mod report;
pub mod signed;
pub mod snapshot;
pub mod x509;

#[cfg(test)]
#[path = "../../../host-sdk/x509/src/fixtures.rs"]
mod fixtures;
#[cfg(test)]
mod samples;
mod second;

pub use report::{Passed, Report};
