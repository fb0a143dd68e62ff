//! The pages of notification settings, as a browser without scripts sees them.

use std::sync::Arc;

use argusd::domain::{
    event::EventType,
    ids::UserId,
    severity::Level,
    stored_filter::StoredFilter,
    timeslot::{TimeOfDay, Timeslot},
};
use serde_json::json;

use crate::support::{App, Reply, Who, visit::Visit};

const HOSTILE: &str = "<script>x()</script>\"'><b>&amp;";

const PROFILES: &str = "/notifications/profiles/";
const TIMESLOTS: &str = "/notifications/timeslots/";
const DESTINATIONS: &str = "/notifications/destinations/";
const FILTERS: &str = "/notifications/filters/";

async fn visit_of_alice() -> (App, Visit, UserId) {
    let app = App::new().await;
    let visit = Visit::of(&app, "alice").await;
    let alice = app.user_id("alice");
    (app, visit, alice)
}

fn timeslot(app: &App, owner: UserId, name: &str) -> Arc<Timeslot> {
    let directory = app.service.directory();
    let found = directory.timeslots_of(owner).into_iter().find(|it| it.name == name).cloned();
    found.unwrap_or_else(|| panic!("no timeslot {name}"))
}

fn filter(app: &App, owner: UserId, name: &str) -> Arc<StoredFilter> {
    let directory = app.service.directory();
    let found = directory.filters_of(owner).into_iter().find(|it| it.name == name).cloned();
    found.unwrap_or_else(|| panic!("no filter {name}"))
}

#[track_caller]
fn says(reply: &Reply, status: u16, part: &str) {
    assert_eq!(reply.status, status, "{}", reply.text);
    assert!(reply.text.contains(part), "no {part:?} in {}", reply.text);
}

/// A refused form: the problem, and what was typed.
#[track_caller]
fn refused(reply: &Reply, problem: &str) {
    says(reply, 422, "role=\"alert\"");
    says(reply, 422, problem);
}

#[tokio::test]
async fn the_first_profile_takes_one_step() {
    let (app, mut visit, alice) = visit_of_alice().await;
    says(&visit.get(PROFILES).await, 200, "value=\"alice@example.org\"");
    let reply = visit.post("/notifications/profiles/first/", &[("email", "nobody"), ("level", "2")]).await;
    refused(&reply, "E-mail address:");
    says(&reply, 422, "value=\"nobody\"");
    refused(&visit.post("/notifications/profiles/first/", &[("email", "a@b.org"), ("level", "9")]).await, "Level:");
    assert!(app.service.directory().profiles_of(alice).is_empty(), "nothing is made by half");

    let before = app.service.directory().destinations_of(alice).len();
    let wish = [("email", "alice@example.org"), ("level", "2")];
    let reply = visit.submit("/notifications/profiles/first/", &wish).await;
    says(&reply, 200, "Up to level 2");
    says(&reply, 200, "alice@example.org");
    says(&reply, 200, "open now");
    let directory = app.service.directory();
    let profile = directory.profiles_of(alice)[0];
    assert!(profile.active);
    assert_eq!(directory.timeslots[&profile.timeslot].name, "All the time");
    assert_eq!(directory.filters[&profile.filters[0]].blob.max_level, Level::new(2));
    assert_eq!(directory.destinations_of(alice).len(), before, "the address was a destination already");

    visit.submit("/notifications/profiles/first/", &[("email", "other@example.org"), ("level", "2")]).await;
    let directory = app.service.directory();
    let names: Vec<_> = directory.profiles_of(alice).iter().map(|it| it.name.clone().unwrap()).collect();
    assert_eq!(names, ["Up to level 2", "Up to level 2 (2)"]);
    assert_eq!((directory.filters_of(alice).len(), directory.destinations_of(alice).len()), (1, before + 1));
}

