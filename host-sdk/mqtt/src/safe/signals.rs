//! Signals belong to the process, and so to the host: no thread of a library takes any, and what the
//! host does with SIGPIPE stays as it is.
//!
//! paho relies on SIGPIPE being ignored, and sets it so for the whole process when its first client
//! is made. Here its threads block it instead, which has the same effect on their writes, and the
//! host's choice is put back. Called by the anchor, by the thread of a session, and by components
//! for threads of their own.

use std::mem::MaybeUninit;
use std::ptr;

/// What the system sends to a process as a whole, for any thread to take. Not those that a fault
/// raises (SIGSEGV, SIGABRT), nor those that runtimes send to one of their threads (SIGUSR2, SIGPWR,
/// SIGURG, the real-time ones): a host function that runs on the thread may need them.
const OF_THE_PROCESS: [libc::c_int; 8] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGPIPE,
    libc::SIGALRM,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGCHLD,
];

/// From now on this thread, and those that it starts, take no signal that is meant for the process:
/// handlers of the host run on threads of the host. A write to a closed connection is an error, never
/// a SIGPIPE.
pub fn leave_to_the_host() {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset makes the set whole; the mask is that of this thread only. None of these
    // calls fails for signals that exist.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in OF_THE_PROCESS {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut());
    }
}

/// Puts back, when it is dropped, what the process did with SIGPIPE before. Another thread that
/// changes it in between loses its change.
pub(crate) struct SigpipeKept(Option<libc::sigaction>);

impl SigpipeKept {
    pub(crate) fn now() -> Self {
        let mut action = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: a question; the answer is whole where it succeeds.
        SigpipeKept(unsafe {
            match libc::sigaction(libc::SIGPIPE, ptr::null(), action.as_mut_ptr()) {
                0 => Some(action.assume_init()),
                _ => None,
            }
        })
    }
}

impl Drop for SigpipeKept {
    fn drop(&mut self) {
        if let Some(action) = &self.0 {
            // SAFETY: what the system said a moment ago.
            unsafe { libc::sigaction(libc::SIGPIPE, action, ptr::null_mut()) };
        }
    }
}
