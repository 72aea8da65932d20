//! SIGINT, SIGTERM and SIGHUP as messages, so that the gateway can clean up before it ends.
//!
//! A second signal of the kind ends the process at once, as without this.

use std::io;
use std::thread::JoinHandle;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

/// Listens until dropped.
#[derive(Debug)]
pub struct Watch {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Calls `caught` with the number of the first signal, on a thread of its own.
    ///
    /// # Errors
    /// The system refuses the handler or the thread.
    pub fn start(caught: impl FnOnce(i32) + Send + 'static) -> io::Result<Watch> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let handle = signals.handle();
        let thread = std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                let mut caught = Some(caught);
                for signal in signals.forever() {
                    match caught.take() {
                        Some(caught) => caught(signal),
                        None => {
                            // What the signal would have done; it does not return.
                            let _ = signal_hook::low_level::emulate_default_handler(signal);
                        }
                    }
                }
            })?;
        Ok(Watch {
            handle,
            thread: Some(thread),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            if thread.join().is_err() {
                log::error!("the thread of the signals panicked");
            }
        }
    }
}
