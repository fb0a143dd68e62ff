//! Every form says at which field it is wrong: marked as invalid, described by the message, and with the focus.

use crate::support::{App, Reply, visit::Visit};

/// The tag that is marked as wrong, after checks that there is only one and that the message is on the page.
#[track_caller]
fn marked(reply: &Reply) -> &str {
    let text = &reply.text;
    let tags: Vec<&str> =
        text.split('<').filter(|tag| tag.split('>').next().is_some_and(|tag| tag.contains("aria-invalid"))).collect();
    let [tag] = tags[..] else { panic!("{} fields are marked in {text}", tags.len()) };
    let tag = tag.split('>').next().unwrap();
    for part in [" aria-invalid=\"true\"", " aria-describedby=\"problem"] {
        assert_eq!(tag.matches(part).count(), 1, "{tag}");
    }
    assert_eq!(text.matches(" autofocus").count(), 1, "{text}");
    assert!(tag.contains(" autofocus"), "{tag}");
    assert_eq!(text.matches("<p id=\"problem\"").count(), 1, "{text}");
    tag
}

#[track_caller]
fn is_about(reply: &Reply, field: &str) {
    let tag = marked(reply);
    assert!(tag.contains(&format!(" name=\"{field}\"")), "{field}: {tag}");
}

type Form<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

