//! Channels with settings of their own: their mail server, sender and headers are used, the rest is the server's, and
//! no secret shows.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use argusd::notify::{Dispatcher, Health, MailSettings, MediumReach};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::support::{
    Client, MINUTE, Who,
    channel::PATH as CHANNELS,
    contact_api::{ContactApi, EMAIL, id, with},
    outbox::mail_at,
    sinks::{HttpSink, Mood, SmtpSink, Step},
};

const PASSWORD: &str = "s3cret-of-the-channel";

/// An app whose channels have a mail server of their own, beside that of the server.
struct OwnServers {
    api: ContactApi,
    admin: Client,
    health: Arc<Health>,
    dispatcher: Dispatcher,
}

impl OwnServers {
    /// The server's own mail server is the sink.
    async fn new(sink: &SmtpSink) -> Self {
        let api = ContactApi::new().await;
        let admin = api.app.of(Who::Superuser);
        let mail = MailSettings {
            from: "Argus <argus@noc.example.org>".to_owned(),
            credentials: Some(("ours".to_owned(), "s3cret-of-the-server".into())),
            ..mail_at(sink.port)
        };
        let (channels, health) = (Arc::new(api.app.channels(mail)), Arc::new(Health::default()));
        let dispatcher = api.app.dispatcher(channels, &health, 60 * MINUTE);
        Self { api, admin, health, dispatcher }
    }

    async fn channel(&self, n: u128, kind: &str, config: Value) {
        self.admin.channel(&format!("Channel {n}"), kind).uuid(id(n)).config(config).create().await;
    }

    async fn rule(&self, recipients: Value) {
        let timeslot = self.admin.timeslot("t").post().await;
        let filter = self.admin.filter("f").everything().post().await;
        self.admin.rule("r").timeslot(timeslot).filter(filter).recipients(recipients).post().await;
    }

    /// Posts an incident and sends its messages. Returns the answer of the API about them.
    async fn happens(&mut self) -> String {
        let incident = self.api.app.incident().description("down").post().await;
        self.dispatcher.work_off().await;
        let mut said = String::new();
        for path in [format!("/argusd/v1/incidents/{incident}/notifications/"), "/argusd/v1/deliveries/".to_owned()] {
            said += &self.admin.get(&path).await.text;
        }
        said += &self.admin.get(CHANNELS).await.text;
        said
    }
}

/// What is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        let guard = tracing::subscriber::set_default(subscriber.with_writer(move || log.clone()).finish());
        Self::hear_all();
        guard
    }

    /// Also what other threads came across first, where nobody listens.
    fn hear_all() {
        tracing::callsite::rebuild_interest_cache();
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

#[tokio::test]
async fn a_channel_has_its_own_mail_server_and_sender() {
    let log = Log::default();
    let _guard = log.start();
    let (ours, theirs) = (SmtpSink::start(), SmtpSink::start());
    let mut setup = OwnServers::new(&ours).await;
    let own = json!({"host": "127.0.0.1", "port": theirs.port, "user": "noc", "password": PASSWORD,
        "sender_mail": "alarm@example.net", "sender_name": "Alarm", "subject_prefix": "[Alarm] "});
    setup.channel(5, "email", own).await;
    setup.channel(6, "email", json!({"sender_name": "Half"})).await;
    for (n, channel) in [(1, EMAIL.to_owned()), (2, id(5)), (3, id(6))] {
        setup.api.put_contact(n, json!({ "default_channel": channel })).await;
    }
    // The server's login is the server's, so the channel with one of its own does not count as such.
    setup.admin.patch(&format!("{CHANNELS}{EMAIL}/"), json!({"config": {}})).await;
    setup.rule(json!([{"contact": id(1)}, {"contact": id(2)}, {"contact": id(3)}])).await;
    let mut said = setup.happens().await;

    let (at_ours, at_theirs) = (ours.mails(), theirs.mails());
    assert_eq!((at_ours.len(), at_theirs.len()), (2, 1));
    let mail = &at_theirs[0];
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("alarm@example.net", ["c2@example.org".to_owned()].as_slice())
    );
    assert_eq!(mail.header("From"), "Alarm <alarm@example.net>");
    assert!(mail.header("Subject").starts_with("[Alarm] "), "{}", mail.header("Subject"));
    assert!(mail.header("Message-ID").ends_with("@example.net>"));
    let of = |to: &str| at_ours.iter().find(|mail| mail.to == [to]).unwrap();
    assert_eq!(of("c1@example.org").header("From"), "Argus <argus@noc.example.org>");
    assert_eq!(of("c3@example.org").header("From"), "Half <argus@noc.example.org>");
    assert!(of("c3@example.org").header("Subject").starts_with("[Argus] "));

    // Each login went to its own server.
    let login = |user: &str, password: &str| BASE64_STANDARD.encode(format!("\0{user}\0{password}"));
    let (our_login, their_login) = (login("ours", "s3cret-of-the-server"), login("noc", PASSWORD));
    assert!(ours.saw(&format!("AUTH PLAIN {our_login}")) && !ours.saw(&format!("AUTH PLAIN {their_login}")));
    assert!(theirs.saw(&format!("AUTH PLAIN {their_login}")) && !theirs.saw(&format!("AUTH PLAIN {our_login}")));

    // Their server fails: the message stays queued, our server counts as reachable, and no secret is shown.
    setup.api.app.allow_unsent_messages();
    theirs.set(Mood::Answer(Step::Auth, "535 no"));
    theirs.set_for("c2@example.org", Mood::Answer(Step::Recipient, "550 who?"));
    setup
        .admin
        .patch(
            &format!("{CHANNELS}{}/", id(5)),
            json!({"config": {"host": "127.0.0.1", "port": theirs.port,
        "user": "noc2", "password": PASSWORD}}),
        )
        .await;
    Log::hear_all();
    said += &setup.happens().await;
    assert_eq!((theirs.mails().len(), ours.mails().len()), (1, 4));
    assert_eq!(setup.health.reach("email"), Some(MediumReach::Reachable));
    assert!(said.contains("AUTH: 535"), "{said}");
    let logged = log.text();
    assert!(logged.contains("AUTH: 535"), "the log is listened to: {logged}");
    for text in [said, logged] {
        assert!(!text.contains("s3cret"), "{text}");
        assert!(!text.contains(&their_login) && !text.contains(&our_login), "{text}");
    }
}

