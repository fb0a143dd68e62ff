//! Incidents of the server itself about contacts: who cannot be reached over a channel, and who was left out because there
//! were too many.

use argusd::{
    domain::{
        contact::Contact,
        event::EventType,
        ids::IncidentId,
        limits::CALLS_PER_EVENT,
        message::{Message, MessageState, Route},
    },
    service::NewEvent,
    store::Command,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    rules::notifying::ContactRules,
    support::{
        MINUTE,
        contact_api::{EMAIL, ISSUE, id},
        rule::{to, to_group},
    },
};

/// What becomes of the message about an incident to a contact, a minute later.
async fn settle(rules: &ContactRules, incident: u64, contact: u128, delivered: bool) {
    let app = &rules.api.app;
    app.clock.advance_micros(MINUTE);
    let is_meant = |message: &Message| {
        matches!(&message.route, Route::Contact { uuid, .. } if uuid.to_string() == id(contact)) && message.is_due()
    };
    let meant: Vec<Message> = app.messages_of(incident).into_iter().filter(is_meant).collect();
    assert!(!meant.is_empty(), "contact {contact} was not told of {incident}");
    let at = app.service.now();
    for message in meant {
        app.settle(message, if delivered { MessageState::Delivered { at } } else { MessageState::Dead { at } }).await;
    }
}

/// Open incidents of this kind, after a look at everything.
async fn complaints(rules: &ContactRules, kind: &str) -> Vec<Value> {
    for _ in 0..2 {
        for (_, settled) in rules.watch.round().await {
            settled.unwrap();
        }
    }
    let path = format!("/api/v2/incidents/?tags=problem_type={kind}&open=true");
    rules.admin.get(&path).await.json()["results"].as_array().unwrap().clone()
}

async fn dead_letters(rules: &ContactRules) -> Option<(u64, String)> {
    let found = complaints(rules, "dead_letters").await;
    assert!(found.len() <= 1, "{found:?}");
    found.first().map(|it| (it["pk"].as_u64().unwrap(), it["description"].as_str().unwrap().to_owned()))
}

async fn close(rules: &ContactRules, incident: u64) {
    rules.api.app.clock.advance_micros(MINUTE);
    let new = NewEvent { kind: EventType::Close, timestamp: None, description: "yes, yes".to_owned() };
    rules.api.app.service.incidents().add_event(&rules.api.app.local, IncidentId(incident), new).await.unwrap();
}

#[tokio::test]
async fn a_contact_that_no_message_reaches_is_reported() {
    let rules = ContactRules::new().await;
    rules.api.app.allow_unsent_messages();
    for n in [1, 2] {
        rules.api.put_contact(n, json!({})).await;
    }
    rules.rule("Net", json!([to(1), to(2)])).await;
    let (incident, _) = rules.happens().await;
    assert_eq!(dead_letters(&rules).await, None);
    settle(&rules, incident, 2, true).await;
    settle(&rules, incident, 1, false).await;
    let (report, description) = dead_letters(&rules).await.unwrap();
    assert_eq!(description, "1 message to Contact 1 over the channel \"Mail\" could not be delivered");
    let tags = rules.admin.get(&format!("/api/v2/incidents/{report}/")).await.json()["tags"].to_string();
    assert!(tags.contains(&format!("channel={EMAIL}")), "{tags}");

    // Others hear of it over the same channel. That Contact 1 does not is no news, and no reason to come back.
    settle(&rules, report, 2, true).await;
    settle(&rules, report, 1, false).await;
    assert_eq!(dead_letters(&rules).await, Some((report, description)));
    close(&rules, report).await;
    settle(&rules, report, 1, false).await;
    assert_eq!(dead_letters(&rules).await, None);

    // More of the same is news, and so is another contact.
    let (second, _) = rules.happens().await;
    settle(&rules, second, 1, false).await;
    let (report, description) = dead_letters(&rules).await.unwrap();
    assert_eq!(description, "2 messages to Contact 1 over the channel \"Mail\" could not be delivered");
    settle(&rules, second, 2, false).await;
    let (both, description) = dead_letters(&rules).await.unwrap();
    assert_eq!(description, "3 messages to Contact 1, Contact 2 over the channel \"Mail\" could not be delivered");
    assert_ne!(both, report);

    // One is reached again, and the other deleted.
    let (third, _) = rules.happens().await;
    settle(&rules, third, 1, true).await;
    assert!(dead_letters(&rules).await.is_some());
    let reply = rules.api.delete(&format!("{}/contacts/{}", ISSUE, id(2))).await;
    assert_eq!(reply.status, 204);
    assert_eq!(dead_letters(&rules).await, None);
    rules.api.sound();
}

