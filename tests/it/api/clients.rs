//! What existing clients of Argus send and need (contract sections 1.4, 5, 12, 16.2, 21 and 26).

use argusd::{
    domain::{change::ChangeKind, ids::IncidentId, incident::EndTime, time::Timestamp},
    http::HttpSettings,
    service::Settings,
    store::StoreError,
    web::{self, WebSettings},
};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, header},
};
use chrono_tz::Tz;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{App, Who};

const LAST: &str = "9999-12-31T23:59:59.999999";

async fn in_zone(time_zone: Tz) -> App {
    App::with(Settings { time_zone, ..Settings::default() }).await
}

#[tokio::test]
async fn the_last_moment_of_the_year_9999_is_infinity() {
    for zone in [Tz::UTC, Tz::Europe__Oslo, Tz::America__New_York, Tz::Pacific__Kiritimati] {
        let app = in_zone(zone).await;
        for offset in ["", "Z", "+00:00", "+01:00", "-05:00", "+14:00", "-1200"] {
            let pk = app.incident().ends(format!("{LAST}{offset}")).post().await;
            let incident = app.of(Who::EndUser).get(&format!("/api/v2/incidents/{pk}/")).await.json();
            assert_eq!(
                (&incident["end_time"], &incident["open"]),
                (&json!("infinity"), &json!(true)),
                "{zone} {offset}"
            );
        }
        for (date, starts) in [
            ("9999-12-31T09:59:59+00:00", "9999-12-31T"),
            ("9999-12-31T09:59:59.999+00:00", "9999-12-31T"),
            ("9999-12-30", "9999-12-30T00:00:00"),
        ] {
            let pk = app.incident().ends(date).post().await;
            let incident = app.of(Who::EndUser).get(&format!("/api/v2/incidents/{pk}/")).await.json();
            let shown = incident["end_time"].as_str().unwrap();
            let is_date = shown != "infinity" && (shown.starts_with(starts) || zone != Tz::UTC);
            assert!(is_date, "{zone} {date}: {shown}");
        }
    }
}

