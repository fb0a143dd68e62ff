//! Backups to files and pipes, checks of what must not change, and restoring, with the real program.

use std::{
    fs,
    io::Read,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::support::{
    daemon::{Daemon, Site, incident, stderr},
    eventually::eventually,
};

/// A user that owns nothing.
const NOBODY: u32 = 65_534;

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

fn as_user(uid: u32, command: &Command) -> Command {
    let mut other = Command::new("setpriv");
    other.args([&format!("--reuid={uid}"), &format!("--regid={uid}"), "--clear-groups", "--"]);
    other.arg(command.get_program()).args(command.get_args()).env_clear();
    other.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    other.current_dir(command.get_current_dir().unwrap()).stdin(Stdio::null());
    other
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn descriptions(daemon: &Daemon, site: &Site) -> Vec<String> {
    let token = site.ok(&["token", "create", "admin"]);
    let list = daemon.client().with_token(&token).get("/api/v2/incidents/").json();
    list["results"].as_array().unwrap().iter().map(|it| it["description"].as_str().unwrap().to_owned()).collect()
}

fn post(daemon: &Daemon, token: &str, id: &str) {
    assert_eq!(daemon.client().with_token(token).post("/api/v2/incidents/", &incident(id)).status, 201);
}

/// The server may not enter the directory of the target, as in the sandbox of the package.
#[test]
fn the_command_itself_opens_the_target() {
    if !is_root() {
        return;
    }
    let site = Site::new();
    let server = 300_000 + std::process::id();
    let directory = site.data().parent().unwrap().to_owned();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    let home = site.path("home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(server), Some(server)).unwrap();
    let data = home.join("argusd.redb");
    let data = data.to_str().unwrap();
    let binary = site.path("argusd");
    fs::copy(env!("CARGO_BIN_EXE_argusd"), &binary).unwrap();
    let mut serve = Command::new(&binary);
    serve.args(["serve", "--listen", "127.0.0.1:0", "--data", data]).current_dir(&home);
    serve.env("ARGUSD_ADMIN_PASSWORD", "correct horse");
    let daemon = Daemon::start(as_user(server, &serve));
    let target = site.path("target");
    fs::create_dir(&target).unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o700)).unwrap();
    let copy = target.join("copy.redb");
    for _ in 0..2 {
        site.ok(&["backup", copy.to_str().unwrap(), "--data", data]);
    }
    assert_eq!(names(&target), ["copy.redb"]);
    let found = fs::metadata(&copy).unwrap();
    assert_eq!((found.uid(), found.mode() & 0o777), (0, 0o600));
    assert_eq!(site.ok(&["check", copy.to_str().unwrap()]), "all is well");
    daemon.stop();
}

#[test]
fn a_backup_goes_to_standard_output() {
    let site = Site::new();
    site.ok(&["generate", "500"]);
    let backup = || {
        let output = site.run(&["backup", "-"]);
        assert!(output.status.success(), "{}", stderr(&output));
        fs::write(site.path("copy.redb"), output.stdout).unwrap();
        assert_eq!(site.ok(&["check", "copy.redb"]), "all is well");
        fs::remove_file(site.path("copy.redb")).unwrap();
    };
    let before = fs::read(site.data()).unwrap();
    backup();
    assert!(fs::read(site.data()).unwrap() == before, "without a server, the data file is only read");
    let daemon = site.start();
    backup();
    assert!(!site.path("-").exists());
    let mut closed = site.command(&["backup", "-"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(closed.stdout.take());
    let output = closed.wait_with_output().unwrap();
    assert!(!output.status.success());
    assert!(stderr(&output).contains("cannot write to standard output"), "{}", stderr(&output));
    daemon.stop();
}

#[test]
fn errors_of_a_backup_name_its_target() {
    let site = Site::new();
    site.ok(&["generate", "100"]);
    fs::create_dir(site.path("directory")).unwrap();
    symlink(site.data(), site.path("symlink")).unwrap();
    fs::hard_link(site.data(), site.path("hardlink")).unwrap();
    symlink("nothing", site.path("dangling")).unwrap();
    let refuse = || {
        for (target, reason) in [
            ("directory", "directory is a directory"),
            ("/dev/null", "/dev/null is not a regular file"),
            ("argusd.redb", "argusd.redb is the data file itself"),
            ("symlink", "symlink is the data file itself"),
            ("hardlink", "hardlink is the data file itself"),
            ("dangling", "dangling is a symbolic link that leads nowhere"),
            ("/nowhere/copy.redb", "cannot write /nowhere/copy.redb: there is no directory /nowhere"),
            ("/proc/copy.redb", "cannot write /proc/copy.redb"),
        ] {
            let said = site.fails(&["backup", target]);
            assert!(said.contains(reason) && !said.contains("data file failed"), "{target}: {said}");
        }
    };
    refuse();
    let daemon = site.start();
    refuse();
    assert_eq!(site.ok(&["check"]), "all is well");
    // A link to another file stays a link.
    fs::write(site.path("old"), b"old").unwrap();
    symlink("old", site.path("link")).unwrap();
    site.ok(&["backup", "link"]);
    assert!(site.path("link").symlink_metadata().unwrap().is_symlink());
    assert_eq!(site.ok(&["check", "old"]), "all is well");
    daemon.stop();
}

#[test]
fn a_backup_that_is_interrupted_leaves_nothing_behind() {
    let site = Site::new();
    site.ok(&["generate", "3000"]);
    let daemon = site.start();
    let before = names(site.data().parent().unwrap());
    for signal in ["INT", "TERM", "HUP"] {
        let mut child = site.command(&["backup", "-"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // The copy is complete when its first byte arrives, and the pipe is too small for it.
        let mut first = [0];
        child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
        let kill = format!("kill -{signal} {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        eventually("the command ends", || child.try_wait().unwrap().is_some());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(said.contains(&format!("SIG{signal}: the backup was stopped")), "{said}");
        assert_eq!(names(site.data().parent().unwrap()), before, "{signal}");
    }
    daemon.stop();
}

#[test]
fn check_changes_nothing_and_needs_no_rights_to_write() {
    let site = Site::new();
    let token = site.source("tester");
    let daemon = site.start();
    post(&daemon, &token, "1");
    daemon.kill();
    // A file that was not closed needs a repair, which a check must not write.
    let directory = site.path("readonly");
    fs::create_dir(&directory).unwrap();
    let copy = directory.join("copy.redb");
    fs::copy(site.data(), &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o555)).unwrap();
    let before = fs::read(&copy).unwrap();
    let mut command = site.command(&["check", copy.to_str().unwrap()]);
    if is_root() {
        let folder = site.data().parent().unwrap().to_owned();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let binary = site.path("argusd");
        fs::copy(env!("CARGO_BIN_EXE_argusd"), &binary).unwrap();
        let mut plain = Command::new(&binary);
        plain.args(["check", copy.to_str().unwrap()]).current_dir(&folder);
        command = as_user(NOBODY, &plain);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim() == "all is well", "{said}{}", stderr(&output));
    assert!(fs::read(&copy).unwrap() == before);
    assert_eq!(names(&directory), ["copy.redb"], "no index is created");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();

    // The data file, without a server: neither it nor its index changes.
    let index = site.path("argusd.redb.search");
    fs::remove_dir_all(&index).unwrap();
    let before = fs::read(site.data()).unwrap();
    assert_eq!(site.ok(&["check"]), "all is well");
    assert!(fs::read(site.data()).unwrap() == before && !index.exists());
}

#[test]
fn an_empty_file_is_no_data_file() {
    let site = Site::new();
    let empty = site.path("empty.redb");
    fs::write(&empty, b"").unwrap();
    for args in [&["check", "empty.redb"][..], &["check", "--data", "empty.redb"]] {
        let output = site.run(args);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("empty.redb is not a data file of argusd"), "{said}");
    }
    for args in [&["--data", "empty.redb", "--listen", "127.0.0.1:0"][..], &["backup", "x", "--data", "empty.redb"]] {
        let said = site.fails(args);
        assert!(said.contains("empty.redb is not a data file of argusd: it is empty"), "{said}");
    }
    assert_eq!(
        (fs::metadata(&empty).unwrap().len(), names(site.data().parent().unwrap())),
        (0, vec!["empty.redb".to_owned()])
    );
}

#[test]
fn a_backup_is_restored_and_the_old_file_is_kept() {
    let site = Site::new();
    let token = site.source("tester");
    let daemon = site.start();
    post(&daemon, &token, "1");
    site.ok(&["backup", "copy.redb"]);
    post(&daemon, &token, "2");
    let said = site.fails(&["restore", "copy.redb", "--force"]);
    assert!(said.contains("a server runs on") && said.contains("stop it first"), "{said}");
    daemon.stop();

    let before = fs::read(site.data()).unwrap();
    let said = site.fails(&["restore", "copy.redb"]);
    assert!(said.contains("argusd.redb exists; with --force it is kept beside and replaced"), "{said}");
    assert!(site.fails(&["restore", "missing.redb", "--force"]).contains("cannot read missing.redb"));
    assert!(site.fails(&["restore", "argusd.redb", "--force"]).contains("is the data file itself"));
    let mut damaged = fs::read(site.path("copy.redb")).unwrap();
    let at = damaged.windows(10).position(|it| it == b"Incident 1").unwrap();
    damaged[at] ^= 1;
    fs::write(site.path("damaged.redb"), damaged).unwrap();
    let said = site.fails(&["restore", "damaged.redb", "--force"]);
    assert!(said.contains("damaged.redb cannot be restored: "), "{said}");
    fs::write(site.path("text"), b"no data file").unwrap();
    assert!(site.fails(&["restore", "text", "--force"]).contains("text is not a data file of argusd"));
    assert!(fs::read(site.data()).unwrap() == before, "it is as it was");

    let said = site.ok(&["restore", "copy.redb", "--force"]);
    let kept = names(site.data().parent().unwrap()).into_iter().find(|name| name.contains(".before-restore-")).unwrap();
    assert!(said.contains("restored copy.redb to") && said.contains(&kept), "{said}");
    assert!(fs::read(site.path(&kept)).unwrap() == before);
    assert!(!site.path("argusd.redb.search").exists(), "its index was of the old file");
    let daemon = site.start();
    assert_eq!(descriptions(&daemon, &site), ["Incident 1"]);
    daemon.stop();

    // Into an empty place.
    let other = Site::new();
    let copy = site.path("copy.redb");
    assert!(!other.ok(&["restore", copy.to_str().unwrap()]).contains("old data file"));
    assert_eq!(names(other.data().parent().unwrap()), ["argusd.redb"]);
    let daemon = other.start();
    assert_eq!(descriptions(&daemon, &other), ["Incident 1"]);
    daemon.stop();
}

#[test]
fn a_restored_file_belongs_to_the_owner_of_the_old_one_or_of_the_directory() {
    if !is_root() {
        return;
    }
    let site = Site::new();
    site.ok(&["generate", "10"]);
    site.ok(&["backup", "copy.redb"]);
    let owner = |path: &Path| fs::metadata(path).map(|it| (it.uid(), it.gid(), it.mode() & 0o777)).unwrap();
    chown(site.data(), Some(4_711), Some(4_712)).unwrap();
    site.ok(&["restore", "copy.redb", "--force"]);
    assert_eq!(owner(&site.data()), (4_711, 4_712, 0o600));
    fs::remove_file(site.data()).unwrap();
    chown(site.data().parent().unwrap(), Some(4_713), Some(4_714)).unwrap();
    site.ok(&["restore", "copy.redb"]);
    assert_eq!(owner(&site.data()), (4_713, 4_714, 0o600));
}

#[test]
fn the_settings_of_the_schedule_are_shown() {
    let site = Site::new();
    let shown = |variables: &[(&str, &str)]| {
        let output = site.command(&["config"]).envs(variables.iter().copied()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let line = |text: &str, name: &str| -> String {
        text.lines().find(|line| line.contains(name)).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let default = shown(&[]);
    assert!(line(&default, "backup.every").contains("24h") && line(&default, "backup.keep").contains('7'), "{default}");
    assert!(line(&default, "backup.dir").contains("backups"), "{default}");
    let off = shown(&[("ARGUSD_BACKUP_EVERY", "never")]);
    assert!(line(&off, "backup.every").contains("never"), "{off}");
}

#[test]
fn several_can_check_a_file_and_a_server_keeps_them_out() {
    let site = Site::new();
    site.ok(&["generate", "10"]);
    let daemon = site.start();
    assert_eq!(site.ok(&["check", "argusd.redb"]), "all is well", "the server checks it");
    let other = Site::new();
    let said = other.run(&["check", site.data().to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&said.stdout).contains("is in use by another argusd"), "{said:?}");
    daemon.stop();
    let value: Value = serde_json::from_str(&site.ok(&["source", "list", "--json"])).unwrap();
    assert!(value.is_array());
}