#[tokio::test]
async fn profiles_are_created_changed_switched_and_deleted() {
    let (app, mut visit, alice) = visit_of_alice().await;
    visit.submit("/notifications/filters/new/", &[("name", "Grave"), ("level", "2")]).await;
    let (slot, grave) =
        (timeslot(&app, alice, "All the time").id.to_string(), filter(&app, alice, "Grave").id.to_string());
    let place = app.service.directory().destinations_of(alice)[0].id.to_string();
    let whole =
        [("name", "Night"), ("timeslot", &*slot), ("filters", &*grave), ("destinations", &*place), ("active", "on")];
    let new = "/notifications/profiles/new/";
    refused(&visit.post(new, &[whole[0], whole[1]]).await, "Filters: choose at least one.");
    refused(&visit.post(new, &[whole[0], whole[2]]).await, "Timeslot: choose one.");
    refused(&visit.post(new, &[whole[1], whole[2], ("destinations", "999")]).await, "Destinations:");
    let long = "x".repeat(41);
    refused(&visit.post(new, &[("name", &long), whole[1], whole[2]]).await, "longer than 40");
    let of_bob = timeslot(&app, app.user_id("bob"), "All the time").id.to_string();
    refused(&visit.post(new, &[whole[0], ("timeslot", &of_bob), whole[2]]).await, "somebody else");
    assert!(app.service.directory().profiles_of(alice).is_empty());

    says(&visit.submit(new, &whole).await, 200, "Night");
    refused(&visit.post(new, &whole).await, "Name: you already have a profile with this name.");
    let id = app.service.directory().profiles_of(alice)[0].id;
    let path = format!("{PROFILES}{id}/");
    says(&visit.get(&path).await, 200, "value=\"Night\"");
    let reply = visit.submit(&path, &[("name", "Day"), whole[1], whole[2]]).await;
    says(&reply, 200, "no destination is chosen");
    let now = app.service.directory().profiles[&id].clone();
    assert_eq!((now.name.as_deref(), now.active, now.destinations.len()), (Some("Day"), false, 0));

    visit.submit(&format!("{path}switch/"), &[("on", "1")]).await;
    assert!(app.service.directory().profiles[&id].active);
    visit.submit(&format!("{path}switch/"), &[]).await;
    assert!(!app.service.directory().profiles[&id].active);
    visit.submit(&format!("{path}delete/"), &[]).await;
    assert!(app.service.directory().profiles_of(alice).is_empty());
}

#[tokio::test]
async fn a_profile_is_previewed_before_it_is_saved() {
    let (app, mut visit, alice) = visit_of_alice().await;
    for level in 1..=4 {
        app.incident().level(level).description(format!("number {level}")).post().await;
    }
    visit.submit("/notifications/filters/new/", &[("name", "Grave"), ("level", "2")]).await;
    let (slot, grave) =
        (timeslot(&app, alice, "All the time").id.to_string(), filter(&app, alice, "Grave").id.to_string());
    let place = app.service.directory().destinations_of(alice)[0].id.to_string();
    let draft = [("timeslot", &*slot), ("filters", &*grave), ("destinations", &*place)];
    for (path, extra) in
        [("/notifications/profiles/new/", Some(("preview", "1"))), ("/notifications/profiles/preview/", None)]
    {
        let fields: Vec<_> = draft.into_iter().chain(extra).collect();
        let reply = visit.post(path, &fields).await;
        says(&reply, 200, "<strong>2</strong> messages in the last 30 days");
        says(&reply, 200, "Most between 12:00 and 13:00: 2.");
        says(&reply, 200, "number 1");
        assert!(!reply.text.contains("number 3"));
    }
    says(&visit.post("/notifications/profiles/preview/", &draft[..1]).await, 200, "choose at least one");
    says(&visit.post("/notifications/profiles/preview/", &draft[..2]).await, 200, "2 more not sent: no destination.");
    assert!(app.service.directory().profiles_of(alice).is_empty(), "nothing was saved");
}

