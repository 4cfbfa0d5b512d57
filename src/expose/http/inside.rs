//! A way to the server from within its process: no address, no port and no file, so nobody else can take it.

use std::io;

use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;

/// Bytes that one side may write before the other reads.
const BUFFER_BYTES: usize = 64 * 1024;
/// Connections that wait to be accepted.
const QUEUE_MAX: usize = 16;

/// The server's end, at which connections arrive.
#[derive(Debug)]
pub struct Door(mpsc::Receiver<DuplexStream>);

/// The other end, which makes connections.
#[derive(Clone, Debug)]
pub struct Knocker(mpsc::Sender<DuplexStream>);

/// Makes both ends.
#[must_use]
pub fn inside() -> (Knocker, Door) {
    let (knock, hear) = mpsc::channel(QUEUE_MAX);
    (Knocker(knock), Door(hear))
}

impl Knocker {
    /// Connects; fails once the server has ended.
    pub async fn connect(&self) -> io::Result<DuplexStream> {
        let (near, far) = duplex(BUFFER_BYTES);
        self.0.send(far).await.map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(near)
    }
}

impl Door {
    /// The next connection. Once nobody can knock any more, none comes.
    pub(super) async fn accept(&mut self) -> DuplexStream {
        match self.0.recv().await {
            Some(stream) => stream,
            None => std::future::pending().await,
        }
    }
}
