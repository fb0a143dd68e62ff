//! The process dies at the worst moment; backups are taken while others write.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::Value;

use crate::support::{
    daemon::{Client, Daemon, Site, incident},
    eventually::eventually,
};

const CONNECTIONS: usize = 32;
const ACKNOWLEDGED_A_ROUND: usize = 500;

/// `ARGUSD_TEST_KILL_ROUNDS=20` for more.
#[expect(clippy::disallowed_methods, reason = "it says how long the test takes, nothing else")]
fn rounds() -> usize {
    std::env::var("ARGUSD_TEST_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3)
}

/// Posts until the server is gone; what was acknowledged.
fn post_until_gone(address: &str, token: &str, round: usize, worker: usize, acknowledged: &AtomicUsize) -> Vec<Value> {
    let mut created = Vec::new();
    let Ok(client) = Client::try_connect(address) else { return created };
    let mut client = client.with_token(token);
    for serial in 0.. {
        let body = incident(&format!("{round}-{worker}-{serial}")).to_string();
        match client.send("POST", "/api/v2/incidents/", &body) {
            Ok(answer) => {
                assert_eq!(answer.status, 201, "{}", answer.body);
                created.push(answer.json());
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => break,
        }
    }
    created
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let site = Site::new();
    let token = site.source("tester");
    let mut all: Vec<Value> = Vec::new();
    for round in 0..rounds() {
        let daemon = site.start();
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let workers: Vec<_> = (0..CONNECTIONS)
            .map(|worker| {
                let (address, token, acknowledged) = (daemon.address.clone(), token.clone(), Arc::clone(&acknowledged));
                thread::spawn(move || post_until_gone(&address, &token, round, worker, &acknowledged))
            })
            .collect();
        eventually("enough acknowledged", || acknowledged.load(Ordering::Relaxed) >= ACKNOWLEDGED_A_ROUND);
        daemon.kill();
        let before = all.len();
        for worker in workers {
            all.extend(worker.join().unwrap());
        }
        assert!(all.len() - before >= ACKNOWLEDGED_A_ROUND);

        assert_eq!(site.ok(&["check"]), "all is well", "round {round}");
        let daemon = site.start();
        let mut client = daemon.client().with_token(&token);
        // Everything of this round, and a sample of the rounds before.
        for created in all.iter().skip(before).chain(all.iter().take(before).step_by(7)) {
            let found = client.get(&format!("/api/v2/incidents/{}/", created["pk"]));
            assert_eq!((found.status, &found.json()), (200, created));
        }
        daemon.kill();
    }
}

#[test]
fn a_backup_under_load_is_complete_and_sound() {
    let site = Site::new();
    let token = site.source("tester");
    let daemon = site.start();
    let stop = Arc::new(AtomicBool::new(false));
    let newest = Arc::new(AtomicUsize::new(0));
    let poster = {
        let (address, token) = (daemon.address.clone(), token.clone());
        let (stop, newest) = (Arc::clone(&stop), Arc::clone(&newest));
        thread::spawn(move || {
            let mut client = Client::connect(&address).with_token(&token);
            let mut serial = 0;
            while !stop.load(Ordering::Relaxed) {
                serial += 1;
                let answer = client.post("/api/v2/incidents/", &incident(&serial.to_string()));
                assert_eq!(answer.status, 201, "{}", answer.body);
                newest.store(serial, Ordering::Relaxed);
            }
        })
    };
    for copy in 0..4 {
        let wanted = newest.load(Ordering::Relaxed) + 20;
        eventually("more incidents", || newest.load(Ordering::Relaxed) >= wanted);
        let file = site.path(&format!("copy-{copy}.redb"));
        let file = file.to_str().unwrap();
        let acknowledged = newest.load(Ordering::Relaxed);
        site.ok(&["backup", file]);
        assert!(crate::support::daemon::is_private(file.as_ref()));
        assert_eq!(site.ok(&["check", "--data", file]), "all is well");

        let restored = Daemon::start(site.command(&["--data", file, "--listen", "127.0.0.1:0"]));
        let mut client = restored.client().with_token(&token);
        for serial in 1..=acknowledged {
            let found = client.get(&format!("/api/v2/incidents/?source_incident_id={serial}")).json();
            assert_eq!(found["results"][0]["description"], format!("Incident {serial}"));
        }
        restored.stop();
    }
    stop.store(true, Ordering::Relaxed);
    poster.join().unwrap();
    daemon.stop();
}

#[test]
fn a_backup_works_without_a_server_and_reports_errors() {
    let site = Site::new();
    site.ok(&["generate", "500"]);
    // Relative to where the command runs.
    site.ok(&["backup", "copy.redb"]);
    let copy = site.path("copy.redb");
    assert_eq!(site.ok(&["check", "--data", copy.to_str().unwrap()]), "all is well");
    assert!(!site.fails(&["backup", "/nowhere/copy.redb"]).is_empty());
    assert!(site.fails(&["backup", "copy.redb", "--data", "missing.redb"]).contains("there is no data file"));
    assert!(!site.path("missing.redb").exists());
}

#[test]
fn check_reports_any_damaged_file_in_a_sentence() {
    let site = Site::new();
    site.ok(&["generate", "500"]);
    let sound = std::fs::read(site.data()).unwrap();
    let damaged = site.path("damaged.redb");
    let damaged_name = damaged.to_str().unwrap();
    let check = |bytes: &[u8]| {
        std::fs::write(&damaged, bytes).unwrap();
        let output = site.run(&["check", "--data", damaged_name]);
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!said.trim().is_empty() && !said.contains("all is well"), "{said}");
        assert!(!crate::support::daemon::stderr(&output).contains("panicked"));
    };
    check(b"This is no database at all, but some text.");
    check(sound.get(..sound.len() / 2).unwrap());
    let mut zeroed = sound.clone();
    let middle = zeroed.len() / 8;
    zeroed.get_mut(4096..middle.max(8192)).unwrap().fill(0);
    check(&zeroed);
    // Records that can be read and agree with each other, but are not what was written.
    let mut flipped = sound.clone();
    let needle = b"problem_type=";
    let places: Vec<usize> =
        sound.windows(needle.len()).enumerate().filter(|(_, window)| window == needle).map(|(at, _)| at).collect();
    for at in places {
        *flipped.get_mut(at + needle.len()).unwrap() ^= 1;
    }
    check(&flipped);
    assert!(site.fails(&["check", "--data", "missing.redb"]).contains("there is no data file"));
}

#[test]
fn a_signal_under_load_loses_nothing() {
    let site = Site::new();
    let token = site.source("tester");
    let daemon = site.start();
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let (address, token, acknowledged) = (daemon.address.clone(), token.clone(), Arc::clone(&acknowledged));
            thread::spawn(move || post_until_gone(&address, &token, 0, worker, &acknowledged))
        })
        .collect();
    eventually("some acknowledged", || acknowledged.load(Ordering::Relaxed) >= 50);
    daemon.stop();
    let created: Vec<Value> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();

    let daemon = site.start();
    let mut client = daemon.client().with_token(&token);
    for incident in created {
        assert_eq!(client.get(&format!("/api/v2/incidents/{}/", incident["pk"])).json(), incident);
    }
    daemon.stop();
}