#[tokio::test]
async fn a_night_shift_is_stored_in_two_parts() {
    let (app, mut visit, alice) = visit_of_alice().await;
    let new = "/notifications/timeslots/new/";
    for (fields, problem) in [
        (&[("name", "Night")][..], "never opens"),
        (&[("name", "Night"), ("days-0", "1"), ("from-0", "22:00"), ("to-0", "")], "Row 1: “to”"),
        (&[("name", "Night"), ("days-0", "1"), ("from-0", "08:00"), ("to-0", "08:00")], "ends when it begins"),
        (&[("name", ""), ("days-0", "1"), ("from-0", "08:00"), ("to-0", "09:00")], "empty"),
        (
            &[("name", "All the time"), ("days-0", "1"), ("from-0", "08:00"), ("to-0", "09:00")],
            "already have a timeslot “All the time”",
        ),
    ] {
        refused(&visit.post(new, fields).await, problem);
    }
    let night = [("name", "Night"), ("days-0", "5"), ("days-0", "1"), ("from-0", "22:00"), ("to-0", "06:00")];
    let reply = visit.submit(new, &night).await;
    says(&reply, 200, "Mon, Fri 22:00–06:00");
    says(&reply, 200, "opens Fri 22:00");
    let stored = timeslot(&app, alice, "Night");
    let parts: Vec<_> = stored.recurrences.iter().map(|it| (it.days.clone(), it.start.to_string(), it.end)).collect();
    let six = TimeOfDay::parse("06:00").unwrap();
    assert_eq!(
        parts,
        [(vec![1, 5], "22:00:00".to_owned(), TimeOfDay::LAST), (vec![2, 6], "00:00:00".to_owned(), six),]
    );
    let form = visit.get(&format!("{TIMESLOTS}{}/", stored.id)).await;
    says(&form, 200, "name=\"from-0\" value=\"22:00\"");
    says(&form, 200, "name=\"to-0\" value=\"06:00\"");
}

#[tokio::test]
async fn times_that_are_not_touched_stay_to_the_microsecond() {
    let (app, mut visit, alice) = visit_of_alice().await;
    let odd = json!({"name": "Odd", "time_recurrences": [{"days": [1], "start": "08:00:30", "end": "16:00:00.25"}]});
    let reply = app.of(Who::EndUser).post("/api/v2/notificationprofiles/timeslots/", odd).await;
    assert_eq!(reply.status, 201);
    let before = timeslot(&app, alice, "Odd");
    let path = format!("{TIMESLOTS}{}/", before.id);
    says(&visit.get(&path).await, 200, "value=\"08:00:30\" step=\"1\"");
    let same = [("days-0", "1"), ("from-0", "08:00:30"), ("to-0", "16:00")];
    visit.submit(&path, &[&[("name", "Renamed")], &same[..]].concat()).await;
    assert_eq!(timeslot(&app, alice, "Renamed").recurrences, before.recurrences);
    visit.submit(&path, &[("name", "Renamed"), ("days-0", "1"), ("from-0", "08:00"), ("to-0", "16:00")]).await;
    assert_ne!(timeslot(&app, alice, "Renamed").recurrences, before.recurrences);
}

#[tokio::test]
async fn deleting_a_timeslot_deletes_its_profiles_after_a_warning() {
    let (app, mut visit, alice) = visit_of_alice().await;
    visit.submit("/notifications/profiles/first/", &[("email", "alice@example.org"), ("level", "1")]).await;
    says(&visit.get(TIMESLOTS).await, 200, "Delete with 1 profile");
    let slot = timeslot(&app, alice, "All the time").id;
    visit.submit(&format!("{TIMESLOTS}{slot}/delete/"), &[]).await;
    assert!(app.service.directory().profiles_of(alice).is_empty());
    says(&visit.get(TIMESLOTS).await, 200, "Create the first one");
}

#[tokio::test]
async fn secrets_are_accepted_but_never_shown() {
    let (app, mut visit, alice) = visit_of_alice().await;
    let new = "/notifications/destinations/new/";
    says(&visit.get(new).await, 200, "?medium=webhook");
    let form = visit.get("/notifications/destinations/new/?medium=webhook").await;
    says(&form, 200, "type=\"password\"");
    refused(&visit.post(new, &[("medium", "pigeon")]).await, "Medium: choose one.");
    let url = ("destination_url", "https://hooks.example.org/a");
    let reply =
        visit.post(new, &[("medium", "webhook"), ("destination_url", "ftp://x"), ("secret", "hush-hush")]).await;
    refused(&reply, "URL: Enter a valid URL");
    assert!(!reply.text.contains("hush-hush"), "not even when it is refused");
    let reply = visit.submit(new, &[("medium", "webhook"), url, ("secret", "hush-hush"), ("label", "Robot")]).await;
    says(&reply, 200, "Robot (hooks.example.org)");
    let stored = || {
        let directory = app.service.directory();
        directory.destinations_of(alice).into_iter().find(|it| it.medium == "webhook").cloned().unwrap()
    };
    assert_eq!(stored().settings["secret"], "hush-hush");

    let path = format!("{DESTINATIONS}{}/", stored().id);
    let form = visit.get(&path).await;
    says(&form, 200, "placeholder=\"unchanged\"");
    assert!(!form.text.contains("hush-hush"));
    visit.submit(&path, &[("destination_url", "https://hooks.example.org/b"), ("secret", ""), ("label", "")]).await;
    let now = stored();
    assert_eq!(
        (&*now.settings["secret"], &*now.settings["destination_url"]),
        ("hush-hush", "https://hooks.example.org/b")
    );
    assert_eq!(now.label, None);
    visit.submit(&path, &[url, ("secret", ""), ("remove-secret", "on")]).await;
    assert!(!stored().settings.contains_key("secret"));
}

