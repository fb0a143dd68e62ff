//! Channels against servers that behave, and against servers that do not.

use std::{pin::pin, sync::Arc, time::Duration};

use argusd::{
    domain::{
        attempt::{AttemptEnd, AttemptOutcome},
        event::{Event, EventType, EventTypeSet, StateAfter},
        ids::{EventId, IncidentId, SourceId, UserId},
        incident::Incident,
        severity::Level,
        tag::{IncidentTag, Tag},
        time::Timestamp,
    },
    notify::{
        ChannelSettings, Channels, Content, Encryption, HttpGateway, MailSettings, Notice, Outgoing, SmsSettings,
        Summary, Transcript,
    },
};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::time::timeout;

use crate::support::{
    NOW,
    eventually::PATIENCE,
    outbox::mail_at,
    sinks::{HttpSink, Mood, Reply, SmtpSink, Step},
    still_clock,
};

pub const SHORT: Duration = Duration::from_millis(400);
/// For one who hangs, while others are sent twenty messages.
const LONG: Duration = Duration::from_secs(5);

pub fn now() -> Timestamp {
    Timestamp::saturating_from_micros(NOW)
}

pub fn notice(kind: EventType) -> Notice {
    let incident = Incident {
        source_incident_id: "s1".to_owned(),
        details_url: "/x/1".to_owned(),
        description: "Røde tall på web1".to_owned(),
        level: Level::CRITICAL,
        metadata: "{\"a\":true}".to_owned(),
        tags: vec![IncidentTag { tag: Tag::parse("host=web1").unwrap(), added_by: UserId(2), added_at: now() }],
        tags_version: 1,
        event_types: EventTypeSet::from_iter([kind]),
        ..Incident::new(IncidentId(7), SourceId(2), now())
    };
    let event = Event {
        id: EventId(9),
        incident: incident.id,
        actor: UserId(2),
        timestamp: now(),
        received: now(),
        kind,
        description: "five pings lost".to_owned(),
        after: StateAfter { open: true, acked: false, level: incident.level, tags_version: 1, decided: None },
    };
    Notice {
        incident: Arc::new(incident),
        event: Arc::new(event),
        actor: "zabbix-src".to_owned(),
        source: "zabbix-src".to_owned(),
        source_type: "zabbix".to_owned(),
        base_url: "https://nav.example.org/".to_owned(),
        link: Some("https://argus.example.org/incidents/7/".to_owned()),
        thread: "i7".to_owned(),
        late: None,
        closed_since: false,
    }
}

pub fn outgoing(id: &str, medium: &str, settings: &[(&str, &str)]) -> Outgoing {
    Outgoing {
        id: id.to_owned(),
        medium: medium.to_owned(),
        settings: settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        content: Content::Event(notice(EventType::Start)),
        contact: None,
    }
}

fn mail_to(id: &str, address: &str) -> Outgoing {
    outgoing(id, "email", &[("email_address", address)])
}

fn mail_settings(port: u16) -> MailSettings {
    MailSettings { timeout: SHORT, ..mail_at(port) }
}

pub fn build(settings: &ChannelSettings) -> Channels {
    Channels::new(settings, still_clock()).unwrap()
}

fn mailing(sink: &SmtpSink) -> Channels {
    build(&ChannelSettings { mail: mail_settings(sink.port), ..ChannelSettings::default() })
}

pub fn calling() -> Channels {
    build(&ChannelSettings { http_timeout: SHORT, ..ChannelSettings::default() })
}

/// Sends. There is an outcome, whatever the other side does.
pub async fn send(channels: &Channels, message: &Outgoing) -> AttemptOutcome {
    let (outcome, transcript) = timeout(PATIENCE, channels.send(message)).await.expect("an outcome");
    assert!(!transcript.lines().is_empty() || outcome.ended == AttemptEnd::Failed);
    outcome
}

