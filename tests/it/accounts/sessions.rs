//! Logging in by password, what sessions may do, how they end, and the headers for browsers.

use argusd::domain::user::UserDraft;
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};

use crate::support::{App, MINUTE, PASSWORD, Reply, Who, daemon::Site, visit::Visit};

const PAGES: [&str; 11] = [
    "/incidents/",
    "/incidents/?open=true",
    "/incidents/?open=any&choose=1",
    "/incidents/kiosk/",
    "/incidents/facets/",
    "/incidents/tags/",
    "/incidents/filters/?open=true",
    "/incidents/bulk/x/",
    "/user/",
    "/about/",
    "/",
];

fn cookies(reply: &Reply) -> Vec<String> {
    reply.headers.get_all(header::SET_COOKIE).into_iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

fn json_request(method: Method, path: &str, csrf: Option<&str>, body: &Value) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
    let request = csrf.into_iter().fold(request, |request, csrf| request.header("X-CSRFToken", csrf));
    request.body(Body::from(body.to_string())).unwrap()
}

#[tokio::test]
async fn logging_in_sets_three_cookies() {
    let app = App::new().await;
    let mut visit = Visit::stranger(&app);
    let reply = visit.log_in("admin", PASSWORD, "/incidents/?open=any").await;
    assert_eq!((reply.status, reply.header("location")), (303, "/incidents/?open=any"));
    let cookies = cookies(&reply);
    let [session, csrf, device] = cookies.as_slice() else { panic!("{cookies:?}") };
    let life = "; Path=/; Max-Age=1209600; SameSite=Lax";
    assert!(session.starts_with("sessionid=") && session.ends_with(&format!("{life}; HttpOnly")), "{session}");
    assert!(csrf.starts_with("csrftoken=") && csrf.ends_with(life), "{csrf}");
    let life = "; Path=/; Max-Age=15552000; SameSite=Lax; HttpOnly";
    assert!(device.starts_with("device=") && device.ends_with(life), "{device}");
    assert_eq!(visit.get("/about/").await.status, 200);
    let reply = visit.get("/accounts/login/?next=/user/").await;
    assert_eq!((reply.status, reply.header("location")), (303, "/user/"), "who is in is not asked again");
}