#[tokio::test]
async fn each_medium_checks_its_address() {
    let (_app, mut visit, _) = visit_of_alice().await;
    for (medium, field, bad, title) in [
        ("email", "email_address", "x", "Email address:"),
        ("sms", "phone_number", "12", "Phone number:"),
        ("slack", "destination_url", "http://x.org/", "Slack Webhook:"),
        ("ntfy", "destination_url", "", "Topic: required."),
    ] {
        let fields = [("medium", medium), (field, bad), ("label", "Kept")];
        let reply = visit.post("/notifications/destinations/new/", &fields).await;
        refused(&reply, title);
        says(&reply, 422, "value=\"Kept\"");
    }
    let twice = [("medium", "email"), ("email_address", "alice@example.org")];
    refused(
        &visit.post("/notifications/destinations/new/", &twice).await,
        "already have a destination with this address",
    );
}

#[tokio::test]
async fn a_destination_in_use_or_synced_cannot_be_deleted() {
    let (app, mut visit, alice) = visit_of_alice().await;
    let managed = app.service.directory().destinations_of(alice)[0].id;
    let page = visit.get(DESTINATIONS).await;
    says(&page, 200, "Follows the e-mail address");
    assert!(!page.text.contains(&format!("{DESTINATIONS}{managed}/delete/")));
    let reply = visit.post(&format!("{DESTINATIONS}{managed}/delete/"), &[]).await;
    refused(&reply, "follows the e-mail address of your account");
    visit.submit("/notifications/profiles/first/", &[("email", "pager@example.org"), ("level", "1")]).await;
    let directory = app.service.directory();
    let pager = directory.destinations_of(alice).into_iter().find(|it| !it.synced).unwrap().id;
    let reply = visit.post(&format!("{DESTINATIONS}{pager}/delete/"), &[]).await;
    refused(&reply, "in use in your profile “Up to level 1”");
    let profile = directory.profiles_of(alice)[0].id;
    visit.submit(&format!("{PROFILES}{profile}/delete/"), &[]).await;
    visit.submit(&format!("{DESTINATIONS}{pager}/delete/"), &[]).await;
    assert!(!app.service.directory().destinations.contains_key(&pager));
}

#[tokio::test]
async fn a_test_message_shows_how_it_went_until_there_are_too_many() {
    let (app, mut visit, alice) = visit_of_alice().await;
    let id = app.service.directory().destinations_of(alice)[0].id;
    let path = format!("{DESTINATIONS}{id}/test/");
    let reply = visit.post(&path, &[]).await;
    says(&reply, 200, "Test message sent.");
    says(&reply, 200, "250 OK");
    says(&reply, 200, "<h1>");
    assert_eq!(app.sender.sent(), [(id, "alice".to_owned())]);
    let mut last = reply;
    for _ in 0..5 {
        last = visit.post(&path, &[]).await;
    }
    says(&last, 200, "Try again in ");
    assert!(app.sender.sent().len() < 6);
}

