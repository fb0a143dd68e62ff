//! What is done with many incidents at once from the list, without scripts: what is left out and why, and taking it back.

use std::time::{Duration, Instant};

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{App, MINUTE, Reply, Who, eventually::PATIENCE, visit::Visit};

async fn open(app: &App, count: usize) -> Vec<u64> {
    join_all((0..count).map(|_| app.incident().open().tag("a=b").post())).await
}

async fn incident(app: &App, pk: u64) -> Value {
    app.of(Who::EndUser).get(&format!("/api/v2/incidents/{pk}/")).await.json()
}

/// Does it, and waits until it is done; the list with the account of it.
async fn bulk(visit: &mut Visit, action: &str, pks: &[u64], more: &[(&str, &str)]) -> Reply {
    let pks: Vec<String> = pks.iter().map(u64::to_string).collect();
    let mut fields = vec![("action", action), ("view", "open=any")];
    fields.extend(pks.iter().map(|pk| ("pk", pk.as_str())));
    fields.extend(more);
    let mut reply = visit.post("/incidents/bulk/", &fields).await;
    let until = Instant::now() + PATIENCE;
    while reply.status == 303 {
        let to = reply.header("location").to_owned();
        reply = visit.get(&to).await;
        if to.starts_with("/incidents/bulk/") && reply.status == 200 {
            assert!(reply.text.contains("<progress") && reply.text.contains("data-reload-every"));
            assert!(Instant::now() < until, "never done: {}", reply.text);
            tokio::time::sleep(Duration::from_millis(20)).await;
            reply = visit.get("/about/").await;
            reply.status = 303;
            reply.headers.insert(header::LOCATION, to.parse().unwrap());
        }
    }
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply
}

/// What is said about what was done.
fn account(reply: &Reply) -> String {
    let rest = reply.text.split("role=\"status\">").find(|part| part.contains("<strong>")).unwrap_or("");
    let text = rest.split("<form").next().unwrap().split("</div>").next().unwrap();
    text.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text.trim()).collect::<Vec<_>>().join(" ")
}

fn undo_path(reply: &Reply) -> Option<String> {
    let (before, _) = reply.text.split_once("/undo/\"")?;
    Some(format!("{}/undo/", &before[before.rfind("/incidents/bulk/").unwrap()..]))
}

#[tokio::test]
async fn a_bulk_acknowledgement_is_undone() {
    let app = App::new().await;
    let pks = open(&app, 3).await;
    let mut alice = Visit::of(&app, "alice").await;
    let page = bulk(&mut alice, "acknowledge", &pks[..2], &[("message", "on it"), ("expires", "60")]).await;
    assert!(account(&page).contains("2 incidents acknowledged."), "{}", account(&page));
    let states = async || join_all(pks.iter().map(|pk| async { incident(&app, *pk).await["acked"] == true })).await;
    assert_eq!(states().await, [true, true, false]);
    let acks = app.of(Who::EndUser).get(&format!("/api/v2/incidents/{}/acks/", pks[0])).await.json();
    assert_eq!(acks[0]["event"]["description"], "on it");
    assert_eq!(acks[0]["event"]["actor"]["username"], "alice");
    assert_eq!(acks[0]["expiration"], "2026-01-15T14:00:00+01:00");

    let undo = undo_path(&page).unwrap();
    let page = alice.submit(&undo, &[("view", "open=true")]).await;
    assert!(page.text.contains("Undone: 2 incidents."), "{}", page.text);
    assert_eq!(states().await, [false, false, false]);
    let page = alice.submit(&undo, &[]).await;
    assert!(page.text.contains("Too late to undo."), "once");
}

#[tokio::test]
async fn bulk_close_and_reopen_report_what_they_skip() {
    let app = App::new().await;
    let pks = open(&app, 3).await;
    let stateless = app.incident().stateless().post().await;
    let mut alice = Visit::of(&app, "alice").await;
    let is_open = async |pk| incident(&app, pk).await["open"] == true;
    let page = bulk(&mut alice, "close", &[pks[0]], &[]).await;
    assert!(account(&page).contains("1 incident closed."), "{}", account(&page));
    let page = bulk(&mut alice, "close", &[pks[0], pks[1], stateless, 99_999], &[("message", "done")]).await;
    let text = account(&page);
    for part in [
        "1 incident closed.",
        "1 left out: The incident is already closed.",
        "1 left out: Cannot change the state of a stateless incident.",
        "1 left out: It was deleted.",
    ] {
        assert!(text.contains(part), "{text}");
    }
    alice.submit(&undo_path(&page).unwrap(), &[]).await;
    assert!(is_open(pks[1]).await && !is_open(pks[0]).await, "only what this did is taken back");

    let page = bulk(&mut alice, "reopen", &[pks[0], pks[2]], &[]).await;
    let text = account(&page);
    assert!(
        text.contains("1 incident reopened.") && text.contains("1 left out: The incident is already open."),
        "{text}"
    );
    alice.submit(&undo_path(&page).unwrap(), &[]).await;
    assert!(!is_open(pks[0]).await && is_open(pks[2]).await);
}

