//! Asks the mail server, looks up names, and reads certificates.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use futures_util::future::join_all;
use tokio::{net::lookup_host, time::timeout};
use url::{Host, Url};

use super::{Surroundings, unusable};
use crate::config::{Config, MailTls};
use crate::domain::{
    Directory, MailStep, NetworkFacts, certificate,
    destination::{DESTINATION_URL, EMAIL},
    doctor::{CertificateFacts, MailFacts, NameFacts},
    email,
    limits::{DOCTOR_NAMES, DOCTOR_TIMEOUT},
};
use crate::notify::{Channels, presented};

const MAIL_RENEWAL: &str = "Renew the certificate of the mail server, or ask whoever runs it to.";
const PROXY_RENEWAL: &str = "Renew the certificate of the proxy, and look why that did not happen by itself: certbot \
                             renew, or the log of Caddy.";

/// Asks everything at the same time. Takes at most a few times the time limit of mails.
pub(super) async fn examine(surroundings: &Surroundings) -> NetworkFacts {
    let config = &surroundings.config;
    let directory = surroundings.directory();
    let names = names(config, directory.as_deref());
    let ((mail, mail_certificate), names, public) =
        tokio::join!(mail(surroundings, directory.as_ref()), resolve(names), public_certificate(config));
    NetworkFacts { mail: Some(mail), names, certificates: mail_certificate.into_iter().chain(public).collect() }
}

async fn mail(
    surroundings: &Surroundings,
    directory: Option<&Arc<Directory>>,
) -> (MailFacts, Option<CertificateFacts>) {
    let mail = &surroundings.config.mail;
    let mut facts = MailFacts {
        server: format!("{}:{}", mail.host.value, mail.port.value),
        tls: match mail.tls.value {
            MailTls::None => "none",
            MailTls::StartTls => "starttls",
            MailTls::Tls => "tls",
        },
        logs_in: !mail.username.value.is_empty(),
        is_local: is_local(&mail.host.value),
        is_used: directory.is_some_and(|directory| is_mail_used(directory)),
        sender: mail.from.value.clone(),
        recipient: mail.from.value.clone(),
        result: Ok(()),
    };
    let channels: &Channels = match &surroundings.channels {
        Ok(channels) => channels,
        Err(reason) => {
            facts.result = Err(unusable(reason));
            return (facts, None);
        }
    };
    facts.sender = channels.mail_sender();
    facts.recipient = directory.and_then(|directory| administrator(directory)).unwrap_or_else(|| facts.sender.clone());
    let probe = channels.probe_mail(&facts.recipient).await;
    let certificate = probe.certificate.map(|der| CertificateFacts {
        whose: format!("mail server {}", facts.server),
        expires: certificate::expiry(&der),
        refused: probe
            .result
            .as_ref()
            .err()
            .filter(|it| matches!(it.step, MailStep::Connect | MailStep::Encrypt) && it.answer.contains("certificate"))
            .map(|failure| failure.answer.clone()),
        renewal: MAIL_RENEWAL,
    });
    facts.result = probe.result;
    (facts, certificate)
}

/// Returns whether anybody is notified through the server's own mail server.
fn is_mail_used(directory: &Directory) -> bool {
    directory.destinations.values().any(|destination| destination.medium == EMAIL)
        || directory.channels.values().any(|channel| channel.depends_on(EMAIL))
}

/// Returns the address of the first administrator who has one.
fn administrator(directory: &Directory) -> Option<String> {
    let mut users = directory.users.values().filter(|user| user.is_active && user.is_superuser);
    users.find(|user| email::is_valid(&user.email)).map(|user| user.email.clone())
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Returns names of hosts with what contains them. Addresses need no look-up.
fn names(config: &Config, directory: Option<&Directory>) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    let mut add = |host: &str, used_by: String| {
        let host = host.trim_matches(['[', ']']);
        let is_name = !host.is_empty() && host.parse::<IpAddr>().is_err() && host.contains(|c: char| c.is_alphabetic());
        if is_name && names.len() < DOCTOR_NAMES {
            names.entry(host.to_owned()).or_insert(used_by);
        }
    };
    add(&config.mail.host.value, "mail.host".to_owned());
    if let Some(host) = config.public_url.value.as_ref().and_then(Url::host_str) {
        add(host, "public_url".to_owned());
    }
    if let Some(host) = config.sms.http.value.as_ref().and_then(|sms| host_of(&sms.url)) {
        add(&host, "sms.http".to_owned());
    }
    let Some(directory) = directory else { return names };
    for channel in directory.channels.values() {
        let used_by = || format!("channel {:?}", channel.name);
        let text = |key: &str| channel.config.as_ref().and_then(|config| config.get(key)?.as_str());
        if let Some(host) = text("url").and_then(host_of) {
            add(&host, used_by());
        }
        if let Some(host) = text("host") {
            add(host, used_by());
        }
    }
    for destination in directory.destinations.values() {
        if let Some(host) = destination.settings.get(DESTINATION_URL).and_then(|url| host_of(url)) {
            add(&host, format!("destination of {}", directory.username(destination.owner)));
        }
    }
    names
}

/// Returns the host of an address or of a template of one, unless the host is part of the template.
fn host_of(url: &str) -> Option<String> {
    let start = url.split("{{").next().unwrap_or_default();
    match Url::parse(start).ok()?.host()? {
        Host::Domain(name) => Some(name.to_owned()),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

async fn resolve(names: BTreeMap<String, String>) -> Vec<NameFacts> {
    let lookups = names.into_iter().map(|(name, used_by)| async move {
        let failure = match timeout(DOCTOR_TIMEOUT, lookup_host((name.as_str(), 0))).await {
            Ok(Ok(mut addresses)) => addresses.next().is_none().then(|| "it has no address".to_owned()),
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer in {} seconds", DOCTOR_TIMEOUT.as_secs())),
        };
        NameFacts { name, used_by, failure }
    });
    join_all(lookups).await
}

/// Reads the certificate of the public address. `None` if it is not reachable from here, which is no fault.
async fn public_certificate(config: &Config) -> Option<CertificateFacts> {
    let url = config.public_url.value.as_ref().filter(|url| url.scheme() == "https")?;
    let (host, port) = (url.host_str()?.trim_matches(['[', ']']), url.port_or_known_default()?);
    let presented = presented(host, port, DOCTOR_TIMEOUT).await?;
    Some(CertificateFacts {
        whose: format!("public_url {host}:{port}"),
        expires: certificate::expiry(&presented.der),
        refused: presented.refused,
        renewal: PROXY_RENEWAL,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Flags};

    #[test]
    fn names_of_the_settings_are_looked_up_and_addresses_are_not() {
        let names_of = |mail: &str, public: &str| {
            let environment = Environment::from([("EMAIL_HOST", mail), ("ARGUSD_PUBLIC_URL", public)]);
            names(&Config::load(&Flags::default(), &environment).unwrap(), None).into_keys().collect::<Vec<_>>()
        };
        assert!(names_of("127.0.0.1", "https://[2001:db8::1]:8443/").is_empty());
        assert_eq!(names_of("mail.example.org", "https://a.example.org/"), ["a.example.org", "mail.example.org"]);
    }

    #[test]
    fn hosts_that_are_part_of_a_template_are_not_looked_up() {
        assert_eq!(host_of("https://sms.example.org/send?to={{ number }}").as_deref(), Some("sms.example.org"));
        assert_eq!(host_of("https://{{ number }}.example.org/"), None);
        assert_eq!(host_of("http://192.0.2.1/"), None);
    }
}
