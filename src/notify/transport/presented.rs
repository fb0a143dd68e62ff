//! The certificate that a server presents, and whether clients trust it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use super::roots;

/// Certificate in DER form, and the reason for which clients refuse it.
#[derive(Clone, Debug)]
pub struct PresentedCertificate {
    pub der: Vec<u8>,
    pub refused: Option<String>,
}

/// Verifier that remembers the certificate and its fault, and accepts it. Nothing is sent over its connections.
#[derive(Debug)]
struct Witness {
    strict: Arc<WebPkiServerVerifier>,
    seen: Mutex<Option<PresentedCertificate>>,
}

/// Connects to a server and returns its certificate. `None` if there is no connection or no TLS.
pub async fn presented(host: &str, port: u16, limit: Duration) -> Option<PresentedCertificate> {
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let mut trusted = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    trusted.add_parsable_certificates(roots::of_host().iter().cloned());
    let provider = Arc::new(ring::default_provider());
    let strict = WebPkiServerVerifier::builder_with_provider(Arc::new(trusted), Arc::clone(&provider)).build().ok()?;
    let witness = Arc::new(Witness { strict, seen: Mutex::default() });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&witness) as _)
        .with_no_client_auth();
    let handshake = async {
        let stream = TcpStream::connect((host, port)).await?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    };
    // The certificate was seen even if the handshake fails after it.
    drop(timeout(limit, handshake).await);
    witness.seen.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self.strict.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let seen = PresentedCertificate { der: end_entity.to_vec(), refused: verdict.err().map(|it| it.to_string()) };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.strict.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.strict.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.strict.supported_verify_schemes()
    }
}
