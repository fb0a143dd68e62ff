//! The native API of the real program: test messages go the way of all messages, and say how it went.

use serde_json::json;

use crate::support::{
    daemon::{Daemon, Site},
    eventually::eventually,
    sinks::{Mood, SmtpSink, Step},
};

fn start(site: &Site, sink: &SmtpSink) -> Daemon {
    let mut command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("EMAIL_HOST", "127.0.0.1").env("EMAIL_PORT", sink.port.to_string());
    Daemon::start(command)
}

#[test]
fn a_test_message_arrives_or_fails_with_a_reason() {
    let (site, sink) = (Site::new(), SmtpSink::start());
    site.ok(&["user", "create", "anna", "--email", "anna@example.org"]);
    let token = site.ok(&["token", "create", "anna"]);
    let daemon = start(&site, &sink);
    let mut client = daemon.client().with_token(&token);
    let mut test = || client.post("/argusd/v1/destinations/1/test/", &json!({}));
    let sent = test();
    assert_eq!((sent.status, &sent.json()["outcome"]), (200, &json!("sent")), "{}", sent.body);
    assert!(!sent.json()["transcript"].as_array().unwrap().is_empty());
    eventually("the mail has arrived", || sink.mails().len() == 1);
    let mail = sink.mails().remove(0);
    assert_eq!(mail.to, ["anna@example.org"]);
    assert!(mail.raw.contains("anna"), "{}", mail.raw);
    sink.set(Mood::Answer(Step::Recipient, "550 no such user"));
    let failed = test();
    assert_eq!((failed.status, &failed.json()["outcome"]), (200, &json!("fail")), "{}", failed.body);
    assert!(failed.json()["answer"].as_str().unwrap().contains("550"), "{}", failed.body);
    sink.set(Mood::Answer(Step::Recipient, "451 later"));
    let later = test();
    assert_eq!((later.status, &later.json()["outcome"]), (200, &json!("retry")), "{}", later.body);
    assert_eq!(sink.mails().len(), 1);
    daemon.stop();
}

#[test]
fn the_native_document_is_printed() {
    let document: serde_json::Value = serde_json::from_str(&Site::new().ok(&["openapi", "native"])).unwrap();
    assert!(document["paths"]["/argusd/v1/profiles/preview/"]["post"].is_object());
}
