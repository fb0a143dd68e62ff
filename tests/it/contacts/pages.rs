//! Contacts, groups, channels, rules and deliveries as pages, without scripts.

use argusd::domain::stored_filter::{BlobEdit, FilterBlob, FilterDraft};

use crate::support::{App, Reply, visit::Visit};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contacts_groups_and_rules_are_managed_with_forms() {
    let app = App::new().await;
    let mut admin = Visit::of(&app, "admin").await;
    admin.submit("/admin/channels/new/", &[("type", "email"), ("name", "mail")]).await;
    let channel = app.service.directory().channels.values().next().unwrap().uuid.to_string();

    let contact =
        |name, address| [("full_name", name), ("username", "ann"), ("channel", &*channel), ("address.email", address)];
    for (fields, says) in [
        (contact("", "a@b.org"), "Full name: must not be empty."),
        (contact("Ann", "nonsense"), "email: not a valid e-mail address."),
        (contact("Ann", ""), "Addresses: the default channel needs one for email."),
    ] {
        refused(&admin.post("/admin/contacts/new/", &fields).await, says);
    }
    let page = admin.submit("/admin/contacts/new/", &contact("Ann Smith", "a@b.org")).await;
    assert!(page.text.contains("Ann Smith") && page.text.contains("a@b.org"), "{}", page.text);
    refused(&admin.post("/admin/contacts/new/", &contact("Bob", "b@b.org")).await, "another contact already has ann");
    let ann = uuid_in(&admin.get("/admin/contacts/?q=smith").await.text, "/admin/contacts/");

    admin.submit("/admin/groups/", &[("name", "Network")]).await;
    refused(&admin.post("/admin/groups/", &[("name", "network")]).await, "another group is already named network");
    let group = uuid_in(&admin.get("/admin/groups/").await.text, "/admin/groups/");
    let members = format!("/admin/groups/{group}/members/");
    refused(&admin.post(&members, &[("contact", "zoe")]).await, "no contact is named zoe");
    assert!(admin.submit(&members, &[("contact", "ann smith")]).await.text.contains("Ann Smith"));
    admin.submit(&format!("/admin/contacts/{ann}/groups/"), &[("leave", &group)]).await;
    let empty = admin.get(&format!("/admin/groups/{group}/")).await.text;
    assert!(!empty.contains("Ann Smith"), "{empty}");
    let page = admin.submit(&format!("/admin/contacts/{ann}/groups/"), &[("group", "NETWORK")]).await;
    assert!(page.text.contains("Network"));

    let me = app.user_id("admin");
    let timeslot = app.service.directory().timeslots_of(me)[0].id.to_string();
    let rule = [("name", "night"), ("timeslot", &*timeslot), ("active", "on"), ("add_contact", "ann")];
    refused(&admin.post("/admin/rules/new/", &rule).await, "Filters: choose at least one");
    let filter = FilterDraft {
        name: Some("all".to_owned()),
        blob: Some(BlobEdit::Whole(FilterBlob { open: Some(true), ..Default::default() })),
        public: Some(false),
    };
    let caller =
        argusd::service::Caller { user: app.service.directory().user(me).cloned().unwrap(), ..app.local.clone() };
    let filter = app.service.notifications().put_filter(&caller, None, filter).await.unwrap().id.to_string();
    let rule = [rule.as_slice(), &[("filters", &*filter), ("add_group", "network")]].concat();
    let page = admin.submit("/admin/rules/new/", &rule).await.text;
    assert!(page.contains("Ann Smith") && page.contains("Network"), "{page}");
    let rule = app.service.directory().rules.values().next().unwrap().clone();
    assert_eq!(rule.recipients.len(), 2);
    let path = format!("/admin/rules/{}/", rule.id);
    let fields = [("name", "night"), ("timeslot", &*timeslot), ("active", "on"), ("filters", &*filter)];
    let keeps = format!("group:{group}:");
    admin.submit(&path, &[fields.as_slice(), &[("recipients", &*keeps)]].concat()).await;
    assert_eq!(app.service.directory().rules[&rule.id].recipients.len(), 1);

    assert!(admin.submit(&format!("/admin/groups/{group}/delete/"), &[]).await.text.contains("Group deleted"));
    assert!(admin.get("/admin/rules/").await.text.contains("nobody"), "a rule without recipients is flagged");
    assert!(admin.get("/admin/").await.text.contains("1 without recipients"));
    admin.submit(&format!("/admin/contacts/{ann}/delete/"), &[]).await;
    assert_eq!(admin.get(&format!("/admin/contacts/{ann}/")).await.status, 404);
    admin.submit(&format!("{path}delete/"), &[]).await;
    assert_eq!(admin.get(&path).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_of_channels_are_accepted_but_never_shown() {
    let app = App::new().await;
    let (mut admin, mut stan) = (Visit::of(&app, "admin").await, Visit::of(&app, "stan").await);
    let mail = [
        ("type", "email"),
        ("name", "mail"),
        ("set.host", "mail.example.org"),
        ("set.user", "noc"),
        ("set.password", "hunter2"),
        ("set.port", "25"),
    ];
    let page = admin.submit("/admin/channels/new/", &mail).await.text;
    assert!(page.contains("mail.example.org") && !page.contains("hunter2"), "{page}");
    let uuid = app.service.directory().channels.values().next().unwrap().uuid;
    let path = format!("/admin/channels/{uuid}/");
    let password = || app.service.directory().channels[&uuid].config.as_ref().unwrap().get("password").cloned();

    let same = [("name", "post"), ("set.host", "mail.example.org"), ("set.user", "noc"), ("set.port", "25")];
    admin.submit(&path, &same).await;
    assert_eq!(password(), Some("hunter2".into()), "what was left blank stays");
    let elsewhere = [("name", "post"), ("set.host", "evil.example.org"), ("set.user", "noc"), ("set.port", "25")];
    let refusal = admin.post(&path, &elsewhere).await;
    refused(&refusal, "password");
    assert!(!refusal.text.contains("hunter2"));
    let bad = [("name", "post"), ("set.port", "x"), ("set.password", "hunter3")];
    let refusal = admin.post(&path, &bad).await;
    refused(&refusal, "enter a whole number");
    assert!(!refusal.text.contains("hunter3"));
    for path in [path.as_str(), "/admin/channels/", "/admin/audit/"] {
        assert!(!stan.get(path).await.text.contains("hunter2"), "{path}");
    }
    admin.submit(&path, &[("name", "post"), ("set.host", "mail.example.org"), ("clear.password", "on")]).await;
    assert_eq!(password(), None);
    assert!(admin.submit(&format!("{path}delete/"), &[]).await.text.contains("Channel deleted"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_see_contacts_but_cannot_change_them() {
    let app = App::new().await;
    let mut admin = Visit::of(&app, "admin").await;
    admin.submit("/admin/channels/new/", &[("type", "email"), ("name", "mail")]).await;
    let mut stan = Visit::of(&app, "stan").await;
    for (path, fields) in [
        ("/admin/contacts/new/", [("full_name", "x")]),
        ("/admin/groups/", [("name", "x")]),
        ("/admin/channels/new/", [("name", "x")]),
        ("/admin/rules/new/", [("name", "x")]),
        ("/admin/deliveries/retry/", [("name", "x")]),
    ] {
        let expected = if path.contains("deliveries") { 303 } else { 403 };
        assert_eq!(stan.post(path, &fields).await.status, expected, "{path}");
    }
    assert_eq!(stan.post("/admin/deliveries/7/retry/", &[]).await.status, 404);
    let mut alice = Visit::of(&app, "alice").await;
    assert_eq!(alice.post("/admin/deliveries/retry/", &[]).await.status, 403);
}

fn refused(reply: &Reply, says: &str) {
    assert_eq!(reply.status, 422, "{}", reply.text);
    let text = reply.text.split("class=\"problem\"").nth(1).unwrap_or_default();
    assert!(text.contains(says), "no {says}: {}", reply.text);
}

/// The first behind that path.
fn uuid_in(text: &str, path: &str) -> String {
    let found = text.split(path).skip(1).find_map(|rest| rest.get(..36)?.parse::<uuid::Uuid>().ok());
    found.unwrap_or_else(|| panic!("no uuid in {text}")).to_string()
}
