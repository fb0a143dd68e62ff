//! Which commands create a data file, and which create or change things that exist already.

use serde_json::{Value, json};

use crate::support::daemon::{Daemon, Site, incident, stderr};

fn rows(site: &Site, what: &str) -> Vec<Value> {
    serde_json::from_str(&site.ok(&[what, "list", "--json"])).unwrap()
}

#[test]
fn commands_that_need_a_data_file_refuse_a_path_without_one_and_create_nothing() {
    let site = Site::new();
    for line in [
        "user list",
        "user create anna",
        "user change anna --staff",
        "user password anna --password-file password",
        "user deactivate anna",
        "token list",
        "token create admin",
        "token revoke 1",
        "token check",
        "source list",
        "source create nav --type nav",
        "source change nav --heartbeat 60",
        "source delete nav",
        "source check",
        "channel list",
        "channel create --name a --type email",
        "channel change a --offered",
        "channel delete a",
        "filter list",
        "profile list",
        "profile toggle 1",
        "incident create",
        "incident close --id 1",
        "reindex",
        "check",
    ] {
        std::fs::write(site.path("password"), "correct horse\n").unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let said = site.fails(&[&words[..], &["--data", "typo.redb"]].concat());
        assert!(
            said.contains(&format!("there is no data file {}", site.path("typo.redb").display())),
            "{line}: {said}"
        );
        assert!(said.contains("--data FILE") && said.contains("--config FILE"), "{line}: {said}");
        let files: Vec<_> = std::fs::read_dir(site.data().parent().unwrap()).unwrap().flatten().collect();
        assert_eq!(files.len(), 1, "{line} leaves {files:?}");
    }
}

#[test]
fn an_empty_file_is_no_data_file_for_a_command() {
    let site = Site::new();
    std::fs::write(site.data(), "").unwrap();
    let said = site.fails(&["user", "list"]);
    assert!(said.contains("is not a data file of argusd"), "{said}");
    assert_eq!(std::fs::metadata(site.data()).unwrap().len(), 0);
}

#[test]
fn serve_generate_and_demo_create_a_data_file() {
    let site = Site::new();
    site.start().stop();
    assert!(site.data().exists());
    for command in [&["generate", "1", "--data", "generated.redb"][..], &["demo", "--data", "demo.redb"]] {
        assert!(site.run(command).status.success());
        assert!(site.path(command.last().unwrap()).exists(), "{command:?}");
        assert!(site.ok(&["user", "list", "--data", command.last().unwrap()]).contains("admin"));
    }
}

#[test]
fn made_up_incidents_need_force_where_there_are_real_ones() {
    let site = Site::new();
    assert_eq!(site.ok(&["generate", "0"]), "0 incidents");
    site.ok(&["incident", "create"]);
    let token = site.source("nav");
    site.ok(&["generate", "3"]);
    let daemon = site.start();
    daemon.client().with_token(&token).incident().with(incident("1")).post();
    for command in [&["generate", "3"][..], &["demo"]] {
        let said = site.fails(command);
        assert!(said.contains("there are incidents already; --force adds"), "{said}");
    }
    let count = |daemon: &Daemon| {
        let all = daemon.client().with_token(&token).get("/api/v2/incidents/?page_size=500").json();
        all["results"].as_array().unwrap().len()
    };
    assert_eq!(count(&daemon), 5);
    daemon.stop();
    for command in [&["generate", "3"][..], &["demo"]] {
        assert!(site.fails(command).contains("there are incidents already; --force adds"));
    }
    let daemon = site.start();
    assert_eq!(count(&daemon), 5);
    daemon.stop();
    site.ok(&["generate", "3", "--force"]);
    site.ok(&["demo", "--force"]);
    assert_eq!(site.ok(&["check"]), "all is well");
}

#[test]
fn made_up_incidents_are_no_reason_to_ask_for_force() {
    let site = Site::new();
    site.ok(&["demo"]);
    site.ok(&["generate", "3"]);
    site.ok(&["generate", "3"]);
    assert_eq!(site.ok(&["check"]), "all is well");
}