/// The outcome of a message to somebody who hangs, after all the others are done.
async fn after_the_others(
    hanging: impl Future<Output = (AttemptOutcome, Transcript)>,
    others: impl Future<Output = ()>,
) -> AttemptOutcome {
    let mut hanging = pin!(hanging);
    tokio::select! {
        (outcome, _) = &mut hanging => panic!("the others waited: {outcome:?}"),
        () = others => hanging.await.0,
    }
}

#[track_caller]
fn assert_retry(outcome: &AttemptOutcome, needle: &str) {
    assert!(outcome.ended == AttemptEnd::Retry && outcome.answer.contains(needle), "{outcome:?}");
}

#[track_caller]
pub fn assert_fail(outcome: &AttemptOutcome, needle: &str) {
    assert!(outcome.ended == AttemptEnd::Failed && outcome.answer.contains(needle), "{outcome:?}");
}

#[track_caller]
pub fn assert_sent(outcome: &AttemptOutcome, needle: &str) {
    assert!(outcome.ended == AttemptEnd::Sent && outcome.answer.contains(needle), "{outcome:?}");
}

#[tokio::test]
async fn mails_of_an_incident_arrive_as_one_thread_over_one_connection() {
    let sink = SmtpSink::start();
    let channels = mailing(&sink);
    for (id, kind) in [("g1-1", EventType::Start), ("g1-2", EventType::Acknowledge), ("g1-3", EventType::End)] {
        let message = Outgoing { content: Content::Event(notice(kind)), ..mail_to(id, "alice@example.org") };
        assert_sent(&send(&channels, &message).await, "250 2.0.0 Taken");
    }
    let mails = sink.mails();
    assert_eq!(mails.len(), 3);
    assert_eq!(sink.connections(), 1);
    for (mail, id) in mails.iter().zip(["<g1-1@localhost>", "<g1-2@localhost>", "<g1-3@localhost>"]) {
        assert_eq!(
            (mail.from.as_str(), mail.to.as_slice()),
            ("argus@localhost", &["alice@example.org".to_owned()][..])
        );
        assert_eq!(mail.header("Message-ID"), id);
        assert_eq!(mail.header("References"), "<i7@localhost>");
        assert_eq!(mail.header("In-Reply-To"), "<i7@localhost>");
        assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
        assert_eq!(mail.header("Date"), "Thu, 15 Jan 2026 12:00:00 +0000");
    }
    assert!(mails[0].raw.contains("Status: STA\nActor: zabbix-src\n"), "{}", mails[0].raw);
}

#[tokio::test]
async fn the_answer_of_a_mail_server_decides_between_sent_retry_and_failed() {
    let retried = [
        (Step::Greeting, "421 4.3.2 Too busy"),
        (Step::Greeting, "554 5.7.1 Go away"),
        (Step::Sender, "550 5.1.8 Who are you"),
        (Step::Sender, "530 5.7.0 Log in first"),
        (Step::Recipient, "451 4.7.1 Greylisted"),
        (Step::Recipient, "530 5.7.0 Log in first"),
        (Step::Data, "451 4.3.0 Not now"),
        (Step::Content, "452 4.3.1 Full"),
        (Step::Content, "421 4.3.2 Going down"),
    ];
    for (step, answer) in retried {
        let sink = SmtpSink::start();
        sink.set(Mood::Answer(step, answer));
        assert_retry(&send(&mailing(&sink), &mail_to("m", "alice@example.org")).await, answer);
        assert!(sink.mails().is_empty());
    }
    let failed = [
        (Step::Recipient, "550 5.1.1 Nobody of that name"),
        (Step::Recipient, "553 5.1.3 No such address"),
        (Step::Data, "554 5.5.1 No valid recipients"),
        // It had announced to take a hundred megabytes.
        (Step::Content, "552 5.3.4 Too big"),
        (Step::Content, "554 5.7.1 Looks like spam"),
    ];
    for (step, answer) in failed {
        let sink = SmtpSink::start();
        let channels = mailing(&sink);
        sink.set(Mood::Answer(step, answer));
        assert_fail(&send(&channels, &mail_to("m", "alice@example.org")).await, answer);
        // The connection is still good, and used again.
        sink.set(Mood::Accept);
        assert_sent(&send(&channels, &mail_to("n", "alice@example.org")).await, "250");
        assert_eq!((sink.mails().len(), sink.connections()), (1, 1));
    }
}

