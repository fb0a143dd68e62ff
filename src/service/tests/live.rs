//! Changes that open pages receive.

use std::time::Duration;

use super::*;
use crate::service::{IncidentEdit, News, live::Reader};

const PATIENCE: Duration = Duration::from_secs(30);

/// Returns the next news. A reader may be woken without any.
async fn next(reader: &mut Reader) -> News {
    loop {
        tokio::time::timeout(PATIENCE, reader.changed()).await.unwrap();
        match reader.news() {
            News::Nothing => {}
            news => return news,
        }
    }
}

#[tokio::test]
async fn large_metadata_is_not_kept_for_those_who_watch() {
    let rig = Rig::new().await;
    let zabbix = rig.source("zabbix").await;
    let id = rig.post(&zabbix, EndTime::Infinity).await.id;
    let (mut reader, is_complete) = rig.live().join(None, &rig);
    assert!(is_complete && matches!(reader.news(), News::Nothing));
    let edit =
        IncidentEdit { metadata: Some(format!("{{\"x\":\"{}\"}}", "y".repeat(1_000_000))), ..IncidentEdit::default() };
    rig.incidents().edit_incident(&zabbix, id, edit).await.unwrap();
    let News::Update(update) = next(&mut reader).await else { panic!("nothing came") };
    let change = &update.changes.as_ref().unwrap().incidents[&id];
    let (before, after) = (change.before.as_ref().unwrap(), change.after.as_ref().unwrap());
    assert_eq!((before.metadata.len(), after.metadata.len()), (0, 0));
    assert!(rig.get(id).await.metadata.len() > 1_000_000, "but it is stored");
}

#[tokio::test]
async fn what_was_missed_is_there_and_made_once_for_all() {
    let rig = Rig::new().await;
    let zabbix = rig.source("zabbix").await;
    let known = rig.live().seq();
    let id = rig.post(&zabbix, EndTime::Infinity).await.id;
    let (mut first, _) = rig.live().join(Some(known), &rig);
    let (mut second, _) = rig.live().join(Some(known), &rig);
    let (News::Update(one), News::Update(other)) = (first.news(), second.news()) else { panic!("nothing was there") };
    assert!(Arc::ptr_eq(&one, &other));
    assert_eq!(one.seq, rig.live().seq());
    assert!(one.changes.as_ref().unwrap().incidents.contains_key(&id));
    assert!(first.part_after(&one, one.seq, None).unwrap().changes.unwrap().incidents.is_empty());
    rig.person("ann").await;
    tokio::time::timeout(PATIENCE, first.changed()).await.expect("rights may have changed");
    assert!(matches!(first.news(), News::Nothing));
    rig.live().close();
    assert!(matches!(next(&mut first).await, News::Closed));
}
