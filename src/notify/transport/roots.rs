//! Certificate authorities that are trusted for outgoing connections.

use std::sync::OnceLock;

use rustls::pki_types::CertificateDer;

/// Returns the host's own authorities, read once. The usual public ones are part of the program, so there may be none.
pub(super) fn of_host() -> &'static [CertificateDer<'static>] {
    static CERTIFICATES: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    CERTIFICATES.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in found.errors {
            tracing::debug!("some certificates of this host cannot be read: {error}");
        }
        found.certs
    })
}
