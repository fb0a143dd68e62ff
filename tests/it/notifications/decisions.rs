//! Decisions explained afterwards: over random configurations they agree with what was recorded, and stay as they were
//! whatever is edited, deleted or restarted since.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use argusd::{
    clock::ManualClock,
    domain::{
        destination::Destination,
        directory::DecisionSettings,
        event::EventType,
        explain,
        filter::Criteria,
        ids::{DestinationId, EventId, FilterId, IncidentId, MaintenanceId, ProfileId, SourceId, TimeslotId, UserId},
        incident::EndTime,
        maintenance::Maintenance,
        message::{MessageSubject, Route},
        plan::{NearMissRecipient, Silence},
        profile::Profile,
        severity::Level,
        stored_filter::{FilterBlob, StoredFilter},
        tag::Tag,
        time::Timestamp,
        timeslot::{Recurrence, TimeOfDay, Timeslot},
        user::UserDraft,
    },
    service::{Caller, Decisions, NewAck, NewEvent, NewIncident, Service, Settings},
};
use chrono_tz::Tz;

use crate::support::{MINUTE, in_memory, open, outbox::write, source::source, still_clock, user::user};

const USERS: [&str; 3] = ["ann", "ben", "cyd"];
const SEEDS: u64 = 12;
const STEPS: u64 = 90;

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Clone>(&mut self, list: &[T]) -> Option<T> {
        if list.is_empty() { None } else { list.get(self.below(list.len() as u64) as usize).cloned() }
    }

    fn some_of<T: Clone>(&mut self, list: &[T], percent: u64) -> Vec<T> {
        list.iter().filter(|_| self.chance(percent)).cloned().collect()
    }

    fn flag(&mut self) -> Option<bool> {
        self.chance(30).then(|| self.chance(60))
    }

    fn tag(&mut self) -> String {
        let (key, value) = (["host", "site"][self.below(2) as usize], self.below(3));
        format!("{key}={value}")
    }

    fn tags(&mut self) -> Vec<Tag> {
        (0..self.below(3)).map(|_| Tag::parse(&self.tag()).unwrap()).collect()
    }

    fn kind(&mut self) -> EventType {
        EventType::ALL[self.below(9) as usize]
    }

    fn blob(&mut self, sources: &[SourceId]) -> FilterBlob {
        FilterBlob {
            source_ids: self.chance(25).then(|| self.some_of(sources, 60)),
            source_types: self.chance(15).then(|| vec!["zabbix".to_owned()]),
            tags: self.chance(35).then(|| (0..=self.below(2)).map(|_| self.tag()).collect()),
            open: self.flag(),
            acked: self.flag().filter(|acked| !acked),
            stateful: self.flag(),
            max_level: self.chance(50).then(|| Level::new(self.below(5) as u8 + 1).unwrap()),
            event_types: self.chance(20).then(|| vec![self.kind(), self.kind(), EventType::Start]),
            hide_closed_acked: self.chance(10),
        }
    }

    fn recurrences(&mut self) -> Vec<Recurrence> {
        let one = |dice: &mut Self| {
            let days = (1..=7).filter(|_| dice.chance(80)).collect();
            let start = dice.below(12);
            let end = start + 1 + dice.below(23 - start);
            let time = |hour: u64| TimeOfDay(hour * 3_600_000_000);
            Recurrence { days, start: time(start), end: time(end) }
        };
        if self.chance(50) {
            vec![Recurrence { days: (1..=7).collect(), start: TimeOfDay::MIDNIGHT, end: TimeOfDay::LAST }]
        } else {
            (0..self.below(3)).map(|_| one(self)).collect()
        }
    }
}

struct World {
    service: Service,
    clock: Arc<ManualClock>,
    admin: Caller,
    dice: Dice,
    incidents: Vec<IncidentId>,
    events: Vec<(IncidentId, EventId)>,
}

fn settings() -> Settings {
    Settings { time_zone: Tz::Europe__Oslo, ..Settings::default() }
}

impl World {
    async fn new(directory: &Path, seed: u64) -> Self {
        let clock = still_clock();
        let service = open(directory, &clock, settings());
        service.people().first_start(Some("correct horse".into())).await.unwrap();
        let admin = service.people().local_caller().unwrap();
        for username in USERS {
            user(&service, &admin, username).email(&format!("{username}@example.org")).create().await;
        }
        service.sources().create_source_type(&admin, "zabbix".to_owned()).await.unwrap();
        for name in ["zabbix-1", "zabbix-2"] {
            source(&service, &admin, name, "zabbix").create().await;
        }
        Self { service, clock, admin, dice: Dice(seed), incidents: Vec::new(), events: Vec::new() }
    }

