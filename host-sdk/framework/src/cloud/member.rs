//! `gwc.cloud-connection/1`: the connection of one component, found by the suffix they share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::status;

use super::ending::Ending;
use super::stack::Stack;
use super::{Connections, LONGEST_ENDING};
use crate::component::services::{CloudConnectionService, ConnectionView};

/// The connection that a component belongs to.
pub struct Member {
    connections: Arc<Connections>,
    pid: String,
    waiting: Mutex<Waiting>,
}

/// Whether calls of the component may wait, and what they wait for.
#[derive(Default)]
struct Waiting {
    hurry: bool,
    endings: Vec<Ending>,
}

impl Member {
    /// For the component of that pid. There may be no connection yet.
    pub fn new(connections: Arc<Connections>, pid: &str) -> Member {
        Member {
            connections,
            pid: pid.to_owned(),
            waiting: Mutex::default(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cloud(&self) -> Result<String, CallError> {
        Stack::of_member(&self.pid)
            .map(|stack| stack.cloud)
            .ok_or_else(|| {
                CallError::new(
                    status::E_NOT_FOUND,
                    "connection.unknown",
                    format!("{} belongs to no cloud connection", self.pid),
                )
            })
    }
}

impl CloudConnectionService for Member {
    fn describe(&self) -> Result<ConnectionView, CallError> {
        let info = self.connections.info(&self.cloud()?)?;
        Ok(ConnectionView {
            state: info.state,
            pid: info.pid,
            data_pid: info.data_pid,
            transport_pid: info.transport_pid,
            last_error: info.last_error.unwrap_or_default(),
        })
    }

    fn disconnect(&self) -> Result<(), CallError> {
        let ending = self.connections.hold(&self.cloud()?)?;
        {
            let mut waiting = self.waiting();
            if waiting.hurry {
                return Ok(());
            }
            waiting.endings.push(ending.clone());
        }
        ending.wait(LONGEST_ENDING);
        self.waiting().endings.retain(|other| !other.is(&ending));
        Ok(())
    }

    fn connect(&self, transaction: &str) -> Result<(), CallError> {
        if transaction.len() > 255 || transaction.chars().any(char::is_control) {
            return Err(CallError::new(
                status::E_INVALID,
                "host.misuse",
                "the transaction is longer than 255 bytes or holds control characters",
            ));
        }
        self.connections.release(&self.cloud()?, Some(transaction))
    }

    fn release(&self) -> Result<(), CallError> {
        self.connections.release(&self.cloud()?, None)
    }

    fn may_wait(&self, may: bool) {
        let mut waiting = self.waiting();
        waiting.hurry = !may;
        if waiting.hurry {
            waiting
                .endings
                .drain(..)
                .for_each(|ending| ending.give_up());
        }
    }
}