#[tokio::test]
async fn tickets_and_comments_are_set_for_many_incidents() {
    let app = App::new().await;
    let pks = open(&app, 2).await;
    let mut alice = Visit::of(&app, "alice").await;
    bulk(&mut alice, "ticket", &pks[..1], &[("ticket", "https://tickets.example/old")]).await;
    let page = bulk(&mut alice, "ticket", &pks, &[("ticket", "https://tickets.example/new")]).await;
    assert!(account(&page).contains("2 incidents given the ticket."));
    let urls = async || join_all(pks.iter().map(|pk| async { incident(&app, *pk).await["ticket_url"].clone() })).await;
    assert_eq!(urls().await, ["https://tickets.example/new"; 2]);
    alice.submit(&undo_path(&page).unwrap(), &[]).await;
    assert_eq!(urls().await, ["https://tickets.example/old", ""], "each as it was");
    for url in ["javascript:alert(1)", "tickets", "ftp://x/", "//x/"] {
        let page = bulk(&mut alice, "ticket", &pks, &[("ticket", url)]).await;
        assert!(page.text.contains("The ticket’s address") || page.text.contains("The ticket&#39;s address"), "{url}");
    }
    assert_eq!(urls().await, ["https://tickets.example/old", ""]);

    let page = bulk(&mut alice, "comment", &pks, &[("message", "<b>look</b>")]).await;
    assert!(account(&page).contains("2 incidents commented on."));
    assert_eq!(undo_path(&page), None, "what was said was said");
    let events = app.of(Who::EndUser).get(&format!("/api/v2/incidents/{}/events/", pks[0])).await.json();
    assert!(events.as_array().unwrap().iter().any(|event| event["description"] == "<b>look</b>"));
}

