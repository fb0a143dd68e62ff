//! Administrative commands and their replies, for the admin socket and for a shell.
//!
//! The same code serves a running server's socket and an offline command, so both behave alike. Knows nothing of how
//! requests arrive or how replies are shown.

mod accounts;
mod channels;
mod execute;
mod faults;
mod incidents;
mod rows;
mod subscriptions;

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

pub use self::{
    channels::built_in_types as built_in_channel_types,
    execute::execute,
    rows::{ChannelRow, FilterRow, SourceRow, TokenRow, UserRow},
};

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
    CreateToken {
        username: String,
        #[serde(serialize_with = "send")]
        value: Option<SecretString>,
        life: Life,
    },
    RevokeToken(RevokeToken),
    ListSources,
    CreateSource(CreateSource),
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
    /// `None`: as the setting says.
    CheckTokens {
        days: Option<u32>,
    },
    CheckHeartbeats,
    ListFilters {
        id: Option<u64>,
        name: Option<String>,
    },
    ToggleProfiles(Vec<u64>),
    CreateIncidents(CreateIncidents),
    CloseIncident(CloseIncident),
    Generate {
        count: u64,
        seed: u64,
    },
    Demo {
        seed: u64,
        force: bool,
    },
    Check,
    Reindex,
    Backup {
        to: PathBuf,
    },
}

/// One line of an answer; everything but `Progress` is the last.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum AdminReply {
    Progress(String),
    Done,
    /// Something to print as it is: a token, a primary key.
    Text(String),
    Users(Vec<UserRow>),
    Tokens(Vec<TokenRow>),
    Sources(Vec<SourceRow>),
    Channels(Vec<ChannelRow>),
    Filters(Vec<FilterRow>),
    /// What `check` found; empty: all is well.
    Findings(Vec<String>),
    /// The command was not carried out, and why.
    Refused(String),
}

/// Writes a secret for the other end of the admin socket, the only place to which one is serialized.
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
    /// `None`: cannot log in with a password.
    #[serde(serialize_with = "send")]
    pub password: Option<SecretString>,
    pub grants: Vec<String>,
}

/// What is `None` stays as it is.
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

/// How long a new token lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Life {
    /// As the settings say.
    Setting,
    Never,
    Days(u32),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum RevokeToken {
    /// The number that the list shows.
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
    /// Answer with a token for the source's user.
    pub token: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateChannel {
    pub name: String,
    pub channel_type: String,
    /// `None`: one is made up.
    pub uuid: Option<String>,
    /// JSON, with secrets.
    #[serde(serialize_with = "send")]
    pub config: Option<SecretString>,
    pub offered: bool,
}

/// What is `None` stays as it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangeChannel {
    /// Its name or its UUID.
    pub which: String,
    pub name: Option<String>,
    pub channel_type: Option<String>,
    /// JSON, with secrets.
    #[serde(serialize_with = "send")]
    pub config: Option<SecretString>,
    pub offered: Option<bool>,
}

/// Test incidents (contract section 24).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateIncidents {
    pub count: u32,
    /// The source's name; `None`: `argus`.
    pub source: Option<String>,
    pub source_type: Option<String>,
    pub description: Option<String>,
    pub level: Option<u8>,
    pub tags: Vec<String>,
    pub stateless: bool,
    /// JSON.
    pub metadata: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CloseIncident {
    pub which: IncidentSelector,
    /// Microseconds after the incident's start at which it ended; `None`: it ended now.
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
            json!({"CreateToken": {"username": "ann", "value": "hunter2", "life": "Setting"}}),
            json!({"CreateToken": {"username": "ann", "value": null, "life": "Setting"}}),
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
