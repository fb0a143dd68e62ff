//! The service on a real store, with a clock that stands still.

mod accounts;
mod acks;
mod bulk;
mod incidents;
mod listing;
mod live;
mod login;
mod pages;
mod profile_preview;
mod retention;
mod states;

use std::sync::Arc;

use tempfile::TempDir;

use super::{Caller, Credential, NewEvent, NewIncident, Service, ServiceError, Settings};
use crate::{
    clock::ManualClock,
    domain::{
        change::{Change, ChangeKind},
        event::{Event, EventType},
        ids::{IncidentId, Seq},
        incident::{EndTime, Incident},
        source::SourceDraft,
        tag::Tag,
        time::Timestamp,
        user::UserDraft,
    },
    search::Search,
    store::{Options, Store, StoreError},
};

const SECOND: i64 = 1_000_000;
const START: Timestamp = Timestamp::saturating_from_micros(1_700_000_000 * SECOND);

struct Rig {
    service: Service,
    clock: Arc<ManualClock>,
    _dir: TempDir,
}

impl std::ops::Deref for Rig {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.service
    }
}

impl Rig {
    async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    async fn with(settings: Settings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(START));
        let store = Store::open(&dir.path().join("data.redb"), Options::default(), clock.clone()).unwrap();
        let search = Search::open(&store, &dir.path().join("search")).unwrap();
        let service = Service::new(store, search, settings);
        service.people().first_start(Some("correct horse".into())).await.unwrap().unwrap();
        Self { service, clock, _dir: dir }
    }

    fn caller(&self, username: &str) -> Caller {
        let directory = self.directory();
        let user = directory.user_named(username).unwrap().clone();
        let source = directory.source_of(user.id).cloned();
        Caller { user, source, credential: Credential::Password }
    }

    fn admin(&self) -> Caller {
        self.caller("admin")
    }

    async fn person(&self, username: &str) -> Caller {
        let new = UserDraft { username: Some(username.to_owned()), ..UserDraft::default() };
        self.people().create_user(&self.admin(), new).await.unwrap();
        self.caller(username)
    }

    async fn source(&self, name: &str) -> Caller {
        let new = SourceDraft {
            name: Some(name.to_owned()),
            source_type: Some("argus".to_owned()),
            ..SourceDraft::default()
        };
        self.sources().create_source(&self.admin(), new).await.unwrap();
        self.caller(name)
    }

    async fn post(&self, caller: &Caller, end: EndTime) -> Incident {
        self.incidents().create_incident(caller, NewIncident { end, ..new_incident() }).await.unwrap()
    }

    async fn get(&self, id: IncidentId) -> Incident {
        self.incidents().incident(id).await.unwrap()
    }

    async fn add(&self, caller: &Caller, id: IncidentId, kind: EventType) -> Result<Event, ServiceError> {
        let new = NewEvent { kind, timestamp: Some(self.now()), description: String::new() };
        self.incidents().add_event(caller, id, new).await
    }

    /// Returns code and description of each event, oldest first.
    async fn story(&self, id: IncidentId) -> Vec<(&'static str, String)> {
        let mut events = self.incidents().events(id).await.unwrap();
        events.sort_by_key(|event| event.id);
        events.into_iter().map(|event| (event.kind.code(), event.description)).collect()
    }

    fn last_change(&self) -> Change {
        let snapshot = self.store().snapshot().unwrap();
        let last: Seq = snapshot.seq().unwrap();
        snapshot.change(last).unwrap().unwrap()
    }

    fn last_change_kind(&self) -> ChangeKind {
        self.last_change().kind
    }

    fn sound(&self) {
        assert_eq!(self.store().verify(), Ok::<_, StoreError>(Vec::new()));
    }
}

fn new_incident() -> NewIncident {
    NewIncident { start: START, description: "it broke".to_owned(), ..NewIncident::default() }
}

fn tag(text: &str) -> Tag {
    Tag::parse(text).unwrap()
}

fn tags(texts: &[&str]) -> Vec<Tag> {
    texts.iter().map(|text| tag(text)).collect()
}

fn tag_texts(incident: &Incident) -> Vec<&str> {
    incident.tags.iter().map(|t| t.tag.as_str()).collect()
}

fn seconds(n: i64) -> Timestamp {
    START.saturating_add_micros(n * SECOND)
}