#[tokio::test]
async fn a_mail_server_that_disconnects_or_hangs_is_retried() {
    for mood in [
        Mood::DropInData,
        Mood::Hang(Step::Greeting),
        Mood::Hang(Step::Sender),
        Mood::Hang(Step::Recipient),
        Mood::Hang(Step::Content),
        Mood::Delay(Step::Content, SHORT * 3),
    ] {
        let sink = SmtpSink::start();
        let channels = mailing(&sink);
        sink.set(mood.clone());
        assert_retry(&send(&channels, &mail_to("m", "alice@example.org")).await, "");
        sink.set(Mood::Accept);
        // Over a connection of its own: what is left of the old one says nothing about this mail.
        assert_sent(&send(&channels, &mail_to("n", "alice@example.org")).await, "2.0.0 Taken");
        assert!(sink.mails().iter().any(|mail| mail.header("Message-ID") == "<n@localhost>"), "{mood:?}");
        assert_eq!(sink.connections(), 2, "{mood:?}");
    }
    let nobody = build(&ChannelSettings { mail: mail_settings(1), ..ChannelSettings::default() });
    assert_retry(&send(&nobody, &mail_to("m", "alice@example.org")).await, "connecting to the mail server");
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let sink = SmtpSink::start();
    let channels = mailing(&sink);
    sink.set(Mood::CloseAfterMail);
    for id in ["a", "b", "c"] {
        assert_sent(&send(&channels, &mail_to(id, "alice@example.org")).await, "250");
    }
    assert_eq!((sink.mails().len(), sink.connections()), (3, 3));
}

#[tokio::test]
async fn a_recipient_that_hangs_delays_no_other() {
    let sink = SmtpSink::start();
    sink.set_for("bob@example.org", Mood::Hang(Step::Content));
    let settings = MailSettings { timeout: LONG, ..mail_settings(sink.port) };
    let channels = build(&ChannelSettings { mail: settings, ..ChannelSettings::default() });
    let (slow, quick) = (mail_to("slow", "bob@example.org"), mail_to("quick", "alice@example.org"));
    let others = async {
        for _ in 0..20 {
            assert_sent(&send(&channels, &quick).await, "250");
        }
    };
    let outcome = after_the_others(channels.send(&slow), others).await;
    assert_retry(&outcome, "DATA: no answer");
    assert_eq!(sink.mails().len(), 20);
    for mail in sink.mails() {
        assert_eq!(mail.connection, sink.mails()[0].connection);
    }
}

#[tokio::test]
async fn a_web_address_that_hangs_delays_no_other() {
    let sink = HttpSink::start();
    sink.set_for("/slow", Reply::Hang);
    let channels = build(&ChannelSettings { http_timeout: LONG, ..ChannelSettings::default() });
    let slow = outgoing("slow", "webhook", &[("destination_url", &sink.url("/slow"))]);
    let quick = outgoing("quick", "webhook", &[("destination_url", &sink.url("/quick"))]);
    let others = async {
        for _ in 0..20 {
            assert_sent(&send(&channels, &quick).await, "200");
        }
    };
    let outcome = after_the_others(channels.send(&slow), others).await;
    assert_retry(&outcome, "no answer in 5 seconds");
    assert_eq!(sink.calls().len(), 21);
}

