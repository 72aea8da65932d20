//! Notices what components may be waiting for: an interface, address or route that comes or goes,
//! and a step of the clock.
//!
//! The kernel tells of both: rtnetlink(7) of the network, and a timer that is cancelled when the
//! time is set (`TFD_TIMER_CANCEL_ON_SET`, timerfd_create(2)) of the clock. What it was in detail
//! does not matter here and is not read: whoever is told looks anew. Bursts are one notice, and at
//! most one in [`PAUSE`] is given. Where the kernel refuses one of them, as in some sandboxes, the
//! log says so and components find out by looking, as often as they do without this.
//!
//! The framework starts it, and has the control thread tell the components.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{eventfd, poll, EventfdFlags, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{self, netlink::SocketAddrNetlink, AddressFamily, SocketFlags, SocketType};
use rustix::time::{
    timerfd_create, timerfd_settime, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags,
};

/// Between two notices.
pub const PAUSE: Duration = Duration::from_millis(500);

/// Multicast groups of rtnetlink(7), `linux/rtnetlink.h`: links, addresses and routes of IPv4 and
/// IPv6 (`RTMGRP_LINK`, `_IPV4_IFADDR`, `_IPV4_ROUTE`, `_IPV6_IFADDR`, `_IPV6_ROUTE`).
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// Watches until dropped, which takes no longer than the notice under way.
#[derive(Debug)]
pub struct Changes {
    stop: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Changes {
    /// Watches on a thread of its own, and calls `notice` there, which must not block.
    ///
    /// # Errors
    /// No descriptor or no thread is to be had.
    pub fn start(notice: impl FnMut() + Send + 'static) -> io::Result<Changes> {
        let source = |what: &str, opened: rustix::io::Result<Source>| {
            opened
                .inspect_err(|e| log::warn!("changes of {what} are not noticed at once: {e}"))
                .ok()
        };
        let sources = [
            source("the network", network().map(Source::Network)),
            source("the clock", clock().map(Source::Clock)),
        ];
        Self::of(sources.into_iter().flatten().collect(), notice)
    }

    fn of(sources: Vec<Source>, notice: impl FnMut() + Send + 'static) -> io::Result<Changes> {
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let mut watcher = Watcher {
            sources,
            stop: stop.try_clone()?,
            noticed: None,
            due: false,
            notice,
        };
        let thread = thread::Builder::new()
            .name("gwc-changes".to_owned())
            .spawn(move || watcher.run())?;
        Ok(Changes {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        if let Err(e) = rustix::io::write(self.stop.as_fd(), &1u64.to_ne_bytes()) {
            log::error!("the watch of network and clock cannot be stopped: {e}");
            return;
        }
        if let Some(thread) = self.thread.take() {
            if thread.join().is_err() {
                log::error!("the watch of network and clock panicked");
            }
        }
    }
}

/// A socket that hears of links, addresses and routes.
fn network() -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    net::bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
    Ok(socket)
}

/// A timer that is cancelled by a step of the clock.
fn clock() -> rustix::io::Result<OwnedFd> {
    let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
    let timer = timerfd_create(TimerfdClockId::Realtime, flags)?;
    arm(&timer)?;
    Ok(timer)
}

/// Sets the timer to a moment that no clock reaches (2^62 s), for its cancellation alone.
fn arm(timer: &OwnedFd) -> rustix::io::Result<()> {
    let zero = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let never = Itimerspec {
        it_interval: zero,
        it_value: Timespec {
            tv_sec: 1 << 62,
            tv_nsec: 0,
        },
    };
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    timerfd_settime(timer, flags, &never).map(drop)
}

/// What wakes the watch.
#[derive(Debug)]
enum Source {
    Network(OwnedFd),
    Clock(OwnedFd),
}

impl Source {
    fn descriptor(&self) -> &OwnedFd {
        match self {
            Source::Network(descriptor) | Source::Clock(descriptor) => descriptor,
        }
    }

    /// Takes what is there; false if there will never be anything again.
    fn clear(&self) -> bool {
        // Longer messages are cut, as nobody reads them.
        let mut buffer = [0u8; 4096];
        loop {
            match rustix::io::read(self.descriptor(), &mut buffer) {
                Err(Errno::AGAIN) => return true,
                Err(Errno::INTR) => {}
                Ok(0) => return false,
                Ok(_) => {}
                // More happened than the socket could hold: noticed all the same.
                Err(Errno::NOBUFS) if matches!(self, Source::Network(_)) => {}
                // The clock was set; the timer goes on, and is told of the next time only once it
                // is set again.
                Err(Errno::CANCELED) if matches!(self, Source::Clock(_)) => {
                    return arm(self.descriptor()).is_ok();
                }
                Err(e) => {
                    log::warn!("a change of network or clock cannot be read: {e}");
                    return false;
                }
            }
        }
    }
}

struct Watcher<N> {
    sources: Vec<Source>,
    stop: OwnedFd,
    /// When the last notice was given.
    noticed: Option<Instant>,
    /// Something happened since.
    due: bool,
    notice: N,
}

impl<N: FnMut()> Watcher<N> {
    fn run(&mut self) {
        while !self.sleep() {
            if self.due && self.rest().is_zero() {
                self.due = false;
                self.noticed = Some(Instant::now());
                (self.notice)();
            }
        }
    }

    /// How long until the next notice may be given.
    fn rest(&self) -> Duration {
        self.noticed
            .map_or(Duration::ZERO, |at| PAUSE.saturating_sub(at.elapsed()))
    }

    /// Waits until something happens or a notice is due; true means stop.
    fn sleep(&mut self) -> bool {
        let rest = self.rest();
        let wait = self.due.then(|| Timespec {
            tv_sec: 0,
            tv_nsec: rest.subsec_nanos().into(),
        });
        let mut descriptors = vec![PollFd::new(&self.stop, PollFlags::IN)];
        descriptors.extend(
            self.sources
                .iter()
                .map(|source| PollFd::new(source.descriptor(), PollFlags::IN)),
        );
        // An interruption means looking once more, which does no harm.
        let _ = poll(&mut descriptors, wait.as_ref());
        let mut woken = descriptors.iter().map(|d| !d.revents().is_empty());
        if woken.next().unwrap_or(true) {
            return true;
        }
        let woken: Vec<bool> = woken.collect();
        drop(descriptors);
        self.due |= woken.contains(&true);
        let mut woken = woken.into_iter();
        self.sources
            .retain(|source| !woken.next().unwrap_or(false) || source.clear());
        false
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc;

    use rustix::pipe::{pipe_with, PipeFlags};

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn pipe() -> (OwnedFd, OwnedFd) {
        pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap()
    }

    fn happens(pipe: &OwnedFd) {
        rustix::io::write(pipe, b"x").unwrap();
    }

    #[test]
    fn the_first_change_is_told_at_once_and_a_burst_once_more_after_a_pause() {
        let (reader, writer) = pipe();
        let (sender, notices) = mpsc::channel();
        let changes = Changes::of(vec![Source::Network(reader)], move || {
            sender.send(Instant::now()).unwrap();
        })
        .unwrap();
        happens(&writer);
        let first = notices.recv_timeout(SOON).unwrap();
        for _ in 0..100 {
            happens(&writer);
        }
        let second = notices.recv_timeout(SOON).unwrap();
        assert!(second - first >= PAUSE, "{:?}", second - first);
        // All of the burst is in it, unless this thread was held up for as long as a pause.
        if first.elapsed() < PAUSE * 2 {
            assert!(notices.recv_timeout(PAUSE * 2).is_err(), "a third notice");
        }
        drop(changes);
    }

    #[test]
    fn each_source_wakes_it_and_one_that_ends_is_left_out() {
        let ((network, writer), (clock, setter)) = (pipe(), pipe());
        let (sender, notices) = mpsc::channel();
        let sources = vec![Source::Network(network), Source::Clock(clock)];
        let changes = Changes::of(sources, move || sender.send(()).unwrap()).unwrap();
        happens(&setter);
        notices.recv_timeout(SOON).unwrap();
        drop(writer);
        notices.recv_timeout(SOON).unwrap();
        happens(&setter);
        notices.recv_timeout(SOON).unwrap();
        // A source that has ended, and so stays ready for ever, wakes nobody again.
        assert!(notices.recv_timeout(PAUSE * 2).is_err());
        drop(changes);
    }

    #[test]
    fn it_stops_at_once_also_in_the_pause() {
        let (reader, writer) = pipe();
        let (sender, notices) = mpsc::channel();
        let changes = Changes::of(vec![Source::Network(reader)], move || {
            sender.send(()).unwrap();
        })
        .unwrap();
        happens(&writer);
        notices.recv_timeout(SOON).unwrap();
        happens(&writer);
        let began = Instant::now();
        drop(changes);
        assert!(began.elapsed() < Duration::from_millis(250));
    }

    /// A test cannot set the clock; but that the kernel takes the timer, and that it does not fire
    /// by itself, can be seen.
    #[test]
    fn the_kernel_takes_the_timer_and_it_never_fires_by_itself() {
        let timer = clock().unwrap();
        let left = rustix::time::timerfd_gettime(&timer).unwrap().it_value;
        assert!(left.tv_sec > 1_000_000_000, "{left:?}");
        let mut buffer = [0u8; 8];
        assert_eq!(
            rustix::io::read(&timer, &mut buffer).unwrap_err(),
            Errno::AGAIN
        );
        network().unwrap();
    }
}
