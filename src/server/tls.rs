//! Certificates of the data plane, read again when their files change.
//!
//! A certificate that cannot be read leaves the one in force.

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The chain is not PEM, or empty.
    #[error("the certificate file holds no certificate")]
    NoCertificate,
    /// The key is not PEM, or of an unknown kind.
    #[error("the private key cannot be read")]
    BadKey,
    /// Key and certificate do not belong together.
    #[error("the private key does not fit the certificate")]
    Mismatch,
}

/// The certificate in force.
#[derive(Debug)]
pub struct Certificate(ArcSwap<CertifiedKey>);

impl Certificate {
    /// A certificate from PEM texts.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Ok(Self(ArcSwap::from_pointee(certified(chain, key)?)))
    }

    /// Puts another certificate in force; the old one stays if this one is not usable.
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> Result<(), TlsError> {
        self.0.store(Arc::new(certified(chain, key)?));
        Ok(())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

fn certified(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, TlsError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::NoCertificate)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::BadKey)?;
    let key = any_supported_type(&key).map_err(|_| TlsError::BadKey)?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok(certified)
        }
        Err(_) => Err(TlsError::Mismatch),
    }
}

/// Whether a chain and a key can be served, without serving them.
pub fn check(chain: &[u8], key: &[u8]) -> Result<(), TlsError> {
    let certificate = Arc::new(Certificate::from_pem(chain, key)?);
    let _config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(certificate);
    Ok(())
}
