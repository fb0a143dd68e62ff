//! Scheduled backups: when they are written, which are kept, and what is reported if they fail.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use argusd::{
    domain::fault::FaultKind,
    jobs::{BackupPlan, FaultWatch, ScheduledBackups},
    service::Backups,
};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::support::{App, MINUTE, Who, daemon::Site};

const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

struct Nightly {
    app: App,
    job: ScheduledBackups,
    directory: PathBuf,
}

impl Nightly {
    async fn new(keep: usize) -> Self {
        Self::with(BackupPlan { directory: "backups".into(), every: Some(Duration::from_hours(24)), keep }).await
    }

    async fn with(plan: BackupPlan) -> Self {
        let app = App::new().await;
        let directory = app.service.store().path().parent().unwrap().join(&plan.directory);
        let job = ScheduledBackups::new(app.service.clone(), plan);
        Self { app, job, directory }
    }

    async fn after(&self, micros: i64) -> Backups {
        self.app.clock.advance_micros(micros);
        self.job.look(|| false).await;
        self.app.service.system().backups().unwrap()
    }

    fn names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.directory) else { return Vec::new() };
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    async fn incidents(&self) -> Vec<Value> {
        let list = self.app.of(Who::Staff).get("/api/v2/incidents/?tags=problem_type=late_backup").await.json();
        list["results"].as_array().unwrap().clone()
    }
}

/// Checks it as somebody who copied it elsewhere.
async fn assert_sound(path: PathBuf) {
    let said = spawn_blocking(move || Site::new().ok(&["check", path.to_str().unwrap()])).await.unwrap();
    assert_eq!(said, "all is well");
}

fn put(path: &Path) {
    fs::write(path, b"not ours").unwrap();
}

#[tokio::test]
async fn a_verified_backup_is_written_each_night_and_seven_are_kept() {
    let nightly = Nightly::new(7).await;
    // Noon in London, one o'clock in Oslo.
    let backups = nightly.after(0).await;
    assert_eq!((backups.newest, backups.failure, nightly.directory.exists()), (None, None, false));
    nightly.after(14 * MINUTE).await;
    assert!(!nightly.directory.exists(), "nothing is written soon after a start");
    let backups = nightly.after(MINUTE).await;
    assert_eq!(nightly.names(), ["argusd-2026-01-15T1215Z.redb"], "there was none");
    assert_eq!(backups.newest.unwrap().micros(), crate::support::NOW + 15 * MINUTE);
    assert_sound(nightly.directory.join("argusd-2026-01-15T1215Z.redb")).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&nightly.directory), 0o700);
    assert_eq!(mode(&nightly.directory.join("argusd-2026-01-15T1215Z.redb")), 0o600);

    nightly.after(12 * HOUR + 44 * MINUTE).await;
    assert_eq!(nightly.names().len(), 1, "it is a minute before two in Oslo");
    nightly.after(MINUTE).await;
    assert_eq!(nightly.names().last().unwrap(), "argusd-2026-01-16T0100Z.redb");
    nightly.after(HOUR).await;
    assert_eq!(nightly.names().len(), 2);
    // Only backups are deleted, whatever else is there.
    let others = ["argusd-by-hand.redb", "argusd.redb", "notes", "other-2026-01-01T0000Z.redb"];
    for name in others {
        put(&nightly.directory.join(name));
    }
    symlink("notes", nightly.directory.join("argusd-2026-01-02T0100Z.redb")).unwrap();
    for _ in 0..8 {
        nightly.after(DAY).await;
    }
    let names = nightly.names();
    let written: Vec<&String> = names
        .iter()
        .filter(|name| name.starts_with("argusd-2026-01-1") || name.starts_with("argusd-2026-01-2"))
        .collect();
    assert_eq!(written.len(), 7, "{names:?}");
    assert_eq!(written[0], "argusd-2026-01-18T0200Z.redb");
    assert_eq!(names.len(), 7 + others.len() + 1, "{names:?}");
}

#[tokio::test]
async fn a_schedule_continues_where_an_earlier_run_ended() {
    let nightly = Nightly::new(7).await;
    fs::create_dir(&nightly.directory).unwrap();
    put(&nightly.directory.join("argusd-2026-01-15T0100Z.redb"));
    let backups = nightly.after(2 * HOUR).await;
    assert_eq!(nightly.names().len(), 1, "it was written last night");
    assert!(backups.newest.is_some() && backups.failure.is_none());
    nightly.after(12 * HOUR).await;
    assert_eq!(nightly.names().last().unwrap(), "argusd-2026-01-16T0200Z.redb");
}