#[tokio::test]
async fn a_filter_keeps_all_its_criteria_and_says_what_matches() {
    let (app, mut visit, alice) = visit_of_alice().await;
    app.incident().level(2).tag("host=a").post().await;
    app.incident().level(2).tag("host=b").post().await;
    let zabbix = app.service.directory().source_named("zabbix", "zabbix-src").unwrap().id;
    let source = zabbix.to_string();
    let fields = [
        ("name", "All of it"),
        ("open", "yes"),
        ("acked", "no"),
        ("stateful", "yes"),
        ("level", "3"),
        ("sources", &*source),
        ("source_types", "zabbix"),
        ("tags", "host=a"),
        ("tags", ""),
        ("event_types", "STA"),
        ("hide_closed_acked", "on"),
        ("public", "on"),
    ];
    for (path, extra) in
        [("/notifications/filters/new/", Some(("preview", "1"))), ("/notifications/filters/preview/", None)]
    {
        let reply = visit.post(path, &fields.into_iter().chain(extra).collect::<Vec<_>>()).await;
        says(&reply, 200, "<strong>1</strong> incident matches now.");
        says(&reply, 200, "/incidents/?open=true&#38;acked=false");
        says(&reply, 200, "<strong>1</strong> message in the last 30 days");
    }
    assert!(app.service.directory().filters_of(alice).is_empty(), "nothing was saved");
    says(&visit.submit("/notifications/filters/new/", &fields).await, 200, "tag host=a");
    let stored = filter(&app, alice, "All of it");
    let blob = &stored.blob;
    assert_eq!(
        (blob.open, blob.acked, blob.stateful, blob.max_level),
        (Some(true), Some(false), Some(true), Level::new(3))
    );
    assert_eq!((blob.source_ids.as_deref(), blob.hide_closed_acked), (Some(&[zabbix][..]), true));
    assert_eq!(blob.event_types, Some(vec![EventType::Start]));
    assert_eq!((&blob.tags, stored.public), (&Some(vec!["host=a".to_owned()]), true));

    let path = format!("{FILTERS}{}/", stored.id);
    says(&visit.get(&path).await, 200, "value=\"host=a\"");
    visit.submit(&path, &[("name", "Renamed"), ("acked", "yes")]).await;
    let now = filter(&app, alice, "Renamed");
    assert_eq!((now.blob.acked, &now.blob.tags, now.blob.open, now.public), (Some(true), &None, None, false));
}

#[tokio::test]
async fn a_refused_filter_keeps_what_was_typed() {
    let (_app, mut visit, _) = visit_of_alice().await;
    let new = "/notifications/filters/new/";
    let reply = visit.post(new, &[("name", "X"), ("tags", "nonsense"), ("open", "yes")]).await;
    refused(&reply, "Tags: “nonsense” is not a tag.");
    says(&reply, 422, "value=\"nonsense\"");
    refused(&visit.post(new, &[("name", ""), ("open", "yes")]).await, "empty");
    visit.submit(new, &[("name", "X"), ("open", "yes")]).await;
    refused(&visit.post(new, &[("name", "X"), ("open", "yes")]).await, "already have a filter “X”.");
    says(&visit.post("/notifications/filters/preview/", &[]).await, 200, "matches nothing");
    says(&visit.post("/notifications/filters/preview/", &[("tags", "bad")]).await, 200, "“bad” is not a tag");
}

#[tokio::test]
async fn a_public_filter_that_others_use_stays() {
    let (app, mut alice, id) = visit_of_alice().await;
    let mut bob = Visit::of(&app, "bob").await;
    alice.submit("/notifications/filters/new/", &[("name", "Shared"), ("open", "yes"), ("public", "on")]).await;
    alice.submit("/notifications/filters/new/", &[("name", "Secret plan"), ("open", "yes")]).await;
    let shared = filter(&app, id, "Shared").id.to_string();
    let page = bob.get(FILTERS).await;
    says(&page, 200, "Shared by others");
    assert!(!page.text.contains("Secret plan"));
    assert_eq!(bob.get(&format!("{FILTERS}{shared}/")).await.status, 404, "not theirs to change");
    assert_eq!(bob.post(&format!("{FILTERS}{shared}/delete/"), &[]).await.status, 404);
    let slot = timeslot(&app, app.user_id("bob"), "All the time").id.to_string();
    bob.submit("/notifications/profiles/new/", &[("name", "Bob's"), ("timeslot", &slot), ("filters", &shared)]).await;
    let reply = alice.post(&format!("{FILTERS}{shared}/delete/"), &[]).await;
    refused(&reply, "in use in a profile of another user");
    assert!(!reply.text.contains("Bob&#39;s"), "its name is nobody else's business");

    // No longer shared, it stays where it is: the form still has it, and can be saved and tried.
    alice.submit(&format!("{FILTERS}{shared}/"), &[("name", "Shared"), ("open", "yes")]).await;
    let profile = app.service.directory().profiles_of(app.user_id("bob"))[0].id.to_string();
    let fields = [("id", &*profile), ("timeslot", &*slot), ("filters", &*shared)];
    says(&bob.get(&format!("{PROFILES}{profile}/")).await, 200, "Shared (alice)");
    says(&bob.post("/notifications/profiles/preview/", &fields).await, 200, "messages in the last");
    bob.submit(&format!("{PROFILES}{profile}/"), &fields).await;
    assert!(!bob.get("/notifications/profiles/new/").await.text.contains("Shared (alice)"));
}

