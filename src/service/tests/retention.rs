//! The retention: what is deleted, when, and what is said about it.

use std::ops::ControlFlow;

use super::*;
use crate::{
    domain::{
        agenda::TaskKind,
        change::ConfigurationChange,
        directory::Subject,
        ids::{DestinationId, EventId, MessageId, ProfileId, UserId},
        limits::RETENTION_SLICE,
        message::{Message, MessageState, MessageSubject, Route},
        retention::shown,
    },
    service::{PastIncident, RetentionChange, put_past_incident},
};

const DAY: i64 = 24 * 3_600 * SECOND;

fn keep(days: impl Into<Option<u32>>) -> Settings {
    Settings { retention_days: days.into(), ..Settings::default() }
}

fn days(n: i64) -> Timestamp {
    seconds(n * DAY / SECOND)
}

impl Rig {
    /// Closes the file and opens it again.
    async fn restarted(self, settings: Settings) -> Self {
        let Self { service, clock, _dir: dir } = self;
        let closed = tokio::task::spawn_blocking(move || {
            service.search().close();
            service.store().close().unwrap();
        });
        closed.await.unwrap();
        let store = Store::open(&dir.path().join("data.redb"), Options::default(), clock.clone()).unwrap();
        let search = Search::open(&store, &dir.path().join("search")).unwrap();
        Self { service: Service::new(store, search, settings), clock, _dir: dir }
    }

