//! Contacts, groups and channels field by field, updates and deletions (contact API contract section 7).

use std::fmt::Write;

use argusd::domain::channel::ChannelDraft;
use serde_json::{Value, json};

use crate::support::{
    Who,
    contact_api::{CURRENT, ContactApi, EMAIL, ISSUE, WEBHOOK, contact, group, id, said, stored, with},
};

/// Each with what is said: in the first dialect and in the second.
type Case = (Value, (u16, &'static str), (u16, &'static str));

async fn refused(api: &ContactApi, endpoints: (&str, &str), cases: Vec<Case>) {
    for (body, issue, current) in cases {
        for (base, endpoint, (status, message)) in [(ISSUE, endpoints.0, issue), (CURRENT, endpoints.1, current)] {
            let reply = api.post(&format!("{base}/{endpoint}"), body.clone()).await;
            assert_eq!((reply.status, reply.json()["message"].as_str().unwrap()), (status, message), "{base} {body}");
        }
    }
    api.get(&format!("{ISSUE}/{}", endpoints.0)).await.is(200, json!([]));
}

fn same(body: Value, status: u16, message: &'static str) -> Case {
    (body, (status, message), (status, message))
}

const MISSING: &str =
    "Invalid request body: the fields id, full_name and default_channel must be present and of type string";

#[tokio::test]
async fn required_fields_of_contacts_are_checked() {
    let api = ContactApi::new().await;
    let missing = |name: &str, value: Value| {
        let mut body = contact(1);
        body[name] = value;
        body
    };
    let mut cases: Vec<Case> = Vec::new();
    for (name, message) in [
        ("id", "Invalid request body: the field id must be present"),
        ("full_name", "Invalid request body: the field full_name must be present"),
        ("default_channel", "Invalid request body: the field default_channel must be present"),
    ] {
        let absent = with(contact(1), json!({ name: null }));
        cases.push((absent, (400, MISSING), (422, message)));
        for value in [json!(null), json!(""), json!(0), json!(false), json!([]), json!({})] {
            cases.push((missing(name, value), (400, MISSING), (422, message)));
        }
    }
    for (name, message) in [
        ("id", "Invalid request body: expects id to be of type string"),
        ("full_name", "Invalid request body: expects full_name to be of type string"),
        ("default_channel", "Invalid request body: expects default_channel to be of type string"),
    ] {
        for value in [json!(5), json!(true), json!([1]), json!({"a": 1})] {
            cases.push((missing(name, value), (400, MISSING), (422, message)));
        }
    }
    for bad in ["x", "urn:uuid:0817d973-398e-41d7-9ef2-61cdb7ef41a2", "{0817d973-398e-41d7-9ef2-61cdb7ef41a2}"] {
        cases.push(same(missing("id", json!(bad)), 400, "Invalid request body: given id is not a valid UUID"));
        let message = "Invalid request body: given default_channel is not a valid UUID";
        cases.push(same(missing("default_channel", json!(bad)), 422, message));
    }
    let unknown = "Channel with identifier 0817d973-398e-41d7-9cd2-61cdb7ef41ff does not exist";
    let channel = json!("0817d973-398e-41d7-9cd2-61cdb7ef41ff");
    cases.push(same(missing("default_channel", channel), 422, unknown));
    let long = "Invalid request body: expects full_name to be a string of at most 1000 characters";
    cases.push(same(missing("full_name", json!("x".repeat(1_001))), 422, long));
    refused(&api, ("contacts", "contacts"), cases).await;
    let reply = api.post(&format!("{CURRENT}/contacts"), missing("full_name", json!("0"))).await;
    said(&reply, 422, "Invalid request body: the field full_name must be present");
    let blank = with(missing("full_name", json!(" ")), json!({"id": id(1).to_uppercase(), "unknown": 5}));
    stored(&api.post(&format!("{ISSUE}/contacts"), blank).await);
    assert_eq!((&api.contact(1).await["full_name"], &api.contact(1).await["id"]), (&json!(" "), &json!(id(1))));
}

