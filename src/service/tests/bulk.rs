//! Bulk changes.

use std::collections::BTreeSet;

use super::*;
use crate::{
    domain::{
        filter::Criteria,
        ids::{EventId, Seq},
        lifecycle::EventRefusal,
        limits::{BULK_TEXT, BULKS_PER_USER, DESCRIPTION, UNDO_FOR, WORK_KEPT_PER_USER, WORK_SLICE},
    },
    service::{
        BulkAction, BulkEvent, BulkJob, BulkKind, BulkRefusal, BulkStatus, BulkSubjects, NewAck, Refusal, Selection,
    },
};

type Row = (u64, Result<Option<BulkEvent>, BulkRefusal>);

fn event(kind: EventType) -> BulkAction {
    BulkAction::Event(NewEvent { kind, timestamp: None, description: "done".to_owned() })
}

fn ack() -> BulkAction {
    BulkAction::Acknowledge(NewAck { timestamp: Some(START), description: String::new(), expiration: None })
}

fn ticket(url: &str) -> BulkAction {
    BulkAction::TicketUrl(url.to_owned())
}

impl Rig {
    async fn bulk_rows(&self, caller: &Caller, ids: Vec<u64>, action: BulkAction) -> Vec<Row> {
        let outcome = self.incidents().bulk(caller, ids, action).await.unwrap();
        assert!(outcome.failure.is_none());
        outcome.rows
    }

    async fn open(&self, count: usize) -> Vec<u64> {
        let source = self.source("zabbix").await;
        futures_util::future::join_all((0..count).map(|_| self.post(&source, EndTime::Infinity)))
            .await
            .iter()
            .map(|incident| incident.id.0)
            .collect()
    }

    async fn done(&self, caller: &Caller, action: BulkAction, ids: &[u64]) -> BulkJob {
        let job = self.incidents().begin_bulk(caller, action, BulkSubjects::Chosen(ids.to_vec()), ids.len()).unwrap();
        job.finished().await;
        job
    }

    /// Undoes the change. Returns the numbers of incidents undone and kept.
    async fn undo_counts(&self, caller: &Caller, job: &BulkJob) -> (usize, usize) {
        let undone = self.incidents().undo_bulk(caller, job.id()).await.unwrap().unwrap();
        assert!(undone.failure.is_none());
        (undone.undone, undone.kept)
    }
}

#[tokio::test]
async fn each_incident_is_judged_by_itself() {
    let rig = Rig::new().await;
    let (zabbix, ann) = (rig.source("zabbix").await, rig.person("ann").await);
    let open = rig.post(&zabbix, EndTime::Infinity).await.id;
    let closed = rig.post(&zabbix, EndTime::At(START)).await.id;
    let stateless = rig.post(&zabbix, EndTime::Stateless).await.id;
    let ids = vec![closed.0, 99, open.0, stateless.0, open.0];
    let rows = rig.bulk_rows(&ann, ids, event(EventType::Close)).await;
    assert_eq!(rows.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [closed.0, 99, open.0, stateless.0]);
    let refused = |i: usize| rows[i].1.unwrap_err();
    assert_eq!(refused(0), BulkRefusal::Event(EventRefusal::AlreadyClosed));
    assert_eq!(refused(1), BulkRefusal::Unknown);
    let done: EventId = rows[2].1.unwrap().unwrap().id;
    assert_eq!(rig.incidents().event(open, done).await.unwrap().kind, EventType::Close);
    assert_eq!(refused(3), BulkRefusal::Event(EventRefusal::Stateless));
    assert_eq!(rig.get(open).await.end, EndTime::At(START));
    assert_eq!(rig.story(closed).await.len(), 1);

    let restart = NewEvent { kind: EventType::Restart, timestamp: Some(START), description: String::new() };
    rig.bulk_rows(&zabbix, vec![open.0, closed.0], BulkAction::Event(restart)).await;
    assert_eq!(rig.get(closed).await.end, EndTime::Infinity);
    let rows = rig.bulk_rows(&ann, vec![open.0], event(EventType::Acknowledge)).await;
    assert_eq!(rows[0].1, Err(BulkRefusal::Event(EventRefusal::IsAcknowledgement)));
    rig.sound();
}

