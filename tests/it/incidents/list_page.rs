//! The list of incidents without scripts: what a view shows, in which order and on which pages, and what is done with
//! many at once.

#![expect(clippy::many_single_char_names, reason = "six incidents that have no other names")]

use std::collections::BTreeSet;

use argusd::domain::time::Timestamp;
use serde_json::{Value, json};

use crate::support::{App, MINUTE, NOW, Reply, Who, eventually::eventually_async, visit::Visit};

/// The keys of the rows, in order.
fn rows(reply: &Reply) -> Vec<u64> {
    assert_eq!(reply.status, 200, "{}", reply.text);
    between(&reply.text, "<tr id=\"i", "\"").iter().map(|pk| pk.parse().unwrap()).collect()
}

/// The view, wherever its one address is.
async fn list(visit: &mut Visit, query: &str) -> Reply {
    let reply = visit.get(&format!("/incidents/?{query}")).await;
    if reply.status != 303 {
        return reply;
    }
    let to = reply.header("location").to_owned();
    visit.get(&to).await
}

fn between(text: &str, before: &str, after: &str) -> Vec<String> {
    text.split(before).skip(1).map(|rest| rest.split(after).next().unwrap().replace("&#38;", "&")).collect()
}

fn matching(reply: &Reply) -> usize {
    between(&reply.text, "<strong data-matching>", "<")[0].parse().unwrap()
}

fn at(minutes_ago: i64) -> String {
    Timestamp::saturating_from_micros(NOW - minutes_ago * MINUTE).to_datetime().to_rfc3339()
}

fn form(query: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish()
}

/// Six of them: four are open, of different levels, tags and ages.
async fn six(app: &App) -> [u64; 6] {
    let api = app.of(Who::EndUser);
    let new = |minutes_ago: i64, level: u8, description: &str, tags: &[&str], end: Value| {
        let tags: Vec<Value> = tags.iter().map(|tag| json!({"tag": tag})).collect();
        app.incident()
            .starts(at(minutes_ago))
            .level(level)
            .description(description)
            .ends(end)
            .with(json!({"tags": tags}))
            .post()
    };
    let a = new(10, 1, "Link down", &["host=a", "site=oslo"], json!("infinity")).await;
    let b = new(90, 2, "Fan broken", &["host=b", "site=oslo"], json!("infinity")).await;
    let c = new(200, 3, "Link flapping", &["host=c", "site=bergen"], json!("infinity")).await;
    let d = new(60 * 30, 4, "Disk full", &["host=a"], json!("infinity")).await;
    let e = new(60 * 24 * 8, 5, "Backup done", &[], Value::Null).await;
    let f = new(60 * 24 * 40, 5, "Old story", &["host=f"], json!(at(60 * 24 * 39))).await;
    let ack = json!({"event": {"timestamp": at(0), "description": "mine"}});
    assert_eq!(api.post(&format!("/api/v2/incidents/{b}/acks/"), ack).await.status, 201);
    let url = json!({"ticket_url": "https://tickets.example/7"});
    assert_eq!(api.put(&format!("/api/v2/incidents/{c}/ticket_url/"), url).await.status, 200);
    [a, b, c, d, e, f]
}

