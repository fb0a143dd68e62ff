//! Creates, changes and deletes channels.

use std::sync::Arc;

use uuid::Uuid;

use crate::clock::random_bytes;
use crate::domain::{Channel, ChannelDraft, ChannelRefusal, Directory, Managed, channel_types::address_types};
use crate::service::{
    Caller, Contacts, ServiceError,
    configuration::{Configured, stage},
    contacts::contact::removal,
};
use crate::store::Command;

impl Contacts {
    pub async fn put_channel(
        &self,
        caller: &Caller,
        uuid: Option<Uuid>,
        mut draft: ChannelDraft,
    ) -> Result<Arc<Channel>, ServiceError> {
        caller.require(Channel::ACTION)?;
        if uuid.is_none() {
            draft.uuid.get_or_insert_with(|| uuid::Builder::from_random_bytes(random_bytes()).into_uuid());
        }
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
        self.put_with(caller, uuid, apply, stage).await
    }

    /// Deletes a channel. Refused while it is a contact's default channel (contact API contract section 7.5).
    pub async fn delete_channel(&self, caller: &Caller, uuid: Uuid) -> Result<(), ServiceError> {
        caller.require(Channel::ACTION)?;
        let user = caller.id();
        self.write(Some(user), move |command| {
            Channel::find(command.directory(), user, uuid)?;
            if command.is_default_channel(uuid)? {
                return Err(ChannelRefusal::InUse.into());
            }
            removal::channel(command, uuid);
            Ok(())
        })
        .await
    }

    /// Returns whether contacts may have addresses of this type.
    #[must_use]
    pub fn is_address_type(&self, directory: &Directory, kind: &str) -> bool {
        address_types().any(|known| known == kind)
            || self.notifications().has_plugin(kind)
            || directory.channels.values().any(|channel| channel.kind == kind)
    }
}
