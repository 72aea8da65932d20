//! How long something takes, on a machine that has other things to do.
//!
//! A promise like "within 250 ms" is about what a program does, not about the load beside it: where
//! the machine gives it no processor, or the hypervisor gives the machine none, any program is late.
//! So what the machine withheld is taken off: the time in which threads of this process were ready to
//! run and not let, as the kernel counts it; or that by which a thread beside them was late that asks to
//! be woken every millisecond, which hears of a hypervisor, too. On a machine with time to spare both
//! are nothing. A twentieth of the time counts in any case, so that what hangs is seen on every
//! machine.
//!
//! It does not know what waits for a disk. Used by the trials, and by the tests of this project.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the thread asks to be woken.
const TICK: Duration = Duration::from_millis(1);
/// After so many of them it looks what the kernel counts, as nobody does once a thread has ended.
const LOOK: u32 = 16;
/// How late it may be woken on a machine with time to spare.
const USUAL: Duration = Duration::from_millis(1);
/// The part of the time that counts in any case: one of so many.
const LEAST: u32 = 20;

/// Runs from [`Stopwatch::start`] to [`Stopwatch::stop`], which may be on another thread.
#[derive(Debug)]
pub struct Stopwatch {
    begun: Instant,
    before: Delays,
    beside: Arc<Beside>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Beside {
    over: AtomicBool,
    /// By how much the thread was woken late, ns.
    withheld: AtomicU64,
    /// For how long each thread was not let, as seen last.
    delays: Mutex<Delays>,
}

/// By thread, ns.
type Delays = BTreeMap<OsString, u64>;

impl Stopwatch {
    /// From now on. Where no thread can be had, nothing will be taken off.
    pub fn start() -> Stopwatch {
        let beside = Arc::<Beside>::default();
        let own = Arc::clone(&beside);
        let (ready, begun) = channel();
        let thread = std::thread::Builder::new()
            .name("stopwatch".to_owned())
            .spawn(move || {
                let _ = ready.send(());
                own.tick();
            })
            .ok();
        // What it takes to start the thread is not measured.
        let _ = begun.recv();
        Stopwatch {
            before: delays(),
            begun: Instant::now(),
            beside,
            thread,
        }
    }

    /// The time since the start, less what the machine withheld.
    pub fn stop(mut self) -> Duration {
        let took = self.begun.elapsed();
        self.beside.look();
        self.end();
        let of_one = |(thread, delay): (OsString, u64)| {
            delay.saturating_sub(self.before.get(&thread).copied().unwrap_or_default())
        };
        let delays = std::mem::take(&mut *self.beside.lock());
        let counted: u64 = delays.into_iter().map(of_one).sum();
        let late = self.beside.withheld.load(Ordering::Relaxed);
        counts(took, Duration::from_nanos(counted.max(late)))
    }

    fn end(&mut self) {
        self.beside.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        self.end();
    }
}

impl Beside {
    fn lock(&self) -> MutexGuard<'_, Delays> {
        self.delays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that have ended stay as they were seen last.
    fn look(&self) {
        let now = delays();
        self.lock().extend(now);
    }

    fn tick(&self) {
        let mut last = Instant::now();
        for n in 1u32.. {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            if n % LOOK == 0 {
                self.look();
                last = Instant::now();
            }
            std::thread::park_timeout(TICK);
            let now = Instant::now();
            let late = (now - last).saturating_sub(TICK + USUAL);
            let late = u64::try_from(late.as_nanos()).unwrap_or(u64::MAX);
            self.withheld.fetch_add(late, Ordering::Relaxed);
            last = now;
        }
    }
}

/// For how long each thread of this process has been ready to run and was not let, ns: the second number
/// of its `schedstat` (Documentation/scheduler/sched-stats.rst of the kernel). Nothing where the
/// kernel does not count.
fn delays() -> Delays {
    let threads = std::fs::read_dir("/proc/self/task");
    let of_one = |entry: std::fs::DirEntry| {
        let text = std::fs::read_to_string(entry.path().join("schedstat")).ok()?;
        let delay = text.split_whitespace().nth(1)?.parse().ok()?;
        Some((entry.file_name(), delay))
    };
    threads
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(of_one)
        .collect()
}

/// What counts of `took` if so much of it was withheld.
fn counts(took: Duration, withheld: Duration) -> Duration {
    took.saturating_sub(withheld).max(took / LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_withheld_does_not_count_and_a_hang_always_does() {
        let ms = Duration::from_millis;
        assert_eq!(counts(ms(300), ms(0)), ms(300));
        assert_eq!(counts(ms(300), ms(200)), ms(100));
        assert_eq!(counts(ms(300), ms(400)), ms(15));
        assert_eq!(counts(ms(10_000), ms(10_000)), ms(500));
    }

    #[test]
    fn a_wait_counts_on_a_machine_with_time_to_spare() {
        const WAIT: Duration = Duration::from_millis(20);
        let until = Instant::now() + Duration::from_secs(60);
        // It has, for so long, some time or other.
        loop {
            let watch = Stopwatch::start();
            std::thread::park_timeout(WAIT);
            let counted = watch.stop();
            if counted > WAIT / 2 {
                return;
            }
            assert!(Instant::now() < until, "of {WAIT:?} {counted:?} count");
        }
    }
}
