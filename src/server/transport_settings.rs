//! Converts settings to those of the transports.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use url::Url;

use super::{Stopping, stopped};
use crate::clock::SystemClock;
use crate::config::{Config, MailConfig, MailTls, SmsConfig};
use crate::domain::{PluginInfo, directory::DecisionSettings};
use crate::http::parse_blob;
use crate::notify::{
    ChannelSettings, Channels, DispatchSettings, Dispatcher, Encryption, Health, HttpGateway, MailSettings, Pinger,
    PluginSettings, QueueSettings, SmsSettings,
};
use crate::store::Store;

const TEND_EVERY: Duration = Duration::from_secs(5);

/// Returns the settings that decisions about notifications depend on.
pub(super) fn decision_settings(config: &Config) -> anyhow::Result<DecisionSettings> {
    let fallback = parse_blob(&config.notifications.fallback_filter.value)
        .map_err(|reason| anyhow::anyhow!("notifications.fallback_filter: {reason}"))?;
    Ok(DecisionSettings { time_zone: config.time_zone.value, send: config.notifications.send.value, fallback })
}

/// Creates the dispatcher. `base` is the URL at which the server listens, or the name of a Unix socket.
pub(super) fn dispatcher(
    config: &Config,
    store: &Store,
    channels: Arc<Channels>,
    health: Arc<Health>,
    base: &str,
) -> Dispatcher {
    let settings = DispatchSettings {
        queue: QueueSettings {
            storm_limit: config.notifications.storm_limit.value.unwrap_or_default() as usize,
            retry_micros: config.notifications.retry.value.as_micros() as i64,
        },
        public_url: config.public_url.value.clone().or_else(|| base.parse().ok().filter(Url::has_host)),
    };
    Dispatcher::new(store.clone(), channels, health, settings)
}

/// Creates the sender of outgoing pings, with the time between two. `None`: there are none.
pub(super) fn ping(config: &Config) -> anyhow::Result<Option<(Pinger, Duration)>> {
    let Some(url) = &config.watchdog.url.value else { return Ok(None) };
    let pinger = Pinger::new(url, Arc::new(SystemClock))?;
    Ok(Some((pinger, config.watchdog.every.value)))
}

/// Converts the settings. Reads no files; the transports do that.
pub(super) fn channel_settings(config: &Config) -> ChannelSettings {
    ChannelSettings {
        mail: mail_settings(&config.mail),
        sms: sms_settings(&config.sms),
        templates: config.notifications.templates.value.clone(),
        time_zone: config.time_zone.value,
        allow_private_addresses: config.notifications.allow_private_addresses.value,
        http_timeout: config.notifications.http_timeout.value,
        plugins: plugin_settings(config),
    }
}

pub(super) fn plugin_settings(config: &Config) -> PluginSettings {
    PluginSettings {
        directory: config.notifications.plugins.value.clone(),
        timeout: config.notifications.plugin_timeout.value,
    }
}

/// Stops the plug-ins of deleted channels, until the server stops.
pub(super) async fn tend(channels: Arc<Channels>, store: Store, mut stopping: Stopping) {
    loop {
        tokio::select! {
            () = stopped(&mut stopping) => return,
            () = tokio::time::sleep(TEND_EVERY) => channels.tend(&store.directory()),
        }
    }
}

/// Asks all plug-ins for their descriptions. Starts each of them briefly.
pub(super) async fn ask_plugins(
    settings: PluginSettings,
    described: Arc<OnceLock<BTreeMap<String, Result<PluginInfo, String>>>>,
) {
    let descriptions = Channels::describe_plugins(&settings).await;
    for (kind, reason) in descriptions.iter().filter_map(|(kind, told)| Some((kind, told.as_ref().err()?))) {
        tracing::warn!("plug-in {kind} does not say what it is: {reason}");
    }
    described.get_or_init(|| descriptions);
}

fn mail_settings(mail: &MailConfig) -> MailSettings {
    let username = &mail.username.value;
    let password = || mail.password.value.clone().unwrap_or_default();
    MailSettings {
        host: mail.host.value.clone(),
        port: mail.port.value,
        encryption: match mail.tls.value {
            MailTls::None => Encryption::None,
            MailTls::StartTls => Encryption::StartTls,
            MailTls::Tls => Encryption::Tls,
        },
        credentials: (!username.is_empty()).then(|| (username.clone(), password())),
        ca_file: mail.ca_file.value.clone(),
        from: mail.from.value.clone(),
        subject_prefix: mail.subject_prefix.value.clone(),
        stable_subject: mail.stable_subject.value,
        timeout: mail.timeout.value,
    }
}

fn sms_settings(sms: &SmsConfig) -> SmsSettings {
    if let Some(http) = &sms.http.value {
        return SmsSettings::Http(HttpGateway {
            method: http.method.clone(),
            url: http.url.clone(),
            headers: http.headers.clone().into_iter().collect(),
            body: http.body.clone(),
            secret: http.secret.clone(),
        });
    }
    match (sms.gateway_address.value.as_str(), sms.address_template.value.as_str()) {
        ("", "") => SmsSettings::Off,
        ("", template) => SmsSettings::MailTemplate(template.to_owned()),
        (address, _) => SmsSettings::MailGateway(address.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Flags};

    fn settings<const N: usize>(pairs: [(&str, &str); N]) -> ChannelSettings {
        channel_settings(&Config::load(&Flags::default(), &Environment::from(pairs)).unwrap())
    }

    #[test]
    fn nothing_set_means_the_local_mail_server_and_no_text_messages() {
        let settings = settings([]);
        assert_eq!((settings.mail.host.as_str(), settings.mail.port), ("localhost", 25));
        assert_eq!(settings.mail.encryption, Encryption::None);
        assert_eq!(settings.mail.login(), None);
        assert!(matches!(settings.sms, SmsSettings::Off));
        assert!(settings.allow_private_addresses);
    }

    #[test]
    fn carries_what_is_set() {
        let settings = settings([
            ("EMAIL_HOST", "mail.example.org"),
            ("EMAIL_USE_TLS", "yes"),
            ("EMAIL_HOST_USER", "argus"),
            ("EMAIL_HOST_PASSWORD", "hunter2"),
            ("ARGUSD_SMS_ADDRESS_TEMPLATE", "{number}@sms.example.org"),
            ("ARGUSD_ALLOW_PRIVATE_ADDRESSES", "no"),
            ("TIME_ZONE", "Europe/Oslo"),
        ]);
        assert_eq!((settings.mail.host.as_str(), settings.mail.port), ("mail.example.org", 587));
        assert_eq!(settings.mail.encryption, Encryption::StartTls);
        assert_eq!(settings.mail.login(), Some(("argus", "hunter2")));
        assert!(matches!(&settings.sms, SmsSettings::MailTemplate(template) if template.starts_with("{number}")));
        assert!(!settings.allow_private_addresses);
        assert_eq!(settings.time_zone, chrono_tz::Europe::Oslo);
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
