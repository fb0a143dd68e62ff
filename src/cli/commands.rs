//! The administrative verbs: convert arguments to a request, have it executed, and print the reply.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use secrecy::SecretString;

use super::{
    args::{ChannelCommand, FilterCommand, IncidentCommand, ProfileCommand, SourceCommand, TokenCommand, UserCommand},
    output::{self, Format},
    remote, retention, secrets,
};
use crate::config::Config;
use crate::control::{
    AdminReply, AdminRequest, ChangeChannel, ChangeUser, ChannelRow, CloseIncident, CreateChannel, CreateIncidents,
    CreateSource, CreateToken, CreateUser, FilterRow, IncidentSelector, Life, ProfileRow, RevokeToken, SourceRow,
    TokenRow, UserRow,
};
use crate::server;

pub(super) fn run(config: &Config, request: AdminRequest, format: Format) -> anyhow::Result<ExitCode> {
    show(remote::carry_out(config, request)?, format)
}

pub(super) fn user(config: &Config, command: UserCommand) -> anyhow::Result<ExitCode> {
    let mut format = Format::Table;
    let request = match command {
        UserCommand::Create {
            name,
            email,
            first_name,
            last_name,
            staff,
            superuser,
            password_file,
            grant,
            if_missing,
        } => AdminRequest::CreateUser(CreateUser {
            username: name,
            email,
            first_name,
            last_name,
            staff,
            superuser,
            password: password_file.as_deref().map(secrets::read_new_password).transpose()?,
            grants: grant,
            if_missing,
        }),
        UserCommand::List { json } => {
            format = Format::from_flag(json);
            AdminRequest::ListUsers
        }
        UserCommand::Change { name, email, first_name, last_name, staff, superuser, active, grant, revoke_grant } => {
            AdminRequest::ChangeUser(ChangeUser {
                username: name,
                email,
                first_name,
                last_name,
                staff,
                superuser,
                active,
                grant,
                revoke: revoke_grant,
            })
        }
        UserCommand::Password { name, password_file } => {
            AdminRequest::SetPassword { username: name, password: secrets::read_new_password(&password_file)? }
        }
        UserCommand::Deactivate { name } => AdminRequest::Deactivate { username: name },
    };
    run(config, request, format)
}

pub(super) fn token(config: &Config, command: TokenCommand) -> anyhow::Result<ExitCode> {
    let mut format = Format::Table;
    let request = match command {
        TokenCommand::Create { user, value_file, value, expires, if_missing } => {
            AdminRequest::CreateToken(CreateToken {
                username: user,
                value: value_file.map(|file| secrets::read(&file, "Token: ")).transpose()?.or(value),
                life: expires.unwrap_or(Life::Setting),
                if_missing,
            })
        }
        TokenCommand::List { user, json } => {
            format = Format::from_flag(json);
            AdminRequest::ListTokens { username: user }
        }
        TokenCommand::Revoke { id, value_file, user } => AdminRequest::RevokeToken(match (id, value_file, user) {
            (Some(id), ..) => RevokeToken::Id(id),
            (_, Some(file), _) => RevokeToken::Value(secrets::read(&file, "Token: ")?),
            (.., user) => RevokeToken::AllOf(user.unwrap_or_default()),
        }),
        TokenCommand::Check { days } => AdminRequest::CheckTokens { days },
    };
    run(config, request, format)
}

pub(super) fn source(config: &Config, command: SourceCommand) -> anyhow::Result<ExitCode> {
    match command {
        SourceCommand::Create { name, source_type, base_url, username, token, expires, if_missing } => {
            let token = token.then(|| expires.unwrap_or(Life::Setting));
            let new = CreateSource { name, source_type, base_url, username, token, if_missing };
            run(config, AdminRequest::CreateSource(new), Format::Table)
        }
        SourceCommand::List { json } => run(config, AdminRequest::ListSources, Format::from_flag(json)),
        SourceCommand::Change { name, source_type, heartbeat } => {
            run(config, AdminRequest::WatchSource { name, source_type, heartbeat: heartbeat.0 }, Format::Table)
        }
        SourceCommand::Delete { name, source_type } => {
            run(config, AdminRequest::DeleteSource { name, source_type }, Format::Table)
        }
        SourceCommand::Check => run(config, AdminRequest::CheckHeartbeats, Format::Table),
    }
}

