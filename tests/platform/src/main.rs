//! `provision-platform`: the cloud side on the command line.
//!
//! Exit codes: 0 done, 1 it did not work, 2 it was asked wrongly.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
