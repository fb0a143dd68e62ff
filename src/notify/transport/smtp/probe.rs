//! Asks a mail server up to the recipient whether it would accept a mail, without sending one.

use lettre::{
    Address,
    transport::smtp::{
        client::{AsyncSmtpConnection, CertificateStore, TlsParameters},
        commands::{Mail, Rcpt, Rset},
    },
};
use tokio::time::timeout;

use super::{COURTESY, Smtp, SmtpFailure, SmtpStage, said};
use crate::domain::{MailFailure, MailStep, limits};
use crate::notify::{Encryption, text::clean, transport::Transcript};

/// Result of asking a mail server.
pub struct MailProbe {
    pub result: Result<(), MailFailure>,
    /// Certificate that the server presented, in DER form, even if it was refused.
    pub certificate: Option<Vec<u8>>,
}

impl Smtp {
    /// Connects, logs in, and names sender and recipient. Takes at most about three times the time limit.
    pub(in crate::notify::transport) async fn probe(&self, from: Address, to: Address) -> MailProbe {
        let mut connection = match self.connect(&mut Transcript::default()).await {
            Ok(connection) => connection,
            Err(failure) => {
                let certificate = self.presented_certificate().await;
                return MailProbe { result: Err(self.failure(&failure)), certificate };
            }
        };
        let certificate = connection.is_encrypted().then(|| connection.peer_certificate().ok()).flatten();
        let mut stage = SmtpStage::Sender;
        let dialogue = async {
            connection.command(Mail::new(Some(from), Vec::new())).await?;
            stage = SmtpStage::Recipient;
            connection.command(Rcpt::new(to, Vec::new())).await.map(|_| ())
        };
        let result = match timeout(self.timeout, dialogue).await {
            Ok(result) => result.map_err(|error| SmtpFailure::Smtp(stage, error)),
            Err(_) => Err(SmtpFailure::Timeout(stage)),
        };
        let goodbye = async {
            connection.command(Rset).await?;
            connection.quit().await
        };
        // The result is known. A server that does not say goodbye is left.
        drop(timeout(COURTESY, goodbye).await);
        MailProbe { result: result.map_err(|failure| self.failure(&failure)), certificate }
    }

    fn failure(&self, failure: &SmtpFailure) -> MailFailure {
        let (stage, answer, code) = match failure {
            SmtpFailure::Timeout(stage) => (*stage, format!("no answer in {} seconds", self.timeout.as_secs()), None),
            SmtpFailure::Smtp(stage, error) => (*stage, said(error), error.status().map(u16::from)),
            SmtpFailure::Unspeakable => (SmtpStage::Sender, "the address is not ASCII".to_owned(), None),
        };
        MailFailure { step: stage.step(), answer: clean(&answer, limits::PROVIDER_ANSWER), code }
    }

    /// Returns the certificate of a server even if it is not trusted. No login and no mail is sent over this
    /// connection.
    async fn presented_certificate(&self) -> Option<Vec<u8>> {
        self.tls.as_ref()?;
        let lenient = TlsParameters::builder(self.host.clone())
            .certificate_store(CertificateStore::WebpkiRoots)
            .dangerous_accept_invalid_certs(true)
            .build()
            .ok()?;
        let dialogue = async {
            let at_once = Some(lenient.clone()).filter(|_| self.encryption == Encryption::Tls);
            let address = (self.host.as_str(), self.port);
            let mut connection =
                AsyncSmtpConnection::connect_tokio1(address, Some(self.timeout), &self.hello, at_once, None).await?;
            if self.encryption == Encryption::StartTls {
                connection.starttls(lenient, &self.hello).await?;
            }
            let certificate = connection.peer_certificate();
            drop(timeout(COURTESY, connection.quit()).await);
            certificate
        };
        timeout(self.timeout, dialogue).await.ok()?.ok()
    }
}

impl SmtpStage {
    const fn step(self) -> MailStep {
        match self {
            Self::Connect => MailStep::Connect,
            Self::Encrypt => MailStep::Encrypt,
            Self::LogIn => MailStep::LogIn,
            Self::Sender => MailStep::Sender,
            Self::Recipient => MailStep::Recipient,
            Self::DataContent => MailStep::Content,
        }
    }
}
