//! What the documents do not list, and operations for which the right depends on what is asked: each has an expected status
//! for every kind of user, and gets it.

use std::collections::BTreeSet;

use argusd::{http::router::undocumented_operations, service::Settings};
use axum::http::Method;
use serde_json::{Value, json};

use super::{filled, one_each};
use crate::{
    resource::{self, OPEN, Row, Statuses, row},
    support::{App, PASSWORD, Who, contact_api},
};

const SUPERUSERS: Statuses = [401, 403, 403, 403, 200];

/// Without those of the contact API.
fn undocumented() -> Vec<Row> {
    let credentials = json!({"username": "admin", "password": PASSWORD});
    let mut rows = vec![
        row("POST", "/oidc/api-token-auth/", OPEN, credentials),
        row("ANY", "/.still-alive/", [204; 5], Value::Null),
        row("GET", "/-/healthy/", OPEN, Value::Null),
        row("GET", "/-/ready/", OPEN, Value::Null),
        row("GET", "/metrics/", SUPERUSERS, Value::Null),
    ];
    for page in [
        "/api/schema/swagger-ui/",
        "/api/schema/swagger-ui/{*file}",
        "/api/v1/schema/swagger-ui/",
        "/api/v1/schema/swagger-ui/{*file}",
        "/api/v2/schema/swagger-ui/",
        "/api/v2/schema/swagger-ui/{*file}",
        "/argusd/v1/schema/swagger-ui/",
        "/argusd/v1/schema/swagger-ui/{*file}",
    ] {
        rows.push(row("GET", page, OPEN, Value::Null));
    }
    rows.extend(resource::all().flat_map(|resource| resource.undocumented));
    rows
}

fn contact_api() -> Vec<Row> {
    let mut rows = Vec::new();
    for (root, rest) in [
        ("/notifications/api/", "/notifications/api/{*rest}"),
        ("/icingaweb2/notifications/api/", "/icingaweb2/notifications/api/{*rest}"),
        ("/icinga-issue/notifications/api/", "/icinga-issue/notifications/api/{*rest}"),
        ("/icinga-current/notifications/api/", "/icinga-current/notifications/api/{*rest}"),
    ] {
        rows.push(row("ANY", root, [401, 403, 403, 403, 404], Value::Null));
        rows.push(row("ANY", rest, SUPERUSERS, Value::Null));
    }
    rows
}

/// By what is in the request.
fn special() -> Vec<Row> {
    let foreign = json!({"start_time": super::AT, "tags": [], "source": 2});
    vec![
        row("POST", "/api/v2/incidents/", [401, 400, 400, 400, 201], foreign),
        row("PATCH", "/api/v2/incidents/{pk}/", [401, 400, 200, 400, 200], json!({"tags": []})),
        row("DELETE", "/api/v2/incidents/{pk}/", [401, 403, 204, 403, 204], Value::Null),
        row(
            "GET",
            "/argusd/v1/incidents/{pk}/events/{event_pk}/decisions/?user=bob",
            [401, 403, 403, 200, 200],
            Value::Null,
        ),
    ]
}

#[test]
fn every_undocumented_route_has_its_row() {
    let routes: BTreeSet<(String, &str)> =
        undocumented_operations().into_iter().map(|it| (it.path, it.method)).collect();
    let rows = undocumented().into_iter().chain(contact_api());
    let rows = one_each(rows.map(|row| ((row.path.to_owned(), row.method), ())));
    let rows: BTreeSet<(String, &str)> = rows.into_keys().collect();
    let missing: Vec<_> = routes.difference(&rows).collect();
    let gone: Vec<_> = rows.difference(&routes).collect();
    assert!(missing.is_empty() && gone.is_empty(), "without a row: {missing:?}; no route: {gone:?}");
}

#[tokio::test]
async fn every_kind_of_user_gets_the_statuses_of_undocumented_routes() {
    let app = App::with(Settings { indelible_incidents: false, ..Settings::default() }).await;
    let helper = app.bearing(&app.new_token("zabbix-src").await);
    let admin = app.bearing(&app.new_token("admin").await);
    let mut wrong = Vec::new();
    for row in undocumented().into_iter().chain(contact_api()).chain(special()) {
        for (column, who) in Who::ALL.into_iter().enumerate() {
            let path = filled(&app, &helper, &admin, row.object, row.path).await;
            let path = path.replace("{*file}", "index.html").replace("{*rest}", "v1/contacts");
            let method = if row.method == "ANY" { Method::GET } else { row.method.parse().unwrap() };
            let body = Some(row.body.clone()).filter(|body| !body.is_null());
            let reply = app.of(who).call(method, &path, body).await;
            let expected = row.statuses[column];
            if reply.status != expected {
                wrong.push(format!(
                    "{who:?} {} {path}: {} instead of {expected}: {}",
                    row.method, reply.status, reply.text
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_grant_opens_the_contact_api() {
    let app = App::new().await;
    contact_api::grant(&app, "alice", &[contact_api::PERMISSION]).await;
    for row in contact_api() {
        let path = row.path.replace("{*rest}", "v1/contacts");
        assert_eq!(app.of(Who::EndUser).get(&path).await.status, row.statuses[4], "{path}");
    }
}