#[tokio::test]
async fn an_incomplete_form_changes_nothing() {
    let app = App::new().await;
    let pks = open(&app, 1).await;
    let mut alice = Visit::of(&app, "alice").await;
    for (action, pks, more, said) in [
        ("close", &[][..], ("", ""), "No incidents selected."),
        ("", &pks[..], ("", ""), "Choose an action."),
        ("delete", &pks[..], ("", ""), "Choose an action."),
        ("comment", &pks[..], ("message", "  "), "A comment needs a message."),
        ("acknowledge", &pks[..], ("expires", "-5"), "Choose when the acknowledgement expires."),
        ("acknowledge", &pks[..], ("expires", "soon"), "Choose when the acknowledgement expires."),
    ] {
        let page = bulk(&mut alice, action, pks, &[more]).await;
        assert!(page.text.contains(said), "{action}: {said}");
        assert_eq!(undo_path(&page), None);
    }
    let found = incident(&app, pks[0]).await;
    assert_eq!((&found["open"], &found["acked"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn sources_cannot_close_incidents_on_pages() {
    let app = App::new().await;
    let pks = open(&app, 1).await;
    let mut source = Visit::of(&app, "zabbix-src").await;
    let page = bulk(&mut source, "close", &pks, &[]).await;
    assert!(account(&page).contains("A source system cannot post events of type"), "{}", account(&page));
    assert_eq!(incident(&app, pks[0]).await["open"], true);
}

#[tokio::test]
async fn undo_is_offered_for_a_minute_to_the_same_user() {
    let app = App::new().await;
    let pks = open(&app, 1).await;
    let mut alice = Visit::of(&app, "alice").await;
    let mut bob = Visit::of(&app, "bob").await;
    let page = bulk(&mut alice, "close", &pks, &[]).await;
    let undo = undo_path(&page).unwrap();
    let refused = "Too late to undo.";
    assert!(bob.submit(&undo, &[]).await.text.contains(refused));
    let account_of_it = undo.replace("undo/", "");
    assert_eq!(bob.get(&account_of_it).await.status, 404);
    bob.set_cookie("done", alice.cookie("done").unwrap());
    assert!(!bob.get("/incidents/?open=any").await.text.contains("1 incident closed."));
    assert_eq!(incident(&app, pks[0]).await["open"], false);

    app.clock.advance_micros(MINUTE - 1);
    let page = alice.get("/incidents/?open=any").await;
    assert!(undo_path(&page).is_some());
    app.clock.advance_micros(1);
    let page = alice.get("/incidents/?open=any").await;
    assert_eq!(undo_path(&page), None);
    assert!(alice.submit(&undo, &[]).await.text.contains(refused));
    assert_eq!(incident(&app, pks[0]).await["open"], false);

    let page = bulk(&mut alice, "reopen", &pks, &[]).await;
    app.clock.advance_micros(MINUTE - 1);
    alice.submit(&undo_path(&page).unwrap(), &[]).await;
    assert_eq!(incident(&app, pks[0]).await["open"], false, "within a minute it works");
}

#[tokio::test]
async fn all_matching_incidents_are_changed() {
    const COUNT: usize = 2_300;
    let app = App::new().await;
    open(&app, COUNT).await;
    let other = app.incident().open().tag("a=c").post().await;
    let mut alice = Visit::of(&app, "alice").await;
    let count = COUNT.to_string();
    let fields = [("all", "1"), ("view", "open=true&tags=a%3Db"), ("confirmed", &*count)];
    let page = bulk(&mut alice, "close", &[], &fields).await;
    assert!(account(&page).contains(&format!("{COUNT} incidents closed.")), "{}", account(&page));
    let counts = alice.get("/incidents/facets/?open=any").await.json();
    assert_eq!((&counts["open"], &counts["closed"]), (&json!(1), &json!(COUNT)));
    assert_eq!(incident(&app, other).await["open"], true);

    let page = alice.submit(&undo_path(&page).unwrap(), &[("view", "open=true")]).await;
    assert!(page.text.contains(&format!("Undone: {COUNT} incidents.")));
    assert_eq!(alice.get("/incidents/facets/?open=any").await.json()["open"], COUNT + 1);
}

#[tokio::test]
async fn malformed_form_fields_are_ignored() {
    let app = App::new().await;
    let pks = open(&app, 1).await;
    let mut alice = Visit::of(&app, "alice").await;
    let twice = [("pk", "x"), ("pk", "-1"), ("pk", "99999999999999999999999"), ("pk", "")];
    let page = bulk(&mut alice, "close", &[pks[0], pks[0]], &twice).await;
    assert!(account(&page).contains("1 incident closed."), "{}", account(&page));
    assert_eq!(alice.get("/incidents/bulk/none/").await.status, 404);
    let csrf = alice.cookie("csrftoken").unwrap().to_owned();
    let garbage = Request::builder().method(Method::POST).uri("/incidents/bulk/").header("X-CSRFToken", csrf);
    let reply = alice.request(garbage.body(Body::from(vec![0xff, 0x26, 0x3d, 0x25])).unwrap()).await;
    assert_eq!(reply.status, 303);
}

#[tokio::test]
async fn undo_keeps_later_changes_of_others() {
    let app = App::new().await;
    let pks = open(&app, 3).await;
    let mut alice = Visit::of(&app, "alice").await;
    let page = bulk(&mut alice, "ticket", &pks, &[("ticket", "https://tickets.example/new")]).await;
    let bobs = json!({"ticket_url": "https://tickets.example/bob"});
    app.of(Who::Staff).put(&format!("/api/v2/incidents/{}/ticket_url/", pks[0]), bobs).await;
    let page = alice.submit(&undo_path(&page).unwrap(), &[]).await;
    let said = "Undone: 2 incidents. 1 incident was changed since and stays as it is.";
    assert!(page.text.contains(said), "{}", page.text);
    let urls = join_all(pks.iter().map(|pk| async { incident(&app, *pk).await["ticket_url"].clone() })).await;
    assert_eq!(urls, ["https://tickets.example/bob", "", ""]);
}

#[tokio::test]
async fn a_text_that_is_too_long_is_refused() {
    let app = App::new().await;
    let pks = open(&app, 1).await;
    let mut alice = Visit::of(&app, "alice").await;
    let page = bulk(&mut alice, "comment", &pks, &[("message", &"x".repeat(50_001))]).await;
    assert!(page.text.contains("The message is too long."));
    let url = format!("https://tickets.example/{}", "x".repeat(2_048));
    let page = bulk(&mut alice, "ticket", &pks, &[("ticket", &url)]).await;
    assert!(page.text.contains("address is too long."));
    let events = app.of(Who::EndUser).get(&format!("/api/v2/incidents/{}/events/", pks[0])).await.json();
    assert_eq!(events.as_array().unwrap().len(), 1);
}

/// What the list on the page knows.
fn as_of(page: &Reply) -> String {
    let (_, rest) = page.text.split_once("name=\"as_of\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// The hidden fields of the form that asks, but for those that each form has.
fn asked(page: &Reply) -> Vec<(String, String)> {
    let (_, form) = page.text.split_once("action=\"/incidents/bulk/\"").unwrap();
    let inputs = form.split("</form>").next().unwrap().split("<input type=\"hidden\" name=\"").skip(1);
    let pairs = inputs.map(|input| {
        let (name, rest) = input.split_once("\" value=\"").unwrap();
        (name.to_owned(), rest.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&"))
    });
    pairs.filter(|(name, _)| name != "csrf" && name != "form_number").collect()
}

#[tokio::test]
async fn all_matching_means_those_that_matched_when_the_page_was_shown() {
    let app = App::new().await;
    let mut pks = open(&app, 3).await;
    let mut alice = Visit::of(&app, "alice").await;
    let shown = as_of(&alice.get("/incidents/?open=true").await);
    pks.extend(open(&app, 2).await);
    let page = bulk(&mut alice, "close", &[], &[("all", "1"), ("view", "open=true"), ("as_of", &shown)]).await;
    assert!(account(&page).contains("3 incidents closed."), "{}", account(&page));
    let states = join_all(pks.iter().map(|pk| async { incident(&app, *pk).await["open"] == true })).await;
    assert_eq!(states, [false, false, false, true, true]);

    // A page that nobody has yet knows no more than there is.
    let fields = [("all", "1"), ("view", "open=true"), ("as_of", "999999999.9223372036854775807")];
    let page = bulk(&mut alice, "close", &[], &fields).await;
    assert!(account(&page).contains("2 incidents closed."), "{}", account(&page));
}

#[tokio::test]
async fn changing_more_than_25_incidents_needs_a_confirmation() {
    let app = App::new().await;
    let pks = open(&app, 26).await;
    let mut alice = Visit::of(&app, "alice").await;
    let open_now = async || {
        let states = join_all(pks.iter().map(|pk| async { incident(&app, *pk).await["open"] == true })).await;
        states.into_iter().filter(|is_open| *is_open).count()
    };
    let page = bulk(&mut alice, "close", &pks, &[("view", "open=true"), ("message", "a \"b\" & c")]).await;
    let question = "Close 26 selected incidents from the list of open incidents, level 1–5?";
    assert!(page.text.contains(question), "{}", page.text);
    assert_eq!(open_now().await, 26, "nothing is done yet");

    let shown = as_of(&alice.get("/incidents/?open=true").await);
    let all = [("all", "1"), ("view", "open=true&stateful=true"), ("as_of", &*shown), ("message", "done & <dusted>")];
    let page = bulk(&mut alice, "close", &[], &all).await;
    let number = page.text.split("<h1>Close ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    assert!(page.text.contains(&format!("Close {number} open stateful incidents, level 1–5?")), "{}", page.text);
    open(&app, 3).await;
    let fields = asked(&page);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert!(fields.contains(&("as_of", &shown)), "{fields:?}");
    let reply = alice.submit("/incidents/bulk/", &fields).await;
    assert!(account(&reply).contains(&format!("{number} incidents closed.")), "{}", account(&reply));
    assert_eq!(open_now().await, 0);

    // Fewer were confirmed than are meant.
    bulk(&mut alice, "reopen", &pks, &[("confirmed", "26")]).await;
    assert_eq!(open_now().await, 26);
    let page = bulk(&mut alice, "close", &pks, &[("confirmed", "25")]).await;
    assert!(page.text.contains("Close 26 selected incidents"));
    let page = bulk(&mut alice, "close", &pks[..25], &[]).await;
    assert!(account(&page).contains("25 incidents closed."), "25 are not asked about");
    let reply = alice.get("/incidents/bulk/").await;
    assert_eq!((reply.status, reply.header("location")), (303, "/incidents/"));
}

#[tokio::test]
async fn a_result_is_shown_again_after_a_reload_and_only_in_its_view() {
    let app = App::new().await;
    let pks = open(&app, 2).await;
    let mut alice = Visit::of(&app, "alice").await;
    let fields = [("action", "close"), ("view", "open=any"), ("pk", &*pks[0].to_string())];
    let reply = alice.post("/incidents/bulk/", &fields).await;
    assert_eq!((reply.status, reply.header("location")), (303, "/incidents/?open=any"));
    for _ in 0..2 {
        assert!(account(&alice.get("/incidents/?open=any").await).contains("1 incident closed."), "also after F5");
    }
    assert_eq!(account(&alice.get("/incidents/?open=true").await), "", "another view");
    let reply = alice.get("/incidents/?open=any&done=abc").await;
    assert_eq!((reply.status, reply.header("location")), (303, "/incidents/?open=any"));
    let page = alice.get("/incidents/?open=any").await;
    let page = alice.submit(&undo_path(&page).unwrap(), &[("view", "open=any")]).await;
    assert_eq!(undo_path(&page), None);
    assert!(!page.text.contains("1 incident closed."), "it is undone");
}
