//! A small server with one of everything, the same in each run, for the snapshots of pages.

use std::{collections::BTreeMap, sync::Arc};

use argusd::{
    domain::{
        attempt::{AttemptEnd, AttemptOutcome},
        channel_types::CHANNEL_TYPES,
        directory::DecisionSettings,
    },
    http::HttpSettings,
    notify::{DispatchSettings, Dispatcher, Health, Outgoing, QueueSettings, Transcript, Transport},
    web::{self, SettingRow, WebSettings},
};
use chrono_tz::Tz;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::{
    resource,
    support::{App, Client, MINUTE, Who, visit::Visit},
};

pub const API: &str = "/api/v2/notificationprofiles";
const CONTACTS: &str = "/icinga-issue/notifications/api/v1/contacts";
const GROUPS: &str = "/icinga-issue/notifications/api/v1/contactgroups";
pub const MAIL: &str = "0817d973-398e-41d7-9cd2-000000000001";
const HOOK: &str = "0817d973-398e-41d7-9cd2-000000000002";
const ROOM: &str = "0817d973-398e-41d7-9cd2-000000000003";
pub const ANN: &str = "0817d973-398e-41d7-9cd2-00000000000a";
pub const NETWORK: &str = "0817d973-398e-41d7-9cd2-00000000000b";

pub struct World {
    pub app: App,
    /// Session of `admin`, who owns everything that has an owner.
    pub visit: Visit,
    pub incidents: Incidents,
    pub profile: u64,
    pub destination: u64,
    pub filter: u64,
    pub timeslot: u64,
    pub rule: u64,
    pub maintenance: Maintenance,
    /// Keys of objects of kinds that no golden file has, by the routes of their pages.
    younger: BTreeMap<&'static str, String>,
}

pub struct Incidents {
    pub acknowledged: u64,
    pub open: u64,
    pub under_maintenance: u64,
    pub closed: u64,
    pub stateless: u64,
}

pub struct Maintenance {
    pub running: u64,
    pub upcoming: u64,
    pub past: u64,
}

/// Accepts messages, except those by webhook and SMS.
struct Providers;

impl Transport for Providers {
    fn carry<'a>(&'a self, message: &'a Outgoing, _: &'a mut Transcript) -> BoxFuture<'a, AttemptOutcome> {
        let outcome = match message.medium.as_str() {
            "webhook" => AttemptOutcome::fail("404 Not Found".to_owned()),
            // At a time that is not spread by chance.
            "sms" => AttemptOutcome {
                ended: AttemptEnd::RetryAfter(30 * MINUTE),
                ..AttemptOutcome::retry("429 Too Many Requests".to_owned())
            },
            _ => AttemptOutcome::sent("250 2.0.0 Ok".to_owned()),
        };
        Box::pin(std::future::ready(outcome))
    }
}

pub fn dispatcher(app: &App, transport: Arc<dyn Transport>, storm_limit: usize) -> Dispatcher {
    let queue = QueueSettings { storm_limit, retry_micros: 24 * 60 * MINUTE };
    let settings = DispatchSettings { queue, public_url: Some("https://argus.example.org/".parse().unwrap()) };
    Dispatcher::new(app.service.store().clone(), transport, Arc::new(Health::default()), settings)
}

/// Gives the page of settings something to show.
fn with_settings(app: &mut App) {
    let row = |name, value: &str, origin: &str| SettingRow { name, value: value.to_owned(), origin: origin.to_owned() };
    let rows = vec![
        row("listen", "127.0.0.1:8000", "default"),
        row("mail.host", "mail.example.org", "file"),
        row("mail.password", "", "environment"),
    ];
    let settings = WebSettings { rows, ..WebSettings::default() };
    app.router = web::with_pages(app.service.clone(), HttpSettings::default(), settings);
}

