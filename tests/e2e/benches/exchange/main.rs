//! `make bench`: what a provisioning costs, measured, next to what it could cost.
//!
//! Two things are measured, on loopback and over a link that takes 25 ms each way ([`proxy`]):
//! one *exchange* (start to credentials: TLS with a verified broker, CONNECT, SUBSCRIBE, a trigger,
//! an answer of 3 kB) by three contenders in the same run ([`exchange`]), and a *whole attempt* of a
//! gateway until the account has seen it, applied, proved and committed ([`attempt`]), with what it
//! writes and how often it waits for the disk ([`writes`]).
//!
//! It prints and asserts nothing about time. `EXCHANGE_ROUNDS` and `ATTEMPT_ROUNDS` change how often.
//! This program is also two of the processes that it measures: see `main`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod attempt;
mod contender;
mod exchange;
mod figures;
mod ours;
mod prompt_broker;
mod proxy;
mod writes;

use std::process::ExitCode;

/// Any error ends the bench with its message.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Says which of its processes this program is.
const ROLE: &str = "EXCHANGE_ROLE";

fn main() -> ExitCode {
    let outcome = match std::env::var(ROLE).as_deref() {
        Ok("ours") => ours::main(),
        Ok("gateway") => return gateway::cli::main(),
        _ => bench(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Outcome<()> {
    println!("{}\n", figures::machine());
    exchange::measure(rounds("EXCHANGE_ROUNDS", 25)?)?;
    attempt::measure(rounds("ATTEMPT_ROUNDS", 9)?)
}

fn rounds(variable: &str, usual: usize) -> Outcome<usize> {
    match std::env::var(variable) {
        Ok(text) => match text.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(format!("{variable}={text}: not a number of rounds").into()),
        },
        Err(_) => Ok(usual),
    }
}
