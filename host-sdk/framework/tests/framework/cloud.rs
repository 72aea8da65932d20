//! Cloud connections against a real broker.
