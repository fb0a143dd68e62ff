//! Incidents of the server itself about contacts: who cannot be reached over a channel, and who was left out because there
//! were too many.

use std::time::Instant;

use argusd::{
    domain::{
        contact::Contact,
        event::EventType,
        ids::IncidentId,
        limits::CALLS_PER_EVENT,
        message::{Message, MessageState, Route},
    },
    service::NewEvent,
    store::StoreError,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    rules::notifying::{Desk, to, to_group},
    support::{
        MINUTE,
        contact_api::{EMAIL, id},
    },
};

/// What becomes of the message about an incident to a contact, a minute later.
async fn fate(desk: &Desk, incident: u64, contact: u128, delivered: bool) {
    desk.rig.app.clock.advance_micros(MINUTE);
    let is_meant = |message: &Message| {
        matches!(&message.route, Route::Contact { uuid, .. } if uuid.to_string() == id(contact)) && message.is_due()
    };
    let messages = desk.messages(incident);
    let meant: Vec<Message> = messages.into_iter().filter(is_meant).collect();
    assert!(!meant.is_empty(), "contact {contact} was not told of {incident}");
    let written = desk.rig.app.service.store().write(None, move |command| {
        let at = command.now();
        let state = if delivered { MessageState::Delivered { at } } else { MessageState::Dead { at } };
        for message in meant {
            command.put_message(Message { state, ..message });
        }
        Ok::<_, StoreError>(())
    });
    written.await.unwrap();
}

/// Open incidents of this kind, after a look at everything.
async fn complaints(desk: &Desk, kind: &str) -> Vec<Value> {
    for _ in 0..2 {
        for (_, settled) in desk.watch.round().await {
            settled.unwrap();
        }
    }
    let path = format!("/api/v2/incidents/?tags=problem_type={kind}&open=true");
    desk.admin.get(&path).await.json()["results"].as_array().unwrap().clone()
}

async fn dead_letters(desk: &Desk) -> Option<(u64, String)> {
    let found = complaints(desk, "dead_letters").await;
    assert!(found.len() <= 1, "{found:?}");
    found.first().map(|it| (it["pk"].as_u64().unwrap(), it["description"].as_str().unwrap().to_owned()))
}

async fn close(desk: &Desk, incident: u64) {
    desk.rig.app.clock.advance_micros(MINUTE);
    let new = NewEvent { kind: EventType::Close, timestamp: None, description: "yes, yes".to_owned() };
    desk.rig.app.service.incidents().add_event(&desk.rig.app.local, IncidentId(incident), new).await.unwrap();
}

#[tokio::test]
async fn a_channel_that_does_not_reach_somebody_is_reported() {
    let desk = Desk::new().await;
    for n in [1, 2] {
        desk.rig.put_contact(n, json!({})).await;
    }
    desk.rule("Net", json!([to(1), to(2)])).await;
    let (incident, _) = desk.happens().await;
    assert_eq!(dead_letters(&desk).await, None);
    fate(&desk, incident, 2, true).await;
    fate(&desk, incident, 1, false).await;
    let (report, description) = dead_letters(&desk).await.unwrap();
    assert_eq!(description, "1 message to Contact 1 over the channel \"Mail\" could not be delivered");
    let tags = desk.admin.get(&format!("/api/v2/incidents/{report}/")).await.json()["tags"].to_string();
    assert!(tags.contains(&format!("channel={EMAIL}")), "{tags}");

    // Others hear of it over the same channel. That Contact 1 does not is no news, and no reason to come back.
    fate(&desk, report, 2, true).await;
    fate(&desk, report, 1, false).await;
    assert_eq!(dead_letters(&desk).await, Some((report, description)));
    close(&desk, report).await;
    fate(&desk, report, 1, false).await;
    assert_eq!(dead_letters(&desk).await, None);

    // More of the same is news, and so is another contact.
    let (second, _) = desk.happens().await;
    fate(&desk, second, 1, false).await;
    let (report, description) = dead_letters(&desk).await.unwrap();
    assert_eq!(description, "2 messages to Contact 1 over the channel \"Mail\" could not be delivered");
    fate(&desk, second, 2, false).await;
    let (both, description) = dead_letters(&desk).await.unwrap();
    assert_eq!(description, "3 messages to Contact 1, Contact 2 over the channel \"Mail\" could not be delivered");
    assert_ne!(both, report);

    // One is reached again, and the other deleted.
    let (third, _) = desk.happens().await;
    fate(&desk, third, 1, true).await;
    assert!(dead_letters(&desk).await.is_some());
    let reply = desk.rig.delete(&format!("{}/contacts/{}", crate::support::contact_api::ISSUE, id(2))).await;
    assert_eq!(reply.status, 204);
    assert_eq!(dead_letters(&desk).await, None);
    desk.rig.sound();
}

