//! The contract between a gateway framework and its components, in Rust.
