//! Commands: they read, decide, and stage writes unless they refuse.

use std::ops::Deref;

use uuid::Uuid;

use super::{configure::Configure, counters::Counters, tables::Reads};
use crate::domain::{
    Acknowledgement, ChangeKind, Contact, ContactGroup, ContactGroupId, ContactId, Directory, Event, EventId, Incident,
    IncidentId, Message, MessageId, Preferences, Seq, SourceId, Timestamp, TokenHash, User, UserId, agenda::Task,
};

/// Reads and staged writes of a command. Methods for the kinds of configuration are in `kind` and `configure`. Reads see
/// all that is committed and the earlier commands of the batch, but not what this command staged.
pub struct Command<'a> {
    pub(super) reads: &'a dyn Reads,
    pub(super) directory: &'a Directory,
    pub(super) counters: &'a mut Counters,
    pub(super) now: Timestamp,
    pub(super) staged: Vec<Staged>,
}

/// A write that is applied if the command is accepted.
pub enum Staged {
    PutIncident(Incident),
    DeleteIncident(IncidentId),
    /// Deletes incidents with their messages.
    PurgeIncidents(Vec<IncidentId>),
    EndPurge,
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
    /// Writes the row of a task. `None` deletes it.
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
        /// Returns an id that was never used before.
        pub fn $method(&mut self) -> $id {
            self.counters.$counter += 1;
            $id(self.counters.$counter)
        }
    )+};
}

impl<'a> Deref for Command<'a> {
    type Target = dyn Reads + 'a;

    fn deref(&self) -> &Self::Target {
        self.reads
    }
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

    /// Returns the last change before this command, committed or earlier in the batch.
    #[must_use]
    pub fn seq(&self) -> Seq {
        Seq(self.counters.last_seq)
    }

    /// Returns the id of the last incident that was created before this command, committed or earlier in the batch.
    #[must_use]
    pub fn last_incident_id(&self) -> IncidentId {
        IncidentId(self.counters.last_incident)
    }

    /// Returns [`Counters::trusted_time`].
    #[must_use]
    pub fn trusted_time(&self) -> Option<Timestamp> {
        self.counters.trusted_time()
    }

    /// Sets the clock by which expired tokens are deleted.
    pub fn set_expiry_clock(&mut self, reached: Timestamp) {
        self.staged.push(Staged::SetExpiryClock(reached));
    }

    new_ids! {
        new_incident_id: IncidentId from last_incident,
        new_event_id: EventId from last_event,
        new_message_id: MessageId from last_message,
        new_contact_id: ContactId from last_contact,
        new_contact_group_id: ContactGroupId from last_contact_group,
    }

    /// Adds or replaces an incident. The caller has checked that (source, source incident id) is free.
    pub fn put_incident(&mut self, incident: Incident) {
        self.staged.push(Staged::PutIncident(incident));
    }

    /// Deletes an incident with its events and acknowledgements.
    pub fn delete_incident(&mut self, id: IncidentId) {
        self.staged.push(Staged::DeleteIncident(id));
    }

    pub fn put_ack(&mut self, ack: Acknowledgement) {
        self.staged.push(Staged::PutAck(ack));
    }

    /// Adds an event. If it is marked as decided about, messages to its recipients are created in the same transaction.
    /// Its incident must have been put before.
    pub fn put_event(&mut self, event: Event) {
        self.staged.push(Staged::PutEvent(event));
    }

    /// Adds a user with an id that was never used before; the id in `user` is ignored. Like all changes of the
    /// configuration, this one logs itself with both values.
    pub fn add_user(&mut self, user: User) -> User {
        self.counters.last_user += 1;
        let user = User { id: UserId(self.counters.last_user), ..user };
        self.staged.push(Staged::PutUser(user.clone()));
        user
    }

    /// Changes a user, starting from the stored one, and ends the sessions and tokens that the change ends. Returns
    /// `None` if the user does not exist.
    ///
    /// This is the only way to change a user. So a copy that was read before something slow, such as hashing a
    /// password, cannot overwrite what others changed meanwhile.
    pub fn edit_user(&mut self, id: UserId, edit: impl FnOnce(&mut User)) -> Option<User> {
        self.edit_user_keeping(id, None, edit)
    }

    /// Does the same as [`Command::edit_user`], but keeps the session or token `kept`, which is that of the actor.
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

    /// Stores the preferences of a user. They are not logged, since nothing depends on them.
    pub fn put_preferences(&mut self, user: UserId, preferences: Preferences) {
        self.staged.push(Staged::PutPreferences(user, preferences));
    }

    /// Adds or changes a message: a summary, or the delivery of any message. Messages about events are created when the
    /// event is put.
    pub fn put_message(&mut self, message: Message) {
        self.staged.push(Staged::PutMessage(message));
    }

    /// Adds or replaces a contact. The caller has checked that the username is free, or this command has freed it
    /// before.
    pub fn put_contact(&mut self, contact: Contact) {
        self.staged.push(Staged::PutContact(contact));
    }

    pub fn delete_contact(&mut self, uuid: Uuid) {
        self.staged.push(Staged::DeleteContact(uuid));
    }

    /// Adds or replaces a contact group. The caller has checked that the name is free, or this command has freed it
    /// before.
    pub fn put_contact_group(&mut self, group: ContactGroup) {
        self.staged.push(Staged::PutContactGroup(group));
    }

    /// Deletes a contact group. The caller also removes it from its contacts.
    pub fn delete_contact_group(&mut self, uuid: Uuid) {
        self.staged.push(Staged::DeleteContactGroup(uuid));
    }

    /// Adds or moves the row of a task in the agenda. `None` deletes it. Changes of sources and of their tokens make
    /// rows due without this.
    pub fn schedule(&mut self, task: Task, due: Option<Timestamp>) {
        self.staged.push(Staged::Schedule(task, due));
    }

    /// Appends an entry to the change log, for changes of incidents, which do not log themselves.
    pub fn log(&mut self, kind: ChangeKind) {
        self.staged.push(Staged::Log(kind));
    }
}
