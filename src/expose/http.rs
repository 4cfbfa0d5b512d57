//! The HTTP server: listeners in, answers out, within limits of number and time.
//!
//! When every place for a connection is taken, see [`places`] for who goes. Deliberately without TLS and
//! authentication: the default address is local, and a proxy does both better.

mod inside;
mod places;
mod stall;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt;

pub use self::inside::{Door, Knocker, inside};
use self::places::{Place, Places};
use self::stall::Stalling;
use super::routes::router;
use super::{AppState, drained};
use crate::source::inlet::Peer;

/// The most connections at a time, on all listeners together.
pub const CONNECTIONS_MAX: usize = 256;
/// Connections that the kernel holds until they are accepted. When it has more, a client is kept waiting for a second.
pub const QUEUE_MAX: u32 = 4096;
/// How long a client may take for a request's head, the wait between two requests included.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// The largest head of a request, in bytes.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How long a client may take no byte of an answer.
pub const WRITE_STALL_MAX: Duration = Duration::from_secs(30);
/// How long open requests may take to end when the server does.
pub const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);
/// How long to wait when no connection can be accepted, because the process has too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why an address can't be listened on.
#[derive(Debug)]
pub struct BindError {
    address: SocketAddr,
    error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, error } = self;
        write!(f, "can't listen on {address}: ")?;
        #[expect(clippy::wildcard_enum_match_arm, reason = "the standard library's list grows")]
        match error.kind() {
            io::ErrorKind::AddrInUse => f.write_str(
                "the address is in use by another process. Stop that one, or give another address in `web.listen`",
            ),
            io::ErrorKind::AddrNotAvailable => {
                f.write_str("this machine has no such address. Give one of its own in `web.listen`, or 0.0.0.0 for all")
            }
            io::ErrorKind::PermissionDenied => {
                f.write_str("permission denied. Give a port above 1023 in `web.listen`, or the right to use lower ones")
            }
            _ => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Listens on an address; within a runtime.
pub fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // As the usual way to listen has it: connections of a server that has ended keep nobody out.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(QUEUE_MAX)
    };
    listen().map_err(|error| BindError { address, error })
}

/// Where connections come in.
#[derive(Debug)]
pub enum Listener {
    /// At an address.
    Address(TcpListener),
    /// From within this process.
    Inside(Door),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::Address(listener)
    }
}

/// What can be accepted from.
trait Accept: Send + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection, and the address that it comes from.
    fn next(&mut self) -> impl Future<Output = io::Result<(Self::Stream, Option<SocketAddr>)>> + Send;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn next(&mut self) -> io::Result<(TcpStream, Option<SocketAddr>)> {
        let (stream, peer) = self.accept().await?;
        // An answer goes out in one piece; without this, its last part could wait for the client's acknowledgement.
        _ = stream.set_nodelay(true);
        Ok((stream, Some(peer)))
    }
}

impl Accept for Door {
    type Stream = DuplexStream;

    async fn next(&mut self) -> io::Result<(DuplexStream, Option<SocketAddr>)> {
        Ok((self.accept().await, None))
    }
}

/// Serves until `shutdown` ends, then lets open requests end, for up to [`DRAIN_TIME_MAX`].
pub async fn serve(listeners: Vec<Listener>, state: AppState, shutdown: impl Future<Output = ()>) {
    let draining = state.draining.clone();
    let (router, places) = (router(state), Places::new(CONNECTIONS_MAX));
    let mut loops = JoinSet::new();
    for listener in listeners {
        let (router, places, draining) = (router.clone(), Arc::clone(&places), draining.subscribe());
        match listener {
            Listener::Address(listener) => loops.spawn(accept(listener, router, places, draining)),
            Listener::Inside(door) => loops.spawn(accept(door, router, places, draining)),
        };
    }
    shutdown.await;
    draining.send_replace(true);
    while loops.join_next().await.is_some() {}
}

async fn accept<L: Accept>(mut listener: L, router: Router, places: Arc<Places>, mut draining: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let mut failing = false;
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = accept_one(&mut listener, &places) => accepted,
            () = drained(&mut draining) => break,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                failing = false;
                connections.spawn(converse(stream, peer, place, router.clone(), draining.clone()));
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "No connection can be accepted; trying again.");
                }
                failing = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_TIME_MAX, ended).await.is_err() {
        connections.shutdown().await;
    }
}

/// Accepts a connection and finds a place for it; what comes meanwhile stays in the kernel's queue.
async fn accept_one<L: Accept>(
    listener: &mut L,
    places: &Arc<Places>,
) -> io::Result<(L::Stream, Option<SocketAddr>, Place)> {
    let (stream, peer) = listener.next().await?;
    let place = places.take().await.ok_or(io::ErrorKind::NotConnected)?;
    Ok((stream, peer, place))
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: Option<SocketAddr>,
    place: Place,
    router: Router,
    mut draining: watch::Receiver<bool>,
) {
    let (patience, own) = (place.patience.clone(), Peer { address: peer, patience: place.patience.clone() });
    let router = tower::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(own.clone());
        patience.waits(false);
        let (router, patience) = (router.clone(), patience.clone());
        async move {
            let answer = router.oneshot(request).await;
            patience.waits(true);
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(Stalling::new(stream, WRITE_STALL_MAX)), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = place.given_up() => {
            tracing::debug!("A connection gave its place to another one.");
            return;
        }
        () = drained(&mut draining) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "A connection ended early.");
    }
    drop(place);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_in_use_is_named_with_what_to_do() {
        let first = bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = first.local_addr().expect("its address");
        let error = bind(address).expect_err("in use").to_string();
        let expected = format!(
            "can't listen on {address}: the address is in use by another process. Stop that one, or give another address in `web.listen`"
        );
        assert_eq!(error, expected);
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_named_with_what_to_do() {
        let error = bind(SocketAddr::from(([192, 0, 2, 1], 0))).expect_err("not here").to_string();
        assert!(error.contains("this machine has no such address"), "{error}");
    }
}
