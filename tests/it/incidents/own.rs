//! Incidents that the server raises about itself: each opens once, stays one, ends by itself, and is never told over what
//! it reports (contract section 23).

use std::{collections::BTreeMap, sync::Arc};

use argusd::{
    clock::{Clock, ManualClock},
    domain::{
        agenda::TaskKind,
        destination::Destination,
        directory::Directory,
        event::{Event, EventType},
        fault::{FaultKind, unreachable},
        ids::{DestinationId, IncidentId, MessageId, SourceId},
        incident::Incident,
        message::{Message, MessageState, Route},
        profile::Profile,
        stored_filter::{FilterBlob, StoredFilter},
        time::Timestamp,
    },
    jobs::{Agenda, FaultWatch},
    notify::Health,
    search::Search,
    service::{Service, Settings, Settled, TestIncident, TokenLife},
    store::{Options, Store, StoreError},
};
use serde_json::json;

use crate::support::{App, MINUTE, NOW, Who};

const DAY: i64 = 24 * 60 * MINUTE;
const SECOND: i64 = MINUTE / 60;
const OWN: SourceId = SourceId(1);
const ZABBIX: SourceId = SourceId(2);

/// A server whose own source somebody listens to, over mail and over a webhook.
struct Rig {
    app: App,
    health: Arc<Health>,
    watch: FaultWatch,
    agenda: Agenda,
    mail: DestinationId,
    webhook: DestinationId,
}

impl Rig {
    async fn new() -> Self {
        let app = App::with(Settings { token_life: None, ..Settings::default() }).await;
        let health = Arc::new(Health::default());
        let watch = FaultWatch::new(app.service.clone(), Arc::clone(&health));
        let agenda = Agenda::new(app.service.clone());
        let (mail, webhook) = subscribe(&app).await;
        Self { app, health, watch, agenda, mail, webhook }
    }

    /// Everybody reads it, so it does not say the address.
    fn shown_mail(&self) -> String {
        format!("alice's destination #{} (email)", self.mail)
    }

    fn service(&self) -> &Service {
        &self.app.service
    }

    fn advance(&self, micros: i64) {
        self.app.clock.advance_micros(micros);
    }

    /// Looks at everything twice: the second time there is nothing to do.
    async fn look(&self) -> (Vec<IncidentId>, Vec<IncidentId>) {
        let first = self.look_once().await;
        assert_eq!(self.look_once().await, (vec![], vec![]));
        first
    }

    async fn look_once(&self) -> (Vec<IncidentId>, Vec<IncidentId>) {
        let (mut opened, mut ended) = (Vec::new(), Vec::new());
        let agenda = self.agenda.round().await.into_iter().map(|(_, settled)| settled);
        for settled in agenda.chain(self.watch.round().await.map(|(_, settled)| settled)) {
            let settled = settled.unwrap();
            opened.extend(settled.opened);
            ended.extend(settled.ended);
        }
        (opened, ended)
    }

    async fn opens(&self) -> Incident {
        let (opened, ended) = self.look().await;
        assert_eq!((opened.len(), ended.len()), (1, 0));
        self.incident(opened[0])
    }

    async fn ends(&self, id: IncidentId) -> Event {
        assert_eq!(self.look().await, (vec![], vec![id]));
        assert!(!self.incident(id).is_open(self.service().now()));
        let events = self.service().store().snapshot().unwrap().events_of(id).unwrap();
        events.last().unwrap().clone()
    }

    async fn nothing(&self) {
        assert_eq!(self.look().await, (vec![], vec![]));
    }

    fn incident(&self, id: IncidentId) -> Incident {
        self.service().store().snapshot().unwrap().incident(id).unwrap().unwrap()
    }

    fn messages(&self, id: IncidentId) -> Vec<Message> {
        self.service().store().snapshot().unwrap().messages_of(id).unwrap()
    }

    /// Over which destinations each event of the incident was told.
    fn notified(&self, id: IncidentId) -> Vec<DestinationId> {
        let destination = |message: &Message| {
            let Route::Destination { destination, .. } = message.route else { panic!("there are no rules") };
            destination
        };
        self.messages(id).iter().map(destination).collect()
    }

