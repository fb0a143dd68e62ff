//! Users, sources and what depends on them.

use super::*;
use crate::{
    domain::{destination::EMAIL_ADDRESS, ids::UserId, user::User},
    service::{Model, Refusal},
    store::Command,
};

fn refusal<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> Refusal {
    match result {
        Err(ServiceError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

impl Rig {
    /// Returns the address and `synced` of each destination, in the order of creation.
    fn addresses(&self, user: UserId) -> Vec<(String, bool)> {
        let directory = self.directory();
        directory.destinations_of(user).into_iter().map(|d| (d.settings[EMAIL_ADDRESS].clone(), d.synced)).collect()
    }
}

fn new_source(name: &str, username: Option<&str>) -> SourceDraft {
    SourceDraft {
        name: Some(name.to_owned()),
        source_type: Some("argus".to_owned()),
        username: username.map(str::to_owned),
        ..SourceDraft::default()
    }
}

#[tokio::test]
async fn the_first_start_makes_an_administrator_and_argus() {
    let rig = Rig::new().await;
    let (admin, argus) = (rig.admin(), rig.caller("argus"));
    assert!(admin.user.is_superuser && admin.user.is_staff && admin.user.password_hash.is_some());
    assert!(argus.user.is_superuser && argus.user.password_hash.is_none());
    assert_eq!(argus.source.unwrap().source_type, "argus");
    assert!(rig.people().first_start(None).await.unwrap().is_none());
    let local = rig.people().local_caller().unwrap();
    assert!(local.source.is_none());
    for user in rig.directory().users.keys() {
        let directory = rig.directory();
        let names: Vec<_> =
            directory.timeslots.values().filter(|t| t.owner == *user).map(|t| t.name.as_str()).collect();
        assert_eq!(names, ["All the time"]);
    }
}

#[tokio::test]
async fn an_email_destination_follows_the_address() {
    let rig = Rig::new().await;
    let admin = rig.admin();
    let new =
        UserDraft { username: Some("ann".to_owned()), email: Some("a@example.org".to_owned()), ..UserDraft::default() };
    let ann = rig.people().create_user(&admin, new).await.unwrap().id;
    let change = async |email: &str| {
        let change = UserDraft { email: Some(email.to_owned()), ..UserDraft::default() };
        rig.people().change_user(&admin, ann, change).await.unwrap();
        rig.addresses(ann)
    };
    let (a, b) = ("a@example.org".to_owned(), "b@example.org".to_owned());
    assert_eq!(rig.addresses(ann), [(a.clone(), true)]);
    assert_eq!(change("b@example.org").await, [(a.clone(), false), (b.clone(), true)]);
    assert_eq!(change("a@example.org").await, [(a.clone(), true), (b.clone(), false)]);
    assert_eq!(change("").await, [(b, false)]);
    rig.sound();
}

#[tokio::test]
async fn addresses_of_users_are_checked_where_they_enter() {
    let rig = Rig::new().await;
    let admin = rig.admin();
    let bad = "x@y.z\r\nBcc: q";
    let refused = Refusal::BadEmail(bad.to_owned());
    let new = UserDraft { username: Some("bob".to_owned()), email: Some(bad.to_owned()), ..UserDraft::default() };
    assert_eq!(refusal(rig.people().create_user(&admin, new).await), refused);
    assert!(rig.directory().user_named("bob").is_none());
    let ann = rig.person("ann").await;
    let change = UserDraft { email: Some(bad.to_owned()), ..UserDraft::default() };
    assert_eq!(refusal(rig.people().change_user(&admin, ann.id(), change).await), refused);
    let own = rig.people().change_own_details(&ann, "Ann".to_owned(), String::new(), bad.to_owned()).await;
    assert_eq!(refusal(own), refused);
    assert_eq!(rig.caller("ann").user.first_name, "", "nothing of it is carried out");
    assert_eq!(refused.to_string(), "\"x@y.z\\r\\nBcc: q\" is not a valid e-mail address");

    // An invalid address that is stored already may stay.
    let id = ann.id();
    rig.store()
        .write(None, move |command| {
            command.edit_user(id, |user| user.email = "old at example".to_owned());
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
    rig.people().change_own_details(&ann, "Ann".to_owned(), String::new(), "old at example".to_owned()).await.unwrap();
    let change = UserDraft { email: Some("ann@example.org".to_owned()), ..UserDraft::default() };
    assert_eq!(rig.people().change_user(&admin, id, change).await.unwrap().email, "ann@example.org");
}

#[tokio::test]
async fn only_superusers_manage_users() {
    let rig = Rig::new().await;
    let (ann, admin) = (rig.person("ann").await, rig.admin());
    let new = |username: &str| UserDraft { username: Some(username.to_owned()), ..UserDraft::default() };
    assert!(matches!(rig.people().create_user(&ann, new("bob")).await, Err(ServiceError::Forbidden)));
    assert!(matches!(rig.people().set_password(&ann, admin.id(), "x").await, Err(ServiceError::Forbidden)));
    assert_eq!(refusal(rig.people().create_user(&admin, new("ann")).await), Refusal::UsernameTaken);
    assert_eq!(refusal(rig.people().create_user(&admin, new("a b")).await), Refusal::BadUsername);
    let long = UserDraft { first_name: Some("x".repeat(151)), ..new("bob") };
    let refused = refusal(rig.people().create_user(&admin, long).await);
    assert_eq!(refused, Refusal::TooLong { field: "first_name", limit: 150 });
    let unknown = rig.people().change_user(&admin, UserId(99), UserDraft::default()).await;
    assert!(matches!(unknown, Err(ServiceError::NotFound(Model::User))));
}

#[tokio::test]
async fn sources_get_an_account_with_a_free_name() {
    let rig = Rig::new().await;
    let admin = rig.admin();
    rig.sources().create_source_type(&rig.person("ann").await, "nav".to_owned()).await.unwrap();
    assert_eq!(refusal(rig.sources().create_source_type(&admin, "nav".to_owned()).await), Refusal::SourceTypeExists);
    let upper = rig.sources().create_source_type(&admin, "NAV".to_owned()).await;
    assert_eq!(refusal(upper), Refusal::NotLowercase("NAV".to_owned()));

    let first = rig.sources().create_source(&admin, new_source("one", None)).await.unwrap();
    assert_eq!(rig.caller("one").source.unwrap(), first);
    assert_eq!(refusal(rig.sources().create_source(&admin, new_source("one", None)).await), Refusal::SourceExists);
    let nav = SourceDraft { source_type: Some("nav".to_owned()), ..new_source("one", None) };
    let twin = rig.sources().create_source(&admin, nav).await.unwrap();
    let username = rig.directory().user(twin.user).unwrap().username.clone();
    let suffix = username.strip_prefix("one_").unwrap();
    assert!(suffix.len() == 6 && suffix.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()), "{username}");

    assert_eq!(refusal(rig.sources().create_source(&admin, new_source("a b", None)).await), Refusal::BadUsername);
    rig.sources().create_source(&admin, new_source("a b", Some("ab"))).await.unwrap();
    assert_eq!(refusal(rig.sources().create_source(&admin, new_source(" ", Some("x"))).await), Refusal::Empty("name"));
    let other = SourceDraft { source_type: Some("zino".to_owned()), ..new_source("two", None) };
    assert_eq!(refusal(rig.sources().create_source(&admin, other).await), Refusal::UnknownSourceType);
    let ann = rig.caller("ann");
    assert!(matches!(rig.sources().create_source(&ann, new_source("three", None)).await, Err(ServiceError::Forbidden)));

    assert_eq!(rig.sources().rename_source(&admin, first.id, "uno".to_owned()).await.unwrap().name, "uno");
    assert_eq!(refusal(rig.sources().rename_source(&admin, first.id, "a b".to_owned()).await), Refusal::SourceExists);
    assert!(matches!(rig.sources().rename_source(&ann, first.id, "x".to_owned()).await, Err(ServiceError::Forbidden)));
    rig.sound();
}

#[tokio::test]
async fn sources_show_that_they_are_alive() {
    let rig = Rig::new().await;
    let zabbix = rig.source("zabbix").await;
    let id = zabbix.source.as_ref().unwrap().id;
    assert_eq!(rig.store().last_seen(id), None);
    rig.sources().heartbeat(&zabbix).unwrap();
    assert_eq!(rig.store().last_seen(id), Some(START));
    assert!(matches!(rig.sources().heartbeat(&rig.admin()), Err(ServiceError::Forbidden)));
}

#[tokio::test]
async fn edits_of_a_user_add_up() {
    let rig = Rig::new().await;
    let admin = rig.admin().user;
    let edit = move |command: &mut Command<'_>| {
        command.edit_user(admin.id, |user| user.first_name = "Ada".to_owned());
        command.edit_user(admin.id, |user| user.last_name.push('L'));
        let new = command.add_user(User { username: "new".to_owned(), ..User::clone(&admin) });
        command.edit_user(new.id, |user| (user.id, user.is_superuser) = (admin.id, false));
        Ok::<_, StoreError>((new.id, command.edit_user(UserId(99), |user| user.is_active = false)))
    };
    let (new, nobody) = rig.store().write(None, edit).await.unwrap();
    let user = rig.admin().user;
    assert_eq!((user.first_name.as_str(), user.last_name.as_str(), user.is_superuser), ("Ada", "L", true));
    let new = rig.directory().user(new).cloned().unwrap();
    assert_eq!((new.username.as_str(), new.is_superuser, nobody), ("new", false, None));
}

#[tokio::test]
async fn grants_are_given_and_taken_side_by_side() {
    let rig = Rig::new().await;
    let (local, ann) = (rig.people().local_caller().unwrap(), rig.person("ann").await.id());
    let give = |grant: &str| UserDraft { grant: vec![grant.to_owned()], ..UserDraft::default() };
    let take = |grant: &str| UserDraft { revoke: vec![grant.to_owned()], ..UserDraft::default() };
    rig.people().change_user(&local, ann, give("a")).await.unwrap();
    let people = rig.people();
    let (one, other) =
        tokio::join!(people.change_user(&local, ann, give("b")), people.change_user(&local, ann, take("a")));
    one.and(other).unwrap();
    rig.people().change_user(&local, ann, give("b")).await.unwrap();
    assert_eq!(rig.caller("ann").user.grants, ["b"]);
}