impl World {
    pub async fn new() -> Self {
        let mut app = App::new().await;
        with_settings(&mut app);
        app.allow_unsent_messages();
        let decisions = DecisionSettings { time_zone: Tz::Europe__Oslo, ..DecisionSettings::default() };
        app.service.notifications().use_decision_settings(decisions).await.unwrap();
        let mut visit = Visit::of(&app, "admin").await;
        let admin = app.of(Who::Superuser);
        let mut dispatcher = dispatcher(&app, Arc::new(Providers), 0);

        let person = [("first_name", "Ada"), ("last_name", "Berg"), ("email", "ada@example.org")];
        visit.submit("/user/details/", &person).await;
        let token = [("note", "dashboard script"), ("days", "30")];
        assert_eq!(visit.post("/user/tokens/", &token).await.status, 200);
        let source = [
            ("name", "Nav in Oslo"),
            ("new_type", "NAV"),
            ("base_url", "https://nav.example.org/"),
            ("frequency", "60"),
        ];
        visit.submit("/sources/new/", &source).await;
        assert_eq!(visit.post("/sources/3/tokens/", &[("note", "glue service on nav1")]).await.status, 200);

        let created = async |path: &str, body: Value| admin.post(&format!("{API}/{path}"), body).await.pk();
        let destinations = destinations(&admin).await;
        let core = json!({"tags": ["location=Oslo"], "maxlevel": 3, "open": true});
        let filter = created("filters/", json!({"name": "Core routers", "filter": core})).await;
        let lab = created("filters/", json!({"name": "Lab", "public": true, "filter": {"tags": ["host=lab1"]}})).await;
        let hours = json!([{"days": [1, 2, 3, 4, 5], "start": "08:00", "end": "16:00"}]);
        let timeslot = created("timeslots/", json!({"name": "Office hours", "time_recurrences": hours})).await;
        let always = admin.get(&format!("{API}/timeslots/")).await.json();
        let always = always.as_array().unwrap().iter().find(|it| it["name"] == "All the time").unwrap()["pk"].clone();
        let on_call =
            json!({"name": "On call", "timeslot": always, "filters": [filter], "destinations": destinations[..3]});
        let profile = created("", on_call).await;
        let silent = json!({"name": "Daytime", "timeslot": timeslot, "filters": [lab], "active": false});
        created("", silent).await;
        let rule = contacts(&admin, timeslot, filter).await;
        let maintenance = maintenance(&admin, lab).await;

        let incidents = incidents(&app).await;
        dispatcher.work_off().await;
        app.clock.advance_micros(5 * MINUTE);
        let page = format!("/incidents/{}/", incidents.acknowledged);
        let mut alice = Visit::of(&app, "alice").await;
        alice.submit(&format!("{page}comment/"), &[("message", "The carrier has been called.")]).await;
        visit.submit(&format!("{page}acknowledge/"), &[("message", "I'm on it."), ("until", "1h")]).await;
        visit.submit(&format!("{page}ticket/"), &[("url", "https://tickets.example.org/123")]).await;
        visit.submit(&format!("{page}level/"), &[("level", "2")]).await;
        visit.submit(&format!("{page}tags/"), &[("tag", "customer=museum")]).await;
        let close = format!("/incidents/{}/close/", incidents.closed);
        visit.submit(&close, &[("message", "The fan was replaced.")]).await;
        dispatcher.work_off().await;
        app.clock.advance_micros(MINUTE);
        let destination = destinations[1];
        let mut younger = BTreeMap::new();
        for resource in resource::all().filter(|it| !it.younger_tables.is_empty()) {
            let key = (resource.object)(&app).await;
            younger.extend(resource.pages.iter().map(|page| (page.path, key.clone())));
        }
        Self { app, visit, incidents, profile, destination, filter, timeslot, rule, maintenance, younger }
    }

