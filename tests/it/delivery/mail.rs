//! Mails as another program reads them: Python's own parser. Where there is no Python the tests say so and pass, unless
//! `CI` is set.

#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "the tester's wishes, and news for the tester")]

use std::{
    io::Write,
    process::{Command, Stdio},
    sync::Arc,
};

use argusd::{
    domain::{attempt::AttemptEnd, event::EventType},
    notify::{ChannelSettings, Channels, Content, Notice, Outgoing, SmsSettings, Summary},
};
use serde_json::{Value, json};

use crate::{
    delivery::channels::notice,
    support::{
        outbox::mail_at,
        sinks::{Mail, SmtpSink},
        still_clock,
    },
};

/// What Python reads in the mails; `None`: there is no Python here.
fn read(mails: &[Mail]) -> Option<Vec<Value>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail/read.py");
    let child = Command::new("python3").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(why) => {
            assert!(std::env::var_os("CI").is_none(), "no python3 ({why}), and CI is set");
            eprintln!("no python3: {why}");
            return None;
        }
    };
    let raw: Vec<&str> = mails.iter().map(|mail| mail.raw.as_str()).collect();
    child.stdin.take().unwrap().write_all(json!(raw).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let read: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read.len(), mails.len());
    for (mail, raw) in read.iter().zip(mails) {
        assert_eq!(mail["defects"], json!([]), "{}", raw.raw);
    }
    Some(read)
}

/// Channels that mail to a sink.
struct Mailer {
    sink: SmtpSink,
    channels: Channels,
}

impl Mailer {
    fn new(change: impl FnOnce(&mut ChannelSettings)) -> Self {
        let sink = SmtpSink::start();
        let mail = mail_at(sink.port);
        let mut settings = ChannelSettings { mail, time_zone: chrono_tz::Europe::Oslo, ..ChannelSettings::default() };
        change(&mut settings);
        Self { sink, channels: Channels::new(&settings, still_clock()).unwrap() }
    }

    async fn send(&self, medium: &str, address: (&str, &str), content: Content) {
        let message = Outgoing {
            id: format!("m{}", self.sink.mails().len()),
            medium: medium.to_owned(),
            settings: [(address.0.to_owned(), address.1.to_owned())].into(),
            content,
            contact: None,
        };
        let (outcome, _) = self.channels.send(&message).await;
        assert!(outcome.ended == AttemptEnd::Sent, "{outcome:?}");
    }

    async fn mail(&self, address: &str, notice: Notice) {
        self.send("email", ("email_address", address), Content::Event(notice)).await;
    }
}

fn described(kind: EventType, description: &str) -> Notice {
    let mut notice = notice(kind);
    description.clone_into(&mut Arc::make_mut(&mut notice.incident).description);
    notice
}

#[tokio::test]
async fn international_domains_are_written_in_ascii() {
    let mailer = Mailer::new(|settings| {
        settings.mail.from = "Vakt på NOC <noc@blåbær.no>".to_owned();
        settings.sms = SmsSettings::MailTemplate("{number}@sms.exämple.org".to_owned());
    });
    mailer.mail("user@exämple.org", notice(EventType::Start)).await;
    mailer.send("sms", ("phone_number", "+4767676767"), Content::Event(notice(EventType::Start))).await;
    let gateway = Mailer::new(|settings| {
        settings.sms = SmsSettings::MailGateway("sms@exämple.org".to_owned());
    });
    gateway.send("sms", ("phone_number", "+4767676767"), Content::Event(notice(EventType::Start))).await;

    let mut mails = mailer.sink.mails();
    mails.extend(gateway.sink.mails());
    let recipients: Vec<&str> = mails.iter().map(|mail| mail.to[0].as_str()).collect();
    let expected = ["user@xn--exmple-cua.org", "+4767676767@sms.xn--exmple-cua.org", "sms@xn--exmple-cua.org"];
    assert_eq!(recipients, expected);
    assert!(!mailer.sink.saw("MAIL FROM:<noc@xn--blbr-roah.no> SMTPUTF8"));
    for mail in &mails[..2] {
        assert_eq!(mail.from, "noc@xn--blbr-roah.no");
    }
    assert!(mails.iter().all(|mail| mail.raw.split("\n\n").next().unwrap().is_ascii()));
    let Some(read) = read(&mails) else { return };
    for (mail, to) in read.iter().zip(expected) {
        assert_eq!(mail["to"], json!([["", to]]));
    }
    assert_eq!(read[0]["from"], json!([["Vakt på NOC", "noc@xn--blbr-roah.no"]]));
    assert_eq!(read[0]["message_id"], "<m0@xn--blbr-roah.no>");

    // Only a mail server can say who that is.
    let message = Outgoing {
        id: "m".to_owned(),
        medium: "email".to_owned(),
        settings: [("email_address".to_owned(), "jørn@exämple.org".to_owned())].into(),
        content: Content::Test { username: "alice".to_owned() },
        contact: None,
    };
    let (outcome, _) = mailer.channels.send(&message).await;
    assert!(outcome.ended == AttemptEnd::Failed && outcome.answer.contains("before the @"), "{outcome:?}");
}

