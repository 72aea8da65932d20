//! MQTT packets between the broker and paho, without any I/O.
//!
//! [`packet`] cuts the stream into whole packets of bounded size, [`intake`] takes the messages out
//! of it, [`guard`] lets through only what belongs to the state of the session, [`filter`] knows
//! which topics do, [`connect`] writes the one packet that is ours. Called by `link`.

pub(crate) mod connect;
pub(crate) mod filter;
pub(crate) mod guard;
pub(crate) mod intake;
pub(crate) mod packet;

pub(crate) use guard::{Guard, Handed, Incoming};
pub(crate) use intake::{Admission, Arrival, Head, Intake};
pub(crate) use packet::{Deframer, Packet};

/// CONNACK 0 without a session, for paho.
pub(crate) const CONNACK: [u8; 4] = [0x20, 2, 0, 0];
/// PINGREQ.
pub(crate) const PINGREQ: [u8; 2] = [0xc0, 0];
/// PINGRESP, for paho.
pub(crate) const PINGRESP: [u8; 2] = [0xd0, 0];
/// DISCONNECT.
pub(crate) const DISCONNECT: [u8; 2] = [0xe0, 0];
