//! Channels over the native API: made, read and changed, and every refusal; secrets go in and never come out.

use std::{fmt::Write, ops::ControlFlow};

use argusd::domain::{change::Change, channel::Channel, channel_types::CHANNEL_TYPES, ids::Seq};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    Who,
    channel::PATH as CHANNELS,
    contact_api::{ContactApi, EMAIL, WEBHOOK, id},
};

/// The stored channel, with its secrets.
fn channel(api: &ContactApi, uuid: &str) -> Channel {
    Channel::clone(&api.app.service.directory().channels[&uuid.parse::<Uuid>().unwrap()])
}

#[track_caller]
fn setting(api: &ContactApi, uuid: &str, key: &str) -> Value {
    channel(api, uuid).config.unwrap().get(key).cloned().unwrap_or_default()
}

fn at(uuid: &str) -> String {
    format!("{CHANNELS}{uuid}/")
}

#[tokio::test]
async fn channels_are_created_read_changed_and_deleted() {
    let api = ContactApi::new().await;
    let admin = api.app.of(Who::Superuser);
    let own = json!({"host": "mail.example.net", "port": 587, "encryption": "starttls", "user": "noc",
        "password": "geheim2", "sender_mail": "noc@example.net"});
    let body = json!({"name": "Net", "type": "email", "uuid": id(7), "config": own, "offered": false});
    let mut shown = body.clone();
    shown["config"]["password"] = "".into();
    admin.post(CHANNELS, body).await.is(201, shown.clone());
    admin.get(&at(&id(7))).await.is(200, shown.clone());
    let list = api.app.of(Who::Staff).get(CHANNELS).await.json();
    let names: Vec<&str> = list.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!((names, &list[2]), (vec!["Mail", "Hook", "Net"], &shown));

    // What was read can be sent back, and changes nothing.
    let before = channel(&api, &id(7));
    admin.put(&at(&id(7)), shown.clone()).await.is(200, shown.clone());
    assert_eq!(channel(&api, &id(7)), before);
    let renamed = json!({"name": "Network", "offered": true});
    shown["name"] = "Network".into();
    shown["offered"] = true.into();
    admin.patch(&at(&id(7)), renamed).await.is(200, shown.clone());
    assert_eq!(setting(&api, &id(7), "password"), "geheim2");
    let mut config = shown["config"].clone();
    config["sender_name"] = "NOC".into();
    assert_eq!(admin.patch(&at(&id(7)), json!({ "config": config })).await.status, 200);
    assert_eq!(
        (setting(&api, &id(7), "password"), setting(&api, &id(7), "sender_name")),
        ("geheim2".into(), "NOC".into())
    );
    config["host"] = "evil.example.net".into();
    let moved = admin.patch(&at(&id(7)), json!({ "config": config })).await;
    assert_eq!(moved.status, 400);
    assert!(moved.text.contains("password: The secret stays only while"), "{}", moved.text);
    assert_eq!(admin.patch(&at(&id(7)), json!({"config": {}})).await.json()["config"], json!({}));

    // Another type begins without settings.
    assert_eq!(admin.patch(&at(WEBHOOK), json!({"type": "my-plugin"})).await.json()["config"], Value::Null);

    assert_eq!(admin.delete(&at(&id(7))).await.status, 204);
    assert_eq!(admin.delete(&at(&id(7))).await.status, 404);
    let made = admin.post(CHANNELS, json!({"name": "Bare", "type": "ntfy"})).await;
    assert_eq!(
        (made.status, made.json()["config"].clone(), made.json()["offered"].clone()),
        (201, Value::Null, false.into())
    );
    assert_eq!(made.json()["uuid"].as_str().unwrap().len(), 36);
    api.sound();
}

#[tokio::test]
async fn invalid_channels_are_refused() {
    let api = ContactApi::new().await;
    let admin = api.app.of(Who::Superuser);
    let good = || json!({"name": "New", "type": "email"});
    for (fields, field, says) in [
        (json!({"name": ""}), "name", "blank"),
        (json!({"name": "x".repeat(256)}), "name", "255"),
        (json!({"name": "mail"}), "name", "already exists"),
        (json!({"name": null}), "name", "null"),
        (json!({"type": ""}), "type", "blank"),
        (json!({"type": "a b"}), "type", "letters, digits"),
        (json!({"type": 5.5}), "type", "letters, digits"),
        (json!({"uuid": "5"}), "uuid", "valid UUID"),
        (json!({"uuid": EMAIL}), "uuid", "already exists"),
        (json!({"config": []}), "config", "JSON object"),
        (json!({"config": "x"}), "config", "JSON object"),
        (json!({"config": null}), "config", "null"),
        (json!({"config": {"smtp": "x"}}), "config", "smtp: Channels of type email have no such setting."),
        (json!({"config": {"port": 0}}), "config", "port: "),
        (json!({"config": {"user": "x"}}), "config", "password: "),
        (json!({"type": "slack", "config": {"url": "http://x.org/"}}), "config", "https://"),
        (json!({"type": "webhook", "config": {"headers": {"Host": "x"}}}), "config", "Host"),
        (json!({"type": "sms", "config": {"address_template": "x"}}), "config", "{number}"),
        (json!({"config": {"sender_name": "x".repeat(70_000)}}), "config", "bytes"),
        (json!({"offered": "maybe"}), "offered", "boolean"),
    ] {
        let mut body = good();
        crate::support::merge(&mut body, fields.clone());
        let reply = admin.post(CHANNELS, body).await;
        assert_eq!(reply.status, 400, "{fields}: {}", reply.text);
        let text = reply.json()[field].to_string();
        assert!(text.contains(says), "{fields}: {}", reply.text);
    }
    for missing in ["name", "type"] {
        let mut body = good();
        body.as_object_mut().unwrap().remove(missing);
        for reply in [admin.post(CHANNELS, body.clone()).await, admin.put(&at(EMAIL), body.clone()).await] {
            assert_eq!((reply.status, reply.json()[missing][0].as_str()), (400, Some("This field is required.")));
        }
    }
    for path in [at(&id(9)), at("5")] {
        for reply in [admin.get(&path).await, admin.patch(&path, json!({})).await, admin.delete(&path).await] {
            assert_eq!(reply.status, 404, "{path} {}", reply.text);
        }
    }
    let taken = admin.patch(&at(EMAIL), json!({"name": "HOOK"})).await;
    assert!(taken.status == 400 && taken.json().get("name").is_some(), "{}", taken.text);
    assert_eq!(api.app.service.directory().channels.len(), 2);
}

