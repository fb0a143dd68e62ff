//! Forms that are sent twice, one after the other and at once: they take effect once, and both requests get the same answer.

use crate::support::{App, Who, visit::Visit};

/// A form with a number, sent twice one after the other; the answers to both are the same.
async fn twice(visit: &mut Visit, path: &str, fields: &[(&str, &str)]) -> String {
    let mut fields = fields.to_vec();
    fields.push(("form_number", "1"));
    let first = visit.post(path, &fields).await;
    let second = visit.post(path, &fields).await;
    assert!(first.status < 400, "{path}: {}", first.text);
    assert_eq!(first.status, second.status, "{path}: {}", second.text);
    assert_eq!(first.headers.get("location"), second.headers.get("location"), "{path}");
    assert_eq!(first.text, second.text, "{path}");
    if first.status == 303 { first.header("location").to_owned() } else { first.text }
}

/// The same at once, by the same browser.
async fn at_once(app: &App, visit: &Visit, path: &str, fields: &[(&str, &str)]) {
    let mut fields = fields.to_vec();
    fields.push(("form_number", "2"));
    let (mut first, mut second) = (visit.twin(app), visit.twin(app));
    let (first, second) = tokio::join!(first.post(path, &fields), second.post(path, &fields));
    assert!(first.status < 400, "{path}: {}", first.text);
    assert_eq!((first.status, first.text), (second.status, second.text), "{path}");
    assert_eq!(first.headers.get("location"), second.headers.get("location"), "{path}");
}

#[tokio::test]
async fn repeated_forms_of_an_incident_take_effect_once() {
    let app = App::new().await;
    let pk = app.incident().open().post().await;
    let mut alice = Visit::of(&app, "alice").await;
    let count = async |part: &str| {
        let rows = app.of(Who::EndUser).get(&format!("/api/v2/incidents/{pk}/{part}/")).await.json();
        rows.as_array().unwrap().len()
    };
    let path = |form: &str| format!("/incidents/{pk}/{form}/");
    twice(&mut alice, &path("comment"), &[("message", "look")]).await;
    assert_eq!(count("events").await, 2);
    at_once(&app, &alice, &path("comment"), &[("message", "look")]).await;
    assert_eq!(count("events").await, 3);
    twice(&mut alice, &path("acknowledge"), &[("message", "mine"), ("until", "")]).await;
    at_once(&app, &alice, &path("acknowledge"), &[("message", "mine"), ("until", "")]).await;
    assert_eq!((count("acks").await, count("events").await), (2, 5));
    twice(&mut alice, &path("close"), &[]).await;
    twice(&mut alice, &path("reopen"), &[]).await;
    at_once(&app, &alice, &path("close"), &[]).await;
    assert_eq!(count("events").await, 8);
    for (field, value) in [("tag", "room=12"), ("tag", "room=13")] {
        twice(&mut alice, &path("tags"), &[(field, value)]).await;
    }
    // Another text with the same number is another form, and so is the same text with another number or none.
    for fields in [
        [("message", "other"), ("form_number", "1")],
        [("message", "look"), ("form_number", "3")],
        [("message", "look"), ("x", "")],
    ] {
        let before = count("events").await;
        assert_eq!(alice.post(&path("comment"), &fields).await.status, 303);
        assert_eq!(count("events").await, before + 1, "{fields:?}");
    }
}

#[tokio::test]
async fn a_repeated_form_creates_one_token_and_shows_it_twice() {
    let app = App::new().await;
    let mut admin = Visit::of(&app, "admin").await;
    let source = app.service.directory().sources.values().next().unwrap().clone();
    let pages = ["/user/tokens/".to_owned(), format!("/sources/{}/tokens/", source.id)];
    for (path, user) in pages.into_iter().zip([app.user_id("admin"), source.user]) {
        let count = || app.service.people().tokens(Some(user)).iter().filter(|token| token.note == "pump").count();
        let page = twice(&mut admin, &path, &[("note", "pump")]).await;
        assert!(page.contains("Copy it now: it will not be shown again."), "{page}");
        assert_eq!(count(), 1, "{path}");
        at_once(&app, &admin, &path, &[("note", "pump")]).await;
        assert_eq!(count(), 2, "{path}");
    }
}