#[tokio::test]
async fn things_of_other_users_are_not_found() {
    let (app, mut alice, id) = visit_of_alice().await;
    alice.submit("/notifications/profiles/first/", &[("email", "alice@example.org"), ("level", "1")]).await;
    let mut bob = Visit::of(&app, "bob").await;
    let directory = app.service.directory();
    let profile = directory.profiles_of(id)[0];
    let own = [
        format!("{PROFILES}{}/", profile.id),
        format!("{TIMESLOTS}{}/", profile.timeslot),
        format!("{DESTINATIONS}{}/", profile.destinations[0]),
        format!("{FILTERS}{}/", profile.filters[0]),
    ];
    for path in &own {
        assert_eq!(bob.get(path).await.status, 404, "{path}");
        for action in ["", "delete/"] {
            assert_eq!(bob.post(&format!("{path}{action}"), &[]).await.status, 404, "{path}{action}");
            assert_eq!(alice.post_without_proof(&format!("{path}{action}")).await.status, 403, "{path}{action}");
        }
        let anonymous = app.of(Who::Anonymous).get(path).await;
        assert_eq!((anonymous.status, anonymous.header("location").starts_with("/accounts/login/")), (303, true));
    }
    assert_eq!(bob.post(&format!("{}test/", own[2]), &[]).await.status, 404);
    assert_eq!(bob.post(&format!("{}switch/", own[0]), &[]).await.status, 404);
    assert_eq!(app.service.directory().profiles_of(id).len(), 1);
    assert!(app.sender.sent().is_empty());
}

#[tokio::test]
async fn hostile_names_are_shown_as_text() {
    let (app, mut visit, alice) = visit_of_alice().await;
    let name: String = HOSTILE.chars().take(40).collect();
    visit
        .submit(
            "/notifications/timeslots/new/",
            &[("name", &name), ("days-0", "1"), ("from-0", "08:00"), ("to-0", "09:00")],
        )
        .await;
    let tag = format!("host={HOSTILE}");
    visit.submit("/notifications/filters/new/", &[("name", &name), ("tags", &tag), ("public", "on")]).await;
    let url = "https://x.org/hook?<script>x()</script>";
    visit
        .submit("/notifications/destinations/new/", &[("medium", "slack"), ("destination_url", url), ("label", &name)])
        .await;
    app.incident().description(HOSTILE).tag(tag.as_str()).post().await;
    let directory = app.service.directory();
    let slot = timeslot(&app, alice, &name).id.to_string();
    let filter = filter(&app, alice, &name).id.to_string();
    let place = directory.destinations_of(alice).into_iter().find(|it| it.medium == "slack").unwrap().id.to_string();
    let fields =
        [("name", &*name), ("timeslot", &*slot), ("filters", &*filter), ("destinations", &*place), ("preview", "1")];
    let tried = visit.post("/notifications/profiles/new/", &fields).await;
    visit.submit("/notifications/profiles/new/", &fields[..4]).await;
    let profile = app.service.directory().profiles_of(alice)[0].id;
    let mut replies = vec![
        tried,
        visit.post(&format!("{FILTERS}{filter}/delete/"), &[]).await,
        visit.post(&format!("{DESTINATIONS}{place}/delete/"), &[]).await,
        visit.post(&format!("{DESTINATIONS}{place}/test/"), &[]).await,
        visit.post("/notifications/filters/preview/", &[("tags", HOSTILE)]).await,
        visit.post("/notifications/filters/preview/", &[("tags", &tag)]).await,
    ];
    for path in [PROFILES, TIMESLOTS, DESTINATIONS, FILTERS] {
        replies.push(visit.get(path).await);
    }
    for path in [
        format!("{PROFILES}{profile}/"),
        format!("{TIMESLOTS}{slot}/"),
        format!("{DESTINATIONS}{place}/"),
        format!("{FILTERS}{filter}/"),
    ] {
        replies.push(visit.get(&path).await);
    }
    for reply in replies {
        assert!(matches!(reply.status, 200 | 422), "{}", reply.text);
        assert!(reply.text.contains("x()"), "{}", reply.text);
        assert!(!reply.text.contains("<script>x") && !reply.text.contains("'><b>"), "{}", reply.text);
    }
}

