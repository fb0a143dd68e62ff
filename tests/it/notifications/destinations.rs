//! Media and destinations (contract section 16).

use argusd::{
    domain::{channel_types::CHANNEL_TYPES, user::UserDraft},
    http::Version,
};
use serde_json::{Value, json};

use crate::{
    resource::{ALL_READ, Document, OPEN, Resource, row},
    support::{App, Client, Who},
};

const PATH: &str = "/api/v2/notificationprofiles/destinations/";
const MEDIA: &str = "/api/v2/notificationprofiles/media/";

/// Media, of which one has no key but a name.
pub fn resource() -> Resource {
    Resource {
        documents: &[Document::Argus(Version::V2)],
        operations: vec![
            row("GET", "/notificationprofiles/media/", ALL_READ, Value::Null),
            row("GET", "/notificationprofiles/media/{slug}/", ALL_READ, Value::Null),
            row("GET", "/notificationprofiles/media/{slug}/json_schema/", ALL_READ, Value::Null),
        ],
        undocumented: vec![row("GET", "/json-schema/{slug}/", OPEN, Value::Null)],
        object: |_| Box::pin(async { "email".to_owned() }),
        ..Resource::default()
    }
}

fn email(address: &str) -> Value {
    json!({"media": "email", "settings": {"email_address": address}})
}

async fn synced(client: &Client) -> Value {
    let all = client.get(PATH).await.json();
    all.as_array().unwrap().iter().find(|it| it["settings"]["synced"] == true).cloned().unwrap_or_default()
}

#[tokio::test]
async fn media_are_listed_with_their_schemas() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    let all = client.get(MEDIA).await.json();
    let slugs: Vec<&str> = all.as_array().unwrap().iter().map(|it| it["slug"].as_str().unwrap()).collect();
    assert_eq!(slugs, CHANNEL_TYPES.iter().map(|it| it.key).collect::<Vec<_>>());
    assert!(slugs.starts_with(&["email", "sms", "slack", "webhook", "ntfy"]));
    client.get(&format!("{MEDIA}sms/")).await.is(200, json!({"slug": "sms", "name": "SMS", "installed": true}));
    client.get(&format!("{MEDIA}email/json_schema/")).await.is(
        200,
        json!({"json_schema": {
            "title": "Email Settings",
            "description": "Settings for a DestinationConfig using email.",
            "type": "object",
            "required": ["email_address"],
            "properties": {"email_address": {"type": "string", "title": "Email address"}},
            "$id": "http://argus.test/json-schema/email",
        }}),
    );
    let sms = client.get(&format!("{MEDIA}sms/json_schema/")).await.json();
    assert_eq!(
        (&sms["json_schema"]["title"], &sms["json_schema"]["description"]),
        (&json!("SMS Settings"), &json!("Settings for a DestinationConfig using SMS."))
    );
    assert_eq!(
        sms["json_schema"]["properties"]["phone_number"],
        json!({"type": "string", "title": "Phone number",
            "description": "The phone number is validated and the country code needs to be given."})
    );
    let hook = client.get(&format!("{MEDIA}webhook/json_schema/")).await.json();
    assert_eq!(hook["json_schema"]["required"], json!(["destination_url"]));
    assert_eq!(hook["json_schema"]["properties"]["secret"]["writeOnly"], true);
    let unknown = json!({"detail": "No Media matches the given query."});
    client.get(&format!("{MEDIA}nope/")).await.is(404, unknown.clone());
    client.get(&format!("{MEDIA}nope/json_schema/")).await.is(404, unknown);
    let page = app.of(Who::Anonymous).get("/json-schema/email").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.text.contains("Email Settings"), "{}", page.text);
    assert_eq!(app.of(Who::Anonymous).get("/json-schema/nope").await.status, 404);
}

#[tokio::test]
async fn destinations_are_created_read_changed_and_deleted() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    let body = json!({"media": "sms", "label": " ", "settings": {"phone_number": "+47 67 67 67 67", "x": 1}});
    let created = client.post(PATH, body).await;
    let one = format!("{PATH}{}/", created.pk());
    let sms = |label: Value| {
        json!({
            "pk": created.pk(),
            "media": {"slug": "sms", "name": "SMS", "installed": true},
            "label": label,
            "suggested_label": "SMS: +4767676767",
            "settings": {"phone_number": "+4767676767"},
        })
    };
    created.is(201, sms(Value::Null));
    client.get(&one).await.is(200, sms(Value::Null));
    client.patch(&one, json!({"label": "night"})).await.is(200, sms(json!("night")));
    client.patch(&one, json!({"media": "sms"})).await.is(200, sms(json!("night")));
    client.patch(&one, json!({"label": ""})).await.is(200, sms(Value::Null));
    let moved = client.patch(&one, json!({"settings": {"phone_number": "+47 67676768"}})).await.json();
    assert_eq!(moved["settings"], json!({"phone_number": "+4767676768"}));
    let list = client.get(PATH).await.json();
    assert_eq!(list[0]["suggested_label"], "Email: alice@example.org");
    assert_eq!(list[0]["settings"], json!({"email_address": "alice@example.org", "synced": true}));
    assert_eq!(list[1], moved);
    assert_eq!(client.put(&one, json!({})).await.status, 405);
    assert_eq!(client.delete(&one).await.status, 204);
    let unknown = json!({"detail": "No DestinationConfig matches the given query."});
    client.get(&one).await.is(404, unknown.clone());
    client.delete(&one).await.is(404, unknown);
}