#[tokio::test]
async fn views_filter_the_list() {
    let app = App::new().await;
    let [a, b, c, d, e, f] = six(&app).await;
    let mut alice = Visit::of(&app, "alice").await;
    let source = app.service.directory().sources.values().find(|it| it.name == "zabbix-src").unwrap().id;
    let (one, here, other) = (format!("q=%23{c}"), format!("source={source}"), "source=1".to_owned());
    for (query, wanted) in [
        ("open=any", vec![a, b, c, d, e, f]),
        ("open=true", vec![a, b, c, d]),
        ("open=false", vec![f]),
        ("acked=true", vec![b]),
        ("acked=false", vec![a, c, d, e, f]),
        ("open=true&acked=false", vec![a, c, d]),
        ("level=1&level=2", vec![a, b]),
        ("level=5", vec![e, f]),
        (&here, vec![a, b, c, d, e, f]),
        (&other, vec![]),
        ("source_name=zabbix-src&open=true", vec![a, b, c, d]),
        ("source_type=zabbix", vec![a, b, c, d, e, f]),
        ("source_type=argus", vec![]),
        ("tags=host%3Da", vec![a, d]),
        ("tags=host%3Da&tags=host%3Db", vec![a, b, d]),
        ("tags=host%3Da&tags=site%3Doslo", vec![a]),
        ("tags=nonsense", vec![]),
        ("frame=1h", vec![a]),
        ("frame=3h", vec![a, b]),
        ("frame=24h", vec![a, b, c]),
        ("frame=30d", vec![a, b, c, d, e]),
        ("longer=60&open=true", vec![b, c, d]),
        ("ticket=true", vec![c]),
        ("ticket=false&open=true", vec![a, b, d]),
        ("stateful=false", vec![e]),
        ("event_type=ACK", vec![b]),
        ("event_type=STA", vec![a, b, c, d, f]),
        ("hide_closed_acked=true", vec![a, b, c, d, e, f]),
        ("q=link", vec![a, c]),
        ("q=LINK+flapping", vec![c]),
        ("q=host%3Da", vec![a, d]),
        ("q=link+site%3Dbergen", vec![c]),
        ("q=nothing", vec![]),
        (&one, vec![c]),
        ("q=%2399999", vec![]),
    ] {
        let page = list(&mut alice, query).await;
        assert_eq!(rows(&page), wanted, "{query}");
        assert_eq!(matching(&page), wanted.len(), "{query}");
        assert!(page.text.contains("of <span data-total>6</span>"), "{query}");
    }
}

#[tokio::test]
async fn the_list_opens_with_the_last_view() {
    let app = App::new().await;
    six(&app).await;
    let mut alice = Visit::of(&app, "alice").await;
    let reply = alice.get("/incidents/").await;
    assert_eq!((reply.status, reply.header("location")), (303, "/incidents/?open=true"));
    let wanted = "/incidents/?level=1&level=2&sort=level";
    let reply = alice.get("/incidents/?level=2&frame=&level=1&junk=1&sort=level&acked=").await;
    assert_eq!((reply.status, reply.header("location")), (303, wanted), "each view has one address");
    assert_eq!(alice.get(wanted).await.status, 200);
    let restored = "/incidents/?level=1&level=2&restored=1";
    eventually_async("the view is restored", async || alice.get("/incidents/").await.header("location") == restored)
        .await;
    let mut other = Visit::of(&app, "bob").await;
    assert_eq!(other.get("/incidents/").await.header("location"), "/incidents/?open=true");
    // A view that is too long to keep is shown all the same.
    let (one, other) = ("x".repeat(990), "y".repeat(990));
    let long = format!("/incidents/?junk=1&level=1&tags=a%3D{one}&tags=a%3D{other}");
    let long = alice.get(&long).await.header("location").to_owned();
    assert!(long.contains(&one) && long.contains(&other), "{long}");
    assert!(long.len() > "/incidents/?".len() + 2_000, "{}", long.len());
    assert_eq!(alice.get(&long).await.status, 200);
    assert_eq!(alice.get("/incidents/").await.header("location"), restored);
}

