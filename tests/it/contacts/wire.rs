//! Paths, who may, and the order of checks (contact API contract sections 1 to 6).

use argusd::{
    domain::user::UserDraft,
    http::{self, HttpSettings, IcingaDialect},
};
use axum::{
    Router,
    body::Body,
    http::{Method, Request, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{
    App, MINUTE, PASSWORD, Who,
    contact_api::{CURRENT, ContactApi, EMAIL, ISSUE, PERMISSION, contact, grant, group, id, said},
};

#[tokio::test]
async fn both_mounts_and_fixed_prefixes_serve_the_same_objects() {
    let api = ContactApi::new().await;
    api.put_group(1, json!({})).await;
    api.put_contact(2, json!({})).await;
    let (group, contact) = (api.group(1).await, api.contact(2).await);
    for before in ["", "/icingaweb2", "/icinga-issue", "/icinga-current"] {
        let base = format!("{before}/notifications/api");
        api.get(&format!("{base}/v1/contactgroups")).await.is(200, json!([group]));
        api.get(&format!("{base}/v1/contact-groups/")).await.is(200, json!({"data": [group]}));
        api.get(&format!("{base}/V1/contact_groups")).await.is(200, json!({"data": [group]}));
        api.get(&format!("{base}/v1/Contact%20Groups")).await.is(200, json!({"data": [group]}));
        let current = before == "/icinga-current";
        let list = if current { json!({"data": [contact]}) } else { json!([contact]) };
        api.get(&format!("{base}/v1/Contacts")).await.is(200, list);
        let single = if current { json!({"data": contact}) } else { json!({"status": "success", "data": [contact]}) };
        api.get(&format!("{base}/v1/contacts/{}/", id(2).to_uppercase())).await.is(200, single);
    }
}

#[tokio::test]
async fn a_setting_says_what_contacts_and_channels_speak() {
    let api = ContactApi::new().await;
    let token = api.app.new_token("alice").await;
    for (icinga_dialect, list) in [(IcingaDialect::Issue, json!([])), (IcingaDialect::Current, json!({"data": []}))] {
        let settings = HttpSettings { icinga_dialect, ..HttpSettings::default() };
        let router = http::router(api.app.service.clone(), settings, axum::Router::new());
        let request = Request::get("/notifications/api/v1/contacts")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::empty())
            .unwrap();
        let body = router.oneshot(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), list);
    }
}

#[tokio::test]
async fn unknown_paths_are_not_found() {
    let api = ContactApi::new().await;
    for base in [ISSUE, CURRENT] {
        for (path, name) in
            [("v1/foo", "Foo"), ("v1/api-v1", "ApiV1"), ("v2/contacts", "Contacts"), ("v1/foo/bar", "Foo")]
        {
            let path = format!("{}/{path}", base.trim_end_matches("/v1"));
            said(&api.get(&path).await, 404, &format!("Endpoint {name} not found"));
        }
        for path in ["", "/", "/v1", "/v1/", "/v1/contacts/a/b"] {
            let path = format!("{}{path}", base.trim_end_matches("/v1"));
            api.get(&path).await.is(404, json!({"status": "error", "message": "Page not found."}));
        }
        let path = format!("{base}/contacts/");
        for bad in ["0", "x", "0817d973398e41d79ef261cdb7ef41a2", "%7B0817d973-398e-41d7-9ef2-61cdb7ef41a2%7D"] {
            for method in [Method::GET, Method::DELETE] {
                let reply = api.client.call(method, &format!("{path}{bad}"), None).await;
                said(&reply, 400, "The given identifier is not a valid UUID");
            }
        }
        let nil = "00000000-0000-0000-0000-000000000000";
        said(&api.get(&format!("{path}{nil}")).await, 404, "Contact not found");
    }
}

async fn call(router: &Router, authorization: &str) -> (u16, String, String) {
    let mut request = Request::get(format!("{CURRENT}/channels"));
    if !authorization.is_empty() {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let challenge = parts.headers.get(header::WWW_AUTHENTICATE).map_or("", |value| value.to_str().unwrap());
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), challenge.to_owned(), String::from_utf8(body.to_vec()).unwrap())
}

fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

#[tokio::test]
async fn passwords_and_tokens_say_who_calls() {
    let app = App::new().await;
    grant(&app, "bob", &[PERMISSION]).await;
    app.service.people().set_password(&app.local, app.user_id("bob"), "first password").await.unwrap();
    let router = http::router(app.service.clone(), HttpSettings::default(), axum::Router::new());
    let status = async |authorization: String| call(&router, &authorization).await.0;

    let (unauthorized, challenge, body) = call(&router, "").await;
    assert_eq!((unauthorized, body.as_str()), (401, ""));
    assert!(challenge.starts_with("Basic realm=\""), "{challenge}");
    for bad in [basic("bob", "wrong"), basic("nobody", "first password"), "Basic !".to_owned(), "Token x".to_owned()] {
        assert_eq!(status(bad).await, 401);
    }
    assert_eq!(status(basic("admin", PASSWORD)).await, 200);
    let token = app.new_token("bob").await;
    for scheme in ["Token", "Bearer", "bearer"] {
        assert_eq!(status(format!("{scheme} {token}")).await, 200);
    }

    assert_eq!(status(basic("bob", "first password")).await, 200);
    app.service.people().set_password(&app.local, app.user_id("bob"), "second password").await.unwrap();
    assert_eq!(
        (status(basic("bob", "first password")).await, status(basic("bob", "second password")).await),
        (401, 200)
    );
    grant(&app, "bob", &[]).await;
    assert_eq!((status(basic("bob", "second password")).await, status(format!("Token {token}")).await), (403, 403));
    grant(&app, "bob", &[PERMISSION]).await;
    app.service.people().deactivate(&app.local, app.user_id("bob")).await.unwrap();
    assert_eq!((status(basic("bob", "second password")).await, status(format!("Token {token}")).await), (401, 401));
}

/// An account has thirty failures from one place and then one every four seconds.
#[tokio::test]
async fn a_password_that_was_right_is_not_checked_each_time() {
    let app = App::new().await;
    let router = http::router(app.service.clone(), HttpSettings::default(), axum::Router::new());
    for _ in 0..50 {
        assert_eq!(call(&router, &basic("admin", PASSWORD)).await.0, 200);
    }
    app.clock.advance_micros(2 * MINUTE);
    let at_once = (0..50).map(|_| {
        let router = router.clone();
        tokio::spawn(async move { call(&router, &basic("admin", PASSWORD)).await.0 })
    });
    for answer in futures_util::future::join_all(at_once).await {
        assert_eq!(answer.unwrap(), 200);
    }
    let mut tries = 0;
    while call(&router, &basic("admin", "wrong")).await.0 == 401 {
        tries += 1;
    }
    assert!(tries >= 30, "only failures count: {tries}");
    assert_eq!(call(&router, &basic("admin", "wrong")).await.0, 429);
    assert_eq!(call(&router, &basic("admin", PASSWORD)).await.0, 200, "who is known goes on");
}

#[tokio::test]
async fn any_grant_that_implies_the_permission_is_enough() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    for base in [ISSUE, CURRENT] {
        for (path, method) in [("contacts", Method::GET), ("contactgroups", Method::POST), ("channels", Method::PUT)] {
            let reply = client.call(method, &format!("{base}/{path}"), None).await;
            reply.is(403, json!({"status": "error", "message": "No permission for notifications/api/v1"}));
        }
    }
    for (implies, good) in [
        (PERMISSION, true),
        ("notifications/api", true),
        ("notifications/*", true),
        ("*", true),
        ("notifications/api/v2", false),
        ("notifications", false),
        ("no*", false),
    ] {
        grant(&app, "alice", &["other", implies]).await;
        let status = client.get(&format!("{ISSUE}/contacts")).await.status;
        assert_eq!(status, if good { 200 } else { 403 }, "{implies}");
    }
    for (who, status) in [(Who::Anonymous, 401), (Who::Source, 403), (Who::Staff, 403), (Who::Superuser, 200)] {
        assert_eq!(app.of(who).get(&format!("{ISSUE}/contacts")).await.status, status, "{who:?}");
    }
    let change = UserDraft { is_superuser: Some(false), ..UserDraft::default() };
    app.service.people().change_user(&app.local, app.user_id("admin"), change).await.unwrap();
    assert_eq!(app.of(Who::Superuser).get(&format!("{ISSUE}/contacts")).await.status, 403, "it counts at once");
}