#[tokio::test]
async fn a_refused_login_does_not_say_what_was_wrong() {
    let app = App::new().await;
    app.service.people().set_password(&app.local, app.user_id("alice"), PASSWORD).await.unwrap();
    let mut answers = Vec::new();
    for (username, password) in [("alice", "wrong"), ("nobody", PASSWORD), ("bob", PASSWORD), ("alice", "")] {
        let mut visit = Visit::stranger(&app);
        let reply = visit.log_in(username, password, "/").await;
        assert_eq!(reply.status, 401);
        assert_eq!(visit.cookie("sessionid"), None);
        let csrf = visit.cookie("csrftoken").unwrap();
        answers.push(reply.text.replace(csrf, "").replace(&format!("value=\"{username}\""), ""));
    }
    assert!(answers[0].contains("Wrong username or password."));
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn too_many_failed_logins_have_to_wait() {
    let app = App::new().await;
    let mut visit = Visit::stranger(&app);
    let mut statuses = Vec::new();
    while statuses.len() < 40 && statuses.last() != Some(&429) {
        statuses.push(visit.log_in("admin", "wrong", "/").await.status);
    }
    assert_eq!(statuses.last(), Some(&429));
    assert!(statuses.len() > 5, "a few mistakes are free: {statuses:?}");
    let reply = visit.log_in("admin", PASSWORD, "/").await;
    assert_eq!(reply.status, 429, "also with the right one");
    assert!(reply.text.contains("Too many attempts."));
}

#[tokio::test]
async fn a_known_browser_can_log_in_while_others_guess_passwords() {
    let app = App::new().await;
    let mut admin = Visit::of(&app, "admin").await;
    let device = admin.cookie("device").unwrap().to_owned();
    assert_eq!(admin.post("/accounts/logout/", &[]).await.status, 303);
    assert_eq!(admin.cookie("device"), Some(device.as_str()), "it outlasts the session");
    app.clock.advance_micros(2 * MINUTE);
    let mut guesser = Visit::stranger(&app);
    while guesser.log_in("admin", "wrong", "/").await.status == 401 {}
    assert_eq!(guesser.log_in("admin", PASSWORD, "/").await.status, 429);
    assert_eq!(admin.log_in("admin", PASSWORD, "/").await.status, 303);
    assert_eq!(admin.cookie("device"), Some(device.as_str()));
    for planted in ["", "x", &"0".repeat(64), &device.replace(&device[..1], "g")] {
        let mut guesser = Visit::stranger(&app);
        guesser.set_cookie("device", planted);
        assert_eq!(guesser.log_in("admin", "wrong", "/").await.status, 429, "{planted}");
    }
}

#[tokio::test]
async fn a_planted_notice_is_not_shown() {
    let app = App::new().await;
    let mut alice = Visit::of(&app, "alice").await;
    let mut bob = Visit::of(&app, "bob").await;
    assert_eq!(alice.post("/user/preferences/", &[("page_size", "25")]).await.status, 303);
    let notice = alice.cookie("notice").unwrap().to_owned();
    assert!(alice.get("/user/").await.text.contains("data-notice>Saved."));
    assert_eq!(alice.cookie("notice"), None, "said once");
    let (signature, _) = notice.split_once('.').unwrap();
    let planted = "Your%20password%20has%20expired";
    for planted in [planted, &format!(".{planted}"), &format!("{signature}.{planted}"), "", "."] {
        alice.set_cookie("notice", planted);
        let page = alice.get("/user/").await.text;
        assert!(!page.contains("expired") && !page.contains("data-notice"), "{planted}");
    }
    bob.set_cookie("notice", &notice);
    assert!(!bob.get("/user/").await.text.contains("data-notice"), "it was for another session");
}

#[tokio::test]
async fn logging_in_never_reuses_a_session_id() {
    let app = App::new().await;
    let mut victim = Visit::stranger(&app);
    let planted = "0".repeat(64);
    victim.set_cookie("sessionid", &planted);
    victim.log_in("admin", PASSWORD, "/").await;
    assert_ne!(victim.cookie("sessionid").unwrap(), planted);
    let mut attacker = Visit::stranger(&app);
    attacker.set_cookie("sessionid", &planted);
    assert_eq!(attacker.get("/about/").await.status, 303);

    // Nor one that is somebody's.
    let mut attacker = Visit::of(&app, "alice").await;
    let mut victim = Visit::stranger(&app);
    victim.get("/accounts/login/").await;
    let form_cookie = victim.cookie("csrftoken").unwrap().to_owned();
    victim.set_cookie("sessionid", attacker.cookie("sessionid").unwrap());
    victim.set_cookie("csrftoken", &form_cookie);
    let reply = victim.post("/accounts/login/", &[("username", "admin"), ("password", PASSWORD), ("next", "/")]).await;
    assert_eq!(reply.status, 303);
    assert_ne!(victim.cookie("sessionid"), attacker.cookie("sessionid"));
    assert!(attacker.get("/user/").await.text.contains("<summary>alice</summary>"));
    assert!(victim.get("/user/").await.text.contains("<summary>admin</summary>"));
}

#[tokio::test]
async fn the_login_form_needs_its_csrf_cookie() {
    let app = App::new().await;
    let form = [("username", "admin"), ("password", PASSWORD)];
    let mut visit = Visit::stranger(&app);
    let reply = visit.post("/accounts/login/", &form).await;
    assert_eq!((reply.status, visit.cookie("sessionid")), (403, None), "no cookie at all");
    visit.get("/accounts/login/").await;
    let reply = visit.post_without_proof("/accounts/login/").await;
    assert_eq!((reply.status, visit.cookie("sessionid")), (403, None), "no proof");
    visit.get("/accounts/login/").await;
    let mut foreign = form.to_vec();
    foreign.push(("csrf", "something"));
    let reply = visit.post("/accounts/login/", &foreign).await;
    assert_eq!((reply.status, visit.cookie("sessionid")), (403, None), "a wrong proof");
    assert_eq!(visit.post("/accounts/login/", &form).await.status, 303, "the form that came with the refusal works");
}

#[tokio::test]
async fn login_redirects_only_within_the_site() {
    let app = App::new().await;
    for (next, to) in [
        ("/user/?a=b", "/user/?a=b"),
        ("//evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
        ("evil.example", "/"),
        ("", "/"),
    ] {
        let reply = Visit::stranger(&app).log_in("admin", PASSWORD, next).await;
        assert_eq!((reply.status, reply.header("location")), (303, to), "{next:?}");
        assert_eq!(cookies(&reply).len(), 3, "{next:?}");
    }
}

#[tokio::test]
async fn forms_need_the_csrf_token_of_their_session() {
    let app = App::new().await;
    let pk = app.incident().open().post().await;
    let mut alice = Visit::of(&app, "alice").await;
    let bob = Visit::of(&app, "bob").await;
    let own = alice.cookie("csrftoken").unwrap().to_owned();
    let close = format!("action=close&pk={pk}");
    let preferences = "page_size=25".to_owned();
    for csrf in [None, Some(""), Some("wrong"), Some(bob.cookie("csrftoken").unwrap()), Some(&own[1..])] {
        let proof = csrf.map(|csrf| format!("&csrf={csrf}")).unwrap_or_default();
        for (path, fields) in [
            ("/incidents/bulk/", &close),
            ("/user/preferences/", &preferences),
            ("/incidents/columns/", &"preset=maintenance".to_owned()),
            ("/incidents/filters/", &"name=x&view=open%3Dtrue".to_owned()),
            ("/accounts/logout/", &String::new()),
        ] {
            for by_header in [false, true] {
                let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
                let request = match csrf {
                    Some(csrf) if by_header => request.header("X-CSRFToken", csrf).body(Body::from(fields.clone())),
                    _ => request.body(Body::from(format!("{fields}{proof}"))),
                };
                let reply = alice.request(request.unwrap()).await;
                assert_eq!(reply.status, 403, "{path} with {csrf:?}");
                assert!(reply.text.contains("This form has expired"));
            }
        }
    }
    assert_eq!(app.of(Who::EndUser).get(&format!("/api/v2/incidents/{pk}/")).await.json()["open"], true);
    assert!(app.service.directory().filters.is_empty());
    let user = alice.get("/incidents/?open=any").await;
    assert!(user.text.contains("<option selected>100</option>") && !user.text.contains("c-maintenance"));
    // The planted cookie of another form is no proof either.
    alice.set_cookie("csrftoken", "planted");
    assert_eq!(alice.post("/accounts/logout/", &[]).await.status, 403);
    alice.set_cookie("csrftoken", &own);
    assert_eq!(alice.post("/user/preferences/", &[("page_size", "25")]).await.status, 303);
}

#[tokio::test]
async fn a_session_is_useless_after_logging_out() {
    let app = App::new().await;
    let mut alice = Visit::of(&app, "alice").await;
    let mut elsewhere = Visit::again(&app, "alice").await;
    let secret = alice.cookie("sessionid").unwrap().to_owned();
    let reply = alice.post("/accounts/logout/", &[]).await;
    assert_eq!((reply.status, reply.header("location")), (303, "/accounts/login/"));
    assert_eq!((alice.cookie("sessionid"), alice.cookie("csrftoken")), (None, None), "forgotten by the browser");
    alice.set_cookie("sessionid", &secret);
    assert_eq!(alice.get("/about/").await.status, 303, "and by the server");
    assert_eq!(elsewhere.get("/about/").await.status, 200);
    assert_eq!(elsewhere.get("/accounts/logout/").await.status, 303);
    assert_eq!(elsewhere.get("/about/").await.status, 200, "a link cannot log out");
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let app = App::new().await;
    let mut here = Visit::of(&app, "alice").await;
    let mut elsewhere = Visit::again(&app, "alice").await;
    let token = app.new_token("alice").await;
    let credentials = json!({"username": "alice", "password": PASSWORD});
    let anonymous = app.of(Who::Anonymous);
    let exchanged = anonymous.post("/api/v2/token-auth/", credentials.clone()).await.json()["token"].clone();
    let login = anonymous.post("/api/v2/auth/token/login/", credentials).await.json()["token"].clone();
    let works = async |token: &Value| app.bearing(token.as_str().unwrap()).get("/api/v2/incidents/").await.status;
    let short = [("current", PASSWORD), ("new", "short"), ("again", "short")];
    let reply = here.post("/user/password/", &short).await;
    assert!(reply.status == 422 && reply.text.contains("use at least 8 characters"), "{}", reply.text);
    assert_eq!((works(&exchanged).await, works(&login).await), (200, 200));
    let refused = [("current", "wrong"), ("new", "battery staple"), ("again", "battery staple")];
    assert_eq!(here.post("/user/password/", &refused).await.status, 422);
    assert_eq!(elsewhere.get("/about/").await.status, 200);
    let changed = [("current", PASSWORD), ("new", "battery staple"), ("again", "battery staple")];
    assert_eq!(here.post("/user/password/", &changed).await.status, 303);
    assert_eq!(here.get("/about/").await.status, 200);
    assert_eq!(elsewhere.get("/about/").await.status, 303);
    assert_eq!(works(&token.into()).await, 200, "made by hand it stays");
    assert_eq!((works(&exchanged).await, works(&login).await), (401, 401), "obtained by the old password");
    assert_eq!(Visit::stranger(&app).log_in("alice", PASSWORD, "/").await.status, 401);
}

#[tokio::test]
async fn an_invalid_email_address_is_refused_in_forms() {
    let app = App::new().await;
    let email = || app.service.directory().user_named("alice").unwrap().email.clone();
    let before = email();
    let mut alice = Visit::of(&app, "alice").await;
    let details = |address: &'static str| [("first_name", "Alice"), ("last_name", ""), ("email", address)];
    let refused = alice.post("/user/details/", &details("x@y.z, q@example.org")).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("is not a valid e-mail address."), "{}", refused.text);
    let mut admin = Visit::of(&app, "admin").await;
    let path = format!("/admin/users/{}/", app.user_id("alice").0);
    assert_eq!(admin.post(&path, &details("nobody")).await.status, 422);
    let new = [("username", "carl"), ("email", "carl@nowhere")];
    assert_eq!(admin.post("/admin/users/new/", &new).await.status, 422);
    assert_eq!(email(), before);
    assert_eq!(alice.post("/user/details/", &details("alice@example.net")).await.status, 303);
    assert_eq!(email(), "alice@example.net");
}

#[tokio::test]
async fn deactivation_and_revocation_end_a_session_at_once() {
    let app = App::new().await;
    let mut alice = Visit::of(&app, "alice").await;
    let mut bob = Visit::of(&app, "bob").await;
    let mut bobs_other = Visit::again(&app, "bob").await;
    app.service.people().deactivate(&app.local, app.user_id("alice")).await.unwrap();
    assert_eq!(alice.get("/incidents/?open=any").await.status, 303);
    assert_eq!(alice.get("/api/v2/incidents/").await.status, 401);
    assert_eq!(Visit::stranger(&app).log_in("alice", PASSWORD, "/").await.status, 401);
    let change = UserDraft { is_active: Some(true), ..UserDraft::default() };
    app.service.people().change_user(&app.local, app.user_id("alice"), change).await.unwrap();
    assert_eq!(alice.get("/incidents/?open=any").await.status, 303, "a session does not come back");

    assert_eq!(bob.post("/user/sessions/end/", &[]).await.status, 303);
    assert_eq!(bob.get("/about/").await.status, 200);
    assert_eq!(bobs_other.get("/about/").await.status, 303);
    let reply = bobs_other.post("/user/preferences/", &[("page_size", "25")]).await;
    assert_eq!((reply.status, reply.header("location")), (303, "/accounts/login/"));

    app.clock.advance_micros(15 * 24 * 60 * crate::support::MINUTE);
    assert_eq!(bob.get("/about/").await.status, 303, "two weeks are over");
}

#[tokio::test]
async fn the_api_accepts_sessions() {
    let app = App::new().await;
    let pk = app.incident().open().post().await;
    let mut alice = Visit::of(&app, "alice").await;
    let other = Visit::of(&app, "bob").await.cookie("csrftoken").unwrap().to_owned();
    let csrf = alice.cookie("csrftoken").unwrap().to_owned();
    assert_eq!(alice.get("/api/v2/incidents/").await.status, 200);
    let path = format!("/api/v2/incidents/{pk}/");
    let body = json!({"ticket_url": "https://tickets.example/1"});
    let reply = alice.request(json_request(Method::PATCH, &path, None, &body)).await;
    reply.is(403, json!({"detail": "CSRF Failed: CSRF token missing."}));
    let wrong = json!({"detail": "CSRF Failed: CSRF token from the 'X-Csrftoken' HTTP header incorrect."});
    alice.request(json_request(Method::PATCH, &path, Some(&other), &body)).await.is(403, wrong);
    assert_eq!(alice.get(&path).await.json()["ticket_url"], "");
    let reply = alice.request(json_request(Method::PATCH, &path, Some(&csrf), &body)).await;
    assert_eq!(reply.json()["ticket_url"], "https://tickets.example/1");
    let mut stranger = Visit::stranger(&app);
    stranger.set_cookie("sessionid", &"f".repeat(64));
    stranger
        .get("/api/v2/incidents/")
        .await
        .is(401, json!({"detail": "Authentication credentials were not provided."}));
}

#[tokio::test]
async fn secrets_of_sessions_are_for_cookies_only() {
    let app = App::new().await;
    let alice = Visit::of(&app, "alice").await;
    for name in ["sessionid", "csrftoken"] {
        let reply = app.bearing(alice.cookie(name).unwrap()).get("/api/v2/incidents/").await;
        assert_eq!(reply.status, 401, "{name}: {}", reply.text);
    }
    for token in [app.new_token("alice").await, alice.cookie("csrftoken").unwrap().to_owned()] {
        let mut visit = Visit::stranger(&app);
        visit.set_cookie("sessionid", &token);
        assert_eq!(visit.get("/about/").await.status, 303, "nor is a token a session");
    }
}

#[test]
fn secrets_are_neither_stored_nor_logged() {
    let site = Site::in_memory();
    let log = std::fs::File::create(site.path("log")).unwrap();
    let mut command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("ARGUSD_LOG", "trace").env("RUST_LOG", "trace");
    let daemon = crate::support::daemon::Daemon::start_with_log(command, log);
    let agent = http_client();
    let url = format!("http://{}/accounts/login/", daemon.address);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let secrets = runtime.block_on(async {
        let form = agent.get(&url).send().await.unwrap();
        let csrf = from_cookie(&form, "csrftoken");
        let fields = format!("username=admin&password={}&csrf={csrf}", PASSWORD.replace(' ', "+"));
        let request = agent.post(&url).header("cookie", format!("csrftoken={csrf}"));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(fields);
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status(), 303);
        let secrets = [from_cookie(&reply, "sessionid"), from_cookie(&reply, "csrftoken")];
        let cookies = format!("sessionid={}; csrftoken={}", secrets[0], secrets[1]);
        let about = agent.get(format!("http://{}/about/", daemon.address)).header("cookie", cookies);
        assert_eq!(about.send().await.unwrap().status(), 200);
        secrets
    });
    daemon.stop();
    for name in ["argusd.redb", "log"] {
        let bytes = std::fs::read(site.path(name)).unwrap();
        for secret in secrets.iter().map(String::as_str).chain([PASSWORD]) {
            assert!(secret.len() >= 13);
            let raw: Vec<u8> = hex(secret).unwrap_or_else(|| secret.as_bytes().to_vec());
            let is_there = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
            assert!(!is_there(secret.as_bytes()) && !is_there(&raw), "a secret is in {name}");
        }
    }
}

fn http_client() -> reqwest::Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

fn from_cookie(reply: &reqwest::Response, name: &str) -> String {
    let cookies = reply.headers().get_all("set-cookie").into_iter().map(|value| value.to_str().unwrap());
    let mut values = cookies.filter_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('=')?.split(';').next());
    values.next().unwrap().to_owned()
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let byte = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}

#[tokio::test]
async fn pages_have_a_content_security_policy() {
    let app = App::new().await;
    let mut alice = Visit::of(&app, "alice").await;
    let mut stranger = Visit::stranger(&app);
    let mut replies = vec![stranger.get("/accounts/login/").await, stranger.get("/incidents/").await];
    replies.push(alice.post("/incidents/bulk/", &[]).await);
    replies.push(alice.post_without_proof("/incidents/bulk/").await);
    for path in PAGES {
        replies.push(alice.get(path).await);
    }
    for reply in replies {
        let policy = reply.header("content-security-policy");
        for part in ["default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'"] {
            assert!(policy.contains(part), "{policy:?}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("cache-control"), "no-store");
        assert!(!reply.header("referrer-policy").is_empty());
        for banned in [" style=\"", " onclick=", "<style", "<script>"] {
            assert!(!reply.text.contains(banned), "{banned}");
        }
    }
}
