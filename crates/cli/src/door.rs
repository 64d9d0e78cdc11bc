//! Where connections come in, so many at a time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// After a connection that could not be accepted, as for want of open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener with places for connections; those that find none wait in the system's backlog.
#[derive(Debug)]
pub(crate) struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

/// A connection's place; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Door {
    /// A door with so many places.
    pub(crate) fn new(listener: TcpListener, places: usize) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))) }
    }

    /// The next connection, once there is a place for it. One that cannot be accepted is logged, and the next one
    /// waited for.
    pub(crate) async fn next(&self) -> (TcpStream, SocketAddr, Place) {
        // Nobody closes the semaphore.
        let place = Place { _permit: Arc::clone(&self.places).acquire_owned().await.ok() };
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => return (stream, peer, place),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Closes the door; whoever is in stays, and keeps its place in what this answers.
    pub(crate) fn close(self) -> Arc<Semaphore> {
        self.places
    }
}