/// Each request breaks its rule and all that come after it, as far as they go together.
#[tokio::test]
async fn checks_come_in_the_order_of_the_contract() {
    let api = ContactApi::new().await;
    api.put_group(1, json!({})).await;
    let json = Some("application/json");
    let (ours, other) = (id(1), id(9));
    for (base, groups, current) in [(ISSUE, "contactgroups", false), (CURRENT, "contact-groups", true)] {
        let pick = |issue: &'static str, now: &'static str| if current { now } else { issue };
        let path = |rest: &str| format!("{base}/{groups}{rest}");
        let check = async |method: Method, path: String, kind, body: &str, status, message: &str| {
            let reply = api.raw(method.clone(), &path, kind, body).await;
            assert_eq!(
                (reply.status, reply.json()["message"].as_str().unwrap()),
                (status, message),
                "{method} {path} {body}"
            );
        };
        let not_json = "Invalid request body: given content is not a valid JSON";
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            check(method.clone(), format!("{base}/foo?x"), json, "{", 400, not_json).await;
            check(method, path("/0?x"), json, "{", 400, not_json).await;
        }
        let no_body = "Invalid request body: body is only allowed for POST and PUT requests";
        for method in [Method::GET, Method::DELETE] {
            check(method.clone(), format!("{base}/foo?x"), json, "[1]", 400, no_body).await;
            for empty in ["{}", "[]", "null", ""] {
                check(method.clone(), format!("{base}/foo?x"), json, empty, 404, "Endpoint Foo not found").await;
            }
        }
        check(Method::PATCH, format!("{base}/foo?x"), json, "[1]", 404, "Endpoint Foo not found").await;
        check(Method::PATCH, path("/0?x"), json, "", 405, "HTTP method PATCH is not supported").await;
        let filter = pick(
            "Filter is only allowed for GET requests",
            "Unexpected query parameter: Filter is only allowed for GET requests",
        );
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            check(method.clone(), path("/0?x"), None, "", 400, filter).await;
            check(method, path("?x"), None, "", 400, filter).await;
        }
        let both = "Invalid request: GET with identifier and query parameters, it's not allowed to use both together.";
        check(Method::GET, path("/0?x"), None, "", 400, both).await;
        let required = pick("Identifier is required", "Invalid request: Identifier is required");
        for method in [Method::PUT, Method::DELETE] {
            check(method, path(""), None, "", 400, required).await;
        }
        let no_uuid = "The given identifier is not a valid UUID";
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            check(method, path("/0"), None, "", 400, no_uuid).await;
        }
        let content = pick("No JSON content", "Invalid request header: Content-Type must be application/json");
        for method in [Method::POST, Method::PUT] {
            for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx")]
            {
                check(method.clone(), path(&format!("/{ours}")), kind, "", 400, content).await;
            }
            for empty in ["", "{}", "[]", "null", "5", "\"x\"", "true"] {
                let message = "Invalid request body: given content is empty";
                check(method.clone(), path(&format!("/{ours}")), json, empty, 400, message).await;
            }
        }
        let missing = if current {
            (422, "Invalid request body: the field id must be present")
        } else {
            (400, "Invalid request body: the fields id and name must be present and of type string")
        };
        check(Method::PUT, path(&format!("/{ours}")), json, "[1]", missing.0, missing.1).await;
        check(Method::POST, path(&format!("/{other}")), json, "{\"x\": 1}", missing.0, missing.1).await;
        let users = json!({"id": other, "name": "Group 1", "users": 5}).to_string();
        let array = "Invalid request body: expects users to be an array";
        check(Method::PUT, path(&format!("/{ours}")), json, &users, 422, array).await;
        check(Method::POST, path(&format!("/{other}")), json, &users, 422, array).await;
        // From here on the name is taken and the member unknown.
        let body = |id: &str| json!({"id": id, "name": "group 1", "users": [other]}).to_string();
        let mismatch = if current { 422 } else { 400 };
        check(Method::PUT, path(&format!("/{ours}")), json, &body(&other), mismatch, "Identifier mismatch").await;
        if current {
            let same = "Identifier mismatch: the Payload id must be different from the URL identifier";
            check(Method::POST, path(&format!("/{other}")), json, &body(&other), 422, same).await;
            check(Method::POST, path(&format!("/{other}")), json, &body(&ours), 404, "Contact Group not found").await;
        } else {
            check(Method::POST, path(&format!("/{other}")), json, &body(&ours), 404, "Contactgroup not found").await;
        }
        let exists = pick("Contactgroup already exists", "Contact Group already exists");
        check(Method::POST, path(""), json, &body(&ours), 422, exists).await;
        check(Method::PUT, path(&format!("/{other}")), json, &body(&other), 422, "Name group 1 already exists").await;
        let unknown = json!({"id": ours, "name": "Group 1", "users": [other]}).to_string();
        let message = format!("User with identifier {other} not found");
        check(Method::PUT, path(&format!("/{ours}")), json, &unknown, 422, &message).await;
        assert_eq!(api.group(1).await, json!({"id": ours, "name": "Group 1", "users": []}));
    }
}

