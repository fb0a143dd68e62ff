//! Sends mails to a mail server, over connections that are kept for the next mail.
//!
//! The SMTP dialogue is implemented here, command by command, because the meaning of an answer depends on the command:
//! if a recipient is refused, the message fails; if the login is refused, our settings are wrong.

mod probe;

use std::{
    fmt, fs,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use lettre::{
    Message,
    address::Envelope,
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters},
        commands::{Data, Mail, Rcpt, Rset},
        extension::{ClientId, Extension, MailParameter},
        response::Response,
    },
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

pub use self::probe::MailProbe;
use super::{AttemptOutcome, SetupError, Transcript, roots};
use crate::domain::{email, limits};
use crate::notify::{Encryption, MailSettings, text::clean};

/// A connection that was idle for longer is not used again: the server may be about to close it.
const LONGEST_IDLE: Duration = Duration::from_secs(30);
/// Time limit for the answer to `RSET`, which only keeps the connection usable.
const COURTESY: Duration = Duration::from_secs(2);

pub(super) struct Smtp {
    host: String,
    port: u16,
    encryption: Encryption,
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    timeout: Duration,
    hello: ClientId,
    slots: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

/// Certificate authorities that are trusted in addition to the usual ones.
pub(super) struct Authorities {
    own: Option<Certificate>,
}

struct Idle {
    connection: AsyncSmtpConnection,
    since: Instant,
}

/// Stage of the dialogue at which a failure occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SmtpStage {
    Connect,
    Encrypt,
    LogIn,
    Sender,
    Recipient,
    DataContent,
}

/// A mail as it is sent, with its end mark. Written at once: in two pieces, the second would wait for the
/// acknowledgement of the first, which hosts tend to delay.
struct DataContent(String);

impl fmt::Display for DataContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.0.strip_suffix("\r\n").unwrap_or(&self.0).split("\r\n") {
            let stuffing = if line.starts_with('.') { "." } else { "" };
            write!(f, "{stuffing}{line}\r\n")?;
        }
        f.write_str(".\r\n")
    }
}

/// Failure of a dialogue.
enum SmtpFailure {
    Timeout(SmtpStage),
    Smtp(SmtpStage, Error),
    /// An address is not ASCII, and the server does not support that.
    Unspeakable,
}

impl Smtp {
    pub(super) fn new(settings: &MailSettings, authorities: &Authorities) -> Result<Self, SetupError> {
        let host = email::ascii_domain(&settings.host).unwrap_or_else(|| settings.host.as_str().into()).into_owned();
        let tls = match settings.encryption {
            Encryption::None => None,
            Encryption::StartTls | Encryption::Tls => Some(tls_parameters(&host, authorities)?),
        };
        Ok(Self {
            host,
            port: settings.port,
            encryption: settings.encryption,
            tls,
            credentials: settings
                .login()
                .map(|(name, password)| Credentials::new(name.to_owned(), password.to_owned())),
            timeout: settings.timeout,
            hello: ClientId::default(),
            slots: Semaphore::new(limits::MAIL_CONNECTIONS),
            idle: Mutex::default(),
        })
    }

    /// Sends a mail. Takes at most a little more than four times the time limit: waiting for a slot, trying an old
    /// connection, connecting, sending.
    pub(super) async fn submit(&self, mail: &Message, transcript: &mut Transcript) -> AttemptOutcome {
        let (envelope, mail) = (mail.envelope(), &DataContent(String::from_utf8_lossy(&mail.formatted()).into_owned()));
        let Ok(Ok(_slot)) = timeout(self.timeout, self.slots.acquire()).await else {
            return AttemptOutcome::retry("All connections to the mail server are busy.".to_owned());
        };
        if let Some(connection) = self.take_idle() {
            transcript.note(&format!("uses an open connection to {}:{}", self.host, self.port));
            match self.hand_over(connection, envelope, mail, transcript).await {
                // The server has closed the connection. Nothing has been sent yet.
                Err(failure) if failure.is_of_connection() => transcript.note("the connection was closed meanwhile"),
                result => return self.outcome(result, transcript),
            }
        }
        let result = match self.connect(transcript).await {
            Ok(connection) => self.hand_over(connection, envelope, mail, transcript).await,
            Err(failure) => Err(failure),
        };
        self.outcome(result, transcript)
    }