    /// Returns the pages of a route: a name if there are several, and the address.
    pub fn pages(&self, route: &str) -> Vec<(String, String)> {
        let plain = |address: String| vec![(String::new(), address)];
        let named = |pages: &[(&str, String)]| -> Vec<(String, String)> {
            pages.iter().map(|(name, address)| ((*name).to_owned(), address.clone())).collect()
        };
        let (incidents, maintenance) = (&self.incidents, &self.maintenance);
        let incident = |pk: u64| format!("/incidents/{pk}/");
        match route {
            "/incidents/" => named(&[
                ("all", format!("{route}?open=any")),
                ("filtered", format!("{route}?open=true&acked=false&level=1&tags=host%3Dnone")),
                ("columns", format!("{route}?open=true&choose=1")),
            ]),
            "/incidents/kiosk/" => plain(format!("{route}?open=true")),
            "/incidents/filters/" => plain(format!("{route}?open=true&level=1")),
            "/incidents/{pk}/" => named(&[
                ("acknowledged", incident(incidents.acknowledged)),
                ("open", incident(incidents.open)),
                ("under_maintenance", incident(incidents.under_maintenance)),
                ("closed", incident(incidents.closed)),
                ("stateless", incident(incidents.stateless)),
            ]),
            "/notifications/profiles/{pk}/" => plain(route.replace("{pk}", &self.profile.to_string())),
            "/notifications/destinations/{pk}/" => plain(route.replace("{pk}", &self.destination.to_string())),
            "/notifications/filters/{pk}/" => plain(route.replace("{pk}", &self.filter.to_string())),
            "/notifications/timeslots/{pk}/" => plain(route.replace("{pk}", &self.timeslot.to_string())),
            "/notifications/destinations/new/" => forms(route, "medium", true),
            "/plannedmaintenance/{pk}/" | "/plannedmaintenance/{pk}/edit/" => named(
                &[("running", maintenance.running), ("upcoming", maintenance.upcoming), ("past", maintenance.past)]
                    .map(|(name, pk)| (name, route.replace("{pk}", &pk.to_string()))),
            ),
            "/sources/{id}/" => plain("/sources/3/".to_owned()),
            "/admin/users/{id}/" => plain(route.replace("{id}", &self.app.user_id("alice").to_string())),
            "/admin/contacts/{id}/" => plain(route.replace("{id}", ANN)),
            "/admin/groups/{id}/" => plain(route.replace("{id}", NETWORK)),
            "/admin/channels/{id}/" => plain(route.replace("{id}", MAIL)),
            "/admin/channels/new/" => forms(route, "type", false),
            "/admin/rules/{id}/" => plain(route.replace("{id}", &self.rule.to_string())),
            "/admin/deliveries/" => named(&[
                ("all", route.to_owned()),
                ("failed", format!("{route}?state=failed")),
                ("queued", format!("{route}?state=queued")),
            ]),
            _ if !route.contains('{') => plain(route.to_owned()),
            _ => {
                let key = self.younger.get(route).unwrap_or_else(|| panic!("{route}: say here what its parameter is"));
                plain(route.replace("{id}", key))
            }
        }
    }
}

/// Returns the form of each channel type, and if `with_choice` the page on which one chooses.
fn forms(route: &str, parameter: &str, with_choice: bool) -> Vec<(String, String)> {
    let plugin = with_choice.then_some("room");
    let types = CHANNEL_TYPES.iter().map(|known| known.key).chain(plugin);
    let forms = types.map(|key| (key.to_owned(), format!("{route}?{parameter}={key}")));
    with_choice.then(|| (String::new(), route.to_owned())).into_iter().chain(forms).collect()
}

/// Creates one destination of each medium; the first is the e-mail address of the account.
async fn destinations(admin: &Client) -> Vec<u64> {
    let path = format!("{API}/destinations/");
    let mut all = vec![admin.get(&path).await.json()[0]["pk"].as_u64().unwrap()];
    for (media, label, settings) in [
        ("webhook", "dashboard", json!({"destination_url": "https://hooks.example.org/argus", "secret": "s3cret"})),
        ("sms", "private phone", json!({"phone_number": "+4767676767"})),
        ("slack", "", json!({"destination_url": "https://slack.example.org/services/T0/B0/x"})),
        ("ntfy", "", json!({"destination_url": "https://ntfy.example.org/alerts"})),
    ] {
        let label = if label.is_empty() { Value::Null } else { label.into() };
        all.push(admin.post(&path, json!({"media": media, "label": label, "settings": settings})).await.pk());
    }
    all
}

