//! Tests that each reason has a sentence with what decided, the wanted value and the actual one.

use std::{collections::BTreeMap, sync::Arc};

use chrono_tz::Tz;

use super::*;
use crate::domain::{
    datetime,
    directory::{DecisionSettings, OWN_SOURCE},
    event::EventTypeSet,
    ids::{ProfileId, SourceId, UserId},
    maintenance::Maintenance,
    plan::{self, REPORTED_MEDIUM_TAG},
    severity::Level,
    source::Source,
    tag::IncidentTag,
    time::Timestamp,
    timeslot::{Recurrence, TimeOfDay, Timeslot},
    user::User,
};

const ALICE: UserId = UserId(1);

fn at(text: &str) -> Timestamp {
    datetime::parse(text, Tz::Europe__Oslo).unwrap()
}

/// An incident with an event, and a configuration under which alice is notified.
struct Case {
    directory: Directory,
    profile: Profile,
    destination: Destination,
    tags: Vec<IncidentTag>,
    about: FilterSubject<'static>,
    kind: EventType,
    timestamp: Timestamp,
}

impl Case {
    fn new() -> Self {
        let mut directory = Directory {
            settings: Arc::new(DecisionSettings { time_zone: Tz::Europe__Oslo, ..DecisionSettings::default() }),
            ..Directory::default()
        };
        directory.put_user(user());
        for (id, name, source_type) in [(1, OWN_SOURCE, OWN_SOURCE), (2, "zabbix-1", "zabbix"), (3, "nav-1", "nav")] {
            directory.put_source(Source {
                id: SourceId(id),
                name: name.to_owned(),
                source_type: source_type.to_owned(),
                user: UserId(100 + id),
                base_url: String::new(),
                heartbeat_frequency: None,
            });
        }
        let time = |text| TimeOfDay::parse(text).unwrap();
        let days = (1..=5).collect();
        directory.timeslots.insert(
            TimeslotId(4),
            Arc::new(Timeslot {
                id: TimeslotId(4),
                owner: ALICE,
                name: "Office hours".to_owned(),
                recurrences: vec![Recurrence { days, start: time("08:00"), end: time("16:00") }],
            }),
        );
        let about = FilterSubject {
            open: true,
            acked: false,
            stateful: true,
            has_ticket: false,
            level: Level::LOW,
            source: SourceId(2),
            tags: &[],
            event_types: EventTypeSet::default(),
        };
        let mut case = Self {
            directory,
            profile: Profile {
                id: ProfileId(3),
                owner: ALICE,
                name: Some("Work".to_owned()),
                timeslot: TimeslotId(4),
                filters: vec![FilterId(5)],
                destinations: vec![DestinationId(7)],
                active: true,
            },
            destination: Destination {
                id: DestinationId(7),
                owner: ALICE,
                medium: "email".to_owned(),
                label: None,
                settings: BTreeMap::from([("email_address".to_owned(), "alice@example.org".to_owned())]),
                synced: false,
            },
            tags: Vec::new(),
            about,
            kind: EventType::Start,
            timestamp: at("2026-01-15 12:00"),
        };
        case.filter(FilterBlob { stateful: Some(true), ..FilterBlob::default() });
        case
    }

    fn filter(&mut self, blob: FilterBlob) {
        let (id, name) = (FilterId(5), "Core".to_owned());
        self.directory.filters.insert(id, Arc::new(StoredFilter { id, owner: ALICE, name, public: false, blob }));
    }

    fn with(blob: FilterBlob) -> Self {
        let mut case = Self::new();
        case.filter(blob);
        case
    }

    fn settings(&mut self, change: impl FnOnce(&mut DecisionSettings)) {
        change(Arc::make_mut(&mut self.directory.settings));
    }

    fn tag(&mut self, text: &str) {
        self.tags.push(IncidentTag { tag: Tag::parse(text).unwrap(), added_by: ALICE, added_at: self.timestamp });
    }