    async fn put(&self, message: Message) {
        let written = self.service().store().write(None, move |command| {
            command.put_message(message);
            Ok::<_, StoreError>(())
        });
        written.await.unwrap();
    }

    /// What becomes of a message, now.
    async fn fate(&self, id: MessageId, state: impl Fn(Timestamp) -> MessageState) {
        let message = self.service().store().snapshot().unwrap().message(id).unwrap().unwrap();
        let state = state(self.service().now());
        self.put(Message { state, attempts: message.attempts + 1, ..message }).await;
    }

    /// The messages of a new incident: to mail and to the webhook.
    async fn letters(&self) -> (MessageId, MessageId) {
        let new = TestIncident {
            source: None,
            description: None,
            level: None,
            tags: Vec::new(),
            stateless: false,
            metadata: "{}".to_owned(),
        };
        let id = self.service().incidents().create_test_incident(&self.app.local, new).await.unwrap();
        let messages = self.messages(id);
        assert_eq!(self.notified(id), [self.mail, self.webhook]);
        (messages[0].id, messages[1].id)
    }
}

async fn subscribe(app: &App) -> (DestinationId, DestinationId) {
    let alice = app.user_id("alice");
    let mail = app.service.directory().destinations_of(alice)[0].id;
    let timeslot = app.service.directory().timeslots_of(alice)[0].id;
    let written = app.service.store().write(None, move |command| {
        let settings = BTreeMap::from([("destination_url".to_owned(), "https://hooks.example.org/secret".to_owned())]);
        let webhook = Destination {
            id: command.new_destination_id(),
            owner: alice,
            medium: "webhook".to_owned(),
            label: None,
            settings,
            synced: false,
        };
        let blob = FilterBlob { source_ids: Some(vec![OWN]), ..FilterBlob::default() };
        let filter = StoredFilter {
            id: command.new_filter_id(),
            owner: alice,
            name: "the server itself".to_owned(),
            public: false,
            blob,
        };
        let profile = Profile {
            id: command.new_profile_id(),
            owner: alice,
            name: None,
            timeslot,
            filters: vec![filter.id],
            destinations: vec![mail, webhook.id],
            active: true,
        };
        let id = webhook.id;
        command.put_destination(webhook);
        command.put_filter(filter);
        command.put_profile(profile);
        Ok::<_, StoreError>(id)
    });
    (mail, written.await.unwrap())
}

fn tags(incident: &Incident) -> Vec<String> {
    incident.tags.iter().map(|it| it.tag.to_string()).collect()
}

#[tokio::test]
async fn a_token_that_expires_is_told_until_it_is_replaced() {
    let rig = Rig::new().await;
    let zabbix = rig.app.user_id("zabbix-src");
    let revoke_all = async || {
        for token in rig.service().people().tokens(Some(zabbix)) {
            rig.service().people().revoke_token(&rig.app.local, token.id).await.unwrap();
        }
    };
    let make = async |days: u64| {
        let life = TokenLife::For(std::time::Duration::from_secs(days * 86_400));
        rig.service().people().create_token(&rig.app.local, zabbix, None, life).await.unwrap();
    };
    rig.nothing().await;
    revoke_all().await;
    make(10).await;
    rig.nothing().await;

    rig.advance(3 * DAY + 1);
    let incident = rig.opens().await;
    assert_eq!(incident.description, "Token for source system zabbix-src (zabbix) will expire on 2026-01-25");
    assert_eq!((incident.level.get(), incident.source, incident.start), (2, OWN, rig.service().now()));
    let object = format!("object={}", incident.id);
    assert_eq!(tags(&incident), ["location=argus", "problem_type=token_expiry", "source_system_id=2", &object]);
    assert_eq!(rig.notified(incident.id), [rig.mail, rig.webhook]);

    // Another one that is about to expire: the incident is about another date.
    rig.advance(MINUTE);
    make(7).await;
    rig.advance(1);
    let (opened, ended) = rig.look().await;
    assert_eq!(ended, [incident.id]);
    let second = rig.incident(opened[0]);
    assert!(second.description.ends_with("will expire on 2026-01-25"), "{}", second.description);

    rig.advance(MINUTE);
    make(30).await;
    let end = rig.ends(second.id).await;
    assert_eq!((end.kind, end.actor), (EventType::End, rig.app.user_id("argus")));
    assert_eq!(end.description, "Token for source system zabbix-src (zabbix) was replaced");
    assert_eq!(rig.service().store().verify().unwrap(), Vec::<String>::new());

    rig.advance(25 * DAY);
    let third = rig.opens().await;
    revoke_all().await;
    assert_eq!(rig.ends(third.id).await.description, "Token for source system zabbix-src (zabbix) was deleted");
}