async fn all(visit: &mut Visit, forms: &[Form<'_>]) {
    for (path, fields, field) in forms {
        let reply = visit.post(path, fields).await;
        assert_eq!(reply.status, 422, "{path} {fields:?}: {}", reply.text);
        is_about(&reply, field);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_about_notifications_mark_the_field() {
    let app = App::new().await;
    let mut alice = Visit::of(&app, "alice").await;
    alice.submit("/notifications/filters/new/", &[("name", "All"), ("level", "5")]).await;
    let mine = [("name", "Mine"), ("days-0", "1"), ("from-0", "08:00"), ("to-0", "09:00")];
    alice.submit("/notifications/timeslots/new/", &mine).await;
    alice.submit("/notifications/destinations/new/", &[("medium", "email"), ("email_address", "a@b.org")]).await;
    let directory = app.service.directory();
    let me = app.user_id("alice");
    let (slot, filter) = (directory.timeslots_of(me)[0].id.to_string(), directory.filters_of(me)[0].id.to_string());
    let profile = [("name", "Night"), ("timeslot", &*slot), ("filters", &*filter)];
    alice.submit("/notifications/profiles/new/", &profile).await;
    let (first, profiles) = ("/notifications/profiles/first/", "/notifications/profiles/new/");
    let (timeslots, filters) = ("/notifications/timeslots/new/", "/notifications/filters/new/");
    let destinations = "/notifications/destinations/new/";
    all(
        &mut alice,
        &[
            (profiles, &profile[..1], "timeslot"),
            (profiles, &profile[..2], "filters"),
            (profiles, &profile, "name"),
            (timeslots, &mine, "name"),
            (timeslots, &[("name", "Other")], "days-0"),
            (timeslots, &[("days-3", "1"), ("from-3", "x"), ("to-3", "10:00")], "from-0"),
            (timeslots, &[("days-0", "1"), ("from-0", "10:00"), ("to-0", "10:00")], "to-0"),
            (filters, &[("name", "All"), ("level", "1")], "name"),
            (filters, &[("name", "X"), ("tags", "bad")], "tags"),
            (destinations, &[("medium", "email"), ("email_address", "x")], "email_address"),
            (destinations, &[("medium", "email"), ("email_address", "a@b.org")], "email_address"),
            ("/incidents/filters/", &[("view", "open=true"), ("name", "All")], "name"),
            ("/user/details/", &[("email", "x")], "email"),
            ("/user/password/", &[("current", "x"), ("new", "1"), ("again", "2")], "again"),
            ("/user/password/", &[("current", "x"), ("new", "longer-than-8"), ("again", "longer-than-8")], "current"),
        ],
    )
    .await;
    // Of several fields with one name it is the wrong one.
    let tags = [("name", "X"), ("tags", "host=a"), ("tags", "b\"a'd"), ("tags", "c=d")];
    let reply = alice.post(filters, &tags).await;
    assert!(marked(&reply).contains(" value=\"b&#34;a&#39;d\""), "{}", marked(&reply));

    let mut bob = Visit::of(&app, "bob").await;
    all(&mut bob, &[(first, &[("email", "x"), ("level", "2")], "email")]).await;
    let level = [("email", "a@b.org"), ("level", "9")];
    all(&mut bob, &[(first, &level, "level")]).await;
    let reply = Visit::stranger(&app).log_in("alice", "wrong", "/").await;
    assert_eq!(reply.status, 401);
    is_about(&reply, "password");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_of_administrators_mark_the_field() {
    let app = App::new().await;
    let mut admin = Visit::of(&app, "admin").await;
    admin.submit("/admin/channels/new/", &[("type", "email"), ("name", "mail")]).await;
    let channel = app.service.directory().channels.values().next().unwrap().uuid.to_string();
    admin.submit("/notifications/filters/new/", &[("name", "All"), ("level", "5")]).await;
    let directory = app.service.directory();
    let me = app.user_id("admin");
    let (slot, filter) = (directory.timeslots_of(me)[0].id.to_string(), directory.filters_of(me)[0].id.to_string());
    let user = format!("/admin/users/{}/", app.user_id("bob"));
    let (new_source, maintenance) = ("/sources/new/", "/plannedmaintenance/new/");
    let (contacts, rules) = ("/admin/contacts/new/", "/admin/rules/new/");
    let contact = [("full_name", "Ann"), ("channel", &*channel), ("address.email", "x")];
    let rule = [("name", "r"), ("timeslot", &*slot), ("filters", &*filter)];
    let with = |one| [rule.as_slice(), &[one]].concat();
    all(
        &mut admin,
        &[
            (new_source, &[("name", "n"), ("type", "argus"), ("frequency", "x")], "frequency"),
            (new_source, &[("name", "n")], "type"),
            ("/sources/2/", &[("name", "n"), ("frequency", "x")], "frequency"),
            ("/sources/types/", &[("name", "zabbix")], "name"),
            ("/admin/users/new/", &[("username", "bob")], "username"),
            ("/admin/users/new/", &[("username", "new"), ("password", "1")], "password"),
            (&user, &[("email", "x")], "email"),
            (&format!("{user}password/"), &[("password", "1")], "password"),
            (contacts, &[], "full_name"),
            (contacts, &contact[..1], "channel"),
            (contacts, &contact, "address.email"),
            (contacts, &contact[..2], "address.email"),
            ("/admin/groups/", &[("name", "")], "name"),
            (rules, &rule[..2], "filters"),
            (rules, &with(("add_contact", "nobody")), "add_contact"),
            (rules, &with(("add_group", "nobody")), "add_group"),
            ("/admin/channels/new/", &[("type", "email"), ("name", "")], "name"),
            ("/admin/channels/new/", &[("type", "email"), ("name", "x"), ("set.port", "x")], "set.port"),
            ("/admin/channels/new/", &[("type", "email"), ("name", "x"), ("set.user", "x")], "set.password"),
            (maintenance, &[("description", "x")], "filters"),
            (maintenance, &[("filters", &filter), ("end", "x")], "end"),
            (maintenance, &[("filters", &filter), ("end", "2001-01-01T00:00")], "end"),
        ],
    )
    .await;
    is_about(&admin.get("/admin/audit/?user=nobody").await, "user");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_of_an_incident_mark_the_field_of_their_own_form() {
    let app = App::new().await;
    let pk = app.incident().open().post().await;
    let mut admin = Visit::of(&app, "admin").await;
    let path = |form: &str| format!("/incidents/{pk}/{form}/");
    for (form, fields, field) in [
        ("acknowledge", &[("until", "custom")][..], "until_at"),
        ("acknowledge", &[("until", "x")], "until"),
        ("close", &[("message", &"x".repeat(50_001))], "message"),
        ("comment", &[], "message"),
        ("ticket", &[], "url"),
        ("ticket", &[("url", "x")], "url"),
        ("tags", &[("tag", "x")], "tag"),
        ("level", &[("level", "9")], "level"),
    ] {
        let reply = admin.post(&path(form), fields).await;
        assert_eq!(reply.status, 422, "{form}: {}", reply.text);
        is_about(&reply, field);
        let place = reply.text.find(&format!("id=\"form-{form}\"")).unwrap();
        let end = place + reply.text[place..].find("</form>").unwrap();
        assert!(reply.text[place..end].contains("aria-invalid"), "{form}");
    }
    is_about(&admin.get(&format!("/incidents/{pk}/?whom=nobody")).await, "whom");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_form_keeps_its_preview() {
    let app = App::new().await;
    for level in 1..=4 {
        app.incident().level(level).open().post().await;
    }
    let mut admin = Visit::of(&app, "admin").await;
    admin.submit("/notifications/filters/new/", &[("name", "Grave"), ("level", "2")]).await;
    let directory = app.service.directory();
    let me = app.user_id("admin");
    let (slot, filter) = (directory.timeslots_of(me)[0].id.to_string(), directory.filters_of(me)[0].id.to_string());
    let profile = [("name", "Night"), ("timeslot", &*slot), ("filters", &*filter)];
    admin.submit("/notifications/profiles/new/", &profile).await;
    for (path, fields, preview) in [
        ("/notifications/profiles/new/", &profile[..], "2 more not sent: no destination."),
        ("/notifications/filters/new/", &[("name", "Grave"), ("level", "3")], "<strong>3</strong> incidents match now"),
        ("/plannedmaintenance/new/", &[("filters", &filter), ("end", "x")], "<strong>2</strong> of 4 open incidents"),
    ] {
        let reply = admin.post(path, fields).await;
        assert_eq!(reply.status, 422, "{}", reply.text);
        assert!(reply.text.contains(preview), "no {preview} in {}", reply.text);
        assert!(reply.text.contains("checked") || path.contains("filters"), "{path}");
    }
}
