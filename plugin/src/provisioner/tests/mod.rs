//! The state machine on a virtual clock, against a scripted world.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod attempts;
mod changes;
mod commit;
mod giving_up;
mod model;
mod packages;
mod pauses;
mod platform;
mod world;