#[tokio::test]
async fn no_mail_is_sent_without_the_required_encryption_and_login() {
    let sink = SmtpSink::start();
    let mail = MailSettings {
        encryption: Encryption::StartTls,
        credentials: Some(("argus".to_owned(), "hunter2".into())),
        ..mail_settings(sink.port)
    };
    let channels = build(&ChannelSettings { mail: mail.clone(), ..ChannelSettings::default() });
    assert_retry(&send(&channels, &mail_to("m", "alice@example.org")).await, "STARTTLS");
    assert!(!sink.saw("AUTH") && !sink.saw("MAIL"));

    let plain = MailSettings { encryption: Encryption::None, ..mail };
    let channels = build(&ChannelSettings { mail: plain, ..ChannelSettings::default() });
    sink.set(Mood::Answer(Step::Auth, "535 5.7.8 Wrong password"));
    assert_retry(&send(&channels, &mail_to("m", "alice@example.org")).await, "AUTH: 535 5.7.8 Wrong password");
    assert!(!sink.saw("MAIL"));
    sink.set(Mood::Accept);
    let (outcome, transcript) = channels.send(&mail_to("m", "alice@example.org")).await;
    assert_sent(&outcome, "250");
    let notified = transcript.lines().join("\n");
    assert!(notified.contains("AUTH: 235 2.7.0 Welcome") && notified.contains("TLS: no"), "{notified}");
    assert!(!notified.contains("hunter2") && !notified.contains("AGFyZ3Vz"), "{notified}");
}

#[tokio::test]
async fn text_messages_are_sent_by_mail_in_both_styles() {
    let sink = SmtpSink::start();
    let with = |sms| build(&ChannelSettings { sms, mail: mail_settings(sink.port), ..ChannelSettings::default() });
    let message = outgoing("m-1", "sms", &[("phone_number", "+4767676767")]);
    let gateway = with(SmsSettings::MailGateway("sms@gateway.example.org".to_owned()));
    assert_sent(&send(&gateway, &message).await, "250");
    let template = with(SmsSettings::MailTemplate("{number}@sms.example.org".to_owned()));
    assert_sent(&send(&template, &message).await, "250");
    let mails = sink.mails();
    assert_eq!(mails[0].to, ["sms@gateway.example.org"]);
    assert_eq!(mails[0].header("Subject"), "sms +4767676767");
    assert_eq!(mails[1].to, ["+4767676767@sms.example.org"]);
    for mail in &mails {
        assert_eq!(mail.raw.split_once("\n\n").unwrap().1.trim_end(), "five pings lost");
    }
    assert_fail(&send(&with(SmsSettings::Off), &message).await, "not set up");
    let bad = outgoing("m-2", "sms", &[("phone_number", "+47\r\nRCPT TO:<x@y>")]);
    assert_fail(&send(&template, &bad).await, "phone number");
}

#[tokio::test]
async fn text_messages_are_sent_by_http() {
    let sink = HttpSink::start();
    let sms = SmsSettings::Http(HttpGateway {
        method: "POST".to_owned(),
        url: sink.url("/send/{{ digits }}"),
        headers: vec![
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("Authorization".to_owned(), "Bearer {{ secret }}".to_owned()),
        ],
        body: r#"{"to": {{ number }}, "text": {{ text }}, "ref": {{ id }}}"#.to_owned(),
        secret: Some("s3cret".into()),
    });
    let channels = build(&ChannelSettings { sms, ..ChannelSettings::default() });
    let message = outgoing("m-1", "sms", &[("phone_number", "+4767676767")]);
    assert_sent(&send(&channels, &message).await, "200");
    let call = sink.calls().remove(0);
    assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", "/send/4767676767"));
    assert_eq!(call.headers["authorization"], "Bearer s3cret");
    let body: Value = serde_json::from_str(&call.body).unwrap();
    assert_eq!(body, json!({"to": "+4767676767", "text": "five pings lost", "ref": "m-1"}));
}

