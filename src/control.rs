//! Administrative commands and their replies, for the admin socket and for a shell.
//!
//! The same code serves the socket of a running server and an offline command, so both behave alike. It does not know
//! how requests arrive or how replies are shown.

mod accounts;
mod channels;
mod execute;
mod faults;
mod incidents;
mod retention;
mod rows;
mod subscriptions;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use crate::service::MailTest;

pub use self::{
    channels::built_in_types as built_in_channel_types,
    execute::execute,
    rows::{ChannelRow, FilterRow, ProfileRow, RetentionRow, SourceRow, TokenRow, UserRow},
};
pub use crate::domain::{Finding, FindingLevel, user::password_problem};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum AdminRequest {
    ListUsers,
    CreateUser(CreateUser),
    ChangeUser(ChangeUser),
    SetPassword {
        username: String,
        #[serde(serialize_with = "send")]
        password: SecretString,
    },
    Deactivate {
        username: String,
    },
    ListTokens {
        username: Option<String>,
    },
    CreateToken(CreateToken),
    RevokeToken(RevokeToken),
    ListSources,
    CreateSource(CreateSource),
    DeleteSource {
        name: String,
        source_type: Option<String>,
    },
    ListChannels,
    CreateChannel(CreateChannel),
    ChangeChannel(ChangeChannel),
    DeleteChannel {
        which: String,
    },
    WatchSource {
        name: String,
        source_type: Option<String>,
        heartbeat: Option<u32>,
    },
    /// Checks tokens that expire within `days`. `None`: the number of days of the setting.
    CheckTokens {
        days: Option<u32>,
    },
    CheckHeartbeats,
    ListFilters {
        id: Option<u64>,
        name: Option<String>,
    },
    ListProfiles {
        username: Option<String>,
    },
    ToggleProfiles(Vec<u64>),
    CreateIncidents(CreateIncidents),
    CloseIncident(CloseIncident),
    Generate {
        count: u64,
        seed: u64,
        force: bool,
    },
    Demo {
        seed: u64,
        force: bool,
    },
    /// Shows what the retention will delete. `days`: with this number of days instead of the setting.
    ShowRetention {
        days: Option<u32>,
    },
    Check,
    /// Examines the server and what it depends on.
    Doctor,
    /// Sends a test mail through the server's own mail server.
    TestMail {
        address: String,
    },
    Reindex,
    /// Writes a copy of the data file into the file whose descriptor comes with the request.
    Backup,
}

impl AdminRequest {
    /// Returns whether the command may create the data file. All others are refused where there is none, because a
    /// mistyped path would begin a second, empty server.
    #[must_use]
    pub const fn creates_data_file(&self) -> bool {
        matches!(self, Self::Generate { .. } | Self::Demo { .. })
    }
}

/// One line of a reply. All variants except `Progress` end the reply.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum AdminReply {
    Progress(String),
    Done,
    /// Text that is printed unchanged: a token, a primary key.
    Text(String),
    /// Text for standard output, which may be empty, and a remark for standard error.
    Noted {
        text: String,
        remark: String,
    },
    Users(Vec<UserRow>),
    Tokens(Vec<TokenRow>),
    Sources(Vec<SourceRow>),
    Channels(Vec<ChannelRow>),
    Filters(Vec<FilterRow>),
    Profiles(Vec<ProfileRow>),
    Retention(RetentionRow),
    /// Faults that `check` found, or inconsistencies of a complete backup. Empty: none.
    Findings(Vec<String>),
    /// Results of all checks of the doctor.
    Doctor(Vec<Finding>),
    MailTest(MailTestReply),
    /// The reason why the file that came with the request cannot be written.
    TargetFailed(String),
    /// The reason why the command was not carried out.
    Refused(String),
}

/// Result of a test mail.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MailTestReply {
    pub is_sent: bool,
    /// Last answer of the mail server or the network.
    pub answer: String,
    /// Steps of the dialogue, one line each, without secrets.
    pub transcript: Vec<String>,
}

impl From<MailTest> for MailTestReply {
    fn from(MailTest { is_sent, answer, transcript }: MailTest) -> Self {
        Self { is_sent, answer, transcript }
    }
}

