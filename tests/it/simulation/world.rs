//! One life from one seed: users with profiles, incidents that come and go, and everything that can go wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use argusd::{
    clock::{Clock, ManualClock},
    domain::{
        contact::Contact,
        directory::{DecisionSettings, Directory},
        event::{Event, EventType},
        ids::{DestinationId, EventId, IncidentId, UserId},
        incident::{EndTime, Incident},
        message::{Message, MessageState, MessageSubject, Route},
        plan::{
            NearMissRecipient, NearReason, Occurrence, ProfileVerdict, RuleVerdict, Silence, rule_verdicts, verdicts,
        },
        rule::{Addressee, Recipient},
        severity::Level,
        tag::Tag,
        time::Timestamp,
    },
    notify::{DispatchSettings, Dispatcher, Health, QueueSettings},
    service::{Caller, Credential, IncidentEdit, NewAck, NewEvent, NewIncident, Service, Settings},
};
use chrono_tz::Tz;
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::{in_memory, open, source::source, user::user};

use super::{
    carrier::FakeCarrier,
    dice::Dice,
    edits::{Change, SOURCES},
    oracle::{self, Judgement},
};

pub(super) const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// The night in which clocks are put back in Oslo.
const START: Timestamp = Timestamp::saturating_from_micros(1_792_800_000_000_000);
const TAGS: [&str; 6] = ["host=a", "host=b", "host=c", "site=x", "site=y", "team=net"];
pub(super) const USERS: [&str; 3] = ["ann", "ben", "cho"];

pub struct World {
    seed: u64,
    pub(super) dice: Dice,
    pub(super) clock: Arc<ManualClock>,
    directory: TempDir,
    pub(super) service: Service,
    dispatcher: Option<Dispatcher>,
    pub carrier: Arc<FakeCarrier>,
    incidents: Vec<IncidentId>,
    /// What was said of events when they happened.
    said: Vec<(IncidentId, EventId, UserId, Vec<ProfileVerdict>)>,
    said_of_contacts: Vec<(IncidentId, EventId, Uuid, Vec<RuleVerdict>)>,
    storm_limit: usize,
    /// Edits that are not carried out yet, while they are gathered.
    pub(super) held: Mutex<Option<Vec<Change>>>,
    pub edits_before_events: usize,
    pub judged: usize,
    pub notified: usize,
    pub called: usize,
}

/// Longer than all steps of the clock together, so that no message is given up for its age.
const RETRIED_FOR: i64 = 3_650 * DAY;