#[tokio::test]
async fn optional_fields_of_contacts_are_checked() {
    let api = ContactApi::new().await;
    let to = |fields: Value| {
        let mut body = contact(1);
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let required = "Invalid request body: an address according to default_channel type email is required";
    let mut cases: Vec<Case> = Vec::new();
    for addresses in
        [json!(null), json!("x"), json!({}), json!([]), json!({"sms": "1"}), json!({"email": ""}), json!(5)]
    {
        cases.push(same(to(json!({ "addresses": addresses })), 422, required));
    }
    cases.push(same(with(contact(1), json!({"addresses": null})), 422, required));
    let hook = |addresses: Value| to(json!({"default_channel": WEBHOOK, "addresses": addresses}));
    let both = json!({"email": "a@b", "pigeon": "x", "rocketchat": "x", "smoke": "x"});
    let undefined = "Invalid request body: undefined address type pigeon, smoke given";
    cases.push(same(to(json!({"addresses": both, "username": 5})), 422, undefined));
    let strings = "Invalid request body: expects addresses to be an object of strings";
    for addresses in [json!("x"), json!(5), json!([1]), json!({"sms": null}), json!({"sms": []}), json!({"sms": {}})] {
        cases.push(same(hook(addresses), 422, strings));
    }
    for address in ["x", "a b@c", "@", "a@b c"] {
        let message = "Invalid request body: an invalid email address given";
        cases.push(same(to(json!({"addresses": {"email": address}})), 422, message));
    }
    let long = "Invalid request body: expects the sms address to be a string of at most 255 characters";
    cases.push(same(hook(json!({"sms": "1".repeat(256)})), 422, long));
    let username = "Invalid request body: expects username to be of type string";
    for bad in [json!(5), json!(false), json!([]), json!({}), json!("x".repeat(255))] {
        cases.push(same(to(json!({ "username": bad, "groups": 5 })), 422, username));
    }
    let array = "Invalid request body: expects groups to be of type array";
    for bad in [json!(5), json!(0), json!(false), json!(""), json!("x"), json!({}), json!({"a": 1})] {
        cases.push(same(to(json!({ "groups": bad })), 422, array));
    }
    for bad in [json!([id(5), 5]), json!([null]), json!([["x"]]), json!(["x", {}])] {
        let message = "Invalid request body: an invalid group identifier format given";
        cases.push(same(to(json!({ "groups": bad })), 422, message));
    }
    let no_uuid = "Invalid request body: the group identifier x is not a valid UUID";
    cases.push(same(to(json!({"groups": [id(5), "x"]})), 422, no_uuid));
    let origin = "Invalid request body: expects origin to be of type string";
    cases.push(same(to(json!({"origin": 5})), 422, origin));
    let long = "Invalid request body: expects origin to be a string of at most 255 characters";
    cases.push(same(to(json!({"origin": "x".repeat(256)})), 422, long));
    refused(&api, ("contacts", "contacts"), cases).await;
    let reply = api.post(&format!("{ISSUE}/contacts"), to(json!({"groups": [id(5)]}))).await;
    said(&reply, 422, &format!("Contact Group with identifier {} does not exist", id(5)));
    stored(&api.post(&format!("{ISSUE}/contacts"), hook(json!({"sms": "+4791234567", "email": ""}))).await);
    assert_eq!(api.contact(1).await["addresses"], json!({"sms": "+4791234567"}));
    api.sound();
}

#[tokio::test]
async fn fields_of_groups_are_checked() {
    let api = ContactApi::new().await;
    let to = |name: &str, value: Value| {
        let mut body = group(1);
        body[name] = value;
        body
    };
    let missing = "Invalid request body: the fields id and name must be present and of type string";
    let mut cases: Vec<Case> = Vec::new();
    for (name, absent, kind) in [
        (
            "id",
            "Invalid request body: the field id must be present",
            "Invalid request body: expects id to be of type string",
        ),
        (
            "name",
            "Invalid request body: the field name must be present",
            "Invalid request body: expects name to be of type string",
        ),
    ] {
        for value in [json!(null), json!(""), json!(0), json!(false), json!([]), json!({})] {
            cases.push((to(name, value), (400, missing), (422, absent)));
        }
        for value in [json!(5), json!(true), json!([1]), json!({"a": 1})] {
            cases.push((to(name, value), (400, missing), (422, kind)));
        }
    }
    cases.push(same(to("id", json!("x")), 422, "Invalid request body: given id is not a valid UUID"));
    for bad in [json!(5), json!(0), json!(false), json!(""), json!("x"), json!({}), json!({"a": 1})] {
        cases.push(same(to("users", bad), 422, "Invalid request body: expects users to be an array"));
    }
    for (bad, message) in [
        (json!(["x"]), "Invalid request body: the user identifier x is not a valid UUID"),
        (json!([5]), "Invalid request body: the user identifier 5 is not a valid UUID"),
        (json!([[1]]), "Invalid request body: the user identifier [1] is not a valid UUID"),
        (json!([null]), "Invalid request body: the user identifier null is not a valid UUID"),
    ] {
        cases.push(same(to("users", bad), 422, message));
    }
    refused(&api, ("contactgroups", "contact-groups"), cases).await;
    let reply = api.post(&format!("{ISSUE}/contactgroups"), to("users", json!([id(7)]))).await;
    said(&reply, 422, &format!("User with identifier {} not found", id(7)));
}

#[tokio::test]
async fn names_are_unique_in_any_case() {
    let api = ContactApi::new().await;
    api.put_contact(1, json!({"username": "Jürgen"})).await;
    api.put_contact(2, json!({})).await;
    api.put_contact(3, json!({"username": ""})).await;
    api.put_contact(4, json!({"username": ""})).await;
    assert_eq!(api.contact(3).await["username"], Value::Null);
    let path = |n| format!("{ISSUE}/contacts/{}", id(n));
    let taken = api.put(&path(2), with(contact(2), json!({"username": "JÜRGEN"}))).await;
    said(&taken, 422, "Username JÜRGEN already exists");
    api.put_contact(1, json!({"username": "jürgen"})).await;
    assert_eq!(api.contact(1).await["username"], "jürgen");
    api.put_contact(1, json!({})).await;
    api.put_contact(2, json!({"username": "JÜRGEN"})).await;
    api.put_contact(1, json!({"full_name": "Contact 2", "username": "x".repeat(254)})).await;

    api.put_group(1, json!({"name": "Operators"})).await;
    let taken = api.post(&format!("{CURRENT}/contact-groups"), with(group(2), json!({"name": "OPERATORS"}))).await;
    said(&taken, 422, "Name OPERATORS already exists");
    api.put_group(1, json!({"name": "operators"})).await;
    api.put_group(1, json!({"name": "Others"})).await;
    api.put_group(2, json!({"name": "OPERATORS"})).await;
    api.sound();
}

#[tokio::test]
async fn updates_replace_what_is_given_and_leave_memberships_that_are_not() {
    let api = ContactApi::new().await;
    api.put_group(1, json!({})).await;
    api.put_group(2, json!({})).await;
    let full = json!({"username": "ann", "groups": [id(2), id(1), id(2)], "origin": "ldap: ann",
        "addresses": {"email": "ann@example.org", "sms": "1"}});
    api.put_contact(5, full.clone()).await;
    let ann = api.contact(5).await;
    assert_eq!((&ann["groups"], &ann["origin"]), (&json!([id(1), id(2)]), &json!("ldap: ann")));
    assert_eq!(api.group(1).await["users"], json!([id(5)]));
    let keys: Vec<&String> = ann.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "full_name", "username", "default_channel", "groups", "addresses", "origin"]);

    api.put_contact(5, json!({"full_name": "Ann"})).await;
    let ann = api.contact(5).await;
    assert_eq!((&ann["full_name"], &ann["username"]), (&json!("Ann"), &Value::Null));
    assert_eq!((&ann["groups"], &ann["addresses"]), (&json!([id(1), id(2)]), &json!({"email": "c5@example.org"})));
    assert_eq!(ann["origin"], "ldap: ann");
    let mut nulls = with(contact(5), json!({"default_channel": WEBHOOK}));
    for name in ["username", "groups", "addresses", "origin"] {
        nulls[name] = Value::Null;
    }
    assert_eq!(api.put(&format!("{ISSUE}/contacts/{}", id(5)), nulls).await.status, 204);
    let ann = api.contact(5).await;
    assert_eq!((&ann["groups"], &ann["addresses"], ann.get("origin")), (&json!([id(1), id(2)]), &json!({}), None));
    api.put_contact(5, json!({"groups": []})).await;
    assert_eq!((api.group(1).await["users"].clone(), api.group(2).await["users"].clone()), (json!([]), json!([])));

    api.put_contact(6, json!({})).await;
    api.put_group(1, json!({"users": [id(6), id(5), id(6)], "origin": "ldap"})).await;
    assert_eq!(api.group(1).await["users"], json!([id(5), id(6)]));
    api.put_group(1, json!({"name": "Renamed"})).await;
    let renamed = json!({"id": id(1), "name": "Renamed", "users": [id(5), id(6)], "origin": "ldap"});
    assert_eq!(api.group(1).await, renamed);
    api.put_group(1, json!({"users": [id(6)]})).await;
    assert_eq!(api.contact(5).await["groups"], json!([]));
    api.put_group(1, json!({"users": []})).await;
    assert_eq!(api.contact(6).await["groups"], json!([]));
    api.sound();
}