#[tokio::test]
async fn letters_from_before_the_start_count() {
    let desk = Desk::new().await;
    desk.rig.put_contact(1, json!({})).await;
    desk.rule("Net", json!([to(1)])).await;
    let (incident, _) = desk.happens().await;
    fate(&desk, incident, 1, false).await;
    let started = argusd::jobs::FaultWatch::new(desk.rig.app.service.clone(), std::sync::Arc::default());
    let opened: usize = started.round().await.into_iter().map(|(_, settled)| settled.unwrap().opened.len()).sum();
    assert_eq!(opened, 1);
}

/// A group of so many, written without the wire.
async fn crowd(desk: &Desk, count: usize) {
    desk.rig.put_group(1, json!({})).await;
    desk.rig.put_contact(1, json!({ "groups": [id(1)] })).await;
    let one = desk.rig.app.service.contacts().contact(id(1).parse().unwrap()).await.unwrap().unwrap();
    let written = desk.rig.app.service.store().write(None, move |command| {
        for n in 1..count {
            let uuid: Uuid = id(1 + n as u128).parse().unwrap();
            let addresses = [("email".to_owned(), format!("c{n}@example.org"))].into();
            let new = command.new_contact_id();
            let full_name = format!("Contact {}", n + 1);
            command.put_contact(Contact { id: new, uuid, full_name, addresses, ..one.clone() });
        }
        Ok::<_, StoreError>(())
    });
    written.await.unwrap();
}

#[tokio::test]
async fn nobody_of_too_many_is_left_out_silently() {
    let desk = Desk::new().await;
    let count = CALLS_PER_EVENT + 25;
    crowd(&desk, count).await;
    let rule = desk.rule("Everybody", json!([to_group(1)])).await;
    assert!(complaints(&desk, "too_many_recipients").await.is_empty());
    let start = Instant::now();
    let happened = desk.happens().await;
    let took = start.elapsed();
    assert_eq!(desk.messages(happened.0).len(), CALLS_PER_EVENT);
    assert!(took.as_secs() < 30, "{took:?}");

    let left_out = desk.why(happened, count as u128).await;
    assert_eq!(
        (&left_out["told"], &left_out["rules"][0]["reasons"][0]["code"]),
        (&json!(false), &json!("too_many_recipients"))
    );
    let sentence = left_out["rules"][0]["reasons"][0]["sentence"].as_str().unwrap();
    assert!(sentence.contains("\"Everybody\"") && sentence.contains(" 25 were left out"), "{sentence}");
    assert_eq!(desk.why(happened, 1).await["told"], true);

    let found = complaints(&desk, "too_many_recipients").await;
    assert_eq!(found.len(), 1);
    let description = found[0]["description"].as_str().unwrap();
    assert_eq!(
        description,
        format!(
            "Rule \"Everybody\" leads to more contacts than one event may notify: {CALLS_PER_EVENT} were notified, 25 were left out"
        )
    );
    // Closed by hand it stays so, until it happens again.
    close(&desk, found[0]["pk"].as_u64().unwrap()).await;
    assert!(complaints(&desk, "too_many_recipients").await.is_empty());
    desk.rig.app.clock.advance_micros(MINUTE);
    desk.happens().await;
    assert_eq!(complaints(&desk, "too_many_recipients").await.len(), 1);

    // It is over once an event reaches all.
    desk.edit(rule, json!({"recipients": [to(1), to(2)]})).await;
    let (incident, _) = desk.happens().await;
    assert_eq!(desk.messages(incident).len(), 2);
    assert!(complaints(&desk, "too_many_recipients").await.is_empty());
    desk.rig.sound();
}