/// Serializes a secret for the other end of the admin socket, the only place to which secrets are serialized.
fn send<'a, S: Serializer>(secret: impl Into<Option<&'a SecretString>>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.into().map(ExposeSecret::expose_secret).serialize(serializer)
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateUser {
    pub username: String,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub staff: bool,
    pub superuser: bool,
    /// Password. `None`: the user cannot log in with a password.
    #[serde(serialize_with = "send")]
    pub password: Option<SecretString>,
    pub grants: Vec<String>,
    /// Whether an existing user of this name is a success, which changes nothing.
    pub if_missing: bool,
}

/// A change of a user. Fields that are `None` keep their values.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ChangeUser {
    pub username: String,
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub staff: Option<bool>,
    pub superuser: Option<bool>,
    pub active: Option<bool>,
    pub grant: Vec<String>,
    pub revoke: Vec<String>,
}

/// Life of a new token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Life {
    /// The life that is set in the settings.
    Setting,
    Never,
    Days(u32),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateToken {
    pub username: String,
    /// A token that is in use elsewhere. `None`: a new one.
    #[serde(serialize_with = "send")]
    pub value: Option<SecretString>,
    pub life: Life,
    /// Whether another valid token of the user is a success, which changes nothing. With `value`: only that token.
    pub if_missing: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum RevokeToken {
    /// The primary key, as the list shows it.
    Id(u64),
    Value(#[serde(serialize_with = "send")] SecretString),
    AllOf(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateSource {
    pub name: String,
    pub source_type: String,
    pub base_url: String,
    pub username: Option<String>,
    /// Life of a new token for the source's user, with which to reply. `None`: no token.
    pub token: Option<Life>,
    /// Whether an existing source of this name and type is a success, which changes nothing and creates no token.
    pub if_missing: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateChannel {
    pub name: String,
    pub channel_type: String,
    /// UUID. `None`: a random one is generated.
    pub uuid: Option<String>,
    /// Settings as a JSON object, which may contain secrets.
    #[serde(serialize_with = "send")]
    pub config: Option<SecretString>,
    pub offered: bool,
    /// Whether an existing channel of this name is a success, which changes nothing.
    pub if_missing: bool,
}

/// A change of a channel. Fields that are `None` keep their values.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangeChannel {
    /// Name or UUID of the channel.
    pub which: String,
    pub name: Option<String>,
    pub channel_type: Option<String>,
    /// Settings as a JSON object, which may contain secrets.
    #[serde(serialize_with = "send")]
    pub config: Option<SecretString>,
    pub offered: Option<bool>,
}

/// Creation of test incidents (contract section 24).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateIncidents {
    pub count: u32,
    /// Name of the source. `None`: `argus`.
    pub source: Option<String>,
    pub source_type: Option<String>,
    pub description: Option<String>,
    pub level: Option<u8>,
    pub tags: Vec<String>,
    pub stateless: bool,
    /// Metadata as JSON.
    pub metadata: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CloseIncident {
    pub which: IncidentSelector,
    /// Microseconds between the start and the end of the incident. `None`: the incident ends now.
    pub duration: Option<i64>,
    pub message: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum IncidentSelector {
    Id(u64),
    OfSource { source: String, source_incident_id: String },
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_cross_the_socket_as_text_and_are_not_shown() {
        for sent in [
            json!({"SetPassword": {"username": "ann", "password": "hunter2"}}),
            json!({"CreateToken": {"username": "ann", "value": "hunter2", "life": "Setting", "if_missing": false}}),
            json!({"CreateToken": {"username": "ann", "value": null, "life": "Setting", "if_missing": true}}),
            json!({"RevokeToken": {"Value": "hunter2"}}),
            json!({"ChangeChannel":
                {"which": "a", "name": null, "channel_type": null, "config": "hunter2", "offered": null}}),
        ] {
            let request: AdminRequest = serde_json::from_value(sent.clone()).unwrap();
            assert_eq!(serde_json::to_value(&request).unwrap(), sent);
            assert!(!format!("{request:?}").contains("hunter2"), "{request:?}");
        }
    }
}