#[tokio::test]
async fn repeating_a_request_changes_nothing() {
    let api = ContactApi::new().await;
    api.put_group(1, json!({})).await;
    api.put_contact(2, json!({"username": "ann", "groups": [id(1)]})).await;
    let seq = || api.app.service.store().counters().last_seq;
    let before = seq();
    api.put_contact(2, json!({"username": "ann", "groups": [id(1)]})).await;
    api.put_group(1, json!({"users": [id(2)]})).await;
    assert_eq!(seq(), before);
    api.put_group(1, json!({"users": []})).await;
    assert_eq!(seq(), before + 1, "the contact left the group, which stayed what it was");
}

#[tokio::test]
async fn replacing_inherits_nothing_and_frees_names() {
    let api = ContactApi::new().await;
    api.put_group(1, json!({})).await;
    api.put_contact(5, json!({"username": "ann", "groups": [id(1)], "origin": "x"})).await;
    api.put_contact(6, json!({"username": "bob"})).await;
    let replace = async |new: Value| api.post(&format!("{ISSUE}/contacts/{}", id(5)), new).await;
    said(&replace(contact(6)).await, 422, "Contact already exists");
    said(&replace(contact(5)).await, 422, "Contact already exists");
    let bob = json!({"username": "Bob"});
    said(&replace(with(contact(7), bob)).await, 422, "Username Bob already exists");
    let unknown = json!({"username": "ann", "groups": [id(9)]});
    assert_eq!(replace(with(contact(7), unknown)).await.status, 422);
    assert_eq!((&api.contact(5).await["username"], &api.contact(7).await), (&json!("ann"), &Value::Null));
    let reply = replace(with(contact(7), json!({"username": "ANN"}))).await;
    assert_eq!((reply.status, reply.header("x-resource-identifier")), (201, id(7).as_str()));
    let new = api.contact(7).await;
    assert_eq!((&new["groups"], new.get("origin"), &api.contact(5).await), (&json!([]), None, &Value::Null));

    api.put_group(2, json!({"users": [id(6), id(7)]})).await;
    let new = json!({"name": "GROUP 2", "users": [id(7)]});
    let reply = api.post(&format!("{CURRENT}/contact-groups/{}", id(2)), with(group(3), new)).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    assert_eq!(
        (api.contact(6).await["groups"].clone(), api.contact(7).await["groups"].clone()),
        (json!([]), json!([id(3)]))
    );
    assert_eq!(api.group(2).await, Value::Null);
    api.sound();
}

