//! Incidents that the server raises about itself: each opens once, stays one, ends by itself, and is never sent over the
//! destination or channel that it reports (contract section 23).

use std::sync::Arc;

use argusd::{
    clock::Clock,
    domain::{
        agenda::TaskKind,
        directory::Directory,
        event::{Event, EventType},
        fault::{FaultKind, unreachable},
        ids::{DestinationId, IncidentId, MessageId, SourceId},
        incident::Incident,
        message::{Message, MessageState, Route},
        profile::Profile,
        time::Timestamp,
    },
    jobs::{Agenda, FaultWatch},
    notify::Health,
    service::{Service, Settings, Settled, TestIncident, TokenLife},
    store::StoreError,
};
use serde_json::json;

use crate::support::{App, MINUTE, Who, in_memory, open, still_clock};

const DAY: i64 = 24 * 60 * MINUTE;
const SECOND: i64 = MINUTE / 60;
const OWN: SourceId = SourceId(1);
const ZABBIX: SourceId = SourceId(2);

/// A server whose own source somebody listens to, over mail and over a webhook.
struct OwnIncidents {
    app: App,
    health: Arc<Health>,
    watch: FaultWatch,
    agenda: Agenda,
    mail: DestinationId,
    webhook: DestinationId,
}

impl OwnIncidents {
    async fn new() -> Self {
        let app = App::with(Settings { token_life: None, ..Settings::default() }).await;
        app.allow_unsent_messages();
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

    /// Destinations to which a message about each event of the incident was sent.
    fn notified(&self, id: IncidentId) -> Vec<DestinationId> {
        let destination = |message: &Message| {
            let Route::Destination { destination, .. } = message.route else { panic!("there are no rules") };
            destination
        };
        self.messages(id).iter().map(destination).collect()
    }

    /// One more attempt to send a message, now.
    async fn attempt(&self, id: MessageId, state: impl Fn(Timestamp) -> MessageState) {
        let message = self.service().store().snapshot().unwrap().message(id).unwrap().unwrap();
        let state = state(self.service().now());
        self.app.settle(Message { attempts: message.attempts + 1, ..message }, state).await;
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
    let (alice, mail) = (app.of(Who::EndUser), app.destination_of("alice"));
    let webhook = alice.destination("webhook", "destination_url", "https://hooks.example.org/secret").post().await;
    let filter = alice.filter("the server itself").matching(json!({"sourceSystemIds": [OWN.0]})).post().await;
    alice.profile().filter(filter).destination(mail.0).destination(webhook).post().await;
    (mail, DestinationId(webhook))
}

fn tags(incident: &Incident) -> Vec<String> {
    incident.tags.iter().map(|it| it.tag.to_string()).collect()
}

#[tokio::test]
async fn an_expiring_token_is_reported_until_it_is_replaced() {
    let server = OwnIncidents::new().await;
    let zabbix = server.app.user_id("zabbix-src");
    let revoke_all = async || {
        for token in server.service().people().tokens(Some(zabbix)) {
            server.service().people().revoke_token(&server.app.local, token.id).await.unwrap();
        }
    };
    let make = async |days: u64| {
        let life = TokenLife::For(std::time::Duration::from_secs(days * 86_400));
        server.service().people().create_token(&server.app.local, zabbix, None, life).await.unwrap();
    };
    server.nothing().await;
    revoke_all().await;
    make(10).await;
    server.nothing().await;

    server.advance(3 * DAY + 1);
    let incident = server.opens().await;
    assert_eq!(incident.description, "Token for source system zabbix-src (zabbix) will expire on 2026-01-25");
    assert_eq!((incident.level.get(), incident.source, incident.start), (2, OWN, server.service().now()));
    let object = format!("object={}", incident.id);
    assert_eq!(tags(&incident), ["location=argus", "problem_type=token_expiry", "source_system_id=2", &object]);
    assert_eq!(server.notified(incident.id), [server.mail, server.webhook]);

    // Another one that is about to expire: the incident is about another date.
    server.advance(MINUTE);
    make(7).await;
    server.advance(1);
    let (opened, ended) = server.look().await;
    assert_eq!(ended, [incident.id]);
    let second = server.incident(opened[0]);
    assert!(second.description.ends_with("will expire on 2026-01-25"), "{}", second.description);

    server.advance(MINUTE);
    make(30).await;
    let end = server.ends(second.id).await;
    assert_eq!((end.kind, end.actor), (EventType::End, server.app.user_id("argus")));
    assert_eq!(end.description, "Token for source system zabbix-src (zabbix) was replaced");
    assert_eq!(server.service().store().verify().unwrap(), Vec::<String>::new());

    server.advance(25 * DAY);
    let third = server.opens().await;
    revoke_all().await;
    assert_eq!(server.ends(third.id).await.description, "Token for source system zabbix-src (zabbix) was deleted");
}

#[tokio::test]
async fn checking_tokens_for_more_days_opens_an_incident() {
    let server = OwnIncidents::new().await;
    let argus = server.app.user_id("argus");
    let life = TokenLife::For(std::time::Duration::from_hours(20 * 24));
    server.service().people().create_token(&server.app.local, argus, None, life).await.unwrap();
    assert_eq!(server.service().system().check_tokens(20).await.unwrap().opened.len(), 0);
    assert_eq!(server.service().system().check_tokens(21).await.unwrap().opened.len(), 1);
    server.nothing().await;
    assert_eq!(server.service().system().check_tokens(7).await.unwrap().ended.len(), 1);
}

#[tokio::test]
async fn a_missing_heartbeat_is_reported_until_the_next_one() {
    let server = OwnIncidents::new().await;
    let zabbix = server.app.of(Who::Source);
    server.service().sources().watch_source(&server.app.local, ZABBIX, Some(60)).await.unwrap();
    server.advance(DAY);
    server.nothing().await;
    let beat = async || assert_eq!(zabbix.post("/api/v2/incidents/sources/heartbeat/", json!({})).await.status, 204);
    beat().await;
    server.advance(70 * SECOND);
    server.nothing().await;
    server.advance(1);
    let incident = server.opens().await;
    assert_eq!(incident.description, "Missing heartbeat from source zabbix-src (zabbix), dead?");
    assert_eq!((incident.level.get(), tags(&incident)), {
        (4, vec!["problem_type=missing_heartbeat".to_owned(), "source_system_id=2".to_owned()])
    });
    server.advance(DAY);
    server.nothing().await;
    beat().await;
    let end = server.ends(incident.id).await;
    assert_eq!(end.description, "Source \"zabbix-src (zabbix)\" is again alive and well");
    assert_eq!((end.kind, end.actor, end.timestamp), {
        (EventType::End, server.app.user_id("argus"), server.service().now())
    });
    assert_eq!(server.notified(incident.id), [server.mail, server.webhook, server.mail, server.webhook]);

    server.advance(71 * SECOND);
    let second = server.opens().await;
    assert_ne!(second.id, incident.id);
    server.service().sources().watch_source(&server.app.local, ZABBIX, None).await.unwrap();
    assert_eq!(server.ends(second.id).await.description, "Source \"zabbix-src (zabbix)\" is not watched any more");
    assert_eq!(server.service().store().verify().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn an_incident_closed_by_hand_is_opened_again_only_for_a_new_fault() {
    let server = OwnIncidents::new().await;
    let zabbix = server.app.of(Who::Source);
    server.service().sources().watch_source(&server.app.local, ZABBIX, Some(60)).await.unwrap();
    let beat = async || assert_eq!(zabbix.post("/api/v2/incidents/sources/heartbeat/", json!({})).await.status, 204);
    beat().await;
    server.advance(71 * SECOND);
    let incident = server.opens().await;
    server.advance(SECOND);
    let path = format!("/api/v2/incidents/{}/events/", incident.id);
    assert_eq!(server.app.of(Who::EndUser).post(&path, json!({"type": "CLO"})).await.status, 201);
    server.advance(DAY);
    server.nothing().await;
    beat().await;
    server.nothing().await;
    server.advance(71 * SECOND);
    assert_ne!(server.opens().await.id, incident.id);
}

#[tokio::test]
async fn a_restart_is_not_taken_for_a_missing_heartbeat() {
    let server = OwnIncidents::new().await;
    server.service().sources().watch_source(&server.app.local, ZABBIX, Some(60)).await.unwrap();
    server.service().store().seen(ZABBIX);
    server.advance(DAY);
    let incident = server.opens().await;
    // Whoever starts now has heard nobody yet: neither alive nor dead.
    let started = server.app.clock.moment();
    let check = async || server.service().system().check_heartbeats(Some(started)).await.unwrap();
    assert_eq!(check().await, Settled::default());
    server.service().sources().watch_source(&server.app.local, ZABBIX, Some(120)).await.unwrap();
    assert_eq!(check().await, Settled::default());
    assert!(server.incident(incident.id).is_open(server.service().now()));
}

/// The rows that are due, by the source's number.
fn due(server: &OwnIncidents, kind: TaskKind) -> Vec<u64> {
    server.service().store().agenda().due(kind).iter().map(|due| due.task.id).collect()
}

#[tokio::test]
async fn a_heartbeat_writes_nothing_and_moves_the_agenda_row_when_it_is_due() {
    let server = OwnIncidents::new().await;
    server.service().sources().watch_source(&server.app.local, ZABBIX, Some(60)).await.unwrap();
    server.service().store().seen(ZABBIX);
    server.nothing().await;
    assert_eq!(due(&server, TaskKind::Heartbeat), [0; 0]);
    let written = || {
        let (counters, store) = (server.service().store().counters(), server.service().store());
        (counters, store.agenda().due(TaskKind::Heartbeat).first().map(|due| due.stored))
    };
    let before = written();
    for _ in 0..3 {
        server.advance(50 * SECOND);
        server.service().store().seen(ZABBIX);
        server.advance(20 * SECOND);
        server.nothing().await;
    }
    assert_eq!(written(), before);
    server.advance(71 * SECOND);
    assert_eq!(due(&server, TaskKind::Heartbeat), [ZABBIX.0]);
    let incident = server.opens().await;
    assert_eq!(due(&server, TaskKind::Heartbeat), [ZABBIX.0], "it is looked at until it is heard again");
    server.service().store().seen(ZABBIX);
    server.ends(incident.id).await;
    assert_eq!(due(&server, TaskKind::Heartbeat), [0; 0]);
    server.service().sources().watch_source(&server.app.local, ZABBIX, None).await.unwrap();
    assert_eq!(due(&server, TaskKind::Heartbeat), [ZABBIX.0], "whatever changes is looked at once");
    server.nothing().await;
    assert_eq!(due(&server, TaskKind::Heartbeat), [0; 0]);
    assert_eq!(server.service().store().verify().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn failed_messages_are_reported_to_other_destinations() {
    let server = OwnIncidents::new().await;
    let (mail, webhook) = server.letters().await;
    server.attempt(webhook, |at| MessageState::Delivered { at }).await;
    server.nothing().await;
    server.attempt(mail, |at| MessageState::Dead { at }).await;
    let incident = server.opens().await;
    assert_eq!(incident.description, format!("1 message to {} could not be delivered", server.shown_mail()));
    let destination = format!("destination_id={}", server.mail);
    assert_eq!((incident.level.get(), tags(&incident)), (3, vec!["problem_type=dead_letters".to_owned(), destination]));
    assert_eq!(server.notified(incident.id), [server.webhook]);

    server.advance(MINUTE);
    let (another, _) = server.letters().await;
    server.attempt(another, |at| MessageState::Dead { at }).await;
    server.nothing().await;
    let again = |at| MessageState::Due { at, since: at };
    server.attempt(mail, again).await;
    server.nothing().await;
    server.attempt(mail, |at| MessageState::Delivered { at }).await;
    assert_eq!(server.ends(incident.id).await.description, format!("{} can be reached again", server.shown_mail()));
    assert_eq!(server.notified(incident.id), [server.webhook, server.webhook], "nor is its end told over it");

    // The other one is dead still; what is new is what counts.
    server.advance(MINUTE);
    let (third, _) = server.letters().await;
    server.attempt(third, |at| MessageState::Dead { at }).await;
    let second = server.opens().await;
    assert_eq!(second.description, format!("1 message to {} could not be delivered", server.shown_mail()));
    assert_eq!(server.notified(second.id), [server.webhook]);
    assert_eq!(server.service().store().verify().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn failed_messages_of_a_webhook_are_reported_by_mail() {
    let server = OwnIncidents::new().await;
    let (_, webhook) = server.letters().await;
    server.attempt(webhook, |at| MessageState::Dead { at }).await;
    let incident = server.opens().await;
    let whose = format!("alice's destination #{} (webhook)", server.webhook);
    assert_eq!(incident.description, format!("1 message to {whose} could not be delivered"));
    assert_eq!(server.notified(incident.id), [server.mail]);
    // A destination that is gone has no trouble any more.
    let gone = server.webhook;
    let written = server.service().store().write(None, move |command| {
        let profile = command.directory().profiles.values().next().cloned().unwrap();
        let destinations = profile.destinations.iter().copied().filter(|it| *it != gone).collect();
        command.put_profile(Profile { destinations, ..Profile::clone(&profile) });
        command.delete_destination(gone);
        Ok::<_, StoreError>(())
    });
    written.await.unwrap();
    assert_eq!(server.ends(incident.id).await.description, "The destination was deleted");
}

#[tokio::test]
async fn failed_messages_from_before_the_start_are_reported() {
    let server = OwnIncidents::new().await;
    let (mail, _) = server.letters().await;
    server.attempt(mail, |at| MessageState::Dead { at }).await;
    let server =
        OwnIncidents { watch: FaultWatch::new(server.service().clone(), Arc::clone(&server.health)), ..server };
    let incident = server.opens().await;
    server.advance(MINUTE);
    let (later, _) = server.letters().await;
    server.attempt(later, |at| MessageState::Delivered { at }).await;
    server.ends(incident.id).await;
    // The next start knows of the dead letter, but not of what was delivered since.
    let server =
        OwnIncidents { watch: FaultWatch::new(server.service().clone(), Arc::clone(&server.health)), ..server };
    server.nothing().await;
}

#[tokio::test]
async fn an_unreachable_mail_server_is_not_reported_by_mail() {
    let server = OwnIncidents::new().await;
    let attempt = |reached| server.health.note("email", reached, server.service().store().clock().both());
    attempt(false);
    server.advance(15 * MINUTE - 1);
    attempt(false);
    server.nothing().await;
    server.advance(1);
    let incident = server.opens().await;
    assert_eq!(incident.description, "The mail server has not been reached for 15 minutes");
    assert_eq!((incident.level.get(), tags(&incident)), {
        (2, vec!["problem_type=mail_server".to_owned(), "medium=email".to_owned()])
    });
    assert_eq!(server.notified(incident.id), [server.webhook]);

    // A new start knows nothing until the first attempt, which fails.
    let server = OwnIncidents { health: Arc::default(), ..server };
    let server =
        OwnIncidents { watch: FaultWatch::new(server.service().clone(), Arc::clone(&server.health)), ..server };
    server.nothing().await;
    server.health.note("email", false, server.service().store().clock().both());
    server.nothing().await;
    server.advance(MINUTE);
    server.health.note("email", true, server.service().store().clock().both());
    assert_eq!(server.ends(incident.id).await.description, "The mail server was reached again");
    assert_eq!(server.notified(incident.id), [server.webhook, server.webhook]);
}

#[tokio::test]
async fn the_servers_own_source_is_created_if_missing() {
    let directory = in_memory();
    let service = open(directory.path(), &still_clock(), Settings::default());
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
