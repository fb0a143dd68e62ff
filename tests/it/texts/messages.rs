//! Each kind of message in each channel, as its receiver gets it: posted over the API, decided, queued, and sent to a mail
//! server and a web server that note what they get.
//!
//! What differs in each run is replaced: ids of messages, which name the data file, and so references to incidents and the
//! signature of a webhook.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::PathBuf,
    sync::Arc,
};

use argusd::{
    clock::Clock,
    domain::{
        attempt::AttemptOutcome,
        channel_types::CHANNEL_TYPES,
        destination::{Destination, EMAIL, SMS},
        time::Timestamp,
    },
    notify::{
        ChannelSettings, Channels, Dispatcher, MailSettings, Outgoing, PluginSettings, SmsSettings, Transcript,
        Transport,
    },
};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{
    assert_text, mails, replace_words,
    world::{API, dispatcher},
};
use crate::{
    delivery::plugins,
    support::{
        App, Client, MINUTE, NOW, Who,
        sinks::{Call, HttpSink, SmtpSink},
    },
};

/// Headers of requests that are not ours.
const FORM: &[&str] = &["accept", "accept-encoding", "connection", "content-length", "host", "user-agent"];
/// Messages a minute to one destination; more become a summary.
const STORM_LIMIT: usize = 2;
/// Address of the local web server in settings, since some addresses have to begin with `https`.
const HOOKS: &str = "https://hooks.example.org";
const ANN: &str = "0817d973-398e-41d7-9cd2-00000000000a";

/// Redirects requests for `HOOKS` to the local web server.
struct Redirected {
    channels: Arc<Channels>,
    to: String,
}

impl Redirected {
    fn redirect(&self, settings: &mut BTreeMap<String, String>) {
        for value in settings.values_mut() {
            *value = value.replace(HOOKS, &self.to);
        }
    }
}

impl Transport for Redirected {
    fn carry<'a>(&'a self, message: &'a Outgoing, transcript: &'a mut Transcript) -> BoxFuture<'a, AttemptOutcome> {
        let mut message = message.clone();
        self.redirect(&mut message.settings);
        Box::pin(async move { self.channels.carry(&message, transcript).await })
    }
}

/// A server with one user and one contact, who get everything via every channel.
struct Post {
    app: App,
    alice: Client,
    transport: Arc<Redirected>,
    dispatcher: Dispatcher,
    smtp: SmtpSink,
    http: HttpSink,
    directory: TempDir,
    /// Numbers of mails, requests and plug-in calls that were recorded.
    seen: (usize, usize, usize),
    /// Texts, by the name of the snapshot.
    texts: BTreeMap<&'static str, String>,
}

impl Post {
    async fn new() -> Self {
        let (app, smtp, http, directory) =
            (App::new().await, SmtpSink::start(), HttpSink::start(), TempDir::new().unwrap());
        let settings = ChannelSettings {
            mail: MailSettings {
                host: "127.0.0.1".to_owned(),
                port: smtp.port,
                from: "Argus <argus@noc.example.org>".to_owned(),
                ..MailSettings::default()
            },
            sms: SmsSettings::MailGateway("sms@gateway.example.org".to_owned()),
            time_zone: chrono_tz::Europe::Oslo,
            plugins: PluginSettings {
                directory: Some(plugins::install(directory.path())),
                ..PluginSettings::default()
            },
            ..ChannelSettings::default()
        };
        let channels = Arc::new(Channels::new(&settings, Arc::clone(&app.clock) as Arc<dyn Clock>).unwrap());
        let transport = Arc::new(Redirected { channels, to: http.url("") });
        let dispatcher = dispatcher(&app, Arc::clone(&transport) as _, STORM_LIMIT);
        let alice = app.of(Who::EndUser);
        let post =
            Self { app, alice, transport, dispatcher, smtp, http, directory, seen: (0, 0, 0), texts: BTreeMap::new() };
        post.channel("0817d973-398e-41d7-9cd2-000000000001", "room", json!({"mood": "good", "record": post.record()}))
            .await;
        post.subscribe().await;
        post
    }

