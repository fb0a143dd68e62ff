//! Channel plug-ins of both generations: those that do what they should, and those that do not.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use argusd::{
    clock::ManualClock,
    domain::{
        attempt::{AttemptEnd, AttemptOutcome},
        channel::Channel,
        directory::Directory,
        event::EventType,
        ids::ChannelId,
        time::Timestamp,
    },
    notify::{ChannelSettings, Channels, ContactCard, Content, Outgoing, PluginSettings},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{delivery::channels::notice, support::NOW};

/// Long enough for an interpreter to start on a busy machine.
const LIMIT: Duration = Duration::from_secs(4);

/// A directory of plug-ins: `room` and `old-room` in Python, `shell` in sh, and some files that are none.
struct Rig {
    channels: Channels,
    settings: PluginSettings,
    directory: TempDir,
}

impl Rig {
    fn new() -> Self {
        Self::with_limit(LIMIT)
    }

    fn with_limit(timeout: Duration) -> Self {
        let directory = TempDir::new().unwrap();
        let plugins = install(directory.path());
        let settings = PluginSettings { directory: Some(plugins), timeout };
        let channel_settings = ChannelSettings { plugins: settings.clone(), ..ChannelSettings::default() };
        let clock = Arc::new(ManualClock::new(Timestamp::saturating_from_micros(NOW)));
        Self { channels: Channels::new(&channel_settings, clock).unwrap(), settings, directory }
    }

    fn record(&self, channel: &Channel) -> PathBuf {
        self.directory.path().join(channel.uuid.to_string())
    }

    /// A channel of a plug-in in this mood, which notes what it gets.
    fn channel(&self, kind: &str, mood: &str) -> Channel {
        let uuid = Uuid::new_v4();
        let record = self.directory.path().join(uuid.to_string());
        let config = json!({"mood": mood, "record": record, "token": "s3cret"}).as_object().cloned();
        let (name, kind) = (format!("{kind} {uuid}"), kind.to_owned());
        Channel { id: ChannelId(1), uuid, name, kind, config, offered: false }
    }

    async fn send(&self, channel: &Channel) -> AttemptOutcome {
        self.send_to("Ann", channel).await
    }

    async fn send_to(&self, name: &str, channel: &Channel) -> AttemptOutcome {
        let contact = ContactCard {
            full_name: name.to_owned(),
            addresses: vec![("email".to_owned(), "ann@example.org".to_owned()), ("room".to_owned(), "#ops".to_owned())],
            channel: Some(Arc::new(channel.clone())),
        };
        let message = Outgoing {
            id: "m1".to_owned(),
            medium: channel.kind.clone(),
            settings: std::collections::BTreeMap::default(),
            content: Content::Event(notice(EventType::Start)),
            contact: Some(contact),
        };
        self.channels.send(&message).await.0
    }