    async fn connect(&self, transcript: &mut Transcript) -> Result<AsyncSmtpConnection, SmtpFailure> {
        let mut stage = SmtpStage::Connect;
        let dialogue = async {
            let at_once = self.tls.clone().filter(|_| self.encryption == Encryption::Tls);
            let address = (self.host.as_str(), self.port);
            let mut connection =
                AsyncSmtpConnection::connect_tokio1(address, Some(self.timeout), &self.hello, at_once, None).await?;
            transcript.note(&format!("connected to {}:{}", self.host, self.port));
            if let (Encryption::StartTls, Some(tls)) = (self.encryption, self.tls.clone()) {
                stage = SmtpStage::Encrypt;
                connection.starttls(tls, &self.hello).await?;
            }
            transcript.note(if connection.is_encrypted() { "TLS: yes" } else { "TLS: no" });
            if let Some(credentials) = &self.credentials {
                stage = SmtpStage::LogIn;
                let answer = connection.auth(DEFAULT_MECHANISMS, credentials).await?;
                transcript.note(&format!("AUTH: {}", shown(&answer)));
            }
            Ok(connection)
        };
        match timeout(self.timeout, dialogue).await {
            Ok(result) => result.map_err(|error| SmtpFailure::Smtp(stage, error)),
            Err(_) => Err(SmtpFailure::Timeout(stage)),
        }
    }

    async fn hand_over(
        &self,
        mut connection: AsyncSmtpConnection,
        envelope: &Envelope,
        mail: &DataContent,
        transcript: &mut Transcript,
    ) -> Result<Response, SmtpFailure> {
        let mut options = Vec::new();
        // Domains are in ASCII already.
        if !envelope.to().iter().chain(envelope.from()).all(|address| AsRef::<str>::as_ref(address).is_ascii()) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                self.keep(connection);
                return Err(SmtpFailure::Unspeakable);
            }
            options.push(MailParameter::SmtpUtfEight);
        }
        let mut stage = SmtpStage::Sender;
        let dialogue = async {
            let answer = connection.command(Mail::new(envelope.from().cloned(), options)).await?;
            transcript.note(&format!("MAIL FROM: {}", shown(&answer)));
            stage = SmtpStage::Recipient;
            for recipient in envelope.to() {
                let answer = connection.command(Rcpt::new(recipient.clone(), Vec::new())).await?;
                transcript.note(&format!("RCPT TO: {}", shown(&answer)));
            }
            stage = SmtpStage::DataContent;
            connection.command(Data).await?;
            connection.command(mail).await
        };
        let result = timeout(self.timeout, dialogue).await;
        match result {
            Ok(Ok(answer)) => {
                self.keep(connection);
                Ok(answer)
            }
            Ok(Err(error)) => {
                let closing = error.status().is_none_or(|code| u16::from(code) == 421);
                if !closing && matches!(timeout(COURTESY, connection.command(Rset)).await, Ok(Ok(_))) {
                    self.keep(connection);
                }
                Err(SmtpFailure::Smtp(stage, error))
            }
            Err(_) => Err(SmtpFailure::Timeout(stage)),
        }
    }

    fn take_idle(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| idle.since.elapsed() < LONGEST_IDLE);
        idle.pop().map(|idle| idle.connection)
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(Idle { connection, since: Instant::now() });
    }

    fn outcome(&self, result: Result<Response, SmtpFailure>, transcript: &mut Transcript) -> AttemptOutcome {
        let outcome = match result {
            Ok(answer) => AttemptOutcome::sent(shown(&answer)),
            Err(SmtpFailure::Unspeakable) => AttemptOutcome::fail(
                "The mail server does not accept addresses with letters outside ASCII before the @.".to_owned(),
            ),
            Err(SmtpFailure::Timeout(stage)) => AttemptOutcome::retry(format!(
                "{}: no answer from {}:{} in {} seconds",
                stage.name(),
                self.host,
                self.port,
                self.timeout.as_secs()
            )),
            Err(SmtpFailure::Smtp(stage, error)) => {
                let text = clean(&format!("{}: {}", stage.name(), said(&error)), limits::PROVIDER_ANSWER);
                let code = error.status().map(u16::from);
                if is_final(stage, code) {
                    AttemptOutcome::fail(text)
                } else {
                    AttemptOutcome { reached: is_about_message(stage, code), ..AttemptOutcome::retry(text) }
                }
            }
        };
        transcript.note(&outcome.answer);
        outcome
    }
}

impl SmtpFailure {
    /// Returns whether the failure occurred before the server knew about the mail, so that another connection may
    /// succeed.
    fn is_of_connection(&self) -> bool {
        match self {
            Self::Smtp(SmtpStage::Sender, error) => error.status().is_none_or(|code| u16::from(code) == 421),
            Self::Timeout(_) | Self::Smtp(..) | Self::Unspeakable => false,
        }
    }
}

