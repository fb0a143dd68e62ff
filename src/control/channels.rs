//! Administrative commands about channels.

use secrecy::ExposeSecret;
use uuid::Uuid;

use super::{AdminReply, ChangeChannel, CreateChannel, accounts::unchanged, execute::AdminError, rows::ChannelRow};
use crate::domain::{ChannelDraft, channel::is_valid_type, channel_types::CHANNEL_TYPES};
use crate::service::{ChannelRefusal, Refusal, Service, ServiceError};

/// Returns the channel types that need no plug-in.
#[must_use]
pub fn built_in_types() -> Vec<&'static str> {
    CHANNEL_TYPES.iter().map(|known| known.key).collect()
}

type AdminResult = Result<AdminReply, AdminError>;

pub(super) fn list(service: &Service) -> AdminReply {
    let directory = service.directory();
    AdminReply::Channels(directory.channels.values().map(|channel| ChannelRow::new(channel)).collect())
}

/// Creates a channel. Replies with its UUID.
pub(super) async fn create(service: &Service, new: CreateChannel) -> AdminResult {
    check_type(service, &new.channel_type)?;
    let (name, if_missing) = (new.name.clone(), new.if_missing);
    let uuid = new.uuid.as_deref().map(uuid).transpose()?;
    let new = ChannelDraft {
        uuid,
        name: Some(new.name),
        kind: Some(new.channel_type),
        config: new.config.map(|config| config.expose_secret().to_owned()),
        offered: Some(new.offered),
    };
    let taken = |error: &ServiceError| {
        matches!(error, ServiceError::Refused(Refusal::Channel(ChannelRefusal::NameTaken | ChannelRefusal::UuidTaken)))
    };
    match service.contacts().put_channel(&service.people().local_caller()?, None, new).await {
        Err(error) if if_missing && taken(&error) => {
            let directory = service.directory();
            let there = directory.channel_named(&name).filter(|there| uuid.is_none_or(|uuid| there.uuid == uuid));
            let there = there.ok_or(error)?;
            Ok(unchanged(there.uuid.to_string(), &format!("channel {} exists", there.name)))
        }
        created => Ok(AdminReply::Text(created?.uuid.to_string())),
    }
}

pub(super) async fn change(service: &Service, change: ChangeChannel) -> AdminResult {
    let uuid = find(service, &change.which)?;
    if let Some(kind) = &change.channel_type {
        check_type(service, kind)?;
    }
    let change = ChannelDraft {
        uuid: None,
        name: change.name,
        kind: change.channel_type,
        config: change.config.map(|config| config.expose_secret().to_owned()),
        offered: change.offered,
    };
    service.contacts().put_channel(&service.people().local_caller()?, Some(uuid), change).await?;
    Ok(AdminReply::Done)
}

pub(super) async fn delete(service: &Service, which: &str) -> AdminResult {
    let uuid = find(service, which)?;
    service.contacts().delete_channel(&service.people().local_caller()?, uuid).await?;
    Ok(AdminReply::Done)
}

/// Refuses a channel type that is neither built in nor the name of an installed plug-in.
fn check_type(service: &Service, kind: &str) -> Result<(), AdminError> {
    let (built_in, plugins) = (built_in_types(), service.notifications().plugins());
    if !is_valid_type(kind) || built_in.contains(&kind) || plugins.iter().any(|plugin| plugin == kind) {
        // An invalid name has an error of its own.
        return Ok(());
    }
    let plugins = match plugins.as_slice() {
        [] => "no plug-in is installed".to_owned(),
        plugins => format!("installed plug-ins are {}", plugins.join(", ")),
    };
    let known = built_in.join(", ");
    Err(AdminError::Other(format!("there is no channel type {kind:?}; built-in types are {known}, and {plugins}")))
}

fn find(service: &Service, which: &str) -> Result<Uuid, AdminError> {
    let directory = service.directory();
    let by_id = uuid(which).ok().and_then(|uuid| directory.channels.get(&uuid));
    let found = by_id.or_else(|| directory.channel_named(which));
    found.map(|channel| channel.uuid).ok_or_else(|| AdminError::Other(format!("there is no channel {which:?}")))
}

fn uuid(text: &str) -> Result<Uuid, AdminError> {
    let is_plain = text.len() == 36;
    let parsed = Uuid::try_parse(text).ok().filter(|_| is_plain);
    parsed.ok_or_else(|| AdminError::Other(format!("{text:?} is no UUID")))
}
