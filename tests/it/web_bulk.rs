//! What is done with many incidents at once from the list, without scripts: what is left out and why, and taking it back.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    pages::Visit,
    support::{App, MINUTE, Reply, Who},
};

async fn open(app: &App, count: usize) -> Vec<u64> {
    join_all((0..count).map(|_| app.incident(json!({"end_time": "infinity", "tags": [{"tag": "a=b"}]})))).await
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
    let until = std::time::Instant::now() + crate::daemon::PATIENCE;
    while reply.status == 303 {
        let to = reply.header("location").to_owned();
        reply = visit.get(&to).await;
        if to.starts_with("/incidents/bulk/") && reply.status == 200 {
            assert!(reply.text.contains("<progress") && reply.text.contains("data-reload-every"));
            assert!(std::time::Instant::now() < until, "never done: {}", reply.text);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
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
async fn acknowledged_and_taken_back() {
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
    assert!(page.text.contains("Taken back for 2 incidents."), "{}", page.text);
    assert_eq!(states().await, [false, false, false]);
    let page = alice.submit(&undo, &[]).await;
    assert!(page.text.contains("That cannot be taken back any more."), "once");
}

#[tokio::test]
async fn closed_and_reopened_and_what_is_left_out() {
    let app = App::new().await;
    let pks = open(&app, 3).await;
    let stateless = app.incident(json!({"end_time": null})).await;
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
        "1 left out: There is no such incident any more.",
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
async fn tickets_and_comments() {
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
async fn nothing_is_done_where_nothing_was_asked() {
    let app = App::new().await;
    let pks = open(&app, 1).await;
    let mut alice = Visit::of(&app, "alice").await;
    for (action, pks, more, said) in [
        ("close", &[][..], ("", ""), "Nothing is selected."),
        ("", &pks[..], ("", ""), "Nothing was asked for."),
        ("delete", &pks[..], ("", ""), "Nothing was asked for."),
        ("comment", &pks[..], ("message", "  "), "A comment needs a message."),
        ("acknowledge", &pks[..], ("expires", "-5"), "That is no time"),
        ("acknowledge", &pks[..], ("expires", "soon"), "That is no time"),
    ] {
        let page = bulk(&mut alice, action, pks, &[more]).await;
        assert!(page.text.contains(said), "{action}: {said}");
        assert_eq!(undo_path(&page), None);
    }
    let found = incident(&app, pks[0]).await;
    assert_eq!((&found["open"], &found["acked"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn sources_do_not_close_from_pages_either() {
    let app = App::new().await;
    let pks = open(&app, 1).await;
    let mut source = Visit::of(&app, "zabbix-src").await;
    let page = bulk(&mut source, "close", &pks, &[]).await;
    assert!(account(&page).contains("A source system cannot post events of type"), "{}", account(&page));
    assert_eq!(incident(&app, pks[0]).await["open"], true);
}

#[tokio::test]
async fn a_minute_to_take_it_back_and_only_for_who_did_it() {
    let app = App::new().await;
    let pks = open(&app, 1).await;
    let mut alice = Visit::of(&app, "alice").await;
    let mut bob = Visit::of(&app, "bob").await;
    let page = bulk(&mut alice, "close", &pks, &[]).await;
    let undo = undo_path(&page).unwrap();
    let refused = "That cannot be taken back any more.";
    assert!(bob.submit(&undo, &[]).await.text.contains(refused));
    let account_of_it = undo.replace("undo/", "");
    assert_eq!(bob.get(&account_of_it).await.status, 404);
    let id = account_of_it.trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
    assert!(!bob.get(&format!("/incidents/?open=any&done={id}")).await.text.contains("1 incident closed."));
    assert_eq!(incident(&app, pks[0]).await["open"], false);

    app.clock.advance_micros(MINUTE - 1);
    let page = alice.get(&format!("/incidents/?open=any&done={id}")).await;
    assert!(undo_path(&page).is_some());
    app.clock.advance_micros(1);
    let page = alice.get(&format!("/incidents/?open=any&done={id}")).await;
    assert_eq!(undo_path(&page), None);
    assert!(alice.submit(&undo, &[]).await.text.contains(refused));
    assert_eq!(incident(&app, pks[0]).await["open"], false);

    let page = bulk(&mut alice, "reopen", &pks, &[]).await;
    app.clock.advance_micros(MINUTE - 1);
    alice.submit(&undo_path(&page).unwrap(), &[]).await;
    assert_eq!(incident(&app, pks[0]).await["open"], false, "within a minute it works");
}

#[tokio::test]
async fn all_that_match() {
    const COUNT: usize = 2_300;
    let app = App::new().await;
    open(&app, COUNT).await;
    let other = app.incident(json!({"end_time": "infinity", "tags": [{"tag": "a=c"}]})).await;
    let mut alice = Visit::of(&app, "alice").await;
    let fields = [("all", "1"), ("view", "open=true&tags=a%3Db")];
    let page = bulk(&mut alice, "close", &[], &fields).await;
    assert!(account(&page).contains(&format!("{COUNT} incidents closed.")), "{}", account(&page));
    let counts = alice.get("/incidents/facets/?open=any").await.json();
    assert_eq!((&counts["open"], &counts["closed"]), (&json!(1), &json!(COUNT)));
    assert_eq!(incident(&app, other).await["open"], true);

    let page = alice.submit(&undo_path(&page).unwrap(), &[("view", "open=true")]).await;
    assert!(page.text.contains(&format!("Taken back for {COUNT} incidents.")));
    assert_eq!(alice.get("/incidents/facets/?open=any").await.json()["open"], COUNT + 1);
}

#[tokio::test]
async fn a_strange_form_is_no_trouble() {
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
async fn what_others_did_since_is_not_taken_back() {
    let app = App::new().await;
    let pks = open(&app, 3).await;
    let mut alice = Visit::of(&app, "alice").await;
    let page = bulk(&mut alice, "ticket", &pks, &[("ticket", "https://tickets.example/new")]).await;
    let bobs = json!({"ticket_url": "https://tickets.example/bob"});
    app.of(Who::Staff).put(&format!("/api/v2/incidents/{}/ticket_url/", pks[0]), bobs).await;
    let page = alice.submit(&undo_path(&page).unwrap(), &[]).await;
    let said = "Taken back for 2 incidents. One incident was changed since and stays as it is.";
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
