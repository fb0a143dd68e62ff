//! Bounds of what users and administrators configure: sums and sizes, not only numbers. What is beyond a bound already
//! stays, can be made smaller, and does not make everybody's pages long.

use argusd::{
    domain::{
        directory::Directory,
        ids::{FilterId, MaintenanceId, ProfileId, TimeslotId, UserId},
        limits,
        maintenance::Maintenance,
        profile::Profile,
        rule::Rule,
        stored_filter::{FilterBlob, StoredFilter},
        time::Timestamp,
    },
    store::Command,
};
use serde_json::json;

use crate::support::{App, Reply, Who, visit::Visit};

const FILTERS: [&str; 2] = ["/api/v1/notificationprofiles/filters/", "/api/v2/notificationprofiles/filters/"];
const PROFILES: [&str; 2] = ["/api/v1/notificationprofiles/", "/api/v2/notificationprofiles/"];

fn put_filter(command: &mut Command<'_>, owner: UserId, public: bool, tags: Vec<String>) -> FilterId {
    let id = command.new_filter_id();
    let blob = FilterBlob { tags: Some(tags), ..FilterBlob::default() };
    command.put_filter(StoredFilter { id, owner, name: format!("filter {id}"), public, blob });
    id
}

fn put_profile(command: &mut Command<'_>, owner: UserId, filters: Vec<FilterId>) -> ProfileId {
    let (id, timeslot) = (command.new_profile_id(), first_timeslot(command.directory(), owner));
    let profile = Profile { id, owner, name: None, timeslot, filters, destinations: Vec::new(), active: true };
    command.put_profile(profile);
    id
}

fn first_timeslot(directory: &Directory, owner: UserId) -> TimeslotId {
    directory.timeslots_of(owner)[0].id
}

fn tags(count: usize, length: usize) -> Vec<String> {
    (0..count).map(|number| format!("key={number:0length$}")).collect()
}

#[track_caller]
fn refused(reply: &Reply, field: &str, part: &str) {
    assert_eq!(reply.status, 400, "{}", reply.text);
    let said = reply.json()[field][0].as_str().unwrap_or_default().to_owned();
    assert!(said.contains(part), "no {part:?} about {field} in {}", reply.text);
}

#[tokio::test]
async fn the_size_of_a_filter_is_limited() {
    let app = App::new().await;
    let (client, owner) = (app.of(Who::EndUser), app.user_id("alice"));
    let before = app.service.directory().filters.len();
    for path in FILTERS {
        let new = json!({"name": "big", "filter": {"tags": tags(200, 90)}});
        refused(&client.post(path, new).await, "filter", "A filter can have at most 16384 bytes; this one has 19400");
        let new = json!({"name": path, "filter": {"tags": tags(160, 90)}});
        let made = client.post(path, new).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let one = format!("{path}{}/", made.json()["pk"]);
        let grown = json!({"filter": {"tags": tags(200, 90)}});
        refused(&client.patch(&one, grown).await, "filter", "at most 16384 bytes");
    }
    assert_eq!(app.service.directory().filters.len(), before + 2);

    // One from before there was such a bound.
    app.write(move |command| {
        put_filter(command, owner, false, tags(200, 100));
    })
    .await;
    let one = format!("{}{}/", FILTERS[1], app.service.directory().filters_of(owner).last().unwrap().id);
    assert_eq!(client.patch(&one, json!({"name": "renamed", "public": true})).await.status, 200);
    refused(&client.patch(&one, json!({"filter": {"tags": tags(200, 101)}})).await, "filter", "16384");
    assert_eq!(client.patch(&one, json!({"filter": {"tags": tags(200, 99)}})).await.status, 200);

    let mut visit = Visit::of(&app, "alice").await;
    let all = tags(180, 93);
    let mut form: Vec<(&str, &str)> = all.iter().map(|tag| ("tags", tag.as_str())).collect();
    form.push(("name", "bigger"));
    let page = visit.post("/notifications/filters/new/", &form).await;
    assert_eq!(page.status, 422, "{}", page.text);
    assert!(page.text.contains("A filter can have at most 16384 bytes; this one has"), "{}", page.text);
}

