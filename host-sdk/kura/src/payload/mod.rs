//! The KuraPayload: proto2 message `kuradatatypes.KuraPayload` (Kura's `kurapayload.proto`),
//! plain or in gzip.
//!
//! [`decode()`] accepts and refuses what Kura's own decoder does, within [`Limits`]; [`encode()`]
//! makes the bytes Kura's encoder makes. Whether a message is signed, known or allowed is not
//! looked at here. Callers: everything that publishes or receives a control message.

mod decode;
mod encode;
mod gzip;
mod room;
mod text;
mod value;
mod wire;

pub use decode::{decode, decode_apart, decode_owned, unpacked, Limits, PayloadError};
pub use encode::encode;
pub use gzip::{gunzip, gunzip_owned, gzip, is_gzip};
pub use value::{Metric, MetricValue, Payload, Position};
