//! The sample host: a gateway that behaves as Eclipse Kura does.
//!
//! The binary `gateway` runs the host framework with a plugin folder, a data folder, a REST
//! interface and a web page, and speaks to a running one from the command line. It holds no
//! provisioning logic and knows no plugin: what it shows comes from metatypes and status
//! documents. A library besides a binary only so that tests can reach its parts.

pub mod cli;
pub mod clock;
pub mod control;
pub mod door;
pub mod feed;
pub mod outcome;
pub mod progress;
pub mod record;
pub mod rest;
pub mod sheet;
pub mod status;
