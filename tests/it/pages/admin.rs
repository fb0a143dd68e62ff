//! The pages of staff and superusers, without scripts: each form, each right, and what must never be shown.

use serde_json::json;

use crate::support::{App, MINUTE, PASSWORD, Who, visit::Visit};

const HOSTILE: &str = "<script>alert(1)</script>\"'&";
const ESCAPED: &str = "&#60;script&#62;alert(1)&#60;/script&#62;";

/// Pages that all staff see.
const PAGES: [&str; 18] = [
    "/sources/",
    "/sources/2/",
    "/sources/types/",
    "/admin/",
    "/admin/users/",
    "/admin/users/1/",
    "/admin/deliveries/",
    "/admin/deliveries/?state=due",
    "/admin/deliveries/?state=dead",
    "/admin/settings/",
    "/admin/health/",
    "/admin/audit/",
    "/admin/contacts/",
    "/admin/groups/",
    "/admin/channels/",
    "/admin/rules/",
    "/admin/users/?kind=staff&q=a",
    "/admin/audit/?subject=user&user=server&key=1",
];

/// Pages and forms of superusers.
const NEW_PAGES: [&str; 5] = [
    "/sources/new/",
    "/admin/users/new/",
    "/admin/contacts/new/",
    "/admin/channels/new/?type=email",
    "/admin/rules/new/",
];