#[test]
fn if_missing_makes_every_create_repeatable() {
    let site = Site::new();
    for running in [false, true] {
        let daemon = running.then(|| site.start());
        let suffix = if running { "2" } else { "1" };
        let (user, source, channel) = (&format!("anna{suffix}"), &format!("nav{suffix}"), &format!("Mail{suffix}"));
        let said = |args: &[&str]| {
            let output = site.run(args);
            assert!(output.status.success(), "{args:?}: {}", stderr(&output));
            (String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output))
        };

        let create = ["user", "create", user, "--email", "a@example.org", "--if-missing"];
        site.ok(&create);
        let change = ["user", "create", user, "--email", "b@example.org", "--staff", "--if-missing"];
        let (out, error) = said(&change);
        assert_eq!((out.as_str(), error.trim_end()), ("", &*format!("user {user} exists; nothing was changed")));
        let found = rows(&site, "user").into_iter().find(|row| row["username"] == **user).unwrap();
        assert_eq!((&found["email"], &found["staff"]), (&json!("a@example.org"), &json!(false)));
        assert!(site.fails(&["user", "create", user]).contains("taken"));

        let create = ["source", "create", source, "--type", "nav", "--token", "--if-missing"];
        assert_eq!(site.ok(&create).len(), 40);
        let (out, error) = said(&create);
        assert_eq!(
            (out.as_str(), error.trim_end()),
            ("", &*format!("source {source} (nav) exists; nothing was changed"))
        );
        assert_eq!(rows(&site, "token").iter().filter(|row| row["username"] == **source).count(), 1);

        let create = ["channel", "create", "--name", channel, "--type", "email", "--if-missing"];
        let uuid = site.ok(&create);
        let (out, error) = said(&create);
        assert_eq!(
            (out.trim_end(), error.trim_end()),
            (&*uuid, &*format!("channel {channel} exists; nothing was changed"))
        );
        let other = ["--id", "0817d973-398e-41d7-9cd2-61cdb7ef41a1"];
        assert!(site.fails(&[&create[..], &other].concat()).contains("name already"), "another channel has that name");

        let create = ["token", "create", user, "--if-missing"];
        assert_eq!(site.ok(&create).len(), 40);
        let (out, error) = said(&create);
        assert_eq!(out, "");
        assert!(error.contains(&format!("user {user} has token ")) && error.contains("nothing was changed"), "{error}");
        let value = format!("{suffix}123456789abcdef0123456789abcdef01234567");
        let import = [&create[..], &["--value", &value]].concat();
        assert_eq!(site.ok(&import), value, "that token is missing");
        assert_eq!(said(&import).0, "");
        assert_eq!(rows(&site, "token").iter().filter(|row| row["username"] == **user).count(), 2);
        if let Some(daemon) = daemon {
            daemon.stop();
        }
    }
}

#[test]
fn every_list_is_also_json() {
    let site = Site::new();
    site.ok(&["demo"]);
    for list in [
        &["user", "list"][..],
        &["token", "list"],
        &["source", "list"],
        &["channel", "list"],
        &["channel", "types"],
        &["filter", "list"],
        &["profile", "list"],
    ] {
        let listed: Value = serde_json::from_str(&site.ok(&[list, &["--json"]].concat())).unwrap();
        assert!(listed.is_array(), "{list:?}");
    }
}

#[test]
fn profiles_are_listed_with_what_they_consist_of() {
    let site = Site::new();
    site.ok(&["demo"]);
    let all: Value = serde_json::from_str(&site.ok(&["profile", "list", "--json"])).unwrap();
    let first = &all[0];
    let id = first["pk"].to_string();
    assert_eq!(first["active"], false, "{first}");
    assert!(first["timeslot"].is_string() && first["filters"][0].is_string(), "{first}");
    assert!(first["destinations"][0].as_str().unwrap().contains("example.org"), "{first}");
    let owner = first["username"].as_str().unwrap();
    let own: Value = serde_json::from_str(&site.ok(&["profile", "list", "--user", owner, "--json"])).unwrap();
    let of_owner = all.as_array().unwrap().iter().filter(|row| row["username"] == owner).count();
    assert_eq!(own.as_array().unwrap().len(), of_owner);
    assert_eq!(site.ok(&["profile", "toggle", &id]), format!("profile {id} is active"), "the number is the one to use");
    assert!(site.ok(&["profile", "list"]).lines().next().unwrap().contains("DESTINATIONS"));
}

#[test]
fn a_source_without_incidents_is_deleted_and_others_say_why_not() {
    let site = Site::new();
    for running in [false, true] {
        let mut daemon = running.then(|| site.start());
        let name = if running { "second" } else { "first" };
        let token = site.source(name);
        site.ok(&["source", "create", name, "--type", "other"]);
        assert!(site.fails(&["source", "delete", name]).contains("several sources"));
        if let Some(daemon) = &daemon {
            assert_eq!(daemon.client().with_token(&token).get("/api/v2/incidents/").status, 200);
        }
        site.ok(&["source", "delete", name, "--type", "test"]);
        if let Some(daemon) = &daemon {
            assert_eq!(daemon.client().with_token(&token).get("/api/v2/incidents/").status, 401, "access ends at once");
        }
        let user = rows(&site, "user").into_iter().find(|row| row["username"] == name).unwrap();
        assert_eq!((&user["active"], &user["source"]), (&json!(false), &Value::Null));
        assert!(rows(&site, "token").iter().all(|row| row["username"] != name));
        assert!(site.fails(&["source", "delete", name, "--type", "test"]).contains("there is no source"));
        assert!(site.fails(&["source", "delete", "argus"]).contains("of the server itself"));
        if let Some(daemon) = daemon.take() {
            let token = site.source("busy");
            daemon.client().with_token(&token).incident().with(incident("1")).post();
            assert!(site.fails(&["source", "delete", "busy"]).contains("has incidents (1)"));

            let idle = site.source("idle");
            let admin = site.ok(&["token", "create", "admin"]);
            let pk = rows(&site, "source").into_iter().find(|row| row["name"] == "idle").unwrap()["pk"].clone();
            let filter = json!({"name": "about it", "filter": {"sourceSystemIds": [pk]}});
            let made = daemon.client().with_token(&admin).post("/api/v2/notificationprofiles/filters/", &filter);
            assert_eq!(made.status, 201, "{}", made.body);
            let said = site.fails(&["source", "delete", "idle"]);
            assert!(said.contains("saved filter \"about it\" of admin"), "{said}");
            assert_eq!(daemon.client().with_token(&idle).get("/api/v2/incidents/").status, 200);
            daemon.stop();
        }
        assert_eq!(site.ok(&["check"]), "all is well");
    }
}