    /// Returns the reasons about the last of alice's profiles, and the number of notifications.
    fn reasons(&self) -> (Vec<Reason>, usize) {
        let mut directory = self.directory.clone();
        directory.profiles.insert(self.profile.id, Arc::new(self.profile.clone()));
        directory.destinations.insert(self.destination.id, Arc::new(self.destination.clone()));
        let about = FilterSubject { tags: &self.tags, event_types: [self.kind].into_iter().collect(), ..self.about };
        let occurrence = Occurrence { about, kind: self.kind, timestamp: self.timestamp };
        let verdicts = plan::verdicts(&directory, ALICE, &occurrence);
        let verdict = verdicts.into_iter().next_back().unwrap();
        let basis = Basis::Profile(Arc::clone(&directory.profiles[&verdict.profile]));
        let explained = verdict.silences.iter().map(|(destination, silence)| {
            let target = destination.map_or(ExplainedRoute::All, ExplainedRoute::Destination);
            let reason = explain(*silence, &basis, target, &directory, &occurrence);
            assert_eq!(reason.code, code(*silence));
            reason
        });
        (explained.collect(), verdict.notified.len())
    }

    #[track_caller]
    fn says(&self, code: &str, sentence: &str) -> Reason {
        let (mut reasons, destinations) = self.reasons();
        assert_eq!((reasons.len(), destinations), (1, 0), "{reasons:?}");
        let reason = reasons.remove(0);
        assert_eq!((reason.code, reason.sentence.as_str()), (code, sentence));
        reason
    }
}

fn user() -> User {
    User {
        id: ALICE,
        username: "alice".to_owned(),
        password_hash: None,
        first_name: String::new(),
        last_name: String::new(),
        email: String::new(),
        is_staff: false,
        is_superuser: false,
        is_active: true,
        created: at("2026-01-01"),
        grants: Vec::new(),
    }
}

fn values(reason: &Reason) -> (Option<&str>, Option<&str>, Option<&str>) {
    (reason.criterion, reason.wanted.as_deref(), reason.actual.as_deref())
}

#[test]
fn who_is_told_needs_no_reason() {
    assert_eq!(Case::new().reasons(), (Vec::new(), 1));
}

#[test]
fn profile_and_owner() {
    let mut case = Case::new();
    case.profile.active = false;
    let reason = case.says("profile_inactive", "Profile \"Work\" (pk 3) was switched off.");
    let clause = Clause { kind: ClauseKind::Profile, id: Some(3), name: Some("Work".to_owned()) };
    assert_eq!(reason.clause, Some(clause));
    case.profile.name = None;
    case.says("profile_inactive", "Profile without a name (pk 3) was switched off.");
    let mut case = Case::new();
    case.directory.put_user(User { is_active: false, ..user() });
    case.says("owner_inactive", "The account alice was deactivated.");
    let mut case = Case::new();
    case.profile.filters.clear();
    case.says("no_filter", "Profile \"Work\" (pk 3) had no filter, so nothing could match it.");
    let mut case = Case::new();
    case.profile.destinations.clear();
    case.says("no_destination", "Profile \"Work\" (pk 3) had no destination to send to.");
}

#[test]
fn level() {
    let case = Case::with(FilterBlob { max_level: Some(Level::HIGH), ..FilterBlob::default() });
    let sentence = "Filter \"Core\" (pk 5) wants level 2 or worse, but the incident was at level 4.";
    let reason = case.says("filter", sentence);
    assert_eq!(values(&reason), (Some("maxlevel"), Some("level 2 or worse"), Some("level 4")));
    assert_eq!(reason.clause, Some(Clause { kind: ClauseKind::Filter, id: Some(5), name: Some("Core".to_owned()) }));
}

#[test]
fn tags() {
    let wanted = ["host=a", "site=x", "host=b"].map(str::to_owned).to_vec();
    let mut case = Case::with(FilterBlob { tags: Some(wanted), ..FilterBlob::default() });
    case.says("filter", "Filter \"Core\" (pk 5) wants the tag host=a or host=b, but the incident had no tag \"host\".");
    case.tag("host=c");
    case.tag("host=d");
    let sentence = "Filter \"Core\" (pk 5) wants the tag host=a or host=b, but the incident had host=c and host=d.";
    let reason = case.says("filter", sentence);
    assert_eq!(values(&reason), (Some("tags"), Some("host=a or host=b"), Some("host=c and host=d")));
    case.tag("host=a");
    case.says("filter", "Filter \"Core\" (pk 5) wants the tag site=x, but the incident had no tag \"site\".");
}

