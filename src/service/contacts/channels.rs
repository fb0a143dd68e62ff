//! Channels: made and changed by administrators.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    clock::random_bytes,
    domain::{
        channel::{Channel, ChannelDraft, ChannelRefusal},
        channel_types::address_types,
        directory::Directory,
    },
    service::{
        Caller, Contacts, Model, ServiceError, configuration::Drafted, contacts::contact::removal, policy::Action,
    },
    store::Command,
};

impl Drafted for Channel {
    const MODEL: Model = Model::Channel;
}

impl Contacts {
    pub async fn create_channel(&self, caller: &Caller, draft: ChannelDraft) -> Result<Arc<Channel>, ServiceError> {
        let new_uuid = || uuid::Builder::from_random_bytes(random_bytes()).into_uuid();
        let uuid = Some(draft.uuid.unwrap_or_else(new_uuid));
        self.put_channel(caller, None, ChannelDraft { uuid, ..draft }).await
    }

    pub async fn change_channel(
        &self,
        caller: &Caller,
        uuid: Uuid,
        draft: ChannelDraft,
    ) -> Result<Arc<Channel>, ServiceError> {
        self.put_channel(caller, Some(uuid), draft).await
    }

    async fn put_channel(
        &self,
        caller: &Caller,
        uuid: Option<Uuid>,
        draft: ChannelDraft,
    ) -> Result<Arc<Channel>, ServiceError> {
        caller.require(Action::ManageChannels)?;
        let config = draft.check()?;
        let service = self.clone();
        let apply = move |before: Option<&Channel>, command: &Command<'_>| {
            let is_secret = |kind: &str, key: &str| service.is_secret_setting(kind, key);
            let after = draft.apply(before, config, command.directory(), is_secret)?;
            if let Some(before) = before {
                let addresses_differ =
                    (after.kind != before.kind || before.needs_no_address()) && !after.needs_no_address();
                if addresses_differ && command.is_default_channel(before.uuid)? {
                    return Err(ChannelRefusal::TypeInUse.into());
                }
            }
            Ok(after)
        };
        self.put(caller, uuid, apply).await
    }

    /// Not while it is a contact's default (contact API contract section 7.5).
    pub async fn delete_channel(&self, caller: &Caller, uuid: Uuid) -> Result<(), ServiceError> {
        caller.require(Action::ManageChannels)?;
        let user = caller.id();
        self.store()
            .write(Some(user), move |command| {
                Channel::found(command.directory(), user, uuid)?;
                if command.is_default_channel(uuid)? {
                    return Err(ChannelRefusal::InUse.into());
                }
                removal::channel(command, uuid);
                Ok::<_, ServiceError>(())
            })
            .await?;
        Ok(())
    }

    /// May contacts have addresses of this type?
    #[must_use]
    pub fn is_address_type(&self, directory: &Directory, kind: &str) -> bool {
        address_types().any(|known| known == kind)
            || self.notifications().has_plugin(kind)
            || directory.channels.values().any(|channel| channel.kind == kind)
    }
}