pub(super) fn channel(config: &Config, command: ChannelCommand) -> anyhow::Result<ExitCode> {
    let whole = |path: PathBuf| read(&path).map(SecretString::from);
    let request = match command {
        ChannelCommand::Create { name, channel_type, id, settings, offered, if_missing } => {
            let config = settings.map(whole).transpose()?;
            AdminRequest::CreateChannel(CreateChannel { name, channel_type, uuid: id, config, offered, if_missing })
        }
        ChannelCommand::List { json } => return run(config, AdminRequest::ListChannels, Format::from_flag(json)),
        ChannelCommand::Change { channel, name, channel_type, settings, offered } => {
            let config = settings.map(whole).transpose()?;
            AdminRequest::ChangeChannel(ChangeChannel { which: channel, name, channel_type, config, offered })
        }
        ChannelCommand::Types { json } => return types(config, Format::from_flag(json)),
        ChannelCommand::Delete { channel } => AdminRequest::DeleteChannel { which: channel },
    };
    run(config, request, Format::Table)
}

/// Lists the channel types of plug-ins by asking the plug-ins, without the server.
fn types(config: &Config, format: Format) -> anyhow::Result<ExitCode> {
    let rows = server::plugin_types(config)?;
    let directory = config.notifications.plugins.value.as_deref().unwrap_or(Path::new("(none)"));
    if rows.is_empty() && format == Format::Table {
        output::say(format!("there are no channel plug-ins in {}", directory.display()));
    } else {
        output::list(format, &rows, TYPES, |row| {
            vec![row.kind.clone(), row.name.clone(), row.version.clone(), row.settings.join(", ")]
        });
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn filter(config: &Config, command: FilterCommand) -> anyhow::Result<ExitCode> {
    let FilterCommand::List { pk, name, json } = command;
    run(config, AdminRequest::ListFilters { id: pk, name }, Format::from_flag(json))
}

pub(super) fn profile(config: &Config, command: ProfileCommand) -> anyhow::Result<ExitCode> {
    match command {
        ProfileCommand::List { user, json } => {
            run(config, AdminRequest::ListProfiles { username: user }, Format::from_flag(json))
        }
        ProfileCommand::Toggle { ids } => run(config, AdminRequest::ToggleProfiles(ids), Format::Table),
    }
}

pub(super) fn incident(config: &Config, command: IncidentCommand) -> anyhow::Result<ExitCode> {
    let request = match command {
        IncidentCommand::Create {
            count,
            description,
            level,
            tags,
            source,
            source_type,
            stateless,
            metadata,
            metadata_file,
        } => {
            let metadata = match metadata_file {
                Some(file) => Some(read(&file)?),
                None => metadata,
            };
            AdminRequest::CreateIncidents(CreateIncidents {
                count,
                source,
                source_type,
                description,
                level,
                tags,
                stateless,
                metadata,
            })
        }
        IncidentCommand::Close { id, source, source_incident_id, duration, closing_message } => {
            let which = match id {
                Some(id) => IncidentSelector::Id(id),
                None => IncidentSelector::OfSource {
                    source: source.unwrap_or_default(),
                    source_incident_id: source_incident_id.unwrap_or_default(),
                },
            };
            AdminRequest::CloseIncident(CloseIncident { which, duration, message: closing_message })
        }
    };
    run(config, request, Format::Table)
}

pub(super) fn show(reply: AdminReply, format: Format) -> anyhow::Result<ExitCode> {
    match reply {
        AdminReply::Done | AdminReply::Progress(_) | AdminReply::Doctor(_) | AdminReply::MailTest(_) => {}
        AdminReply::Text(text) => output::say(text),
        AdminReply::Noted { text, remark } => {
            if !text.is_empty() {
                output::say(text);
            }
            output::note(remark);
        }
        AdminReply::Users(rows) => output::list(format, &rows, USERS, user_cells),
        AdminReply::Tokens(rows) => output::list(format, &rows, TOKENS, token_cells),
        AdminReply::Sources(rows) => output::list(format, &rows, SOURCES, source_cells),
        AdminReply::Channels(rows) => output::list(format, &rows, CHANNELS, channel_cells),
        AdminReply::Filters(rows) => output::list(format, &rows, FILTERS, filter_cells),
        AdminReply::Profiles(rows) => output::list(format, &rows, PROFILES, profile_cells),
        AdminReply::Retention(row) => retention::show(&row, format),
        AdminReply::Findings(findings) if findings.is_empty() => output::say("all is well"),
        AdminReply::Findings(findings) => {
            for finding in findings {
                output::say(finding);
            }
            return Ok(ExitCode::FAILURE);
        }
        AdminReply::Refused(reason) | AdminReply::TargetFailed(reason) => anyhow::bail!(reason),
    }
    Ok(ExitCode::SUCCESS)
}

const USERS: &[&str] = &["PK", "NAME", "FULL NAME", "EMAIL", "STAFF", "SUPERUSER", "ACTIVE", "PASSWORD", "SOURCE"];
const TOKENS: &[&str] = &["PK", "USER", "KIND", "CREATED", "EXPIRES", "HASH"];
const SOURCES: &[&str] = &["PK", "NAME", "TYPE", "USER", "BASE URL", "LAST SEEN", "HEARTBEAT"];
const FILTERS: &[&str] = &["PK", "USER", "NAME", "PUBLIC", "FILTER"];

const PROFILES: &[&str] = &["PK", "USER", "NAME", "ACTIVE", "TIMESLOT", "FILTERS", "DESTINATIONS"];

const TYPES: &[&str] = &["TYPE", "NAME", "VERSION", "SETTINGS"];

const CHANNELS: &[&str] = &["ID", "NAME", "TYPE", "SETTINGS", "OFFERED"];

fn channel_cells(row: &ChannelRow) -> Vec<String> {
    vec![row.id.clone(), row.name.clone(), row.channel_type.clone(), row.settings.join(", "), yes(row.offered)]
}

fn user_cells(row: &UserRow) -> Vec<String> {
    vec![
        row.pk.to_string(),
        row.username.clone(),
        format!("{} {}", row.first_name, row.last_name).trim().to_owned(),
        row.email.clone(),
        yes(row.staff),
        yes(row.superuser),
        yes(row.active),
        yes(row.password),
        row.source.clone().unwrap_or_default(),
    ]
}

fn token_cells(row: &TokenRow) -> Vec<String> {
    vec![
        row.pk.to_string(),
        row.username.clone(),
        row.kind.clone(),
        row.created.clone(),
        row.expires.clone().unwrap_or_else(|| "never".to_owned()),
        row.fingerprint.clone(),
    ]
}

fn source_cells(row: &SourceRow) -> Vec<String> {
    vec![
        row.pk.to_string(),
        row.name.clone(),
        row.source_type.clone(),
        row.username.clone(),
        row.base_url.clone(),
        row.last_seen.clone().unwrap_or_default(),
        row.heartbeat.map(|seconds| format!("{seconds} s")).unwrap_or_default(),
    ]
}

fn filter_cells(row: &FilterRow) -> Vec<String> {
    let (pk, filter) = (row.pk.to_string(), row.filter.to_string());
    vec![pk, row.username.clone(), row.name.clone(), yes(row.public), filter]
}

fn profile_cells(row: &ProfileRow) -> Vec<String> {
    vec![
        row.pk.to_string(),
        row.username.clone(),
        row.name.clone().unwrap_or_default(),
        yes(row.active),
        row.timeslot.clone(),
        row.filters.join(", "),
        row.destinations.join(", "),
    ]
}

fn yes(flag: bool) -> String {
    if flag { "yes" } else { "no" }.to_owned()
}

fn read(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        return Ok(text);
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
