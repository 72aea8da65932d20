//! A program at a terminal, as a person has it: a pseudo-terminal for all three streams.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError};
use std::time::Instant;

use rustix::process::{kill_process, Pid, Signal};
use rustix::pty::{grantpt, ioctl_tiocgptpeer, openpt, unlockpt, OpenptFlags};
use rustix::termios::{tcgetattr, tcsetwinsize, LocalModes, Winsize};

use super::DEADLINE;

/// The program and what it has written; killed when dropped.
pub struct Terminal {
    child: Child,
    keyboard: File,
    /// The program's side, kept open so that its settings can be asked for after the program ended.
    screen: OwnedFd,
    written: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Terminal {
    /// Starts the program on 24 rows of 80 columns; `term` is what TERM says, if anything.
    pub fn start(command: &mut Command, term: Option<&str>) -> Terminal {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let keyboard = openpt(flags).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let screen = ioctl_tiocgptpeer(&keyboard, flags).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&screen, size).unwrap();
        command
            .env_remove("TERM")
            .env_remove("NO_COLOR")
            .envs(term.map(|term| ("TERM", term)))
            .stdin(screen.try_clone().unwrap())
            .stdout(screen.try_clone().unwrap())
            .stderr(screen.try_clone().unwrap());
        let child = command.spawn().unwrap();
        // The command holds its copies of the terminal; they are not needed any more.
        *command = Command::new("true");
        let keyboard = File::from(keyboard);
        let mut reading = keyboard.try_clone().unwrap();
        let (sender, written) = channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = reading.read(&mut chunk) {
                if sender.send(chunk[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal {
            child,
            keyboard,
            screen,
            written,
            seen: Vec::new(),
        }
    }

    /// What was written so far.
    pub fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Waits until `text` was written, at most [`DEADLINE`].
    pub fn wait_for(&mut self, text: &str) {
        self.wait_until(text, |seen| seen.contains(text));
    }

    /// Waits until `wanted` holds for what was written; `what` says it if it does not come.
    pub fn wait_until(&mut self, what: &str, wanted: impl Fn(&str) -> bool) {
        let end = Instant::now() + DEADLINE;
        while !wanted(&self.seen()) {
            let left = end.saturating_duration_since(Instant::now());
            match self.written.recv_timeout(left) {
                Ok(chunk) => self.seen.extend(chunk),
                Err(RecvTimeoutError::Timeout) | Err(RecvTimeoutError::Disconnected) => {
                    panic!("no {what:?} on the terminal, but: {:?}", self.seen())
                }
            }
        }
    }

    /// Types.
    pub fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// Whether what is typed can be seen.
    pub fn echoes(&self) -> bool {
        tcgetattr(&self.screen)
            .unwrap()
            .local_modes
            .contains(LocalModes::ECHO)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end, at most [`DEADLINE`], and takes in what was written until then.
    pub fn ended(&mut self) -> ExitStatus {
        let pid = Pid::from_child(&self.child);
        let (done, waiting) = channel::<()>();
        let guard = std::thread::spawn(move || {
            if waiting.recv_timeout(DEADLINE) == Err(RecvTimeoutError::Timeout) {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        let status = self.child.wait().unwrap();
        drop(done);
        guard.join().unwrap();
        // The marker comes after all that the program wrote.
        let mut screen = File::from(self.screen.try_clone().unwrap());
        screen.write_all(b"\0END\0").unwrap();
        self.wait_for("\0END\0");
        status
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
