//! Findings about the mail server, names, and certificates.

use super::{Finding, FindingLevel, bad, good, problem, warning};
use crate::domain::{Timestamp, time::span};

const DAY: i64 = 86_400 * 1_000_000;
/// Remaining life of a certificate in microseconds below which there is a warning.
const SHORT_LIFE: i64 = 14 * DAY;

/// Facts that take connections to other hosts.
#[derive(Clone, Debug, Default)]
pub struct NetworkFacts {
    pub mail: Option<MailFacts>,
    /// Names of hosts that settings contain, without those that are addresses.
    pub names: Vec<NameFacts>,
    pub certificates: Vec<CertificateFacts>,
}

/// Result of a dialogue with the mail server up to the recipient. Nothing is sent.
#[derive(Clone, Debug)]
pub struct MailFacts {
    /// Host and port.
    pub server: String,
    /// Value of the setting `mail.tls`.
    pub tls: &'static str,
    /// Whether there is a login.
    pub logs_in: bool,
    /// Whether the server is on this host.
    pub is_local: bool,
    /// Whether anybody has a destination or channel that needs this server.
    pub is_used: bool,
    pub sender: String,
    pub recipient: String,
    pub result: Result<(), MailFailure>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailFailure {
    pub step: MailStep,
    /// Answer of the server, or error of the network.
    pub answer: String,
    /// Status code of the answer.
    pub code: Option<u16>,
}

/// Step of the dialogue with a mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailStep {
    Settings,
    Connect,
    Encrypt,
    LogIn,
    Sender,
    Recipient,
    Content,
}

/// A name of a host, with the settings that contain it.
#[derive(Clone, Debug)]
pub struct NameFacts {
    pub name: String,
    pub used_by: String,
    /// Error if the name does not resolve.
    pub failure: Option<String>,
}

/// The certificate that a server presented.
#[derive(Clone, Debug)]
pub struct CertificateFacts {
    /// Owner of the certificate, such as "mail server mail.example.org:587".
    pub whose: String,
    pub expires: Option<Timestamp>,
    /// Reason for which clients refuse it.
    pub refused: Option<String>,
    /// Sentence that says how it is renewed.
    pub renewal: &'static str,
}

pub(super) fn findings(facts: &NetworkFacts, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(facts.mail.as_ref().map(mail));
    findings.extend(names(&facts.names));
    findings.extend(facts.certificates.iter().map(|facts| certificate(facts, now)));
    findings
}

fn mail(facts: &MailFacts) -> Finding {
    const CHECK: &str = "mail";
    const TITLE: &str = "Mail server";
    let MailFacts { server, tls, sender, recipient, .. } = facts;
    let Err(failure) = &facts.result else {
        let found = format!("{server} accepts mail from {sender} to {recipient}");
        if facts.logs_in && *tls == "none" && !facts.is_local {
            let fix = "The password crosses the network unencrypted. Set mail.tls = \"starttls\" (ARGUSD_MAIL_TLS).";
            return warning(CHECK, TITLE, found, fix);
        }
        return good(CHECK, TITLE, found, "Asked up to the recipient; no mail was sent.");
    };
    let MailFailure { step, answer, code } = failure;
    let is_deferral = code.is_some_and(|code| (400..500).contains(&code));
    let level = if facts.is_used && !is_deferral { FindingLevel::Bad } else { FindingLevel::Warning };
    let (found, fix) = match step {
        MailStep::Settings => (
            format!("the settings cannot be used: {answer}"),
            "Correct the section [mail] of the settings, and restart.".to_owned(),
        ),
        MailStep::Connect => (format!("{server} is not reached: {answer}"), connecting(facts, answer)),
        MailStep::Encrypt => (
            format!("{server} refuses encryption (STARTTLS): {answer}"),
            "If its certificate is from your own authority, name that in mail.ca_file (ARGUSD_MAIL_CA_FILE). If it has \
             no STARTTLS, set mail.tls = \"none\" or \"tls\" (ARGUSD_MAIL_TLS)."
                .to_owned(),
        ),
        MailStep::LogIn => (format!("{server} refuses the login: {answer}"), login(facts, *code)),
        MailStep::Sender => (
            format!("{server} refuses the sender {sender}: {answer}"),
            "Set mail.from (ARGUSD_MAIL_FROM) to an address that this server may send from.".to_owned(),
        ),
        MailStep::Recipient if is_deferral => (
            format!("{server} defers mail to {recipient}: {answer}"),
            "Messages are tried again. If the answer mentions greylisting, ask for an exception for this host; otherwise \
             look at the log of the mail server."
                .to_owned(),
        ),
        MailStep::Recipient => (
            format!("{server} refuses the recipient {recipient}: {answer}"),
            format!(
                "If it does not relay for this host, set mail.username and mail.password_file, or permit this host on \
                 the mail server. If {recipient} does not exist: argusd user change NAME --email ADDRESS."
            ),
        ),
        MailStep::Content => (
            format!("{server} refuses the mail: {answer}"),
            "Look at the log of the mail server for the reason.".to_owned(),
        ),
    };
    problem(level, CHECK, TITLE, found, fix)
}

