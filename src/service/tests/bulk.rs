//! Many at once.

use super::*;
use crate::{
    domain::lifecycle::EventRefusal,
    service::{BulkRefusal, NewAck},
};

#[tokio::test]
async fn each_incident_is_judged_by_itself() {
    let rig = Rig::new().await;
    let (zabbix, ann) = (rig.source("zabbix").await, rig.person("ann").await);
    let open = rig.post(&zabbix, EndTime::Infinity).await.id;
    let closed = rig.post(&zabbix, EndTime::At(START)).await.id;
    let stateless = rig.post(&zabbix, EndTime::Stateless).await.id;
    let close = NewEvent { kind: EventType::Close, timestamp: None, description: "done".to_owned() };
    let ids = vec![closed.0, 99, open.0, stateless.0, open.0];
    let rows = rig.bulk_events(&ann, ids, close).await.unwrap();
    assert_eq!(rows.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [closed.0, 99, open.0, stateless.0]);
    let refused = |i: usize| rows[i].1.as_ref().unwrap_err();
    assert_eq!(*refused(0), BulkRefusal::Event(EventRefusal::AlreadyClosed));
    assert_eq!(*refused(1), BulkRefusal::Unknown);
    assert_eq!(rows[2].1.as_ref().unwrap().incident, open);
    assert_eq!(*refused(3), BulkRefusal::Event(EventRefusal::Stateless));
    assert_eq!(rig.get(open).await.end, EndTime::At(START));
    assert_eq!(rig.story(closed).await.len(), 1);

    let restart = NewEvent { kind: EventType::Restart, timestamp: Some(START), description: String::new() };
    rig.bulk_events(&zabbix, vec![open.0, closed.0], restart).await.unwrap();
    assert_eq!(rig.get(closed).await.end, EndTime::Infinity);
    let ack = NewEvent { kind: EventType::Acknowledge, timestamp: None, description: String::new() };
    let rows = rig.bulk_events(&ann, vec![open.0], ack).await.unwrap();
    assert_eq!(rows[0].1, Err(BulkRefusal::Event(EventRefusal::IsAcknowledgement)));
    rig.sound();
}

#[tokio::test]
async fn acks_and_tickets_reach_all() {
    let rig = Rig::new().await;
    let (zabbix, ann) = (rig.source("zabbix").await, rig.person("ann").await);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(rig.post(&zabbix, EndTime::Infinity).await.id.0);
    }
    ids.push(99);
    let ack = NewAck { timestamp: Some(START), description: String::new(), expiration: None };
    let rows = rig.bulk_acks(&ann, ids.clone(), ack).await.unwrap();
    assert_eq!(rows.iter().filter(|(_, row)| row.is_ok()).count(), 3);
    assert!(rig.get(IncidentId(ids[0])).await.is_acked(START));
    for _ in 0..2 {
        let rows = rig.bulk_ticket_urls(&ann, ids.clone(), "x".to_owned()).await.unwrap();
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
