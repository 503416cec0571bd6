//! The certificate of a listener: read, served, and read again without a restart.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem};
use thiserror::Error;

use super::options::TlsFiles;

/// Why a certificate cannot be served.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file is missing, unreadable, or does not hold what it should.
    #[error("{} cannot be read as PEM: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        reason: pem::Error,
    },
    /// The certificate file is readable and holds no certificate.
    #[error("{} holds no certificate", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key do not go together, or are of an unknown kind.
    #[error("the certificate {} cannot be served with the key {}: {reason}", files.certificate.display(), files.key.display())]
    Unusable {
        /// Both files.
        files: TlsFiles,
        /// What the TLS library says.
        reason: rustls::Error,
    },
}

/// What a listener serves now. Connections keep what they began with.
#[derive(Debug)]
pub(super) struct Certificate {
    files: TlsFiles,
    current: RwLock<Arc<ServerConfig>>,
}

impl Certificate {
    pub(super) fn load(files: TlsFiles) -> Result<Certificate, TlsError> {
        let current = RwLock::new(read(&files)?);
        Ok(Certificate { files, current })
    }

    /// Reads the files again; on failure what was served stays served.
    pub(super) fn reload(&self) -> Result<(), TlsError> {
        let fresh = read(&self.files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    pub(super) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One configuration per listener, with a session cache of its own. The provider is named, so that a dependency that
/// enables another one cannot make the choice ambiguous.
fn read(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let failed = |path: &PathBuf| {
        let path = path.clone();
        move |reason| TlsError::Read { path, reason }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(failed(&files.certificate))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: files.certificate.clone() });
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(failed(&files.key))?;
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map(Arc::new)
        .map_err(|reason| TlsError::Unusable { files: files.clone(), reason })
}