#[tokio::test]
async fn the_last_moment_ends_no_planned_maintenance() {
    for zone in [Tz::Europe__Oslo, Tz::America__New_York] {
        let app = in_zone(zone).await;
        let staff = app.of(Who::Staff);
        let filter = staff.filter("all").matching(json!({"stateful": true})).post().await;
        let mut answers = Vec::new();
        for end in [LAST.to_owned(), format!("{LAST}-05:00"), format!("{LAST}+01:00")] {
            let new = json!({"filters": [filter], "end_time": end, "description": "x"});
            let made = staff.post("/api/v2/plannedmaintenance/", new).await;
            assert_eq!(made.status, 201, "{zone} {end}: {}", made.text);
            // What is written is taken back.
            let (pk, end) = (&made.json()["pk"], made.json()["end_time"].clone());
            assert!(end.as_str().unwrap().starts_with(LAST), "{zone}: {end}");
            let again = staff.patch(&format!("/api/v2/plannedmaintenance/{pk}/"), json!({"end_time": end})).await;
            assert_eq!((again.status, &again.json()["end_time"]), (200, &end), "{zone}");
            answers.push(end);
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
        assert!(app.service.directory().maintenances.values().all(|it| it.end.is_none()));
    }
}

/// So that nothing changes when the server is restarted, which converts what is stored.
#[tokio::test]
async fn the_last_moment_in_another_notation_and_as_an_event_is_infinity() {
    for zone in [Tz::Europe__Oslo, Tz::America__New_York] {
        let app = in_zone(zone).await;
        let user = app.of(Who::EndUser);
        let pk = app.incident().ends("9999-12-31T22:59:59.999999Z").post().await;
        assert_eq!(user.get(&format!("/api/v2/incidents/{pk}/")).await.json()["end_time"], "infinity", "{zone}");
        let pk = app.incident().post().await;
        let event = json!({"type": "END", "timestamp": LAST});
        let posted = app.of(Who::Source).post(&format!("/api/v2/incidents/{pk}/events/"), event).await;
        assert_eq!(posted.status, 201, "{zone}: {}", posted.text);
        assert_eq!(user.get(&format!("/api/v2/incidents/{pk}/")).await.json()["end_time"], "infinity", "{zone}");
        assert_eq!(app.service.incidents().convert_last_moments().await.unwrap(), 0, "{zone}");
    }
}

#[tokio::test]
async fn the_last_moment_is_a_time_in_every_zone() {
    for zone in [Tz::UTC, Tz::Europe__Oslo, Tz::America__New_York] {
        let app = in_zone(zone).await;
        let user = app.of(Who::EndUser);
        let pk = app.incident().post().await;
        for name in ["start_time__lte", "end_time__gte"] {
            let counted = user.get(&format!("/api/v2/incidents/?count&{name}={LAST}")).await;
            assert_eq!((counted.status, &counted.json()["count"]), (200, &json!(1)), "{zone} {name}: {}", counted.text);
        }
        assert_eq!(user.get(&format!("/api/v2/incidents/?end_time__lte={LAST}")).await.status, 200, "{zone}");
        let ack = json!({"timestamp": "2026-01-15T12:00:00+01:00", "expiration": LAST});
        let acked = user.post(&format!("/api/v2/incidents/{pk}/acks/"), ack).await;
        assert_eq!(acked.status, 201, "{zone}: {}", acked.text);
    }
}

#[tokio::test]
async fn planned_maintenance_may_end_on_the_last_day() {
    let app = in_zone(Tz::Europe__Oslo).await;
    let staff = app.of(Who::Staff);
    let filter = staff.filter("all").matching(json!({"stateful": true})).post().await;
    for (end, shown) in [
        ("9999-12-31T18:00:00", "9999-12-31T18:00:00+01:00"),
        ("9999-12-31T23:59:59", "9999-12-31T23:59:59+01:00"),
        ("9999-12-31", "9999-12-31T00:00:00+01:00"),
    ] {
        let made = staff.post("/api/v2/plannedmaintenance/", json!({"filters": [filter], "end_time": end})).await;
        assert_eq!((made.status, &made.json()["end_time"]), (201, &json!(shown)), "{}", made.text);
    }
    // The mistakes of all fields at once.
    let refused = staff.post("/api/v2/plannedmaintenance/", json!({"filters": [999_998], "start_time": "soon"})).await;
    let errors = refused.json();
    assert_eq!(errors["filters"], json!(["Invalid pk \"999998\" - object does not exist."]), "{}", refused.text);
    assert!(refused.status == 400 && errors["start_time"].is_array(), "{}", refused.text);
}

#[tokio::test]
async fn stored_last_moments_are_converted_at_the_start() {
    let app = App::new().await;
    let micros = |text: &str| {
        Timestamp::saturating_from_micros(text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_micros())
    };
    let ends = [
        ("9999-12-31T22:59:59.999999Z", true),
        ("9999-12-31T23:59:59.999999Z", true),
        ("9999-12-31T09:59:59.999999Z", true),
        ("9999-12-31T22:59:59Z", false),
        ("9999-12-31T22:59:59.999Z", false),
        ("9999-12-30T23:59:59.999999Z", false),
        ("2026-12-31T23:59:59.999999Z", false),
    ];
    let mut pks = Vec::new();
    for _ in ends {
        pks.push(app.incident().post().await);
    }
    let stored: Vec<(u64, Timestamp)> = pks.iter().zip(ends).map(|(pk, (end, _))| (*pk, micros(end))).collect();
    let as_stored = stored.clone();
    let done = app.service.store().write(None, move |command| {
        for (pk, end) in &as_stored {
            let mut incident = command.incident(IncidentId(*pk))?.unwrap();
            incident.end = EndTime::At(*end);
            command.put_incident(incident);
            let kind = ChangeKind::IncidentEdited { incident: IncidentId(*pk), fields: Vec::new(), events: Vec::new() };
            command.log(kind);
        }
        Ok::<(), StoreError>(())
    });
    done.await.unwrap();
    assert_eq!(app.service.incidents().convert_last_moments().await.unwrap(), 3);
    for ((pk, end), (text, is_converted)) in stored.iter().zip(ends) {
        let incident = app.service.incidents().incident(IncidentId(*pk)).await.unwrap();
        let expected = if is_converted { EndTime::Infinity } else { EndTime::At(*end) };
        assert_eq!(incident.end, expected, "{text}");
    }
    assert_eq!(app.service.incidents().convert_last_moments().await.unwrap(), 0);
    assert_eq!(app.service.store().verify().unwrap(), [""; 0]);
    let open = app.of(Who::EndUser).get("/api/v2/incidents/?end_time__gte=9999-01-01&count").await.json();
    assert_eq!(open["count"], 6);
}

#[tokio::test]
async fn no_answer_of_version_1_has_metadata() {
    let app = App::new().await;
    let pk = app.incident().with(json!({"metadata": {"a": 1}})).field("source_incident_id", "m").post().await;
    let (user, source) = (app.of(Who::EndUser), app.of(Who::Source));
    let timeslot = user.get("/api/v1/notificationprofiles/timeslots/").await.json()[0]["pk"].clone();
    let filter = user.filter("f").matching(json!({"open": true})).post().await;
    let profile = json!({"timeslot": timeslot, "filters": [filter], "media": []});
    let profile = user.post("/api/v1/notificationprofiles/", profile).await.json()["pk"].clone();
    let one = format!("/api/v1/incidents/{pk}/");
    let new = json!({"start_time": "2026-01-15T12:00:00+01:00", "tags": []});
    let answers = [
        source.post("/api/v1/incidents/", new.clone()).await,
        source.post("/api/v1/incidents/mine/", new).await,
        user.patch(&one, json!({"level": 2})).await,
        user.put(&one, json!({"level": 3, "tags": []})).await,
        user.get(&one).await,
        user.get("/api/v1/incidents/").await,
        source.get("/api/v1/incidents/mine/").await,
        user.get("/api/v1/incidents/open/").await,
        user.get("/api/v1/incidents/open+unacked/").await,
        user.get(&format!("/api/v1/notificationprofiles/{profile}/incidents/")).await,
        user.post("/api/v1/notificationprofiles/preview/", json!({"open": true})).await,
        user.post("/api/v1/notificationprofiles/filterpreview/", json!({"stateful": true})).await,
    ];
    for (number, reply) in answers.iter().enumerate() {
        assert!(matches!(reply.status, 200 | 201), "{number}: {}", reply.text);
        assert!(reply.text.contains("\"start_time\"") && !reply.text.contains("metadata"), "{number}: {}", reply.text);
    }
    let two = user.patch(&format!("/api/v2/incidents/{pk}/"), json!({"level": 4})).await.json();
    assert_eq!(two["metadata"], json!({"a": 1}));
}

#[tokio::test]
async fn refusals_are_worded_as_clients_know_them() {
    let app = App::new().await;
    let pk = app.incident().field("source_incident_id", "4711").post().await;
    let (user, source) = (app.of(Who::EndUser), app.of(Who::Source));
    let time = "2026-01-15T12:00:00+01:00";
    let url = json!({"ticket_url": ["Enter a valid URL."]});
    let new = json!({"start_time": time, "tags": [], "ticket_url": ""});
    for version in ["v1", "v2"] {
        source.post(&format!("/api/{version}/incidents/"), new.clone()).await.is(400, url.clone());
        let one = format!("/api/{version}/incidents/{pk}/");
        user.patch(&one, json!({"ticket_url": ""})).await.is(400, url.clone());
        user.put(&one, json!({"ticket_url": " ", "tags": []})).await.is(400, url.clone());
    }

    let unknown = |pk: u64| json!([format!("Invalid pk \"{pk}\" - object does not exist.")]);
    let body = json!({"name": "p", "timeslot": 999_999, "filters": [999_998], "destinations": [999_997]});
    let expected = json!({"timeslot": unknown(999_999), "filters": unknown(999_998), "destinations": unknown(999_997)});
    let profiles = "/api/v2/notificationprofiles/";
    user.post(profiles, body.clone()).await.is(400, expected.clone());
    let filter = user.filter("f").matching(json!({"open": true})).post().await;
    let made = user.profile().filter(filter).with(json!({"destinations": []})).post().await;
    user.patch(&format!("{profiles}{made}/"), body).await.is(400, expected);
    let body = json!({"timeslot": 999_999, "filters": [999_998], "media": ["SM"], "phone_number": 999_997});
    let expected = json!({"timeslot": unknown(999_999), "filters": unknown(999_998), "phone_number": unknown(999_997)});
    user.post("/api/v1/notificationprofiles/", body.clone()).await.is(400, expected.clone());
    user.put(&format!("/api/v1/notificationprofiles/{made}/"), body).await.is(400, expected);
    // A mistake of another kind does not hide them.
    let body = json!({"timeslot": "x", "filters": [999_998]});
    let expected =
        json!({"timeslot": ["Incorrect type. Expected pk value, received str."], "filters": unknown(999_998)});
    user.post(profiles, body).await.is(400, expected);

    let early = json!(["'expiration' is earlier than creation timestamp."]);
    let ack = json!({"timestamp": time, "expiration": "2026-01-15T11:00:00+01:00"});
    let body = json!({"ids": [pk], "ack": ack});
    let bulk = |what: &str| format!("/api/v2/incidents/{what}/bulk/");
    user.post(&bulk("acks"), body).await.is(400, json!({"ack": {"non_field_errors": early}}));
    let both = json!({"ids": {"0": ["A valid integer is required."]}, "ack": {"non_field_errors": early}});
    user.post(&bulk("acks"), json!({"ids": ["x"], "ack": ack})).await.is(400, both);
    user.post(&format!("/api/v2/incidents/{pk}/acks/"), ack).await.is(400, json!({"non_field_errors": early}));

    let required = json!(["This field is required."]);
    user.post(&bulk("ticket_url"), json!({})).await.is(400, json!({"ids": required}));
    user.post(&bulk("ticket_url"), json!({"ids": [pk]})).await.is(400, json!({"ticket_url": required}));

    let choice = json!({"event_types": ["\"XXX\" is not a valid choice."]});
    let filters = "/api/v2/notificationprofiles/filters/";
    for types in [json!(["XXX"]), json!(["STA", "XXX", "YYY"])] {
        let body = json!({"name": "g", "filter": {"event_types": types}});
        user.post(filters, body).await.is(400, json!({"filter": choice}));
        let body = json!({"event_types": types});
        user.post("/api/v2/notificationprofiles/filterpreview/", body).await.is(400, choice.clone());
    }

    // One of the clients finds out in this way that it has posted the incident already.
    let again = json!({"start_time": time, "tags": [], "source_incident_id": "4711"});
    let refused = source.post("/api/v2/incidents/", again).await;
    assert_eq!(refused.status, 400);
    let texts: Vec<String> = serde_json::from_str(&refused.text).unwrap();
    assert!(texts.len() == 1 && texts[0].contains("source_incident_id"), "{}", refused.text);
}

async fn answer(router: &Router, method: Method, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, String) {
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "api.example.org");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()).into_owned();
    (parts.status.as_u16(), parts.headers, text)
}