#[tokio::test]
async fn webhooks_are_signed_and_repeats_are_recognizable() {
    let sink = HttpSink::start();
    let url = sink.url("/hook/s3cret-path");
    let message = outgoing("g1-5", "webhook", &[("destination_url", &url), ("secret", "key")]);
    let channels = calling();
    sink.set(Reply::Status(503, "later"));
    assert_retry(&send(&channels, &message).await, "503");
    sink.set(Reply::Status(204, ""));
    assert_sent(&send(&channels, &message).await, "204");
    for call in sink.calls() {
        assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", "/hook/s3cret-path"));
        assert_eq!(call.headers["idempotency-key"], "g1-5");
        assert_eq!(call.headers["x-argusd-timestamp"], (NOW / 1_000_000).to_string());
        assert_eq!(call.headers["content-type"], "application/json");
        assert!(call.headers["user-agent"].starts_with("argusd/"));
        let mac = Hmac::<Sha256>::new_from_slice(b"key").unwrap().chain_update(&call.body).finalize();
        assert_eq!(call.headers["x-argusd-signature"], format!("sha256={}", hex::encode(mac.into_bytes())));
        let body: Value = serde_json::from_str(&call.body).unwrap();
        assert_eq!((&body["type"], &body["id"]), (&json!("event"), &json!("g1-5")));
        assert_eq!(body["event"]["type"]["value"], "STA");
        assert_eq!(body["incident"]["description"], "Røde tall på web1");
    }
    let unsigned = outgoing("g1-6", "webhook", &[("destination_url", &url)]);
    assert_sent(&send(&channels, &unsigned).await, "204");
    assert!(!sink.calls()[2].headers.contains_key("x-argusd-signature"));
}

#[tokio::test]
async fn slack_and_ntfy_get_messages_in_their_formats() {
    let sink = HttpSink::start();
    let channels = calling();
    let slack = outgoing("m", "slack", &[("destination_url", &sink.url("/services/T/B"))]);
    assert_sent(&send(&channels, &slack).await, "200");
    let topic = sink.url("/alerts");
    let ntfy = outgoing("m", "ntfy", &[("destination_url", &topic), ("token", "tk_1")]);
    assert_sent(&send(&channels, &ntfy).await, "200");
    let summary = Summary { notices: vec![notice(EventType::Start), notice(EventType::End)], total: 40 };
    let summary =
        Outgoing { content: Content::Summary(summary), ..outgoing("s", "ntfy", &[("destination_url", &topic)]) };
    assert_sent(&send(&channels, &summary).await, "200");

    let calls = sink.calls();
    let body = |call: usize| serde_json::from_str::<Value>(&calls[call].body).unwrap();
    let text = body(0)["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("*Incident start* (level 1, Critical): Røde tall på web1\n"), "{text}");
    assert_eq!(calls[1].path, "/");
    assert_eq!(calls[1].headers["authorization"], "Bearer tk_1");
    assert_eq!((&body(1)["topic"], &body(1)["priority"]), (&json!("alerts"), &json!(5)));
    assert_eq!(body(1)["click"], "https://argus.example.org/incidents/7/");
    assert!(body(1)["title"].as_str().unwrap().contains("Røde tall på web1"));
    assert!(body(2)["title"].as_str().unwrap().starts_with("40 notifications"));
    assert!(!calls[2].headers.contains_key("authorization"));
}

#[tokio::test]
async fn the_answer_of_a_web_server_decides_between_sent_retry_and_failed() {
    let sink = HttpSink::start();
    let other = HttpSink::start();
    let url = sink.url("/hook/s3cret-path?key=s3cret-key");
    let channels = calling();
    let message = outgoing("m", "webhook", &[("destination_url", &url), ("secret", "s3cret-hmac")]);
    let cases = [
        (Reply::Status(200, "fine"), "sent"),
        (Reply::Status(202, "\u{1b}[31mqueued\r\n\0"), "sent"),
        (Reply::Flood, "sent"),
        (Reply::RedirectTo(other.url("/elsewhere")), "fail"),
        (Reply::RedirectTo("/here".to_owned()), "fail"),
        (Reply::Status(400, "bad"), "fail"),
        (Reply::Status(404, "gone"), "fail"),
        (Reply::Status(408, "slow"), "retry"),
        (Reply::Status(425, "early"), "retry"),
        (Reply::Status(429, "enough"), "retry"),
        (Reply::Status(500, "oops"), "retry"),
        (Reply::Status(503, "later"), "retry"),
        (Reply::Hang, "retry"),
        (Reply::Drop, "retry"),
    ];
    for (reply, expected) in cases {
        sink.set(reply.clone());
        let (outcome, transcript) = timeout(PATIENCE, channels.send(&message)).await.expect("an outcome");
        let kind = match outcome.ended {
            AttemptEnd::Sent => "sent",
            AttemptEnd::Retry | AttemptEnd::RetryAfter(_) => "retry",
            AttemptEnd::Failed => "fail",
        };
        let text = &outcome.answer;
        assert_eq!(kind, expected, "{reply:?}: {outcome:?}");
        // What everybody may read, and what administrators read.
        assert!(text.lines().count() <= 2, "{text:?}");
        for line in text.lines() {
            assert!(line.chars().count() <= 500 && !line.contains(char::is_control), "{text:?}");
        }
        let notified = format!("{text}\n{}", transcript.lines().join("\n"));
        assert!(!notified.contains("s3cret"), "{notified}");
    }
    assert!(other.calls().is_empty());
    sink.set(Reply::HangInBody);
    assert_sent(&send(&channels, &message).await, "200");
    let nobody = outgoing("m", "webhook", &[("destination_url", "http://127.0.0.1:1/s3cret")]);
    let outcome = send(&channels, &nobody).await;
    assert_retry(&outcome, "cannot connect");
    assert!(!format!("{outcome:?}").contains("s3cret"));
}

#[tokio::test]
async fn forbidden_addresses_are_not_called() {
    let sink = HttpSink::start();
    let hook = |url: &str| outgoing("m", "webhook", &[("destination_url", url)]);
    let wide = calling();
    for url in [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:169.254.169.254]/",
        "http://2852039166/",
    ] {
        assert_fail(&send(&wide, &hook(url)).await, "does not send to");
    }
    let narrow = build(&ChannelSettings { allow_private_addresses: false, ..ChannelSettings::default() });
    for host in ["127.0.0.1", "localhost", "[::1]", "10.1.2.3"] {
        assert_fail(&send(&narrow, &hook(&format!("http://{host}:{}/", sink.port))).await, "does not send to");
    }
    assert!(sink.calls().is_empty());
    assert_sent(&send(&wide, &hook(&format!("http://localhost:{}/", sink.port))).await, "200");
    for bad in ["", "nonsense", "ftp://example.org/", "file:///etc/passwd", "http://"] {
        assert_fail(&send(&wide, &hook(bad)).await, "");
    }
}

