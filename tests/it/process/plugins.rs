//! Channel plug-ins in the real program: offered to everybody, used by people, and outlived by their neighbours.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    delivery::plugins::install,
    support::{
        daemon::{Daemon, Site, incident, stderr},
        eventually::eventually,
        sinks::SmtpSink,
    },
};

const API: &str = "/api/v2/notificationprofiles";

/// A site with plug-ins, and tokens of those who use it.
struct PluginSite {
    site: Site,
    plugins: PathBuf,
    admin: String,
    alice: String,
    source: String,
}

impl PluginSite {
    fn new() -> Self {
        let site = Site::new();
        let plugins = install(site.data().parent().unwrap());
        let source = site.source("tester");
        let admin = site.ok(&["token", "create", "admin"]);
        site.ok(&["user", "create", "alice", "--first-name", "Alice", "--last-name", "Smith"]);
        let alice = site.ok(&["token", "create", "alice"]);
        Self { site, plugins, admin, alice, source }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.site.command(args);
        command.env("ARGUSD_PLUGINS", &self.plugins).env("ARGUSD_PLUGIN_TIMEOUT_SECONDS", "8");
        command
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Offered to everybody.
    fn channel(&self, name: &str, kind: &str, mood: &str) {
        let settings = self.site.path("settings.json");
        let config = json!({"mood": mood, "record": self.site.path(kind), "token": "s3cret"});
        fs::write(&settings, config.to_string()).unwrap();
        let settings = settings.to_str().unwrap();
        self.ok(&["channel", "create", "--name", name, "--type", kind, "--config", settings, "--offered"]);
    }

    fn noted(&self, kind: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.site.path(kind)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn plug_ins_are_listed_without_a_server() {
    let setup = PluginSite::new();
    let types = setup.ok(&["channel", "types"]);
    let line = |kind: &str| types.lines().find(|line| line.starts_with(kind)).unwrap_or_else(|| panic!("{types}"));
    assert!(line("room").contains("Test room") && line("room").contains("mood (required), token (secret)"), "{types}");
    assert!(line("old-room").contains("1.2.3") && line("shell").contains("Shell"), "{types}");
    assert!(line("broken").contains("no answer"), "{types}");
    // The server's own channel of this name wins.
    assert!(!types.contains("email"), "{types}");
}

#[test]
fn users_notify_via_plug_ins_and_one_that_hangs_delays_no_other() {
    let setup = PluginSite::new();
    setup.channel("Rooms", "room", "good");
    setup.channel("Tar pit", "old-room", "hang");
    let log = setup.site.path("log");
    let daemon =
        Daemon::start_with_log(setup.command(&["serve", "--listen", "127.0.0.1:0"]), File::create(&log).unwrap());
    let mut alice = daemon.client().with_token(&setup.alice);

    let media = alice.get(&format!("{API}/media/")).json();
    let plugins: Vec<&Value> = media.as_array().unwrap().iter().skip(5).collect();
    assert_eq!(
        plugins,
        [
            &json!({"slug": "old-room", "name": "Tar pit", "installed": true}),
            &json!({"slug": "room", "name": "Rooms", "installed": true})
        ]
    );
    let schema = alice.get(&format!("{API}/media/room/json_schema/")).json();
    assert_eq!(schema["json_schema"]["required"], json!(["address"]));
    assert_eq!(schema["json_schema"]["title"], "Rooms Settings");
    assert_eq!(alice.get(&format!("{API}/media/shell/")).status, 404, "it is not offered");

    let refused = alice.post(&format!("{API}/destinations/"), &json!({"media": "shell", "settings": {"address": "x"}}));
    assert_eq!(refused.status, 400, "{}", refused.body);
    let refused = alice.post(&format!("{API}/destinations/"), &json!({"media": "room", "settings": {}}));
    assert_eq!(refused.status, 400, "{}", refused.body);
    let room = alice.post(&format!("{API}/destinations/"), &json!({"media": "room", "settings": {"address": "#ops"}}));
    assert_eq!(room.status, 201, "{}", room.body);
    let room = room.json();
    assert_eq!((&room["media"]["slug"], &room["settings"]), (&json!("room"), &json!({"address": "#ops"})));
    assert_eq!(room["suggested_label"], "Rooms: #ops");
    let pit = alice.destination("old-room", "address", "#pit").post();
    let test = alice.post(&format!("/argusd/v1/destinations/{}/test/", room["pk"]), &json!({})).json();
    assert_eq!((&test["outcome"], &test["answer"]), (&json!("sent"), &json!("The plug-in room took it.")));

    let filter = alice.filter("all").everything().post();
    let timeslot = alice.timeslot("always").post();
    let room = room["pk"].as_u64().unwrap();
    alice.profile().timeslot(timeslot).filter(filter).destination(pit).destination(room).post();

    let mut source = daemon.client().with_token(&setup.source);
    let posted = source.incident().with(incident("a")).post();
    let notified = || setup.noted("room").into_iter().rfind(|it| it["params"]["incident"].is_object());
    eventually("the room is told", || notified().is_some());
    let notified = notified().unwrap();
    let contact = json!({"full_name": "Alice Smith", "addresses": [{"type": "room", "address": "#ops"}]});
    assert_eq!(
        (&notified["params"]["contact"], &notified["params"]["object"]["name"]),
        (&contact, &json!("Incident a"))
    );

    let messages = format!("/argusd/v1/incidents/{posted}/notifications/");
    let mut admin = daemon.client().with_token(&setup.admin);
    let mut find = |medium: &str| {
        let list = admin.get(&messages).json();
        let found = list.as_array().unwrap().iter().find(|it| it.to_string().contains(medium)).cloned();
        found.unwrap_or_else(|| panic!("{list}"))
    };
    assert_eq!(find("#pit")["attempts"], 0, "the room did not wait for the other plug-in");
    eventually("it is written down", || find("#ops")["state"] == "delivered");
    eventually("the failure is visible", || {
        find("#pit")["answer"].as_str().unwrap_or_default().contains("did not answer")
    });
    assert_eq!(find("#pit")["state"], "due");

    let listed = setup.ok(&["channel", "list", "--json"]);
    assert!(!listed.contains("s3cret"), "{listed}");
    let pid = notified["pid"].as_u64().unwrap();
    daemon.stop();
    assert!(!fs::exists(format!("/proc/{pid}")).unwrap(), "it ended with the server");
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("a channel plug-in failed") && !log.contains("s3cret"), "{log}");
}

/// A contact of the one API is notified of an incident of the other, by mail and by a plug-in in another language.
#[test]
fn a_rule_notifies_a_contact_by_mail_and_a_plug_in() {
    const CONTACT: &str = "7b3e5c3a-54a4-4b5b-8a9f-3c8b7d0f1a11";
    let (setup, sink) = (PluginSite::new(), SmtpSink::start());
    setup.channel("Rooms", "room", "good");
    setup.ok(&["channel", "create", "--name", "Mail", "--type", "email"]);
    setup.ok(&["user", "change", "admin", "--grant", "notifications/api/v1"]);
    let channels: Value = serde_json::from_str(&setup.ok(&["channel", "list", "--json"])).unwrap();
    let channel = |name: &str| {
        let found = channels.as_array().unwrap().iter().find(|it| it["name"] == name);
        found.unwrap_or_else(|| panic!("{channels}"))["id"].clone()
    };
    let mut command = setup.command(&["serve", "--listen", "127.0.0.1:0"]);
    let daemon = Daemon::start({
        command.env("EMAIL_HOST", "127.0.0.1").env("EMAIL_PORT", sink.port.to_string());
        command
    });
    let mut admin = daemon.client().with_token(&setup.admin);
    let contact = json!({
        "id": CONTACT, "full_name": "Night shift", "default_channel": channel("Rooms"),
        "addresses": {"room": "#night", "email": "night@example.org"},
    });
    let answer = admin.post("/notifications/api/v1/contacts", &contact);
    assert_eq!(answer.status, 201, "{}", answer.body);
    let filter = admin.filter("all").everything().post();
    let timeslots = admin.get(&format!("{API}/timeslots/")).json();
    let rule = json!({
        "name": "At night", "timeslot": timeslots[0]["pk"], "filters": [filter],
        "recipients": [{"contact": CONTACT}, {"contact": CONTACT, "channel": channel("Mail")}],
    });
    let answer = admin.post("/argusd/v1/rules/", &rule);
    assert_eq!(answer.status, 201, "{}", answer.body);

    let pk = daemon.client().with_token(&setup.source).incident().with(incident("night")).post();
    let notified = || setup.noted("room").into_iter().find(|it| it["params"]["incident"].is_object());
    eventually("the plug-in is told", || notified().is_some());
    eventually("the mail arrives", || !sink.mails().is_empty());
    assert_eq!(sink.mails()[0].to, ["night@example.org"]);
    let contact = &notified().unwrap()["params"]["contact"];
    assert_eq!(contact["full_name"], "Night shift");
    assert_eq!(contact["addresses"].as_array().unwrap().len(), 2, "{contact}");
    let event = admin.get(&format!("/api/v2/incidents/{pk}/events/")).json()[0]["pk"].clone();
    let why = format!("/argusd/v1/incidents/{pk}/events/{event}/decisions/?contact={CONTACT}");
    let summary = "Night shift: 2 messages sent, by rule \"At night\".";
    eventually("both messages are sent", || admin.get(&why).json()["summary"] == summary);
    daemon.stop();
    assert_eq!(setup.ok(&["check"]).trim(), "all is well");
}

#[test]
fn processes_that_a_plug_in_started_end_with_it() {
    let setup = PluginSite::new();
    setup.channel("Rooms", "room", "detach");
    setup.channel("Other rooms", "old-room", "detach");
    let daemon = Daemon::start(setup.command(&["serve", "--listen", "127.0.0.1:0"]));
    let mut alice = daemon.client().with_token(&setup.alice);
    let started = |kind: &str| -> Vec<u64> {
        let noted = setup.noted(kind).into_iter().find_map(|it| it["started"].as_array().cloned()).unwrap();
        noted.iter().map(|pid| pid.as_u64().unwrap()).collect()
    };
    let is_there = |pid: u64| PathBuf::from(format!("/proc/{pid}")).exists();
    for kind in ["old-room", "room"] {
        let destination = alice.destination(kind, "address", "#ops").post();
        let test = alice.post(&format!("/argusd/v1/destinations/{destination}/test/"), &json!({})).json();
        assert_eq!(test["outcome"], "sent", "{test}");
        let pids = started(kind);
        assert!(pids.len() == 2 && pids.iter().all(|pid| is_there(*pid)), "{pids:?}");
    }
    // That of the other plug-in has been running for longer, so what nobody saw start may be its own.
    setup.ok(&["channel", "delete", "Rooms"]);
    eventually("its child has ended", || !is_there(started("room")[0]));
    assert!(started("old-room").iter().all(|pid| is_there(*pid)), "those of another plug-in go on");
    daemon.stop();
    for pid in [started("room"), started("old-room")].concat() {
        assert!(!is_there(pid), "{pid} goes on");
    }
}

#[test]
fn settings_that_a_plug_in_declares_as_secret_are_blank() {
    let setup = PluginSite::new();
    setup.channel("Rooms", "room", "good");
    setup.channel("Broken", "broken", "good");
    let daemon = Daemon::start(setup.command(&["serve", "--listen", "127.0.0.1:0"]));
    let mut admin = daemon.client().with_token(&setup.admin);
    let mut types = Vec::new();
    let mut find = |kind: &str| {
        types = admin.get("/argusd/v1/channels/types/").json().as_array().unwrap().clone();
        types.iter().find(|it| it["type"] == kind).unwrap().clone()
    };
    eventually("the plug-ins say what they are", || find("room")["json_schema"].is_object());
    let room = find("room");
    assert_eq!(
        (&room["name"], &room["built_in"], &room["version"]),
        (&json!("Test room"), &json!(false), &json!("1.2.3"))
    );
    assert_eq!(room["json_schema"]["required"], json!(["mood"]));
    let properties = &room["json_schema"]["properties"];
    assert_eq!(properties["token"], json!({"type": "string", "title": "Token", "writeOnly": true}));
    assert_eq!(properties["mood"], json!({"type": "string", "title": "Mood"}));
    let broken = find("broken");
    assert!(broken["problem"].is_string() && broken["json_schema"].is_null(), "{broken}");

    let channels = admin.get("/argusd/v1/channels/");
    assert!(!channels.body.contains("s3cret"), "{}", channels.body);
    let shown = |name: &str| {
        let channels = channels.json();
        channels.as_array().unwrap().iter().find(|it| it["name"] == name).unwrap()["config"].clone()
    };
    // What is set but not declared is blank, too.
    assert_eq!(shown("Rooms"), json!({"mood": "good", "record": "", "token": ""}));
    assert_eq!(shown("Broken"), json!({"mood": "", "record": "", "token": ""}));
}