#[tokio::test]
async fn acks_and_tickets_reach_all() {
    let rig = Rig::new().await;
    let mut ids = rig.open(3).await;
    let ann = rig.person("ann").await;
    ids.push(99);
    let rows = rig.bulk_rows(&ann, ids.clone(), ack()).await;
    assert_eq!(rows.iter().filter(|(_, row)| row.is_ok()).count(), 3);
    assert!(rig.get(IncidentId(ids[0])).await.is_acked(START));
    for _ in 0..2 {
        let rows = rig.bulk_rows(&ann, ids.clone(), ticket("x")).await;
        assert_eq!(rows[3], (99, Err(BulkRefusal::Unknown)));
    }
    let story = rig.story(IncidentId(ids[0])).await;
    let texts: Vec<_> = story.iter().map(|(kind, text)| format!("{kind} {text}")).collect();
    assert_eq!(
        texts,
        ["STA it broke", "ACK ", "CHI Change: \"ticket_url\":  → x", "CHI Change: \"ticket_url\": x → x"]
    );
    rig.sound();
}

#[tokio::test]
async fn others_get_their_turn_between_slices() {
    let rig = Rig::new().await;
    let ids = rig.open(4 * WORK_SLICE).await;
    let (ann, zabbix) = (rig.person("ann").await, rig.caller("zabbix"));
    let bulk = rig.bulk_rows(&ann, ids, event(EventType::Other));
    tokio::pin!(bulk);
    let mut of_others = Vec::new();
    let rows = loop {
        tokio::select! {
            rows = &mut bulk => break rows,
            incident = rig.post(&zabbix, EndTime::Infinity) => {
                of_others.push(rig.incidents().events(incident.id).await.unwrap()[0].id);
            }
        }
    };
    let events: BTreeSet<EventId> = rows.iter().map(|(_, row)| row.unwrap().unwrap().id).collect();
    let (first, last) = (events.first().unwrap(), events.last().unwrap());
    assert!(of_others.iter().any(|event| event > first && event < last), "all slices were one");
    rig.sound();
}

#[tokio::test]
async fn what_a_later_slice_fails_of_is_said_of_those_that_it_held() {
    let rig = Rig::new().await;
    let ids = rig.open(6 * WORK_SLICE).await;
    let ann = rig.person("ann").await;
    let first = IncidentId(ids[0]);
    let incidents = rig.incidents();
    let (outcome, ()) = tokio::join!(incidents.bulk(&ann, ids.clone(), event(EventType::Close)), async {
        while rig.get(first).await.is_open(START) {
            tokio::task::yield_now().await;
        }
        rig.people().deactivate(&rig.admin(), ann.id()).await.unwrap();
    });
    let outcome = outcome.unwrap();
    assert!(matches!(outcome.failure, Some(ServiceError::Forbidden)));
    assert_eq!(outcome.rows.len(), ids.len());
    let mut reached = 0;
    for (id, row) in outcome.rows {
        assert_eq!(rig.get(IncidentId(id)).await.is_open(START), row.is_err(), "{id}: {row:?}");
        reached += usize::from(row != Err(BulkRefusal::NotReached));
    }
    assert!(reached >= WORK_SLICE && reached < ids.len(), "{reached}");
    let refused = rig.incidents().bulk(&ann, ids, event(EventType::Reopen)).await;
    assert!(matches!(refused, Err(ServiceError::Forbidden)), "nothing was done");
    rig.sound();
}

#[tokio::test]
async fn large_ones_are_bounded_for_each_user() {
    let rig = Rig::new().await;
    let (ann, bob) = (rig.person("ann").await, rig.person("bob").await);
    let large: Vec<u64> = (1_000..1_001 + WORK_SLICE as u64).collect();
    let incidents = rig.incidents();
    let bulks = (0..=BULKS_PER_USER).map(|_| incidents.bulk(&ann, large.clone(), ticket("x")));
    let outcomes = futures_util::future::join_all(bulks).await;
    let too_often = outcomes.iter().filter(|it| matches!(it, Err(ServiceError::TooOften { .. }))).count();
    assert_eq!(too_often, 1);
    // They count as long as their outcomes are in memory.
    assert!(rig.incidents().bulk(&ann, large.clone(), ticket("x")).await.is_err());
    let refused = rig.incidents().begin_bulk(&ann, ticket("x"), BulkSubjects::Chosen(large.clone()), large.len());
    assert!(matches!(refused, Err(ServiceError::TooOften { .. })));
    assert!(rig.incidents().bulk(&bob, large.clone(), ticket("x")).await.is_ok());
    assert!(
        rig.incidents().bulk(&ann, large[1..].to_vec(), ticket("x")).await.is_ok(),
        "one slice is like any command"
    );
    drop(outcomes);
    assert!(rig.incidents().bulk(&ann, large, ticket("x")).await.is_ok());
}

