//! The listener and its thread.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::Router;
use thiserror::Error;
use tokio::sync::oneshot;

use super::answer::Refusal;
use super::guard::{stand, Guard};
use super::{console, services, Shared};
use crate::door::{Door, DoorError, Token};

/// How long a request that is under way when the gateway stops may still take.
const GRACE: Duration = Duration::from_secs(2);

/// Why there is no interface.
#[derive(Debug, Error)]
pub enum ServerError {
    /// Others could reach it, and nobody said that they may.
    #[error(
        "{0} can be reached by other hosts, and the interface is plain HTTP; \
         use a loopback address, or say --listen-beyond-loopback"
    )]
    NotLoopback(SocketAddr),
    /// The address is taken, or not of this machine.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The thread or its event loop does not start.
    #[error("the thread of the REST interface does not start")]
    Thread(#[source] io::Error),
    /// No token.
    #[error(transparent)]
    Door(#[from] DoorError),
}

/// A listener that is bound already, so that its address is known before anything starts.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Binds. Port 0 takes a free one.
    ///
    /// # Errors
    /// [`ServerError::NotLoopback`], [`ServerError::Listen`].
    pub fn new(address: SocketAddr, beyond_loopback: bool) -> Result<Bound, ServerError> {
        if !address.ip().is_loopback() && !beyond_loopback {
            return Err(ServerError::NotLoopback(address));
        }
        let failed = |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Bound { listener, address })
    }
}

/// A running interface.
#[derive(Debug)]
pub struct Server {
    door: Door,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts to answer.
    ///
    /// # Errors
    /// [`ServerError::Thread`], [`ServerError::Door`].
    pub fn start(bound: Bound, shared: Shared) -> Result<Server, ServerError> {
        let token = Token::random()?;
        let door = Door {
            url: format!("http://{}", bound.address),
            token: token.clone(),
        };
        let app = router(shared, Guard::new(bound.address, token));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(16)
            .build()
            .map_err(ServerError::Thread)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("rest".into())
            .spawn(move || {
                runtime.block_on(async move {
                    let listener = match tokio::net::TcpListener::from_std(bound.listener) {
                        Ok(listener) => listener,
                        Err(e) => return log::error!("the REST interface does not start: {e}"),
                    };
                    tokio::select! {
                        result = axum::serve(listener, app) => {
                            if let Err(e) = result {
                                log::error!("the REST interface ended: {e}");
                            }
                        }
                        // A dropped sender asks for the same.
                        _ = stopped => {}
                    }
                });
                runtime.shutdown_timeout(GRACE);
            })
            .map_err(ServerError::Thread)?;
        Ok(Server {
            door,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Address and token.
    #[must_use]
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// Stops to answer; streams end. Waits for a request that is under way, at most 2 s.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            if thread.join().is_err() {
                log::error!("the thread of the REST interface panicked");
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn router(shared: Shared, guard: Guard) -> Router {
    let absent = || async { Refusal::absent("there is no such resource") };
    let wrong = || async {
        Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "the resource does not know this method",
        )
    };
    Router::new()
        .nest("/services", services())
        .merge(console::routes())
        .fallback(absent)
        .method_not_allowed_fallback(wrong)
        .with_state(shared)
        .layer(from_fn_with_state(guard, stand))
}