const FORMS: [&str; 14] = [
    "/sources/new/",
    "/sources/types/",
    "/sources/2/",
    "/sources/2/tokens/",
    "/sources/2/tokens/1/revoke/",
    "/admin/demo/",
    "/admin/users/new/",
    "/admin/users/3/",
    "/admin/users/3/password/",
    "/admin/users/3/tokens/",
    "/admin/users/3/tokens/1/revoke/",
    "/admin/users/3/sessions/end/",
    "/admin/rules/new/",
    "/admin/channels/new/",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_may_read_and_superusers_may_change() {
    let app = App::new().await;
    let before = app.service.store().counters().last_seq;
    for (username, sees, changes) in [("alice", false, false), ("stan", true, false), ("admin", true, true)] {
        let mut visit = Visit::of(&app, username).await;
        for path in PAGES {
            let reply = visit.get(path).await;
            assert_eq!(reply.status, if sees { 200 } else { 403 }, "{username} {path}: {}", reply.text);
        }
        for path in NEW_PAGES {
            assert_eq!(visit.get(path).await.status, if changes { 200 } else { 403 }, "{username} {path}");
        }
        if !changes {
            let logged = app.service.store().counters().last_seq;
            for path in FORMS.into_iter().chain(["/admin/contacts/new/", "/admin/groups/"]) {
                assert_eq!(visit.post(path, &[("name", "x")]).await.status, 403, "{username} {path}");
            }
            assert_eq!(app.service.store().counters().last_seq, logged, "{username} changed something");
        }
        let forms = visit.get("/sources/2/").await.text.matches("/sources/2/tokens/").count();
        assert_eq!(forms > 0, changes, "{username} sees forms");
    }
    assert!(app.service.store().counters().last_seq > before, "log-ins are changes");
    let anonymous = app.of(Who::Anonymous);
    for path in PAGES {
        assert_eq!(anonymous.get(path).await.status, 303, "{path}");
    }
    let mut admin = Visit::of(&app, "admin").await;
    for path in FORMS {
        assert_eq!(admin.post_without_proof(path).await.status, 403, "{path} without proof");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_right_ends_at_once() {
    let app = App::new().await;
    let (mut admin, mut stan) = (Visit::of(&app, "admin").await, Visit::of(&app, "stan").await);
    let path = format!("/admin/users/{}/", app.user_id("stan"));
    assert_eq!(stan.get("/admin/health/").await.status, 200);
    admin.submit(&path, &[("is_active", "on")]).await;
    assert_eq!(stan.get("/admin/health/").await.status, 403);
    admin.submit(&path, &[("is_active", "on"), ("is_superuser", "on")]).await;
    assert_eq!(stan.get("/admin/users/new/").await.status, 200);
    admin.submit(&path, &[]).await;
    assert_eq!(stan.get("/admin/health/").await.status, 303, "inactive");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_gets_tokens_and_posts_with_them() {
    let app = App::new().await;
    let mut admin = Visit::of(&app, "admin").await;
    let new =
        [("name", "Nav in Oslo"), ("new_type", "NAV"), ("base_url", "https://nav.example.org/"), ("frequency", "60")];
    let page = admin.submit("/sources/new/", &new).await;
    assert!(page.text.contains("Now create a token") && page.text.contains("every 60 s"), "{}", page.text);
    let directory = app.service.directory();
    let source = directory.source_named("nav", "Nav in Oslo").unwrap();
    assert_eq!(directory.user(source.user).unwrap().username, "Nav-in-Oslo");
    let path = format!("/sources/{}/", source.id);

    let shown = admin.post(&format!("{path}tokens/"), &[("note", "glue"), ("days", "30")]).await;
    assert_eq!(shown.status, 200);
    let token = between(&shown.text, "Authorization: Token ", "&#39;").to_owned();
    assert_eq!(token.len(), 40);
    assert!(shown.text.contains("curl &#39;http://argus.test/api/v2/incidents/&#39;"), "{}", shown.text);
    assert!(!admin.get(&path).await.text.contains(&token), "shown once");
    let other = admin.post(&format!("{path}tokens/"), &[("days", "never")]).await;
    assert_eq!(other.text.matches("/revoke/").count(), 2);

    let body = json!({"start_time": "2026-01-15T12:00:00Z", "end_time": "infinity", "description": "x", "tags": []});
    assert_eq!(app.bearing(&token).post("/api/v2/incidents/", body.clone()).await.status, 201);
    let list = admin.get("/sources/").await.text;
    assert!(list.contains(">1 open</a>") && list.contains("2 tokens") && list.contains("in time"), "{list}");
    app.clock.advance_micros(2 * MINUTE);
    assert!(admin.get("/sources/").await.text.contains("overdue"));

    let revoke = between(&admin.get(&path).await.text, "action=\"", "\" data-confirm").to_owned();
    let revoke = revoke.rsplit("action=\"").next().unwrap().to_owned();
    admin.submit(&revoke, &[]).await;
    assert_eq!(app.bearing(&token).post("/api/v2/incidents/", body).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_source_keeps_what_was_typed() {
    let app = App::new().await;
    let mut admin = Visit::of(&app, "admin").await;
    for (fields, says) in [
        (vec![("name", "zabbix-src"), ("type", "zabbix")], "There is a source with this name and type already."),
        (vec![("name", "x"), ("type", "none")], "There is no such source type."),
        (vec![("name", "x"), ("type", "zabbix"), ("frequency", "5")], "Heartbeat interval: enter 60 to 86400 seconds"),
        (vec![("name", ""), ("type", "zabbix")], "must not be empty"),
        (vec![("name", "x"), ("type", "zabbix"), ("username", "a b")], "Usernames are made of"),
    ] {
        let reply = admin.post("/sources/new/", &fields).await;
        assert_eq!(reply.status, 422, "{fields:?}");
        assert!(reply.text.contains(says), "{fields:?}: {}", reply.text);
    }
    assert!(!app.service.directory().source_types.contains("none"));
    let page = admin.submit("/sources/2/", &[("name", "renamed"), ("base_url", ""), ("frequency", "")]).await;
    assert!(page.text.contains("renamed"));
    assert_eq!(admin.post("/sources/2/", &[("name", "renamed"), ("frequency", "1")]).await.status, 422);
    assert!(admin.submit("/sources/types/", &[("name", "nagios")]).await.text.contains("nagios"));
    assert_eq!(admin.post("/sources/types/", &[("name", "NAGIOS")]).await.status, 422);
    assert_eq!(admin.get("/sources/99/").await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_created_changed_and_logged_out() {
    let app = App::new().await;
    let mut admin = Visit::of(&app, "admin").await;
    let new = [("username", "carol"), ("password", PASSWORD), ("email", "c@example.org"), ("grants", "a\n b \na\n")];
    let page = admin.submit("/admin/users/new/", &new).await;
    assert!(page.text.contains("User carol created."), "{}", page.text);
    let id = app.user_id("carol");
    assert_eq!(app.service.directory().user(id).unwrap().grants, ["a", "b"]);
    for (fields, says) in [
        ([("username", "carol"), ("password", PASSWORD)], "The username is taken."),
        ([("username", "dora"), ("password", "short")], "at least 8 characters"),
    ] {
        let reply = admin.post("/admin/users/new/", &fields).await;
        assert!(reply.status == 422 && reply.text.contains(says), "{}", reply.text);
    }

    let mut carol = Visit::of(&app, "carol").await;
    let path = format!("/admin/users/{id}/");
    let shown = admin.post(&format!("{path}tokens/"), &[("note", "script")]).await;
    let token = between(&shown.text, "class=\"secret\">", "<").to_owned();
    assert_eq!(app.bearing(&token).get("/api/v2/auth/user/").await.status, 200);
    assert_eq!(carol.get("/user/").await.status, 200);
    admin.submit(&format!("{path}sessions/end/"), &[]).await;
    assert_eq!(carol.get("/user/").await.status, 303, "logged out");
    let mut carol = Visit::of(&app, "carol").await;
    assert_eq!(admin.post(&format!("{path}password/"), &[("password", "short")]).await.status, 422);
    admin.submit(&format!("{path}password/"), &[("password", "quite another one")]).await;
    assert_eq!(carol.get("/user/").await.status, 303, "logged out by the new password");

    let own = format!("/admin/users/{}/", app.user_id("admin"));
    admin.submit(&own, &[("first_name", "Ada")]).await;
    let me = app.service.directory().user(app.user_id("admin")).cloned().unwrap();
    assert!(me.is_superuser && me.is_active && me.first_name == "Ada", "one keeps one's own rights");
    assert!(admin.get("/admin/users/?kind=sources").await.text.contains("zabbix-src"));
    assert!(!admin.get("/admin/users/?kind=people").await.text.contains("zabbix-src"));
    assert!(admin.get("/admin/users/?q=CAROL").await.text.contains("1 account<"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_trail_says_who_did_what_without_secrets() {
    let app = App::new().await;
    let mut admin = Visit::of(&app, "admin").await;
    admin.submit("/sources/2/", &[("name", "other"), ("base_url", "https://x.example.org/")]).await;
    let channel = [("type", "ntfy"), ("name", "topic"), ("set.url", "https://ntfy.example.org/t0psecret")];
    admin.submit("/admin/channels/new/", &channel).await;
    let page = admin.get("/admin/audit/?subject=source&key=2&user=admin").await.text;
    assert!(page.contains("<del>zabbix-src</del>") && page.contains("<ins>other</ins>"), "{page}");
    assert_eq!(page.matches("class=\"diff\"").count(), 1, "{page}");
    let all = admin.get("/admin/audit/").await.text;
    assert!(all.contains("topic") && !all.contains("t0psecret") && !all.contains("argon2"), "{all}");
    assert!(admin.get("/admin/audit/?user=nobody").await.text.contains("no user is named nobody"));
    assert!(admin.get("/admin/audit/?subject=rule").await.text.contains("No changes match."));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_trail_has_pages() {
    let app = App::new().await;
    let mut admin = Visit::of(&app, "admin").await;
    admin.submit("/user/preferences/", &[("page_size", "25")]).await;
    for number in 0..60 {
        app.service.sources().create_source_type(&app.local, format!("type-{number}")).await.unwrap();
    }
    let (mut path, mut seen) = ("/admin/audit/?subject=source-type".to_owned(), 0);
    for _ in 0..3 {
        let page = admin.get(&path).await.text;
        seen += page.matches("created source type").count();
        if let Some((before, _)) = page.split_once("\" rel=\"next\"") {
            path = before.rsplit("href=\"").next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
        }
    }
    assert_eq!(seen, 60 + 2, "with the two that were there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_texts_are_shown_as_text() {
    let app = App::new().await;
    let mut admin = Visit::of(&app, "admin").await;
    let source = [("name", HOSTILE), ("type", "zabbix"), ("base_url", HOSTILE), ("username", "mallory")];
    admin.submit("/sources/new/", &source).await;
    let user = [("username", "eve"), ("first_name", HOSTILE), ("last_name", HOSTILE), ("grants", HOSTILE)];
    admin.submit("/admin/users/new/", &user).await;
    let eve = app.user_id("eve");
    admin.post(&format!("/admin/users/{eve}/tokens/"), &[("note", HOSTILE)]).await;
    admin.submit("/admin/channels/new/", &[("type", "email"), ("name", HOSTILE)]).await;
    let channel = app.service.directory().channels.values().next().unwrap().uuid.to_string();
    let contact = [("full_name", HOSTILE), ("username", HOSTILE), ("channel", &channel), ("address.email", "a@b.org")];
    admin.submit("/admin/contacts/new/", &contact).await;
    admin.submit("/admin/groups/", &[("name", HOSTILE)]).await;
    let paths = [
        "/sources/",
        "/admin/users/",
        "/admin/contacts/",
        "/admin/groups/",
        "/admin/channels/",
        "/admin/audit/",
        &format!("/admin/users/{eve}/"),
        &format!("/admin/channels/{channel}/"),
    ];
    for path in paths {
        let page = admin.get(path).await.text;
        assert!(page.contains(ESCAPED), "{path} does not show it: {page}");
        assert!(!page.contains("<script>alert"), "{path}");
    }
    let asked = format!("/admin/users/?q={}", "%22%3E%3Cscript%3Ealert(1)%3C/script%3E");
    assert!(!admin.get(&asked).await.text.contains("<script>alert"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_settings_are_shown() {
    let app = App::new().await;
    for _ in 0..3 {
        app.incident().description("x").post().await;
    }
    let mut stan = Visit::of(&app, "stan").await;
    let page = stan.get("/admin/health/").await.text;
    assert!(page.contains("last minute: 3 incidents, 3 events; last hour: 3 incidents, 3 events"), "{page}");
    assert!(page.contains("argusd.redb"));
    app.clock.advance_micros(30 * MINUTE);
    app.incident().description("y").post().await;
    let page = stan.get("/admin/health/").await.text;
    assert!(page.contains("last minute: 1 incidents, 1 events; last hour: 4 incidents, 4 events"), "{page}");
    assert!(stan.get("/admin/settings/").await.text.contains("Settings in force"));
    assert!(stan.get("/admin/").await.text.contains("Create a notification profile"));
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no {start} in {text}"));
    rest.split_once(end).unwrap().0
}