#[tokio::test]
async fn long_texts_for_many_are_refused() {
    let rig = Rig::new().await;
    let ann = rig.person("ann").await;
    let say = |length: usize| {
        BulkAction::Event(NewEvent { kind: EventType::Other, timestamp: None, description: "x".repeat(length) })
    };
    let ids = |count: usize| (1_000_000..).take(count).collect::<Vec<u64>>();
    let most = BULK_TEXT / DESCRIPTION;
    assert!(rig.incidents().bulk(&ann, ids(most), say(DESCRIPTION)).await.is_ok());
    let refused = rig.incidents().bulk(&ann, ids(2 * most), say(DESCRIPTION)).await.err().unwrap();
    let ServiceError::Refused(Refusal::TooLong { field: "description", limit }) = refused else { panic!("{refused}") };
    assert!(rig.incidents().bulk(&ann, ids(2 * most), say(limit)).await.is_ok());
}

#[tokio::test]
async fn undoing_leaves_alone_what_others_did_since() {
    let rig = Rig::new().await;
    let ids = rig.open(3).await;
    let (ann, bob) = (rig.person("ann").await, rig.person("bob").await);
    let incident = |i: usize| IncidentId(ids[i]);
    let add = async |i, kind| rig.add(&bob, incident(i), kind).await.unwrap();
    let is_open = async |i| rig.get(incident(i)).await.is_open(START);

    let job = rig.done(&ann, event(EventType::Close), &ids).await;
    add(0, EventType::Reopen).await;
    add(0, EventType::Close).await;
    add(1, EventType::Other).await;
    assert_eq!(rig.undo_counts(&ann, &job).await, (2, 1));
    assert_eq!((is_open(0).await, is_open(1).await, is_open(2).await), (false, true, true));
    add(0, EventType::Reopen).await;

    for i in 0..3 {
        add(i, EventType::Close).await;
    }
    let job = rig.done(&ann, event(EventType::Reopen), &ids).await;
    add(0, EventType::Close).await;
    add(0, EventType::Reopen).await;
    assert_eq!(rig.undo_counts(&ann, &job).await, (2, 1));
    assert_eq!((is_open(0).await, is_open(1).await), (true, false));

    let job = rig.done(&ann, ack(), &ids).await;
    let own = rig.incidents().ack_list(incident(0)).unwrap().next_chunk().unwrap().unwrap()[0].0;
    rig.incidents().change_expiration(&bob, incident(0), own.event, Some(seconds(3_600))).await.unwrap();
    assert_eq!(rig.undo_counts(&ann, &job).await, (2, 1));
    assert!(rig.get(incident(0)).await.is_acked(START) && !rig.get(incident(1)).await.is_acked(START));

    rig.incidents().set_ticket_url(&bob, incident(2), "old".to_owned()).await.unwrap();
    let job = rig.done(&ann, ticket("new"), &ids).await;
    rig.incidents().set_ticket_url(&bob, incident(0), "bob's".to_owned()).await.unwrap();
    assert_eq!(rig.undo_counts(&ann, &job).await, (2, 1));
    let url = async |i| rig.get(incident(i)).await.ticket_url;
    assert_eq!((url(0).await, url(1).await, url(2).await), ("bob's".to_owned(), String::new(), "old".to_owned()));
    rig.sound();
}

#[tokio::test]
async fn undoing_is_for_the_owner_once_and_within_its_time() {
    let rig = Rig::new().await;
    let ids = rig.open(1).await;
    let (ann, bob) = (rig.person("ann").await, rig.person("bob").await);
    let job = rig.done(&ann, event(EventType::Close), &ids).await;
    let status = rig.incidents().bulk_status(&ann, job.id()).unwrap();
    assert_eq!((status.kind, status.done, status.undo_left.is_some()), (BulkKind::Event(EventType::Close), 1, true));
    assert!(rig.incidents().bulk_status(&bob, job.id()).is_none());
    assert!(rig.incidents().undo_bulk(&bob, job.id()).await.unwrap().is_none());
    let life = UNDO_FOR.as_micros() as i64;
    rig.clock.advance_micros(life - 1);
    // A jump of the clock takes no monotonic time.
    rig.clock.jump_micros(30 * 24 * 3_600_000_000);
    assert_eq!(rig.undo_counts(&ann, &job).await, (1, 0));
    assert!(rig.incidents().undo_bulk(&ann, job.id()).await.unwrap().is_none());
    let late = rig.done(&ann, event(EventType::Close), &ids).await;
    rig.clock.advance_micros(life);
    rig.clock.jump_micros(-30 * 24 * 3_600_000_000);
    assert!(rig.incidents().undo_bulk(&ann, late.id()).await.unwrap().is_none());

    let comment = rig.done(&ann, event(EventType::Other), &ids).await;
    assert!(rig.incidents().bulk_status(&ann, comment.id()).unwrap().undo_left.is_none());
    for _ in 0..WORK_KEPT_PER_USER {
        rig.done(&ann, ticket("x"), &ids).await;
    }
    assert!(rig.incidents().bulk_status(&ann, comment.id()).is_none(), "the oldest are forgotten");
}