#[tokio::test]
async fn the_total_size_of_a_users_filters_is_limited() {
    let app = App::new().await;
    let (client, owner) = (app.of(Who::EndUser), app.user_id("alice"));
    app.write(move |command| {
        for _ in 0..65 {
            put_filter(command, owner, false, tags(160, 94));
        }
    })
    .await;
    for path in FILTERS {
        let new = json!({"name": "one more", "filter": {"tags": ["a=b"]}});
        let part = "at most 1048576 bytes in all filters of a user together";
        refused(&client.post(path, new).await, "filter", part);
    }
    let one = format!("{}{}/", FILTERS[1], app.service.directory().filters_of(owner)[0].id);
    assert_eq!(client.patch(&one, json!({"filter": {"tags": ["a=b"]}})).await.status, 200);
    assert_eq!(client.patch(&one, json!({"name": "smaller"})).await.status, 200);
    let new = json!({"name": "of another user", "filter": {"tags": ["a=b"]}});
    assert_eq!(app.of(Who::Staff).post(FILTERS[1], new).await.status, 201);
}

#[tokio::test]
async fn the_total_number_of_filters_in_a_users_profiles_is_limited() {
    let app = App::new().await;
    let (client, owner) = (app.of(Who::EndUser), app.user_id("alice"));
    app.write(move |command| {
        let filters: Vec<FilterId> = (0..200).map(|_| put_filter(command, owner, false, tags(1, 3))).collect();
        for _ in 0..50 {
            put_profile(command, owner, filters.clone());
        }
        put_profile(command, owner, filters[..1].to_vec());
    })
    .await;
    let directory = app.service.directory();
    let (filters, timeslot) = (directory.filters_of(owner), first_timeslot(&directory, owner));
    let part = "There can be at most 10000 filters in all profiles of a user together.";
    for path in PROFILES {
        let new = json!({"timeslot": timeslot.0, "filters": [filters[0].id.0], "media": []});
        refused(&client.post(path, new).await, "filters", part);
    }
    let profiles = directory.profiles_of(owner);
    let one = |at: usize| format!("{}{}/", PROFILES[1], profiles[at].id);
    let two = json!({"filters": [filters[0].id.0, filters[1].id.0]});
    refused(&client.patch(&one(50), two.clone()).await, "filters", part);
    assert_eq!(client.patch(&one(50), json!({"filters": [filters[5].id.0]})).await.status, 200);
    assert_eq!(client.patch(&one(0), two.clone()).await.status, 200, "fewer than before");
    assert_eq!(client.patch(&one(50), two).await.status, 200, "there is room again");

    let timeslot = timeslot.to_string();
    let chosen: Vec<String> = filters.iter().map(|filter| filter.id.to_string()).collect();
    let mut form: Vec<(&str, &str)> = chosen.iter().map(|id| ("filters", id.as_str())).collect();
    form.extend([("name", "all"), ("timeslot", timeslot.as_str())]);
    let page = Visit::of(&app, "alice").await.post("/notifications/profiles/new/", &form).await;
    assert_eq!(page.status, 422, "{}", page.text);
    assert!(page.text.contains("There can be at most 10000 filters in all profiles of a user together"));
}

#[tokio::test]
async fn the_total_number_of_filters_in_rules_and_maintenance_is_limited() {
    let app = App::new().await;
    let (client, owner) = (app.of(Who::Superuser), app.user_id("admin"));
    app.write(move |command| {
        let filters: Vec<FilterId> = (0..200).map(|_| put_filter(command, owner, false, tags(1, 3))).collect();
        let timeslot = first_timeslot(command.directory(), owner);
        for _ in 0..50 {
            let id = command.new_rule_id();
            command.put_rule(Rule {
                id,
                owner,
                name: format!("rule {id}"),
                timeslot,
                filters: filters.clone(),
                recipients: Vec::new(),
                active: true,
                empty_since: None,
            });
        }
        let now = command.now();
        for hours in 0..104 {
            let id = command.new_maintenance_id();
            command.put_maintenance(planned(id, owner, filters.clone(), (now, hours - 3)));
        }
    })
    .await;
    let directory = app.service.directory();
    let (filter, timeslot) = (directory.filters_of(owner)[0].id.0, first_timeslot(&directory, owner).0);
    let new = json!({"name": "one more", "timeslot": timeslot, "filters": [filter], "recipients": []});
    let part = "There can be at most 10000 filters in all rules together.";
    refused(&client.post("/argusd/v1/rules/", new.clone()).await, "filters", part);
    let first = *directory.rules.keys().next().unwrap();
    let one = format!("/argusd/v1/rules/{first}/");
    assert_eq!(client.patch(&one, json!({"filters": [filter]})).await.status, 200);
    assert_eq!(client.post("/argusd/v1/rules/", new).await.status, 201);

    let new = json!({"filters": [filter], "start_time": "2026-01-16T01:00:00+01:00", "description": "x"});
    let path = "/api/v2/plannedmaintenance/";
    let part = "There can be at most 20000 filters in all planned maintenance together that is not over.";
    refused(&client.post(path, new.clone()).await, "filters", part);
    let last = *directory.maintenances.keys().last().unwrap();
    let one = format!("{path}{last}/");
    assert_eq!(client.patch(&one, json!({"filters": [filter], "description": "less"})).await.status, 200);
    assert_eq!(client.post(path, new).await.status, 201, "what is over does not count");
}