#[tokio::test]
async fn repeated_forms_create_things_once() {
    let app = App::new().await;
    let mut stan = Visit::of(&app, "stan").await;
    let me = app.user_id("stan");
    let to = twice(&mut stan, "/notifications/filters/new/", &[("name", "Open"), ("open", "yes")]).await;
    assert_eq!(to, "/notifications/filters/", "it is not said that there is one of that name");
    let filter = app.service.directory().filters_of(me)[0].id.to_string();
    let timeslot = [("name", "Days"), ("days-0", "1"), ("from-0", "08:00"), ("to-0", "16:00")];
    twice(&mut stan, "/notifications/timeslots/new/", &timeslot).await;
    let address = [("medium", "email"), ("email_address", "stan@home.example.org")];
    twice(&mut stan, "/notifications/destinations/new/", &address).await;
    let days = |app: &App| {
        let directory = app.service.directory();
        directory
            .timeslots_of(me)
            .into_iter()
            .filter(|it| it.name == "Days")
            .map(|it| it.id.to_string())
            .collect::<Vec<_>>()
    };
    let slot = days(&app)[0].clone();
    let profile = [("timeslot", &*slot), ("filters", &*filter), ("active", "on")];
    twice(&mut stan, "/notifications/profiles/new/", &profile).await;
    at_once(&app, &stan, "/notifications/profiles/new/", &profile).await;
    let task = [("description", "Firmware"), ("filters", &*filter)];
    twice(&mut stan, "/plannedmaintenance/new/", &task).await;
    let directory = app.service.directory();
    assert_eq!((directory.profiles_of(me).len(), directory.maintenances.values().count()), (2, 1));
    assert_eq!((days(&app).len(), directory.filters_of(me).len()), (1, 1));
    at_once(&app, &stan, "/plannedmaintenance/new/", &task).await;
    assert_eq!(app.service.directory().maintenances.values().count(), 2);
}

#[tokio::test]
async fn refused_forms_and_previews_are_not_remembered() {
    let app = App::new().await;
    let mut alice = Visit::of(&app, "alice").await;
    let fields = [("open", "yes"), ("level", "1"), ("form_number", "1")];
    let before = alice.post("/notifications/filters/preview/", &fields).await;
    app.incident().open().level(1).post().await;
    let after = alice.post("/notifications/filters/preview/", &fields).await;
    assert_eq!((before.status, after.status), (200, 200));
    assert_ne!(before.text, after.text, "it is looked at again");

    let pk = app.incident().open().post().await;
    let path = format!("/incidents/{pk}/reopen/");
    let fields = [("form_number", "2")];
    assert_eq!(alice.post(&path, &fields).await.status, 422, "it is open");
    alice.submit(&format!("/incidents/{pk}/close/"), &[]).await;
    assert_eq!(alice.post(&path, &fields).await.status, 303);
}

#[tokio::test]
async fn the_same_form_of_another_user_is_another_form() {
    let app = App::new().await;
    let pk = app.incident().open().post().await;
    let path = format!("/incidents/{pk}/comment/");
    let fields = [("message", "same"), ("form_number", "1")];
    for user in ["alice", "bob"] {
        assert_eq!(Visit::of(&app, user).await.post(&path, &fields).await.status, 303);
    }
    let events = app.of(Who::EndUser).get(&format!("/api/v2/incidents/{pk}/events/")).await.json();
    assert_eq!(events.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn every_page_has_a_number_of_its_own() {
    let app = App::new().await;
    let mut alice = Visit::of(&app, "alice").await;
    let mut number = async || {
        let page = alice.get("/user/").await.text;
        let numbers = page.split("name=\"form_number\" value=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        let numbers: std::collections::BTreeSet<String> = numbers.map(str::to_owned).collect();
        assert_eq!(numbers.len(), 1);
        numbers.into_iter().next().unwrap()
    };
    assert_ne!(number().await, number().await);
}