#[tokio::test]
async fn a_lone_question_mark_is_no_filter() {
    let api = ContactApi::new().await;
    api.put_group(1, json!({})).await;
    let path = format!("{ISSUE}/contactgroups/{}", id(1));
    assert_eq!(api.get(&format!("{path}?")).await.status, 200);
    assert_eq!(api.put(&format!("{path}?"), group(1)).await.status, 204);
    assert_eq!(api.delete(&format!("{path}?")).await.status, 204);
}

#[tokio::test]
async fn unknown_methods_are_refused() {
    let api = ContactApi::new().await;
    for base in [ISSUE, CURRENT] {
        for groups in ["contacts", "contactgroups", "contact-groups"] {
            for method in ["PATCH", "OPTIONS", "HEAD", "TRACE", "PURGE"] {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let reply = api.client.call(method.clone(), &format!("{base}/{groups}"), None).await;
                assert_eq!((reply.status, reply.header("allow")), (405, "GET, POST, PUT, DELETE"), "{method}");
                if method != Method::HEAD {
                    said(&reply, 405, &format!("HTTP method {method} is not supported"));
                }
            }
        }
        for rest in ["", "/0", &format!("/{EMAIL}"), "?x"] {
            for method in [Method::POST, Method::PUT, Method::DELETE] {
                let reply = api.client.call(method.clone(), &format!("{base}/channels{rest}"), None).await;
                assert_eq!(reply.header("allow"), "GET");
                said(&reply, 405, &format!("Method {method} is not supported for endpoint channels"));
            }
            let reply = api.client.call(Method::PATCH, &format!("{base}/channels{rest}"), None).await;
            assert_eq!(reply.header("allow"), "GET");
            said(&reply, 405, "HTTP method PATCH is not supported");
        }
    }
}

#[tokio::test]
async fn json_may_have_parameters_and_any_case() {
    let api = ContactApi::new().await;
    for (n, kind) in [(1, "application/json; charset=utf-8"), (2, "Application/JSON")] {
        let reply = api.raw(Method::POST, &format!("{ISSUE}/contacts"), Some(kind), &contact(n).to_string()).await;
        assert_eq!((reply.status, reply.header("content-type")), (201, "application/json"));
    }
    for accept in ["text/html", "*/*", "image/png"] {
        let request = Request::get(format!("{ISSUE}/contacts")).header(header::ACCEPT, accept);
        assert_eq!(api.client.send(request.body(Body::empty()).unwrap()).await.status, 200, "{accept}");
    }
    let too_large = " ".repeat(5 << 20);
    let reply = api.raw(Method::POST, &format!("{ISSUE}/contacts"), Some("application/json"), &too_large).await;
    assert_eq!((reply.status, &reply.json()["status"]), (413, &json!("error")));
}
