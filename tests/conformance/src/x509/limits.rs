//! What a case may cost, and what it did cost.
//!
//! Time is the processor time of the judging thread. Memory is the peak of what the
//! whole process has resident during the case, above the least that it had at the
//! start of any case so far: memory that an earlier case gave back, but that the
//! allocator kept, cannot hide a need, and the suite and the libraries do not count.
//! What the process freed before its first case could; so whoever measures reads
//! large files without taking them apart ([`super::limbo`]). The peak is the kernel's own (`VmHWM` of
//! `/proc/self/status`), started anew for each case by writing 5 to
//! `/proc/self/clear_refs` (proc(5)); where that may not be written, memory is not
//! measured, and [`Costliest::write`] says so.

use std::fs;
use std::io::Write;
use std::time::Duration;

use rustix::time::{clock_gettime, ClockId};

/// What one case must stay below.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Of processor time.
    pub(super) time: Duration,
    /// In KiB.
    pub(super) memory: u64,
}

/// Nobody may make the component think long or hold much.
pub(super) const LIMITS: Limits = Limits {
    time: Duration::from_millis(100),
    memory: 32 * 1024,
};

/// What one case needed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    pub(super) time: Duration,
    /// In KiB; absent where it cannot be measured.
    pub(super) memory: Option<u64>,
}

/// A limit that a case broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    Time(Duration),
    /// In KiB.
    Memory(u64),
}

impl Cost {
    /// Time comes first if both are broken.
    pub(super) fn excess(&self, limits: Limits) -> Option<Excess> {
        if self.time >= limits.time {
            return Some(Excess::Time(self.time));
        }
        let memory = self.memory?;
        (memory >= limits.memory).then_some(Excess::Memory(memory))
    }
}

/// Measures case after case.
#[derive(Default)]
pub(super) struct Meter {
    /// The least that was resident at the start of a case, in KiB.
    floor: Option<u64>,
}

impl Meter {
    /// Runs one case.
    pub(super) fn measure<T>(&mut self, case: impl FnOnce() -> T) -> (T, Cost) {
        let floor = restart_peak();
        if let Some(now) = floor {
            self.floor = Some(self.floor.map_or(now, |least| least.min(now)));
        }
        let start = cpu_time();
        let result = case();
        let time = cpu_time().saturating_sub(start);
        let peak = floor.and_then(|_| status("VmHWM:"));
        let memory = peak
            .zip(self.floor)
            .map(|(peak, floor)| peak.saturating_sub(floor));
        (result, Cost { time, memory })
    }
}

/// Processor time of this thread: how long a case takes must not depend on what else the machine
/// is doing.
fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

/// Makes the peak what is resident now, and says how much that is.
fn restart_peak() -> Option<u64> {
    fs::write("/proc/self/clear_refs", "5").ok()?;
    status("VmRSS:")
}

/// A line of the process's status, in KiB.
fn status(line: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|found| found.strip_prefix(line))?;
    value.trim().strip_suffix(" kB")?.trim_end().parse().ok()
}

/// The cases that needed most.
#[derive(Default)]
pub(super) struct Costliest {
    slowest: Option<(Duration, String)>,
    largest: Option<(u64, String)>,
    unmeasured: usize,
}

impl Costliest {
    pub(super) fn note(&mut self, case: &str, cost: Cost) {
        if self
            .slowest
            .as_ref()
            .is_none_or(|(most, _)| cost.time > *most)
        {
            self.slowest = Some((cost.time, case.to_owned()));
        }
        match cost.memory {
            None => self.unmeasured += 1,
            Some(memory) => {
                if self.largest.as_ref().is_none_or(|(most, _)| memory > *most) {
                    self.largest = Some((memory, case.to_owned()));
                }
            }
        }
    }

    /// One line for each of the two.
    pub(super) fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        if let Some((time, case)) = &self.slowest {
            writeln!(out, "slowest case: {case} in {} ms", time.as_millis())?;
        }
        if let Some((memory, case)) = &self.largest {
            writeln!(out, "largest case: {case} with {memory} KiB")?;
        }
        if self.unmeasured > 0 {
            writeln!(
                out,
                "memory was not measured in {} cases: /proc/self/clear_refs cannot be written, \
                 or /proc/self/status does not tell the peak",
                self.unmeasured
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::print_stdout)]

    use super::*;
    use crate::samples::alone;

    /// Many small pieces, given back but for the last one: so the allocator keeps the room.
    fn hold(kib: usize) -> Option<Vec<u8>> {
        let pieces: Vec<Vec<u8>> = (0..kib).map(|_| vec![1; 1024]).collect();
        std::hint::black_box(pieces).pop()
    }

    #[test]
    fn what_a_case_holds_counts_also_if_an_earlier_case_held_it_before() {
        let _alone = alone();
        let mut meter = Meter::default();
        let (_, nothing) = meter.measure(|| ());
        let Some(idle) = nothing.memory else {
            println!("skipped: memory cannot be measured here");
            return;
        };
        assert!(idle < 8 * 1024, "{idle} KiB for nothing");
        let mut last = Vec::new();
        for _ in 0..3 {
            let (piece, cost) = meter.measure(|| hold(40 * 1024));
            last.push(piece);
            let memory = cost.memory.unwrap();
            assert!((40 * 1024..80 * 1024).contains(&memory), "{memory} KiB");
            assert!(matches!(
                Cost {
                    time: Duration::ZERO,
                    ..cost
                }
                .excess(LIMITS),
                Some(Excess::Memory(_))
            ));
        }
    }

    #[test]
    fn time_that_a_case_computes_counts() {
        let long = Duration::from_millis(5);
        let (_, cost) = Meter::default().measure(|| {
            let start = cpu_time();
            while cpu_time() - start <= long {}
        });
        let limits = Limits {
            time: long,
            ..LIMITS
        };
        assert_eq!(cost.excess(limits), Some(Excess::Time(cost.time)));
    }

    #[test]
    fn memory_that_is_not_measured_breaks_no_limit_but_is_told() {
        let cost = Cost {
            time: Duration::ZERO,
            memory: None,
        };
        assert_eq!(
            cost.excess(Limits {
                memory: 0,
                ..LIMITS
            }),
            None
        );
        let mut costliest = Costliest::default();
        costliest.note("a", cost);
        let mut told = Vec::new();
        costliest.write(&mut told).unwrap();
        let told = String::from_utf8(told).unwrap();
        assert!(
            told.contains("memory was not measured in 1 cases"),
            "{told}"
        );
    }
}
