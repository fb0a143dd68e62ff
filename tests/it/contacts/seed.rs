//! The requests 1 to 21 that the contact API was asked for with, in their order, in both dialects (contact API contract
//! section 10).

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{
    Reply,
    contact_api::{CURRENT, ContactApi, ISSUE, said},
};

const YAML: &str = "---\npayload: invalid\n";
const G2: &str = "0817d973-398e-41d7-9ef2-61cdb7ef41a2";
const G3: &str = "0817d973-398e-41d7-9ef2-61cdb7ef41a3";
const G4: &str = "0817d973-398e-41d7-9ef2-61cdb7ef41a4";
const G5: &str = "0817d973-398e-41d7-9ef2-61cdb7ef41a5";

fn body(id: &str, name: &str) -> Value {
    json!({"id": id, "name": name, "users": []})
}

#[track_caller]
fn created(reply: &Reply, location: &str, body: Value) {
    assert_eq!(reply.header("location"), format!("notifications/api/v1/{location}"));
    assert_eq!(reply.header("x-resource-identifier"), location.rsplit('/').next().unwrap());
    reply.is(201, body);
}

#[track_caller]
fn no_content(reply: &Reply) {
    assert_eq!((reply.status, reply.text.as_str()), (204, ""));
}

#[tokio::test]
async fn the_issue_dialect_answers_the_example_requests() {
    let api = ContactApi::new().await;
    let groups = "/icingaweb2/notifications/api/v1/contactgroups";
    let of = |id: &str| format!("{groups}/{id}");
    let error = |message: &str| json!({"status": "error", "message": message});
    let success = || json!({"status": "success", "data": null});
    let json = Some("application/json");

    let no_json = error("Invalid request body: given content is not a valid JSON");
    api.raw(Method::POST, groups, json, YAML).await.is(400, no_json.clone());
    api.raw(Method::POST, groups, Some("text/yaml"), YAML).await.is(400, error("No JSON content"));
    let missing = error("Invalid request body: the fields id and name must be present and of type string");
    api.post(groups, json!({"id": G2, "users": []})).await.is(400, missing);
    let filter = error("Filter is only allowed for GET requests");
    api.post(&format!("{groups}?id={G2}"), body(G2, "Test group")).await.is(400, filter);
    api.post(&of(G2), body(G2, "Test group")).await.is(404, error("Contactgroup not found"));
    let reply = api.post(groups, body(G2, "Test group")).await;
    created(&reply, &format!("contactgroups/{G2}"), success());
    api.post(&of(G2), body(G2, "Test group")).await.is(422, error("Contactgroup already exists"));
    let reply = api.post(&of(G2), body(G3, "Test group (replaced)")).await;
    created(&reply, &format!("contactgroups/{G3}"), success());
    api.raw(Method::PUT, &of(G3), json, YAML).await.is(400, no_json);
    api.put(groups, body(G3, "Test group (replaced)")).await.is(400, error("Identifier is required"));
    api.put(&of(G3), body(G4, "Test group (replaced)")).await.is(400, error("Identifier mismatch"));
    created(&api.put(&of(G4), body(G4, "Test group 2")).await, &format!("contactgroups/{G4}"), success());
    no_content(&api.put(&of(G4), body(G4, "Test group 2 (updated)")).await);
    let (third, fourth) = (body(G3, "Test group (replaced)"), body(G4, "Test group 2 (updated)"));
    api.get(groups).await.is(200, json!([third, fourth]));
    api.get(&of(G3)).await.is(200, json!({"status": "success", "data": [third]}));
    api.get(&format!("{groups}?id={G3}")).await.is(200, json!([third]));
    api.get(&format!("{groups}?name=Non-Existent%20Group")).await.is(200, json!([]));
    api.get(&of(G5)).await.is(404, error("Contactgroup not found"));
    api.delete(groups).await.is(400, error("Identifier is required"));
    api.delete(&of(G5)).await.is(404, error("Contactgroup not found"));
    no_content(&api.delete(&of(G3)).await);
    no_content(&api.delete(&of(G4)).await);
    api.get(groups).await.is(200, json!([]));
    api.sound();
}

