//! The ports of a broker, held for as long as there is one: also before mosquitto listens, and while
//! it is dead and is to come back on them.
//!
//! mosquitto cannot be handed a socket. But whoever asks the kernel for any free port, or connects
//! from one, never gets one that a socket is bound to; and whoever asks for that very port, and says
//! that it may be shared (`SO_REUSEADDR`, as mosquitto does), gets it as long as nobody listens
//! there. So each port is bound by a socket of ours that does not listen.

use super::{BrokerError, DevicePorts};
use rustix::io::Errno;
use rustix::net::{self, sockopt, AddressFamily, SocketFlags, SocketType};
use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a broker of an earlier process may take to let go of a port.
const LET_GO: Duration = Duration::from_secs(2);

/// The numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) tls: u16,
    pub(super) mutual: u16,
    pub(super) plain: u16,
}

/// Keeps ports from being given to anybody else until all copies of it are dropped.
#[derive(Clone, Debug)]
pub struct Held {
    _sockets: Arc<[OwnedFd; 3]>,
}

/// Finds ports that nobody listens on, and holds them.
pub(super) fn hold(
    tls: Option<u16>,
    wish: Option<DevicePorts>,
) -> Result<(Ports, Held), BrokerError> {
    let no_port = |e: Errno| BrokerError::NoPort(e.into());
    let until = Instant::now() + LET_GO;
    let bind_or_any = |port: Option<u16>| loop {
        let Some(port) = port else { return bind(0) };
        match bind(port) {
            Ok(held) => return Ok(held),
            Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
            Err(_) => return bind(0),
        }
    };
    let (tls, tls_socket) = match tls {
        Some(port) => bind(port).map_err(|_| BrokerError::PortInUse { port })?,
        None => bind_or_any(wish.map(|w| w.tls)).map_err(no_port)?,
    };
    let (mutual, mutual_socket) = bind_or_any(wish.map(|w| w.mutual)).map_err(no_port)?;
    let (plain, plain_socket) = bind(0).map_err(no_port)?;
    let ports = Ports { tls, mutual, plain };
    let held = Held {
        _sockets: Arc::new([tls_socket, mutual_socket, plain_socket]),
    };
    Ok((ports, held))
}

/// A socket bound to that port of 127.0.0.1, 0 for any; it does not listen.
fn bind(port: u16) -> Result<(u16, OwnedFd), Errno> {
    let socket = net::socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], port)))?;
    let address = SocketAddrV4::try_from(net::getsockname(&socket)?)?;
    Ok((address.port(), socket))
}