#[test]
fn sources() {
    let ids = Some(vec![SourceId(3), SourceId(9)]);
    let case = Case::with(FilterBlob { source_ids: ids, ..FilterBlob::default() });
    let sentence = "Filter \"Core\" (pk 5) wants the source \"nav-1\" (pk 3) or pk 9, but the incident came from \
                    \"zabbix-1\" (pk 2).";
    let reason = case.says("filter", sentence);
    assert_eq!(reason.criterion, Some("sourceSystemIds"));
    let both = FilterBlob {
        source_ids: Some(vec![SourceId(2)]),
        source_types: Some(vec!["nav".to_owned()]),
        ..FilterBlob::default()
    };
    let sentence = "Filter \"Core\" (pk 5) wants a source of type \"nav\", but the incident came from \"zabbix-1\" \
                    (pk 2) of type \"zabbix\".";
    let reason = Case::with(both).says("filter", sentence);
    assert_eq!(values(&reason), (Some("source_types"), Some("\"nav\""), Some("\"zabbix\"")));
}

#[test]
fn states() {
    let no = FilterBlob::default;
    let says = |case: &Case, criterion, rest: &str| {
        let reason = case.says("filter", &format!("Filter \"Core\" (pk 5) wants {rest}."));
        assert_eq!(reason.criterion, Some(criterion));
    };
    let closed = Case::with(FilterBlob { open: Some(false), ..no() });
    says(&closed, "open", "a closed incident, but it was open");
    let mut open = Case::with(FilterBlob { open: Some(true), ..no() });
    open.about.open = false;
    says(&open, "open", "an open incident, but it was closed");
    open.about.stateful = false;
    says(&open, "open", "an open incident, but it was stateless, so neither open nor closed");
    let mut stateful = Case::with(FilterBlob { stateful: Some(true), ..no() });
    stateful.about.stateful = false;
    says(&stateful, "stateful", "a stateful incident, but it was stateless");
    let stateless = Case::with(FilterBlob { stateful: Some(false), ..no() });
    says(&stateless, "stateful", "a stateless incident, but it was stateful");
    let acked = Case::with(FilterBlob { acked: Some(true), ..no() });
    says(&acked, "acked", "an acknowledged incident, but it was unacknowledged");
    let mut unacked = Case::with(FilterBlob { acked: Some(false), ..no() });
    unacked.about.acked = true;
    says(&unacked, "acked", "an unacknowledged incident, but it was acknowledged");
    let mut hidden = Case::with(FilterBlob { hide_closed_acked: true, ..no() });
    (hidden.about.open, hidden.about.acked) = (false, true);
    says(&hidden, "hide_closed_acked", "nothing that is both closed and acknowledged, but the incident was");
}

#[test]
fn filters_that_match_nothing() {
    let empty = Case::with(FilterBlob::default());
    let sentence = "Filter \"Core\" (pk 5) has no criterion; such a filter matches nothing.";
    empty.says("filter_matches_nothing", sentence);
    let mut bad = Case::with(FilterBlob { tags: Some(vec!["Host=a".to_owned()]), ..FilterBlob::default() });
    bad.tag("host=a");
    let sentence = "Filter \"Core\" (pk 5) wants the tag \"Host=a\", which no incident can have.";
    let reason = bad.says("filter_matches_nothing", sentence);
    assert_eq!(values(&reason), (Some("tags"), Some("Host=a"), Some("host=a")));
}

#[test]
fn the_fallback_filter_is_named() {
    let mut case = Case::new();
    case.settings(|settings| settings.fallback.acked = Some(true));
    case.says(
        "filter",
        "Filter \"Core\" (pk 5), completed by the server's fallback filter, wants an acknowledged incident, but it was \
         unacknowledged.",
    );
}

#[test]
fn event_types() {
    let types = Some(vec![EventType::End, EventType::Close]);
    let mut case = Case::with(FilterBlob { event_types: types, ..FilterBlob::default() });
    let sentence = "Filter \"Core\" (pk 5) lets END or CLO through, but this was STA (Incident start).";
    let reason = case.says("event_type", sentence);
    assert_eq!(values(&reason), (Some("event_types"), Some("END or CLO"), Some("STA")));
    let id = FilterId(6);
    let blob = FilterBlob { event_types: Some(vec![EventType::Acknowledge]), ..FilterBlob::default() };
    let second = StoredFilter { id, owner: ALICE, name: "Acks".to_owned(), public: false, blob };
    case.directory.filters.insert(id, Arc::new(second));
    case.profile.filters.push(id);
    let sentence =
        "Filters \"Core\" (pk 5) and \"Acks\" (pk 6) let END, CLO or ACK through, but this was STA (Incident start).";
    case.says("event_type", sentence);
}

