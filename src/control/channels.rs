//! Administrative commands about channels.

use secrecy::ExposeSecret;
use uuid::Uuid;

use super::{AdminReply, ChangeChannel, CreateChannel, execute::AdminError, rows::ChannelRow};
use crate::domain::{ChannelDraft, channel_types::CHANNEL_TYPES};
use crate::service::Service;

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
    let uuid = new.uuid.as_deref().map(uuid).transpose()?;
    let new = ChannelDraft {
        uuid,
        name: Some(new.name),
        kind: Some(new.channel_type),
        config: new.config.map(|config| config.expose_secret().to_owned()),
        offered: Some(new.offered),
    };
    let channel = service.contacts().put_channel(&service.people().local_caller()?, None, new).await?;
    Ok(AdminReply::Text(channel.uuid.to_string()))
}

pub(super) async fn change(service: &Service, change: ChangeChannel) -> AdminResult {
    let uuid = find(service, &change.which)?;
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