#[tokio::test]
async fn invalid_destinations_are_refused() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    let required = json!(["This field is required."]);
    let labelled = json!({"media": "email", "label": "home", "settings": {"email_address": "home@example.org"}});
    let one = format!("{PATH}{}/", client.post(PATH, labelled).await.pk());
    let sms = |number: Value| json!({"media": "sms", "settings": {"phone_number": number}});
    let url = |medium: &str, url: &str| json!({"media": medium, "settings": {"destination_url": url}});
    let bad_number = json!({"phone_number": ["Enter a valid phone number (e.g. +12125552368)."]});
    for (body, errors) in [
        (json!({}), json!({"media": required, "settings": required})),
        (json!({"media": "nope", "settings": {}}), json!({"media": ["Invalid pk \"nope\" - object does not exist."]})),
        (sms(json!("12345")), bad_number.clone()),
        (sms(json!("+4700000000")), bad_number.clone()),
        (sms(json!("90909090")), bad_number),
        (sms(Value::Null), json!({"phone_number": required})),
        (json!({"media": "sms", "settings": {}}), json!({"phone_number": required})),
        (json!({"media": "sms", "settings": []}), json!({"settings": ["Settings has to be a dictionary."]})),
        (json!({"media": "sms", "settings": "x"}), json!({"settings": ["Enter a valid JSON.", "invalid"]})),
        (json!({"media": "sms", "settings": "[1]"}), json!({"settings": ["Settings has to be a dictionary."]})),
        (json!({"media": "sms", "settings": null}), json!({"settings": ["This field may not be null."]})),
        (email("nope"), json!({"email_address": ["Enter a valid email address."]})),
        (email("a@example.org\nBcc: b@example.org"), json!({"email_address": ["Enter a valid email address."]})),
        (email("alice@example.org"), json!({"non_field_errors": ["A destination with these settings already exists"]})),
        (
            json!({"media": "email", "label": "home", "settings": {"email_address": "other@example.org"}}),
            json!({"label": ["A destination with this medium and label already exists"]}),
        ),
        (
            json!({"media": "email", "label": "x".repeat(51), "settings": {"email_address": "other@example.org"}}),
            json!({"label": ["Ensure this field has no more than 50 characters."]}),
        ),
        (
            url("slack", "http://hooks.slack.com/x"),
            json!({"destination_url": ["Enter a valid URL that starts with https://."]}),
        ),
        (
            url("webhook", "ftp://x.org/"),
            json!({"destination_url": ["Enter a valid URL that starts with https:// or http://."]}),
        ),
        (
            url("ntfy", "https://me:secret@ntfy.sh/x"),
            json!({"destination_url": ["Enter a URL without a user name and password."]}),
        ),
        (
            url("ntfy", "https://ntfy.example.org/"),
            json!({"destination_url": ["Enter a URL that ends with a topic of 1 to 64 letters, digits, - and _ (e.g. https://ntfy.sh/alerts)."]}),
        ),
        (
            url("slack", "https://hooks.slack.com/"),
            json!({"destination_url": ["Enter the complete URL of the webhook, including its path (e.g. https://hooks.slack.com/services/...)."]}),
        ),
        (email("a@ѳôҩѧđрѕӓãśшćэтփţȗԡыҁԥѓȅȶѱ.org"), json!({"email_address": ["Enter a valid email address."]})),
    ] {
        client.post(PATH, body.clone()).await.is(400, errors);
    }
    client.patch(&one, sms(json!("x"))).await.is(400, json!({"media": ["Media cannot be updated, only settings."]}));
    client.patch(&one, json!({"settings": {}})).await.is(400, json!({"email_address": required}));
    let taken = json!({"settings": {"email_address": "alice@example.org"}});
    client.patch(&one, taken).await.is(
        400,
        json!({
        "non_field_errors": ["A destination with these settings already exists"]}),
    );
    // The same label is free for another medium.
    let sms = json!({"media": "sms", "label": "home", "settings": {"phone_number": "+4767676767"}});
    assert_eq!(client.post(PATH, sms).await.status, 201);
}