#[tokio::test]
async fn the_current_dialect_answers_the_example_requests() {
    let api = ContactApi::new().await;
    let groups = "/notifications/api/v1/contact-groups";
    let of = |id: &str| format!("{groups}/{id}");
    let error = |message: &str| json!({ "message": message });
    let success = || json!({"message": "Contact Group created successfully"});
    let json = Some("application/json");

    let no_json = error("Invalid request body: given content is not a valid JSON");
    api.raw(Method::POST, groups, json, YAML).await.is(400, no_json.clone());
    let content_type = error("Invalid request header: Content-Type must be application/json");
    api.raw(Method::POST, groups, Some("text/yaml"), YAML).await.is(400, content_type);
    let missing = error("Invalid request body: the field name must be present");
    api.post(groups, json!({"id": G2, "users": []})).await.is(422, missing);
    let filter = error("Unexpected query parameter: Filter is only allowed for GET requests");
    api.post(&format!("{groups}?id={G2}"), body(G2, "Test group")).await.is(400, filter);
    let same = error("Identifier mismatch: the Payload id must be different from the URL identifier");
    api.post(&of(G2), body(G2, "Test group")).await.is(422, same.clone());
    let reply = api.post(groups, body(G2, "Test group")).await;
    created(&reply, &format!("contact-groups/{G2}"), success());
    api.post(&of(G2), body(G2, "Test group")).await.is(422, same);
    let reply = api.post(&of(G2), body(G3, "Test group (replaced)")).await;
    created(&reply, &format!("contact-groups/{G3}"), success());
    api.raw(Method::PUT, &of(G3), json, YAML).await.is(400, no_json);
    let required = error("Invalid request: Identifier is required");
    api.put(groups, body(G3, "Test group (replaced)")).await.is(400, required.clone());
    api.put(&of(G3), body(G4, "Test group (replaced)")).await.is(422, error("Identifier mismatch"));
    created(&api.put(&of(G4), body(G4, "Test group 2")).await, &format!("contact-groups/{G4}"), success());
    no_content(&api.put(&of(G4), body(G4, "Test group 2 (updated)")).await);
    let (third, fourth) = (body(G3, "Test group (replaced)"), body(G4, "Test group 2 (updated)"));
    api.get(groups).await.is(200, json!({"data": [third, fourth]}));
    api.get(&of(G3)).await.is(200, json!({ "data": third }));
    api.get(&format!("{groups}?id={G3}")).await.is(200, json!({"data": [third]}));
    api.get(&format!("{groups}?name=Non-Existent%20Group")).await.is(200, json!({"data": []}));
    api.get(&of(G5)).await.is(404, error("Contact Group not found"));
    api.delete(groups).await.is(400, required);
    api.delete(&of(G5)).await.is(404, error("Contact Group not found"));
    no_content(&api.delete(&of(G3)).await);
    no_content(&api.delete(&of(G4)).await);
    api.get(groups).await.is(200, json!({"data": []}));
    api.sound();
}

/// Section 12.
#[tokio::test]
async fn the_worked_example() {
    let api = ContactApi::new().await;
    let jane = "1817d973-398e-41d7-9cd2-61cdb7ef41a3";
    let sent = json!({"id": jane, "full_name": "Jane Doe", "username": "jane",
        "default_channel": "0817d973-398e-41d7-9cd2-61cdb7ef41a1", "addresses": {"email": "jane@example.com"}});
    let shown = json!({"id": jane, "full_name": "Jane Doe", "username": "jane",
        "default_channel": "0817d973-398e-41d7-9cd2-61cdb7ef41a1", "groups": [],
        "addresses": {"email": "jane@example.com"}});
    for (mount, body, list) in [
        (ISSUE, json!({"status": "success", "data": null}), json!([shown])),
        (CURRENT, json!({"message": "Contact created successfully"}), json!({"data": [shown]})),
    ] {
        let path = format!("{mount}/contacts/{jane}");
        created(&api.put(&path, sent.clone()).await, &format!("contacts/{jane}"), body);
        api.get(&format!("{mount}/contacts?username=jane")).await.is(200, list);
        no_content(&api.put(&path, sent.clone()).await);
        no_content(&api.delete(&path).await);
        said(&api.get(&path).await, 404, "Contact not found");
    }
}
