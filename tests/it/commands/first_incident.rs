//! One recipe for the first incident, in the start message, in the README and on the page of a source.

use std::{
    fs::File,
    path::Path,
    process::{Command, Stdio},
};

use crate::support::daemon::{Client, Daemon, Site};

/// Body of the example as it stands in all places, apart from its start.
const BODY: &str = r#""source_incident_id": "1", "level": 2, "description": "The fan of sw1 has failed", "tags": [{"tag": "host=sw1"}, {"tag": "location=oslo"}]}"#;

fn document(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Text with one space between words.
fn flowing(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn started_with_message() -> (Site, Daemon, String) {
    let site = Site::new();
    let log = site.path("log");
    let daemon = Daemon::start_with_log(site.command(&["--listen", "127.0.0.1:0"]), File::create(&log).unwrap());
    let message = std::fs::read_to_string(&log).unwrap();
    (site, daemon, message)
}

#[test]
fn the_start_message_is_followed_to_the_letter() {
    let (site, daemon, message) = started_with_message();
    let recipe: Vec<&str> = message.lines().filter(|line| line.starts_with("  ")).collect();
    let mut shell = Command::new("sh");
    // A stand-in for curl, which not every host has.
    let curl = r#"curl() { printf '%s\n' "$@"; }"#;
    shell
        .arg("-ec")
        .arg(format!("{curl}\n{}", recipe.join("\n")))
        .envs(site.command(&[]).get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))));
    let output = shell.current_dir(site.data().parent().unwrap()).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{message} {}", String::from_utf8_lossy(&output.stderr));
    let words: Vec<&str> = said.lines().collect();
    let url = words.iter().find(|word| word.starts_with("http://")).unwrap();
    let token = words.iter().find_map(|word| word.strip_prefix("Authorization: Token ")).unwrap();
    // It has two lines.
    let body = said.split("-d\n").nth(1).and_then(|rest| rest.split("\nhttp://").next()).unwrap();
    let path = url.strip_prefix(&format!("http://{}", daemon.address)).unwrap();
    let answer = daemon.client().with_token(token).send("POST", path, body).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.body);
    daemon.stop();
}

#[test]
fn addresses_in_the_start_message_answer() {
    let (site, daemon, message) = started_with_message();
    let token = site.ok(&["token", "create", "admin"]);
    let urls = message.split_whitespace().filter_map(|word| word.strip_prefix(&format!("http://{}", daemon.address)));
    let urls: Vec<&str> = urls.collect();
    assert!(urls.len() >= 3, "{message}");
    for path in urls {
        let mut client: Client = daemon.client().with_token(&token);
        let answer = client.get(path);
        // The first page leads to the login.
        let target = answer.head.lines().find_map(|line| line.strip_prefix("location: ").map(str::to_owned));
        let status = if answer.status == 303 { daemon.client().get(&target.unwrap()).status } else { answer.status };
        assert_eq!(status, 200, "{path}");
    }
    daemon.stop();
}

#[test]
fn the_start_message_the_readme_and_the_page_have_the_same_recipe() {
    let (site, daemon, message) = started_with_message();
    daemon.stop();
    drop(site);
    let readme = document("README.md");
    for (name, text) in [("start message", &message), ("README", &readme)] {
        let text = flowing(text);
        assert!(text.contains("source create my-monitoring --type test --token"), "{name}: {text}");
        assert!(text.contains(r#""start_time": "'$(date -u +%FT%TZ)'""#), "{name}: {text}");
        assert!(text.contains(BODY), "{name}: {text}");
    }
    assert!(
        flowing(&document("src/web/admin/source_pages.rs")).replace('\\', "").contains("The fan of sw1 has failed")
    );
}
