//! Tests of which settings are accepted, and which secrets are kept.

use serde_json::json;

use super::*;
use crate::domain::{
    destination::{EMAIL, SMS},
    limits::URL,
};

const SLACK: &str = "slack";
const WEBHOOK: &str = "webhook";
const NTFY: &str = "ntfy";

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn reason(kind: &str, config: &Value) -> String {
    check(kind, &map(config)).map_or_else(|error| error.to_string(), |()| String::new())
}

#[test]
fn settings_are_checked_by_their_form() {
    for (kind, good) in [
        (EMAIL, json!({})),
        (
            EMAIL,
            json!({"host": "mail.example.org", "port": 587, "encryption": "starttls", "user": "u", "password": "p"}),
        ),
        (
            EMAIL,
            json!({"port": "25", "sender_mail": "noc@example.org", "sender_name": "NOC", "subject_prefix": "[x] "}),
        ),
        (EMAIL, json!({"host": "", "port": null})),
        (SMS, json!({"gateway_address": "gate@example.org"})),
        (SMS, json!({"address_template": "{number}@sms.example.org", "host": "::1"})),
        (
            SMS,
            json!({"url": "https://sms.example.org/?to={{ number }}", "headers": {"X-Key": "{{ secret }}"}, "body": "a\nb"}),
        ),
        (SLACK, json!({"url": "https://hooks.slack.com/x"})),
        (WEBHOOK, json!({"url": "http://10.0.0.1/", "secret": "s", "headers": {"Authorization": "Bearer x"}})),
        (NTFY, json!({"url": "https://ntfy.sh/t", "token": "t"})),
        ("plug-in", json!({"whatever": [1]})),
    ] {
        assert_eq!(reason(kind, &good), "", "{kind} {good}");
    }
    for (kind, bad, key) in [
        (EMAIL, json!({"hots": "x"}), "hots: "),
        (EMAIL, json!({"host": 5}), "host: "),
        (EMAIL, json!({"host": "a b"}), "host: "),
        (EMAIL, json!({"host": "smtp://x"}), "host: "),
        (EMAIL, json!({"port": 0}), "port: "),
        (EMAIL, json!({"port": "65536"}), "port: "),
        (EMAIL, json!({"port": 1.5}), "port: "),
        (EMAIL, json!({"encryption": "ssl"}), "encryption: "),
        (EMAIL, json!({"user": "u"}), "password: "),
        (EMAIL, json!({"password": "p"}), "user: "),
        (EMAIL, json!({"sender_mail": "noc"}), "sender_mail: "),
        (EMAIL, json!({"sender_name": "a\r\nBcc: b"}), "sender_name: "),
        (SMS, json!({"gateway_address": "a@example.org", "url": "https://x.org"}), "url: "),
        (SMS, json!({"address_template": "a@example.org"}), "address_template: "),
        (SMS, json!({"url": "ftp://x"}), "url: "),
        (SLACK, json!({"url": "http://x.org/"}), "url: "),
        (SLACK, json!({"token": "x"}), "token: "),
        (WEBHOOK, json!({"url": "x"}), "url: "),
        (WEBHOOK, json!({"headers": "x"}), "headers: "),
        (WEBHOOK, json!({"headers": {"a b": "x"}}), "headers: "),
        (WEBHOOK, json!({"headers": {"Content-Length": "5"}}), "headers: "),
        (WEBHOOK, json!({"headers": {"X": "a\nb"}}), "headers: "),
        (NTFY, json!({"url": "https://u:p@ntfy.sh/t"}), "url: "),
        (NTFY, json!({"url": "https://ntfy.sh/"}), "url: "),
        (SLACK, json!({"url": "https://hooks.slack.com"}), "url: "),
        (NTFY, json!({"url": format!("https://ntfy.sh/{}", "x".repeat(URL))}), "url: "),
    ] {
        assert!(reason(kind, &bad).starts_with(key), "{kind} {bad}: {}", reason(kind, &bad));
    }
}

#[test]
fn a_blank_secret_stays_while_the_place_does() {
    let change = |kind: &str, before: &Value, given: &Value| {
        let is_secret = |key: &str| {
            find(kind).map_or(key == "token", |it| it.of_channel.iter().any(|it| it.key == key && it.secret))
        };
        changed(kind, Some(&map(before)), map(given), is_secret).map(Value::Object).map_err(|error| error.key)
    };
    let mail = json!({"host": "a.org", "user": "u", "password": "p"});
    let with = |fields: &[(&str, &str)]| {
        let mut config = map(&mail);
        config.insert("password".to_owned(), "".into());
        config.extend(fields.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))));
        Value::Object(config)
    };
    assert_eq!(change(EMAIL, &mail, &with(&[])), Ok(mail.clone()));
    assert_eq!(change(EMAIL, &mail, &with(&[("sender_name", "NOC")])).unwrap()["password"], "p");
    assert_eq!(change(EMAIL, &mail, &with(&[("password", "q")])).unwrap()["password"], "q");
    for elsewhere in [("host", "b.org"), ("host", ""), ("port", "26"), ("encryption", "none")] {
        assert_eq!(change(EMAIL, &mail, &with(&[elsewhere])), Err("password".to_owned()), "{elsewhere:?}");
        assert!(change(EMAIL, &mail, &with(&[elsewhere, ("password", "q")])).is_ok(), "{elsewhere:?}");
    }
    assert_eq!(change(EMAIL, &mail, &json!({"host": "b.org"})), Ok(json!({"host": "b.org"})), "left out is taken away");

    let topic = json!({"url": "https://ntfy.sh/t", "token": "t"});
    assert_eq!(change(NTFY, &topic, &json!({"url": "", "token": ""})), Ok(topic.clone()));
    let moved = change(NTFY, &topic, &json!({"url": "https://ntfy.sh/u", "token": ""}));
    assert_eq!(moved, Ok(json!({"url": "https://ntfy.sh/u", "token": "t"})));
    assert!(change(NTFY, &topic, &json!({"url": "https://evil.org/t", "token": ""})).is_err());

    let room = json!({"room": "a", "token": "t"});
    assert_eq!(change("plug-in", &room, &json!({"room": "a", "token": ""})), Ok(room.clone()));
    assert!(change("plug-in", &room, &json!({"room": "b", "token": ""})).is_err());
    assert!(change("plug-in", &room, &json!({"token": ""})).is_err());
    assert_eq!(change("plug-in", &room, &json!({"room": "b"})), Ok(json!({"room": "b"})));
}