#[tokio::test]
async fn failed_messages_from_before_the_start_are_reported() {
    let rules = ContactRules::new().await;
    rules.api.app.allow_unsent_messages();
    rules.api.put_contact(1, json!({})).await;
    rules.rule("Net", json!([to(1)])).await;
    let (incident, _) = rules.happens().await;
    settle(&rules, incident, 1, false).await;
    let started = argusd::jobs::FaultWatch::new(rules.api.app.service.clone(), std::sync::Arc::default());
    let opened: usize = started.round().await.into_iter().map(|(_, settled)| settled.unwrap().opened.len()).sum();
    assert_eq!(opened, 1);
}

/// A group of so many, written without the wire.
async fn crowd(rules: &ContactRules, count: usize) {
    rules.api.put_group(1, json!({})).await;
    rules.api.put_contact(1, json!({ "groups": [id(1)] })).await;
    let one = rules.api.app.service.contacts().contact(id(1).parse().unwrap()).await.unwrap().unwrap();
    let create = move |command: &mut Command<'_>| {
        for n in 1..count {
            let uuid: Uuid = id(1 + n as u128).parse().unwrap();
            let addresses = [("email".to_owned(), format!("c{n}@example.org"))].into();
            let new = command.new_contact_id();
            let full_name = format!("Contact {}", n + 1);
            command.put_contact(Contact { id: new, uuid, full_name, addresses, ..one.clone() });
        }
    };
    rules.api.app.write(create).await;
}

#[tokio::test]
async fn recipients_beyond_the_limit_are_reported() {
    let rules = ContactRules::new().await;
    rules.api.app.allow_unsent_messages();
    let count = CALLS_PER_EVENT + 25;
    crowd(&rules, count).await;
    let rule = rules.rule("Everybody", json!([to_group(1)])).await;
    assert!(complaints(&rules, "too_many_recipients").await.is_empty());
    let happened = rules.happens().await;
    assert_eq!(rules.api.app.messages_of(happened.0).len(), CALLS_PER_EVENT);

    let left_out = rules.why(happened, count as u128).await;
    assert_eq!(
        (&left_out["told"], &left_out["rules"][0]["reasons"][0]["code"]),
        (&json!(false), &json!("too_many_recipients"))
    );
    let sentence = left_out["rules"][0]["reasons"][0]["sentence"].as_str().unwrap();
    assert!(sentence.contains("\"Everybody\"") && sentence.contains(" 25 were left out"), "{sentence}");
    assert_eq!(rules.why(happened, 1).await["told"], true);

    let found = complaints(&rules, "too_many_recipients").await;
    assert_eq!(found.len(), 1);
    let description = found[0]["description"].as_str().unwrap();
    assert_eq!(
        description,
        format!(
            "Rule \"Everybody\" leads to more contacts than one event may notify: {CALLS_PER_EVENT} were notified, 25 were left out"
        )
    );
    // Closed by hand it stays so, until it happens again.
    close(&rules, found[0]["pk"].as_u64().unwrap()).await;
    assert!(complaints(&rules, "too_many_recipients").await.is_empty());
    rules.api.app.clock.advance_micros(MINUTE);
    rules.happens().await;
    assert_eq!(complaints(&rules, "too_many_recipients").await.len(), 1);

    // It is over once an event reaches all.
    rules.edit(rule, json!({"recipients": [to(1), to(2)]})).await;
    let (incident, _) = rules.happens().await;
    assert_eq!(rules.api.app.messages_of(incident).len(), 2);
    assert!(complaints(&rules, "too_many_recipients").await.is_empty());
    rules.api.sound();
}
