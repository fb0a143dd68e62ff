//! Which user is notified of what: the worked cases of contract section 19, set up and posted over the API.

use argusd::domain::{
    directory::DecisionSettings, message::MessageSubject, stored_filter::FilterBlob, time::Timestamp,
};
use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::support::{App, Client, MINUTE, NOW, Who, builder::Builder, incident::Incident};

const PROFILES: &str = "/api/v2/notificationprofiles/";
/// A Thursday; 13:20 in Oslo.
const AT: &str = "2026-01-15T12:20:00Z";

/// An app with profiles of `alice`, and what they make of incidents.
struct ProfileCase {
    app: App,
    alice: Client,
    names: std::cell::Cell<u64>,
}

impl ProfileCase {
    async fn new() -> Self {
        let app = App::new().await;
        app.allow_unsent_messages();
        // Behind all that is posted, so that what is closed is closed.
        app.clock.set(Timestamp::saturating_from_micros(NOW + 60 * MINUTE));
        let alice = app.of(Who::EndUser);
        let case = Self { app, alice, names: std::cell::Cell::new(0) };
        case.decide(DecisionSettings { time_zone: Tz::Europe__Oslo, ..DecisionSettings::default() }).await;
        case
    }

    async fn decide(&self, settings: DecisionSettings) {
        self.app.service.notifications().use_decision_settings(settings).await.unwrap();
    }

    fn name(&self) -> String {
        self.names.set(self.names.get() + 1);
        format!("n{}", self.names.get())
    }

    async fn filter(&self, blob: Value) -> u64 {
        self.alice.filter(&self.name()).matching(blob).post().await
    }

    async fn destination(&self, address: &str) -> u64 {
        self.alice.destination("email", "email_address", address).post().await
    }

    /// To `address`, at any time; the primary key.
    async fn profile(&self, address: &str, blobs: &[Value]) -> u64 {
        self.profile_with(address, blobs, json!({})).await
    }

    async fn profile_with(&self, address: &str, blobs: &[Value], fields: Value) -> u64 {
        let mut profile = self.alice.profile().destination(self.destination(address).await);
        for blob in blobs {
            profile = profile.filter(self.filter(blob.clone()).await);
        }
        profile.with(fields).post().await
    }

    fn incident(&self) -> Builder<Client, Incident> {
        self.app.incident().starts(AT).tag("host=a").level(3)
    }

    async fn event(&self, who: Who, incident: u64, kind: &str) {
        let body = json!({"type": kind, "timestamp": AT});
        self.app.of(who).post(&format!("/api/v2/incidents/{incident}/events/"), body).await.pk();
    }

    /// `STA alice@example.org`, in the order of decisions.
    fn notified(&self, incident: u64) -> Vec<String> {
        let snapshot = self.app.service.store().snapshot().unwrap();
        let notified = self.app.messages_of(incident).into_iter().map(|message| {
            let MessageSubject::Event { incident, event } = message.about else { panic!("not about an event") };
            let event = snapshot.event(incident, event).unwrap().unwrap();
            format!("{} {}", event.kind.code(), message.address.trim_end_matches("@example.org"))
        });
        notified.collect()
    }
}

#[tokio::test]
async fn filters_select_event_types() {
    let case = ProfileCase::new().await;
    case.profile("sta@example.org", &[json!({"event_types": ["STA"]})]).await;
    case.profile("end@example.org", &[json!({"event_types": ["END"]})]).await;
    case.profile("any@example.org", &[json!({"stateful": true})]).await;
    let incident = case.incident().post().await;
    assert_eq!(case.notified(incident), ["STA sta", "STA any"]);
    case.event(Who::Source, incident, "END").await;
    assert_eq!(case.notified(incident)[2..], ["END end", "END any"]);
}

#[tokio::test]
async fn all_filters_must_match_and_one_must_accept_the_event_type() {
    let case = ProfileCase::new().await;
    let (yes, no) = (json!({"tags": ["host=a"]}), json!({"tags": ["host=b"]}));
    let typed = |kind: &str| json!({"event_types": [kind], "sourceSystemIds": [2]});
    case.profile("both@example.org", &[yes.clone(), json!({"maxlevel": 3})]).await;
    case.profile("one-misses@example.org", &[yes, no]).await;
    case.profile("typed@example.org", &[typed("END"), typed("STA")]).await;
    case.profile("wrong-type@example.org", &[typed("END"), typed("ACK")]).await;
    case.profile("empty@example.org", &[json!({})]).await;
    case.profile("empty-too@example.org", &[json!({}), json!({"open": true})]).await;
    assert_eq!(case.notified(case.incident().post().await), ["STA both", "STA typed"]);
}

