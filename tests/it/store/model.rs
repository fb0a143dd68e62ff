//! The store against a naive model: random commands on both, with reopening, then everything is compared.

use std::{
    collections::BTreeMap,
    ops::{Bound, ControlFlow},
    path::Path,
    sync::Arc,
};

use argusd::{
    clock::{Clock, ManualClock},
    domain::{
        ack::{Acknowledgement, acked_until},
        change::{Change, ChangeKind},
        event::{Event, EventType, StateAfter},
        ids::{EventId, FilterId, IncidentId, Seq, SourceId, TokenId, UserId},
        incident::{EndTime, Incident, Summary},
        retention::{is_old, may_be_old},
        severity::Level,
        source::Source,
        stored_filter::StoredFilter,
        tag::{IncidentTag, Tag},
        time::Timestamp,
        token::{Token, TokenKind, TokenOrigin},
        user::User,
    },
    store::{Command, Direction, Store, StoreError, WriteError},
};
use proptest::prelude::*;

mod ops;

use ops::{Creation, Op, op};

use crate::support::{in_memory, open_store};

const ACTOR: UserId = UserId(1);

fn at(seconds: i64) -> Timestamp {
    Timestamp::saturating_from_micros(1_700_000_000_000_000 + seconds * 1_000_000)
}

fn tag(number: u8) -> Tag {
    Tag::parse(&format!("k{}=v{number}", number % 3)).unwrap()
}

/// What the store has to hold, in the plainest form.
#[derive(Default)]
struct Model {
    incidents: BTreeMap<IncidentId, Incident>,
    events: BTreeMap<(IncidentId, EventId), Event>,
    acks: BTreeMap<(IncidentId, EventId), Acknowledgement>,
    tokens: BTreeMap<u8, Token>,
    filters: BTreeMap<FilterId, StoredFilter>,
    changes: Vec<Change>,
    trimmed: u64,
    username: String,
}

impl Model {
    fn pick(&self, index: usize) -> Option<Incident> {
        let count = self.incidents.len();
        (count > 0).then(|| self.incidents.values().nth(index % count).cloned()).flatten()
    }

    fn put(&mut self, incident: &Incident, event: Option<&Event>) {
        self.incidents.insert(incident.id, incident.clone());
        if let Some(event) = event {
            self.events.insert((event.incident, event.id), event.clone());
        }
    }
}

struct Bench {
    store: Store,
    clock: Arc<ManualClock>,
    model: Model,
}

fn user(name: &str) -> User {
    User {
        id: ACTOR,
        username: name.to_owned(),
        password_hash: None,
        first_name: String::new(),
        last_name: String::new(),
        email: String::new(),
        is_staff: false,
        is_superuser: false,
        is_active: true,
        created: at(0),
        grants: Vec::new(),
    }
}

fn new_event(id: EventId, incident: &Incident, kind: EventType, timestamp: Timestamp, now: Timestamp) -> Event {
    Event {
        id,
        incident: incident.id,
        actor: ACTOR,
        timestamp,
        received: now,
        kind,
        description: format!("{} at {}", kind.code(), timestamp.micros()),
        after: StateAfter {
            open: incident.is_open(now),
            acked: incident.is_acked(now),
            level: incident.level,
            tags_version: incident.tags_version,
            decided: None,
        },
    }
}

impl Bench {
    fn new(path: &Path) -> Self {
        let clock = Arc::new(ManualClock::new(at(0)));
        let store = open_store(path, Arc::clone(&clock) as _);
        let mut bench = Self { store, clock, model: Model { username: "name".to_owned(), ..Model::default() } };
        bench.write(|command| {
            assert_eq!(command.add_user(user("name")).id, ACTOR);
            command.put_source_type("test".to_owned());
            for number in 1..4 {
                let id = command.new_source_id();
                assert_eq!(id, SourceId(number));
                command.put_source(Source {
                    id,
                    name: format!("source {number}"),
                    source_type: "test".to_owned(),
                    user: ACTOR,
                    base_url: String::new(),
                    heartbeat_frequency: None,
                });
            }
            Ok(())
        });
        bench.learn_changes();
        bench
    }

