//! The retention in the real program: it says beforehand what it will delete, and survives a kill.

use std::{collections::BTreeMap, fs::File, ops::ControlFlow, process::Command, sync::Arc};

use argusd::{
    clock::{Clock, ManualClock, SystemClock},
    domain::{
        change::{ChangeKind, ConfigurationChange},
        directory::{OWN_SOURCE, Subject},
        ids::Seq,
        incident::EndTime,
    },
    service::{NewIncident, PastIncident, Settings},
    store::StoreError,
};
use serde_json::Value;

use crate::support::{
    PASSWORD,
    daemon::{Daemon, Site},
    eventually::eventually,
    open, open_store,
};

const DAY: i64 = 86_400 * 1_000_000;
const OLD: u64 = 1_500;
const KEPT: u64 = 5;
const DAYS: &str = "30";

/// Fills the data file as if the setting had been seen three days ago, and the clock had been right since.
fn prepare(site: &Site) {
    let now = SystemClock.now();
    let clock = Arc::new(ManualClock::new(now.saturating_add_micros(-3 * DAY)));
    let settings = Settings { retention_days: Some(30), ..Settings::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let service = runtime.block_on(async {
        let service = open(site.data().parent().unwrap(), &clock, settings);
        service.people().first_start(Some(PASSWORD.into())).await.unwrap();
        service.system().follow_retention().await.unwrap();
        service
    });
    let source = service.directory().source_named(OWN_SOURCE, OWN_SOURCE).cloned().unwrap();
    let past = |index: u64| {
        let days = if index < OLD { 100 } else { 10 };
        let start = now.saturating_add_micros(-days * DAY + i64::try_from(index).unwrap());
        let new = NewIncident { start, end: EndTime::At(start), ..NewIncident::default() };
        PastIncident { source: Arc::clone(&source), new, events: Vec::new() }
    };
    service.incidents().add_past_incidents((0..OLD + KEPT).map(past).collect()).unwrap();
    let trust = move |command: &mut argusd::store::Command<'_>| {
        command.set_expiry_clock(now);
        Ok::<_, StoreError>(())
    };
    service.store().write_blocking(None, trust).unwrap();
    service.search().close();
    service.store().close().unwrap();
}

fn serve(site: &Site) -> Command {
    let mut command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("ARGUSD_RETENTION_CLOSED_DAYS", DAYS);
    command
}

fn plan(site: &Site, args: &[&str]) -> Value {
    let text = site.ok(&[&["retention", "show", "--json"], args].concat());
    serde_json::from_str(&text).unwrap()
}

fn left(site: &Site) -> u64 {
    plan(site, &[])["all_incidents"].as_u64().unwrap()
}

/// Returns the changes about the retention in the audit trail, by key.
fn audit(site: &Site) -> BTreeMap<String, Vec<Value>> {
    let store = open_store(&site.data(), Arc::new(SystemClock));
    let mut entries: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    store
        .snapshot()
        .unwrap()
        .for_each_change(Seq(0), &mut |change| {
            if let ChangeKind::Configuration(ConfigurationChange { subject: Subject::Retention, key, after, .. }) =
                change.kind
            {
                entries.entry(key).or_default().push(serde_json::from_str(&after.unwrap()).unwrap());
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    store.close().unwrap();
    entries
}

#[test]
fn a_run_that_was_killed_continues_after_the_next_start() {
    let site = Site::new();
    prepare(&site);
    let daemon = Daemon::start(serve(&site));
    eventually("a slice is deleted", || left(&site) < OLD + KEPT);
    daemon.kill();
    assert_eq!(site.ok(&["check"]), "all is well");
    let after_kill = left(&site);
    assert!((KEPT..OLD + KEPT).contains(&after_kill), "{after_kill}");

    let daemon = Daemon::start(serve(&site));
    eventually("the rest is deleted", || left(&site) == KEPT);
    let next = plan(&site, &[]);
    assert_eq!((&next["closed_days"], &next["is_set"], &next["incidents"]), (&30.into(), &true.into(), &0.into()));
    daemon.stop();
    assert_eq!(site.ok(&["check"]), "all is well");
    assert_eq!(left(&site), KEPT, "nothing else is deleted");
    let runs = audit(&site).remove("run").unwrap();
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!(runs[0]["deleted_incidents"], OLD, "those before the kill count, too");
}

#[test]
fn the_retention_is_announced_and_can_be_examined_without_deleting() {
    let site = Site::new();
    assert!(site.fails(&["retention", "show", "--days", "30"]).contains("there is no file"));
    assert!(!site.data().exists());
    site.ok(&["generate", "400"]);
    assert!(site.ok(&["retention", "show"]).starts_with("Retention is off (retention.closed_days is never)"));
    assert_eq!(plan(&site, &[])["closed_days"], Value::Null);
    let draft = plan(&site, &["--days", "3"]);
    assert_eq!((&draft["closed_days"], &draft["is_set"]), (&3.into(), &false.into()));
    let old = draft["incidents"].as_u64().unwrap();
    assert!((1..400).contains(&old) && draft["bytes"].as_u64().unwrap() > 100 * old, "{draft}");
    assert!(draft["oldest"].as_str() <= draft["newest"].as_str() && draft["next_deletion"].is_string(), "{draft}");
    let text = site.ok(&["retention", "show", "--days", "3"]);
    assert!(text.contains("(not set; this shows what would happen)"), "{text}");
    assert!(text.contains(&format!("To be deleted then: {old} of 400 incidents")), "{text}");
    assert!(site.fails(&["retention", "show", "--days", "0"]).contains("0 is not in 1..=365000"));

    let log = site.path("log");
    let said = |what: &str| std::fs::read_to_string(&log).unwrap().contains(what);
    let daemon = Daemon::start_with_log(serve(&site), File::create(&log).unwrap());
    eventually("it is announced", || said("retention.closed_days is now 30: "));
    assert!(said("would be deleted with their history, not before "));
    assert_eq!(plan(&site, &[])["is_set"], true);
    assert_eq!(left(&site), 400);
    daemon.stop();
    let daemon = Daemon::start_with_log(serve(&site), File::create(&log).unwrap());
    eventually("it is said at each start", || said("retention.closed_days is 30: "));
    daemon.stop();
    let daemon =
        Daemon::start_with_log(site.command(&["serve", "--listen", "127.0.0.1:0"]), File::create(&log).unwrap());
    eventually("it is off", || said("retention.closed_days is never now"));
    daemon.stop();
    assert_eq!(left(&site), 400);
    let settings = audit(&site).remove("closed_days").unwrap();
    let days: Vec<&Value> = settings.iter().map(|entry| &entry["closed_days"]).collect();
    assert_eq!(days, [&Value::from(30), &Value::from("never")]);
}
