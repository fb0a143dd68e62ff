//! The outbox of an [`App`]: what is in it, what becomes of it, and who works it off.

use std::sync::Arc;

use argusd::{
    clock::Clock,
    domain::{
        ids::{EventId, IncidentId, MessageId, ProfileId},
        message::{Message, MessageState, MessageSubject, Route},
    },
    notify::{ChannelSettings, Channels, DispatchSettings, Dispatcher, Health, MailSettings, QueueSettings, Transport},
    service::{Messages, Service},
    store::{Command, StoreError},
};

use super::App;

/// Settings for a mail server on this host.
pub fn mail_at(port: u16) -> MailSettings {
    MailSettings { host: "127.0.0.1".to_owned(), port, ..MailSettings::default() }
}

/// Changes what is stored, without rules.
pub async fn write<T: Send + 'static>(
    service: &Service,
    change: impl FnOnce(&mut Command<'_>) -> T + Send + 'static,
) -> T {
    let written = service.store().write(None, move |command| Ok::<_, StoreError>(change(command)));
    written.await.unwrap()
}

impl App {
    /// Changes what is stored, without rules.
    pub async fn write<T: Send + 'static>(&self, change: impl FnOnce(&mut Command<'_>) -> T + Send + 'static) -> T {
        write(&self.service, change).await
    }

    /// All messages, the newest first.
    pub fn messages(&self) -> Vec<Message> {
        self.service.store().snapshot().unwrap().messages_page(Messages::All, None, 100).unwrap()
    }

    /// The messages about an incident, in the order of decisions.
    pub fn messages_of(&self, incident: u64) -> Vec<Message> {
        self.service.store().snapshot().unwrap().messages_of(IncidentId(incident)).unwrap()
    }

    /// A message to `alice` about an event, which failed. It is not stored.
    pub fn failed_message(&self, incident: u64, event: u64) -> Message {
        let now = self.service.now();
        Message {
            id: MessageId(1),
            created: now,
            about: MessageSubject::Event { incident: IncidentId(incident), event: EventId(event) },
            route: Route::Destination {
                user: self.user_id("alice"),
                profile: ProfileId(1),
                destination: self.destination_of("alice"),
                medium: "email".to_owned(),
            },
            address: "alice@example.org".to_owned(),
            state: MessageState::Dead { at: now },
            attempts: 3,
            last_attempt: Some(now),
            answer: "550 no such user".to_owned(),
        }
    }

    pub async fn put_message(&self, message: Message) {
        self.write(move |command| command.put_message(message)).await;
    }

    /// Stores what became of a message.
    pub async fn settle(&self, message: Message, state: MessageState) {
        self.put_message(Message { state, ..message }).await;
    }

    pub fn channels(&self, mail: MailSettings) -> Channels {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Channels::new(&ChannelSettings { mail, ..ChannelSettings::default() }, clock).unwrap()
    }

    /// Sends messages when it is asked to. There are no summaries, and failures are retried for `retry_micros`.
    pub fn dispatcher(&self, transport: Arc<dyn Transport>, health: &Arc<Health>, retry_micros: i64) -> Dispatcher {
        let queue = QueueSettings { storm_limit: 0, retry_micros };
        let settings = DispatchSettings { queue, public_url: None };
        Dispatcher::new(self.service.store().clone(), transport, Arc::clone(health), settings)
    }
}
