//! Creating, editing and deleting incidents.

use super::*;
use crate::{
    domain::{change::FieldChange, limits::TAGS_PER_INCIDENT, severity::Level},
    service::{IncidentEdit, Model, Refusal, Settings},
};

#[tokio::test]
async fn a_new_incident_has_a_first_event_by_the_user_of_its_source() {
    let rig = Rig::new().await;
    let zabbix = rig.source("zabbix").await;
    rig.clock.set(seconds(5));
    let new = NewIncident {
        source: zabbix.source.as_ref().map(|source| source.id.0),
        tags: tags(&["a=1", "b=1", "a=1"]),
        ..new_incident()
    };
    let incident = rig.incidents().create_incident(&rig.admin(), new).await.unwrap();
    assert_eq!(incident, rig.get(incident.id).await);
    assert_eq!(tag_texts(&incident), ["a=1", "b=1"]);
    assert!(incident.tags.iter().all(|t| t.added_by == rig.admin().id() && t.added_at == seconds(5)));
    let events = rig.incidents().events(incident.id).await.unwrap();
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!((event.kind, event.actor, event.timestamp), (EventType::Start, zabbix.id(), START));
    assert_eq!((event.received, event.description.as_str()), (seconds(5), "it broke"));
    assert!(event.after.open && !event.after.acked);
    let created = ChangeKind::IncidentCreated { incident: incident.id, event: event.id };
    assert_eq!(rig.last_change().actor, Some(rig.admin().id()));
    assert_eq!(rig.last_change_kind(), created);

    let stateless = rig.post(&zabbix, EndTime::Stateless).await;
    assert_eq!(rig.story(stateless.id).await, [("LES", "it broke".to_owned())]);
    let closed = rig.post(&zabbix, EndTime::At(START)).await;
    assert_eq!(rig.story(closed.id).await, [("STA", "it broke".to_owned())]);
    rig.sound();
}

#[tokio::test]
async fn only_superusers_name_a_source() {
    let rig = Rig::new().await;
    let (zabbix, ann) = (rig.source("zabbix").await, rig.person("ann").await);
    let own = zabbix.source.as_ref().map(|source| source.id.0);
    let refused = async |caller: &Caller, source| match rig
        .incidents()
        .create_incident(caller, NewIncident { source, ..new_incident() })
        .await
    {
        Err(ServiceError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&zabbix, own).await, Refusal::SourceFieldForbidden);
    assert_eq!(refused(&ann, own).await, Refusal::SourceFieldForbidden);
    assert_eq!(refused(&ann, None).await, Refusal::NoSource);
    assert_eq!(refused(&rig.admin(), None).await, Refusal::NoSource);
    assert_eq!(refused(&rig.admin(), Some(9_999)).await, Refusal::UnknownSource(9_999));
}