#[tokio::test]
async fn a_channel_in_use_keeps_its_type_and_address() {
    let api = ContactApi::new().await;
    let admin = api.app.of(Who::Superuser);
    api.put_contact(1, json!({})).await;
    let slack =
        json!({"name": "Slack", "type": "slack", "uuid": id(5), "config": {"url": "https://hooks.slack.com/x"}});
    assert_eq!(admin.post(CHANNELS, slack).await.status, 201);
    api.put_contact(2, json!({"default_channel": id(5), "addresses": null})).await;
    for (reply, says) in [
        (admin.delete(&at(EMAIL)).await, "default of contacts"),
        (admin.patch(&at(EMAIL), json!({"type": "sms"})).await, "may have no address"),
        (admin.patch(&at(&id(5)), json!({"config": {}})).await, "may have no address"),
        (admin.patch(&at(&id(5)), json!({"type": "ntfy"})).await, "may have no address"),
    ] {
        assert_eq!(reply.status, 400);
        assert!(reply.text.contains(says), "{}", reply.text);
    }
    assert_eq!(admin.patch(&at(&id(5)), json!({"type": "webhook"})).await.status, 200);
}

#[tokio::test]
async fn secrets_of_channels_are_never_answered() {
    let api = ContactApi::new().await;
    let admin = api.app.of(Who::Superuser);
    for (kind, config) in [
        ("email", json!({"user": "u", "password": "geheim"})),
        (
            "sms",
            json!({"url": "https://sms.example.org/geheim", "secret": "geheim", "body": "geheim", "headers": {"X": "geheim"}}),
        ),
        ("slack", json!({"url": "https://hooks.slack.com/geheim"})),
        ("webhook", json!({"url": "https://example.org/geheim", "secret": "geheim", "headers": {"X": "geheim"}})),
        ("ntfy", json!({"url": "https://ntfy.sh/geheim", "token": "geheim"})),
        ("my-plugin", json!({"anything": "geheim", "nested": {"x": ["geheim"]}})),
    ] {
        let body = json!({"name": format!("New {kind}"), "type": kind, "config": config});
        let reply = admin.post(CHANNELS, body).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        let path = at(reply.json()["uuid"].as_str().unwrap());
        for reply in [reply, admin.patch(&path, json!({"offered": true})).await, admin.get(&path).await] {
            assert!(!reply.text.contains("geheim"), "{}", reply.text);
            assert_eq!(reply.json()["config"].as_object().unwrap().len(), config.as_object().unwrap().len());
        }
    }
    let refused = admin.post(CHANNELS, json!({"name": "x", "type": "slack", "config": {"url": "geheim"}})).await;
    assert!(refused.status == 400 && !refused.text.contains("geheim"), "{}", refused.text);
    let list = admin.get(CHANNELS).await;
    assert!(list.status == 200 && !list.text.contains("geheim"));
    let mut text = String::new();
    let mut visit = |change: Change| {
        writeln!(text, "{change:?}").unwrap();
        ControlFlow::Continue(())
    };
    api.app.service.store().snapshot().unwrap().for_each_change(Seq(0), &mut visit).unwrap();
    assert!(text.contains("New ntfy") && !text.contains("geheim"));
}

#[tokio::test]
async fn channel_types_describe_their_settings() {
    let api = ContactApi::new().await;
    let admin = api.app.of(Who::Superuser);
    let types = admin.get(&format!("{CHANNELS}types/")).await.json();
    let names: Vec<&str> = types.as_array().unwrap().iter().map(|it| it["type"].as_str().unwrap()).collect();
    assert_eq!(names, CHANNEL_TYPES.iter().map(|it| it.key).collect::<Vec<_>>());
    assert!(names.starts_with(&["email", "sms", "slack", "webhook", "ntfy"]));
    let email = &types[0]["json_schema"];
    assert_eq!((&types[0]["built_in"], &types[0]["problem"]), (&json!(true), &Value::Null));
    assert_eq!(email["additionalProperties"], false);
    assert_eq!(email["properties"]["password"]["writeOnly"], true);
    assert_eq!(email["properties"]["encryption"]["enum"], json!(["none", "starttls", "tls"]));
    let webhook = &types[3]["json_schema"]["properties"];
    assert_eq!((&webhook["url"]["format"], &webhook["headers"]["type"]), (&json!("uri"), &json!("object")));
}
