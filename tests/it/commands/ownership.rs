//! Files that root creates or rewrites while the service is stopped belong to the service, so that it starts.

use std::{
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::daemon::{Daemon, Site};

/// User of the service. Root needs another user to give files to; for others this is the tester.
fn service_user() -> u32 {
    let own = rustix::process::geteuid();
    if own.is_root() { 300_000 + std::process::id() } else { own.as_raw() }
}

/// A site in a directory of the service.
fn service_site(uid: u32) -> Site {
    let site = Site::new();
    let folder = site.data().parent().unwrap().to_owned();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    if rustix::process::geteuid().is_root() {
        chown(&folder, Some(uid), Some(uid)).unwrap();
    }
    site
}

/// The command as the user of the service.
fn as_service(site: &Site, uid: u32, args: &[&str]) -> Command {
    let command = site.command(args);
    if !rustix::process::geteuid().is_root() {
        return command;
    }
    let mut other = Command::new("setpriv");
    other.args([format!("--reuid={uid}"), format!("--regid={uid}")]).args(["--clear-groups", "--"]);
    other.arg(command.get_program()).args(command.get_args()).env_clear().current_dir("/");
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            other.env(name, value);
        }
    }
    other
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        found.push(entry.path());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_below(&entry.path()));
        }
    }
    found
}

#[track_caller]
fn belongs_to_service(site: &Site, uid: u32, when: &str) {
    let files = files_below(site.data().parent().unwrap());
    assert!(files.len() > 3, "{files:?}");
    for file in files {
        let metadata = std::fs::symlink_metadata(&file).unwrap();
        assert_eq!(metadata.uid(), uid, "{} after {when}", file.display());
    }
}

fn starts(site: &Site, uid: u32) {
    let daemon = Daemon::start(as_service(site, uid, &["serve", "--listen", "127.0.0.1:0"]));
    belongs_to_service(site, uid, "a start of the service");
    daemon.stop();
}

#[test]
fn commands_of_root_never_keep_the_service_from_starting() {
    let uid = service_user();
    let site = service_site(uid);
    starts(&site, uid);
    for command in [
        &["reindex"][..],
        &["generate", "300"],
        &["user", "create", "anna"],
        &["token", "create", "anna"],
        &["check"],
        &["demo", "--force"],
        &["reindex"],
    ] {
        assert!(site.run(command).status.success(), "{command:?}");
        belongs_to_service(&site, uid, command[0]);
    }
    starts(&site, uid);

    // The index is rebuilt in a new directory.
    std::fs::remove_dir_all(site.path("argusd.redb.search")).unwrap();
    site.ok(&["reindex"]);
    belongs_to_service(&site, uid, "the index was lost");
    starts(&site, uid);
}

#[test]
fn what_root_creates_in_a_new_place_belongs_to_the_owner_of_the_directory() {
    let uid = service_user();
    for command in [&["generate", "30"][..], &["demo"]] {
        let site = service_site(uid);
        let mut first = site.command(command);
        // So that the first password goes into a file.
        assert!(first.env_remove("ARGUSD_ADMIN_PASSWORD").output().unwrap().status.success());
        assert!(site.path("argusd.redb.admin-password").exists());
        belongs_to_service(&site, uid, command[0]);
        starts(&site, uid);
    }
}

#[test]
fn a_server_of_root_leaves_nothing_that_keeps_the_service_from_starting() {
    let uid = service_user();
    let site = service_site(uid);
    let daemon = site.start();
    belongs_to_service(&site, uid, "a start by root");
    // The user of the service can administrate it, too.
    let listed = as_service(&site, uid, &["user", "list"]).output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains("admin"), "{listed:?}");
    daemon.kill();
    // A file that an earlier release, or a moment of bad luck, left to root.
    if rustix::process::geteuid().is_root() {
        let of_index = files_below(&site.path("argusd.redb.search"));
        let meta = of_index.iter().find(|file| file.ends_with("meta.json")).unwrap();
        chown(meta, Some(0), Some(0)).unwrap();
    }
    starts(&site, uid);
}
