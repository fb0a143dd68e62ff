//! Tests of mails, and of texts from outside that try to change their structure.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    clock::ManualClock,
    domain::tag::{IncidentTag, Tag},
    notify::{Content, MailSettings, Notice, Summary, samples},
};

fn email() -> EmailTransport {
    let settings = MailSettings { from: "Argus <argus@noc.example.org>".to_owned(), ..MailSettings::default() };
    EmailTransport {
        smtp_pools: Arc::new(SmtpPools::new(&settings).unwrap()),
        templates: Arc::new(Templates::load(None).unwrap()),
        time_zone: chrono_tz::Europe::Oslo,
        stable_subject: false,
        clock: Arc::new(ManualClock::new(now())),
    }
}

fn now() -> Timestamp {
    Timestamp::saturating_from_micros(1_706_789_600_000_000)
}

fn outgoing(content: Content) -> Outgoing {
    let settings = BTreeMap::from([("email_address".to_owned(), "alice@example.org".to_owned())]);
    Outgoing { id: "g7-41".to_owned(), medium: "email".to_owned(), settings, content, contact: None }
}

fn compose(message: &Outgoing) -> Result<Message, String> {
    let email = email();
    email.compose(message, &email.smtp_pools.of(None).unwrap(), now())
}

fn written(content: Content) -> String {
    let mail = compose(&outgoing(content)).unwrap();
    String::from_utf8(mail.formatted()).unwrap().replace("\r\n", "\n")
}

#[test]
fn looks_as_the_contract_says_and_has_more() {
    insta::assert_snapshot!("event", written(Content::Event(samples::full())));
    insta::assert_snapshot!("bare_event", written(Content::Event(samples::bare())));
    let summary = Summary { notices: vec![samples::full(), samples::bare()], total: 12 };
    insta::assert_snapshot!("summary", written(Content::Summary(summary)));
    insta::assert_snapshot!("test", written(Content::Test { username: "alice".to_owned() }));
}

#[test]
fn an_address_that_is_none_is_a_failure() {
    for bad in ["", "alice", "alice@example.org\r\nBcc: eve@example.org", "a@b, c@d", "<a@b>"] {
        let mut message = outgoing(Content::Test { username: "alice".to_owned() });
        message.settings.insert("email_address".to_owned(), bad.to_owned());
        assert!(compose(&message).is_err(), "{bad:?}");
    }
}

#[test]
fn a_value_of_any_length_gives_a_mail_of_bounded_length() {
    let mut notice = samples::full();
    let incident = Arc::make_mut(&mut notice.incident);
    incident.description = "<&\"'>".repeat(10_000);
    incident.metadata = format!("\"{}\"", "\u{1}".repeat(limits::METADATA_BYTES));
    incident.tags = (0..200)
        .map(|n| IncidentTag {
            tag: Tag::parse(&format!("key{n}={}", "æ".repeat(1_000))).unwrap(),
            added_by: incident.tags[0].added_by,
            added_at: now(),
        })
        .collect();
    let mail = written(Content::Event(notice));
    assert!(mail.len() < 4 * limits::RENDERED_BYTES, "{}", mail.len());
    assert!(mail.lines().all(|line| line.len() <= 998));
}

#[test]
fn a_text_does_not_end_its_part() {
    let mut notice = samples::full();
    Arc::make_mut(&mut notice.event).description = "\r\n\r\n--=_g7-41--\r\n.\r\n".to_owned();
    let mut message = outgoing(Content::Event(notice));
    message.id = "g7-41".to_owned();
    let raw = String::from_utf8(compose(&message).unwrap().formatted()).unwrap();
    assert_eq!(raw.matches("--=_g7-41_1").count(), 3, "{raw}");
}

/// Returns the unfolded header lines of a mail: everything before the first empty line.
fn headers(mail: &str) -> Vec<String> {
    let head = mail.split("\n\n").next().unwrap();
    head.replace("\n ", " ").replace("\n\t", " ").lines().map(str::to_owned).collect()
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r\n".to_owned()),
        Just("\n".to_owned()),
        Just("\r".to_owned()),
        Just("\0".to_owned()),
        Just("\r\nBcc: eve@example.org".to_owned()),
        Just("\r\n\r\n--=_g7-41--\r\n.\r\n".to_owned()),
        Just("\u{2028}Subject: x".to_owned()),
        Just("æ漢字😀".repeat(60)),
        Just("x".repeat(1_500)),
        "(?s).{0,20}",
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn nothing_adds_a_header_or_a_part(texts in proptest::array::uniform10(hostile())) {
        let [description, event, actor, source, kind, base, link, thread, id, metadata] = texts;
        let mut notice = samples::full();
        {
            let incident = Arc::make_mut(&mut notice.incident);
            incident.description.clone_from(&description);
            incident.source_incident_id = description;
            incident.details_url = format!("/{base}");
            incident.metadata = metadata;
            Arc::make_mut(&mut notice.event).description = event;
        }
        let notice = Notice { actor, source, source_type: kind, base_url: base, link: Some(link), thread, ..notice };
        let mut message = outgoing(Content::Event(notice));
        message.id = id;
        let mail = compose(&message).unwrap();
        prop_assert_eq!(mail.envelope().to().len(), 1);
        let raw = String::from_utf8(mail.formatted()).unwrap();
        prop_assert!(!raw.contains('\0'));
        prop_assert!(raw.lines().all(|line| line.len() <= 998));
        let bare = raw.replace("\r\n", "").matches('\n').count();
        let raw = raw.replace("\r\n", "\n");
        prop_assert!(!raw.contains('\r') && bare == 0);
        let headers = headers(&raw);
        let names: Vec<&str> = headers.iter().map(|line| line.split(": ").next().unwrap()).collect();
        prop_assert_eq!(names, [
            "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "List-Id", "References", "In-Reply-To",
            "MIME-Version", "Content-Type",
        ]);
        let boundary = headers.last().unwrap().split('"').nth(1).unwrap();
        let marks = raw.lines().filter(|line| line.starts_with(&format!("--{boundary}"))).count();
        prop_assert_eq!(marks, 3, "{}", raw);
    }
}