    fn record(&self) -> PathBuf {
        self.directory.path().join("record")
    }

    async fn channel(&self, uuid: &str, kind: &str, config: Value) {
        let is_plugin = kind == "room";
        let body = json!({"uuid": uuid, "name": kind, "type": kind, "config": config, "offered": is_plugin});
        let reply = self.app.of(Who::Superuser).post("/argusd/v1/channels/", body).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }

    /// Sends everything to all destinations of `alice`, one of each medium.
    async fn subscribe(&self) {
        let created = async |path: &str, body: Value| self.alice.post(&format!("{API}/{path}"), body).await.pk();
        let mut destinations = Vec::new();
        for destination in self.alice.get(&format!("{API}/destinations/")).await.json().as_array().unwrap() {
            destinations.push(destination["pk"].as_u64().unwrap());
        }
        for known in CHANNEL_TYPES.iter().filter(|known| known.key != EMAIL) {
            let address = match known.key {
                SMS => "+4767676767".to_owned(),
                key => format!("{HOOKS}/{key}/alice"),
            };
            let mut settings: Map<String, Value> =
                known.of_destination.iter().map(|it| (it.key.to_owned(), "s3cret".into())).collect();
            settings.insert(known.address().key.to_owned(), address.into());
            destinations.push(created("destinations/", json!({"media": known.key, "settings": settings})).await);
        }
        destinations.push(created("destinations/", json!({"media": "room", "settings": {"address": "#ops"}})).await);
        let filter = created("filters/", json!({"name": "all", "filter": {"maxlevel": 5}})).await;
        let timeslot = self.alice.get(&format!("{API}/timeslots/")).await.json()[0]["pk"].clone();
        created("", json!({"timeslot": timeslot, "filters": [filter], "destinations": destinations})).await;
    }

    /// Sends everything to a contact, too, via channels with their own settings.
    async fn subscribe_contact(&self) {
        let channels = [
            (
                "email",
                json!({"sender_mail": "night@example.org", "sender_name": "Night desk", "subject_prefix": "NOC: "}),
            ),
            (
                "sms",
                json!({"url": self.http.url("/ann/sms?to={{ digits }}"), "method": "POST",
                "headers": {"Authorization": "Bearer {{ secret }}"}, "secret": "s3cret",
                "body": "{\"to\": {{ number|tojson }}, \"text\": {{ text|tojson }}}"}),
            ),
            ("webhook", json!({"url": self.http.url("/ann/webhook"), "headers": {"X-Desk": "night"}})),
            ("slack", json!({"url": format!("{HOOKS}/ann/slack")})),
            ("ntfy", json!({"url": self.http.url("/ann/ntfy/night")})),
        ];
        let mut recipients = vec![json!({ "contact": ANN })];
        let admin = self.app.of(Who::Superuser);
        for (number, (kind, config)) in channels.into_iter().enumerate() {
            let uuid = format!("0817d973-398e-41d7-9cd2-10000000000{number}");
            self.channel(&uuid, kind, config).await;
            recipients.push(json!({"contact": ANN, "channel": uuid}));
        }
        let contact = json!({"id": ANN, "full_name": "Ann Smith", "default_channel": "0817d973-398e-41d7-9cd2-000000000001",
            "addresses": {"email": "ann@example.org", "sms": "+4712345678", "room": "#night"}});
        let path = format!("/icinga-issue/notifications/api/v1/contacts/{ANN}");
        let reply = admin.put(&path, contact).await;
        assert!((200..300).contains(&reply.status), "{} {}", reply.status, reply.text);
        let filter = json!({"name": "everything", "filter": {"maxlevel": 5}});
        let filter = admin.post(&format!("{API}/filters/"), filter).await.pk();
        let timeslot = admin.get(&format!("{API}/timeslots/")).await.json()[0]["pk"].clone();
        let rule = json!({"name": "night", "timeslot": timeslot, "filters": [filter], "recipients": recipients});
        admin.post("/argusd/v1/rules/", rule).await.pk();
    }