/// Returns how to fix that there is no connection.
fn connecting(facts: &MailFacts, answer: &str) -> String {
    let port = facts.server.rsplit_once(':').map_or("", |(_, port)| port);
    let is_certificate = answer.contains("certificate");
    if facts.tls == "tls" && is_certificate {
        return "If its certificate is from your own authority, name that in mail.ca_file (ARGUSD_MAIL_CA_FILE); \
                otherwise renew the certificate of the mail server."
            .to_owned();
    }
    if facts.tls == "tls" && port != "465" {
        return format!(
            "Start the mail server, or correct mail.host. Port {port} usually needs mail.tls = \"starttls\" \
             (ARGUSD_MAIL_TLS)."
        );
    }
    if facts.tls != "tls" && port == "465" {
        return "Port 465 needs mail.tls = \"tls\" (ARGUSD_MAIL_TLS).".to_owned();
    }
    "Start the mail server, or correct mail.host and mail.port (ARGUSD_MAIL_HOST, ARGUSD_MAIL_PORT); a firewall may \
     block the port. Then try: argusd mail test ADDRESS."
        .to_owned()
}

/// Returns how to fix a refused login.
fn login(facts: &MailFacts, code: Option<u16>) -> String {
    if code.is_none() && facts.tls == "none" {
        return "Many servers offer a login only after encryption: set mail.tls = \"starttls\" (ARGUSD_MAIL_TLS). If this \
                server needs no login, remove mail.username."
            .to_owned();
    }
    "Correct mail.username and mail.password_file (ARGUSD_MAIL_USERNAME, ARGUSD_MAIL_PASSWORD), and restart.".to_owned()
}

fn names(names: &[NameFacts]) -> Vec<Finding> {
    const CHECK: &str = "dns";
    const TITLE: &str = "Names of hosts";
    let failures: Vec<&NameFacts> = names.iter().filter(|name| name.failure.is_some()).collect();
    if names.is_empty() {
        return vec![good(CHECK, TITLE, "none in the settings", "")];
    }
    if failures.is_empty() {
        let shown: Vec<String> = names.iter().map(|name| name.name.clone()).collect();
        return vec![good(CHECK, TITLE, format!("{} resolved", super::listed(&shown)), "")];
    }
    if failures.len() == names.len() && names.len() > 1 {
        let found = format!("none of {} names resolves", names.len());
        let fix = "Check the network of this host, and the name servers in /etc/resolv.conf.";
        return vec![bad(CHECK, TITLE, found, fix)];
    }
    let finding = |NameFacts { name, used_by, failure }: &NameFacts| {
        let why = failure.as_deref().unwrap_or_default();
        let fix = format!("Correct {used_by}, or add {name} to the DNS or to /etc/hosts. Try: getent hosts {name}");
        bad(CHECK, TITLE, format!("{name} ({used_by}) does not resolve: {why}"), fix)
    };
    failures.into_iter().map(finding).collect()
}

