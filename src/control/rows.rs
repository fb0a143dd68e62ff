//! Rows of the lists that the command line prints: users, tokens, sources, filters, profiles and channels, without
//! secrets.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::{
    Channel, Directory, FilterBlob, Profile, Source, StoredFilter, Timestamp, Token, TokenKind, User, retention::shown,
};
use crate::service::RetentionPlan;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "they are columns")]
pub struct UserRow {
    pub pk: u64,
    pub username: String,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub staff: bool,
    pub superuser: bool,
    pub active: bool,
    pub password: bool,
    /// Name of the source that this user posts for.
    pub source: Option<String>,
    pub grants: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenRow {
    pub pk: u64,
    pub username: String,
    pub kind: String,
    pub created: String,
    pub expires: Option<String>,
    /// First digits of the secret's hash, to distinguish tokens.
    pub fingerprint: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SourceRow {
    pub pk: u64,
    pub name: String,
    pub source_type: String,
    pub username: String,
    pub base_url: String,
    pub last_seen: Option<String>,
    /// Heartbeat interval in seconds.
    pub heartbeat: Option<u32>,
}

/// Plan of the retention. Times are in UTC.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RetentionRow {
    /// Days after which closed incidents are deleted. `None`: never.
    pub closed_days: Option<u32>,
    /// Whether `closed_days` is the setting. Otherwise the rest is what would happen if it were set now.
    pub is_set: bool,
    pub next_deletion: Option<String>,
    /// Time of the next deletion in the server's time zone.
    pub next_deletion_local: Option<String>,
    /// Number of incidents that are deleted then.
    pub incidents: u64,
    pub all_incidents: u64,
    /// The earliest and the latest time since which one of them is closed.
    pub oldest: Option<String>,
    pub newest: Option<String>,
    /// Bytes of their records in the data file, without indexes.
    pub bytes: u64,
}

impl RetentionRow {
    pub(super) fn off(all_incidents: u64) -> Self {
        Self { is_set: true, all_incidents, ..Self::default() }
    }

    pub(super) fn new(plan: &RetentionPlan, all_incidents: u64, zone: Tz) -> Self {
        let forecast = plan.forecast;
        Self {
            closed_days: Some(plan.closed_days),
            is_set: plan.is_set,
            next_deletion: Some(iso(plan.next_run)),
            next_deletion_local: Some(shown(plan.next_run, zone)),
            incidents: forecast.incidents,
            all_incidents,
            oldest: forecast.closed.map(|(oldest, _)| iso(oldest)),
            newest: forecast.closed.map(|(_, newest)| iso(newest)),
            bytes: forecast.bytes,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FilterRow {
    pub pk: u64,
    pub username: String,
    pub name: String,
    pub public: bool,
    /// Criteria as in the API, without those that are not set.
    pub filter: Value,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProfileRow {
    pub pk: u64,
    pub username: String,
    pub name: Option<String>,
    pub active: bool,
    /// Name of the timeslot.
    pub timeslot: String,
    /// Names of the filters.
    pub filters: Vec<String>,
    /// Media and addresses of the destinations, without secrets.
    pub destinations: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChannelRow {
    pub id: String,
    pub name: String,
    pub channel_type: String,
    /// Names of the settings, without values, which may be secret.
    pub settings: Vec<String>,
    pub offered: bool,
}

impl ChannelRow {
    pub(super) fn new(channel: &Channel) -> Self {
        Self {
            id: channel.uuid.to_string(),
            name: channel.name.clone(),
            channel_type: channel.kind.clone(),
            settings: channel.config.iter().flat_map(|config| config.keys().cloned()).collect(),
            offered: channel.offered,
        }
    }
}

impl UserRow {
    pub(super) fn new(user: &User, directory: &Directory) -> Self {
        Self {
            pk: user.id.0,
            username: user.username.clone(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            email: user.email.clone(),
            staff: user.is_staff,
            superuser: user.is_superuser,
            active: user.is_active,
            password: user.password_hash.is_some(),
            source: directory.source_of(user.id).map(|source| source.name.clone()),
            grants: user.grants.clone(),
        }
    }
}

impl TokenRow {
    pub(super) fn new(token: &Token, directory: &Directory) -> Self {
        Self {
            pk: token.id.0,
            username: username(directory, token.user),
            kind: match token.kind {
                TokenKind::Classic => "token",
                TokenKind::Login => "login",
                TokenKind::Session => "session",
            }
            .to_owned(),
            created: iso(token.created),
            expires: token.expires.map(iso),
            fingerprint: hex::encode(token.hash).chars().take(8).collect(),
        }
    }
}

impl SourceRow {
    pub(super) fn new(source: &Source, last_seen: Option<Timestamp>, directory: &Directory) -> Self {
        Self {
            pk: source.id.0,
            name: source.name.clone(),
            source_type: source.source_type.clone(),
            username: username(directory, source.user),
            base_url: source.base_url.clone(),
            last_seen: last_seen.map(iso),
            heartbeat: source.heartbeat_frequency,
        }
    }
}

impl FilterRow {
    pub(super) fn new(filter: &StoredFilter, directory: &Directory) -> Self {
        Self {
            pk: filter.id.0,
            username: username(directory, filter.owner),
            name: filter.name.clone(),
            public: filter.public,
            filter: criteria(&filter.blob),
        }
    }
}

impl ProfileRow {
    pub(super) fn new(profile: &Profile, directory: &Directory) -> Self {
        let filters = profile.filters.iter().filter_map(|id| directory.filters.get(id));
        let destinations = profile.destinations.iter().filter_map(|id| directory.destinations.get(id));
        Self {
            pk: profile.id.0,
            username: username(directory, profile.owner),
            name: profile.name.clone(),
            active: profile.active,
            timeslot: directory.timeslots.get(&profile.timeslot).map(|it| it.name.clone()).unwrap_or_default(),
            filters: filters.map(|filter| filter.name.clone()).collect(),
            destinations: destinations
                .map(|destination| format!("{} {}", destination.medium, destination.shown()).trim_end().to_owned())
                .collect(),
        }
    }
}

fn criteria(blob: &FilterBlob) -> Value {
    let given = blob.given().filter(|(_, given)| given.count().is_some());
    Value::Object(given.map(|(criterion, given)| (criterion.key.to_owned(), json!(given))).collect())
}

fn username(directory: &Directory, id: crate::domain::ids::UserId) -> String {
    directory.user(id).map(|user| user.username.clone()).unwrap_or_default()
}

pub(super) fn iso(at: Timestamp) -> String {
    at.to_datetime().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
