//! Connections that never became a stream, and what their peers are told.
//!
//! Every refusal is one sentence for the log and, where the peer can read it, the same sentence for the peer in its own
//! protocol.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::wire::Wire;

/// Why a connection was not established.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Rejected {
    /// The peer closed before it said what it speaks.
    #[error("the peer closed the connection without a word")]
    Gone,
    /// The connect deadline passed.
    #[error("the peer did not finish to connect in time")]
    Late,
    /// The TLS deadline passed.
    #[error("the peer did not finish the TLS handshake in time")]
    LateTls,
    /// The TLS handshake failed.
    #[error("the TLS handshake failed: {0}")]
    Tls(#[source] io::Error),
    /// A TLS handshake on a listener without a certificate.
    #[error("the peer speaks TLS, and this listener has no certificate: set one, or connect without TLS")]
    TlsWithoutCertificate,
    /// No TLS where it is demanded.
    #[error("this listener takes connections from other machines only with TLS, unless allow_plaintext is set")]
    PlaintextForbidden,
    /// STOMP over TCP on a listener that does not serve it.
    #[error("this listener serves STOMP in WebSocket messages only, not over plain TCP")]
    StompForbidden,
    /// HTTP on a listener that does not serve WebSocket.
    #[error("this is a STOMP port without WebSocket, and the peer speaks HTTP")]
    WebSocketForbidden,
    /// An HTTP request that does not become a WebSocket.
    #[error("HTTP {status}: {sentence}")]
    Http {
        /// The status it was answered with.
        status: u16,
        /// What it was told.
        sentence: Cow<'static, str>,
    },
    /// The server turned the connection away before it was established.
    #[error("{0}")]
    Refused(&'static str),
    /// The socket failed.
    #[error("the socket failed: {0}")]
    Io(#[from] io::Error),
}

impl Rejected {
    /// A word that stands for all of the kind, for counting.
    pub fn kind(&self) -> &'static str {
        match self {
            Rejected::Gone => "gone",
            Rejected::Late => "late",
            Rejected::LateTls => "late-tls",
            Rejected::Tls(_) => "tls",
            Rejected::TlsWithoutCertificate => "tls-without-certificate",
            Rejected::PlaintextForbidden => "plaintext",
            Rejected::StompForbidden => "stomp",
            Rejected::WebSocketForbidden => "websocket",
            Rejected::Http { .. } => "http",
            Rejected::Refused(_) => "refused",
            Rejected::Io(_) => "socket",
        }
    }
}

/// The fatal alert `handshake_failure` in a TLS 1.2 record (RFC 8446 section 6.2), understood by every version.
pub(super) const TLS_ALERT: [u8; 7] = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 40];

/// How long a peer gets to read a refusal and to close.
const LINGER: Duration = Duration::from_secs(1);

/// Octets read and forgotten after a refusal.
const LINGER_BYTES: usize = 64 * 1024;

/// A refusal for a peer of STOMP: an ERROR that all versions can read.
pub(super) fn stomp_error(sentence: &str) -> Vec<u8> {
    let length = sentence.len() + 1;
    format!("ERROR\nmessage:{sentence}\ncontent-type:text/plain\ncontent-length:{length}\n\n{sentence}\n\0\n").into()
}

/// A refusal for a peer of HTTP. `extra` is whole header lines.
pub(super) fn http_answer(status: u16, extra: &str, sentence: &str) -> Vec<u8> {
    let reason = match status {
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        426 => "Upgrade Required",
        431 => "Request Header Fields Too Large",
        _ => "Service Unavailable",
    };
    let length = sentence.len() + 1;
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
         Cache-Control: no-store\r\n{extra}\r\n{sentence}\n"
    )
    .into()
}

/// Says the last words and waits a little for the peer to read them: closing with octets unread would reset the
/// connection, and a reset destroys what is on its way. The caller has a deadline for all of it.
pub(super) async fn farewell(mut wire: Wire, words: &[u8]) -> io::Result<()> {
    wire.write_all(words).await?;
    wire.shutdown().await?;
    let drained = async {
        let mut rest = [0; 1024];
        let mut forgotten = 0;
        while forgotten < LINGER_BYTES {
            match wire.read(&mut rest).await? {
                0 => break,
                octets => forgotten += octets,
            }
        }
        Ok(())
    };
    timeout(LINGER, drained).await.unwrap_or(Ok(()))
}
