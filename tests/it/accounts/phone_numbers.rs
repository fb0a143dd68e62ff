//! Telephone numbers of version 1 (contract section 3).

use serde_json::{Value, json};

use crate::support::{App, Who};

const PATH: &str = "/api/v1/auth/phone-number/";

fn number(number: &str) -> Value {
    json!({ "phone_number": number })
}

#[tokio::test]
async fn phone_numbers_are_created_read_changed_and_deleted() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    let user = app.user_id("alice").0;
    client.get(PATH).await.is(200, json!([]));
    let created = client.post(PATH, json!({"phone_number": "+47 67 67 67 67", "user": 1})).await;
    let key = created.pk();
    let one = format!("{PATH}{key}/");
    let shown = |number: &str| json!({"pk": key, "user": user, "phone_number": number});
    created.is(201, shown("+4767676767"));
    client.get(&one).await.is(200, shown("+4767676767"));
    client.get(PATH).await.is(200, json!([shown("+4767676767")]));
    client.put(&one, number("+47 67 67 67 67")).await.is(200, shown("+4767676767"));
    client.put(&one, number("+4767676768")).await.is(200, shown("+4767676768"));
    client.patch(&one, json!({})).await.is(200, shown("+4767676768"));
    client.patch(&one, number("+4767676769")).await.is(200, shown("+4767676769"));
    assert_eq!(client.get("/api/v1/auth/user/").await.json()["phone_numbers"], json!([shown("+4767676769")]));
    let as_destination = client.get(&format!("/api/v2/notificationprofiles/destinations/{key}/")).await.json();
    assert_eq!(as_destination["settings"], number("+4767676769"));
    assert_eq!(client.delete(&one).await.status, 204);
    client.get(&one).await.is(404, json!({"detail": "No DestinationConfig matches the given query."}));
    assert_eq!(client.get("/api/v2/auth/phone-number/").await.status, 404);
}

#[tokio::test]
async fn invalid_phone_numbers_are_refused() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    let one = format!("{PATH}{}/", client.post(PATH, number("+4767676767")).await.pk());
    assert_eq!(client.post(PATH, number("+4767676768")).await.status, 201);
    let required = json!({"phone_number": ["This field is required."]});
    for body in [json!({}), number(""), number("  "), json!({"phone_number": null})] {
        client.post(PATH, body.clone()).await.is(400, required.clone());
        client.put(&one, body).await.is(400, required.clone());
    }
    let invalid = json!({"phone_number": ["Enter a valid phone number (e.g. +12125552368)."]});
    for bad in [json!("+4700000000"), json!("90909090"), json!("12345"), json!("+47"), json!(12345), json!("x")] {
        client.post(PATH, json!({ "phone_number": bad })).await.is(400, invalid.clone());
        client.patch(&one, json!({ "phone_number": bad })).await.is(400, invalid.clone());
    }
    let taken = json!({"phone_number": ["Phone number already exists"]});
    client.post(PATH, number("+47 67676768")).await.is(400, taken.clone());
    client.put(&one, number("+47 67676768")).await.is(400, taken);
}

#[tokio::test]
async fn a_phone_number_is_private_but_others_may_have_the_same() {
    let app = App::new().await;
    let key = app.of(Who::EndUser).post(PATH, number("+4767676767")).await.pk();
    let one = format!("{PATH}{key}/");
    let unknown = json!({"detail": "No DestinationConfig matches the given query."});
    for who in [Who::Source, Who::Staff, Who::Superuser] {
        let other = app.of(who);
        other.get(&one).await.is(404, unknown.clone());
        // Nothing new is made either.
        other.put(&one, number("+4767676768")).await.is(404, unknown.clone());
        other.delete(&one).await.is(404, unknown.clone());
        other.get(PATH).await.is(200, json!([]));
        assert_eq!(other.post(PATH, number("+4767676767")).await.status, 201);
    }
    assert_eq!(app.of(Who::Anonymous).get(PATH).await.status, 401);
    // An e-mail destination is no phone number.
    let own = app.of(Who::EndUser).get("/api/v2/notificationprofiles/destinations/").await.json()[0]["pk"].clone();
    app.of(Who::EndUser).get(&format!("{PATH}{own}/")).await.is(404, unknown);
}

#[tokio::test]
async fn a_deleted_phone_number_is_removed_from_profiles() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    let key = client.post(PATH, number("+4767676767")).await.pk();
    let slots = client.get("/api/v1/notificationprofiles/timeslots/").await.json();
    let filter = client.filter("f").post().await;
    let body = json!({
        "timeslot": slots[0]["pk"], "filters": [filter], "media": ["EM", "SM"], "phone_number": key});
    let profile = client.post("/api/v1/notificationprofiles/", body).await;
    let path = format!("/api/v1/notificationprofiles/{}/", profile.pk());
    assert_eq!(profile.json()["phone_number"]["pk"], key);
    assert_eq!(client.delete(&format!("{PATH}{key}/")).await.status, 204);
    let left = client.get(&path).await.json();
    assert_eq!((&left["media"], &left["phone_number"]), (&json!(["EM"]), &Value::Null));
}