    fn users(&self) -> Vec<UserId> {
        let directory = self.service.directory();
        USERS.iter().map(|name| directory.user_named(name).unwrap().id).collect()
    }

    async fn live(&mut self) {
        for _ in 0..8 {
            self.configure().await;
        }
        for _ in 0..STEPS {
            self.clock.advance_micros(self.dice.below(90) as i64 * MINUTE);
            match self.dice.below(10) {
                0..=2 => self.configure().await,
                3..=5 => self.start().await,
                6 => self.retag().await,
                _ => self.happen().await,
            }
        }
    }

    async fn configure(&mut self) {
        let (service, now) = (self.service.clone(), self.clock_now());
        let directory = service.directory();
        let dice = &mut self.dice;
        let sources: Vec<SourceId> = directory.sources.keys().copied().collect();
        let mut filters: Vec<FilterId> = directory.filters.keys().copied().collect();
        filters.sort_unstable();
        let users: Vec<UserId> = USERS.iter().map(|name| directory.user_named(name).unwrap().id).collect();
        let owner = dice.pick(&users).unwrap();
        match dice.below(12) {
            0..=2 => {
                let blob = dice.blob(&sources);
                let old = dice.pick(&filters).filter(|_| dice.chance(40));
                write(&service, move |command| {
                    let id = old.unwrap_or_else(|| command.new_filter_id());
                    command.put_filter(StoredFilter { id, owner, name: format!("f{id}"), public: true, blob });
                })
                .await;
            }
            3..=5 => {
                let mut profiles: Vec<ProfileId> = directory.profiles.keys().copied().collect();
                profiles.sort_unstable();
                let old = dice.pick(&profiles).filter(|_| dice.chance(30));
                let owner = old.map_or(owner, |id| directory.profiles[&id].owner);
                let timeslots: Vec<TimeslotId> = directory.timeslots_of(owner).iter().map(|it| it.id).collect();
                let all: Vec<DestinationId> = directory.destinations_of(owner).iter().map(|it| it.id).collect();
                let destinations = dice.some_of(&all, 70);
                let chosen: Vec<FilterId> = dice.pick(&filters).into_iter().chain(dice.pick(&filters)).collect();
                let chosen: Vec<FilterId> = if dice.chance(60) { chosen.into_iter().take(1).collect() } else { chosen };
                let (timeslot, active) = (dice.pick(&timeslots).unwrap_or(TimeslotId(1)), dice.chance(85));
                write(&service, move |command| {
                    let id = old.unwrap_or_else(|| command.new_profile_id());
                    let name = Some(format!("p{id}"));
                    command.put_profile(Profile { id, owner, name, timeslot, filters: chosen, destinations, active });
                })
                .await;
            }
            6 => {
                let (recurrences, old) = (dice.recurrences(), directory.timeslots_of(owner).first().map(|it| it.id));
                let old = old.filter(|_| dice.chance(50));
                write(&service, move |command| {
                    let id = old.unwrap_or_else(|| command.new_timeslot_id());
                    command.put_timeslot(Timeslot { id, owner, name: format!("t{id}"), recurrences });
                })
                .await;
            }
            7 => {
                let Some(filter) = dice.pick(&filters) else { return };
                let start = now.saturating_add_micros((dice.below(300) as i64 - 150) * MINUTE);
                let end = dice.chance(80).then(|| start.saturating_add_micros((1 + dice.below(200) as i64) * MINUTE));
                write(&service, move |command| {
                    let id = command.new_maintenance_id();
                    let (description, filters) = (format!("m{id}"), vec![filter]);
                    let maintenance =
                        Maintenance { id, created_by: owner, created: now, start, end, description, filters };
                    command.put_maintenance(maintenance);
                })
                .await;
            }
            8 => {
                let fallback = if dice.chance(40) {
                    FilterBlob { max_level: Level::new(4), ..FilterBlob::default() }
                } else {
                    FilterBlob::default()
                };
                let time_zone = if dice.chance(50) { Tz::Europe__Oslo } else { Tz::America__New_York };
                let settings = DecisionSettings { time_zone, send: dice.chance(85), fallback };
                write(&service, move |command| command.put_settings(settings)).await;
            }
            9 => {
                let address = format!("{}@example.org", dice.below(1_000));
                write(&service, move |command| {
                    let id = command.new_destination_id();
                    command.put_destination(Destination {
                        id,
                        owner,
                        medium: "email".to_owned(),
                        label: None,
                        settings: BTreeMap::from([("email_address".to_owned(), address)]),
                        synced: false,
                    });
                })
                .await;
            }
            10 => {
                let is_active = Some(self.dice.chance(70));
                let change = UserDraft { is_active, ..UserDraft::default() };
                service.people().change_user(&self.admin, owner, change).await.unwrap();
            }
            _ => self.delete_something().await,
        }
    }