    fn write<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Command<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        self.store.write_blocking(Some(ACTOR), command).unwrap()
    }

    /// The model takes sequence numbers and the texts of configuration changes from the store; that they are complete
    /// and in order is checked here, that they stay is checked at the end.
    fn learn_changes(&mut self) {
        let after = Seq(self.model.changes.last().map_or(0, |change| change.seq.0));
        let mut fresh = Vec::new();
        let snapshot = self.store.snapshot().unwrap();
        snapshot
            .for_each_change(after, &mut |change| {
                fresh.push(change);
                ControlFlow::Continue(())
            })
            .unwrap();
        for (expected, change) in (after.0 + 1..).zip(&fresh) {
            assert_eq!(change.seq.0, expected);
            assert_eq!((change.at, change.actor), (self.clock.now(), Some(ACTOR)));
        }
        self.model.changes.extend(fresh);
    }

    fn last_kind(&self) -> Option<&ChangeKind> {
        self.model.changes.last().map(|change| &change.kind)
    }

    fn apply(&mut self, path: &Path, op: Op) {
        self.clock.advance_micros(1_000_000);
        match op {
            Op::Create(creation) => self.create(creation),
            Op::AddEvent { incident, kind, at: moment } => self.add_event(incident, EventType::ALL[kind], at(moment)),
            Op::Acknowledge { incident, expiration } => self.acknowledge(incident, expiration.map(at)),
            Op::Expire { incident, ack, expiration } => self.expire(incident, ack, expiration.map(at)),
            Op::Edit { incident, level, tags, ticket } => self.edit(incident, level, &tags, ticket),
            Op::Delete { incident } => self.delete(incident),
            Op::Purge { limit } => self.purge(at(limit)),
            Op::Refuse { incident } => self.refuse(incident),
            Op::Rename { name } => {
                self.model.username = format!("name{name}");
                let username = self.model.username.clone();
                self.write(move |command| {
                    command.edit_user(ACTOR, |user| user.username = username);
                    Ok(())
                });
            }
            Op::AddToken { hash } => {
                let token = self.write(move |command| {
                    let token = Token {
                        id: command.new_token_id(),
                        user: ACTOR,
                        kind: TokenKind::Classic,
                        hash: [hash; 32],
                        created: command.now(),
                        expires: None,
                        replaceable: false,
                        origin: TokenOrigin::Hand,
                        note: String::new(),
                    };
                    command.put_token(token.clone());
                    Ok(token)
                });
                self.model.tokens.insert(hash, token);
            }
            Op::DeleteToken { hash } => {
                self.write(move |command| {
                    command.delete_token([hash; 32]);
                    Ok(())
                });
                self.model.tokens.remove(&hash);
            }
            Op::PutFilter { slot, blob } => {
                let public = blob.hide_closed_acked;
                let filter = StoredFilter { id: FilterId(slot), owner: ACTOR, name: slot.to_string(), public, blob };
                self.model.filters.insert(filter.id, filter.clone());
                self.write(move |command| {
                    while command.new_filter_id() < filter.id {}
                    command.put_filter(filter);
                    Ok(())
                });
            }
            Op::DeleteFilter { slot } => {
                self.model.filters.remove(&FilterId(slot));
                self.write(move |command| {
                    command.delete_filter(FilterId(slot));
                    Ok(())
                });
            }
            Op::Trim { keep } => {
                let up_to = self.model.changes.last().unwrap().seq.0.saturating_sub(keep);
                self.store.trim_changes(Seq(up_to)).unwrap();
                self.model.trimmed = self.model.trimmed.max(up_to);
            }
            Op::Reopen => {
                self.store.close().unwrap();
                self.store = open_store(path, Arc::clone(&self.clock) as _);
            }
        }
        self.learn_changes();
    }

    fn create(&mut self, creation: Creation) {
        let Creation { source, start, end, source_incident_id, level, tags } = creation;
        let source_incident_id = if source_incident_id == 0 { String::new() } else { source_incident_id.to_string() };
        let taken = self.model.incidents.values().any(|incident| {
            incident.source == SourceId(source)
                && !source_incident_id.is_empty()
                && incident.source_incident_id == source_incident_id
        });
        let mut tags: Vec<Tag> = tags.into_iter().map(tag).collect();
        tags.sort();
        tags.dedup();
        let now = self.clock.now();
        let outcome = self.store.write_blocking(Some(ACTOR), move |command| {
            let source = SourceId(source);
            if !source_incident_id.is_empty()
                && command.incident_with_source_id(source, &source_incident_id).unwrap().is_some()
            {
                return Err("taken");
            }
            let mut incident = Incident {
                end: match end {
                    0 => EndTime::Stateless,
                    1 => EndTime::Infinity,
                    other => EndTime::At(at(start + i64::from(other) * 10)),
                },
                source_incident_id,
                description: format!("incident at {start}"),
                level: Level::new(level).unwrap(),
                tags: tags.into_iter().map(|tag| IncidentTag { tag, added_by: ACTOR, added_at: now }).collect(),
                last_event: now,
                ..Incident::new(command.new_incident_id(), source, at(start))
            };
            let event = new_event(command.new_event_id(), &incident, EventType::Start, at(start), now);
            incident.note_event(&event);
            command.put_incident(incident.clone());
            command.put_event(event.clone());
            command.log(ChangeKind::IncidentCreated { incident: incident.id, event: event.id });
            Ok((incident, event))
        });
        match outcome {
            Err(WriteError::Refused("taken")) => assert!(taken),
            Ok((incident, event)) => {
                assert!(!taken);
                assert!(self.model.incidents.keys().all(|id| *id < incident.id), "an id was given out again");
                self.model.put(&incident, Some(&event));
                self.learn_changes();
                let expected = ChangeKind::IncidentCreated { incident: incident.id, event: event.id };
                assert_eq!(self.last_kind(), Some(&expected));
            }
            other => panic!("{other:?}"),
        }
    }

    fn add_event(&mut self, index: usize, kind: EventType, timestamp: Timestamp) {
        let Some(incident) = self.model.pick(index) else { return };
        let (incident, event) = self.write(move |command| {
            let mut incident = command.incident(incident.id)?.unwrap();
            let now = command.now();
            match kind {
                EventType::End | EventType::Close => incident.end = EndTime::At(timestamp),
                EventType::Reopen => incident.end = EndTime::Infinity,
                _ => {}
            }
            let event = new_event(command.new_event_id(), &incident, kind, timestamp, now);
            incident.note_event(&event);
            command.put_incident(incident.clone());
            command.put_event(event.clone());
            command.log(ChangeKind::EventAdded { incident: incident.id, event: event.id });
            Ok((incident, event))
        });
        self.model.put(&incident, Some(&event));
    }

    fn acknowledge(&mut self, index: usize, expiration: Option<Timestamp>) {
        let Some(incident) = self.model.pick(index) else { return };
        let (incident, event, ack) = self.write(move |command| {
            let mut incident = command.incident(incident.id)?.unwrap();
            let event =
                new_event(command.new_event_id(), &incident, EventType::Acknowledge, command.now(), command.now());
            let ack = Acknowledgement { event: event.id, incident: incident.id, expiration };
            let mut acks = command.acks_of(incident.id)?;
            acks.push(ack);
            incident.acked_until = acked_until(&acks);
            incident.note_event(&event);
            command.put_incident(incident.clone());
            command.put_event(event.clone());
            command.put_ack(ack);
            command.log(ChangeKind::EventAdded { incident: incident.id, event: event.id });
            Ok((incident, event, ack))
        });
        self.model.put(&incident, Some(&event));
        self.model.acks.insert((ack.incident, ack.event), ack);
    }

    fn expire(&mut self, index: usize, ack: usize, expiration: Option<Timestamp>) {
        let Some(incident) = self.model.pick(index) else { return };
        let acks: Vec<_> = self.model.acks.values().filter(|ack| ack.incident == incident.id).copied().collect();
        if acks.is_empty() {
            return;
        }
        let changed = acks[ack % acks.len()].event;
        let (incident, ack) = self.write(move |command| {
            let mut acks = command.acks_of(incident.id)?;
            let ack = acks.iter_mut().find(|ack| ack.event == changed).unwrap();
            let before = std::mem::replace(&mut ack.expiration, expiration);
            let ack = *ack;
            let mut incident = command.incident(incident.id)?.unwrap();
            incident.acked_until = acked_until(&acks);
            command.put_incident(incident.clone());
            command.put_ack(ack);
            command.log(ChangeKind::AckChanged { incident: incident.id, ack: ack.event, before, after: expiration });
            Ok((incident, ack))
        });
        self.model.put(&incident, None);
        self.model.acks.insert((ack.incident, ack.event), ack);
    }

    fn edit(&mut self, index: usize, level: u8, tags: &[u8], ticket: bool) {
        let Some(mut incident) = self.model.pick(index) else { return };
        let now = self.clock.now();
        incident.level = Level::new(level).unwrap();
        incident.ticket_url = if ticket { "https://tickets.example.org/1".to_owned() } else { String::new() };
        let mut tags: Vec<Tag> = tags.iter().copied().map(tag).collect();
        tags.sort();
        tags.dedup();
        incident.tags = tags.into_iter().map(|tag| IncidentTag { tag, added_by: ACTOR, added_at: now }).collect();
        incident.tags_version += 1;
        self.model.put(&incident, None);
        self.write(move |command| {
            command.log(ChangeKind::IncidentEdited { incident: incident.id, fields: Vec::new(), events: Vec::new() });
            command.put_incident(incident);
            Ok(())
        });
    }

    fn delete(&mut self, index: usize) {
        let Some(incident) = self.model.pick(index) else { return };
        self.write(move |command| {
            command.delete_incident(incident.id);
            command.log(ChangeKind::IncidentDeleted { incident: incident.id });
            Ok(())
        });
        self.model.incidents.remove(&incident.id);
        self.model.events.retain(|(id, _), _| *id != incident.id);
        self.model.acks.retain(|(id, _), _| *id != incident.id);
    }

    /// Deletes as the retention does: what its scan of the store finds, against what the model has.
    fn purge(&mut self, limit: Timestamp) {
        let expected: Vec<IncidentId> =
            self.model.incidents.values().filter(|it| is_old(it, limit)).map(|incident| incident.id).collect();
        let snapshot = self.store.snapshot().unwrap();
        let tables = snapshot.incident_tables().unwrap();
        let mut found = Vec::new();
        tables
            .for_each_started_before(limit, None, &mut |summary| {
                if may_be_old(&summary, limit) && is_old(&tables.incident(summary.id)?.unwrap(), limit) {
                    let events = self.model.events.keys().filter(|(incident, _)| *incident == summary.id).count();
                    assert!(tables.size_of(summary.id)?.records > events);
                    found.push(summary.id);
                }
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        found.sort();
        assert_eq!(found, expected);
        drop((tables, snapshot));
        let purged = self.store.counters().purged;
        self.write(move |command| {
            for incident in &found {
                command.log(ChangeKind::IncidentDeleted { incident: *incident });
            }
            command.purge_incidents(found);
            Ok(())
        });
        assert_eq!(self.store.counters().purged, purged + expected.len() as u64);
        self.model.incidents.retain(|id, _| !expected.contains(id));
        self.model.events.retain(|(id, _), _| !expected.contains(id));
        self.model.acks.retain(|(id, _), _| !expected.contains(id));
    }

    fn refuse(&mut self, index: usize) {
        let picked = self.model.pick(index);
        let refused = self.store.write_blocking(Some(ACTOR), move |command| {
            if let Some(incident) = picked {
                command.delete_incident(incident.id);
            }
            command.edit_user(ACTOR, |user| user.username.push_str(" else"));
            command.new_incident_id();
            Err::<(), _>("no")
        });
        assert_eq!(refused, Err(WriteError::Refused("no")));
    }

    fn compare(&self) {
        let model = &self.model;
        let snapshot = self.store.snapshot().unwrap();
        let mut incidents = Vec::new();
        snapshot
            .for_each_incident(&mut |incident| {
                incidents.push(incident);
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(incidents, model.incidents.values().cloned().collect::<Vec<_>>());

        let mut summaries = Vec::new();
        snapshot.for_each_summary(&mut |summary| summaries.push(summary)).unwrap();
        let mut expected: Vec<Summary> = model.incidents.values().map(Summary::from).collect();
        expected.sort_by_key(|summary| (summary.start, summary.id));
        assert_eq!(summaries, expected);

        let mut events = Vec::new();
        snapshot
            .for_each_event(&mut |event| {
                events.push(event);
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(events, model.events.values().cloned().collect::<Vec<_>>());
        self.compare_pages(&snapshot);

        for incident in model.incidents.values() {
            let range = (Bound::Included((incident.id, EventId(0))), Bound::Included((incident.id, EventId(u64::MAX))));
            let acks: Vec<_> = model.acks.range(range).map(|(_, ack)| *ack).collect();
            assert_eq!(snapshot.acks_of(incident.id).unwrap(), acks);
            if !incident.source_incident_id.is_empty() {
                let found = snapshot.incident_with_source_id(incident.source, &incident.source_incident_id);
                assert_eq!(found.unwrap(), Some(incident.id));
            }
        }
        let counters = self.store.counters();
        let totals = (counters.incidents, counters.events, counters.acks);
        let counted = (model.incidents.len() as u64, model.events.len() as u64, model.acks.len() as u64);
        assert_eq!(totals, counted);

        let directory = self.store.directory();
        assert_eq!(directory.users[&ACTOR].username, model.username);
        assert_eq!(directory.user_by_name.len(), 1);
        let tokens: BTreeMap<u8, Token> =
            directory.tokens.values().map(|token| (token.hash[0], Token::clone(token))).collect();
        assert_eq!(tokens, model.tokens);
        assert!(tokens.values().all(|token| token.id <= TokenId(counters.last_token)));
        let filters: BTreeMap<FilterId, StoredFilter> =
            directory.filters.iter().map(|(id, filter)| (*id, StoredFilter::clone(filter))).collect();
        assert_eq!(filters, model.filters);
        self.compare_changes(&snapshot);
        assert_eq!(self.store.verify().unwrap(), Vec::<String>::new());
    }

    fn compare_pages(&self, snapshot: &argusd::store::Snapshot) {
        let mut newest_first: Vec<_> = self.model.events.values().cloned().collect();
        newest_first.sort_by_key(|event| std::cmp::Reverse((event.timestamp, event.id)));
        let mut walked: Vec<Event> = Vec::new();
        loop {
            let from = walked.last().map(|event| (event.timestamp, event.id));
            let page = snapshot.events_page(from, Direction::Older, 7).unwrap();
            if page.is_empty() {
                break;
            }
            walked.extend(page);
        }
        assert_eq!(walked, newest_first);
        if let [newest, .., oldest] = newest_first.as_slice() {
            let from = Some((oldest.timestamp, oldest.id));
            let mut newer = snapshot.events_page(from, Direction::Newer, usize::MAX).unwrap();
            newer.reverse();
            assert_eq!(newer, newest_first[..newest_first.len() - 1]);
            let from = Some((newest.timestamp, newest.id));
            assert_eq!(snapshot.events_page(from, Direction::Newer, 5).unwrap(), []);
        }
    }

    fn compare_changes(&self, snapshot: &argusd::store::Snapshot) {
        let mut kept = Vec::new();
        snapshot
            .for_each_change(Seq(0), &mut |change| {
                kept.push(change);
                ControlFlow::Continue(())
            })
            .unwrap();
        let expected: Vec<_> = self
            .model
            .changes
            .iter()
            .filter(|change| {
                change.seq.0 > self.model.trimmed
                    || !matches!(change.kind, ChangeKind::IncidentCreated { .. } | ChangeKind::EventAdded { .. })
            })
            .cloned()
            .collect();
        assert_eq!(kept, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_agrees_with_a_naive_model(ops in proptest::collection::vec(op(), 100..140)) {
        let folder = in_memory();
        let path = folder.path().join("model.redb");
        let mut bench = Bench::new(&path);
        for (step, op) in ops.into_iter().enumerate() {
            let compare = matches!(op, Op::Reopen) || step % 25 == 0;
            bench.apply(&path, op);
            if compare {
                bench.compare();
            }
        }
        bench.compare();
    }
}

#[test]
fn an_id_is_never_used_again() {
    let folder = in_memory();
    let path = folder.path().join("numbers.redb");
    let clock = Arc::new(ManualClock::new(at(0)));
    let mut last = 0;
    for _ in 0..3 {
        let store = open_store(&path, Arc::clone(&clock) as _);
        let taken = store.write_blocking(None, |command| Ok::<_, StoreError>(command.new_event_id())).unwrap();
        assert!(taken.0 > last);
        last = taken.0;
        store.close().unwrap();
    }
}