#[tokio::test]
async fn a_medium_that_is_not_configured_fails_with_a_reason() {
    let channels = calling();
    assert_fail(&send(&channels, &outgoing("m", "pigeon", &[])).await, "The medium \"pigeon\" is not set up");
    let text = outgoing("m", "sms", &[("phone_number", "+4767676767")]);
    assert_fail(&send(&channels, &text).await, "The medium \"sms\" is not set up");
    assert_fail(&send(&channels, &mail_to("m", "not an address")).await, "address is not valid");
}

#[tokio::test]
async fn a_test_message_comes_with_a_transcript() {
    let sink = SmtpSink::start();
    let message =
        Outgoing { content: Content::Test { username: "alice".to_owned() }, ..mail_to("t-1", "alice@example.org") };
    let (outcome, transcript) = mailing(&sink).send(&message).await;
    assert_sent(&outcome, "250");
    let connected = format!("connected to 127.0.0.1:{}", sink.port);
    assert_eq!(
        transcript.lines(),
        [connected.as_str(), "TLS: no", "MAIL FROM: 250 2.1.0 Ok", "RCPT TO: 250 2.1.5 Ok", "250 2.0.0 Taken"]
    );
    assert_eq!(sink.mails()[0].header("Subject"), "[Argus] Test message");
    assert_eq!(sink.mails()[0].header("References"), "");
}