#[tokio::test]
async fn deleted_contacts_and_groups_leave_no_references() {
    let api = ContactApi::new().await;
    api.put_group(1, json!({})).await;
    api.put_contact(5, json!({"username": "ann", "groups": [id(1)]})).await;
    assert_eq!(api.delete(&format!("{ISSUE}/contacts/{}", id(5))).await.status, 204);
    assert_eq!(api.group(1).await["users"], json!([]));
    assert_eq!(api.delete(&format!("{ISSUE}/contacts/{}", id(5))).await.status, 404);
    api.put_contact(6, json!({"username": "ANN", "groups": [id(1)]})).await;
    api.put_contact(5, json!({})).await;
    assert_eq!(api.contact(5).await["groups"], json!([]));
    assert_eq!(api.delete(&format!("{CURRENT}/contactgroups/{}", id(1))).await.status, 204);
    assert_eq!(api.contact(6).await["groups"], json!([]));
    api.put_group(2, json!({"name": "group 1"})).await;
    api.put_group(1, json!({"name": "Other"})).await;
    assert_eq!(api.group(1).await["users"], json!([]));
    api.sound();
}

#[tokio::test]
async fn channels_are_shown_without_their_secrets() {
    let api = ContactApi::new().await;
    let mail = json!({"id": EMAIL, "name": "Mail", "type": "email",
        "config": {"user": "argus", "password": ""}});
    let hook = json!({"id": WEBHOOK, "name": "Hook", "type": "webhook", "config": {"url": ""}});
    api.get(&format!("{ISSUE}/channels")).await.is(200, json!([mail, hook]));
    api.get(&format!("{CURRENT}/channels")).await.is(200, json!({"data": [mail, hook]}));
    api.get(&format!("{CURRENT}/channels/{EMAIL}")).await.is(200, json!({ "data": mail }));
    api.get(&format!("{ISSUE}/channels?type=webhook")).await.is(200, json!([hook]));
    api.get(&format!("{ISSUE}/channels?type=Webhook")).await.is(200, json!([]));
    api.get(&format!("{ISSUE}/channels?name=hook")).await.is(200, json!([hook]));
    said(&api.get(&format!("{ISSUE}/channels/{}", id(1))).await, 404, "Channel not found");
    api.app.of(Who::Superuser).channel("Bare", "my-plug_in").uuid(id(8)).create().await;
    assert_eq!(api.get(&format!("{ISSUE}/channels/{}", id(8))).await.json()["data"][0]["config"], Value::Null);
    let mut text = String::new();
    let snapshot = api.app.service.store().snapshot().unwrap();
    let mut visit = |change: argusd::domain::change::Change| {
        writeln!(text, "{change:?}").unwrap();
        std::ops::ControlFlow::Continue(())
    };
    snapshot.for_each_change(argusd::domain::ids::Seq(0), &mut visit).unwrap();
    assert!(text.contains("password") && !text.contains("geheim"), "{text}");
}

