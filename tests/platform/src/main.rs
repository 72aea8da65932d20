//! `provision-platform`: the cloud side on the command line.
//!
//! Exit codes: 0 done, 1 it did not work, 2 it was asked wrongly; of `control` also 4 the gateway
//! refused, 5 it failed, 6 it did not answer.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
