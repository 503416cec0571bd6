//! Clients that speak through TLS, and the certificate of the server that they trust.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use kolejka::config::TlsFiles;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use crate::socket::{Socket, plain};

/// A certificate for `localhost`, in files, and whoever trusts it.
pub struct Trust {
    directory: TempDir,
    client: Arc<ClientConfig>,
}

impl Trust {
    /// Makes one.
    ///
    /// # Panics
    /// If there is no room for two small files.
    #[expect(clippy::disallowed_methods, reason = "certificates are files")]
    pub fn new() -> Trust {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let directory = TempDir::new().expect("a directory");
        std::fs::write(directory.path().join("cert.pem"), made.cert.pem()).expect("a file");
        std::fs::write(directory.path().join("key.pem"), made.signing_key.serialize_pem()).expect("a file");
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions that the provider knows")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Trust { directory, client: Arc::new(client) }
    }

    /// For the listener.
    pub fn files(&self) -> TlsFiles {
        let file = |name| self.directory.path().join(name);
        TlsFiles { certificate: file("cert.pem"), key: file("key.pem") }
    }

    /// How to connect there. The handshake comes with the first octets.
    ///
    /// # Panics
    /// If nobody listens there.
    pub fn connector(&self, address: SocketAddr) -> impl Fn() -> StreamOwned<ClientConnection, TcpStream> + 'static {
        let client = Arc::clone(&self.client);
        move || {
            let name = ServerName::try_from("localhost").expect("a name");
            let session = ClientConnection::new(Arc::clone(&client), name).expect("a session");
            StreamOwned::new(session, plain(address))
        }
    }
}

impl Default for Trust {
    fn default() -> Trust {
        Trust::new()
    }
}

impl Socket for StreamOwned<ClientConnection, TcpStream> {
    fn cut(&self) {
        self.sock.cut();
    }
}
