//! All settings, each declared in one line. A test compares them with packaging/argusd.toml and docs/OPERATIONS.md.

use std::path::PathBuf;

use chrono_tz::Tz;
use serde::Deserialize;
use url::Url;

use super::{
    Background, ConfigError, Origin, Setting,
    section::{Section, Sources, Spec, sections},
    setting_kind::{
        Days, Dialect, FileMode, FirstPassword, HiddenUrl, Host, Hours, Interval, JsonObject, LONGEST_LIFE_DAYS,
        Listen, LogFormat, LogLevel, MailTls, Number, OptionalText, Period, PublicUrl, Seconds, Secret, SettingKind,
        SmsHttp, StormLimit, host_time_zone,
    },
};

sections! {
    Config, File, "" {
        data => data: PathBuf, ["ARGUSD_DATA"], "argusd.redb";
        /// `HOST:PORT`, or `unix:` and the path of a socket. Port 0 means any free port.
        listen => listen: Listen, ["ARGUSD_LISTEN"], "127.0.0.1:8000";
        /// Permissions of the Unix socket.
        listen_mode => listen_mode: FileMode, ["ARGUSD_LISTEN_MODE"], "0660";
        /// Address at which clients reach the server, without a path. `None`: the one that each request names.
        public_url => public_url: PublicUrl, ["ARGUSD_PUBLIC_URL"], "";
        /// Frontends on other hosts. Links to the frontend lead to the first one.
        frontend_urls => frontend_urls: Vec<Url>, ["ARGUSD_FRONTEND_URLS", "ARGUS_FRONTEND_URL"], "";
        /// Addresses and networks of proxies whose forwarding headers are trusted. `unix`: whoever uses the Unix socket.
        trusted_proxies => trusted_proxies: Vec<String>, ["ARGUSD_TRUSTED_PROXIES"], "";
        time_zone => time_zone: Tz, ["ARGUSD_TIME_ZONE", "TIME_ZONE"], host_time_zone();
        max_connections => max_connections: Number<usize, 1, 1_000_000>, ["ARGUSD_MAX_CONNECTIONS"], "20000";
        [tls]: TlsConfig;
        [log]: LogConfig;
        [watchdog]: WatchdogConfig;
        [storage]: StorageConfig;
        [backup]: BackupConfig;
        [tokens]: TokenConfig;
        [incidents]: IncidentConfig;
        [retention]: RetentionConfig;
        [icinga]: IcingaConfig;
        [web]: WebConfig;
        [admin]: AdminConfig;
        [notifications]: NotificationConfig;
        [mail]: MailConfig;
        [sms]: SmsConfig;
        + /// Origins of the settings, for those who examine them.
        background: Background;
    }

    /// Encryption of connections. Both files or none.
    TlsConfig, Tls, "tls." {
        /// PEM file with the certificate of the server, and those that lead from it to its authority.
        cert => cert: Option<PathBuf>, ["ARGUSD_TLS_CERT"], "";
        key => key: Option<PathBuf>, ["ARGUSD_TLS_KEY"], "";
    }

    LogConfig, Log, "log." {
        /// A level, or directives such as `info,argusd::http=debug`.
        level => level: LogLevel, ["ARGUSD_LOG", "DEBUG"], "info";
        format => format: LogFormat, ["ARGUSD_LOG_FORMAT"], "text";
        /// Whether each request is logged.
        access => access: bool, ["ARGUSD_LOG_ACCESS"], "false";
    }

    WatchdogConfig, Watchdog, "watchdog." {
        /// Address that is requested as long as the server is well. `None`: no pings.
        url => url: HiddenUrl, ["ARGUSD_WATCHDOG_URL"], "";
        /// Time between two pings.
        every => every: Interval<1, 86_400>, ["ARGUSD_WATCHDOG_EVERY"], "60s";
    }

    StorageConfig, Storage, "storage." {
        cache_mib => cache_mib: Number<usize, 4, 1_048_576>, ["ARGUSD_CACHE_MIB"], "128";
    }

    BackupConfig, Backup, "backup." {
        /// Directory of the scheduled backups, relative to that of the data file.
        dir => directory: PathBuf, ["ARGUSD_BACKUP_DIR"], "backups";
        /// Time between two scheduled backups. `None`: none are written.
        every => every: Period, ["ARGUSD_BACKUP_EVERY"], "24h";
        /// Number of scheduled backups that are kept.
        keep => keep: Number<usize, 1, 10_000>, ["ARGUSD_BACKUP_KEEP"], "7";
    }

    TokenConfig, Tokens, "tokens." {
        /// Life of new classic tokens. `None`: they do not expire.
        life_days => life: Days<1, LONGEST_LIFE_DAYS>, ["ARGUSD_TOKEN_LIFE_DAYS"], "14";
        login_life_hours => login_life: Hours<1, { LONGEST_LIFE_DAYS * 24 }>, ["ARGUSD_LOGIN_LIFE_HOURS"], "10";
        /// Time before the expiry of a source's token at which there is a warning.
        warning_days => warning_days: Number<u32, 1, 365>, ["ARGUSD_TOKEN_WARNING_DAYS"], "7";
    }

    IncidentConfig, Incidents, "incidents." {
        /// Whether deleting incidents is refused.
        indelible => indelible: bool, ["ARGUSD_INDELIBLE_INCIDENTS", "ARGUS_INDELIBLE_INCIDENTS"], "true";
    }

    RetentionConfig, Retention, "retention." {
        /// Time after which closed incidents are deleted. `None`: never.
        closed_days => closed_life: Days<1, LONGEST_LIFE_DAYS>, ["ARGUSD_RETENTION_CLOSED_DAYS"], "never";
    }

    IcingaConfig, Icinga, "icinga." {
        /// Dialect of the paths `contacts` and `channels`. Other paths name their dialect.
        dialect => dialect: Dialect, ["ARGUSD_ICINGA_DIALECT"], "issue";
    }

    WebConfig, Web, "web." {
        /// A line at the top of each page.
        banner => banner: OptionalText, ["ARGUSD_BANNER", "ARGUS_BANNER_MESSAGE"], "";
        /// A style sheet that changes the custom properties of the pages.
        tokens => tokens: Option<PathBuf>, ["ARGUSD_WEB_TOKENS"], "";
    }

    AdminConfig, Admin, "admin." {
        /// The first password of the user `admin`. `None`: a random one is generated.
        password_file => password: FirstPassword, ["ARGUSD_ADMIN_PASSWORD", "ARGUSD_ADMIN_PASSWORD_FILE"], "";
    }

    NotificationConfig, Notifications, "notifications." {
        /// Whether notifications are sent at all.
        send => send: bool, ["ARGUSD_SEND_NOTIFICATIONS", "ARGUS_SEND_NOTIFICATIONS"], "true";
        /// Messages a minute to one destination above which the rest becomes a summary. `None`: no limit.
        storm_limit => storm_limit: StormLimit, ["ARGUSD_STORM_LIMIT"], "30";
        /// Time for which a message is retried.
        retry_hours => retry: Hours<1, 8_760>, ["ARGUSD_RETRY_HOURS"], "24";
        /// Templates that replace the built-in ones.
        templates => templates: Option<PathBuf>, ["ARGUSD_TEMPLATES"], "";
        /// Whether requests to this host and to private networks are allowed.
        allow_private_addresses => allow_private_addresses: bool, ["ARGUSD_ALLOW_PRIVATE_ADDRESSES"], "true";
        /// Time limit of one HTTP request with its answer.
        http_timeout_seconds => http_timeout: Seconds<1, 600>, ["ARGUSD_HTTP_TIMEOUT_SECONDS"], "15";
        /// Folder of plug-ins. `None`: no plug-ins.
        plugins => plugins: Option<PathBuf>, ["ARGUSD_PLUGINS"], "/usr/lib/argusd/channels";
        /// Time limit of one call to a plug-in.
        plugin_timeout_seconds => plugin_timeout: Seconds<1, 600>, ["ARGUSD_PLUGIN_TIMEOUT_SECONDS"], "30";
        /// A filter blob as JSON: values for criteria that a filter does not set.
        fallback_filter => fallback_filter: JsonObject, ["ARGUSD_FALLBACK_FILTER", "ARGUS_FALLBACK_FILTER"], "{}";
    }

    MailConfig, Mail, "mail.", tls first {
        host => host: Host, ["ARGUSD_MAIL_HOST", "EMAIL_HOST"], "localhost";
        /// The default depends on `tls`.
        port => port: Number<u16, 1, 65_535>, ["ARGUSD_MAIL_PORT", "EMAIL_PORT"], "25";
        tls => tls: MailTls, ["ARGUSD_MAIL_TLS", "EMAIL_USE_SSL", "EMAIL_USE_TLS"], "none";
        /// Name for the login at the mail server. Empty: no login is required.
        username => username: String, ["ARGUSD_MAIL_USERNAME", "EMAIL_HOST_USER"], "";
        password_file => password: Secret,
            ["ARGUSD_MAIL_PASSWORD", "EMAIL_HOST_PASSWORD", "ARGUSD_MAIL_PASSWORD_FILE"], "";
        ca_file => ca_file: Option<PathBuf>, ["ARGUSD_MAIL_CA_FILE"], "";
        from => from: String, ["ARGUSD_MAIL_FROM", "DEFAULT_FROM_EMAIL"], "argus@localhost";
        subject_prefix => subject_prefix: String, ["ARGUSD_SUBJECT_PREFIX", "NOTIFICATION_SUBJECT_PREFIX"], "[Argus] ";
        /// Whether all mails about an incident have the same subject.
        stable_subject => stable_subject: bool, ["ARGUSD_MAIL_STABLE_SUBJECT"], "false";
        timeout_seconds => timeout: Seconds<1, 600>, ["ARGUSD_MAIL_TIMEOUT_SECONDS"], "30";
    }

    /// Ways to send text messages. At most one of them is set.
    SmsConfig, Sms, "sms." {
        gateway_address => gateway_address: String, ["ARGUSD_SMS_GATEWAY_ADDRESS", "SMS_GATEWAY_ADDRESS"], "";
        address_template => address_template: String, ["ARGUSD_SMS_ADDRESS_TEMPLATE"], "";
        http => http: SmsHttp, [], "";
    }
}

