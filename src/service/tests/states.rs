//! The state machine, end to end.

use super::*;
use crate::{
    domain::lifecycle::EventRefusal,
    service::{EventCursor, Model, Refusal},
};

fn refusal(result: Result<Event, ServiceError>) -> EventRefusal {
    match result {
        Err(ServiceError::Refused(Refusal::Event(refusal))) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn sources_end_and_restart() {
    let rig = Rig::new().await;
    let zabbix = rig.source("zabbix").await;
    let id = rig.post(&zabbix, EndTime::Infinity).await.id;
    rig.clock.set(seconds(10));
    let end = rig.add(&zabbix, id, EventType::End).await.unwrap();
    assert!(!end.after.open);
    assert_eq!(rig.get(id).await.end, EndTime::At(seconds(10)));
    rig.clock.set(seconds(20));
    rig.add(&zabbix, id, EventType::End).await.unwrap();
    assert_eq!(rig.get(id).await.end, EndTime::At(seconds(10)));
    let restart = rig.add(&zabbix, id, EventType::Restart).await.unwrap();
    assert!(restart.after.open);
    assert_eq!(rig.get(id).await.end, EndTime::Infinity);
    rig.add(&zabbix, id, EventType::Start).await.unwrap();
    assert_eq!(refusal(rig.add(&zabbix, id, EventType::Close).await), EventRefusal::NotForSources(EventType::Close));
    let change = ChangeKind::EventAdded { incident: id, event: rig.incidents().events(id).await.unwrap()[0].id };
    assert_eq!(rig.last_change_kind(), change);
    rig.sound();
}

#[tokio::test]
async fn people_close_and_reopen() {
    let rig = Rig::new().await;
    let (zabbix, ann) = (rig.source("zabbix").await, rig.person("ann").await);
    let id = rig.post(&zabbix, EndTime::At(seconds(100))).await.id;
    assert_eq!(refusal(rig.add(&ann, id, EventType::Reopen).await), EventRefusal::AlreadyOpen);
    assert_eq!(refusal(rig.add(&ann, id, EventType::End).await), EventRefusal::NotForEndUsers(EventType::End));
    assert_eq!(refusal(rig.add(&ann, id, EventType::Acknowledge).await), EventRefusal::IsAcknowledgement);
    rig.add(&ann, id, EventType::Close).await.unwrap();
    assert_eq!(refusal(rig.add(&ann, id, EventType::Close).await), EventRefusal::AlreadyClosed);
    rig.add(&ann, id, EventType::Reopen).await.unwrap();
    rig.add(&ann, id, EventType::Other).await.unwrap();
    assert_eq!(rig.get(id).await.end, EndTime::Infinity);
    let stateless = rig.post(&zabbix, EndTime::Stateless).await.id;
    assert_eq!(refusal(rig.add(&ann, stateless, EventType::Close).await), EventRefusal::Stateless);
    rig.add(&zabbix, stateless, EventType::End).await.unwrap();
    assert_eq!(rig.get(stateless).await.end, EndTime::Stateless);
}

#[tokio::test]
async fn the_clock_closes_what_was_to_end() {
    let rig = Rig::new().await;
    let (zabbix, ann) = (rig.source("zabbix").await, rig.person("ann").await);
    let id = rig.post(&zabbix, EndTime::At(seconds(100))).await.id;
    rig.clock.set(seconds(100));
    assert_eq!(refusal(rig.add(&ann, id, EventType::Close).await), EventRefusal::AlreadyClosed);
    rig.add(&ann, id, EventType::Reopen).await.unwrap();
}

#[tokio::test]
async fn people_may_leave_out_the_time_and_sources_not() {
    let rig = Rig::new().await;
    let (zabbix, ann) = (rig.source("zabbix").await, rig.person("ann").await);
    let id = rig.post(&zabbix, EndTime::Infinity).await.id;
    let other = || NewEvent { kind: EventType::Other, timestamp: None, description: "hm".to_owned() };
    let refused = rig.incidents().add_event(&zabbix, id, other()).await;
    assert!(matches!(refused, Err(ServiceError::Refused(Refusal::TimestampRequired))));
    rig.clock.set(seconds(7));
    let event = rig.incidents().add_event(&ann, id, other()).await.unwrap();
    assert_eq!((event.timestamp, event.received), (seconds(7), seconds(7)));
    assert_eq!(rig.incidents().event(id, event.id).await.unwrap(), event);
    let unknown = rig.incidents().add_event(&ann, IncidentId(99), other()).await;
    assert!(matches!(unknown, Err(ServiceError::NotFound(Model::Incident))));
}

#[tokio::test]
async fn of_racing_closers_one_wins() {
    let rig = Rig::new().await;
    let (zabbix, ann) = (rig.source("zabbix").await, rig.person("ann").await);
    let id = rig.post(&zabbix, EndTime::Infinity).await.id;
    let (a, b, c) = tokio::join!(
        rig.add(&ann, id, EventType::Close),
        rig.add(&ann, id, EventType::Close),
        rig.add(&ann, id, EventType::Close),
    );
    assert_eq!([a, b, c].iter().filter(|result| result.is_ok()).count(), 1);
}

#[tokio::test]
async fn all_events_are_paged_in_both_directions() {
    let rig = Rig::new().await;
    let zabbix = rig.source("zabbix").await;
    for i in 0..5 {
        let new = NewIncident { start: seconds(i / 2), ..new_incident() };
        rig.incidents().create_incident(&zabbix, new).await.unwrap();
    }
    let ids = |rows: &[Event]| rows.iter().map(|event| event.incident.0).collect::<Vec<_>>();
    let first = rig.incidents().events_page(2, None).await.unwrap();
    assert_eq!((ids(&first.rows), first.previous), (vec![5, 4], None));
    let second = rig.incidents().events_page(2, first.next).await.unwrap();
    assert_eq!(ids(&second.rows), [3, 2]);
    let third = rig.incidents().events_page(2, second.next).await.unwrap();
    assert_eq!((ids(&third.rows), third.next), (vec![1], None));
    let back = rig.incidents().events_page(2, third.previous).await.unwrap();
    assert_eq!(ids(&back.rows), [3, 2]);
    let again = rig.incidents().events_page(2, back.previous).await.unwrap();
    assert_eq!((ids(&again.rows), again.previous), (vec![5, 4], None));
    assert_eq!(again.next, Some(EventCursor { backwards: false, ..first.next.unwrap() }));
}