#[test]
fn timeslots() {
    let mut case = Case::new();
    case.timestamp = at("2026-01-17 03:12:09");
    let sentence = "Outside the timeslot \"Office hours\": it was Saturday 2026-01-17 03:12:09 in Europe/Oslo; the slot \
                    is open Monday to Friday 08:00 to 16:00.";
    let reason = case.says("outside_timeslot", sentence);
    let wanted = Some("Monday to Friday 08:00 to 16:00");
    assert_eq!(values(&reason), (None, wanted, Some("Saturday 2026-01-17 03:12:09 in Europe/Oslo")));
    case.directory.timeslots.clear();
    case.says("outside_timeslot", "Timeslot 4 did not exist, so it was never open.");
}

#[test]
fn maintenance() {
    let mut case = Case::new();
    let mut plan = Maintenance {
        id: MaintenanceId(3),
        created_by: ALICE,
        created: at("2026-01-01"),
        start: at("2026-01-15 11:00"),
        end: Some(at("2026-01-15 13:00")),
        description: "switch upgrade".to_owned(),
        filters: vec![FilterId(5)],
    };
    case.directory.maintenances.insert(plan.id, Arc::new(plan.clone()));
    let sentence = "Planned maintenance 3 (\"switch upgrade\") covered it from 2026-01-15 11:00:00 to 2026-01-15 \
                    13:00:00; it happened at 2026-01-15 12:00:00 in Europe/Oslo.";
    let reason = case.says("maintenance", sentence);
    let clause = Clause { kind: ClauseKind::Maintenance, id: Some(3), name: Some("switch upgrade".to_owned()) };
    assert_eq!(reason.clause, Some(clause));
    (plan.end, plan.description) = (None, String::new());
    case.directory.maintenances.insert(plan.id, Arc::new(plan));
    let sentence = "Planned maintenance 3 covered it from 2026-01-15 11:00:00 on, with no end set; it happened at \
                    2026-01-15 12:00:00 in Europe/Oslo.";
    case.says("maintenance", sentence);
}

#[test]
fn sending_off() {
    let mut case = Case::new();
    case.settings(|settings| settings.send = false);
    case.says("sending_off", "Sending was switched off on this server.");
}

#[test]
fn told_already() {
    let mut case = Case::new();
    let first = Profile { id: ProfileId(2), name: Some("First".to_owned()), ..case.profile.clone() };
    case.directory.profiles.insert(first.id, Arc::new(first));
    let sentence = "Already covered by profile \"First\" (pk 2), which leads to the same destination, email \
                    alice@example.org (pk 7).";
    let reason = case.says("already_told", sentence);
    let clause = Clause { kind: ClauseKind::Profile, id: Some(2), name: Some("First".to_owned()) };
    assert_eq!(reason.clause, Some(clause));
}

#[test]
fn trouble_with_the_destination_itself() {
    let mut case = Case::new();
    case.about.source = SourceId(1);
    case.tag(&format!("{REPORTED_MEDIUM_TAG}=email"));
    case.destination.label = Some("at work".to_owned());
    case.says(
        "destination_reported",
        "The incident is about trouble with email \"at work\" (pk 7) itself, so that way was not used.",
    );
}

#[test]
fn every_mismatch_can_be_explained() {
    let case = Case::new();
    for mismatch in [
        Mismatch::Nothing,
        Mismatch::Open,
        Mismatch::Acked,
        Mismatch::Stateful,
        Mismatch::Ticket,
        Mismatch::HideClosedAcked,
        Mismatch::Tags(9),
        Mismatch::Source,
        Mismatch::Level,
        Mismatch::EventTypes,
    ] {
        for id in [FilterId(5), FilterId(99)] {
            let occurrence = Occurrence { about: case.about, kind: case.kind, timestamp: case.timestamp };
            let basis = Basis::Profile(Arc::new(case.profile.clone()));
            let reason =
                explain(Silence::Filter(id, mismatch), &basis, ExplainedRoute::All, &case.directory, &occurrence);
            assert!(reason.sentence.starts_with("Filter ") && reason.sentence.ends_with('.'), "{}", reason.sentence);
        }
    }
}
