//! Progress of a provisioning on the terminal: the steps, which one runs, attempts, time left.
//!
//! `lines` says what to show, and `picture` what to write for it, purely; `terminal` draws it, or
//! prints a plain line per change where standard error is no terminal. Neither watches
//! a component: `cli::run` hands in each status document.

pub mod lines;
pub mod picture;
pub mod terminal;

pub use terminal::Progress;
