//! Acknowledgements and how they expire.

use super::*;
use crate::{
    domain::incident::AckedUntil,
    service::{NewAck, Refusal},
};

fn ack_until(expiration: Option<Timestamp>) -> NewAck {
    NewAck { timestamp: Some(START), description: "seen".to_owned(), expiration }
}

fn refusal<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> Refusal {
    match result {
        Err(ServiceError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_incident_is_acked_until_the_last_of_its_acks_expires() {
    let rig = Rig::new().await;
    let (zabbix, ann) = (rig.source("zabbix").await, rig.person("ann").await);
    let id = rig.post(&zabbix, EndTime::Infinity).await.id;
    let (short, event) = rig.incidents().add_ack(&ann, id, ack_until(Some(seconds(10)))).await.unwrap();
    assert_eq!((event.kind, event.id, event.after.acked), (EventType::Acknowledge, short.event, true));
    let (long, _) = rig.incidents().add_ack(&zabbix, id, ack_until(Some(seconds(20)))).await.unwrap();
    assert_eq!(rig.get(id).await.acked_until, AckedUntil::At(seconds(20)));
    assert_eq!(
        rig.incidents()
            .ack_list(id)
            .unwrap()
            .next_chunk()
            .unwrap()
            .unwrap()
            .iter()
            .map(|(ack, _)| ack.event)
            .collect::<Vec<_>>(),
        [long.event, short.event]
    );

    rig.incidents().change_expiration(&ann, id, long.event, Some(seconds(5))).await.unwrap();
    assert_eq!(rig.get(id).await.acked_until, AckedUntil::At(seconds(10)));
    let changed =
        ChangeKind::AckChanged { incident: id, ack: long.event, before: Some(seconds(20)), after: Some(seconds(5)) };
    assert_eq!(rig.last_change_kind(), changed);
    rig.incidents().change_expiration(&ann, id, long.event, None).await.unwrap();
    assert_eq!(rig.get(id).await.acked_until, AckedUntil::Forever);
    assert_eq!(rig.incidents().ack(id, long.event).await.unwrap().0.expiration, None);
    rig.sound();
}

#[tokio::test]
async fn expired_acks_do_not_come_back() {
    let rig = Rig::new().await;
    let (zabbix, ann) = (rig.source("zabbix").await, rig.person("ann").await);
    let id = rig.post(&zabbix, EndTime::Infinity).await.id;
    assert_eq!(
        refusal(rig.incidents().add_ack(&ann, id, ack_until(Some(START))).await),
        Refusal::ExpirationBeforeTimestamp
    );
    let (ack, _) = rig.incidents().add_ack(&ann, id, ack_until(Some(seconds(10)))).await.unwrap();
    rig.clock.set(seconds(5));
    let past = rig.incidents().change_expiration(&ann, id, ack.event, Some(seconds(5))).await;
    assert_eq!(refusal(past), Refusal::ExpirationNotInFuture(seconds(5)));
    rig.clock.set(seconds(10));
    assert!(!rig.get(id).await.is_acked(rig.now()));
    assert_eq!(refusal(rig.incidents().change_expiration(&ann, id, ack.event, None).await), Refusal::AckExpired);

    let (_, event) = rig.incidents().add_ack(&ann, id, ack_until(Some(seconds(9)))).await.unwrap();
    assert!(event.after.acked, "while it is made the incident counts as acked");
    let after = rig.add(&ann, id, EventType::Other).await.unwrap();
    assert!(!after.after.acked);
}

#[tokio::test]
async fn closing_and_reopening_keep_acks() {
    let rig = Rig::new().await;
    let (zabbix, ann) = (rig.source("zabbix").await, rig.person("ann").await);
    let id = rig.post(&zabbix, EndTime::Stateless).await.id;
    rig.incidents().add_ack(&ann, id, ack_until(None)).await.unwrap();
    let id = rig.post(&zabbix, EndTime::Infinity).await.id;
    rig.incidents().add_ack(&ann, id, ack_until(None)).await.unwrap();
    rig.add(&ann, id, EventType::Close).await.unwrap();
    let reopened = rig.add(&ann, id, EventType::Reopen).await.unwrap();
    assert!(reopened.after.acked && rig.get(id).await.is_acked(rig.now()));
}

#[tokio::test]
async fn sources_have_to_say_when() {
    let rig = Rig::new().await;
    let zabbix = rig.source("zabbix").await;
    let id = rig.post(&zabbix, EndTime::Infinity).await.id;
    let new = NewAck { timestamp: None, ..ack_until(None) };
    assert_eq!(refusal(rig.incidents().add_ack(&zabbix, id, new).await), Refusal::TimestampRequired);
}