#[tokio::test]
async fn a_check_with_more_days_opens_what_the_rounds_let_stand() {
    let rig = Rig::new().await;
    let argus = rig.app.user_id("argus");
    let life = TokenLife::For(std::time::Duration::from_hours(20 * 24));
    rig.service().people().create_token(&rig.app.local, argus, None, life).await.unwrap();
    assert_eq!(rig.service().system().check_tokens(20).await.unwrap().opened.len(), 0);
    assert_eq!(rig.service().system().check_tokens(21).await.unwrap().opened.len(), 1);
    rig.nothing().await;
    assert_eq!(rig.service().system().check_tokens(7).await.unwrap().ended.len(), 1);
}

#[tokio::test]
async fn a_silent_source_is_missed_until_it_is_heard() {
    let rig = Rig::new().await;
    let zabbix = rig.app.of(Who::Source);
    rig.service().sources().watch_source(&rig.app.local, ZABBIX, Some(60)).await.unwrap();
    rig.advance(DAY);
    rig.nothing().await;
    let beat = async || assert_eq!(zabbix.post("/api/v2/incidents/sources/heartbeat/", json!({})).await.status, 204);
    beat().await;
    rig.advance(70 * SECOND);
    rig.nothing().await;
    rig.advance(1);
    let incident = rig.opens().await;
    assert_eq!(incident.description, "Missing heartbeat from source zabbix-src (zabbix), dead?");
    assert_eq!((incident.level.get(), tags(&incident)), {
        (4, vec!["problem_type=missing_heartbeat".to_owned(), "source_system_id=2".to_owned()])
    });
    rig.advance(DAY);
    rig.nothing().await;
    beat().await;
    let end = rig.ends(incident.id).await;
    assert_eq!(end.description, "Source \"zabbix-src (zabbix)\" is again alive and well");
    assert_eq!((end.kind, end.actor, end.timestamp), {
        (EventType::End, rig.app.user_id("argus"), rig.service().now())
    });
    assert_eq!(rig.notified(incident.id), [rig.mail, rig.webhook, rig.mail, rig.webhook]);

    rig.advance(71 * SECOND);
    let second = rig.opens().await;
    assert_ne!(second.id, incident.id);
    rig.service().sources().watch_source(&rig.app.local, ZABBIX, None).await.unwrap();
    assert_eq!(rig.ends(second.id).await.description, "Source \"zabbix-src (zabbix)\" is not watched any more");
    assert_eq!(rig.service().store().verify().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_closed_by_hand_stays_closed_until_there_is_new_trouble() {
    let rig = Rig::new().await;
    let zabbix = rig.app.of(Who::Source);
    rig.service().sources().watch_source(&rig.app.local, ZABBIX, Some(60)).await.unwrap();
    let beat = async || assert_eq!(zabbix.post("/api/v2/incidents/sources/heartbeat/", json!({})).await.status, 204);
    beat().await;
    rig.advance(71 * SECOND);
    let incident = rig.opens().await;
    rig.advance(SECOND);
    let path = format!("/api/v2/incidents/{}/events/", incident.id);
    assert_eq!(rig.app.of(Who::EndUser).post(&path, json!({"type": "CLO"})).await.status, 201);
    rig.advance(DAY);
    rig.nothing().await;
    beat().await;
    rig.nothing().await;
    rig.advance(71 * SECOND);
    assert_ne!(rig.opens().await.id, incident.id);
}

#[tokio::test]
async fn a_restart_is_not_taken_for_silence() {
    let rig = Rig::new().await;
    rig.service().sources().watch_source(&rig.app.local, ZABBIX, Some(60)).await.unwrap();
    rig.service().store().seen(ZABBIX);
    rig.advance(DAY);
    let incident = rig.opens().await;
    // Whoever starts now has heard nobody yet: neither alive nor dead.
    let started = rig.app.clock.moment();
    let check = async || rig.service().system().check_heartbeats(Some(started)).await.unwrap();
    assert_eq!(check().await, Settled::default());
    rig.service().sources().watch_source(&rig.app.local, ZABBIX, Some(120)).await.unwrap();
    assert_eq!(check().await, Settled::default());
    assert!(rig.incident(incident.id).is_open(rig.service().now()));
}

/// The rows that are due, by the source's number.
fn due(rig: &Rig, kind: TaskKind) -> Vec<u64> {
    rig.service().store().agenda().due(kind).iter().map(|due| due.task.id).collect()
}

#[tokio::test]
async fn a_sign_of_life_costs_no_write_and_a_row_that_is_due_moves_itself() {
    let rig = Rig::new().await;
    rig.service().sources().watch_source(&rig.app.local, ZABBIX, Some(60)).await.unwrap();
    rig.service().store().seen(ZABBIX);
    rig.nothing().await;
    assert_eq!(due(&rig, TaskKind::Heartbeat), [0; 0]);
    let written = || {
        let (counters, store) = (rig.service().store().counters(), rig.service().store());
        (counters, store.agenda().due(TaskKind::Heartbeat).first().map(|due| due.stored))
    };
    let before = written();
    for _ in 0..3 {
        rig.advance(50 * SECOND);
        rig.service().store().seen(ZABBIX);
        rig.advance(20 * SECOND);
        rig.nothing().await;
    }
    assert_eq!(written(), before);
    rig.advance(71 * SECOND);
    assert_eq!(due(&rig, TaskKind::Heartbeat), [ZABBIX.0]);
    let incident = rig.opens().await;
    assert_eq!(due(&rig, TaskKind::Heartbeat), [ZABBIX.0], "it is looked at until it is heard again");
    rig.service().store().seen(ZABBIX);
    rig.ends(incident.id).await;
    assert_eq!(due(&rig, TaskKind::Heartbeat), [0; 0]);
    rig.service().sources().watch_source(&rig.app.local, ZABBIX, None).await.unwrap();
    assert_eq!(due(&rig, TaskKind::Heartbeat), [ZABBIX.0], "whatever changes is looked at once");
    rig.nothing().await;
    assert_eq!(due(&rig, TaskKind::Heartbeat), [0; 0]);
    assert_eq!(rig.service().store().verify().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn dead_letters_are_told_over_other_destinations() {
    let rig = Rig::new().await;
    let (mail, webhook) = rig.letters().await;
    rig.fate(webhook, |at| MessageState::Delivered { at }).await;
    rig.nothing().await;
    rig.fate(mail, |at| MessageState::Dead { at }).await;
    let incident = rig.opens().await;
    assert_eq!(incident.description, format!("1 message to {} could not be delivered", rig.shown_mail()));
    let destination = format!("destination_id={}", rig.mail);
    assert_eq!((incident.level.get(), tags(&incident)), (3, vec!["problem_type=dead_letters".to_owned(), destination]));
    assert_eq!(rig.notified(incident.id), [rig.webhook]);

    rig.advance(MINUTE);
    let (another, _) = rig.letters().await;
    rig.fate(another, |at| MessageState::Dead { at }).await;
    rig.nothing().await;
    let again = |at| MessageState::Due { at, since: at };
    rig.fate(mail, again).await;
    rig.nothing().await;
    rig.fate(mail, |at| MessageState::Delivered { at }).await;
    assert_eq!(rig.ends(incident.id).await.description, format!("{} can be reached again", rig.shown_mail()));
    assert_eq!(rig.notified(incident.id), [rig.webhook, rig.webhook], "nor is its end told over it");

    // The other one is dead still; what is new is what counts.
    rig.advance(MINUTE);
    let (third, _) = rig.letters().await;
    rig.fate(third, |at| MessageState::Dead { at }).await;
    let second = rig.opens().await;
    assert_eq!(second.description, format!("1 message to {} could not be delivered", rig.shown_mail()));
    assert_eq!(rig.notified(second.id), [rig.webhook]);
    assert_eq!(rig.service().store().verify().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn dead_letters_of_the_webhook_are_told_by_mail() {
    let rig = Rig::new().await;
    let (_, webhook) = rig.letters().await;
    rig.fate(webhook, |at| MessageState::Dead { at }).await;
    let incident = rig.opens().await;
    let whose = format!("alice's destination #{} (webhook)", rig.webhook);
    assert_eq!(incident.description, format!("1 message to {whose} could not be delivered"));
    assert_eq!(rig.notified(incident.id), [rig.mail]);
    // A destination that is gone has no trouble any more.
    let gone = rig.webhook;
    let written = rig.service().store().write(None, move |command| {
        let profile = command.directory().profiles.values().next().cloned().unwrap();
        let destinations = profile.destinations.iter().copied().filter(|it| *it != gone).collect();
        command.put_profile(Profile { destinations, ..Profile::clone(&profile) });
        command.delete_destination(gone);
        Ok::<_, StoreError>(())
    });
    written.await.unwrap();
    assert_eq!(rig.ends(incident.id).await.description, "The destination was deleted");
}

#[tokio::test]
async fn dead_letters_from_before_the_start_are_read() {
    let rig = Rig::new().await;
    let (mail, _) = rig.letters().await;
    rig.fate(mail, |at| MessageState::Dead { at }).await;
    let rig = Rig { watch: FaultWatch::new(rig.service().clone(), Arc::clone(&rig.health)), ..rig };
    let incident = rig.opens().await;
    rig.advance(MINUTE);
    let (later, _) = rig.letters().await;
    rig.fate(later, |at| MessageState::Delivered { at }).await;
    rig.ends(incident.id).await;
    // The next start knows of the dead letter, but not of what was delivered since.
    let rig = Rig { watch: FaultWatch::new(rig.service().clone(), Arc::clone(&rig.health)), ..rig };
    rig.nothing().await;
}

#[tokio::test]
async fn a_mail_server_out_of_reach_is_not_told_by_mail() {
    let rig = Rig::new().await;
    let attempt = |reached| rig.health.note("email", reached, rig.service().store().clock().both());
    attempt(false);
    rig.advance(15 * MINUTE - 1);
    attempt(false);
    rig.nothing().await;
    rig.advance(1);
    let incident = rig.opens().await;
    assert_eq!(incident.description, "The mail server has not been reached for 15 minutes");
    assert_eq!((incident.level.get(), tags(&incident)), {
        (2, vec!["problem_type=mail_server".to_owned(), "medium=email".to_owned()])
    });
    assert_eq!(rig.notified(incident.id), [rig.webhook]);

    // A new start knows nothing until the first attempt, which fails.
    let rig = Rig { health: Arc::default(), ..rig };
    let rig = Rig { watch: FaultWatch::new(rig.service().clone(), Arc::clone(&rig.health)), ..rig };
    rig.nothing().await;
    rig.health.note("email", false, rig.service().store().clock().both());
    rig.nothing().await;
    rig.advance(MINUTE);
    rig.health.note("email", true, rig.service().store().clock().both());
    assert_eq!(rig.ends(incident.id).await.description, "The mail server was reached again");
    assert_eq!(rig.notified(incident.id), [rig.webhook, rig.webhook]);
}

#[tokio::test]
async fn the_source_is_made_where_it_is_missing() {
    let directory = crate::support::in_memory();
    let clock = Arc::new(ManualClock::new(Timestamp::saturating_from_micros(NOW)));
    let store = Store::open(&directory.path().join("argusd.redb"), Options::default(), clock as _).unwrap();
    let search = Search::open(&store, &directory.path().join("search")).unwrap();
    let service = Service::new(store, search, Settings::default());
    let find = |_: &Directory, now| vec![unreachable(Timestamp::MIN, now)];
    assert_eq!(service.system().settle(FaultKind::MailServer, find).await.unwrap().opened.len(), 1);
    let made = service.directory();
    let source = made.source(made.own_source().unwrap()).unwrap();
    let user = made.user(source.user).unwrap();
    assert_eq!((user.username.as_str(), user.is_superuser, &user.password_hash), ("argus", true, &None));
    assert_eq!(service.system().settle(FaultKind::MailServer, find).await.unwrap(), Settled::default());
    assert_eq!(service.system().settle(FaultKind::MailServer, |_, _| vec![]).await.unwrap().ended.len(), 1);
    assert_eq!(service.store().verify().unwrap(), Vec::<String>::new());
}