    async fn delete_something(&mut self) {
        let directory = self.service.directory();
        let mut maintenances: Vec<MaintenanceId> = directory.maintenances.keys().copied().collect();
        maintenances.sort_unstable();
        let mut profiles: Vec<ProfileId> = directory.profiles.keys().copied().collect();
        profiles.sort_unstable();
        let (maintenance, profile) = (self.dice.pick(&maintenances), self.dice.pick(&profiles));
        let what = self.dice.below(2);
        write(&self.service, move |command| match (what, maintenance, profile) {
            (0, Some(id), _) => command.delete_maintenance(id),
            (_, _, Some(id)) => command.delete_profile(id),
            _ => {}
        })
        .await;
    }

    fn clock_now(&self) -> Timestamp {
        self.service.now()
    }

    fn poster(&mut self) -> Caller {
        let name = ["zabbix-1", "zabbix-2"][self.dice.below(2) as usize];
        let directory = self.service.directory();
        let user = directory.user_named(name).unwrap().clone();
        let source = directory.source_of(user.id).cloned();
        Caller { user, source, credential: self.admin.credential }
    }

    async fn start(&mut self) {
        let poster = self.poster();
        let start = self.clock_now().saturating_add_micros(-(self.dice.below(500) as i64) * MINUTE);
        let end = if self.dice.chance(75) { EndTime::Infinity } else { EndTime::Stateless };
        let new = NewIncident {
            start,
            end,
            description: "it broke".to_owned(),
            level: Level::new(self.dice.below(5) as u8 + 1),
            tags: self.dice.tags(),
            ..NewIncident::default()
        };
        let incident = self.service.incidents().create_incident(&poster, new).await.unwrap();
        self.incidents.push(incident.id);
        let first = self.service.incidents().events(incident.id).await.unwrap().remove(0);
        self.events.push((incident.id, first.id));
    }

    async fn retag(&mut self) {
        let Some(id) = self.dice.pick(&self.incidents) else { return };
        let tag = Tag::parse(&self.dice.tag()).unwrap();
        let there = self.service.incidents().incident(id).await.unwrap().has_tag(&tag);
        if there {
            self.service.incidents().remove_tag(&self.admin, id, &tag).await.unwrap();
        } else {
            self.service.incidents().add_tag(&self.admin, id, tag).await.unwrap();
        }
    }

    async fn happen(&mut self) {
        let Some(id) = self.dice.pick(&self.incidents) else { return };
        let at = self.clock_now().saturating_add_micros(-(self.dice.below(600) as i64) * MINUTE);
        let event = if self.dice.chance(25) {
            let new = NewAck { timestamp: Some(at), description: String::new(), expiration: None };
            self.service.incidents().add_ack(&self.admin, id, new).await.map(|(_, event)| event)
        } else {
            let poster = if self.dice.chance(50) { self.poster() } else { self.admin.clone() };
            let new = NewEvent { kind: self.dice.kind(), timestamp: Some(at), description: String::new() };
            self.service.incidents().add_event(&poster, id, new).await
        };
        if let Ok(event) = event {
            self.events.push((id, event.id));
        }
    }

    async fn ask(&self, service: &Service, incident: IncidentId, event: EventId, name: &str) -> Decisions {
        service.notifications().decisions(&self.admin, incident, event, Some(name.to_owned())).await.unwrap()
    }

    async fn all_answers(&self, service: &Service) -> Vec<String> {
        let mut answers = Vec::new();
        for (incident, event) in &self.events {
            for name in USERS {
                answers.push(format!("{:?}", self.ask(service, *incident, *event, name).await));
            }
        }
        answers
    }