#[tokio::test]
async fn the_end_does_not_come_before_the_start() {
    let rig = Rig::new().await;
    let zabbix = rig.source("zabbix").await;
    let new = NewIncident { end: EndTime::At(seconds(-1)), ..new_incident() };
    let refused = rig.incidents().create_incident(&zabbix, new).await;
    assert!(matches!(refused, Err(ServiceError::Refused(Refusal::EndBeforeStart))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_racing_creations_with_the_same_source_id_one_wins() {
    let rig = Rig::new().await;
    let zabbix = rig.source("zabbix").await;
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (service, caller) = (rig.service.clone(), zabbix.clone());
            let new = NewIncident { source_incident_id: "s1".to_owned(), ..new_incident() };
            tokio::spawn(async move { service.incidents().create_incident(&caller, new).await })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => won += 1,
            Err(ServiceError::Refused(Refusal::DuplicateSourceIncidentId { source_name, id })) => {
                assert_eq!((source_name.as_str(), id.as_str()), ("zabbix", "s1"));
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(won, 1);
    let other = rig.source("nav").await;
    let new = NewIncident { source_incident_id: "s1".to_owned(), ..new_incident() };
    rig.incidents().create_incident(&other, new).await.unwrap();
    rig.post(&zabbix, EndTime::Infinity).await;
    rig.post(&zabbix, EndTime::Infinity).await;
    rig.sound();
}

#[tokio::test]
async fn each_changed_field_makes_an_event() {
    let rig = Rig::new().await;
    let (zabbix, ann) = (rig.source("zabbix").await, rig.person("ann").await);
    let incident = rig
        .incidents()
        .create_incident(
            &zabbix,
            NewIncident { tags: tags(&["t=1"]), metadata: Some(r#"{"a":1}"#.to_owned()), ..new_incident() },
        )
        .await
        .unwrap();
    rig.clock.set(seconds(1));
    let edit = IncidentEdit {
        details_url: Some("/x".to_owned()),
        ticket_url: Some("https://t.example.org/1".to_owned()),
        level: Level::new(2),
        metadata: Some("[1,2]".to_owned()),
        description: Some("it broke".to_owned()),
        tags: Some(tags(&["t=1", "u=2"])),
    };
    let edited = rig.incidents().edit_incident(&ann, incident.id, edit.clone()).await.unwrap();
    assert_eq!(edited, rig.get(incident.id).await);
    let story = rig.story(incident.id).await;
    let texts: Vec<_> = story.iter().skip(1).map(|(kind, text)| format!("{kind} {text}")).collect();
    assert_eq!(
        texts,
        [
            "CHI Change: \"details_url\":  → /x",
            "CHI Change: \"ticket_url\":  → https://t.example.org/1",
            "CHI Change: \"level\": 5 → 2",
            "CHI Change: \"metadata\": 1 item(s) → 2 item(s)",
            "CHI Change: \"tags\": ['t=1'] → ['t=1', 'u=2']",
        ]
    );
    assert_eq!((edited.tags[0].added_by, edited.tags[0].added_at), (zabbix.id(), START));
    assert_eq!((edited.tags[1].added_by, edited.tags[1].added_at), (ann.id(), seconds(1)));
    let ChangeKind::IncidentEdited { fields, events, .. } = rig.last_change_kind() else { panic!() };
    let field = |field: &str, before: &str, after: &str| FieldChange {
        field: field.to_owned(),
        before: before.to_owned(),
        after: after.to_owned(),
    };
    assert_eq!(fields, [field("level", "5", "2"), field("tags", "t=1", "t=1\nu=2")]);
    assert_eq!(events.len(), 5);
    for event in rig.incidents().events(incident.id).await.unwrap().into_iter().filter(|e| e.kind == EventType::Change)
    {
        assert_eq!((event.actor, event.after.tags_version, event.after.level.get()), (ann.id(), 1, 2));
    }

    let before = rig.store().snapshot().unwrap().seq().unwrap();
    let same = IncidentEdit { metadata: Some("[1, 2]".to_owned()), tags: Some(tags(&["u=2", "t=1", "u=2"])), ..edit };
    assert_eq!(rig.incidents().edit_incident(&ann, incident.id, same).await.unwrap(), edited);
    assert_eq!(rig.store().snapshot().unwrap().seq().unwrap(), before);
    rig.sound();
}

#[tokio::test]
async fn tags_of_others_are_removed_by_superusers_only() {
    let rig = Rig::new().await;
    let (zabbix, ann) = (rig.source("zabbix").await, rig.person("ann").await);
    let incident =
        rig.incidents().create_incident(&zabbix, NewIncident { tags: tags(&["u=2"]), ..new_incident() }).await.unwrap();
    let without = || IncidentEdit { tags: Some(vec![]), level: Level::new(1), ..IncidentEdit::default() };
    match rig.incidents().edit_incident(&ann, incident.id, without()).await {
        Err(ServiceError::Refused(Refusal::ForeignTags(foreign))) => assert_eq!(foreign, tags(&["u=2"])),
        other => panic!("{other:?}"),
    }
    assert_eq!(rig.get(incident.id).await, incident);
    assert!(rig.incidents().edit_incident(&rig.admin(), incident.id, without()).await.unwrap().tags.is_empty());
}

#[tokio::test]
async fn single_tags_come_and_go_without_events_but_not_without_a_trace() {
    let rig = Rig::new().await;
    let (zabbix, ann) = (rig.source("zabbix").await, rig.person("ann").await);
    let id = rig.post(&zabbix, EndTime::Infinity).await.id;
    rig.incidents().add_tag(&zabbix, id, tag("a=1")).await.unwrap();
    rig.incidents().add_tag(&ann, id, tag("a=1")).await.unwrap();
    assert_eq!(rig.incidents().tags(id).await.unwrap()[0].added_by, zabbix.id());
    rig.incidents().remove_tag(&ann, id, &tag("a=1")).await.unwrap();
    assert!(matches!(rig.incidents().remove_tag(&ann, id, &tag("a=1")).await, Err(ServiceError::NotFound(Model::Tag))));
    assert_eq!(rig.story(id).await.len(), 1);
    assert_eq!(rig.get(id).await.tags_version, 2);
    let ChangeKind::IncidentEdited { fields, events, .. } = rig.last_change_kind() else { panic!() };
    assert_eq!((fields[0].before.as_str(), fields[0].after.as_str(), events.len()), ("a=1", "", 0));
    for i in 0..TAGS_PER_INCIDENT {
        rig.incidents().add_tag(&ann, id, tag(&format!("n={i}"))).await.unwrap();
    }
    let full = rig.incidents().add_tag(&ann, id, tag("one=more")).await;
    assert!(matches!(full, Err(ServiceError::Refused(Refusal::TooManyTags))));
    let unknown = rig.incidents().add_tag(&ann, IncidentId(99_999), tag("a=1")).await;
    assert!(matches!(unknown, Err(ServiceError::Refused(Refusal::UnknownIncidentForTags(99_999)))));
}

#[tokio::test]
async fn deletion_is_off_and_else_for_superusers_and_the_own_source() {
    let rig = Rig::new().await;
    let id = rig.post(&rig.source("zabbix").await, EndTime::Infinity).await.id;
    let off = rig.incidents().delete_incident(&rig.admin(), id).await;
    assert!(matches!(off, Err(ServiceError::Refused(Refusal::Indelible))));

    let rig = Rig::with(Settings { indelible_incidents: false, ..Settings::default() }).await;
    let (zabbix, nav) = (rig.source("zabbix").await, rig.source("nav").await);
    let (first, second) =
        (rig.post(&zabbix, EndTime::Infinity).await.id, rig.post(&zabbix, EndTime::Infinity).await.id);
    for caller in [&nav, &rig.person("ann").await] {
        assert!(matches!(rig.incidents().delete_incident(caller, first).await, Err(ServiceError::Forbidden)));
    }
    rig.incidents().delete_incident(&zabbix, first).await.unwrap();
    rig.incidents().delete_incident(&rig.admin(), second).await.unwrap();
    for id in [first, second] {
        assert!(matches!(rig.incidents().incident(id).await, Err(ServiceError::NotFound(Model::Incident))));
        assert!(matches!(rig.incidents().events(id).await, Err(ServiceError::NotFound(Model::Incident))));
    }
    rig.sound();
}

#[tokio::test]
async fn a_ticket_that_is_there_is_the_automatic_one() {
    let rig = Rig::new().await;
    let zabbix = rig.source("zabbix").await;
    let id = rig.post(&zabbix, EndTime::Infinity).await.id;
    let none = rig.incidents().automatic_ticket(id).await;
    assert!(matches!(none, Err(ServiceError::Refused(Refusal::TicketPluginMissing))));
    rig.incidents().set_ticket_url(&zabbix, id, "no url".to_owned()).await.unwrap();
    assert_eq!(rig.incidents().automatic_ticket(id).await.unwrap(), "no url");
    rig.incidents().set_ticket_url(&zabbix, id, String::new()).await.unwrap();
    let story = rig.story(id).await;
    assert_eq!(story.last().unwrap().1, "Change: \"ticket_url\": no url → ");
}
