//! Numbers of several rounds, and what they were measured on. Used by the other modules to print.

use std::fs;
use std::process::Command;

/// One number per round.
#[derive(Clone, Debug, Default)]
pub struct Series(Vec<f64>);

impl Series {
    /// Adds a round.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The middle one, the lower of two; 0 without any.
    pub fn median(&self) -> f64 {
        self.sorted()
            .get(self.0.len().saturating_sub(1) / 2)
            .copied()
            .unwrap_or_default()
    }

    /// `min / median / max`.
    pub fn spread(&self) -> String {
        let sorted = self.sorted();
        let at = |value: Option<&f64>| value.copied().unwrap_or_default();
        format!(
            "{:.1} / {:.1} / {:.1}",
            at(sorted.first()),
            self.median(),
            at(sorted.last())
        )
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

/// A row of a Markdown table.
pub fn row(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// The head of a Markdown table.
pub fn head(cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|&cell| cell.to_owned()).collect();
    format!("{}\n|{}", row(&cells), "---|".repeat(cells.len()))
}

/// The machine, in a line.
pub fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("an unknown processor", |(_, model)| model.trim());
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    format!(
        "Machine: {cpus} cores of {model}, Linux {kernel}, load {load} at the start; {mosquitto}; {openssl}.",
        kernel = first_line("uname", "-r"),
        mosquitto = first_line("mosquitto", "-h"),
        openssl = openssl::version::version(),
    )
}

fn first_line(program: &str, argument: &str) -> String {
    let mut command = Command::new(program);
    // Debian keeps servers where an ordinary user does not look.
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .arg(argument)
        .env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin"));
    let output = command
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&output).into_owned();
    text.lines().next().unwrap_or("unknown").to_owned()
}
