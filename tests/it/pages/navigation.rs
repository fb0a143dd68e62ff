//! Where browsers are led: logging in from several tabs, back to where one was, reloaded forms, unknown paths; and sessions
//! that are extended while they are used.

use std::collections::BTreeMap;

use argusd::{http::routes::Operation, web::router::operations};
use axum::{
    body::Body,
    http::{Request, header},
    response::Response,
};
use serde_json::json;
use tower::ServiceExt;

use crate::support::{App, MINUTE, PASSWORD, Reply, Who, visit::Visit};

const DAY: i64 = 24 * 60 * MINUTE;

/// With these headers; a form if there is one.
async fn ask(visit: &mut Visit, path: &str, headers: &[(&str, &str)], form: Option<&str>) -> Reply {
    let request = if form.is_some() { Request::post(path) } else { Request::get(path) };
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    visit.request(request.body(Body::from(form.unwrap_or_default().to_owned())).unwrap()).await
}

fn csrf_of(form: &Reply) -> String {
    let (_, rest) = form.text.split_once("name=\"csrf\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

fn log_in_form(csrf: &str, username: &str) -> String {
    format!("csrf={csrf}&username={username}&password={}&next=%2Fabout%2F", PASSWORD.replace(' ', "+"))
}

#[tokio::test]
async fn two_tabs_can_both_log_in() {
    let app = App::new().await;
    app.service.people().set_password(&app.local, app.user_id("alice"), PASSWORD).await.unwrap();
    // Never logged in before, and after a session of another day.
    for left_from_before in [None, Some("f".repeat(64))] {
        let mut browser = Visit::stranger(&app);
        if let Some(csrf) = &left_from_before {
            browser.set_cookie("csrftoken", csrf);
        }
        let tabs = [browser.get("/accounts/login/").await, browser.get("/accounts/login/?next=/user/").await];
        let [first, second] = tabs.each_ref().map(csrf_of);
        assert_eq!(first, second, "the second form does not spoil the first");
        for (tab, csrf) in [("first", first), ("second", second)] {
            let reply = ask(&mut browser, "/accounts/login/", &[], Some(&log_in_form(&csrf, "alice"))).await;
            assert_eq!((reply.status, reply.header("location")), (303, "/about/"), "{tab}: {}", reply.text);
            assert_eq!(browser.get("/about/").await.status, 200, "{tab}");
        }
    }
}

#[tokio::test]
async fn a_form_of_another_tab_logs_nobody_else_in() {
    let app = App::new().await;
    let mut browser = Visit::of(&app, "alice").await;
    app.service.people().set_password(&app.local, app.user_id("bob"), PASSWORD).await.unwrap();
    let former = log_in_form(&"0".repeat(32), "bob");
    let reply = ask(&mut browser, "/accounts/login/", &[], Some(&former)).await;
    assert_eq!(reply.status, 403);
    assert!(browser.get("/user/").await.text.contains("<summary>alice</summary>"));
    // Browsers say that the form is one of ours, also where the cookie is another one by now.
    let foreign = [("Origin", "http://evil.example")];
    assert_eq!(ask(&mut browser, "/accounts/login/", &foreign, Some(&former)).await.status, 403);
    let own = [("Origin", "http://argus.test")];
    assert_eq!(ask(&mut browser, "/accounts/login/", &own, Some(&former)).await.status, 303);
    assert!(browser.get("/user/").await.text.contains("<summary>bob</summary>"));
}

#[tokio::test]
async fn logging_in_leads_to_the_wanted_page() {
    let app = App::new().await;
    let mut stranger = Visit::stranger(&app);
    let page = "http://argus.test/incidents/5/?all=1#timeline";
    let elsewhere = "http://evil.example/incidents/5/";
    let htmx = ("HX-Request", "true");
    let form = Some("csrf=x&message=y");
    for (path, headers, form, next) in [
        ("/incidents/5/", vec![], None, "?next=%2Fincidents%2F5%2F"),
        ("/incidents/5/", vec![htmx], None, "?next=%2Fincidents%2F5%2F"),
        ("/incidents/kiosk/?open=true", vec![htmx], None, "?next=%2Fincidents%2Fkiosk%2F%3Fopen%3Dtrue"),
        ("/incidents/5/close/", vec![("Referer", page)], form, "?next=%2Fincidents%2F5%2F%3Fall%3D1"),
        ("/incidents/5/close/", vec![htmx, ("HX-Current-URL", page)], form, "?next=%2Fincidents%2F5%2F%3Fall%3D1"),
        ("/incidents/5/close/", vec![("Referer", elsewhere)], form, ""),
        ("/incidents/5/close/", vec![htmx, ("HX-Current-URL", elsewhere)], form, ""),
        ("/incidents/5/close/", vec![("Referer", "nonsense")], form, ""),
        ("/incidents/5/close/", vec![], form, ""),
        (
            "/admin/users/3/password/",
            vec![("Referer", "http://argus.test/admin/users/3/")],
            form,
            "?next=%2Fadmin%2Fusers%2F3%2F",
        ),
    ] {
        let reply = ask(&mut stranger, path, &headers, form).await;
        let to = format!("/accounts/login/{next}");
        let got = if headers.contains(&htmx) {
            (reply.status, reply.header("hx-redirect"))
        } else {
            (reply.status, reply.header("location"))
        };
        let status = if headers.contains(&htmx) { 200 } else { 303 };
        assert_eq!(got, (status, to.as_str()), "{path} {headers:?}");
    }
    // The link of a page whose session ended leads back to that page.
    let reply = ask(&mut stranger, "/accounts/login/?back=1", &[("Referer", page)], None).await;
    assert!(reply.text.contains("name=\"next\" value=\"/incidents/5/?all=1\""), "{}", reply.text);
    let reply = ask(&mut stranger, "/accounts/login/?back=1", &[("Referer", elsewhere)], None).await;
    assert!(reply.text.contains("name=\"next\" value=\"/\""), "{}", reply.text);
}

#[tokio::test]
async fn a_form_from_before_logging_in_again_is_not_lost() {
    let app = App::new().await;
    let pk = app.incident().open().post().await;
    let alice = Visit::of(&app, "alice").await;
    let former = alice.cookie("csrftoken").unwrap().to_owned();
    let mut alice = Visit::again(&app, "alice").await;
    let path = format!("/incidents/{pk}/comment/");
    let form = format!("csrf={former}&message=It+was+the+%3Cfan%3E");
    let page = format!("http://argus.test/incidents/{pk}/");
    // Without a sign that the form is ours nothing is done, but nothing is lost either.
    let reply = ask(&mut alice, &path, &[("Referer", &page)], Some(&form)).await;
    assert_eq!(reply.status, 403);
    assert!(reply.text.contains("It was the &#60;fan&#62;"), "{}", reply.text);
    for headers in [vec![], vec![("Referer", "http://evil.example/")], vec![("Origin", "http://evil.example")]] {
        let reply = ask(&mut alice, &path, &headers, Some(&form)).await;
        assert_eq!(reply.status, 403, "{headers:?}");
        assert!(!reply.text.contains("It was the"), "{headers:?}");
    }
    let other_port = [("Origin", "http://argus.test:8080")];
    assert_eq!(ask(&mut alice, &path, &other_port, Some(&form)).await.status, 403);
    assert_eq!(ask(&mut alice, &path, &[("Origin", "http://argus.test")], Some("message=x")).await.status, 403);
    let reply = ask(&mut alice, &path, &[("Origin", "http://argus.test")], Some(&form)).await;
    assert_eq!(reply.status, 303, "{}", reply.text);
    assert!(alice.get(&format!("/incidents/{pk}/")).await.text.contains("It was the &#60;fan&#62;"));
}

#[tokio::test]
async fn sessions_are_extended_while_they_are_used() {
    let app = App::new().await;
    let mut used = Visit::of(&app, "alice").await;
    let mut unused = Visit::again(&app, "alice").await;
    let expires = || {
        let tokens = app.service.people().tokens(Some(app.user_id("alice")));
        tokens.iter().filter(|token| !token.note.is_empty()).filter_map(|token| token.expires).max().unwrap()
    };
    let (session, first) = (used.cookie("sessionid").unwrap().to_owned(), expires());
    let reply = used.get("/about/").await;
    assert!(reply.headers.get(header::SET_COOKIE).is_none(), "nothing is written for each request");
    assert_eq!(expires(), first);
    app.clock.advance_micros(13 * DAY);
    let reply = used.get("/incidents/kiosk/?open=true").await;
    let cookies: Vec<&str> =
        reply.headers.get_all(header::SET_COOKIE).into_iter().map(|value| value.to_str().unwrap()).collect();
    let [own, csrf] = cookies.as_slice() else { panic!("{cookies:?}") };
    assert_eq!(*own, format!("sessionid={session}; Path=/; Max-Age=1209600; SameSite=Lax; HttpOnly"));
    assert!(csrf.starts_with("csrftoken=") && csrf.contains("Max-Age=1209600"), "{csrf}");
    assert_eq!(expires().micros() - first.micros(), 13 * DAY);
    assert!(used.get("/about/").await.headers.get(header::SET_COOKIE).is_none(), "once a day");
    app.clock.advance_micros(13 * DAY);
    assert_eq!(unused.get("/about/").await.status, 303, "idle for longer than two weeks");
    // A wall only opens its stream again.
    let stream = open_stream(&app, &used).await;
    assert_eq!(stream.headers().get_all(header::SET_COOKIE).iter().count(), 2);
    assert_eq!(expires().micros() - first.micros(), 26 * DAY);
    app.clock.advance_micros(13 * DAY);
    assert_eq!(used.get("/about/").await.status, 200);
    app.clock.advance_micros(14 * DAY);
    assert_eq!(used.get("/about/").await.status, 303);
}

async fn open_stream(app: &App, visit: &Visit) -> Response {
    let request = Request::get("/live/")
        .header(header::HOST, "argus.test")
        .header(header::COOKIE, format!("sessionid={}", visit.cookie("sessionid").unwrap()));
    let response = app.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    response
}

#[tokio::test]
async fn logging_out_is_not_undone_by_an_extension() {
    let app = App::new().await;
    let mut alice = Visit::of(&app, "alice").await;
    app.clock.advance_micros(2 * DAY);
    let reply = alice.post("/accounts/logout/", &[]).await;
    assert_eq!(reply.status, 303);
    assert_eq!((alice.cookie("sessionid"), alice.cookie("csrftoken")), (None, None));
}

/// Each path of the pages, and whether it has a page.
fn routes() -> BTreeMap<String, bool> {
    let mut routes = BTreeMap::new();
    for Operation { method, path, .. } in operations() {
        if !path.starts_with("/static/") && path != "/live/" {
            let parts = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
            *routes.entry(parts.collect::<Vec<_>>().join("/")).or_default() |= method == "GET";
        }
    }
    routes
}

#[tokio::test]
async fn reloading_the_address_of_a_form_leads_to_its_page() {
    let app = App::new().await;
    app.incident().open().post().await;
    let mut admin = Visit::of(&app, "admin").await;
    let mut stranger = Visit::stranger(&app);
    let routes = routes();
    let forms: Vec<&String> = routes.iter().filter(|(_, has_page)| !**has_page).map(|(path, _)| path).collect();
    assert!(routes.len() > 90 && forms.len() > 40, "{} {}", routes.len(), forms.len());
    for path in routes.keys() {
        assert_ne!(admin.get(path).await.status, 405, "{path}");
    }
    for path in forms {
        let reply = admin.get(path).await;
        let to = reply.header("location").to_owned();
        assert_eq!(reply.status, 303, "{path}");
        assert!(path.starts_with(&to) && to.ends_with('/'), "{path} leads to {to}");
        let there = admin.get(&to).await;
        assert!([200, 303].contains(&there.status), "{path} leads to {to}: {}", there.status);
        assert!(![404, 405].contains(&stranger.get(path).await.status), "{path}");
        let head = Request::head(path.as_str()).body(Body::empty()).unwrap();
        assert_eq!(admin.request(head).await.status, 303, "{path}");
        let put = Request::put(path.as_str()).body(Body::empty()).unwrap();
        assert_eq!(admin.request(put).await.status, 405, "{path}");
    }
    for (path, to) in [
        ("/sources/1/tokens/", "/sources/1/"),
        ("/sources/99/tokens/", "/sources/"),
        ("/user/tokens/", "/user/"),
        ("/user/tokens/5/revoke/", "/user/"),
        ("/user/password/", "/user/"),
        ("/admin/users/1/tokens/", "/admin/users/1/"),
        ("/admin/groups/7/members/", "/admin/groups/"),
        ("/accounts/logout/", "/"),
        ("/incidents/1/close/", "/incidents/1/"),
        ("/incidents/2/close/", "/incidents/"),
        ("/incidents/bulk/x/undo/", "/incidents/bulk/"),
        ("/incidents/bulk/", "/incidents/"),
        ("/notifications/profiles/preview/", "/notifications/profiles/"),
    ] {
        let reply = admin.get(path).await;
        assert_eq!((reply.status, reply.header("location")), (303, to), "{path}");
    }
    assert_eq!(admin.get("/about/").await.status, 200, "a link cannot log out");
    assert_eq!(stranger.get("/user/tokens/").await.header("location"), "/user/");
}

#[tokio::test]
async fn unknown_paths_are_html_pages_in_browsers_only() {
    let app = App::new().await;
    let mut alice = Visit::of(&app, "alice").await;
    let mut stranger = Visit::stranger(&app);
    let browser = [("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")];
    let json = json!({"detail": "Not found."});
    for path in ["/nope/", "/nope", "/incidents/nope/more/", "/styleguide/"] {
        for visit in [&mut alice, &mut stranger] {
            let reply = ask(visit, path, &browser, None).await;
            assert_eq!(reply.status, 404, "{path}");
            assert!(reply.header("content-type").starts_with("text/html"), "{path}");
            assert!(reply.text.contains("This page does not exist."), "{path}: {}", reply.text);
            assert!(reply.header("content-security-policy").contains("default-src 'self'"), "{path}");
        }
        for accept in ["*/*", "application/json", "image/avif,image/webp,*/*;q=0.8"] {
            ask(&mut alice, path, &[("Accept", accept)], None).await.is(404, json.clone());
        }
        app.of(Who::Anonymous).get(path).await.is(404, json.clone());
    }
    assert!(ask(&mut alice, "/nope/", &browser, None).await.text.contains("<summary>alice</summary>"));
    for path in ["/api/nope/", "/api/v2/nope/", "/argusd/v1/nope/"] {
        ask(&mut stranger, path, &browser, None).await.is(404, json.clone());
    }
    let icon = stranger.get("/favicon.ico").await;
    assert_eq!((icon.status, icon.header("content-type")), (200, "image/svg+xml"));
}

#[tokio::test]
async fn an_answer_for_the_same_page_adds_nothing_to_the_history() {
    let app = App::new().await;
    let pk = app.incident().open().post().await;
    let mut alice = Visit::of(&app, "alice").await;
    let path = format!("/incidents/{pk}/");
    let (here, there) = (format!("http://argus.test{path}#why"), "http://argus.test/incidents/?open=true");
    for (current, pushed) in [(here.as_str(), "false"), (there, ""), ("nonsense", "")] {
        let reply = ask(&mut alice, &path, &[("HX-Request", "true"), ("HX-Current-URL", current)], None).await;
        assert_eq!((reply.status, reply.header("hx-push-url")), (200, pushed), "{current}");
    }
    assert_eq!(ask(&mut alice, &path, &[("HX-Current-URL", &here)], None).await.header("hx-push-url"), "");
    // A form that is shown again: the browser stays where it was.
    let form = format!("csrf={}&url=x", alice.cookie("csrftoken").unwrap());
    let headers = [("HX-Request", "true"), ("HX-Current-URL", here.as_str())];
    let reply = ask(&mut alice, &format!("{path}ticket/"), &headers, Some(&form)).await;
    assert_eq!((reply.status, reply.header("hx-push-url")), (422, "false"));
}

#[tokio::test]
async fn a_wait_of_one_second_is_written_in_the_singular() {
    let app = App::new().await;
    let mut visit = Visit::stranger(&app);
    let mut text = String::new();
    while !text.contains("Too many attempts.") {
        text = visit.log_in("admin", "wrong", "/").await.text;
    }
    let (_, rest) = text.split_once("Too many attempts. Try again in ").unwrap_or_else(|| panic!("{text}"));
    let wait = rest.split_once('.').unwrap().0;
    assert!(wait == "1 second" || wait.ends_with(" seconds") && !wait.starts_with("1 "), "{wait}");
}

#[tokio::test]
async fn creating_a_source_needs_a_type() {
    let app = App::new().await;
    let mut admin = Visit::of(&app, "admin").await;
    let reply = admin.post("/sources/new/", &[("name", "x"), ("type", ""), ("new_type", "")]).await;
    assert_eq!(reply.status, 422);
    assert!(reply.text.contains("Type: choose one, or enter a new one."), "{}", reply.text);
}

#[tokio::test]
async fn looking_at_the_list_writes_nothing_and_the_view_stays_with_its_user() {
    let app = App::new().await;
    let start = async |visit: &mut Visit| visit.get("/incidents/").await.header("location").to_owned();
    let mut alice = Visit::of(&app, "alice").await;
    Visit::of(&app, "bob").await;
    let stored = async |visit: &Visit| {
        let caller = app.service.people().session(visit.cookie("sessionid").unwrap()).unwrap();
        app.service.people().preferences(&caller).await.unwrap().last_view
    };
    let reply = alice.get("/incidents/?level=1&tags=host%3Da").await;
    let cookie = reply.header("set-cookie");
    assert!(cookie.ends_with(".level=1&tags=host%3Da; Path=/; Max-Age=34560000; SameSite=Lax; HttpOnly"), "{cookie}");
    assert_eq!(alice.get("/incidents/?level=1&tags=host%3Da").await.header("set-cookie"), "", "it is known already");
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(stored(&alice).await, "");
    let restored = "/incidents/?level=1&tags=host%3Da&restored=1";
    assert_eq!(start(&mut alice).await, restored);
    // Somebody else at the same browser, first while the session has only ended.
    let left_behind = alice.cookie("lastview").unwrap().to_owned();
    let mut bob = Visit::again(&app, "bob").await;
    bob.set_cookie("lastview", &left_behind);
    assert_eq!(start(&mut bob).await, "/incidents/?open=true");
    alice.post("/accounts/logout/", &[]).await;
    assert_eq!(alice.cookie("lastview"), None, "logging out leaves nothing in the browser");
    let mut elsewhere = Visit::again(&app, "alice").await;
    assert_eq!(stored(&elsewhere).await, "level=1&tags=host%3Da");
    assert_eq!(start(&mut elsewhere).await, restored);
    // Without a view there is nothing to keep.
    elsewhere.post("/accounts/logout/", &[]).await;
    assert_eq!(start(&mut Visit::again(&app, "alice").await).await, restored);
    let id = left_behind.split_once('.').unwrap().0;
    let mut planted = Visit::again(&app, "alice").await;
    for value in ["", ".", "x.open=false", &format!("{id}.tags=a%3D{}", "x".repeat(2_000))] {
        planted.set_cookie("lastview", value);
        assert_eq!(start(&mut planted).await, restored, "{value}");
    }
}