#[tokio::test]
async fn creating_what_a_profile_needs_keeps_what_was_typed() {
    let (app, mut visit, alice) = visit_of_alice().await;
    let fields = [("name", "On call & more"), ("make", "timeslot"), ("active", "on")];
    let place = format!("{PROFILES}new/");
    for (make, form, made, page) in [
        (
            "timeslot",
            TIMESLOTS,
            vec![("name", "Days"), ("days-0", "1"), ("from-0", "08:00"), ("to-0", "16:00")],
            "name=\"timeslot\" value=\"",
        ),
        ("filter", FILTERS, vec![("name", "Open"), ("open", "yes")], "name=\"filters\" value=\""),
        (
            "destination",
            DESTINATIONS,
            vec![("medium", "email"), ("email_address", "alice@home.example.org"), ("label", "mine")],
            "name=\"destinations\" value=\"",
        ),
    ] {
        let mut fields = fields;
        fields[1].1 = make;
        let reply = visit.post(&place, &fields).await;
        assert_eq!(reply.status, 303, "{make}: {}", reply.text);
        let to = reply.header("location").to_owned();
        assert!(to.starts_with(&format!("{form}new/?then=")), "{to}");
        let query = to.split_once('?').unwrap().1;
        let then = url::form_urlencoded::parse(query.as_bytes()).next().unwrap().1.into_owned();
        if make == "destination" {
            says(&visit.get(&to).await, 200, "?medium=email&amp;then=");
        } else {
            says(&visit.get(&to).await, 200, "name=\"then\"");
            let refused = visit.post(&format!("{form}new/"), &[("then", &then), ("name", "")]).await;
            says(&refused, 422, "name=\"then\"");
        }
        let mut made = made;
        made.push(("then", &then));
        let reply = visit.submit(&format!("{form}new/"), &made).await;
        says(&reply, 200, "value=\"On call &#38; more\"");
        let (_, choice) = reply.text.split_once(page).unwrap();
        let chosen: Vec<&str> =
            reply.text.split(page).skip(1).filter(|it| it.split('>').next().unwrap().contains("checked")).collect();
        assert_eq!(chosen.len(), 1, "{make}: {choice}");
        says(&reply, 200, "name=\"active\" checked");
    }
    assert_eq!(timeslot(&app, alice, "Days").name, "Days");
    // Without a place to go back to, or with another one, to the list.
    for (number, then) in ["", "/user/", "//evil.example/notifications/profiles/"].into_iter().enumerate() {
        let name = format!("Other {number}");
        let reply = visit.post(&format!("{FILTERS}new/"), &[("name", &name), ("open", "yes"), ("then", then)]).await;
        assert_eq!((reply.status, reply.header("location")), (303, FILTERS));
    }
}

#[tokio::test]
async fn a_profile_without_destinations_is_marked() {
    let (app, mut visit, alice) = visit_of_alice().await;
    visit.submit(&format!("{FILTERS}new/"), &[("name", "Open"), ("open", "yes")]).await;
    let slot = [("name", "Days"), ("days-0", "1"), ("from-0", "08:00"), ("to-0", "16:00")];
    visit.submit(&format!("{TIMESLOTS}new/"), &slot).await;
    let (slot, filter) = (timeslot(&app, alice, "Days").id.to_string(), filter(&app, alice, "Open").id.to_string());
    let fields = [("name", "Mute"), ("timeslot", &*slot), ("filters", &*filter), ("active", "on")];
    let reply = visit.submit(&format!("{PROFILES}new/"), &fields).await;
    says(&reply, 200, "but it sends nothing: choose a destination");
    says(&reply, 200, "<span class=\"badge warn\">on, sends nothing</span>");
    assert!(!reply.text.contains("badge good\">on"), "{}", reply.text);
}
