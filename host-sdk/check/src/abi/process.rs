//! Processes by their number: what `std::process` has no words for.

use std::mem::MaybeUninit;
use std::ptr;

/// Ends every process of the group that `leader` leads.
pub(crate) fn kill_group(leader: u32) {
    if let Ok(group) = i32::try_from(leader) {
        if group > 1 {
            // SAFETY: a question to the system; the group is that of a child of ours.
            unsafe { libc::kill(-group, libc::SIGKILL) };
        }
    }
}

/// Returns when the child has ended, or is none any more. It can still be waited for: until then
/// its number is not given to another one.
pub(crate) fn wait_for_end(child: u32) {
    loop {
        let mut about = MaybeUninit::<libc::siginfo_t>::uninit();
        let how = libc::WEXITED | libc::WNOWAIT;
        // SAFETY: about is ours to write, and is not read.
        let result = unsafe { libc::waitid(libc::P_PID, child, about.as_mut_ptr(), how) };
        let error = std::io::Error::last_os_error();
        if result == 0 || error.kind() != std::io::ErrorKind::Interrupted {
            return;
        }
    }
}

/// From now on this process is killed when the thread that started it ends.
pub(crate) fn end_with_parent() {
    // SAFETY: plain values.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong) };
}

/// Whether this process has children, ended ones that nobody waited for included.
pub(crate) fn has_children() -> bool {
    // SAFETY: no status is asked for.
    unsafe { libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG) >= 0 }
}

/// Ends this process, and runs nothing more of what is in it.
pub(crate) fn end_at_once() -> ! {
    // SAFETY: does not return.
    unsafe { libc::_exit(0) }
}
