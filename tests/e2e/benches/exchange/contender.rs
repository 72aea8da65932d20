//! A process that does exchanges when told, and its side of the conversation.
//!
//! The contender is told everything but the port in its environment (`EXCHANGE_ROOTS`, `_USERNAME`,
//! ...). Then, for every round:
//!
//! ```text
//! bench      43211          do one exchange with localhost:43211
//! contender  2612 3000      microseconds from nothing to the answer; bytes of the answer
//! bench      go on          (the bytes on the wire have been counted)
//! contender  2204           has disconnected and cleaned up; CPU microseconds of this round
//! ```
//!
//! One process does all rounds, so that neither its start nor its loading is counted, as in a
//! gateway that has been up for long. Peak memory is read from outside at the end.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::figures::Series;
use crate::Outcome;

/// A running contender. Killed when dropped.
pub struct Contender {
    /// What the table calls it.
    pub name: &'static str,
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// CPU milliseconds of each round, on all links.
    pub cpu: Series,
}

impl Contender {
    /// Starts it.
    pub fn start(name: &'static str, mut command: Command) -> Outcome<Contender> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{name} does not start: {e}"))?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let (Some(input), Some(output)) = (input, output) else {
            return Err(format!("{name} has no standard input or output").into());
        };
        Ok(Contender {
            name,
            process,
            input,
            output: BufReader::new(output),
            cpu: Series::default(),
        })
    }

    /// One exchange. `between` is called when the answer is there, before the contender disconnects.
    /// Returns milliseconds from start to credentials.
    pub fn round(&mut self, port: u16, answer: usize, between: impl FnOnce()) -> Outcome<f64> {
        let told = self.ask(&port.to_string())?;
        between();
        let [micros, size] = told.as_slice() else {
            return Err(format!("{}: two numbers expected, not {told:?}", self.name).into());
        };
        if *size != answer as u64 {
            return Err(format!("{}: an answer of {size} bytes", self.name).into());
        }
        let told = self.ask("go on")?;
        let [cpu] = told.as_slice() else {
            return Err(format!("{}: one number expected, not {told:?}", self.name).into());
        };
        self.cpu.push(*cpu as f64 / 1e3);
        Ok(*micros as f64 / 1e3)
    }

    fn ask(&mut self, line: &str) -> Outcome<Vec<u64>> {
        writeln!(self.input, "{line}")?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        let numbers: Result<Vec<u64>, _> = answer.split_whitespace().map(str::parse).collect();
        match numbers {
            Ok(numbers) if !numbers.is_empty() => Ok(numbers),
            _ => Err(format!("{} said {answer:?}", self.name).into()),
        }
    }

    /// The most memory it ever had resident, in MiB.
    pub fn peak(&self) -> Outcome<f64> {
        peak_mib(self.process.id())
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `VmHWM` of a process, in MiB.
pub fn peak_mib(process: u32) -> Outcome<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"))
        .ok_or("no VmHWM in the status of a process")?;
    Ok(kib.trim().parse::<f64>()? / 1024.0)
}
