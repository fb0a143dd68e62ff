//! Commands: they read, decide, and stage what is written unless they refuse.

use uuid::Uuid;

use super::{StoreError, configure::Configure, counters::Counters, tables::Reads};
use crate::domain::{
    ack::Acknowledgement,
    agenda::Task,
    change::ChangeKind,
    contact::{Contact, ContactGroup},
    directory::Directory,
    event::Event,
    ids::{ContactGroupId, ContactId, EventId, IncidentId, MessageId, Seq, SourceId, UserId},
    incident::Incident,
    message::Message,
    preferences::Preferences,
    time::Timestamp,
    token::TokenHash,
    user::User,
};

/// What a command sees and does; what concerns the kinds of configuration is in `kind` and `configure`. Reads see all that is committed and the earlier commands of the batch, but not what
/// this command staged itself.
pub struct Command<'a> {
    pub(super) reads: &'a dyn Reads,
    pub(super) directory: &'a Directory,
    pub(super) counters: &'a mut Counters,
    pub(super) now: Timestamp,
    pub(super) staged: Vec<Staged>,
}

/// One write that waits for the command to be accepted.
pub enum Staged {
    PutIncident(Incident),
    DeleteIncident(IncidentId),
    PutEvent(Event),
    PutAck(Acknowledgement),
    PutUser(User),
    PutPreferences(UserId, Preferences),
    Configure(Configure),
    PutMessage(Message),
    PutContact(Contact),
    DeleteContact(Uuid),
    PutContactGroup(ContactGroup),
    DeleteContactGroup(Uuid),
    /// `None` deletes the row.
    Schedule(Task, Option<Timestamp>),
    SetLastSeen(SourceId, Timestamp),
    TrimChanges {
        up_to: Seq,
    },
    SetExpiryClock(Timestamp),
    Log(ChangeKind),
}

macro_rules! new_ids {
    ($($method:ident: $id:ident from $counter:ident),+ $(,)?) => {$(
        /// A number that was never given out before.
        pub fn $method(&mut self) -> $id {
            self.counters.$counter += 1;
            $id(self.counters.$counter)
        }
    )+};
}