#[tokio::test]
async fn mail_readers_show_the_text_as_written() {
    let descriptions = [
        "=?utf-8?q?All_is_fine?=",
        "disk =?utf-8?q?full?= on web1",
        "x=?utf-8?q?All?=y =?iso-8859-1?Q?=E6?= =?utf-8?b?QWxs?=",
        "Røde tall på =?utf-8?q?web1?= ærlig talt",
        "漢字😀 and = ? =? ?=",
        "<&\"'> =?x",
    ];
    let names = ["=?utf-8?q?All_is_fine?=", "NOC =?utf-8?b?QWxs?= night", "Vakt \"på\" =?x", "Plain, Name"];
    let mailer = Mailer::new(|settings| settings.mail.subject_prefix = "=?utf-8?q?prefix?= ".to_owned());
    for description in descriptions {
        mailer.mail("alice@example.org", described(EventType::Start, description)).await;
    }
    let mut mails = mailer.sink.mails();
    for name in names {
        let quoted = name.replace('"', "\\\"");
        let mailer = Mailer::new(|settings| settings.mail.from = format!("\"{quoted}\" <noc@example.org>"));
        mailer.mail("alice@example.org", notice(EventType::Start)).await;
        mails.extend(mailer.sink.mails());
    }
    let Some(read) = read(&mails) else { return };
    for (mail, description) in read.iter().zip(descriptions) {
        let subject = mail["subject"].as_str().unwrap();
        assert!(subject.starts_with("=?utf-8?q?prefix?= 'Incident start': "), "{subject}");
        assert!(subject.contains(&format!(": {description}, zabbix-src @ ")), "{subject}");
        assert!(mail["text"].as_str().unwrap().contains(description));
        assert_eq!((&mail["suppress"], &mail["auto_submitted"]), (&json!("All"), &json!("auto-generated")));
    }
    for (mail, name) in read[descriptions.len()..].iter().zip(names) {
        assert_eq!(mail["from"], json!([[name, "noc@example.org"]]));
    }
}

#[tokio::test]
async fn all_mails_of_an_incident_have_one_subject_if_configured() {
    let kinds = [EventType::Start, EventType::Acknowledge, EventType::End];
    let mut mails = Vec::new();
    for is_stable in [false, true] {
        let mailer = Mailer::new(|settings| settings.mail.stable_subject = is_stable);
        for kind in kinds {
            mailer.mail("alice@example.org", notice(kind)).await;
        }
        let summary = Summary { notices: vec![notice(EventType::Start)], total: 9 };
        mailer.send("email", ("email_address", "alice@example.org"), Content::Summary(summary)).await;
        mails.extend(mailer.sink.mails());
    }
    let Some(read) = read(&mails) else { return };
    let subjects: Vec<&str> = read.iter().map(|mail| mail["subject"].as_str().unwrap()).collect();
    assert!(subjects[0].starts_with("[Argus] 'Incident start': Røde tall på web1, zabbix-src @ 20"), "{subjects:?}");
    assert!(subjects[1].starts_with("[Argus] 'Acknowledge': "), "{subjects:?}");
    assert_eq!(subjects[4..7], ["[Argus] #7 Røde tall på web1, zabbix-src"; 3]);
    assert_eq!(subjects[7], "[Argus] 9 notifications, the worst: Røde tall på web1");
    assert!(read[..3].iter().chain(&read[4..7]).all(|mail| mail["references"] == "<i7@localhost>"));
}

#[tokio::test]
async fn summaries_contain_whole_notices() {
    let mailer = Mailer::new(|_| ());
    let notices = (0..50).map(|number| described(EventType::Start, &format!("{number} {}", "<&\"'>".repeat(60))));
    let summary = Summary { notices: notices.collect(), total: 60 };
    mailer.send("email", ("email_address", "alice@example.org"), Content::Summary(summary)).await;
    let Some(read) = read(&mailer.sink.mails()) else { return };
    let (text, html) = (read[0]["text"].as_str().unwrap(), read[0]["html"].as_str().unwrap());
    assert_eq!((text.matches("Level 1, Critical: ").count(), html.matches("<tr>").count()), (50, 50));
    assert!(text.contains("And 10 more.") && html.contains("And 10 more."));
    assert!(html.trim_end().ends_with("</html>"));
}