    /// Moves the clock, as if the server had been running all the time.
    async fn pass(&self, micros: i64) {
        self.clock.advance_micros(micros);
        let now = self.now();
        let set = move |command: &mut crate::store::Command<'_>| {
            command.set_expiry_clock(now);
            Ok::<_, ServiceError>(())
        };
        self.write(None, set).await.unwrap();
    }

    async fn run_once(&self) {
        self.system().run_due(TaskKind::Retention, None).await.unwrap();
    }

    /// Adds closed incidents, each of which is a second long and starts at its own second.
    async fn past(&self, count: i64) -> Vec<IncidentId> {
        let source = self.directory().sources.values().next().unwrap().clone();
        let first = self.store().counters().last_incident + 1;
        let put = move |command: &mut crate::store::Command<'_>| {
            for n in 0..count {
                let new = NewIncident { start: seconds(n), end: EndTime::At(seconds(n + 1)), ..new_incident() };
                put_past_incident(command, PastIncident { source: source.clone(), new, events: Vec::new() });
            }
            Ok::<_, ServiceError>(())
        };
        self.write(None, put).await.unwrap();
        (first..first + count.unsigned_abs()).map(IncidentId).collect()
    }

    fn exists(&self, id: IncidentId) -> bool {
        self.store().snapshot().unwrap().incident(id).unwrap().is_some()
    }

    /// Returns key, and value after, of all changes about the retention.
    fn audit(&self) -> Vec<(String, String)> {
        let mut entries = Vec::new();
        let snapshot = self.store().snapshot().unwrap();
        snapshot
            .for_each_change(Seq(0), &mut |change| {
                if let ChangeKind::Configuration(ConfigurationChange { subject, key, after, .. }) = change.kind
                    && subject == Subject::Retention
                {
                    assert_eq!(change.actor, None);
                    entries.push((key, after.unwrap()));
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        entries
    }

    fn planned(&self) -> Vec<(u64, String)> {
        let rows = self.store().agenda().rows(TaskKind::Retention);
        rows.into_iter().map(|(task, at)| (task.id, shown(at, chrono_tz::UTC))).collect()
    }
}

#[tokio::test]
async fn only_what_is_closed_and_old_is_deleted_after_the_grace_period() {
    let rig = Rig::with(keep(30)).await;
    let source = rig.source("zabbix").await;
    let old = rig.post(&source, EndTime::At(START)).await.id;
    let stateless = rig.post(&source, EndTime::Stateless).await.id;
    let open = rig.post(&source, EndTime::Infinity).await.id;
    let ends_later = rig.post(&source, EndTime::At(days(20))).await.id;
    let commented = rig.post(&source, EndTime::At(START)).await.id;
    rig.clock.set(days(20));
    rig.add(&rig.admin(), commented, EventType::Other).await.unwrap();
    assert_eq!(rig.system().follow_retention().await.unwrap(), RetentionChange::Set);
    assert_eq!(rig.planned(), [(30, "2023-12-06 03:00 UTC".to_owned())], "at 3 o'clock, after 24 hours");
    assert_eq!(rig.system().follow_retention().await.unwrap(), RetentionChange::Unchanged);
    let young = rig.post(&source, EndTime::At(START)).await.id;

    rig.pass(DAY).await;
    rig.run_once().await;
    rig.pass(11 * DAY).await;
    let all = [old, stateless, open, ends_later, commented, young];
    assert!(all.iter().all(|id| rig.exists(*id)), "nothing looked at the agenda yet");
    let plan = rig.system().plan_retention(30).await.unwrap();
    assert_eq!((plan.is_set, plan.forecast.incidents), (true, 2));
    assert!(plan.forecast.bytes > 100);
    rig.run_once().await;
    assert_eq!(all.map(|id| rig.exists(id)), [false, false, true, true, true, true]);
    assert_eq!(rig.planned(), [(30, "2023-12-17 03:00 UTC".to_owned())], "the next night");
    rig.sound();
    let counts = rig.store().counters();
    assert_eq!((counts.incidents, counts.purged), (4, 0));

    rig.pass(30 * DAY).await;
    rig.run_once().await;
    assert_eq!(all.map(|id| rig.exists(id)), [false, false, true, false, false, false]);
    rig.sound();
    let runs: Vec<_> = rig.audit().into_iter().filter(|(key, _)| key == "run").map(|(_, after)| after).collect();
    assert_eq!(
        runs,
        [
            r#"{"deleted_incidents":2,"closed_before":"2023-11-16T22:13:20Z"}"#,
            r#"{"deleted_incidents":3,"closed_before":"2023-12-16T22:13:20Z"}"#
        ]
    );
    rig.pass(DAY).await;
    rig.run_once().await;
    assert_eq!(rig.audit().len(), 3, "a run that deletes nothing is not logged");
}

#[tokio::test]
async fn nothing_is_deleted_in_the_grace_period_nor_by_a_clock_that_is_ahead() {
    let rig = Rig::with(keep(1)).await;
    rig.past(3).await;
    rig.pass(100 * DAY).await;
    rig.system().follow_retention().await.unwrap();
    let is_complete = || rig.store().counters().incidents == 3;
    rig.pass(DAY - 1).await;
    rig.run_once().await;
    assert!(is_complete(), "a mistyped number can be corrected for 24 hours");
    rig.clock.jump_micros(30 * 365 * DAY);
    rig.run_once().await;
    assert!(is_complete(), "the clock is 30 years ahead");
    rig.clock.jump_micros(-60 * 365 * DAY);
    rig.run_once().await;
    assert!(is_complete(), "the clock is 30 years behind");
    rig.clock.jump_micros(30 * 365 * DAY);
    rig.run_once().await;
    assert!(is_complete());
    assert_eq!(rig.planned().len(), 1);
    rig.pass(DAY).await;
    rig.run_once().await;
    assert!(!is_complete(), "the clock is right again");
}

#[tokio::test]
async fn a_setting_that_was_seen_by_a_wrong_clock_is_planned_again() {
    let rig = Rig::with(keep(1)).await;
    rig.past(3).await;
    rig.pass(100 * DAY).await;
    rig.clock.jump_micros(30 * 365 * DAY);
    rig.system().follow_retention().await.unwrap();
    rig.clock.jump_micros(-30 * 365 * DAY);
    let rig = rig.restarted(keep(1)).await;
    rig.run_once().await;
    assert_eq!(rig.planned(), [(1, "2024-02-24 03:00 UTC".to_owned())]);
    assert_eq!(rig.store().counters().incidents, 3);
}

#[tokio::test]
async fn another_number_begins_a_new_grace_period_and_never_switches_off() {
    let rig = Rig::with(keep(365)).await;
    rig.past(3).await;
    rig.system().follow_retention().await.unwrap();
    rig.pass(100 * DAY).await;
    let rig = rig.restarted(keep(3)).await;
    assert_eq!(rig.system().follow_retention().await.unwrap(), RetentionChange::Set);
    assert_eq!(rig.planned(), [(3, "2024-02-24 03:00 UTC".to_owned())]);
    rig.run_once().await;
    assert_eq!(rig.store().counters().incidents, 3);

    let rig = rig.restarted(keep(None)).await;
    rig.pass(10 * DAY).await;
    rig.run_once().await;
    assert_eq!(rig.store().counters().incidents, 3, "the row of another setting deletes nothing");
    assert_eq!(rig.system().follow_retention().await.unwrap(), RetentionChange::SwitchedOff);
    assert_eq!(rig.planned(), []);
    assert_eq!(rig.system().examine_retention().await.unwrap(), None);
    let audit: Vec<(String, String)> = rig.audit();
    let said: Vec<&str> = audit.iter().map(|(_, after)| after.as_str()).collect();
    assert_eq!(
        said,
        [
            r#"{"closed_days":365,"first_deletion":"2023-11-16T03:00:00Z"}"#,
            r#"{"closed_days":3,"first_deletion":"2024-02-24T03:00:00Z"}"#,
            r#"{"closed_days":"never"}"#
        ]
    );
    let rig = rig.restarted(keep(None)).await;
    assert_eq!(rig.system().follow_retention().await.unwrap(), RetentionChange::Unchanged);
    rig.sound();
}

#[tokio::test]
async fn an_interrupted_run_continues_and_is_logged_once_with_the_exact_number() {
    let rig = Rig::with(keep(30)).await;
    let count = i64::try_from(RETENTION_SLICE).unwrap() * 2 + 50;
    rig.past(count).await;
    rig.system().follow_retention().await.unwrap();
    rig.pass(100 * DAY).await;
    rig.run_once().await;
    let left = |rig: &Rig| i64::try_from(rig.store().counters().incidents).unwrap();
    assert_eq!(left(&rig), count - 200, "one slice for each look at the agenda");
    let rig = rig.restarted(keep(30)).await;
    rig.system().follow_retention().await.unwrap();
    rig.run_once().await;
    assert_eq!((left(&rig), rig.store().counters().purged), (count - 400, 400));
    rig.run_once().await;
    assert_eq!((left(&rig), rig.store().counters().purged), (0, 0));
    let (key, after) = rig.audit().pop().unwrap();
    assert_eq!((key.as_str(), after.contains(r#""deleted_incidents":450,"#)), ("run", true), "{after}");
    rig.sound();
}

fn message(id: u64, about: MessageSubject, state: MessageState) -> Message {
    Message {
        id: MessageId(id),
        created: START,
        about,
        route: Route::Destination {
            user: UserId(1),
            profile: ProfileId(1),
            destination: DestinationId(1),
            medium: "email".to_owned(),
        },
        address: "ann@example.org".to_owned(),
        state,
        attempts: 1,
        last_attempt: None,
        answer: String::new(),
    }
}

#[tokio::test]
async fn messages_are_deleted_with_their_incidents_but_queued_ones_keep_them() {
    let rig = Rig::with(keep(30)).await;
    let ids = rig.past(6).await;
    let about = |n: usize| {
        let snapshot = rig.store().snapshot().unwrap();
        let event: EventId = snapshot.events_of(ids[n]).unwrap()[0].id;
        MessageSubject::Event { incident: ids[n], event }
    };
    let at = START;
    let (sent, dead, due) =
        (MessageState::Delivered { at }, MessageState::Dead { at }, MessageState::Due { at, since: at });
    let gathered = |into| MessageState::Gathered { into: MessageId(into), at };
    let messages = [
        message(1, about(0), sent),
        message(2, about(1), dead),
        message(3, about(2), due),
        message(4, about(3), gathered(6)),
        message(5, about(4), gathered(6)),
        message(6, MessageSubject::Summary(vec![MessageId(4), MessageId(5)]), sent),
        message(7, about(5), gathered(8)),
        message(8, MessageSubject::Summary(vec![MessageId(7)]), due),
    ];
    let reopened = ids[4];
    let put = move |command: &mut crate::store::Command<'_>| {
        for message in messages {
            assert_eq!(command.new_message_id(), message.id);
            command.put_message(message);
        }
        Ok::<_, ServiceError>(())
    };
    rig.write(None, put).await.unwrap();
    rig.pass(DAY).await;
    rig.add(&rig.admin(), reopened, EventType::Reopen).await.unwrap();
    rig.sound();
    rig.system().follow_retention().await.unwrap();
    rig.pass(100 * DAY).await;
    rig.run_once().await;
    rig.sound();
    let exist = |wanted: &[u64]| -> Vec<u64> {
        let snapshot = rig.store().snapshot().unwrap();
        wanted.iter().copied().filter(|id| snapshot.message(MessageId(*id)).unwrap().is_some()).collect()
    };
    assert_eq!(exist(&[1, 2, 3, 4, 5, 6, 7, 8]), [3, 5, 6, 7, 8]);
    assert_eq!(ids.iter().map(|id| rig.exists(*id)).collect::<Vec<_>>(), [false, false, true, false, true, true]);
    let summary = rig.store().snapshot().unwrap().message(MessageId(6)).unwrap().unwrap();
    assert_eq!(summary.about, MessageSubject::Summary(vec![MessageId(5)]));

    // The queued ones are sent, and the last incident is closed.
    rig.add(&rig.admin(), reopened, EventType::Close).await.unwrap();
    let settle = move |command: &mut crate::store::Command<'_>| {
        for id in [3, 8] {
            let message = command.message(MessageId(id))?.unwrap();
            command.put_message(Message { state: sent, ..message });
        }
        Ok::<_, ServiceError>(())
    };
    rig.write(None, settle).await.unwrap();
    rig.pass(100 * DAY).await;
    rig.run_once().await;
    rig.sound();
    assert_eq!(exist(&[1, 2, 3, 4, 5, 6, 7, 8]), [0_u64; 0], "summaries go with the last of their messages");
    assert_eq!(rig.store().counters().incidents, 0);
}

#[tokio::test]
async fn entries_about_single_deletions_are_trimmed_and_those_about_runs_stay() {
    let rig = Rig::with(keep(30)).await;
    rig.past(5).await;
    rig.system().follow_retention().await.unwrap();
    rig.pass(100 * DAY).await;
    rig.run_once().await;
    let deletions = || {
        let (mut count, snapshot) = (0, rig.store().snapshot().unwrap());
        let mut visit = |change: Change| {
            count += usize::from(matches!(change.kind, ChangeKind::IncidentDeleted { .. }));
            ControlFlow::Continue(())
        };
        snapshot.for_each_change(Seq(0), &mut visit).unwrap();
        count
    };
    assert_eq!(deletions(), 5);
    let (store, last) = (rig.store().clone(), Seq(rig.store().counters().last_seq - 1));
    tokio::task::spawn_blocking(move || store.trim_changes(last)).await.unwrap().unwrap();
    assert_eq!(deletions(), 0);
    assert_eq!(rig.audit().len(), 2);
    rig.sound();
}