/// Creates channels, a contact, a group and rules. Returns the first rule.
async fn contacts(admin: &Client, timeslot: u64, filter: u64) -> u64 {
    let mail = json!({"host": "mail.example.org", "port": 587, "encryption": "starttls", "user": "noc",
        "password": "geheim", "sender_mail": "noc@example.org"});
    for (uuid, name, kind, config, offered) in [
        (MAIL, "NOC mail", "email", mail, false),
        (HOOK, "Status page", "webhook", json!({"url": "https://status.example.org/hook", "secret": "s3cret"}), false),
        (ROOM, "Control room", "room", json!({"room": "#ops"}), true),
    ] {
        let body = json!({"uuid": uuid, "name": name, "type": kind, "config": config, "offered": offered});
        let reply = admin.post("/argusd/v1/channels/", body).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }
    put(admin, &format!("{GROUPS}/{NETWORK}"), json!({"id": NETWORK, "name": "Network"})).await;
    let ann = json!({"id": ANN, "full_name": "Ann Smith", "username": "ann", "default_channel": MAIL,
        "addresses": {"email": "ann@example.org", "sms": "+4712345678"}, "groups": [NETWORK]});
    put(admin, &format!("{CONTACTS}/{ANN}"), ann).await;
    let rule = json!({"name": "Network by day", "timeslot": timeslot, "filters": [filter], "recipients": [
        {"contact": ANN}, {"group": NETWORK, "channel": HOOK}]});
    let rule = admin.post("/argusd/v1/rules/", rule).await.pk();
    let orphan = json!({"name": "Without recipients", "timeslot": timeslot, "filters": [filter], "active": false});
    admin.post("/argusd/v1/rules/", orphan).await.pk();
    rule
}

async fn put(client: &Client, path: &str, body: Value) {
    let reply = client.put(path, body).await;
    assert!((200..300).contains(&reply.status), "{path}: {} {}", reply.status, reply.text);
}

async fn maintenance(admin: &Client, filter: u64) -> Maintenance {
    let plan = async |description: &str, start: &str, end: &str| {
        let body = json!({"description": description, "filters": [filter], "start_time": start, "end_time": end});
        admin.post("/api/v2/plannedmaintenance/", body).await.pk()
    };
    Maintenance {
        running: plan("New racks in the lab", "2026-01-15T11:50:00Z", "2026-01-15T15:00:00Z").await,
        upcoming: plan("New firmware for the lab", "2026-01-20T20:00:00Z", "2026-01-20T22:00:00Z").await,
        past: plan("Cleaning", "2026-01-15T06:00:00Z", "2026-01-15T07:00:00Z").await,
    }
}

async fn incidents(app: &App) -> Incidents {
    Incidents {
        acknowledged: app
            .incident().with(json!({
                "start_time": "2026-01-15T12:48:00+01:00", "end_time": "infinity", "level": 1,
                "description": "Link to Oslo is down\nBoth fibers report loss of light.", "details_url": "alarm/7",
                "source_incident_id": "A7", "metadata": {"port": "xe-0/0/3"},
                "tags": [{"tag": "location=Oslo"}, {"tag": "host=gw1"}],
            })).post()
            .await,
        open: app
            .incident().with(json!({
                "start_time": "2026-01-15T12:50:00+01:00", "end_time": "infinity", "level": 3,
                "description": "Temperature in rack 7 is high", "tags": [{"tag": "location=Oslo"}, {"tag": "host=rack7"}],
            })).post()
            .await,
        under_maintenance: app
            .incident().with(json!({
                "start_time": "2026-01-15T12:55:00+01:00", "end_time": "infinity", "level": 4,
                "description": "lab1 restarted", "tags": [{"tag": "host=lab1"}],
            })).post()
            .await,
        closed: app
            .incident().with(json!({
                "start_time": "2026-01-15T12:40:00+01:00", "end_time": "infinity", "level": 3,
                "description": "Fan failed on gw2", "tags": [{"tag": "location=Oslo"}, {"tag": "host=gw2"}],
            })).post()
            .await,
        stateless: app
            .incident().with(json!({
                "start_time": "2026-01-15T12:57:00+01:00", "end_time": null, "level": 5,
                "description": "Configuration of gw1 was changed", "tags": [{"tag": "host=gw1"}],
            })).post()
            .await,
    }
}