impl Command<'_> {
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    #[must_use]
    pub fn directory(&self) -> &Directory {
        self.directory
    }

    /// The last change before this command, committed or earlier in the batch.
    #[must_use]
    pub fn seq(&self) -> Seq {
        Seq(self.counters.last_seq)
    }

    /// How far the clock went by which expired tokens are deleted.
    pub fn set_expiry_clock(&mut self, reached: Timestamp) {
        self.staged.push(Staged::SetExpiryClock(reached));
    }

    /// A message of the outbox.
    pub fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.reads.message(id)
    }

    pub fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        self.reads.incident(id)
    }

    pub fn incident_with_source_id(&self, source: SourceId, id: &str) -> Result<Option<IncidentId>, StoreError> {
        self.reads.incident_with_source_id(source, id)
    }

    pub fn event(&self, incident: IncidentId, event: EventId) -> Result<Option<Event>, StoreError> {
        self.reads.event(incident, event)
    }

    /// By id; those that were added after `event`.
    pub fn events_after(&self, incident: IncidentId, event: EventId) -> Result<Vec<Event>, StoreError> {
        self.reads.events_after(incident, event)
    }

    pub fn ack(&self, incident: IncidentId, event: EventId) -> Result<Option<Acknowledgement>, StoreError> {
        self.reads.ack(incident, event)
    }

    /// By event id.
    pub fn acks_of(&self, incident: IncidentId) -> Result<Vec<Acknowledgement>, StoreError> {
        self.reads.acks_of(incident)
    }

    /// `None`: the user chose nothing yet.
    pub fn preferences(&self, user: UserId) -> Result<Option<Preferences>, StoreError> {
        self.reads.preferences(user)
    }

    pub fn contact(&self, uuid: Uuid) -> Result<Option<Contact>, StoreError> {
        self.reads.contact(uuid)
    }

    /// Regardless of case.
    pub fn contact_named(&self, username: &str) -> Result<Option<Uuid>, StoreError> {
        self.reads.contact_named(username)
    }

    pub fn contact_group(&self, uuid: Uuid) -> Result<Option<ContactGroup>, StoreError> {
        self.reads.contact_group(uuid)
    }

    /// Regardless of case.
    pub fn contact_group_named(&self, name: &str) -> Result<Option<Uuid>, StoreError> {
        self.reads.contact_group_named(name)
    }

    /// By UUID.
    pub fn members_of(&self, group: Uuid) -> Result<Vec<Uuid>, StoreError> {
        self.reads.members_of(group)
    }

    /// Of any contact.
    pub fn is_default_channel(&self, channel: Uuid) -> Result<bool, StoreError> {
        self.reads.is_default_channel(channel)
    }

    new_ids! {
        new_incident_id: IncidentId from last_incident,
        new_event_id: EventId from last_event,
        new_message_id: MessageId from last_message,
        new_contact_id: ContactId from last_contact,
        new_contact_group_id: ContactGroupId from last_contact_group,
    }

    /// The caller has made sure that (source, source incident id) is free.
    pub fn put_incident(&mut self, incident: Incident) {
        self.staged.push(Staged::PutIncident(incident));
    }

    /// Its events and acknowledgements go with it.
    pub fn delete_incident(&mut self, id: IncidentId) {
        self.staged.push(Staged::DeleteIncident(id));
    }

    pub fn put_ack(&mut self, ack: Acknowledgement) {
        self.staged.push(Staged::PutAck(ack));
    }

    /// If the event says that it was decided about, those who are to be told get their messages in the same transaction;
    /// its incident has been put before.
    pub fn put_event(&mut self, event: Event) {
        self.staged.push(Staged::PutEvent(event));
    }

    /// Adds a user under a number that was never given out before; the number in `user` does not count. This and the other
    /// changes of configuration log themselves, with both values.
    pub fn add_user(&mut self, user: User) -> User {
        self.counters.last_user += 1;
        let user = User { id: UserId(self.counters.last_user), ..user };
        self.staged.push(Staged::PutUser(user.clone()));
        user
    }

    /// Changes a user, starting from what is stored now, and ends the sessions and tokens that the change ends. `None`:
    /// there is no such user.
    ///
    /// The only way to change a user: a copy that was read before something slow, such as a password hash, cannot be
    /// written back over what others changed in the meantime.
    pub fn edit_user(&mut self, id: UserId, edit: impl FnOnce(&mut User)) -> Option<User> {
        self.edit_user_keeping(id, None, edit)
    }

    /// [`Command::edit_user`], except that the session or token `kept` stays valid: that of who makes the change.
    pub fn edit_user_keeping(
        &mut self,
        id: UserId,
        kept: Option<TokenHash>,
        edit: impl FnOnce(&mut User),
    ) -> Option<User> {
        let staged = self.staged.iter().rev().find_map(|staged| match staged {
            Staged::PutUser(user) if user.id == id => Some(user),
            _ => None,
        });
        let before = User::clone(staged.or_else(|| self.directory.user(id).map(AsRef::as_ref))?);
        let mut user = before.clone();
        edit(&mut user);
        user.id = id;
        if user != before {
            let tokens = self.directory.tokens_of(id).into_iter();
            let ended = tokens.filter(|token| Some(token.hash) != kept && token.is_ended_by(&before, &user));
            let ended: Vec<TokenHash> = ended.map(|token| token.hash).collect();
            for hash in ended {
                self.delete_token(hash);
            }
            self.staged.push(Staged::PutUser(user.clone()));
        }
        Some(user)
    }

    /// Nothing depends on them, so nothing is logged.
    pub fn put_preferences(&mut self, user: UserId, preferences: Preferences) {
        self.staged.push(Staged::PutPreferences(user, preferences));
    }

    /// Messages about events make themselves, when the event is put; this is for what becomes of them, and summaries.
    pub fn put_message(&mut self, message: Message) {
        self.staged.push(Staged::PutMessage(message));
    }

    /// The caller has made sure that the username is free, or is made so by this command before.
    pub fn put_contact(&mut self, contact: Contact) {
        self.staged.push(Staged::PutContact(contact));
    }

    pub fn delete_contact(&mut self, uuid: Uuid) {
        self.staged.push(Staged::DeleteContact(uuid));
    }

    /// The caller has made sure that the name is free, or is made so by this command before.
    pub fn put_contact_group(&mut self, group: ContactGroup) {
        self.staged.push(Staged::PutContactGroup(group));
    }

    /// The caller takes it out of its contacts, too.
    pub fn delete_contact_group(&mut self, uuid: Uuid) {
        self.staged.push(Staged::DeleteContactGroup(uuid));
    }

    /// Adds a row to the agenda, or moves the one that the task has; `None` deletes it. Changes of sources and of their
    /// tokens make rows due by themselves.
    pub fn schedule(&mut self, task: Task, due: Option<Timestamp>) {
        self.staged.push(Staged::Schedule(task, due));
    }

    /// Appends to the change log: for incidents, whose changes do not log themselves.
    pub fn log(&mut self, kind: ChangeKind) {
        self.staged.push(Staged::Log(kind));
    }
}
