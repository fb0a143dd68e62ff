//! The demo world: what is in it, that it is sound, and that nobody is notified of it.

use argusd::service::{Refusal, ServiceError};
use serde_json::json;

use crate::support::{App, Who, daemon::Site};

const SEED: u64 = 1;

#[tokio::test]
async fn demo_data_is_created_once() {
    let app = App::new().await;
    let made = app.service.make_demo_data(&app.local, SEED, false).await.unwrap();
    assert_eq!((made.incidents, made.settings), (120, true));
    let again = app.service.make_demo_data(&app.local, SEED, false).await;
    assert!(matches!(again, Err(ServiceError::Refused(Refusal::IncidentsAlready))), "{again:?}");

    let forced = app.service.make_demo_data(&app.local, SEED, true).await.unwrap();
    assert_eq!((forced.incidents, forced.settings), (120, false));
    assert_eq!(app.service.store().counters().incidents, 240);
    let findings = app.service.store().verify().unwrap();
    assert!(findings.is_empty(), "{findings:?}");
}

#[tokio::test]
async fn demo_data_is_refused_where_there_are_incidents_of_sources() {
    let app = App::new().await;
    let own = json!({"source": 1, "description": "own"});
    app.of(Who::Superuser).post("/api/v2/incidents/", with_start(own)).await;
    assert_eq!(app.service.store().counters().incidents, 1);
    app.service.make_demo_data(&app.local, SEED, false).await.unwrap();

    let app = App::new().await;
    app.incident().description("of zabbix").post().await;
    assert!(app.service.make_demo_data(&app.local, SEED, false).await.is_err());
    assert_eq!(app.service.store().counters().incidents, 1);
    assert!(app.service.directory().user_named("kari.nordmann").is_none());
}

fn with_start(mut incident: serde_json::Value) -> serde_json::Value {
    crate::support::merge(&mut incident, json!({"start_time": "2026-01-15T11:00:00Z", "tags": []}));
    incident
}

#[tokio::test]
async fn demo_data_notifies_nobody() {
    let app = App::new().await;
    app.service.make_demo_data(&app.local, SEED, false).await.unwrap();
    assert_eq!(app.service.store().counters().last_message, 0);
    let directory = app.service.directory();
    assert!(directory.profiles.values().all(|profile| !profile.active));
    assert!(directory.rules.values().all(|rule| !rule.active) && !directory.rules.is_empty());
    for destination in directory.destinations.values() {
        let to = destination.shown();
        assert!(to.ends_with("@example.org") || to == "+447700900123", "{to}");
    }
    for who in ["kari.nordmann", "ola.hansen", "amina.yusuf"] {
        assert!(directory.user_named(who).unwrap().password_hash.is_none());
    }

    // Nor of what is done with its incidents later.
    let open = app.of(Who::EndUser).get("/api/v2/incidents/?open=true&acked=false").await.json();
    let pk = open["results"][0]["pk"].as_u64().unwrap();
    let event = json!({"timestamp": "2026-01-15T12:00:00Z", "type": "CLO", "description": ""});
    let closed = app.of(Who::EndUser).post(&format!("/api/v2/incidents/{pk}/events/"), event).await;
    assert_eq!(closed.status, 201, "{}", closed.text);
    assert_eq!(app.service.store().counters().last_message, 0);
}

#[tokio::test]
async fn demo_data_is_created_by_superusers_only() {
    let app = App::new().await;
    for who in ["alice", "stan"] {
        let token = app.new_token(who).await;
        let caller = app.service.people().authenticate(&token).await.unwrap();
        let refused = app.service.make_demo_data(&caller, SEED, true).await;
        assert!(matches!(refused, Err(ServiceError::Forbidden)), "{who}: {refused:?}");
    }
}

#[test]
fn the_program_has_a_command_for_demo_data() {
    let site = Site::new();
    let daemon = site.start();
    let said = site.ok(&["demo"]);
    assert!(said.starts_with("120 incidents, people"), "{said}");
    assert!(site.fails(&["demo"]).contains("there are incidents already"));
    site.ok(&["demo", "--force", "--seed", "2"]);
    daemon.stop();
    site.ok(&["check"]);
}