#[tokio::test]
async fn a_clock_that_jumps_writes_few_backups_and_deletes_no_good_one() {
    let nightly = Nightly::new(3).await;
    nightly.after(15 * MINUTE).await;
    for _ in 0..3 {
        nightly.after(DAY).await;
    }
    let good = nightly.names();
    assert_eq!(good.len(), 3);
    // Far behind, as after a start without a battery.
    nightly.app.clock.jump_micros(-20 * 365 * DAY);
    for _ in 0..10 {
        nightly.after(HOUR).await;
    }
    assert_eq!(nightly.names().iter().filter(|name| good.contains(name)).count(), 3);
    assert_eq!(nightly.names().len(), 4, "one was due: {:?}", nightly.names());
    // Right again, then to and fro every hour.
    nightly.app.clock.jump_micros(20 * 365 * DAY);
    for step in 0..7 {
        nightly.app.clock.jump_micros(if step % 2 == 0 { 1_000 * DAY } else { -1_000 * DAY });
        nightly.after(HOUR).await;
    }
    let names = nightly.names();
    assert_eq!(names.iter().filter(|name| good.contains(name)).count(), 2, "{names:?}");
    assert_eq!(names.len(), 3, "one was due: {names:?}");
}

#[tokio::test]
async fn a_backup_that_fails_is_reported_and_deletes_nothing() {
    let nightly = Nightly::new(1).await;
    let watch = FaultWatch::new(nightly.app.service.clone(), Arc::default());
    let round = async || {
        for (kind, settled) in watch.round().await {
            settled.unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        }
    };
    round().await;
    nightly.after(15 * MINUTE).await;
    let first = nightly.names();
    // A file where the directory should be.
    let aside = nightly.directory.with_extension("aside");
    fs::rename(&nightly.directory, &aside).unwrap();
    put(&nightly.directory);
    let backups = nightly.after(DAY).await;
    let (_, reason) = backups.failure.unwrap();
    assert!(reason.starts_with("cannot write a backup to ") && reason.contains("backups: "), "{reason}");
    assert_eq!(backups.newest, None);
    round().await;
    let open = nightly.incidents().await;
    assert_eq!(open.len(), 1);
    let description = open[0]["description"].as_str().unwrap();
    assert!(description.starts_with("There is no backup of the data file: cannot write a backup to "), "{description}");
    assert_eq!((&open[0]["level"], &open[0]["open"]), (&json!(2), &json!(true)));

    fs::remove_file(&nightly.directory).unwrap();
    fs::rename(&aside, &nightly.directory).unwrap();
    let backups = nightly.after(59 * MINUTE).await;
    assert!(backups.failure.is_some() && nightly.names() == first, "it is tried once an hour");
    let backups = nightly.after(MINUTE).await;
    assert_eq!((backups.failure, nightly.names().len()), (None, 1));
    assert_ne!(nightly.names(), first);
    round().await;
    assert_eq!(nightly.incidents().await[0]["open"], false);
}

#[tokio::test]
async fn a_backup_that_is_two_periods_late_is_an_incident() {
    let nightly = Nightly::new(7).await;
    fs::create_dir(&nightly.directory).unwrap();
    put(&nightly.directory.join("argusd-2026-01-13T1000Z.redb"));
    let watch = FaultWatch::new(nightly.app.service.clone(), Arc::default());
    let round = async || watch.round().await.into_iter().find(|(kind, _)| *kind == FaultKind::LateBackup).unwrap().1;
    assert_eq!(round().await.unwrap().opened, [], "the directory was not looked at yet");
    assert!(!nightly.after(0).await.is_late(nightly.app.service.now()));
    assert_eq!(round().await.unwrap().opened, [], "the server was down, and has yet to write one");
    nightly.app.clock.advance_micros(15 * MINUTE);
    nightly.job.look(|| true).await;
    assert!(nightly.after(0).await.is_late(nightly.app.service.now()), "it was stopped");
    assert_eq!(round().await.unwrap().opened.len(), 1);
    let open = nightly.incidents().await;
    assert_eq!(open[0]["description"], "The last good backup of the data file is of 2026-01-13 10:00 UTC");
    let page = nightly.app.of(Who::Staff).get("/api/v2/incidents/?open=true&tags=problem_type=late_backup").await;
    assert_eq!(page.json()["results"].as_array().unwrap().len(), 1);
    nightly.after(HOUR).await;
    assert_eq!(round().await.unwrap().ended.len(), 1);
}

#[tokio::test]
async fn a_schedule_can_be_switched_off() {
    let nightly = Nightly::with(BackupPlan { directory: "backups".into(), every: None, keep: 7 }).await;
    let backups = nightly.after(3 * DAY).await;
    assert_eq!((backups.every, backups.newest, nightly.directory.exists()), (None, None, false));
    assert!(!backups.is_late(nightly.app.service.now()));
}

#[tokio::test]
async fn a_stop_ends_a_backup_without_a_trace() {
    let nightly = Nightly::new(7).await;
    nightly.app.clock.advance_micros(DAY);
    nightly.job.look(|| true).await;
    assert!(nightly.names().is_empty());
    assert_eq!(nightly.app.service.system().backups().unwrap().failure, None, "it did not fail");
}
