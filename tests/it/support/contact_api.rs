//! What the tests of the contact API share: somebody who may use it, channels, and both dialects.

use argusd::domain::user::UserDraft;
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{App, Client, Reply, Who};

pub const EMAIL: &str = "0817d973-398e-41d7-9cd2-61cdb7ef41a1";
pub const WEBHOOK: &str = "0817d973-398e-41d7-9cd2-61cdb7ef41a2";
pub const ISSUE: &str = "/icinga-issue/notifications/api/v1";
pub const CURRENT: &str = "/icinga-current/notifications/api/v1";
pub const PERMISSION: &str = "notifications/api/v1";

/// The n-th of the UUIDs that tests make up; they sort by n.
pub fn id(n: u128) -> String {
    Uuid::from_u128(0x1817_d973_398e_41d7_9cd2_0000_0000_0000 + n).to_string()
}

pub fn contact(n: u128) -> Value {
    json!({"id": id(n), "full_name": format!("Contact {n}"), "default_channel": EMAIL,
           "addresses": {"email": format!("c{n}@example.org")}})
}

pub fn group(n: u128) -> Value {
    json!({"id": id(n), "name": format!("Group {n}")})
}

/// The body with other fields in it; `null` takes a field away.
pub fn with(mut body: Value, fields: Value) -> Value {
    let (body_fields, Value::Object(fields)) = (body.as_object_mut().unwrap(), fields) else { panic!("no objects") };
    for (name, value) in fields {
        if value.is_null() {
            body_fields.remove(&name);
        } else {
            body_fields.insert(name, value);
        }
    }
    body
}

/// An [`App`] whose contacts are created over the contact API.
pub struct ContactApi {
    pub app: App,
    /// Of `alice`, who has the grant and nothing else.
    pub client: Client,
}

impl ContactApi {
    /// With an e-mail channel and a webhook.
    pub async fn new() -> Self {
        let app = App::new().await;
        grant(&app, "alice", &[PERMISSION]).await;
        let admin = app.of(Who::Superuser);
        let mail = json!({"user": "argus", "password": "geheim"});
        admin.channel("Mail", "email").uuid(EMAIL).config(mail).create().await;
        let hook = json!({"url": "https://hook.example.org/geheim"});
        admin.channel("Hook", "webhook").uuid(WEBHOOK).config(hook).create().await;
        Self { client: app.of(Who::EndUser), app }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.client.get(path).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.client.post(path, body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.client.put(path, body).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.client.delete(path).await
    }

    /// With a body that is sent as it stands.
    pub async fn raw(&self, method: Method, path: &str, content_type: Option<&str>, body: &str) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        self.client.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub async fn put_contact(&self, n: u128, fields: Value) {
        let reply = self.put(&format!("{ISSUE}/contacts/{}", id(n)), with(contact(n), fields)).await;
        stored(&reply);
    }

    pub async fn put_group(&self, n: u128, fields: Value) {
        let reply = self.put(&format!("{ISSUE}/contactgroups/{}", id(n)), with(group(n), fields)).await;
        stored(&reply);
    }

    pub async fn contact(&self, n: u128) -> Value {
        self.get(&format!("{CURRENT}/contacts/{}", id(n))).await.json()["data"].clone()
    }

    pub async fn group(&self, n: u128) -> Value {
        self.get(&format!("{CURRENT}/contact-groups/{}", id(n))).await.json()["data"].clone()
    }

    pub fn sound(&self) {
        assert_eq!(self.app.service.store().verify().unwrap(), Vec::<String>::new());
    }
}

pub async fn grant(app: &App, username: &str, grants: &[&str]) {
    let grants = grants.iter().map(|grant| (*grant).to_owned()).collect();
    let change = UserDraft { grants: Some(grants), ..UserDraft::default() };
    app.service.people().change_user(&app.local, app.user_id(username), change).await.unwrap();
}

/// Created or updated.
#[track_caller]
pub fn stored(reply: &Reply) {
    assert!(matches!(reply.status, 201 | 204), "{} {}", reply.status, reply.text);
}

/// Status and message.
#[track_caller]
pub fn said(reply: &Reply, status: u16, message: &str) {
    assert_eq!((reply.status, reply.json()["message"].as_str().unwrap_or_default()), (status, message));
}