#[tokio::test]
async fn secrets_of_destinations_are_never_answered() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    let body = json!({"media": "webhook", "settings": {"destination_url": "https://x.org/a", "secret": "s3cret"}});
    let created = client.post(PATH, body).await;
    let id = created.pk();
    let one = format!("{PATH}{id}/");
    assert_eq!(created.json()["settings"], json!({"destination_url": "https://x.org/a"}));
    assert_eq!(created.json()["suggested_label"], "Webhook: x.org");
    let stored = || {
        let directory = app.service.directory();
        let destination = directory.destinations.values().find(|it| it.id.0 == id).cloned();
        destination.unwrap().settings.get("secret").cloned()
    };
    let settings = |settings: Value| json!({ "settings": settings });
    client.patch(&one, settings(json!({"destination_url": "https://x.org/b"}))).await;
    assert_eq!(stored().as_deref(), Some("s3cret"), "it stays with its host");
    client.patch(&one, json!({"label": "mine"})).await;
    assert_eq!(stored().as_deref(), Some("s3cret"));
    let elsewhere = client.patch(&one, settings(json!({"destination_url": "https://evil.org/b"}))).await;
    assert_eq!((elsewhere.status, stored()), (200, None), "it does not go anywhere else");
    client.patch(&one, settings(json!({"destination_url": "https://x.org/b", "secret": "new"}))).await;
    assert_eq!(stored().as_deref(), Some("new"));
    client.patch(&one, settings(json!({"destination_url": "https://x.org/b", "secret": null}))).await;
    assert_eq!(stored(), None);
    let all = client.get(PATH).await;
    assert!(!all.text.contains("s3cret") && !all.text.contains("\"secret\""), "{}", all.text);
}

#[tokio::test]
async fn the_synced_destination_follows_the_users_address() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    let own = synced(&client).await;
    let one = format!("{PATH}{}/", own["pk"]);
    let refusal = json!(["Cannot delete this destination since it was defined by an outside source."]);
    client.delete(&one).await.is(400, refusal);
    let labelled =
        client.patch(&one, json!({"label": "work", "settings": {"email_address": "alice@example.org"}})).await;
    assert_eq!((labelled.status, labelled.json()["settings"]["synced"].clone()), (200, json!(true)));

    let changed = client.patch(&one, email("home@example.org")).await.json();
    assert_eq!(changed["settings"], json!({"email_address": "home@example.org", "synced": false}));
    assert_eq!((&changed["pk"], &changed["label"]), (&own["pk"], &json!("work")));
    let fresh = synced(&client).await;
    assert_eq!(fresh["settings"]["email_address"], "alice@example.org");
    assert_ne!(fresh["pk"], own["pk"]);

    let ignored = json!({"media": "email", "settings": {"email_address": "x@example.org", "synced": true}});
    assert_eq!(client.post(PATH, ignored).await.json()["settings"]["synced"], false);

    // Another address, and then none.
    let alice = app.user_id("alice");
    let change = |address: &str| UserDraft { email: Some(address.to_owned()), ..UserDraft::default() };
    app.service.people().change_user(&app.local, alice, change("home@example.org")).await.unwrap();
    assert_eq!(synced(&client).await["pk"], own["pk"]);
    let filter = client.filter("f").post().await;
    let both = json!({"destinations": [own["pk"], fresh["pk"]]});
    let profile = client.profile().filter(filter).with(both).post().await;
    app.service.people().change_user(&app.local, alice, change("")).await.unwrap();
    assert_eq!(synced(&client).await, Value::Null);
    assert_eq!(client.get(&one).await.status, 404);
    let profile = client.get(&format!("/api/v2/notificationprofiles/{profile}/")).await.json();
    let left: Vec<&Value> = profile["destinations"].as_array().unwrap().iter().map(|it| &it["pk"]).collect();
    assert_eq!(left, [&fresh["pk"]]);
}

#[tokio::test]
async fn others_see_nothing_but_that_an_address_is_shared() {
    let app = App::new().await;
    let (alice, stan) = (app.of(Who::EndUser), app.of(Who::Staff));
    let shared = alice.post(PATH, email("noc@example.org")).await.pk();
    let one = format!("{PATH}{shared}/");
    let is_duplicate = async || alice.get(&format!("{one}duplicate/")).await.json();
    assert_eq!(is_duplicate().await, json!({"is_duplicate": false}));
    assert_eq!(stan.post(PATH, email("noc@example.org")).await.status, 201);
    assert_eq!(is_duplicate().await, json!({"is_duplicate": true}));
    for who in [Who::Source, Who::Staff, Who::Superuser] {
        let other = app.of(who);
        let unknown = json!({"detail": "No DestinationConfig matches the given query."});
        other.get(&one).await.is(404, unknown.clone());
        other.patch(&one, json!([])).await.is(404, unknown.clone());
        other.delete(&one).await.is(404, unknown);
        let missing = json!([format!("Destination with pk={shared} does not exist.")]);
        other.get(&format!("{one}duplicate/")).await.is(400, missing);
        assert!(other.get(PATH).await.json().as_array().unwrap().iter().all(|it| it["pk"] != shared));
    }
}

#[tokio::test]
async fn version_one_has_no_destinations() {
    let app = App::new().await;
    for path in ["destinations/", "media/"] {
        let path = format!("/api/v1/notificationprofiles/{path}");
        assert_eq!(app.of(Who::EndUser).get(&path).await.status, 404, "{path}");
    }
    assert_eq!(app.of(Who::EndUser).get("/api/v1/plannedmaintenance/").await.status, 404);
}