#[tokio::test]
async fn a_criterion_that_is_false_is_a_criterion() {
    let case = ProfileCase::new().await;
    case.profile("unacked@example.org", &[json!({"acked": false})]).await;
    case.profile("unacked-2@example.org", &[json!({"acked": false, "sourceSystemIds": [2]})]).await;
    case.profile("closed@example.org", &[json!({"open": false})]).await;
    case.profile("same-key@example.org", &[json!({"tags": ["host=a", "host=b"]})]).await;
    let incident = case.incident().post().await;
    assert_eq!(case.notified(incident), ["STA unacked", "STA unacked-2", "STA same-key"]);
    let ack = json!({"timestamp": AT});
    case.alice.post(&format!("/api/v2/incidents/{incident}/acks/"), ack).await.pk();
    assert_eq!(case.notified(incident)[3..], ["ACK same-key"]);
    case.event(Who::EndUser, incident, "CLO").await;
    assert_eq!(case.notified(incident)[4..], ["CLO closed", "CLO same-key"]);
}

#[tokio::test]
async fn timeslots_are_read_in_the_servers_zone() {
    let case = ProfileCase::new().await;
    let thursday = |start: &str, end: &str| json!([{"days": [4], "start": start, "end": end}]);
    let any = [json!({"stateful": true})];
    for (address, recurrences) in [
        ("local@example.org", thursday("13:00", "13:59")),
        ("utc@example.org", thursday("12:00", "12:59")),
        ("friday@example.org", json!([{"days": [5], "all_day": true}])),
        ("two@example.org", json!([{"days": [4], "start": "22:00", "end": "23:00"}, {"days": [4], "all_day": true}])),
        ("edge@example.org", thursday("13:20", "13:30")),
        ("never@example.org", json!([])),
    ] {
        let slot = case.alice.timeslot(&case.name()).recurrences(recurrences).post().await;
        case.profile_with(address, &any, json!({ "timeslot": slot })).await;
    }
    let incident = case.incident().post().await;
    assert_eq!(case.notified(incident), ["STA local", "STA two", "STA edge"]);
    // The event's own time counts, not that of the incident's start.
    let late = json!({"type": "OTH", "timestamp": "2026-01-15T12:31:00Z"});
    case.app.of(Who::Source).post(&format!("/api/v2/incidents/{incident}/events/"), late).await.pk();
    assert_eq!(case.notified(incident)[3..], ["OTH local", "OTH two"]);
}

#[tokio::test]
async fn each_destination_is_notified_once() {
    let case = ProfileCase::new().await;
    let first = case.profile("a@example.org", &[json!({"open": true})]).await;
    let own = case.alice.get(&format!("{PROFILES}{first}/")).await.json()["destinations"][0]["pk"].clone();
    case.profile_with("b@example.org", &[json!({"maxlevel": 5})], json!({ "destinations": [own] })).await;
    let other = case.destination("c@example.org").await;
    case.profile_with("d@example.org", &[json!({"maxlevel": 4})], json!({ "destinations": [other, own] })).await;
    let inactive = json!({"active": false});
    case.profile_with("e@example.org", &[json!({"open": true})], inactive).await;
    assert_eq!(case.notified(case.incident().post().await), ["STA a", "STA c"]);
}