    fn at(&self, minute: i64) -> String {
        self.app.clock.set(Timestamp::saturating_from_micros(NOW + minute * MINUTE));
        format!("2026-01-15T13:{minute:02}:00+01:00")
    }

    async fn incident(&self, minute: i64, mut fields: Value) -> u64 {
        fields["start_time"] = self.at(minute).into();
        self.app.incident().with(fields).post().await
    }

    async fn event(&self, minute: i64, who: Who, incident: u64, kind: &str, text: &str) {
        let body = json!({"type": kind, "timestamp": self.at(minute), "description": text});
        self.app.of(who).post(&format!("/api/v2/incidents/{incident}/events/"), body).await.pk();
    }

    /// Sends what is due, and what becomes due by waiting.
    async fn send(&mut self) {
        while let Some(next) = self.dispatcher.work_off().await {
            self.app.clock.set(next);
        }
    }

    /// Sends, and records what arrived under a heading.
    async fn sent(&mut self, heading: &str) {
        self.send().await;
        self.note(heading);
    }

    fn note(&mut self, heading: &str) {
        let mut arrived: Vec<(&'static str, String)> = Vec::new();
        let (all_mails, calls, notes) = (self.smtp.mails(), self.http.calls(), self.notes());
        for mail in &all_mails[self.seen.0..] {
            let snapshot = match mail.to[0].as_str() {
                "alice@example.org" => EMAIL,
                "sms@gateway.example.org" => SMS,
                _ => "contact",
            };
            arrived.push((snapshot, mails::read(mail)));
        }
        for call in &calls[self.seen.1..] {
            let known = CHANNEL_TYPES.iter().find(|known| call.path.starts_with(&format!("/{}/", known.key)));
            arrived.push((known.map_or("contact", |known| known.key), request(call)));
        }
        for note in &notes[self.seen.2..] {
            let snapshot = if note["contact"]["full_name"] == "Ann Smith" { "contact" } else { "plugin" };
            arrived.push((snapshot, serde_json::to_string_pretty(note).unwrap()));
        }
        self.seen = (all_mails.len(), calls.len(), notes.len());
        let generation = self.app.service.store().generation().simple().to_string();
        for (_, text) in &mut arrived {
            let whole = text.replace(env!("CARGO_PKG_VERSION"), "<version>");
            let whole =
                replace_words(&whole, |word| word.starts_with('m') && word.ends_with(&generation), "<message id>");
            let whole = replace_words(&whole, |word| word.starts_with("test-") && word.len() == 37, "<test id>");
            *text = whole.replace(&generation, "<generation>");
        }
        // Destinations work at the same time.
        arrived.sort();
        for (snapshot, text) in arrived {
            write!(self.texts.entry(snapshot).or_default(), "===== {heading}\n{}\n\n", text.trim_end()).unwrap();
        }
    }

    /// Requests that the plug-in received.
    fn notes(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.record()).unwrap_or_default();
        let notes = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        notes.filter_map(|note| note.get("params").cloned()).collect()
    }
}

