//! A listening port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::accepted::Accepted;
use super::backoff::Backoff;
use super::options::Options;
use super::permits::FairPermits;
use super::tcp;
use super::tls::{Certificate, TlsError};

/// TLS handshakes are shared by so many networks at least.
const NETWORKS: usize = 4;

/// Why a listener cannot be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address is taken, not ours, or not permitted.
    #[error("cannot listen on {address}: {reason}")]
    Address {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system says.
        reason: io::Error,
    },
    /// Its certificate cannot be served.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// An open port. It only takes connections in; [`Accepted::establish`] does everything that a peer could delay.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    local: SocketAddr,
    door: Arc<Door>,
    backoff: Backoff,
    /// Nothing is accepted before this.
    resume: Option<Instant>,
}

/// What a listener shares with the connections that come through it.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) options: Options,
    pub(super) certificate: Option<Certificate>,
    /// Whether pages must come from the port that they connect to.
    pub(super) same_port: AtomicBool,
    /// One permit per TLS handshake that may run.
    pub(super) handshakes: FairPermits,
}

impl Listener {
    /// Opens the port and reads the certificate. Called within a tokio runtime.
    pub fn bind(options: Options) -> Result<Listener, BindError> {
        let certificate = options.tls.clone().map(Certificate::load).transpose()?;
        let address = options.address;
        let opened = tcp::listen(address, options.backlog).and_then(|socket| Ok((socket.local_addr()?, socket)));
        let (local, socket) = opened.map_err(|reason| BindError::Address { address, reason })?;
        let handshakes = FairPermits::new(options.tls_handshakes, options.tls_handshakes / NETWORKS);
        let same_port = AtomicBool::new(options.same_port);
        let door = Arc::new(Door { options, certificate, same_port, handshakes });
        Ok(Listener { socket, local, door, backoff: Backoff::default(), resume: None })
    }

    /// Where it listens, with the port that was taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// What it was told.
    pub fn options(&self) -> &Options {
        &self.door.options
    }

    /// The next connection. May be dropped while it waits, and called again.
    ///
    /// A peer that is gone before it is taken in is skipped. When the system has no descriptor or no memory left, it
    /// waits from 10 ms up to 1 s between attempts instead of spinning, and says so once.
    ///
    /// # Errors
    /// When the listening socket itself is broken; calling again will not help.
    pub async fn accept(&mut self) -> io::Result<Accepted> {
        loop {
            if let Some(resume) = self.resume {
                tokio::time::sleep_until(resume).await;
                self.resume = None;
            }
            match self.socket.accept().await {
                Ok((socket, address)) => {
                    self.backoff.reset();
                    return Ok(Accepted::new(socket, address, Arc::clone(&self.door)));
                }
                Err(error) => match Trouble::of(&error) {
                    Trouble::Passing => {}
                    Trouble::Exhausted => self.pause(&error),
                    Trouble::Broken => return Err(error),
                },
            }
        }
    }

    /// What reads the certificate again while the listener is at work elsewhere.
    pub fn reloader(&self) -> Reloader {
        Reloader(Arc::clone(&self.door))
    }

    /// Reads the certificate's files again. New handshakes get the new certificate; on failure the old one stays.
    /// Without TLS it does nothing.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.door.certificate.as_ref().map_or(Ok(()), Certificate::reload)
    }

    #[expect(clippy::disallowed_methods, reason = "the accept loop has to wait for descriptors")]
    fn pause(&mut self, error: &io::Error) {
        if !self.backoff.is_growing() {
            tracing::warn!(local = %self.local, %error, "no connection can be accepted now, new ones wait");
        }
        self.resume = Some(Instant::now() + self.backoff.grow());
    }
}

/// What can change about a listener while it is at work elsewhere.
#[derive(Clone, Debug)]
pub struct Reloader(Arc<Door>);

impl Reloader {
    /// As [`Listener::reload`].
    pub fn reload(&self) -> Result<(), TlsError> {
        self.0.certificate.as_ref().map_or(Ok(()), Certificate::reload)
    }

    /// Whether pages must from now on come from the port that they connect to.
    pub fn demand_same_port(&self, demand: bool) {
        self.0.same_port.store(demand, Ordering::Relaxed);
    }
}

/// What an error of `accept` means for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It concerned one connection, which is gone.
    Passing,
    /// It concerns all of them until something is given back.
    Exhausted,
    /// The socket cannot accept at all.
    Broken,
}

impl Trouble {
    pub(super) fn of(error: &io::Error) -> Trouble {
        match Errno::from_io_error(error) {
            Some(
                Errno::CONNABORTED
                | Errno::CONNRESET
                | Errno::INTR
                | Errno::PROTO
                | Errno::PERM
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::HOSTUNREACH
                | Errno::TIMEDOUT,
            ) => Trouble::Passing,
            Some(Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP) => Trouble::Broken,
            // EMFILE, ENFILE, ENOBUFS, ENOMEM; and what we do not know must not spin either.
            _ => Trouble::Exhausted,
        }
    }
}
