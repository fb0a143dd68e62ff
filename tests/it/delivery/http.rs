//! What goes out over HTTP: when servers want to be asked again, where they send us, and how long a text may be.

use std::sync::Arc;

use argusd::{
    domain::{
        attempt::AttemptEnd,
        event::EventType,
        message::{full_answer, public_answer},
    },
    notify::{ChannelSettings, Content, HttpGateway, Outgoing, SmsSettings, Summary},
};
use serde_json::Value;

use crate::{
    delivery::channels::{SHORT, assert_fail, assert_sent, build, calling, notice, now, outgoing, send},
    support::sinks::{HttpSink, Reply},
};

#[tokio::test]
async fn retry_after_is_respected() {
    let sink = HttpSink::start();
    let sms = SmsSettings::Http(HttpGateway {
        method: "POST".to_owned(),
        url: sink.url("/sms"),
        headers: Vec::new(),
        body: "{{ text }}".to_owned(),
        secret: None,
    });
    let channels = build(&ChannelSettings { http_timeout: SHORT, sms, ..ChannelSettings::default() });
    let url = sink.url("/hook");
    let messages = [
        outgoing("m", "webhook", &[("destination_url", &url)]),
        outgoing("m", "slack", &[("destination_url", &url)]),
        outgoing("m", "ntfy", &[("destination_url", &url)]),
        outgoing("m", "sms", &[("phone_number", "+4767676767")]),
    ];
    let (date, later) = ("Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:45 GMT");
    for message in &messages {
        for status in [408, 429, 500, 503] {
            for (headers, seconds) in [
                (vec![("Retry-After", "45")], Some(45)),
                (vec![("Date", date), ("Retry-After", later)], Some(45)),
                (vec![("Retry-After", "86400")], Some(3_600)),
                (vec![("Retry-After", "soon")], None),
                (vec![], None),
            ] {
                sink.set(Reply::Headers(status, headers.clone()));
                let outcome = send(&channels, message).await;
                match (outcome.ended, seconds) {
                    (AttemptEnd::RetryAfter(micros), Some(seconds)) => assert_eq!(micros, seconds * 1_000_000),
                    (AttemptEnd::Retry, None) => {}
                    _ => panic!("{} {status} {headers:?}: {outcome:?}", message.medium),
                }
            }
        }
        sink.set(Reply::Headers(404, vec![("Retry-After", "45")]));
        assert_fail(&send(&channels, message).await, "404");
    }
}

#[tokio::test]
async fn the_target_of_a_redirect_is_shown_to_administrators_only() {
    let sink = HttpSink::start();
    let url = sink.url("/hook/s3cret-path?key=s3cret-key");
    let message = outgoing("m", "webhook", &[("destination_url", &url)]);
    let page = "<a href=\"https://login.example.org/?back=s3cret-key\">moved</a>";
    for (location, shown) in [
        ("https://u:pw@login.example.org/sso?back=s3cret-key#x", "302 Found, to https://login.example.org/sso"),
        ("/hook/s3cret-path/?key=s3cret-key", &format!("302 Found, to {}", sink.url("/…/…/"))),
    ] {
        sink.set(Reply::Page(302, vec![("Location", location)], page));
        let (outcome, transcript) = calling().send(&message).await;
        assert!(outcome.ended == AttemptEnd::Failed, "{outcome:?}");
        assert_eq!(public_answer(&outcome.answer), "302 Found");
        assert_eq!(full_answer(&outcome.answer), shown);
        assert!(!transcript.lines().join("\n").contains("login"), "{transcript:?}");
    }
}

#[tokio::test]
async fn a_long_summary_is_cut_between_notices() {
    let sink = HttpSink::start();
    let channels = build(&ChannelSettings {
        time_zone: chrono_tz::Europe::Oslo,
        http_timeout: SHORT,
        ..ChannelSettings::default()
    });
    let noisy = |number: usize| {
        let mut notice = notice(EventType::Start);
        Arc::make_mut(&mut notice.incident).description = format!("storm {number} {}", "&<>漢".repeat(80));
        notice
    };
    let summary = Summary { notices: (0..50).map(noisy).collect(), total: 60 };
    for medium in ["slack", "ntfy"] {
        let content = Content::Summary(summary.clone());
        let message = Outgoing { content, ..outgoing("m", medium, &[("destination_url", &sink.url("/topic"))]) };
        assert_sent(&send(&channels, &message).await, "200");
        let body: Value = serde_json::from_str(&sink.calls().last().unwrap().body).unwrap();
        let text = if medium == "slack" { &body["text"] } else { &body["message"] };
        let text = text.as_str().unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("storm")).collect();
        assert!(lines.len() > 5, "{text}");
        assert!(text.ends_with(&format!("And {} more.", 60 - lines.len())), "{text}");
        if medium == "slack" {
            assert!(text.chars().count() <= 12_000);
            assert!(lines.iter().all(|line| line.contains("/incidents/7/|storm ") && line.ends_with("…>")), "{text}");
            let bare = text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
            assert!(!bare.contains('&') && bare.matches('<').count() == bare.matches('>').count());
        } else {
            assert!(text.len() <= 3_800);
            assert!(lines.iter().all(|line| line.ends_with('…')), "{text}");
        }
    }
}

#[tokio::test]
async fn chat_messages_have_times_in_the_servers_zone() {
    let sink = HttpSink::start();
    let channels = build(&ChannelSettings {
        time_zone: chrono_tz::Europe::Oslo,
        http_timeout: SHORT,
        ..ChannelSettings::default()
    });
    let shown = now().to_datetime().with_timezone(&chrono_tz::Europe::Oslo).format("%Y-%m-%d %H:%M:%S CET").to_string();
    for medium in ["slack", "ntfy"] {
        let message = outgoing("m", medium, &[("destination_url", &sink.url("/topic"))]);
        assert_sent(&send(&channels, &message).await, "200");
        let body = sink.calls().last().unwrap().body.clone();
        assert_eq!(body.matches(&shown).count(), if medium == "slack" { 1 } else { 2 }, "{shown} {body}");
        assert!(!body.contains("+00:00"), "{body}");
    }
}