/// Applies rules that concern several settings.
pub(super) fn finish(mut config: Config) -> Result<Config, ConfigError> {
    let (mail, sms) = (&mut config.mail, &config.sms);
    if mail.port.origin == Origin::Default {
        mail.port.value = match mail.tls.value {
            MailTls::None => 25,
            MailTls::StartTls => 587,
            MailTls::Tls => 465,
        };
    }
    let ways =
        [!sms.gateway_address.value.is_empty(), !sms.address_template.value.is_empty(), sms.http.value.is_some()];
    if ways.into_iter().filter(|way| *way).count() > 1 {
        return Err(ConfigError::BadValue {
            name: "sms",
            origin: sms.gateway_address.origin,
            reason: "only one of gateway_address, address_template and http may be set".to_owned(),
        });
    }
    check_tls(&config)?;
    Ok(config)
}

/// Refuses half of a pair, and encryption that nothing would use.
fn check_tls(config: &Config) -> Result<(), ConfigError> {
    let (cert, key) = (&config.tls.cert, &config.tls.key);
    let wrong = |name, origin, reason: &str| Err(ConfigError::BadValue { name, origin, reason: reason.to_owned() });
    match (cert.value.is_some(), key.value.is_some()) {
        (true, false) => wrong("tls.cert", cert.origin, "tls.key is not set, and they belong together"),
        (false, true) => wrong("tls.key", key.origin, "tls.cert is not set, and they belong together"),
        (true, true) if config.listen.value.starts_with("unix:") => wrong(
            "tls.cert",
            cert.origin,
            "a Unix socket is not encrypted: leave out tls.cert and tls.key, and let the proxy encrypt, or listen on HOST:PORT",
        ),
        _ => Ok(()),
    }
}
