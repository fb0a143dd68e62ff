//! The real program on data files that are damaged, removed or replaced, and what it makes is private.

use std::{
    fs,
    os::unix::fs::{FileExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use crate::support::{
    daemon::{Daemon, Site, incident, stderr},
    eventually::eventually,
};

/// Flips a bit in each place where the file holds `text`; a server may have it open.
fn flip(path: &Path, text: &str) {
    let bytes = fs::read(path).unwrap();
    let windows = bytes.windows(text.len()).enumerate();
    let places: Vec<usize> = windows.filter(|(_, it)| *it == text.as_bytes()).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    for at in places {
        file.write_all_at(&[bytes[at] ^ 1], at as u64).unwrap();
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn check_leaves_the_file_as_it_is() {
    let site = Site::new();
    site.ok(&["generate", "300"]);
    let before = fs::read(site.data()).unwrap();
    assert_eq!(site.ok(&["check"]), "all is well");
    assert!(fs::read(site.data()).unwrap() == before);
}

#[test]
fn a_damaged_file_is_never_copied() {
    let site = Site::new();
    let token = site.source("tester");
    let daemon = site.start();
    let mut client = daemon.client().with_token(&token);
    let mut posted = incident("1");
    posted["description"] = json!("the words in the middle");
    assert_eq!(client.post("/api/v2/incidents/", &posted).status, 201);
    site.ok(&["backup", "copy.redb"]);
    let good = fs::read(site.path("copy.redb")).unwrap();
    daemon.stop();

    flip(&site.data(), "the words in the middle");
    let output = site.run(&["check"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("table incident_id_to_incident: the page at byte"), "{said}");

    let said = site.fails(&["backup", "copy.redb"]);
    assert!(said.contains("is damaged: table "), "{said}");
    assert!(fs::read(site.path("copy.redb")).unwrap() == good, "the old copy stays");

    // A server that has it open says so by itself.
    flip(&site.data(), "uhe words in the middle");
    let log = site.path("log");
    let daemon =
        Daemon::start_with_log(site.command(&["serve", "--listen", "127.0.0.1:0"]), fs::File::create(&log).unwrap());
    flip(&site.data(), "the words in the middle");
    eventually("the log names the table", || {
        read(&log).contains("the data file is damaged: table incident_id_to_incident: the page at byte")
    });
    assert!(daemon.client().get("/accounts/login/").body.contains("The data file is damaged"));
    let admin = site.ok(&["token", "create", "admin"]);
    eventually("an incident of its own says so", || {
        let found = daemon.client().with_token(&admin).get("/api/v2/incidents/?tags=problem_type=damaged_data_file");
        found.json()["results"].as_array().is_some_and(|results| results.len() == 1)
    });
    daemon.stop();
    let said = read(&log);
    assert!(!said.contains("panicked") && !said.contains("backtrace"), "{said}");
}

#[test]
fn nothing_is_written_while_the_data_file_is_missing() {
    let site = Site::new();
    let token = site.source("tester");
    let log = site.path("log");
    let daemon =
        Daemon::start_with_log(site.command(&["serve", "--listen", "127.0.0.1:0"]), fs::File::create(&log).unwrap());
    let mut client = daemon.client().with_token(&token);
    let mut post = |id: &str| client.post("/api/v2/incidents/", &incident(id));
    assert_eq!(post("1").status, 201);

    let aside = site.path("aside");
    fs::rename(site.data(), &aside).unwrap();
    let answer = post("2");
    assert_eq!(answer.status, 503);
    assert!(answer.json()["detail"].as_str().unwrap().contains("it was removed or renamed"), "{}", answer.body);
    assert!(read(&log).contains("nothing can be stored"), "{}", read(&log));
    assert!(daemon.client().get("/accounts/login/").body.contains("Nothing can be stored"));
    assert_eq!(daemon.client().with_token(&token).get("/api/v2/incidents/1/").status, 200, "reads go on");

    // Another file in its place: neither this server nor a second one uses it.
    let other = Site::new();
    other.ok(&["generate", "3"]);
    fs::copy(other.data(), site.data()).unwrap();
    let before = fs::read(site.data()).unwrap();
    assert_eq!(post("3").status, 503);
    assert!(site.fails(&["--listen", "127.0.0.1:0"]).contains("is in use by another argusd"));
    assert!(fs::read(site.data()).unwrap() == before, "the other file is left alone");

    fs::rename(&aside, site.data()).unwrap();
    let answer = post("4");
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert!(!daemon.client().get("/accounts/login/").body.contains("Nothing can be stored"));
    daemon.stop();
    assert!(read(&log).contains("is back"), "{}", read(&log));
    assert_eq!(site.ok(&["check"]), "all is well");
}

#[test]
fn a_missing_data_file_is_noticed_without_a_write() {
    let site = Site::new();
    let log = site.path("log");
    let daemon =
        Daemon::start_with_log(site.command(&["serve", "--listen", "127.0.0.1:0"]), fs::File::create(&log).unwrap());
    fs::remove_file(site.data()).unwrap();
    eventually("the log says that the file is gone", || read(&log).contains("it was removed or renamed"));
    assert!(daemon.client().get("/accounts/login/").body.contains("Nothing can be stored"));
    assert!(!site.data().exists(), "no new file is made");
    daemon.signal("TERM");
    let (_, status) = daemon.wait();
    assert!(status.success(), "{status}");
}

#[test]
fn created_files_are_private_whatever_the_umask_is() {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            }
            found.push(path);
        }
    }
    let site = Site::new();
    let loosely = |args: &str| {
        let plain = site.command(&[]);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("umask 000; exec {} {args}", env!("CARGO_BIN_EXE_argusd"))]);
        command.env_clear().current_dir(plain.get_current_dir().unwrap());
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    };
    let output = loosely("generate 200").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let daemon = Daemon::start(loosely("serve --listen 127.0.0.1:0"));
    let output = loosely("backup copy.redb").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let mut found = Vec::new();
    collect(site.data().parent().unwrap(), &mut found);
    daemon.stop();
    assert!(found.iter().any(|path| path.ends_with("argusd.redb.search")), "{found:?}");
    assert!(found.len() > 5, "{found:?}");
    for path in found {
        // Files of the index come and go.
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let mode = metadata.permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    }
}
