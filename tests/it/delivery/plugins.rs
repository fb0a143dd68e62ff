//! Channel plug-ins of both generations: those that do what they should, and those that do not.

use std::{
    fs,
    path::{Path, PathBuf},
    pin::pin,
    process::Command,
    sync::Arc,
    time::Duration,
};

use argusd::{
    domain::{
        attempt::{AttemptEnd, AttemptOutcome},
        channel::Channel,
        directory::Directory,
        event::EventType,
        ids::ChannelId,
    },
    notify::{ChannelSettings, Channels, ContactCard, Content, Outgoing, PluginSettings},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    delivery::channels::notice,
    support::{
        eventually::{PATIENCE, eventually_async},
        still_clock,
    },
};

/// Long enough for an interpreter to start on a busy machine.
const LIMIT: Duration = Duration::from_secs(4);

/// A directory of plug-ins: `room` and `old-room` in Python, `shell` in sh, and some files that are none.
struct PluginHost {
    channels: Channels,
    settings: PluginSettings,
    directory: TempDir,
}

impl PluginHost {
    fn new() -> Self {
        Self::with_limit(LIMIT)
    }

    fn with_limit(timeout: Duration) -> Self {
        let directory = TempDir::new().unwrap();
        let plugins = install(directory.path());
        let settings = PluginSettings { directory: Some(plugins), timeout };
        let channel_settings = ChannelSettings { plugins: settings.clone(), ..ChannelSettings::default() };
        Self { channels: Channels::new(&channel_settings, still_clock()).unwrap(), settings, directory }
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

#[tokio::test]
async fn plug_ins_of_both_generations_accept_messages_in_one_process_each() {
    let host = PluginHost::new();
    for kind in ["room", "old-room"] {
        let channel = host.channel(kind, "good");
        for _ in 0..3 {
            assert_eq!(host.send(&channel).await, AttemptOutcome::sent(format!("The plug-in {kind} took it.")));
        }
        let noted = host.noted(&channel);
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
        assert_eq!(host.pids(&channel).len(), 1);
    }
    let shell = host.channel("shell", "good");
    assert_eq!(host.send(&shell).await, AttemptOutcome::sent("taken by the shell".to_owned()));
}

#[tokio::test]
async fn a_plug_in_gets_three_pipes_and_a_clean_environment() {
    let host = PluginHost::new();
    let channel = host.channel("room", "bare");
    // What must not be passed on.
    let _open = fs::File::open("/proc/self/status").unwrap();
    assert!(host.send(&channel).await.ended == AttemptEnd::Sent);
    let noted = host.noted(&channel);
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
async fn answers_are_matched_in_any_order() {
    let host = PluginHost::new();
    let channel = host.channel("room", "backwards");
    let outcomes = join_all(["Ann", "Ben", "Cho"].map(|name| host.send_to(name, &channel))).await;
    assert_eq!(outcomes, ["Ann", "Ben", "Cho"].map(|name| AttemptOutcome::sent(name.to_owned())));
}

#[tokio::test]
async fn errors_say_whether_another_attempt_helps() {
    let host = PluginHost::new();
    let send = async |kind: &str, mood: &str| host.send(&host.channel(kind, mood)).await;
    assert_eq!(send("room", "bad").await, AttemptOutcome::fail("no such room".to_owned()));
    assert_eq!(send("room", "down").await, AttemptOutcome::retry("the room is closed".to_owned()));
    // The first generation has no codes.
    assert_eq!(send("old-room", "bad").await, AttemptOutcome::retry("no such room".to_owned()));
    let refused = send("room", "refuse").await;
    assert!(refused.ended == AttemptEnd::Retry && refused.answer.contains("the room is missing"), "{refused:?}");
}

#[tokio::test]
async fn a_second_answer_to_one_message_is_ignored() {
    let host = PluginHost::new();
    let channel = host.channel("room", "twice");
    for _ in 0..3 {
        assert_eq!(host.send(&channel).await, AttemptOutcome::fail("no such room".to_owned()));
    }
    assert_eq!(host.pids(&channel).len(), 1);
}

#[tokio::test]
async fn a_plug_in_may_log_but_not_send_requests() {
    let host = PluginHost::new();
    let outcome = host.send(&host.channel("room", "chatty")).await;
    assert!(outcome.ended == AttemptEnd::Sent, "{outcome:?}");
}

#[tokio::test]
async fn a_misbehaving_plug_in_does_not_disturb_others() {
    let host = PluginHost::with_limit(Duration::from_secs(8));
    let good = host.channel("room", "good");
    assert!(host.send(&good).await.ended == AttemptEnd::Sent);
    let cases = [
        ("hang", "did not answer SendNotification within 8 seconds"),
        ("crash", "it ended by itself (exit status: 3)"),
        ("garbage", "no JSON object"),
        ("huge", "more than 1048576 bytes"),
        ("flood", "flooded its output"),
        ("chatter", "flooded its output"),
    ];
    let bad: Vec<_> =
        cases.iter().flat_map(|(mood, _)| [host.channel("room", mood), host.channel("old-room", mood)]).collect();
    let failures = join_all(bad.iter().map(|channel| host.send(channel)));
    let others = async {
        for _ in 0..20 {
            assert!(host.send(&good).await.ended == AttemptEnd::Sent);
        }
    };
    let mut failures = pin!(failures);
    let failures = tokio::select! {
        failures = &mut failures => panic!("the others waited: {failures:?}"),
        () = others => failures.await,
    };
    assert_eq!(host.pids(&good).len(), 1);
    for ((channel, outcome), (mood, words)) in bad.iter().zip(&failures).zip(cases.iter().flat_map(|it| [it, it])) {
        assert!(outcome.ended == AttemptEnd::Retry, "{mood}: {outcome:?}");
        // On a busy machine what it writes in a second may stay within bounds; then the time limit ends it.
        let is_late = words.contains("flooded") && reason(outcome).contains("did not answer");
        assert!(reason(outcome).contains(words) || is_late, "{mood}: {outcome:?}");
        let pids = host.pids(channel);
        assert_eq!(pids.len(), 1, "{mood}");
        eventually_async("the process ends", async || !is_alive(pids[0])).await;
    }
}

#[tokio::test]
async fn a_failed_plug_in_is_restarted_at_growing_intervals() {
    let host = PluginHost::new();
    let channel = host.channel("room", "crash");
    let outcomes = [host.send(&channel).await, host.send(&channel).await, host.send(&channel).await];
    assert!(outcomes[..2].iter().all(|it| reason(it).contains("exit status: 3")), "{outcomes:?}");
    assert_eq!(reason(&outcomes[2]), "The plug-in room keeps failing; it is started again in 1 s.");
    assert_eq!(host.pids(&channel).len(), 2);
    let repaired = Channel { config: host.channel("room", "good").config, ..channel };
    eventually_async("it is started again", async || host.send(&repaired).await.ended == AttemptEnd::Sent).await;
}

#[tokio::test]
async fn a_running_plug_in_gets_new_settings_and_may_refuse_them() {
    let host = PluginHost::new();
    let channel = host.channel("room", "good");
    assert!(host.send(&channel).await.ended == AttemptEnd::Sent);
    let mut changed = channel.clone();
    changed.config.as_mut().unwrap().insert("mood".to_owned(), json!("bad"));
    assert_eq!(host.send(&changed).await, AttemptOutcome::fail("no such room".to_owned()));
    changed.config.as_mut().unwrap().insert("mood".to_owned(), json!("refuse"));
    assert_eq!(host.send(&changed).await, AttemptOutcome::fail("no such room".to_owned()), "the old settings count");
    assert_eq!(host.pids(&channel).len(), 1);
    let other_type = Channel { kind: "shell".to_owned(), ..channel.clone() };
    assert_eq!(host.send(&other_type).await, AttemptOutcome::sent("taken by the shell".to_owned()));
    let pid = host.pids(&channel)[0];
    eventually_async("the process ends", async || !is_alive(pid)).await;
}

#[tokio::test]
async fn plug_ins_are_stopped_with_their_channel_and_with_the_server() {
    let host = PluginHost::new();
    let (gone, kept, stubborn) =
        (host.channel("room", "good"), host.channel("room", "good"), host.channel("room", "stubborn"));
    assert!(host.send(&gone).await.ended == AttemptEnd::Sent);
    assert!(host.send(&kept).await.ended == AttemptEnd::Sent);
    let mut directory = Directory::default();
    directory.channels.insert(kept.uuid, Arc::new(kept.clone()));
    host.channels.tend(&directory);
    let (gone, kept_pid) = (host.pids(&gone)[0], host.pids(&kept)[0]);
    eventually_async("the process ends", async || !is_alive(gone)).await;
    assert!(is_alive(kept_pid));

    let hanging = host.send(&stubborn);
    let closing = async {
        eventually_async("the plug-in is called", async || !host.noted(&stubborn).is_empty()).await;
        host.channels.close().await;
    };
    let (outcome, ()) = tokio::join!(hanging, closing);
    assert!(outcome.ended == AttemptEnd::Retry, "{outcome:?}");
    let stubborn = host.pids(&stubborn)[0];
    assert!(!is_alive(kept_pid) && !is_alive(stubborn), "they have ended when it returns");
    assert_eq!(host.send(&kept).await, AttemptOutcome::retry("The server is being stopped.".to_owned()));
}

#[tokio::test]
async fn a_plug_in_that_hangs_at_its_start_is_stopped_with_the_server() {
    let host = PluginHost::with_limit(10 * PATIENCE);
    let deaf = host.channel("room", "deaf");
    let closing = async {
        eventually_async("the plug-in is called", async || !host.noted(&deaf).is_empty()).await;
        host.channels.close().await;
    };
    // The second waits for the first to start it.
    let all = async { tokio::join!(host.send(&deaf), host.send(&deaf), closing) };
    let (one, two, ()) = timeout(PATIENCE, all).await.expect("it is stopped before its time limit");
    assert!((one.ended, two.ended) == (AttemptEnd::Retry, AttemptEnd::Retry), "{one:?} {two:?}");
    let pid = host.pids(&deaf)[0];
    assert!(!is_alive(pid));
    assert_eq!(host.pids(&deaf).len(), 1, "it is not started again");
}

#[tokio::test]
async fn a_plug_in_that_cannot_be_started_fails_with_a_reason() {
    let host = PluginHost::new();
    let send = async |kind: &str| host.send(&host.channel(kind, "good")).await;
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
async fn installed_plug_ins_are_described() {
    let host = PluginHost::new();
    assert_eq!(Channels::installed_plugins(&host.settings), ["broken", "nothing", "old-room", "room", "shell"]);
    let described = Channels::describe_plugins(&host.settings).await;
    for kind in ["room", "old-room"] {
        let info = described[kind].as_ref().unwrap();
        assert_eq!((info.name.as_str(), info.version.as_str()), ("Test room", "1.2.3"));
        let options: Vec<_> = info.options.iter().map(|it| (it.name.as_str(), it.kind.as_str(), it.required)).collect();
        assert_eq!(options, [("mood", "string", true), ("token", "secret", false)]);
    }
    assert!(described["broken"].as_ref().unwrap_err().contains("exit status: 7"), "{described:?}");
    assert!(described["nothing"].as_ref().unwrap_err().contains("cannot be started"));
}
