//! A broker that speaks broken MQTT, before the real library: each case in a process of its own.
//!
//! In every case: the attempt ends with the right code, at once or at its deadline; memory stays
//! below 32 MiB above idle; deactivation takes less than 250 ms, at the end and in the midst; what
//! people read is short, and is text. What the design calls harmless is proved so by an honest
//! word behind it, which is heard. Nothing of MQTT itself is tested here; `host-sdk/mqtt` does.

mod amounts;
mod case;
mod checks;
mod child;
mod connack;
mod packets;
mod peer;
mod silence;
mod stages;
mod target;
mod web_socket;