#[tokio::test]
async fn a_changed_channel_is_used_at_once() {
    let (ours, theirs) = (SmtpSink::start(), SmtpSink::start());
    let mut setup = OwnServers::new(&ours).await;
    setup.channel(5, "email", json!({"host": "127.0.0.1", "port": 1})).await;
    setup.api.put_contact(1, json!({ "default_channel": id(5) })).await;
    setup.rule(json!([{"contact": id(1)}])).await;
    setup.happens().await;
    assert_eq!(setup.health.reach("email"), None);
    let config = json!({"host": "127.0.0.1", "port": theirs.port});
    setup.admin.patch(&format!("{CHANNELS}{}/", id(5)), json!({ "config": config })).await;
    setup.api.app.clock.advance_micros(10 * MINUTE);
    setup.dispatcher.work_off().await;
    assert_eq!((ours.mails().len(), theirs.mails().len()), (0, 1));
}

#[tokio::test]
async fn text_messages_are_sent_through_the_gateway_of_the_channel() {
    let (ours, theirs, web) = (SmtpSink::start(), SmtpSink::start(), HttpSink::start());
    let mut setup = OwnServers::new(&ours).await;
    let by_mail = json!({"gateway_address": "gate@example.net", "host": "127.0.0.1", "port": theirs.port});
    setup.channel(5, "sms", by_mail).await;
    setup.channel(6, "sms", json!({"address_template": "{number}@sms.example.net"})).await;
    let by_web = json!({"url": web.url("/send"), "secret": PASSWORD, "body": "{\"to\": {{ number }}}",
        "headers": {"Content-Type": "application/json", "X-Key": "{{ secret }}"}});
    setup.channel(7, "sms", by_web).await;
    for n in [1, 2, 3] {
        let number = format!("+476767670{n}");
        setup.api.put_contact(n, json!({"default_channel": id(4 + n), "addresses": {"sms": number}})).await;
    }
    setup.rule(json!([{"contact": id(1)}, {"contact": id(2)}, {"contact": id(3)}])).await;
    let said = setup.happens().await;
    assert!(!said.contains("s3cret"), "{said}");
    assert_eq!(
        (theirs.mails()[0].to.as_slice(), theirs.mails().len()),
        (["gate@example.net".to_owned()].as_slice(), 1)
    );
    assert_eq!(theirs.mails()[0].header("Subject"), "sms +4767676701");
    assert_eq!(
        (ours.mails()[0].to.as_slice(), ours.mails().len()),
        (["+4767676702@sms.example.net".to_owned()].as_slice(), 1)
    );
    let call = &web.calls()[0];
    assert_eq!((call.headers["x-key"].as_str(), call.body.as_str()), (PASSWORD, "{\"to\": \"+4767676703\"}"));
}

#[tokio::test]
async fn secrets_of_a_channel_are_sent_to_its_own_address_only() {
    let (mail, web, other) = (SmtpSink::start(), HttpSink::start(), HttpSink::start());
    let mut setup = OwnServers::new(&mail).await;
    let hook =
        json!({"url": web.url("/own"), "secret": "key", "headers": {"Authorization": "Bearer s3cret", "X-B": "2"}});
    setup.channel(5, "webhook", hook).await;
    setup.channel(6, "ntfy", json!({"url": web.url("/topic"), "token": "s3cret"})).await;
    for (n, kind, address) in [
        (1, "webhook", Value::Null),
        (2, "webhook", web.url("/hers").into()),
        (3, "webhook", other.url("/his").into()),
        (4, "ntfy", web.url("/hers").into()),
        (5, "ntfy", other.url("/his").into()),
    ] {
        let channel = if kind == "webhook" { id(5) } else { id(6) };
        let contact = json!({"default_channel": channel, "addresses": with(json!({}), json!({ kind: address }))});
        setup.api.put_contact(n, contact).await;
    }
    setup.rule(json!((1..=5).map(|n| json!({ "contact": id(n) })).collect::<Vec<_>>())).await;
    let said = setup.happens().await;
    assert!(!said.contains("s3cret"), "{said}");
    let calls = web.calls();
    assert_eq!((calls.len(), other.calls().len()), (3, 2));
    assert!(calls.iter().all(|call| call.headers["authorization"] == "Bearer s3cret"), "{calls:?}");
    let own = calls.iter().find(|call| call.path == "/own").unwrap();
    assert!(own.headers["x-b"] == "2" && own.headers.contains_key("x-argusd-signature"), "{own:?}");
    for call in other.calls() {
        assert!(!format!("{call:?}").contains("s3cret") && !call.headers.contains_key("x-b"), "{call:?}");
    }
}
