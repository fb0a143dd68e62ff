//! Files and directories belong to their owner alone, whatever the umask is.

use std::{
    fs,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    process::Command,
};

use crate::support::{
    daemon::{Daemon, Site, incident},
    eventually::eventually,
};

/// A command of the site under a umask that takes nothing away.
fn open_to_all(site: &Site, args: &[&str]) -> Command {
    let inner = site.command(args);
    let mut command = Command::new("sh");
    command.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(inner.get_program()).args(args);
    command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env_remove("ARGUSD_ADMIN_PASSWORD").current_dir(site.path(""));
    command
}

/// Everything below the directory, itself excluded, that others than the owner can access.
fn accessible(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        // A file may be replaced meanwhile.
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.mode() & 0o077 != 0 {
            found.push(format!("{} {:o}", path.display(), metadata.mode()));
        }
        if metadata.is_dir() {
            found.extend(accessible(&path));
        }
    }
    found
}

#[test]
fn nothing_is_accessible_to_others_under_an_open_umask() {
    let site = Site::new();
    let directory = site.path("");
    let daemon = Daemon::start(open_to_all(&site, &["serve", "--listen", "127.0.0.1:0"]));
    let token = site.source("tester");
    let mut client = daemon.client().with_token(&token);
    for number in 0..50 {
        assert_eq!(client.post("/api/v2/incidents/", &incident(&number.to_string())).status, 201);
    }
    let backup = open_to_all(&site, &["backup", "copy.redb"]).output().unwrap();
    assert!(backup.status.success());
    for name in ["argusd.redb", "argusd.redb.sock", "argusd.redb.admin-password", "argusd.redb.search", "copy.redb"] {
        assert!(site.path(name).exists(), "{name}");
    }
    let index = fs::read_dir(site.path("argusd.redb.search")).unwrap().next().unwrap().unwrap().path();
    eventually("texts are in the index", || fs::read_dir(&index).unwrap().count() > 5);
    assert_eq!(accessible(&directory), Vec::<String>::new());
    drop(client);
    daemon.stop();
    assert_eq!(accessible(&directory), Vec::<String>::new());
    assert!(open_to_all(&site, &["reindex"]).output().unwrap().status.success());
    assert!(open_to_all(&site, &["check"]).output().unwrap().status.success());
    assert_eq!(accessible(&directory), Vec::<String>::new());
}

#[test]
fn the_server_takes_access_away_that_others_have() {
    let site = Site::new();
    site.start().stop();
    let data = site.data();
    let index = site.path("argusd.redb.search");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&index, fs::Permissions::from_mode(0o755)).unwrap();
    let log = site.path("log");
    let file = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&log).unwrap();
    let daemon = Daemon::start_with_log(site.command(&["serve", "--listen", "127.0.0.1:0"]), file);
    assert_eq!(accessible(&site.path("")), Vec::<String>::new());
    let said = fs::read_to_string(&log).unwrap();
    let line = said.lines().find(|line| line.contains(&format!("{} (mode 0644", data.display())));
    assert!(line.is_some_and(|line| line.contains("WARN")), "{said}");
    daemon.stop();
}