fn header_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn frontends_on_other_hosts_may_use_the_api() {
    let app = App::new().await;
    let frontends = ["https://front.example.org:443/app/", "http://localhost:18080"];
    let frontends = frontends.map(|url| url.parse().unwrap()).to_vec();
    let settings = HttpSettings { frontends, ..HttpSettings::default() };
    let router = web::with_pages(app.service.clone(), settings, WebSettings::default());
    let token = format!("Token {}", app.new_token("alice").await);
    let asks = [("access-control-request-method", "POST"), ("access-control-request-headers", "content-type")];
    for origin in ["https://front.example.org", "http://localhost:18080"] {
        let preflight = [&[("origin", origin)], &asks[..]].concat();
        for path in ["/api/v1/token-auth/", "/api/v2/incidents/", "/login-methods/", "/api/v2/nothing/"] {
            let (status, headers, text) = answer(&router, Method::OPTIONS, path, &preflight).await;
            assert_eq!((status, text.as_str()), (200, ""), "{path}");
            let cors = headers.iter().filter(|(name, _)| name.as_str().starts_with("access-control-"));
            let mut cors: Vec<(&str, &str)> =
                cors.map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
            cors.sort_unstable();
            assert_eq!(
                cors,
                [
                    (
                        "access-control-allow-headers",
                        "accept, authorization, content-type, user-agent, x-csrftoken, x-requested-with"
                    ),
                    ("access-control-allow-methods", "DELETE, GET, OPTIONS, PATCH, POST, PUT"),
                    ("access-control-allow-origin", origin),
                    ("access-control-max-age", "86400"),
                ]
            );
            assert!(header_of(&headers, "vary").unwrap().contains("origin"));
        }
        for (method, path, token, expected) in [
            (Method::GET, "/api/v2/incidents/", Some(&token), 200),
            (Method::GET, "/api/v2/incidents/", None, 401),
            (Method::GET, "/api/v2/incidents/99/", Some(&token), 404),
            (Method::GET, "/api/v2/nothing/", Some(&token), 404),
            (Method::DELETE, "/api/v2/incidents/", Some(&token), 405),
            (Method::POST, "/api/v2/incidents/", Some(&token), 400),
            (Method::OPTIONS, "/api/v1/token-auth/", None, 200),
        ] {
            let mut sent = vec![("origin", origin)];
            sent.extend(token.map(|token| ("authorization", token.as_str())));
            let (status, headers, text) = answer(&router, method.clone(), path, &sent).await;
            assert_eq!(status, expected, "{method} {path}: {text}");
            assert_eq!(header_of(&headers, "access-control-allow-origin"), Some(origin), "{method} {path}");
            assert_eq!(header_of(&headers, "access-control-allow-credentials"), None);
            let vary = headers.get_all("vary").iter().any(|value| value.to_str().unwrap().contains("origin"));
            assert!(vary, "{method} {path}: {headers:?}");
        }
    }
    for origin in ["https://evil.example.org", "http://front.example.org", "https://front.example.org:8443", "null"] {
        let preflight = [&[("origin", origin)], &asks[..]].concat();
        for (method, sent) in [(Method::OPTIONS, &preflight[..]), (Method::GET, &[("origin", origin)])] {
            let (_, headers, _) = answer(&router, method, "/api/v1/token-auth/", sent).await;
            assert!(headers.keys().all(|name| !name.as_str().starts_with("access-control-")), "{origin}");
        }
    }
    let (_, headers, _) =
        answer(&app.router, Method::OPTIONS, "/api/v1/token-auth/", &[("origin", "http://localhost:18080"), asks[0]])
            .await;
    assert!(headers.keys().all(|name| !name.as_str().starts_with("access-control-")));
}

#[tokio::test]
async fn ways_to_log_in_are_listed() {
    let app = App::new().await;
    let url = "http://argus.test/api/v1/token-auth/";
    let expected: Value = json!([{"type": "username_password", "url": url, "name": "user_pw"}]);
    app.of(Who::Anonymous).get("/login-methods/").await.is(200, expected);
}
