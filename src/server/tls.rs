//! Certificates of the data plane, read again when their files change.
//!
//! A certificate that cannot be read leaves the one in force.

use crate::config::{ResolvedSecrets, TlsConfig};
use arc_swap::ArcSwap;
use rustls::InconsistentKeys;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of the chain cannot be read.
    #[error("certificate file {path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The chain is not PEM, or empty.
    #[error("certificate file {0} holds no certificate")]
    NoCertificate(PathBuf),
    /// The first certificate is not one.
    #[error("certificate file {0} is damaged")]
    BadCertificate(PathBuf),
    /// There is no key.
    #[error("the private key is missing")]
    NoKey,
    /// The key is not PEM, or of an unknown kind.
    #[error("the private key cannot be read")]
    BadKey,
    /// Key and certificate do not belong together.
    #[error("the private key does not fit the certificate in {0}")]
    Mismatch(PathBuf),
}

/// The certificate in force.
#[derive(Debug)]
pub struct Certificate(ArcSwap<CertifiedKey>);

impl Certificate {
    /// The certificate of a configuration.
    pub fn read(tls: &TlsConfig, secrets: &ResolvedSecrets) -> Result<Self, TlsError> {
        Ok(Self(ArcSwap::from_pointee(certified(tls, secrets)?)))
    }

    /// Reads it again; the old one stays in force if the new one is not usable.
    pub fn replace(&self, tls: &TlsConfig, secrets: &ResolvedSecrets) -> Result<(), TlsError> {
        self.0.store(Arc::new(certified(tls, secrets)?));
        Ok(())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

fn certified(tls: &TlsConfig, secrets: &ResolvedSecrets) -> Result<CertifiedKey, TlsError> {
    let path = &tls.cert.file;
    let pem =
        std::fs::read(path).map_err(|error| TlsError::Unreadable { path: path.clone(), error })?;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::NoCertificate(path.clone()))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(path.clone()));
    }
    let key = secrets.tls_key.as_ref().ok_or(TlsError::NoKey)?;
    let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes());
    let key = any_supported_type(&key.map_err(|_| TlsError::BadKey)?);
    let certified = CertifiedKey::new(chain, key.map_err(|_| TlsError::BadKey)?);
    match certified.keys_match() {
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(TlsError::Mismatch(path.clone()))
        }
        // Not every kind of key can tell which certificate it belongs to.
        Ok(()) | Err(rustls::Error::InconsistentKeys(_)) => Ok(certified),
        Err(_) => Err(TlsError::BadCertificate(path.clone())),
    }
}
