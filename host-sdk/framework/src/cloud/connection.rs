//! The handle of one cloud connection, whose thread is the [`Actor`].

use std::sync::mpsc::{channel, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::actor::{Actor, Command};
use super::ending::{Done, Ending};
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

    /// To be waited for without a lock.
    pub(super) fn disconnect(&self) -> Ending {
        self.ended(Command::Disconnect)
    }

    /// As [`disconnect`](Self::disconnect), and held.
    pub(super) fn hold(&self) -> Ending {
        self.ended(Command::Hold)
    }

    fn ended(&self, command: fn(Done) -> Command) -> Ending {
        let (ending, done) = Ending::new();
        // An actor that has ended drops it.
        let _ = self.commands.send(command(done));
        ending
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