impl World {
    pub async fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let clock = Arc::new(ManualClock::new(START.saturating_add_micros(dice.below(DAY as u64) as i64)));
        let directory = in_memory();
        let service = open(directory.path(), &clock, settings());
        service.people().first_start(Some("password".into())).await.unwrap();
        let carrier = Arc::new(FakeCarrier::new());
        let storm_limit = *dice.pick(&[0, 0, 3, 8]);
        let mut world = Self {
            seed,
            dice,
            clock,
            directory,
            service,
            dispatcher: None,
            carrier,
            incidents: Vec::new(),
            said: Vec::new(),
            said_of_contacts: Vec::new(),
            storm_limit,
            held: Mutex::default(),
            edits_before_events: 0,
            judged: 0,
            notified: 0,
            called: 0,
        };
        world.settle_in().await;
        world
    }

    async fn settle_in(&mut self) {
        self.start_dispatcher();
        let local = self.local();
        for kind in ["nav", "zabbix"] {
            self.service.sources().create_source_type(&local, kind.to_owned()).await.unwrap();
            source(&self.service, &local, &format!("{kind}-1"), kind).create().await;
        }
        for name in USERS {
            user(&self.service, &local, name).email(&format!("{name}@example.org")).create().await;
        }
        let settings = DecisionSettings { time_zone: Tz::Europe__Oslo, ..DecisionSettings::default() };
        self.service.notifications().use_decision_settings(settings).await.unwrap();
        for _ in 0..6 {
            self.new_filter().await;
            self.new_timeslot().await;
            self.new_destination().await;
        }
        for _ in 0..6 {
            self.put_profile(None).await;
        }
        self.hire().await;
    }

    /// One thing happens, and then some time passes.
    pub async fn step(&mut self) {
        match self.dice.below(100) {
            0..16 => self.incident().await,
            16..26 => self.edit_and_incident().await,
            26..44 => self.event().await,
            44..52 => self.change_people().await,
            52..60 => self.acknowledge().await,
            60..66 => self.edit_incident().await,
            66..74 => self.change_profile().await,
            74..80 => self.change_filter().await,
            80..84 => self.change_timeslot().await,
            84..88 => self.change_maintenance().await,
            88..92 => self.outage(),
            92..94 => self.switch_sending().await,
            94..96 => self.switch_user().await,
            96..98 => self.carrier.crash_after(self.dice.below(4) as i64),
            _ => self.restart().await,
        }
        if self.dice.percent(4) {
            self.set_clock();
        }
        self.work().await;
        let pause = match self.dice.below(10) {
            0..5 => self.dice.below(20_000_000) as i64,
            5..9 => self.dice.below(90 * MINUTE as u64) as i64,
            _ => self.dice.below(DAY as u64) as i64,
        };
        self.pass(pause).await;
    }

    /// Somebody sets it, or it was wrong for a while.
    fn set_clock(&mut self) {
        let by = *self.dice.pick(&[MINUTE, 60 * MINUTE, DAY, 30 * DAY]);
        self.clock.jump_micros(if self.dice.percent(50) { by } else { -by });
    }

    /// All servers are up again; whatever is due still has to arrive.
    pub async fn end(&mut self) {
        self.carrier.down.lock().unwrap().clear();
        self.carrier.never_crash();
        let last = self.clock.now().saturating_add_micros(2 * DAY);
        while let Some(next) = self.work().await {
            assert!(next < last, "seed {}: something is due for ever", self.seed);
            self.clock.set(next.max(self.clock.now()));
        }
        self.check_outbox();
        self.check_memory();
        let findings = self.service.store().verify().unwrap();
        assert_eq!(findings, Vec::<String>::new(), "seed {}", self.seed);
    }

    async fn pass(&mut self, micros: i64) {
        let until = self.clock.now().saturating_add_micros(micros);
        while let Some(next) = self.work().await.filter(|next| *next < until) {
            self.clock.set(next.max(self.clock.now().saturating_add_micros(1)));
        }
        self.clock.set(until);
    }

    /// Until nothing is due now; through crashes.
    async fn work(&mut self) -> Option<Timestamp> {
        loop {
            let dispatcher = self.dispatcher.as_mut().unwrap();
            tokio::select! {
                next = dispatcher.work_off() => return next,
                () = self.carrier.crashed.notified() => {}
            }
            self.carrier.never_crash();
            self.dispatcher = None;
            let mut due = Vec::new();
            self.service
                .store()
                .snapshot()
                .unwrap()
                .for_each_due_message(&mut |it| due.push(self.wire_id(&it)))
                .unwrap();
            self.carrier.note_unheard(due.into_iter());
            self.start_dispatcher();
        }
    }

    async fn restart(&mut self) {
        self.dispatcher = None;
        let service = self.service.clone();
        tokio::task::spawn_blocking(move || {
            service.search().close();
            service.store().close().unwrap();
        })
        .await
        .unwrap();
        self.service = open(self.directory.path(), &self.clock, settings());
        self.start_dispatcher();
    }

    fn start_dispatcher(&mut self) {
        let settings = DispatchSettings {
            queue: QueueSettings { storm_limit: self.storm_limit, retry_micros: RETRIED_FOR },
            public_url: None,
        };
        let (store, carrier) = (self.service.store().clone(), Arc::clone(&self.carrier));
        self.dispatcher = Some(Dispatcher::new(store, carrier, Arc::new(Health::default()), settings));
    }

    async fn incident(&mut self) {
        let (source, new) = (self.source(), self.new_incident());
        let incident = self.service.incidents().create_incident(&source, new).await.unwrap();
        self.judge_first_event(incident.id).await;
    }

    /// By the configuration as it is now.
    pub(super) async fn judge_first_event(&mut self, incident: IncidentId) {
        self.incidents.push(incident);
        let directory = self.service.directory();
        let event = self.last_event(incident);
        self.judge(&directory, &event).await;
    }

    pub(super) fn new_incident(&mut self) -> NewIncident {
        let stateful = self.dice.percent(80);
        let late = if self.dice.percent(20) { self.dice.below(DAY as u64) as i64 } else { 0 };
        NewIncident {
            start: self.clock.now().saturating_add_micros(-late),
            end: if stateful { EndTime::Infinity } else { EndTime::Stateless },
            description: "something broke".to_owned(),
            level: Some(self.level()),
            tags: self.tags().iter().map(|tag| Tag::parse(tag).unwrap()).collect(),
            ..NewIncident::default()
        }
    }

    async fn event(&mut self) {
        let Some(id) = self.any_incident() else { return };
        let (caller, kinds) = if self.dice.percent(60) {
            (self.source(), [EventType::End, EventType::Restart, EventType::Change, EventType::Other])
        } else {
            (self.local(), [EventType::Close, EventType::Reopen, EventType::Other, EventType::Other])
        };
        let late = if self.dice.percent(30) { self.dice.below(10 * MINUTE as u64) as i64 } else { 0 };
        let new = NewEvent {
            kind: *self.dice.pick(&kinds),
            timestamp: Some(self.clock.now().saturating_add_micros(-late)),
            description: "it went on".to_owned(),
        };
        let before = self.service.directory();
        // The state machine may refuse it.
        if let Ok(event) = self.service.incidents().add_event(&caller, id, new).await {
            self.judge(&before, &event).await;
        }
    }

    async fn acknowledge(&mut self) {
        let Some(id) = self.any_incident() else { return };
        let now = self.clock.now();
        let expiration = self.dice.percent(50).then(|| now.saturating_add_micros(30 * MINUTE));
        let new = NewAck { timestamp: Some(now), description: "seen".to_owned(), expiration };
        let before = self.service.directory();
        let (_, event) = self.service.incidents().add_ack(&self.local(), id, new).await.unwrap();
        self.judge(&before, &event).await;
    }

    /// Edits an incident. Nobody is notified of that.
    async fn edit_incident(&mut self) {
        let Some(id) = self.any_incident() else { return };
        let edit = IncidentEdit {
            level: Some(self.level()),
            tags: Some(self.tags().iter().map(|tag| Tag::parse(tag).unwrap()).collect()),
            ..IncidentEdit::default()
        };
        let before = self.messages(id).len();
        self.service.incidents().edit_incident(&self.local(), id, edit).await.unwrap();
        assert_eq!(self.messages(id).len(), before, "seed {}: told of an edit", self.seed);
    }

    /// Compares what was decided with what should have been.
    async fn judge(&mut self, before: &Directory, event: &Event) {
        self.judged += 1;
        let incident = self.service.incidents().incident(event.incident).await.unwrap();
        let contacts = self.contacts();
        let expected = oracle::judge(before, &contacts, &incident, event, self.clock.now());
        let snapshot = self.service.store().snapshot().unwrap();
        let (mut notified, mut called) = (Vec::new(), Vec::new());
        for message in snapshot.messages_of(incident.id).unwrap() {
            if matches!(message.about, MessageSubject::Event { event: about, .. } if about == event.id) {
                match message.route {
                    Route::Destination { destination, .. } => notified.push(destination),
                    Route::Contact { contact, channel, .. } => called.push((contact, channel)),
                }
            }
        }
        self.notified += notified.len();
        self.called += called.len();
        notified.sort();
        called.sort();
        let should: Vec<_> = expected.called.iter().copied().collect();
        assert_eq!(called, should, "seed {}: contacts for {event:?} of {incident:?}", self.seed);
        for contact in &contacts {
            let said = self.explain_rules(&incident, event, contact, before);
            self.check_rules(&said, contact, &expected, before);
            self.said_of_contacts.push((incident.id, event.id, contact.uuid, said));
        }
        let should: Vec<DestinationId> = expected.notified.iter().copied().collect();
        assert_eq!(notified, should, "seed {}: {event:?} of {incident:?}", self.seed);
        let (near, more) = snapshot.near_misses(incident.id, event.id).unwrap();
        assert_eq!(more, 0);
        let users: Vec<UserId> = before.users.keys().copied().collect();
        for user in users {
            let said = self.explain(&incident, event, user, before);
            self.check_reasons(&said, &expected);
            for verdict in &said {
                let recorded = near.iter().filter_map(|it| match it.recipient {
                    NearMissRecipient::User { profile, destination, .. } if profile == verdict.profile => {
                        Some((destination, Silence::Near(it.reason)))
                    }
                    _ => None,
                });
                let recomputed: Vec<_> =
                    verdict.silences.iter().copied().filter(|(_, it)| matches!(it, Silence::Near(_))).collect();
                assert_eq!(recorded.collect::<Vec<_>>(), recomputed, "seed {}", self.seed);
            }
            self.said.push((incident.id, event.id, user, said));
        }
    }

    fn explain(&self, incident: &Incident, event: &Event, user: UserId, directory: &Directory) -> Vec<ProfileVerdict> {
        let tags = self.service.store().snapshot().unwrap().tags_at(incident, event.after.tags_version).unwrap();
        let occurrence = Occurrence::new(event, incident.source, incident.end.is_stateful(), false, &tags);
        verdicts(directory, user, &occurrence)
    }

    fn explain_rules(
        &self,
        incident: &Incident,
        event: &Event,
        contact: &Contact,
        directory: &Directory,
    ) -> Vec<RuleVerdict> {
        let tags = self.service.store().snapshot().unwrap().tags_at(incident, event.after.tags_version).unwrap();
        let occurrence = Occurrence::new(event, incident.source, incident.end.is_stateful(), false, &tags);
        rule_verdicts(directory, contact, &occurrence)
    }

    /// Each rule says what it did for the contact, and why it did no more.
    fn check_rules(&self, said: &[RuleVerdict], contact: &Contact, expected: &Judgement, directory: &Directory) {
        let id = |uuid: &Uuid| directory.channels[uuid].id;
        let notified: Vec<_> =
            said.iter().flat_map(|it| it.notified.iter().map(|uuid| (contact.id, id(uuid)))).collect();
        let should: BTreeSet<_> =
            expected.called.iter().copied().filter(|(recipient, _)| *recipient == contact.id).collect();
        assert_eq!(notified.len(), should.len(), "seed {}: {said:?}", self.seed);
        assert_eq!(notified.into_iter().collect::<BTreeSet<_>>(), should, "seed {}: {said:?}", self.seed);
        for verdict in said {
            assert!(!verdict.notified.is_empty() || !verdict.silences.is_empty(), "seed {}: {verdict:?}", self.seed);
            let against = expected.rule_silences.get(&verdict.rule);
            for (_, silence) in &verdict.silences {
                let reason = match silence {
                    Silence::RuleInactive => "inactive",
                    Silence::Filter(..) | Silence::NoFilter => "filter",
                    Silence::EventType => "type",
                    Silence::Near(NearReason::OutsideTimeslot(_)) => "timeslot",
                    Silence::Near(NearReason::Maintenance(_)) => "maintenance",
                    Silence::Near(NearReason::SendingOff) => "off",
                    Silence::NotRecipient => {
                        let is_meant = |it: &Recipient| match it.who {
                            Addressee::Contact(uuid) => uuid == contact.uuid,
                            Addressee::Group(uuid) => contact.groups.contains(&uuid),
                        };
                        assert!(!directory.rules[&verdict.rule].recipients.iter().any(is_meant), "seed {}", self.seed);
                        continue;
                    }
                    Silence::Near(NearReason::NoDestination | NearReason::Covered(_)) => {
                        assert!(against.is_none(), "seed {}: {verdict:?}", self.seed);
                        continue;
                    }
                    _ => panic!("seed {}: {verdict:?}", self.seed),
                };
                assert!(
                    against.is_some_and(|against| against.contains(reason)),
                    "seed {}: {verdict:?} says {reason}, but {against:?} stands against it",
                    self.seed
                );
            }
        }
    }

    fn check_reasons(&self, said: &[ProfileVerdict], expected: &Judgement) {
        for verdict in said {
            let against = expected.silences.get(&verdict.profile);
            assert!(
                !verdict.notified.is_empty() || !verdict.silences.is_empty(),
                "seed {}: no reason is given for the silence of {verdict:?}",
                self.seed
            );
            for (_, silence) in &verdict.silences {
                let reason = match silence {
                    Silence::ProfileInactive => "inactive",
                    Silence::RuleInactive | Silence::NotRecipient => panic!("there are no rules here"),
                    Silence::OwnerInactive => "owner",
                    Silence::Filter(..) | Silence::NoFilter => "filter",
                    Silence::EventType => "type",
                    Silence::Near(NearReason::OutsideTimeslot(_)) => "timeslot",
                    Silence::Near(NearReason::Maintenance(_)) => "maintenance",
                    Silence::Near(NearReason::SendingOff) => "off",
                    Silence::Near(NearReason::NoDestination) => "destination",
                    Silence::Near(NearReason::Covered(_)) => {
                        assert!(against.is_none(), "seed {}: {verdict:?}", self.seed);
                        continue;
                    }
                    Silence::Near(NearReason::Reported | NearReason::TooMany { .. }) => {
                        panic!("seed {}: nothing reports itself, and there are not so many", self.seed)
                    }
                };
                assert!(
                    against.is_some_and(|against| against.contains(reason)),
                    "seed {}: {verdict:?} says {reason}, but {against:?} stands against it",
                    self.seed
                );
            }
        }
    }

    /// Each message arrived, once unless a crash came between, and in order.
    fn check_outbox(&self) {
        let snapshot = self.service.store().snapshot().unwrap();
        let arrivals = self.carrier.arrivals();
        let mut messages: BTreeMap<u64, Message> = BTreeMap::new();
        for message in snapshot.messages_page(argusd::store::Messages::All, None, usize::MAX).unwrap() {
            messages.insert(message.id.0, message);
        }
        for message in messages.values() {
            let carried = match message.state {
                MessageState::Delivered { .. } => message.id.0,
                MessageState::Gathered { into, .. } => {
                    assert!(
                        matches!(messages[&into.0].state, MessageState::Delivered { .. }),
                        "seed {}: {message:?}",
                        self.seed
                    );
                    into.0
                }
                // The owner was deactivated meanwhile.
                MessageState::Dead { .. } if message.answer.contains("deactivated") => continue,
                MessageState::Dead { .. } if self.lost_its_way(message) => continue,
                state => panic!("seed {}: {state:?} {message:?}", self.seed),
            };
            let id = self.wire_id(&messages[&carried]);
            let arrived = arrivals.get(&id).map_or(0, Vec::len);
            let once = arrived == 1 || arrived > 1 && self.carrier.was_in_flight_at_a_crash(&id);
            assert!(once, "seed {}: {id} arrived {arrived} times", self.seed);
        }
        self.check_order(&messages);
    }

    /// The contact, its address or the channel was there no more when the message was about to leave.
    fn lost_its_way(&self, message: &Message) -> bool {
        let Route::Contact { contact, uuid, channel, .. } = message.route else { return false };
        let contacts = self.contacts();
        let is_there = contacts.iter().any(|it| it.uuid == uuid && it.id == contact);
        let has_channel = self.service.directory().channels.values().any(|it| it.id == channel);
        match message.answer.as_str() {
            "The contact was deleted before the message could leave." => !is_there,
            "The channel was deleted before the message could leave." => !has_channel,
            answer => answer == "The contact has no address for the channel any more.",
        }
    }

    fn wire_id(&self, message: &Message) -> String {
        let made = message.created.micros();
        format!("m{}.{made:x}.{}", message.id, self.service.store().generation().simple())
    }

    fn check_order(&self, messages: &BTreeMap<u64, Message>) {
        let mut last: BTreeMap<(String, u64), u64> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for delivery in self.carrier.deliveries.lock().unwrap().iter().filter(|it| seen.insert(it.id.clone())) {
            let mut notified = delivery.notified.clone();
            notified.sort_unstable();
            for (incident, event) in notified {
                let before = last.insert((delivery.address.clone(), incident), event);
                assert!(
                    before.is_none_or(|before| before < event),
                    "seed {}: out of order: {delivery:?}, of {} messages",
                    self.seed,
                    messages.len()
                );
            }
        }
    }

    /// Whatever was changed or deleted since: the answers are the same.
    fn check_memory(&self) {
        let snapshot = self.service.store().snapshot().unwrap();
        let mut asked = 0;
        for (incident, event, user, said) in self.said.iter().step_by(7) {
            let incident = snapshot.incident(*incident).unwrap().unwrap();
            let event = snapshot.event(incident.id, *event).unwrap().unwrap();
            let directory = snapshot.directory_at(event.after.decided.unwrap()).unwrap();
            assert_eq!(self.explain(&incident, &event, *user, &directory), *said, "seed {}", self.seed);
            asked += 1;
        }
        for (incident, event, uuid, said) in self.said_of_contacts.iter().step_by(11) {
            let incident = snapshot.incident(*incident).unwrap().unwrap();
            let event = snapshot.event(incident.id, *event).unwrap().unwrap();
            let seq = event.after.decided.unwrap();
            let (contact, directory) =
                (snapshot.contact_with_uuid_at(*uuid, seq).unwrap().unwrap(), snapshot.directory_at(seq).unwrap());
            assert_eq!(self.explain_rules(&incident, &event, &contact, &directory), *said, "seed {}", self.seed);
        }
        assert!(asked > 0);
    }

    pub(super) fn tags(&mut self) -> Vec<&'static str> {
        self.dice.some(&TAGS, 35)
    }

    pub(super) fn level(&mut self) -> Level {
        Level::new(1 + self.dice.below(5) as u8).unwrap()
    }

    fn any_incident(&mut self) -> Option<IncidentId> {
        let recent: Vec<IncidentId> = self.incidents.iter().rev().take(6).copied().collect();
        (!recent.is_empty()).then(|| *self.dice.pick(&recent))
    }

    pub(super) fn user(&mut self) -> UserId {
        let name = *self.dice.pick(&USERS);
        self.service.directory().user_named(name).unwrap().id
    }

    pub(super) fn source(&mut self) -> Caller {
        let id = *self.dice.pick(&SOURCES);
        let directory = self.service.directory();
        let source = Arc::clone(directory.source(id).unwrap());
        let user = Arc::clone(directory.user(source.user).unwrap());
        Caller { user, source: Some(source), credential: Credential::Classic([0; 32]) }
    }

    pub(super) fn local(&self) -> Caller {
        self.service.people().local_caller().unwrap()
    }

    fn last_event(&self, incident: IncidentId) -> Event {
        self.service.store().snapshot().unwrap().events_of(incident).unwrap().pop().unwrap()
    }

    fn messages(&self, incident: IncidentId) -> Vec<Message> {
        self.service.store().snapshot().unwrap().messages_of(incident).unwrap()
    }
}

fn settings() -> Settings {
    Settings { time_zone: Tz::Europe__Oslo, ..Settings::default() }
}

pub(super) fn sorted<'a, T: Copy + Ord + 'a>(ids: impl IntoIterator<Item = &'a T>) -> Vec<T> {
    let mut ids: Vec<T> = ids.into_iter().copied().collect();
    ids.sort();
    ids
}