fn certificate(facts: &CertificateFacts, now: Timestamp) -> Finding {
    const CHECK: &str = "certificate";
    const TITLE: &str = "TLS certificates";
    let CertificateFacts { whose, renewal, .. } = facts;
    let left = facts.expires.map(|expires| expires.micros().saturating_sub(now.micros()));
    let on = facts.expires.map(|at| at.to_datetime().format("%Y-%m-%d").to_string()).unwrap_or_default();
    match (left, &facts.refused) {
        (Some(left), _) if left <= 0 => bad(CHECK, TITLE, format!("{whose}: expired on {on}"), *renewal),
        (_, Some(reason)) => {
            let fix = format!("Use a certificate that names this host and comes from a known authority. {renewal}");
            bad(CHECK, TITLE, format!("{whose}: not trusted: {reason}"), fix)
        }
        (Some(left), None) if left < SHORT_LIFE => {
            warning(CHECK, TITLE, format!("{whose}: expires in {}, on {on}", span(left)), *renewal)
        }
        (Some(_), None) => good(CHECK, TITLE, format!("{whose}: valid until {on}"), ""),
        (None, None) => good(CHECK, TITLE, format!("{whose}: trusted"), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(result: Result<(), MailFailure>) -> MailFacts {
        MailFacts {
            server: "mail.example.org:587".to_owned(),
            tls: "starttls",
            logs_in: true,
            is_local: false,
            is_used: true,
            sender: "argus@example.org".to_owned(),
            recipient: "admin@example.org".to_owned(),
            result,
        }
    }

    fn failure(step: MailStep, answer: &str) -> Result<(), MailFailure> {
        let code = answer.split(' ').next().and_then(|code| code.parse().ok());
        Err(MailFailure { step, answer: answer.to_owned(), code })
    }

    #[test]
    fn a_mail_server_that_accepts_is_good_unless_the_password_is_readable_on_the_way() {
        let accepted = mail(&facts(Ok(())));
        assert_eq!(accepted.level, FindingLevel::Good);
        assert_eq!(accepted.found, "mail.example.org:587 accepts mail from argus@example.org to admin@example.org");
        let in_clear = MailFacts { tls: "none", ..facts(Ok(())) };
        assert_eq!(mail(&in_clear).level, FindingLevel::Warning);
        assert_eq!(mail(&MailFacts { is_local: true, ..in_clear.clone() }).level, FindingLevel::Good);
        assert_eq!(mail(&MailFacts { logs_in: false, ..in_clear }).level, FindingLevel::Good);
    }

    #[test]
    fn each_step_of_the_dialogue_has_its_own_fix() {
        use MailStep::{Connect, Content, Encrypt, LogIn, Recipient, Sender, Settings};
        for (step, answer, fix) in [
            (Settings, "no certificates", "section [mail]"),
            (Connect, "Connection refused", "mail.host and mail.port"),
            (Encrypt, "502 not here", "mail.ca_file"),
            (LogIn, "535 wrong password", "mail.username and mail.password_file"),
            (Sender, "553 not yours", "mail.from"),
            (Recipient, "554 relay access denied", "set mail.username and mail.password_file"),
            (Content, "554 spam", "log of the mail server"),
        ] {
            let finding = mail(&facts(failure(step, answer)));
            assert_eq!(finding.level, FindingLevel::Bad, "{step:?}");
            assert!(finding.found.contains(answer), "{step:?}: {}", finding.found);
            assert!(finding.fix.contains(fix), "{step:?}: {}", finding.fix);
        }
    }

    #[test]
    fn a_wrong_kind_of_encryption_is_recognized() {
        let connect = |server: &str, tls, answer: &str| {
            let server = server.to_owned();
            mail(&MailFacts { server, tls, ..facts(failure(MailStep::Connect, answer)) }).fix
        };
        assert!(connect("m:587", "tls", "corrupt message").contains("mail.tls = \"starttls\""));
        assert!(connect("m:465", "none", "timed out").contains("mail.tls = \"tls\""));
        assert!(connect("m:465", "tls", "invalid peer certificate: UnknownIssuer").contains("mail.ca_file"));
        let unencrypted = MailFacts { tls: "none", ..facts(failure(MailStep::LogIn, "no mechanism")) };
        assert!(mail(&unencrypted).fix.contains("mail.tls = \"starttls\""));
    }

    #[test]
    fn a_deferred_recipient_and_an_unused_server_are_warnings() {
        let deferred = mail(&facts(failure(MailStep::Recipient, "450 greylisted")));
        assert_eq!(deferred.level, FindingLevel::Warning);
        assert!(deferred.fix.contains("greylisting"), "{}", deferred.fix);
        let unused = MailFacts { is_used: false, ..facts(failure(MailStep::Connect, "refused")) };
        assert_eq!(mail(&unused).level, FindingLevel::Warning);
    }

    #[test]
    fn names_that_do_not_resolve_are_named_with_their_setting() {
        let name = |name: &str, failure: Option<&str>| NameFacts {
            name: name.to_owned(),
            used_by: "mail.host".to_owned(),
            failure: failure.map(str::to_owned),
        };
        assert_eq!(names(&[])[0].level, FindingLevel::Good);
        assert_eq!(names(&[name("a.org", None)])[0].level, FindingLevel::Good);
        let found = names(&[name("a.org", None), name("b.org", Some("not known"))]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].level, found[0].found.as_str()),
            (FindingLevel::Bad, "b.org (mail.host) does not resolve: not known")
        );
        let all = names(&[name("a.org", Some("x")), name("b.org", Some("x"))]);
        assert!(all.len() == 1 && all[0].fix.contains("/etc/resolv.conf"), "{all:?}");
    }

    #[test]
    fn certificates_are_judged_by_expiry_and_trust() {
        let now = Timestamp::saturating_from_micros(1_000 * DAY);
        let level = |days: Option<i64>, refused: Option<&str>| {
            let facts = CertificateFacts {
                whose: "mail server".to_owned(),
                expires: days.map(|days| now.saturating_add_micros(days * DAY)),
                refused: refused.map(str::to_owned),
                renewal: "Renew it.",
            };
            certificate(&facts, now).level
        };
        assert_eq!(level(Some(60), None), FindingLevel::Good);
        assert_eq!(level(None, None), FindingLevel::Good);
        assert_eq!(level(Some(13), None), FindingLevel::Warning);
        assert_eq!(level(Some(0), None), FindingLevel::Bad);
        assert_eq!(level(Some(-1), Some("expired")), FindingLevel::Bad);
        assert_eq!(level(Some(60), Some("unknown issuer")), FindingLevel::Bad);
    }
}
