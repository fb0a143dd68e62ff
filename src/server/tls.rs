//! Encryption of connections: reads certificate and key, and carries out handshakes.

use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tracing::warn;

use crate::config::TlsConfig;
use crate::domain::limits;

/// First byte of a TLS connection: a record of the handshake.
const HANDSHAKE: u8 = 22;

/// Answer to a client that speaks plain HTTP.
const PLAIN_TEXT: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\
    Content-Length: 65\r\n\r\nThis port speaks HTTPS. Use an address that begins with https://\n";

/// Time in which a client that speaks plain HTTP may read the answer and close the connection.
const LINGER: Duration = Duration::from_secs(1);

/// Certificate and key for new connections. Replaced when they are read again.
pub(super) type LiveTls = Arc<ArcSwap<ServerConfig>>;

/// Certificate and key as they were read from their files.
pub(super) struct TlsFiles {
    pub config: Arc<ServerConfig>,
    /// The certificates, in the form in which they are sent.
    pub certificates: Vec<CertificateDer<'static>>,
}

/// Reads certificate and key. `None`: the settings name none, so connections are not encrypted.
pub(super) fn load(settings: &TlsConfig) -> anyhow::Result<Option<TlsFiles>> {
    let (Some(cert), Some(key)) = (&settings.cert.value, &settings.key.value) else { return Ok(None) };
    let text = read("tls.cert", cert)?;
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .with_context(|| format!("tls.cert: {} cannot be read as PEM", cert.display()))?;
    anyhow::ensure!(!certificates.is_empty(), "tls.cert: {} has no certificate in PEM", cert.display());
    let own_key = PrivateKeyDer::from_pem_slice(&read("tls.key", key)?).map_err(|_| {
        anyhow::anyhow!("tls.key: {} has no private key in PEM, or one with a passphrase", key.display())
    })?;
    warn_if_readable(key);
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates.clone(), own_key)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => anyhow::anyhow!(
                "tls.key: the key in {} does not belong to the first certificate in {}",
                key.display(),
                cert.display()
            ),
            error => anyhow::anyhow!("tls.cert: {} cannot be used: {error}", cert.display()),
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsFiles { config: Arc::new(config), certificates }))
}

fn read(name: &str, path: &PathBuf) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{name}: cannot read {}", path.display()))
}

fn warn_if_readable(key: &Path) {
    let mode = std::fs::metadata(key).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
    if is_too_open(mode) {
        warn!(
            "tls.key: other users of this host can read or change {} (mode {mode:04o}); use chmod 600",
            key.display()
        );
    }
}

/// Returns whether others than the owner and a group of readers have access.
const fn is_too_open(mode: u32) -> bool {
    mode & 0o027 != 0
}

/// Carries out the handshake, in limited time. `None`: the client speaks plain HTTP, and was answered.
pub(super) async fn accept(live: &LiveTls, stream: TcpStream) -> io::Result<Option<TlsStream<TcpStream>>> {
    let handshake = async {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first != [HANDSHAKE] {
            return answer_plain_text(stream).await.map(|()| None);
        }
        TlsAcceptor::from(live.load_full()).accept(stream).await.map(Some)
    };
    timeout(limits::TLS_HANDSHAKE_TIMEOUT, handshake).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Says that this port is encrypted. Reads what was sent, because unread data would make the system discard the answer.
async fn answer_plain_text(mut stream: TcpStream) -> io::Result<()> {
    let mut request = [0; 4 << 10];
    if stream.read(&mut request).await? == 0 {
        return Ok(());
    }
    stream.write_all(PLAIN_TEXT).await?;
    stream.shutdown().await?;
    drop(timeout(LINGER, stream.read(&mut request)).await);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment, Flags};

    fn fixture(name: &str) -> String {
        format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"))
    }

    fn with(cert: &str, key: &str) -> anyhow::Result<Option<TlsFiles>> {
        let environment = Environment::from([("ARGUSD_TLS_CERT", cert), ("ARGUSD_TLS_KEY", key)]);
        load(&Config::load(&Flags::default(), &environment).unwrap().tls)
    }

    fn refusal(cert: &str, key: &str) -> String {
        with(cert, key).err().map(|error| format!("{error:#}")).unwrap()
    }

    #[test]
    fn reads_a_pair_and_names_what_is_wrong_with_another() {
        let (cert, key) = (fixture("one.pem"), fixture("one.key"));
        let files = with(&cert, &key).unwrap().unwrap();
        assert_eq!(files.certificates.len(), 1);
        assert_eq!(files.config.alpn_protocols, [b"http/1.1"]);
        assert!(with("", "").unwrap().is_none());
        let text = refusal(&cert, &fixture("two.key"));
        assert!(text.contains("does not belong to the first certificate"), "{text}");
        let text = refusal(&key, &key);
        assert!(text.contains("tls.cert") && text.contains("no certificate in PEM"), "{text}");
        let text = refusal(&cert, &cert);
        assert!(text.contains("tls.key") && text.contains("no private key in PEM"), "{text}");
        let text = refusal("/nowhere/cert.pem", &key);
        assert!(text.contains("tls.cert: cannot read /nowhere/cert.pem"), "{text}");
    }

    #[test]
    fn the_answer_to_plain_http_has_its_length() {
        let text = std::str::from_utf8(PLAIN_TEXT).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
    }

    #[test]
    fn a_group_may_read_a_key_but_others_may_not() {
        assert!(!is_too_open(0o600) && !is_too_open(0o640) && !is_too_open(0o400));
        assert!(is_too_open(0o644) && is_too_open(0o660) && is_too_open(0o604));
    }
}