/// Returns head and body; JSON is indented.
fn request(call: &Call) -> String {
    let headers: BTreeMap<&String, &String> = call.headers.iter().collect();
    let mut text = format!("{} {}\n", call.method, call.path);
    for (name, value) in headers.into_iter().filter(|(name, _)| !FORM.contains(&name.as_str())) {
        let value = if name.contains("signature") { "<signature>" } else { value };
        writeln!(text, "{name}: {value}").unwrap();
    }
    let body: Result<Value, _> = serde_json::from_str(&call.body);
    let body = body.map_or_else(|_| call.body.clone(), |body| serde_json::to_string_pretty(&body).unwrap());
    write!(text, "\n{body}").unwrap();
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_message_reads_as_its_snapshot() {
    let mut post = Post::new().await;
    let mut whole = json!({
        "end_time": "infinity", "level": 1, "description": "Link to Oslo is down", "details_url": "alarm/7",
        "source_incident_id": "A7", "metadata": {"port": "xe-0/0/3"},
        "tags": [{"tag": "location=Oslo"}, {"tag": "host=gw1"}],
    });
    let link = post.incident(0, whole.clone()).await;
    post.sent("New incident").await;
    post.event(2, Who::EndUser, link, "OTH", "The carrier has been called.\nThey expect an hour.").await;
    post.sent("Comment").await;
    let ack = json!({"timestamp": post.at(4), "expiration": "2026-01-15T15:00:00+01:00",
        "event": {"timestamp": "2026-01-15T13:04:00+01:00", "description": "I'm on it."}});
    post.app.of(Who::Staff).post(&format!("/api/v2/incidents/{link}/acks/"), ack).await.pk();
    post.sent("Acknowledged").await;
    let (path, source) = (format!("/api/v2/incidents/{link}/"), post.app.of(Who::Source));
    assert_eq!(source.patch(&path, json!({"level": 3})).await.status, 200);
    let ticket = json!({"ticket_url": "https://tickets.example.org/123"});
    assert_eq!(post.alice.put(&format!("{path}ticket_url/"), ticket).await.status, 200);
    post.sent("Level and ticket, of which nobody is notified").await;
    post.event(6, Who::Source, link, "CHI", "Level changed from 1 to 3").await;
    post.sent("Change that the source reports, with a ticket").await;
    post.event(8, Who::Source, link, "END", "Light is back").await;
    post.sent("Ended by the source").await;
    post.event(10, Who::Source, link, "RES", "Light is lost again").await;
    post.sent("Restarted by the source").await;
    post.event(12, Who::EndUser, link, "CLO", "The fiber was replaced.").await;
    post.sent("Closed by a user").await;
    post.event(14, Who::EndUser, link, "REO", "").await;
    post.sent("Reopened by a user").await;
    post.incident(16, json!({"end_time": null, "level": 5, "description": "Configuration changed by ann"})).await;
    post.sent("Stateless incident").await;
    post.incident(18, json!({"end_time": "infinity"})).await;
    post.sent("New incident with nothing but a start").await;

    let brief = post.incident(20, json!({"end_time": "infinity", "level": 2, "description": "Fan failed"})).await;
    post.event(21, Who::Source, brief, "END", "").await;
    post.at(33);
    post.sent("Sent too late, and closed since").await;

    for name in ["first", "second"] {
        post.incident(40, json!({"end_time": "infinity", "level": 4, "description": format!("Alarm, {name}")})).await;
    }
    post.dispatcher.work_off().await;
    post.seen = (post.smtp.mails().len(), post.http.calls().len(), post.notes().len());
    for (level, name) in [(3, "third"), (2, "fourth"), (5, "fifth")] {
        let fields = json!({"end_time": "infinity", "level": level, "description": format!("Alarm, {name}")});
        post.incident(40, fields).await;
    }
    post.sent("Summary").await;

    let directory = post.app.service.directory();
    for destination in directory.destinations_of(post.app.user_id("alice")) {
        let mut destination = Destination::clone(destination);
        post.transport.redirect(&mut destination.settings);
        post.transport.channels.test(&directory, &destination, "alice").await;
    }
    post.note("Test message");

    post.subscribe_contact().await;
    whole["source_incident_id"] = "A8".into();
    post.incident(50, whole).await;
    post.send().await;
    // Those to the user are there already.
    let of_user: BTreeSet<&str> = post.texts.keys().copied().collect();
    let types = CHANNEL_TYPES.iter().map(|known| known.key);
    assert_eq!(of_user, types.chain(["plugin"]).collect());
    let before = post.texts.clone();
    post.note("New incident, to a contact via a channel with its own settings");
    post.texts.retain(|name, _| *name == "contact");
    post.texts.extend(before);
    post.transport.channels.close().await;
    for (name, text) in &post.texts {
        assert_text("messages", name, text.trim_end());
    }
}