impl SmtpStage {
    const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connecting to the mail server",
            Self::Encrypt => "STARTTLS",
            Self::LogIn => "AUTH",
            Self::Sender => "MAIL FROM",
            Self::Recipient => "RCPT TO",
            Self::DataContent => "DATA",
        }
    }
}

/// Returns whether an answer permanently refuses this recipient or this content. Faults of our sender, login or
/// connection can be fixed, and then the message is still wanted.
fn is_final(stage: SmtpStage, code: Option<u16>) -> bool {
    let about_us = |code| matches!(code, 521 | 530 | 534 | 535 | 538);
    matches!(stage, SmtpStage::Recipient | SmtpStage::DataContent)
        && code.is_some_and(|code| code >= 500 && !about_us(code))
}

/// Returns whether an answer refuses this recipient or this content for now, by a server that accepts other mail from
/// us.
fn is_about_message(stage: SmtpStage, code: Option<u16>) -> bool {
    matches!(stage, SmtpStage::Recipient | SmtpStage::DataContent)
        && code.is_some_and(|code| (400..500).contains(&code))
}

fn shown(answer: &Response) -> String {
    let text: Vec<&str> = answer.message().collect();
    clean(&format!("{} {}", answer.code(), text.join(" ")), limits::PROVIDER_ANSWER)
}

fn said(error: &Error) -> String {
    let reason = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    match error.status() {
        Some(code) => format!("{code} {reason}"),
        None if reason.is_empty() => error.to_string(),
        None => reason,
    }
}

impl Authorities {
    /// Reads the file that the settings name.
    pub(super) fn load(settings: &MailSettings) -> Result<Self, SetupError> {
        let Some(path) = &settings.ca_file else { return Ok(Self { own: None }) };
        let bad = |reason: String| SetupError::BadSetting { setting: "mail.ca_file", reason };
        let pem = fs::read(path).map_err(|error| bad(format!("cannot read {}: {error}", path.display())))?;
        if CertificateDer::pem_slice_iter(&pem).next().is_none() {
            return Err(bad(format!("{} holds no certificate", path.display())));
        }
        let own = Certificate::from_pem(&pem)
            .map_err(|error| bad(format!("{} holds no certificates: {error}", path.display())))?;
        Ok(Self { own: Some(own) })
    }
}

fn tls_parameters(host: &str, authorities: &Authorities) -> Result<TlsParameters, SetupError> {
    let mut builder = TlsParameters::builder(host.to_owned()).certificate_store(CertificateStore::WebpkiRoots);
    for certificate in roots::of_host() {
        // Certificates that cannot be used are skipped.
        if rustls::RootCertStore::empty().add(certificate.clone()).is_ok() {
            let usable = Certificate::from_der(certificate.to_vec());
            builder = usable
                .into_iter()
                .fold(builder, lettre::transport::smtp::client::TlsParametersBuilder::add_root_certificate);
        }
    }
    if let Some(own) = &authorities.own {
        builder = builder.add_root_certificate(own.clone());
    }
    let bad = |error: Error| SetupError::BadSetting { setting: "mail", reason: error.to_string() };
    builder.build().map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_does_not_end_a_mail() {
        let wire = |mail: &str| DataContent(mail.to_owned()).to_string();
        assert_eq!(wire("a\r\n.\r\n..b\r\n"), "a\r\n..\r\n...b\r\n.\r\n");
        assert_eq!(wire("a\r\n\r\n.c"), "a\r\n\r\n..c\r\n.\r\n");
    }

    #[test]
    fn only_refusals_of_the_message_are_final() {
        for stage in [SmtpStage::Connect, SmtpStage::Encrypt, SmtpStage::LogIn, SmtpStage::Sender] {
            for code in [None, Some(421), Some(535), Some(550), Some(554)] {
                assert!(!is_final(stage, code), "{stage:?} {code:?}");
                assert!(!is_about_message(stage, code), "{stage:?} {code:?}");
            }
        }
        for stage in [SmtpStage::Recipient, SmtpStage::DataContent] {
            for code in [None, Some(521), Some(535)] {
                assert!(!is_about_message(stage, code), "{stage:?} {code:?}");
            }
            for code in [Some(421), Some(450), Some(452)] {
                assert!(is_about_message(stage, code), "{stage:?} {code:?}");
            }
            for code in [None, Some(421), Some(450), Some(451), Some(452), Some(521), Some(530), Some(535)] {
                assert!(!is_final(stage, code), "{stage:?} {code:?}");
            }
            for code in [550, 551, 552, 553, 554, 571] {
                assert!(is_final(stage, Some(code)), "{stage:?} {code}");
            }
        }
    }
}
