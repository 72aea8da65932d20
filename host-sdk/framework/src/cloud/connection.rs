//! The handle of one cloud connection, whose thread is the [`Actor`].

use std::sync::mpsc::{channel, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::actor::{Actor, Command, LONGEST_QUIESCE};
use super::stack::Stack;
use super::{ConnectionInfo, Surroundings};

/// The handle of a connection. Dropping it disconnects in good order and ends the thread.
pub(super) struct Connection {
    info: Arc<Mutex<ConnectionInfo>>,
    commands: Sender<Command>,
    thread: Option<JoinHandle<()>>,
}

impl Connection {
    pub(super) fn start(
        stack: &Stack,
        surroundings: Arc<Surroundings>,
    ) -> std::io::Result<Connection> {
        let (commands, receiver) = channel();
        let info = Arc::new(Mutex::new(ConnectionInfo::new(stack)));
        let actor = Actor::new(
            stack.clone(),
            surroundings,
            Arc::clone(&info),
            commands.clone(),
        );
        let thread = thread::Builder::new()
            .name("gwc-cloud".to_owned())
            .spawn(move || actor.run(&receiver))?;
        Ok(Connection {
            info,
            commands,
            thread: Some(thread),
        })
    }

    pub(super) fn info(&self) -> ConnectionInfo {
        self.info
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Its configuration, or a keystore, may have changed.
    pub(super) fn reload(&self) {
        let _ = self.commands.send(Command::Reload);
    }

    pub(super) fn connect(&self, transaction: &str) {
        let _ = self.commands.send(Command::Connect(transaction.to_owned()));
    }

    /// Ends the hold.
    pub(super) fn release(&self) {
        let _ = self.commands.send(Command::Release);
    }

    /// Returns once it is disconnected; to be called without a lock.
    pub(super) fn disconnect(&self) -> impl FnOnce() + 'static {
        self.ended(Command::Disconnect)
    }

    /// As [`disconnect`](Self::disconnect), and held.
    pub(super) fn hold(&self) -> impl FnOnce() + 'static {
        self.ended(Command::Hold)
    }

    fn ended(&self, command: fn(Sender<()>) -> Command) -> impl FnOnce() + 'static {
        let (done, wait) = channel();
        let _ = self.commands.send(command(done));
        // An actor that has ended has dropped the sender.
        move || {
            let _ = wait.recv_timeout(LONGEST_QUIESCE * 2);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            if thread.join().is_err() {
                log::error!("the thread of a cloud connection panicked");
            }
        }
    }
}