#[tokio::test]
async fn a_search_and_an_order_are_not_restored() {
    let app = App::new().await;
    six(&app).await;
    let mut alice = Visit::of(&app, "alice").await;
    let start = async |visit: &mut Visit| visit.get("/incidents/").await.header("location").to_owned();
    assert_eq!(rows(&list(&mut alice, "open=true&q=nosuchword&sort=level").await), [0; 0]);
    for _ in 0..3 {
        assert_eq!(start(&mut alice).await, "/incidents/?open=true");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    list(&mut alice, "open=true&acked=false&q=nosuchword").await;
    let wanted = "/incidents/?open=true&acked=false&restored=1";
    eventually_async("the view is restored", async || start(&mut alice).await == wanted).await;
    let says = "Filter from last time.";
    let page = alice.get(wanted).await;
    assert!(page.text.contains(says) && page.text.contains("<a href=\"/incidents/?open=true\">Clear</a>"));
    assert!(!alice.get("/incidents/?open=true&acked=false").await.text.contains(says));
    // Somebody else who opens that address did not have it last.
    let mut bob = Visit::of(&app, "bob").await;
    assert!(!bob.get(wanted).await.text.contains(says));
    // What was kept before is not restored as it is.
    let kept = "open=false&q=nosuchword&sort=-level".to_owned();
    let caller = app.service.people().session(alice.cookie("sessionid").unwrap()).unwrap();
    app.service.people().change_preferences(&caller, move |preferences| preferences.last_view = kept).await.unwrap();
    let mut elsewhere = Visit::again(&app, "alice").await;
    assert_eq!(start(&mut elsewhere).await, "/incidents/?open=false&restored=1");
    assert_eq!(start(&mut alice).await, wanted, "this browser had another view since");
    alice.set_cookie("lastview", &format!("{}.open=false&q=nosuchword&sort=-level", caller.id()));
    assert_eq!(start(&mut alice).await, "/incidents/?open=false&restored=1");
}

#[tokio::test]
async fn sources_are_found_by_a_part_of_their_name() {
    let app = App::new().await;
    six(&app).await;
    let mut alice = Visit::of(&app, "alice").await;
    let source = app.service.directory().sources.values().find(|it| it.name == "zabbix-src").unwrap().id;
    let reply = alice.get("/incidents/?open=true&source_name=BBIX").await;
    assert_eq!(reply.header("location"), format!("/incidents/?open=true&source={source}"));
    for (typed, says) in [("nothing", "No source is named “nothing”."), ("a", "sources have “a” in their names.")]
    {
        for query in [format!("open=true&source_name={typed}"), format!("source_name={typed}")] {
            let to = alice.get(&format!("/incidents/?{query}")).await.header("location").to_owned();
            assert!(!to.contains("source="), "{to}");
            assert!(alice.get(&to).await.text.contains(says), "{query}");
        }
    }
}

#[tokio::test]
async fn rows_show_as_many_tags_as_fit() {
    let app = App::new().await;
    let mut alice = Visit::of(&app, "alice").await;
    alice.submit("/incidents/columns/", &[("view", "open=true"), ("columns", "tags")]).await;
    let mut shown = async |tags: &[&str]| {
        let tags: Vec<Value> = tags.iter().map(|tag| json!({ "tag": tag })).collect();
        app.incident().open().with(json!({"tags": tags})).post().await;
        let page = alice.get("/incidents/?open=true").await.text;
        let cell = between(&page, "<td class=\"c-tags\">", "</td>").remove(0);
        (between(&cell, "tags=", "\""), between(&cell, "\">+", "<"), between(&cell, "title=\"", "\""))
    };
    let none: [&str; 0] = [];
    let (tags, more, rest) = shown(&["host=a", "site=oslo"]).await;
    assert_eq!((tags, more.len(), rest.len()), (vec!["host%3Da".to_owned(), "site%3Doslo".to_owned()], 0, 0));
    let long = format!("z={}", "x".repeat(100));
    let (tags, more, rest) = shown(&["host=core-router-1.example.org", "site=oslo", &long]).await;
    assert_eq!(tags, ["host%3Dcore-router-1.example.org"]);
    assert_eq!((more, rest), (vec!["2".to_owned()], vec![format!("site=oslo {long}")]));
    let (tags, more, _) = shown(&[&long]).await;
    assert_eq!((tags.len(), more), (1, none.map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn pages_in_any_order_add_up_to_everything() {
    let app = App::new().await;
    for number in 0..70_u64 {
        let level = number % 5 + 1;
        // Many begin at the same moment.
        app.incident().starts(at((number % 9) as i64)).level(level).open().post().await;
    }
    let mut alice = Visit::of(&app, "alice").await;
    alice.post("/user/preferences/", &[("page_size", "25")]).await;
    for sort in ["", "sort=start", "sort=-id", "sort=id", "sort=level", "sort=-level", "sort=ticket"] {
        let mut path = format!("/incidents/?{}", if sort.is_empty() { "open=any" } else { sort });
        let (mut all, mut sizes, mut back) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            let page = alice.get(&path).await;
            sizes.push(rows(&page).len());
            back.push(rows(&page));
            all.extend(rows(&page));
            assert_eq!(matching(&page), 70);
            match between(&page.text, "rel=\"next\" href=\"", "\"").pop() {
                Some(next) => path = next,
                None => break,
            }
        }
        assert_eq!(sizes, [25, 25, 20], "{sort}");
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 70, "{sort}: none twice, none left out");
        let last = alice.get(&path).await;
        let previous = between(&last.text, "rel=\"prev\" href=\"", "\"").pop().unwrap();
        assert_eq!(rows(&alice.get(&previous).await), back[1], "{sort}: and back");
        match sort {
            "sort=id" => assert!(all.is_sorted()),
            "sort=-id" => assert!(all.is_sorted_by(|a, b| a > b)),
            "sort=level" => assert!(all.is_sorted_by_key(|pk| (pk - all.iter().min().unwrap()) % 5)),
            _ => {}
        }
    }
    // A broken place is the first page.
    assert_eq!(rows(&alice.get("/incidents/?open=any&cursor=junk").await).len(), 25);
}

#[tokio::test]
async fn counts_beside_choices_are_right() {
    let app = App::new().await;
    six(&app).await;
    let mut alice = Visit::of(&app, "alice").await;
    let counts = alice.get("/incidents/facets/?open=any").await.json();
    for (name, count) in [
        ("level:1", 1),
        ("level:5", 2),
        ("source_type:zabbix", 6),
        ("event_type:ACK", 1),
        ("event_type:STA", 5),
        ("open", 4),
        ("closed", 1),
        ("acked", 1),
        ("unacked", 5),
        ("with_ticket", 1),
        ("without_ticket", 5),
        ("stateless", 1),
    ] {
        assert_eq!(counts[name], count, "{name} in {counts}");
    }
    // Each choice is counted as if it were the next one to be made: by hand, over the pages.
    for view in ["open=true", "level=1&level=5", "tags=host%3Da", "q=link", "open=true&acked=false&level=3"] {
        let counts = alice.get(&format!("/incidents/facets/?{view}")).await.json();
        let without = |name: &str| {
            let kept: Vec<&str> = view.split('&').filter(|pair| !pair.starts_with(&format!("{name}="))).collect();
            if kept.is_empty() { "open=any".to_owned() } else { kept.join("&") }
        };
        for level in 1..=5 {
            let page = list(&mut alice, &format!("{}&level={level}", without("level"))).await;
            assert_eq!(counts[format!("level:{level}")], matching(&page), "level {level} of {view}");
        }
        for (name, value) in [("acked", "true"), ("unacked", "false")] {
            let page = list(&mut alice, &format!("{}&acked={value}", without("acked"))).await;
            assert_eq!(counts[name], matching(&page), "{name} of {view}");
        }
    }
}

#[tokio::test]
async fn tags_are_suggested() {
    let app = App::new().await;
    six(&app).await;
    let mut alice = Visit::of(&app, "alice").await;
    let options = alice.get("/incidents/tags/?q=host").await;
    assert!(options.text.contains("<option value=\"host=a\">2</option>"), "{}", options.text);
    assert!(!options.text.contains("site=oslo"));
    let options = alice.get("/incidents/tags/?q=site%3Db").await;
    assert_eq!(options.text, "<option value=\"site=bergen\">1</option>");
    assert_eq!(alice.get("/incidents/tags/?q=zzz").await.text, "");
}

#[tokio::test]
async fn a_view_is_saved_as_a_filter() {
    let app = App::new().await;
    let [a, b, c, d, ..] = six(&app).await;
    let mut alice = Visit::of(&app, "alice").await;
    let mut bob = Visit::of(&app, "bob").await;
    let page =
        alice.submit("/incidents/filters/", &[("view", "open=true&tags=host%3Da&cursor=x"), ("name", "Mine")]).await;
    assert_eq!(rows(&page), [a, d]);
    assert!(page.text.contains("<summary>Mine</summary>") && page.text.contains("Saved as “Mine”."), "{}", page.text);
    let id = app.service.directory().filters.values().next().unwrap().id;
    let bare = alice.get(&format!("/incidents/?filter={id}")).await;
    assert_eq!(bare.header("location"), format!("/incidents/?open=true&tags=host%3Da&filter={id}"));
    let changed = alice.get(&format!("/incidents/?open=true&filter={id}")).await;
    assert!(changed.text.contains("<summary>Mine (changed)</summary>"));

    // It is one's own until it is public.
    let bobs = list(&mut bob, &format!("filter={id}&open=true")).await;
    assert!(!bobs.text.contains("Mine") && rows(&bobs) == [a, b, c, d]);
    let id_text = id.to_string();
    let steal = [("view", "open=true"), ("replace", id_text.as_str())];
    assert_eq!(bob.post("/incidents/filters/", &steal).await.status, 404);
    let page = alice
        .submit(
            "/incidents/filters/",
            &[("view", &format!("open=true&level=1&level=2&filter={id}")), ("replace", &id_text)],
        )
        .await;
    assert_eq!(rows(&page), [a, b]);
    assert_eq!(app.service.directory().filters.len(), 1);
    let public = [("view", "acked=true"), ("name", "For <all>"), ("public", "on")];
    assert_eq!(rows(&alice.submit("/incidents/filters/", &public).await), [b]);
    let page = bob.get("/incidents/?open=true").await;
    assert!(page.text.contains("For &#60;all&#62; <span class=\"quiet\">by alice</span>"), "{}", page.text);
}

#[tokio::test]
async fn a_view_that_a_filter_cannot_express_is_not_saved() {
    let app = App::new().await;
    six(&app).await;
    let mut alice = Visit::of(&app, "alice").await;
    let long = "x".repeat(41);
    for (view, name, part) in [
        ("open=any", "A", "Add a filter first."),
        ("q=words", "A", "Search words and numbers"),
        ("q=%235", "A", "Search words and numbers"),
        ("frame=1h", "A", "A time frame"),
        ("longer=5", "A", "A time frame"),
        ("ticket=true", "A", "a ticket, or planned maintenance cannot be saved"),
        ("maintenance=true", "A", "planned maintenance cannot be saved"),
        ("level=2", "A", "Saved filters can only hold levels from 1"),
        ("level=1&level=3", "A", "Saved filters can only hold levels from 1"),
        ("open=true", "", "name"),
        ("open=true", long.as_str(), "name"),
        ("tags=nonsense", "A", "tag"),
    ] {
        let reply = alice.post("/incidents/filters/", &[("view", view), ("name", name)]).await;
        assert_eq!(reply.status, 422, "{view} {name}: {}", reply.text);
        let problem = between(&reply.text, "class=\"problem\" role=\"alert\">", "<").concat();
        assert!(problem.to_lowercase().contains(&part.to_lowercase()), "{view} {name}: {problem:?}");
        assert!(reply.text.contains(&format!("name=\"name\" value=\"{name}\"")), "what was typed stays");
    }
    assert!(app.service.directory().filters.is_empty());
    alice.submit("/incidents/filters/", &[("view", "open=true"), ("name", "Twice")]).await;
    let again = alice.post("/incidents/filters/", &[("view", "open=true"), ("name", "Twice")]).await;
    assert_eq!(again.status, 422, "{}", again.text);
}

fn columns(reply: &Reply) -> Vec<String> {
    let head = between(&reply.text, "<thead>", "</thead>").concat();
    between(&head, "<th class=\"c-", "\"")
}

#[tokio::test]
async fn columns_are_chosen_and_ordered() {
    let app = App::new().await;
    six(&app).await;
    let mut alice = Visit::of(&app, "alice").await;
    let standard = ["select", "level", "status", "start", "age", "source", "description", "ticket"];
    assert_eq!(columns(&alice.get("/incidents/?open=true").await), standard);
    let view = ("view", "open=true");
    let some = [view, ("columns", "tags"), ("columns", "id"), ("columns", "junk"), ("columns", "id")];
    let page = alice.submit("/incidents/columns/", &some).await;
    assert_eq!(columns(&page), ["select", "tags", "id"]);
    assert!(page.text.contains("id=\"columns\""), "the choice stays open");
    let page = alice.submit("/incidents/columns/", &[view, ("up", "id"), ("columns", "tags"), ("columns", "id")]).await;
    assert_eq!(columns(&page), ["select", "id", "tags"]);
    let page = alice.submit("/incidents/columns/", &[view]).await;
    assert_eq!(columns(&page), ["select", "id", "tags"], "no column at all is no choice");
    let page = alice.submit("/incidents/columns/", &[view, ("preset", "maintenance"), ("columns", "id")]).await;
    assert_eq!(columns(&page)[1..3], ["start", "level"]);
    let all = ["id", "start", "age", "end", "status", "acked", "level", "source", "source_type", "description", "tags"];
    let all: Vec<(&str, &str)> = all
        .iter()
        .chain(&["ticket", "maintenance", "last_event"])
        .map(|name| ("columns", *name))
        .chain([view])
        .collect();
    let page = alice.submit("/incidents/columns/", &all).await;
    assert_eq!(columns(&page).len(), 15);
    assert_eq!(rows(&page).len(), 4);
    let mut bob = Visit::of(&app, "bob").await;
    assert_eq!(columns(&bob.get("/incidents/?open=true").await), standard, "each their own");
}

#[tokio::test]
async fn the_number_of_rows_is_chosen() {
    let app = App::new().await;
    for _ in 0..60 {
        app.incident().open().post().await;
    }
    let mut alice = Visit::of(&app, "alice").await;
    for (size, shown) in [("25", 25), ("50", 50), ("7", 50), ("junk", 50), ("200", 60)] {
        let fields = [("page_size", size), ("next", "/incidents/?open=true&sort=id")];
        let page = alice.submit("/user/preferences/", &fields).await;
        assert_eq!(rows(&page).len(), shown, "{size}");
        assert!(page.text.contains("aria-sort=\"ascending\"") || !columns(&page).contains(&"id".to_owned()));
    }
}

#[tokio::test]
async fn a_wall_display_is_read_only() {
    let app = App::new().await;
    let [a, b, c, d, ..] = six(&app).await;
    let mut alice = Visit::of(&app, "alice").await;
    let page = alice.get("/incidents/kiosk/").await;
    assert_eq!(rows(&page), [a, b, c, d]);
    assert!(page.text.contains("<h1>All open incidents</h1>"));
    for absent in ["<form", "<nav", "type=\"checkbox\"", "class=\"top\"", "id=\"filters\""] {
        assert!(!page.text.contains(absent), "{absent}");
    }
    let page = alice.get("/incidents/kiosk/?level=1").await;
    assert_eq!(rows(&page), [a]);
    assert!(page.text.contains("<h1>Custom filter</h1>"));
    alice.submit("/incidents/filters/", &[("view", "acked=true"), ("name", "Looked after")]).await;
    let id = app.service.directory().filters.values().next().unwrap().id;
    let page = alice.get(&format!("/incidents/kiosk/?filter={id}")).await;
    assert_eq!(rows(&page), [b]);
    assert!(page.text.contains("<h1>Looked after</h1>"));
    let mut bob = Visit::of(&app, "bob").await;
    assert!(!bob.get(&format!("/incidents/kiosk/?filter={id}")).await.text.contains("Looked after"));
}

const MARKUP: &str = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&";

#[tokio::test]
async fn hostile_texts_are_shown_as_text() {
    let app = App::new().await;
    let source = argusd::domain::source::SourceDraft {
        name: Some(MARKUP.to_owned()),
        source_type: Some("zabbix".to_owned()),
        base_url: Some("https://x.example/".to_owned()),
        username: Some("evil".to_owned()),
        ..argusd::domain::source::SourceDraft::default()
    };
    app.service.sources().create_source(&app.local, source).await.unwrap();
    let evil = app.bearing(&app.new_token("evil").await);
    let mut pks = Vec::new();
    for url in ["javascript:alert(1)", "data:text/html,x", "https://x/\"onmouseover=\"alert(1)", "JaVaScRiPt:alert(1)"]
    {
        let new = json!({
            "start_time": at(1), "end_time": "infinity", "description": MARKUP, "ticket_url": url,
            "tags": [{"tag": format!("x={MARKUP}")}, {"tag": "y=javascript:alert(1)"}],
        });
        let reply = evil.post("/api/v2/incidents/", new).await;
        pks.extend(reply.json()["pk"].as_u64());
        // Not validated in bulk.
        let bulk = json!({"ids": pks, "ticket_url": url});
        app.of(Who::EndUser).post("/api/v2/incidents/ticket_url/bulk/", bulk).await;
    }
    let mut alice = Visit::of(&app, "alice").await;
    let all: Vec<(&str, &str)> = ["description", "tags", "source", "source_type", "ticket", "maintenance", "id"]
        .map(|name| ("columns", name))
        .to_vec();
    alice.post("/incidents/columns/", &all).await;
    let mut text = String::new();
    let hostile =
        form(&[("q", MARKUP), ("tags", MARKUP), ("source_type", MARKUP), ("source_name", MARKUP), ("x", MARKUP)]);
    for path in ["/incidents/", "/incidents/kiosk/", "/incidents/filters/", "/incidents/tags/", "/incidents/bulk/x/"] {
        text.push_str(&alice.get(&format!("{path}?open=any")).await.text);
        let mut reply = alice.get(&format!("{path}?{hostile}")).await;
        if reply.status == 303 {
            let to = reply.header("location").to_owned();
            reply = alice.get(&to).await;
        }
        text.push_str(&reply.text);
        text.push_str(&alice.get(&format!("{path}?view={}", form(&[("", &hostile)]))).await.text);
    }
    let fields = [("view", hostile.as_str()), ("name", MARKUP), ("action", "ticket"), ("ticket", MARKUP), ("pk", "1")];
    text.push_str(&alice.post("/incidents/filters/", &fields).await.text);
    text.push_str(&alice.submit("/incidents/bulk/", &fields).await.text);
    assert!(text.contains("&#60;script&#62;alert(1)"));
    for live in ["<script>alert", "<img src=x", "href=\"javascript", "href=\"data:", "\"onmouseover", "href=\"JaVa"] {
        assert!(!text.contains(live), "{live}");
    }
}

#[tokio::test]
async fn the_list_needs_a_login() {
    let app = App::new().await;
    let pk = app.incident().open().description("secret story").post().await;
    let mut visit = Visit::stranger(&app);
    for path in
        ["/incidents/", "/incidents/?open=true", "/incidents/kiosk/", "/incidents/filters/", "/incidents/bulk/x/"]
    {
        let reply = visit.get(path).await;
        assert_eq!(reply.status, 303, "{path}");
        assert!(reply.header("location").starts_with("/accounts/login/?next=%2Fincidents%2F"), "{path}");
    }
    for path in ["/incidents/facets/", "/incidents/tags/"] {
        assert_eq!(visit.get(path).await.status, 303, "{path}");
    }
    let pk = pk.to_string();
    for path in ["/incidents/bulk/", "/incidents/columns/", "/incidents/filters/", "/incidents/bulk/x/undo/"] {
        let reply = visit.post(path, &[("action", "close"), ("pk", &pk)]).await;
        assert_eq!((reply.status, reply.header("location")), (303, "/accounts/login/"), "{path}");
    }
    let reply = visit.get("/live/?list=a~0~open%3Dtrue").await;
    assert_eq!((reply.status, reply.text.as_str()), (401, ""));
    // Tokens are for the API only.
    assert_eq!(app.of(Who::Superuser).get("/incidents/?open=any").await.status, 303);
    assert_eq!(app.of(Who::Superuser).get("/live/").await.status, 401);
}

#[tokio::test]
async fn incidents_under_maintenance_can_be_shown_or_hidden() {
    let app = App::new().await;
    let all = six(&app).await;
    let [a, b, _, d, ..] = all;
    let staff = app.of(Who::Staff);
    let filter = async |name: &str, blob: Value| staff.filter(name).matching(blob).post().await;
    let (oslo, open) =
        (filter("oslo", json!({"tags": ["site=oslo"]})).await, filter("open", json!({"open": true})).await);
    let (host, down) = (filter("host", json!({"tags": ["host=a"]})).await, filter("low", json!({"maxlevel": 1})).await);
    let plan = |filters: Vec<u64>, from: i64, to: i64| {
        let (staff, end) = (staff.clone(), at(-to));
        async move {
            let new = json!({"filters": filters, "start_time": at(-from), "end_time": end});
            let made = staff.post("/api/v2/plannedmaintenance/", new).await;
            assert_eq!(made.status, 201, "{}", made.text);
        }
    };
    let mut visit = Visit::of(&app, "alice").await;
    assert_eq!(rows(&list(&mut visit, "maintenance=true&open=any").await), [0; 0]);
    // All filters of a task have to match, and it has to be on.
    plan(vec![oslo, open], -5, 60).await;
    plan(vec![host], 30, 60).await;
    let under = list(&mut visit, "maintenance=true").await;
    assert_eq!((rows(&under), matching(&under)), (vec![a, b], 2));
    let others: Vec<u64> = rows(&list(&mut visit, "maintenance=false").await);
    assert!(others.len() == 4 && !others.contains(&a) && !others.contains(&b), "{others:?}");
    assert_eq!(rows(&list(&mut visit, "maintenance=true&level=1").await), [a]);
    assert_eq!(rows(&list(&mut visit, "maintenance=true&q=fan").await), [b]);
    assert_eq!(rows(&list(&mut visit, "maintenance=false&tags=host%3Da").await)[..1], [d]);

    app.clock.advance_micros(40 * MINUTE);
    assert!(rows(&list(&mut visit, "maintenance=true").await).contains(&d), "the second task is on");
    plan(vec![down], 0, 200).await;
    let page = list(&mut visit, "maintenance=true").await;
    assert!(page.text.contains("name=\"maintenance\" value=\"true\" checked"), "{}", page.text);
    app.clock.advance_micros(60 * MINUTE);
    assert_eq!(rows(&list(&mut visit, "maintenance=true").await), [a], "two are over");

    // Types of events in a filter of a task do not count, as on the page of the incident.
    let ended = filter("ended", json!({"tags": ["host=a"], "event_types": ["END"]})).await;
    plan(vec![ended], 0, 200).await;
    let under = rows(&list(&mut visit, "maintenance=true").await);
    assert!(under.contains(&d), "{under:?}");
    assert!(visit.get(&format!("/incidents/{d}/")).await.text.contains("under maintenance"));
    // The API knows the same.
    for (wanted, count) in [("true", under.len()), ("false", 6 - under.len())] {
        let path = format!("/api/v2/incidents/?count&under_maintenance={wanted}");
        assert_eq!(staff.get(&path).await.json()["count"], count, "{wanted}");
    }
}
