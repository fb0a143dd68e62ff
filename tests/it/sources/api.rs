//! Sources, their types and signs of life (contract section 4).

use serde_json::json;

use crate::support::{App, Who};

#[tokio::test]
async fn a_source_is_created_with_a_user() {
    let app = App::new().await;
    let client = app.of(Who::Superuser);
    let body = json!({"name": "nav1", "type": "zabbix", "base_url": "no url"});
    let created = client.post("/api/v2/incidents/sources/", body.clone()).await;
    let user = app.user_id("nav1").0;
    let source = json!({"pk": 3, "name": "nav1", "type": {"name": "zabbix"}, "user": user, "base_url": "no url"});
    created.is(201, source.clone());
    app.of(Who::EndUser).get("/api/v1/incidents/sources/3/").await.is(200, source.clone());
    assert_eq!(app.of(Who::EndUser).get("/api/v1/incidents/sources/").await.json()[2], source);
    let again = client.post("/api/v2/incidents/sources/", body).await;
    again.is(400, json!({"__all__": ["Source system with this Name and Type already exists."]}));
    let other = client.post("/api/v2/incidents/sources/", json!({"name": "nav1", "type": "argus"})).await;
    assert_eq!(other.status, 201, "{}", other.text);
    assert_ne!(other.json()["user"], user);
}

#[tokio::test]
async fn invalid_sources_are_refused() {
    let app = App::new().await;
    let choice = json!({"type": ["Select a valid choice. That choice is not one of the available choices."]});
    let username = "username: Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ \
                    characters.";
    for (body, expected) in [
        (json!({"name": "x", "type": "nope"}), choice.clone()),
        (json!({"name": "x", "type": {"name": "zabbix"}}), choice),
        (json!({"name": "x"}), json!({"type": ["This field is required."]})),
        (json!({"type": "zabbix"}), json!({"name": ["This field is required."]})),
        (json!({"name": " ", "type": "zabbix"}), json!({"name": ["This field may not be blank."]})),
        (json!({"name": "x", "type": "zabbix", "username": "a b"}), json!({ "username": [username] })),
        (json!([]), json!({"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]})),
    ] {
        app.of(Who::Superuser).post("/api/v1/incidents/sources/", body).await.is(400, expected);
    }
}

#[tokio::test]
async fn only_the_name_of_a_source_can_be_changed() {
    let app = App::new().await;
    let client = app.of(Who::Superuser);
    let body = json!({"name": "renamed", "type": "argus", "user": 1, "base_url": "x"});
    let reply = client.patch("/api/v2/incidents/sources/2/", body).await.json();
    assert_eq!((&reply["name"], &reply["type"]["name"]), (&json!("renamed"), &json!("zabbix")));
    assert_eq!(reply["base_url"], "https://nav.example.org/app/");
    client.put("/api/v2/incidents/sources/2/", json!({})).await.is(400, json!({"name": ["This field is required."]}));
    assert_eq!(client.patch("/api/v2/incidents/sources/2/", json!({})).await.json()["name"], "renamed");
    let unknown = json!({"detail": "No SourceSystem matches the given query."});
    client.get("/api/v2/incidents/sources/99/").await.is(404, unknown);
}

#[tokio::test]
async fn types_are_lower_case_names() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    let path = "/api/v2/incidents/source-types/";
    client.post(path, json!({"name": "nav"})).await.is(201, json!({"name": "nav"}));
    let again = json!({"name": ["source system type with this name already exists."]});
    client.post(path, json!({"name": "nav"})).await.is(400, again);
    client.post(path, json!({"name": "NAV"})).await.is(400, json!({"name": ["'NAV' is not a lowercase string"]}));
    client.post(path, json!({})).await.is(400, json!({"name": ["This field is required."]}));
    client.get(path).await.is(200, json!([{"name": "argus"}, {"name": "nav"}, {"name": "zabbix"}]));
    client.get(&format!("{path}nav/")).await.is(200, json!({"name": "nav"}));
    let unknown = json!({"detail": "No SourceSystemType matches the given query."});
    client.get(&format!("{path}x/")).await.is(404, unknown);
}

#[tokio::test]
async fn only_sources_send_heartbeats() {
    let app = App::new().await;
    let path = "/api/v2/incidents/sources/heartbeat/";
    let beat = app.of(Who::Source).post(path, json!({})).await;
    assert_eq!((beat.status, beat.text.as_str()), (204, ""));
    let refused = app.of(Who::EndUser).post(path, json!({})).await;
    assert_eq!((refused.status, refused.text.as_str()), (403, ""));
    assert_eq!(app.of(Who::Source).get(path).await.status, 405);
    assert_eq!(app.of(Who::EndUser).get(path).await.status, 405);
    assert_eq!(app.of(Who::Source).get("/api/v1/incidents/sources/heartbeat/").await.status, 404);
}