#[tokio::test]
async fn channels_in_use_stay_and_keep_their_type() {
    let api = ContactApi::new().await;
    let (service, local) = (&api.app.service, &api.app.local);
    let (mail, hook) = (EMAIL.parse().unwrap(), WEBHOOK.parse().unwrap());
    api.put_contact(1, json!({})).await;
    assert!(
        service
            .contacts()
            .delete_channel(local, mail)
            .await
            .unwrap_err()
            .to_string()
            .contains("default of some contacts")
    );
    let sms = ChannelDraft { kind: Some("sms".to_owned()), ..ChannelDraft::default() };
    assert!(service.contacts().put_channel(local, Some(mail), sms.clone()).await.is_err());
    service.contacts().put_channel(local, Some(hook), sms).await.unwrap();
    let body = with(contact(2), json!({"default_channel": WEBHOOK}));
    let reply = api.post(&format!("{ISSUE}/contacts"), body).await;
    said(&reply, 422, "Invalid request body: an address according to default_channel type sms is required");
    api.put_contact(1, json!({"default_channel": WEBHOOK, "addresses": {"sms": "1"}})).await;
    service.contacts().delete_channel(local, mail).await.unwrap();
    let new = ChannelDraft {
        uuid: None,
        name: Some("HOOK".to_owned()),
        kind: Some("slack".to_owned()),
        config: Some("{}".to_owned()),
        offered: Some(true),
    };
    assert!(
        service
            .contacts()
            .put_channel(local, None, new.clone())
            .await
            .unwrap_err()
            .to_string()
            .contains("name already")
    );
    let new = ChannelDraft { name: Some("Slack".to_owned()), ..new };
    let slack = service.contacts().put_channel(local, None, new.clone()).await.unwrap();
    for config in ["[]", "{", "5"] {
        let bad = ChannelDraft { name: Some("other".to_owned()), config: Some(config.to_owned()), ..new.clone() };
        assert!(
            service.contacts().put_channel(local, None, bad).await.unwrap_err().to_string().contains("JSON object")
        );
    }
    let body = with(contact(2), json!({"default_channel": slack.uuid.to_string(), "addresses": null}));
    assert_eq!(api.post(&format!("{ISSUE}/contacts"), body.clone()).await.status, 422);
    let with_url = ChannelDraft {
        config: Some(r#"{"url": "https://hooks.example.org/x"}"#.to_owned()),
        ..ChannelDraft::default()
    };
    service.contacts().put_channel(local, Some(slack.uuid), with_url).await.unwrap();
    assert_eq!(api.post(&format!("{ISSUE}/contacts"), body).await.status, 201);
    api.sound();
}