#[tokio::test]
async fn planned_maintenance_prevents_notifications() {
    let case = ProfileCase::new().await;
    case.profile("a@example.org", &[json!({"stateful": true})]).await;
    let staff = case.app.of(Who::Staff);
    let (host, level) = (case.filter(json!({"tags": ["host=a"]})).await, case.filter(json!({"maxlevel": 3})).await);
    let task =
        json!({"filters": [host, level], "start_time": "2026-01-15T12:20:00Z", "end_time": "2026-01-15T12:30:00Z"});
    staff.post("/api/v2/plannedmaintenance/", task).await.pk();
    assert_eq!(case.notified(case.incident().post().await), [""; 0]);
    assert_eq!(case.notified(case.incident().level(4).post().await), ["STA a"], "all its filters have to match");
    for (at, is_told) in [
        ("2026-01-15T12:19:59.999999Z", true),
        ("2026-01-15T12:20:00Z", false),
        ("2026-01-15T12:30:00Z", false),
        ("2026-01-15T12:30:00.000001Z", true),
    ] {
        let incident = case.incident().starts(at).post().await;
        assert_eq!(!case.notified(incident).is_empty(), is_told, "{at}");
    }
    // Bulk works with maintenance there.
    let incident = case.incident().level(4).post().await;
    let bulk = json!({"ids": [incident], "ack": {"timestamp": AT}});
    assert_eq!(case.alice.post("/api/v2/incidents/acks/bulk/", bulk).await.status, 201);
    let bulk = json!({"ids": [incident], "event": {"type": "CLO", "timestamp": AT}});
    assert_eq!(case.alice.post("/api/v2/incidents/events/bulk/", bulk).await.status, 201);
    assert_eq!(case.notified(incident), ["STA a", "ACK a", "CLO a"]);
}

#[tokio::test]
async fn sending_can_be_switched_off_and_a_fallback_filter_completes_filters() {
    let case = ProfileCase::new().await;
    case.profile("tagged@example.org", &[json!({"tags": ["host=a"]})]).await;
    case.profile("low@example.org", &[json!({"maxlevel": 5})]).await;
    let zone = Tz::Europe__Oslo;
    case.decide(DecisionSettings { time_zone: zone, send: false, ..DecisionSettings::default() }).await;
    assert_eq!(case.notified(case.incident().post().await), [""; 0]);
    // The fallback filter speaks where a filter is silent.
    let fallback = FilterBlob { max_level: argusd::domain::severity::Level::new(2), ..FilterBlob::default() };
    case.decide(DecisionSettings { time_zone: zone, send: true, fallback }).await;
    assert_eq!(case.notified(case.incident().post().await), ["STA low"]);
    assert_eq!(case.notified(case.incident().level(2).post().await), ["STA tagged", "STA low"]);
}

#[tokio::test]
async fn an_acknowledgement_counts_for_its_own_event() {
    let case = ProfileCase::new().await;
    case.profile("acked@example.org", &[json!({"acked": true})]).await;
    case.profile("ack@example.org", &[json!({"event_types": ["ACK"]})]).await;
    let incident = case.incident().post().await;
    case.alice.post(&format!("/api/v2/incidents/{incident}/acks/"), json!({"timestamp": AT})).await.pk();
    assert_eq!(case.notified(incident), ["ACK acked", "ACK ack"]);
    let incidents = [case.incident().post().await, case.incident().post().await];
    let bulk = json!({"ids": incidents, "ack": {"timestamp": AT}});
    assert_eq!(case.alice.post("/api/v2/incidents/acks/bulk/", bulk).await.status, 201);
    for incident in incidents {
        assert_eq!(case.notified(incident), ["ACK acked", "ACK ack"]);
    }
}

#[tokio::test]
async fn automatic_changes_notify_nobody() {
    let case = ProfileCase::new().await;
    case.profile("a@example.org", &[json!({"stateful": true})]).await;
    let incident = case.incident().post().await;
    let path = format!("/api/v2/incidents/{incident}/");
    let source = case.app.of(Who::Source);
    assert_eq!(source.patch(&path, json!({"level": 1})).await.status, 200);
    let ticket = "https://tickets.example.org/1";
    assert_eq!(case.alice.put(&format!("{path}ticket_url/"), json!({ "ticket_url": ticket })).await.status, 200);
    let bulk = json!({"ids": [incident], "ticket_url": "https://tickets.example.org/2"});
    assert_eq!(case.alice.post("/api/v2/incidents/ticket_url/bulk/", bulk).await.status, 201);
    assert_eq!(case.notified(incident), ["STA a"]);
    case.event(Who::Source, incident, "CHI").await;
    assert_eq!(case.notified(incident), ["STA a", "CHI a"], "those that a source posts do");
    let stateless = case.incident().stateless().post().await;
    assert_eq!(case.notified(stateless), [""; 0]);
}