    /// What the plug-in noted.
    fn noted(&self, channel: &Channel) -> Vec<Value> {
        let text = fs::read_to_string(self.record(channel)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn pids(&self, channel: &Channel) -> Vec<u64> {
        let mut pids: Vec<u64> = self.noted(channel).iter().map(|it| it["pid"].as_u64().unwrap()).collect();
        pids.dedup();
        pids
    }
}

/// Written by another program, so that no file is open for writing while this one starts a process.
pub fn install(directory: &Path) -> PathBuf {
    let python = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    let python = python.ok().filter(|output| output.status.success());
    let python = python.expect("tests of channel plug-ins need python3 on the PATH");
    let python = String::from_utf8(python.stdout).unwrap();
    let plugins = directory.join("channels");
    fs::create_dir(&plugins).unwrap();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plugins");
    let script = r#"cd "$1" && for name in room old-room email; do
            { printf '#!%s\n' "$2"; cat "$3/channel.py"; } >"$name"; done
        { echo '#!/bin/sh'; cat "$3/channel.sh"; } >shell
        { echo '#!/bin/sh'; echo 'exit 7'; } >broken
        echo '#!/no/such/interpreter' >nothing
        mkdir folder; chmod 755 *; echo text >notes; cp shell 'has.dot'"#;
    let status = Command::new("sh").args(["-ec", script, "sh"]).arg(&plugins).arg(python.trim()).arg(sources).status();
    assert!(status.unwrap().success());
    plugins
}

fn descriptors_of(pid: u32) -> Vec<String> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files.filter_map(|it| fs::read_link(it.path()).ok()).map(|it| it.display().to_string()).collect()
}

fn is_alive(pid: u64) -> bool {
    // A zombie is not.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn reason(outcome: &AttemptOutcome) -> &str {
    &outcome.answer
}

async fn eventually(mut check: impl FnMut() -> bool) {
    let start = Instant::now();
    while !check() {
        assert!(start.elapsed() < Duration::from_secs(15), "it does not come true");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn both_generations_take_messages_in_one_process_each() {
    let rig = Rig::new();
    for kind in ["room", "old-room"] {
        let channel = rig.channel(kind, "good");
        for _ in 0..3 {
            assert_eq!(rig.send(&channel).await, AttemptOutcome::sent(format!("The plug-in {kind} took it.")));
        }
        let noted = rig.noted(&channel);
        assert_eq!(noted.len(), 4, "{noted:?}");
        assert_eq!(noted[0]["config"]["token"], "s3cret");
        let params = &noted[1]["params"];
        assert_eq!(
            params["contact"],
            json!({"full_name": "Ann", "addresses": [
                {"type": "email", "address": "ann@example.org"}, {"type": "room", "address": "#ops"}]})
        );
        assert_eq!(params["object"]["name"], "Røde tall på web1");
        assert_eq!(params["object"]["tags"], json!({"host": "web1"}));
        assert_eq!((&params["incident"]["id"], &params["incident"]["severity"]), (&json!(7), &json!("crit")));
        assert_eq!(rig.pids(&channel).len(), 1);
    }
    let shell = rig.channel("shell", "good");
    assert_eq!(rig.send(&shell).await, AttemptOutcome::sent("taken by the shell".to_owned()));
}

#[tokio::test]
async fn it_gets_three_pipes_and_a_clean_environment() {
    let rig = Rig::new();
    let channel = rig.channel("room", "bare");
    // What must not be passed on.
    let _open = fs::File::open("/proc/self/status").unwrap();
    assert!(rig.send(&channel).await.ended == AttemptEnd::Sent);
    let noted = rig.noted(&channel);
    let noted = noted.last().unwrap();
    let environment: Vec<&str> =
        noted["environment"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert!(matches!(environment[..], [path] if path.starts_with("PATH=/")), "{environment:?}");
    let descriptors: Vec<&str> =
        noted["descriptors"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert!(descriptors[..3].iter().all(|it| it.starts_with("pipe:")), "{descriptors:?}");
    // Whoever started the tests may have passed some on to all that they start.
    let inherited = descriptors_of(std::os::unix::process::parent_id());
    let ours: Vec<_> = descriptors[3..].iter().filter(|it| !inherited.contains(&(**it).to_owned())).collect();
    assert!(ours.is_empty(), "{descriptors:?} {inherited:?}");
    assert_eq!(noted["cwd"], "/");
}

#[tokio::test]
async fn answers_are_matched_whatever_their_order() {
    let rig = Rig::new();
    let channel = rig.channel("room", "backwards");
    let outcomes = join_all(["Ann", "Ben", "Cho"].map(|name| rig.send_to(name, &channel))).await;
    assert_eq!(outcomes, ["Ann", "Ben", "Cho"].map(|name| AttemptOutcome::sent(name.to_owned())));
}

#[tokio::test]
async fn errors_say_whether_another_attempt_helps() {
    let rig = Rig::new();
    let send = async |kind: &str, mood: &str| rig.send(&rig.channel(kind, mood)).await;
    assert_eq!(send("room", "bad").await, AttemptOutcome::fail("no such room".to_owned()));
    assert_eq!(send("room", "down").await, AttemptOutcome::retry("the room is closed".to_owned()));
    // The first generation has no codes.
    assert_eq!(send("old-room", "bad").await, AttemptOutcome::retry("no such room".to_owned()));
    let refused = send("room", "refuse").await;
    assert!(refused.ended == AttemptEnd::Retry && refused.answer.contains("the room is missing"), "{refused:?}");
}

#[tokio::test]
async fn the_first_of_two_answers_counts_and_the_next_message_is_answered_too() {
    let rig = Rig::new();
    let channel = rig.channel("room", "twice");
    for _ in 0..3 {
        assert_eq!(rig.send(&channel).await, AttemptOutcome::fail("no such room".to_owned()));
    }
    assert_eq!(rig.pids(&channel).len(), 1);
}

#[tokio::test]
async fn it_may_log_but_not_ask() {
    let rig = Rig::new();
    let outcome = rig.send(&rig.channel("room", "chatty")).await;
    assert!(outcome.ended == AttemptEnd::Sent, "{outcome:?}");
}

#[tokio::test]
async fn whatever_one_does_the_others_go_on() {
    let rig = Rig::with_limit(Duration::from_secs(3));
    let good = rig.channel("room", "good");
    assert!(rig.send(&good).await.ended == AttemptEnd::Sent);
    let cases = [
        ("hang", "did not answer SendNotification within 3 seconds"),
        ("crash", "it ended by itself (exit status: 3)"),
        ("garbage", "no JSON object"),
        ("huge", "more than 1048576 bytes"),
        ("flood", "flooded its output"),
        ("chatter", "flooded its output"),
    ];
    let bad: Vec<_> =
        cases.iter().flat_map(|(mood, _)| [rig.channel("room", mood), rig.channel("old-room", mood)]).collect();
    let failures = join_all(bad.iter().map(|channel| rig.send(channel)));
    let others = async {
        let start = Instant::now();
        for _ in 0..20 {
            assert!(rig.send(&good).await.ended == AttemptEnd::Sent);
        }
        start.elapsed()
    };
    let (failures, took) = tokio::join!(failures, others);
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(rig.pids(&good).len(), 1);
    for ((channel, outcome), (mood, words)) in bad.iter().zip(&failures).zip(cases.iter().flat_map(|it| [it, it])) {
        assert!(outcome.ended == AttemptEnd::Retry, "{mood}: {outcome:?}");
        // On a busy machine what it writes in a second may stay within bounds; then the time limit ends it.
        let is_late = words.contains("flooded") && reason(outcome).contains("did not answer");
        assert!(reason(outcome).contains(words) || is_late, "{mood}: {outcome:?}");
        let pids = rig.pids(channel);
        assert_eq!(pids.len(), 1, "{mood}");
        eventually(|| !is_alive(pids[0])).await;
    }
}

#[tokio::test]
async fn one_that_failed_is_started_again_first_at_once_and_then_later() {
    let rig = Rig::new();
    let channel = rig.channel("room", "crash");
    let outcomes = [rig.send(&channel).await, rig.send(&channel).await, rig.send(&channel).await];
    assert!(outcomes[..2].iter().all(|it| reason(it).contains("exit status: 3")), "{outcomes:?}");
    assert_eq!(reason(&outcomes[2]), "The plug-in room keeps failing; it is started again in 1 s.");
    assert_eq!(rig.pids(&channel).len(), 2);
    let repaired = Channel { config: rig.channel("room", "good").config, ..channel };
    let start = Instant::now();
    while rig.send(&repaired).await.ended != AttemptEnd::Sent {
        assert!(start.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn new_settings_reach_the_running_process_and_bad_ones_are_not_taken() {
    let rig = Rig::new();
    let channel = rig.channel("room", "good");
    assert!(rig.send(&channel).await.ended == AttemptEnd::Sent);
    let mut changed = channel.clone();
    changed.config.as_mut().unwrap().insert("mood".to_owned(), json!("bad"));
    assert_eq!(rig.send(&changed).await, AttemptOutcome::fail("no such room".to_owned()));
    changed.config.as_mut().unwrap().insert("mood".to_owned(), json!("refuse"));
    assert_eq!(rig.send(&changed).await, AttemptOutcome::fail("no such room".to_owned()), "the old settings count");
    assert_eq!(rig.pids(&channel).len(), 1);
    let other_type = Channel { kind: "shell".to_owned(), ..channel.clone() };
    assert_eq!(rig.send(&other_type).await, AttemptOutcome::sent("taken by the shell".to_owned()));
    let pid = rig.pids(&channel)[0];
    eventually(|| !is_alive(pid)).await;
}

#[tokio::test]
async fn processes_end_with_their_channel_and_with_the_server() {
    let rig = Rig::new();
    let (gone, kept, stubborn) =
        (rig.channel("room", "good"), rig.channel("room", "good"), rig.channel("room", "stubborn"));
    assert!(rig.send(&gone).await.ended == AttemptEnd::Sent);
    assert!(rig.send(&kept).await.ended == AttemptEnd::Sent);
    let mut directory = Directory::default();
    directory.channels.insert(kept.uuid, Arc::new(kept.clone()));
    rig.channels.tend(&directory);
    let (gone, kept_pid) = (rig.pids(&gone)[0], rig.pids(&kept)[0]);
    eventually(|| !is_alive(gone)).await;
    assert!(is_alive(kept_pid));

    let hanging = rig.send(&stubborn);
    let closing = async {
        eventually(|| !rig.noted(&stubborn).is_empty()).await;
        rig.channels.close().await;
    };
    let (outcome, ()) = tokio::join!(hanging, closing);
    assert!(outcome.ended == AttemptEnd::Retry, "{outcome:?}");
    let stubborn = rig.pids(&stubborn)[0];
    assert!(!is_alive(kept_pid) && !is_alive(stubborn), "they have ended when it returns");
    assert_eq!(rig.send(&kept).await, AttemptOutcome::retry("The server is being stopped.".to_owned()));
}

#[tokio::test]
async fn one_that_does_not_even_start_is_stopped_with_the_server() {
    let rig = Rig::with_limit(Duration::from_mins(1));
    let deaf = rig.channel("room", "deaf");
    let closing = async {
        eventually(|| !rig.noted(&deaf).is_empty()).await;
        rig.channels.close().await;
    };
    let start = Instant::now();
    // The second waits for the first to start it.
    let (one, two, ()) = tokio::join!(rig.send(&deaf), rig.send(&deaf), closing);
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    assert!((one.ended, two.ended) == (AttemptEnd::Retry, AttemptEnd::Retry), "{one:?} {two:?}");
    let pid = rig.pids(&deaf)[0];
    assert!(!is_alive(pid));
    assert_eq!(rig.pids(&deaf).len(), 1, "it is not started again");
}

#[tokio::test]
async fn what_cannot_be_started_says_so() {
    let rig = Rig::new();
    let send = async |kind: &str| rig.send(&rig.channel(kind, "good")).await;
    for (kind, words) in [
        ("absent", "not installed"),
        ("notes", "not installed"),
        ("folder", "not installed"),
        ("../channels/room", "not installed"),
        ("nothing", "cannot be started"),
        ("broken", "ended by itself (exit status: 7)"),
    ] {
        let outcome = send(kind).await;
        assert!(outcome.ended == AttemptEnd::Retry, "{kind}: {outcome:?}");
        assert!(reason(&outcome).contains(words), "{kind}: {outcome:?}");
    }
}

#[tokio::test]
async fn those_that_are_installed_say_what_they_are() {
    let rig = Rig::new();
    assert_eq!(Channels::installed_plugins(&rig.settings), ["broken", "nothing", "old-room", "room", "shell"]);
    let described = Channels::describe_plugins(&rig.settings).await;
    for kind in ["room", "old-room"] {
        let info = described[kind].as_ref().unwrap();
        assert_eq!((info.name.as_str(), info.version.as_str()), ("Test room", "1.2.3"));
        let options: Vec<_> = info.options.iter().map(|it| (it.name.as_str(), it.kind.as_str(), it.required)).collect();
        assert_eq!(options, [("mood", "string", true), ("token", "secret", false)]);
    }
    assert!(described["broken"].as_ref().unwrap_err().contains("exit status: 7"), "{described:?}");
    assert!(described["nothing"].as_ref().unwrap_err().contains("cannot be started"));
}
