//! Which points there are, and trying them, several at a time.

use std::fmt::{self, Display};
use std::sync::Mutex;

use crate::gateway::Interference;

/// So many gateways run at a time.
pub const WORKERS: usize = 4;
/// So many points are tried, about, without `KILL_ALL=1`.
pub const SAMPLE: usize = 14;

/// One way in which a run is interfered with.
#[derive(Clone, Debug)]
pub struct Point {
    /// Number of the operation, 1 for the first.
    pub at: usize,
    /// What happens there.
    pub what: Interference,
    /// What it was when it was recorded.
    pub name: String,
}

impl Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Point { at, what, name } = self;
        write!(f, "{what:?} at operation {at}, {name}")
    }
}

/// All of them with `KILL_ALL=1` or among the long tests, else every k-th, so that there are about so many.
pub fn sample<T>(all: Vec<T>, about: usize) -> Vec<T> {
    let is_set = |name| std::env::var(name).is_ok_and(|all| all == "1");
    let every = match is_set("KILL_ALL") || is_set("GWC_LONG_TESTS") {
        true => 1,
        // No multiple of 2 or 3, so that all ways of an operation have their turn.
        false => (all.len().div_ceil(about)..)
            .find(|every| every % 2 != 0 && every % 3 != 0)
            .unwrap_or(1),
    };
    println!("{} points, every {every}. is tried", all.len());
    all.into_iter().step_by(every).collect()
}

/// Does something with each, several at a time.
pub fn in_parallel<T: Send>(all: Vec<T>, each: impl Fn(T) + Sync) {
    by(WORKERS, all, each);
}

/// Does something with each, so many at a time.
pub fn by<T: Send>(workers: usize, all: Vec<T>, each: impl Fn(T) + Sync) {
    let queue = Mutex::new(all.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| loop {
                let next = queue.lock().unwrap().next();
                let Some(one) = next else { break };
                each(one);
            });
        }
    });
}