fn planned(
    id: MaintenanceId,
    created_by: UserId,
    filters: Vec<FilterId>,
    (now, hours): (Timestamp, i64),
) -> Maintenance {
    let hour = 3_600_000_000;
    Maintenance {
        id,
        created_by,
        created: now,
        start: now.saturating_add_micros((hours - 1) * hour),
        end: Some(now.saturating_add_micros(hours * hour - 1)),
        description: String::new(),
        filters,
    }
}

#[tokio::test]
async fn the_number_of_source_types_is_limited() {
    let app = App::new().await;
    let path = "/api/v2/incidents/source-types/";
    let client = app.of(Who::EndUser);
    let before = app.service.directory().source_types.len();
    let characters: usize = app.service.directory().source_types.iter().map(|name| name.chars().count()).sum();
    let room = limits::SOURCE_TYPE_NAMES - characters;
    let full = room / 1_000;
    app.write(move |command| {
        for number in 0..full {
            command.put_source_type(format!("{number:01000}"));
        }
    })
    .await;
    let part = "There can be at most 65536 characters in the names of all source types together.";
    refused(&client.post(path, json!({"name": "x".repeat(room % 1_000 + 1)})).await, "name", part);
    assert_eq!(client.post(path, json!({"name": "small"})).await.status, 201);

    let app = App::new().await;
    let client = app.of(Who::EndUser);
    app.write(move |command| {
        for number in before..limits::SOURCE_TYPES {
            command.put_source_type(format!("type-{number}"));
        }
    })
    .await;
    let part = "There can be at most 1000 source types.";
    refused(&client.post(path, json!({"name": "one-more"})).await, "name", part);
    let page = Visit::of(&app, "admin").await.post("/sources/types/", &[("name", "one-more")]).await;
    assert!(page.status == 422 && page.text.contains(part), "{}", page.text);
}

#[tokio::test]
async fn pages_do_not_grow_with_what_others_create() {
    let app = App::new().await;
    let bob = app.user_id("bob");
    app.write(move |command| {
        for _ in 0..400 {
            let tags = (0..100).map(|number| format!("key{number}={}", "x".repeat(200))).collect();
            put_filter(command, bob, true, tags);
        }
        for number in 0..2_000 {
            command.put_source_type(format!("{number:01000}"));
        }
    })
    .await;
    let mut alice = Visit::of(&app, "alice").await;
    let mut root = Visit::of(&app, "admin").await;
    let pages = [
        "/incidents/?open=true",
        "/notifications/filters/",
        "/notifications/filters/new/",
        "/notifications/profiles/",
        "/notifications/profiles/new/",
    ];
    for path in pages {
        let page = alice.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.text.len() < 256 << 10, "{path} has {} bytes", page.text.len());
    }
    for path in ["/plannedmaintenance/new/", "/admin/rules/new/", "/plannedmaintenance/"] {
        let page = root.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.text.len() < 256 << 10, "{path} has {} bytes", page.text.len());
    }
    let page = alice.get("/notifications/filters/").await;
    assert!(page.text.contains("200 more shared filters are not shown"), "{}", page.text.len());
}