    /// Returns the number of notified recipients, and of near misses.
    async fn check_records(&self) -> (usize, usize) {
        let (mut all_told, mut all_nearly) = (0, 0);
        for (incident, event) in &self.events {
            let snapshot = self.service.store().snapshot().unwrap();
            let messages = snapshot.messages_of(*incident).unwrap();
            let (misses, more) = snapshot.near_misses(*incident, *event).unwrap();
            assert_eq!(more, 0);
            for (user, name) in self.users().into_iter().zip(USERS) {
                let about = MessageSubject::Event { incident: *incident, event: *event };
                let routes = messages.iter().filter(|it| it.about == about).map(|it| &it.route);
                let sent: Vec<(ProfileId, DestinationId)> = routes
                    .map(|route| match route {
                        Route::Destination { user, profile, destination, .. } => (*user, *profile, *destination),
                        Route::Contact { .. } => panic!("there are no rules"),
                    })
                    .filter(|(receiver, ..)| *receiver == user)
                    .map(|(_, profile, destination)| (profile, destination))
                    .collect();
                let nearly: Vec<(ProfileId, Option<DestinationId>, &str)> = misses
                    .iter()
                    .filter_map(|miss| match miss.recipient {
                        NearMissRecipient::User { user: recipient, profile, destination } if recipient == user => {
                            Some((profile, destination, explain::code(Silence::Near(miss.reason))))
                        }
                        _ => None,
                    })
                    .collect();
                let decisions = self.ask(&self.service, *incident, *event, name).await;
                let notified: Vec<(ProfileId, DestinationId)> = decisions
                    .profiles
                    .iter()
                    .flat_map(|profile| profile.notified.iter().map(|it| (profile.id, it.id)))
                    .collect();
                assert_eq!(notified, sent, "{incident} {event} {name}: {decisions:#?}");
                let near_codes = ["outside_timeslot", "maintenance", "sending_off", "no_destination", "already_told"];
                let silent: Vec<(ProfileId, Option<DestinationId>, &str)> = decisions
                    .profiles
                    .iter()
                    .flat_map(|profile| profile.reasons.iter().map(|(to, reason)| (profile.id, *to, reason.code)))
                    .filter(|(.., code)| near_codes.contains(code))
                    .collect();
                assert_eq!(silent, nearly, "{incident} {event} {name}: {decisions:#?}");
                for profile in &decisions.profiles {
                    assert!(!profile.notified.is_empty() || !profile.reasons.is_empty(), "silent without a reason");
                }
                all_told += sent.len();
                all_nearly += nearly.len();
            }
        }
        (all_told, all_nearly)
    }

    /// Nothing is left as it was.
    async fn turn_everything_over(&self) {
        let directory = self.service.directory();
        let users = self.users();
        write(&self.service, move |command| {
            directory.profiles.keys().for_each(|id| command.delete_profile(*id));
            directory.maintenances.keys().for_each(|id| command.delete_maintenance(*id));
            directory.destinations.keys().for_each(|id| command.delete_destination(*id));
            for (index, (id, filter)) in directory.filters.iter().enumerate() {
                if index % 2 == 0 {
                    command.delete_filter(*id);
                } else {
                    let blob = FilterBlob { open: Some(true), ..FilterBlob::default() };
                    command.put_filter(StoredFilter { name: "other".to_owned(), blob, ..StoredFilter::clone(filter) });
                }
            }
            for (index, (id, timeslot)) in directory.timeslots.iter().enumerate() {
                if index % 2 == 0 {
                    command.delete_timeslot(*id);
                } else {
                    command.put_timeslot(Timeslot { recurrences: Vec::new(), ..Timeslot::clone(timeslot) });
                }
            }
            let fallback = FilterBlob { acked: Some(true), ..FilterBlob::default() };
            command.put_settings(DecisionSettings { time_zone: Tz::Asia__Tokyo, send: true, fallback });
        })
        .await;
        for user in users {
            let change = UserDraft { is_active: Some(false), ..UserDraft::default() };
            self.service.people().change_user(&self.admin, user, change).await.unwrap();
        }
        for id in &self.incidents {
            let tag = Tag::parse("site=elsewhere").unwrap();
            self.service.incidents().add_tag(&self.admin, *id, tag).await.unwrap();
        }
    }
}

#[tokio::test]
async fn answers_agree_with_what_was_recorded_and_never_change() {
    let (mut notified, mut nearly) = (0, 0);
    for seed in 1..=SEEDS {
        let directory = in_memory();
        let mut world = World::new(directory.path(), seed).await;
        world.live().await;
        let (sent, missed) = world.check_records().await;
        (notified, nearly) = (notified + sent, nearly + missed);
        let before = world.all_answers(&world.service).await;
        world.turn_everything_over().await;
        let behind = world.all_answers(&world.service).await;
        assert_eq!(before, behind, "seed {seed}: after everything was edited or deleted");
        world.service.search().close();
        world.service.store().close().unwrap();
        let reopened = open(directory.path(), &world.clock, settings());
        assert_eq!(before, world.all_answers(&reopened).await, "seed {seed}: after a restart");
        assert_eq!(
            reopened.incidents().count_incidents(Criteria::default()).await.unwrap() as usize,
            world.incidents.len()
        );
        reopened.search().close();
        reopened.store().close().unwrap();
    }
    assert!(notified > 100 && nearly > 100, "the worlds are too dull: {notified} told, {nearly} nearly");
}