#[tokio::test]
async fn what_ends_early_says_why() {
    let rig = Rig::new().await;
    let ids = rig.open(1).await;
    let ann = rig.person("ann").await;
    rig.people().deactivate(&rig.admin(), ann.id()).await.unwrap();
    let job = rig.done(&ann, event(EventType::Close), &ids).await;
    let status = rig.incidents().bulk_status(&ann, job.id()).unwrap();
    assert_eq!((status.done, status.undo_left.is_some()), (0, false));
    assert_eq!(status.failure.as_deref(), Some("this user may not do that"));
}

/// Selects all incidents that are open now.
fn all_open(rig: &Rig) -> Selection {
    Selection { criteria: Criteria { open: Some(true), ..Criteria::default() }, as_of: rig.incidents().as_of_now() }
}

impl Rig {
    async fn done_with_all(&self, caller: &Caller, action: BulkAction, selection: &Selection) -> BulkStatus {
        let of = usize::try_from(self.incidents().count_selection(selection).await.unwrap()).unwrap();
        let subjects = BulkSubjects::Matching(Arc::new(selection.clone()));
        let job = self.incidents().begin_bulk(caller, action, subjects, of).unwrap();
        job.finished().await;
        self.incidents().bulk_status(caller, job.id()).unwrap()
    }
}

#[tokio::test]
async fn what_came_after_all_was_selected_is_not_touched() {
    let rig = Rig::new().await;
    let ids = rig.open(4).await;
    let (ann, bob) = (rig.person("ann").await, rig.person("bob").await);
    let at = |i: usize| IncidentId(ids[i]);
    rig.add(&bob, at(0), EventType::Close).await.unwrap();
    let selection = all_open(&rig);
    assert_eq!(rig.incidents().count_selection(&selection).await.unwrap(), 3);

    // One is reopened, one is new, one was commented on and one closed since.
    rig.add(&bob, at(0), EventType::Reopen).await.unwrap();
    let new = rig.post(&rig.source("nav").await, EndTime::Infinity).await.id.0;
    rig.add(&bob, at(1), EventType::Other).await.unwrap();
    rig.add(&bob, at(2), EventType::Close).await.unwrap();
    assert_eq!(rig.incidents().count_selection(&selection).await.unwrap(), 2);
    let status = rig.done_with_all(&ann, ack(), &selection).await;
    assert_eq!((status.done, status.refusals.as_slice()), (2, [].as_slice()));
    for (id, acked) in [(ids[0], false), (ids[1], true), (ids[2], false), (ids[3], true), (new, false)] {
        assert_eq!(rig.get(IncidentId(id)).await.is_acked(START), acked, "{id}");
    }
    rig.sound();
}

#[tokio::test]
async fn what_matches_only_because_time_passed_is_not_touched() {
    let rig = Rig::new().await;
    let ids = rig.open(2).await;
    let ann = rig.person("ann").await;
    let expires = NewAck { timestamp: Some(START), description: String::new(), expiration: Some(seconds(60)) };
    rig.incidents().add_ack(&ann, IncidentId(ids[0]), expires).await.unwrap();
    let criteria = Criteria { acked: Some(false), ..Criteria::default() };
    let selection = Selection { criteria, as_of: rig.incidents().as_of_now() };
    rig.clock.advance_micros(61_000_000);
    let status = rig.done_with_all(&ann, event(EventType::Close), &selection).await;
    assert_eq!((status.done, status.refusals.as_slice()), (1, [(BulkRefusal::Changed, 1)].as_slice()));
    assert!(rig.get(IncidentId(ids[0])).await.end == EndTime::Infinity);
}

#[tokio::test]
async fn what_is_not_known_any_more_is_left_out() {
    let rig = Rig::new().await;
    let ids = rig.open(2).await;
    let (ann, bob) = (rig.person("ann").await, rig.person("bob").await);
    let selection = all_open(&rig);
    rig.add(&bob, IncidentId(ids[0]), EventType::Other).await.unwrap();
    crate::store::Follower::reset(rig.live());
    let status = rig.done_with_all(&ann, event(EventType::Close), &selection).await;
    assert_eq!((status.done, status.refusals.as_slice()), (1, [(BulkRefusal::Changed, 1)].as_slice()));
    assert!(rig.get(IncidentId(ids[0])).await.end == EndTime::Infinity);

    let (store, last) = (rig.store().clone(), Seq(rig.incidents().as_of_now().seq));
    tokio::task::spawn_blocking(move || store.trim_changes(last)).await.unwrap().unwrap();
    let refused = rig.incidents().count_selection(&selection).await.unwrap_err();
    assert!(matches!(refused, ServiceError::Refused(Refusal::SelectionTooOld)), "{refused:?}");
}
