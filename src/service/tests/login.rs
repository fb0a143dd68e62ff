//! Tokens and passwords.

use std::{net::IpAddr, time::Duration};

use super::*;
use crate::{
    auth::secret,
    clock::Clock,
    domain::{
        limits::{
            LOGIN_TOKENS_PER_USER, PASSWORD_REMEMBERED_FOR, PASSWORD_TRIES_PER_ACCOUNT, SESSIONS_PER_USER,
            TOKENS_PER_USER,
        },
        user::PasswordProblem,
    },
    service::{AuthFailure, Browser, LoginFailure, Model, PasswordChangeFailure, Refusal, TokenLife},
};

const DAY: i64 = 24 * 3_600;
const VALUE: &str = "0123456789abcdef0123456789ABCDEF01234567";

impl Rig {
    async fn knows(&self, token: &str) -> bool {
        self.people().authenticate(token).await.is_ok()
    }

    async fn failure(&self, token: &str) -> AuthFailure {
        self.people().authenticate(token).await.unwrap_err()
    }

    async fn exchange(&self) -> String {
        self.people().exchange_password("admin", "correct horse", None).await.unwrap()
    }
}

#[tokio::test]
async fn the_next_exchange_replaces_only_what_the_last_one_made() {
    let rig = Rig::new().await;
    let admin = rig.admin();
    let kept = rig.people().create_token(&admin, admin.id(), None, TokenLife::Never).await.unwrap();
    let first = rig.exchange().await;
    let caller = rig.people().authenticate(&first).await.unwrap();
    assert_eq!(caller.user.username, "admin");
    assert_eq!(caller.credential, Credential::Classic(secret::token_hash(&first).unwrap()));
    let second = rig.exchange().await;
    assert!(!rig.knows(&first).await && rig.knows(&second).await && rig.knows(&kept).await);
    let third = rig.people().refresh_token(&rig.people().authenticate(&second).await.unwrap()).await.unwrap();
    assert!(!rig.knows(&second).await && rig.knows(&third).await && rig.knows(&kept).await);
    rig.exchange().await;
    assert!(!rig.knows(&third).await);
    rig.sound();
}

#[tokio::test]
async fn a_classic_token_says_once_that_it_expired() {
    let rig = Rig::new().await;
    let token = rig.exchange().await;
    let forever = rig.people().create_token(&rig.admin(), rig.admin().id(), None, TokenLife::Never).await.unwrap();
    rig.clock.set(seconds(14 * DAY - 1));
    assert!(rig.knows(&token).await);
    rig.clock.set(seconds(14 * DAY));
    assert!(matches!(rig.failure(&token).await, AuthFailure::Expired));
    assert!(matches!(rig.failure(&token).await, AuthFailure::Invalid));
    assert!(rig.knows(&forever).await);
    rig.clock.set(seconds(DAY));
    assert!(rig.knows(&token).await, "the clock was wrong");
}

#[tokio::test]
async fn a_refreshed_token_lives_as_long_as_a_new_one_and_for_ever_stays_for_ever() {
    let rig = Rig::new().await;
    let zabbix = rig.source("zabbix").await;
    let none = rig.people().refresh_token(&zabbix).await;
    assert!(matches!(none, Err(ServiceError::Refused(Refusal::NoClassicToken(name))) if name == "zabbix"));
    let token = rig.people().create_token(&rig.admin(), zabbix.id(), None, TokenLife::Never).await.unwrap();
    let fresh = rig.people().refresh_token(&rig.people().authenticate(&token).await.unwrap()).await.unwrap();
    let life = rig.people().tokens(Some(zabbix.id())).into_iter().map(|token| token.expires).collect::<Vec<_>>();
    assert_eq!(life, [None]);
    assert!(rig.knows(&fresh).await);
}

#[tokio::test]
async fn login_tokens_live_ten_hours_side_by_side() {
    let rig = Rig::new().await;
    let classic = rig.exchange().await;
    let (first, expiry) = rig.people().login("admin", "correct horse", None).await.unwrap();
    assert_eq!((first.len(), expiry), (64, seconds(10 * 3_600)));
    let caller = rig.people().authenticate(&first).await.unwrap();
    let (second, _) = rig.people().login_as(&caller).await.unwrap();
    rig.people().logout(&caller).await.unwrap();
    assert!(!rig.knows(&first).await && rig.knows(&second).await);
    rig.clock.set(expiry);
    assert!(matches!(rig.failure(&second).await, AuthFailure::Invalid));
    let (third, _) = rig.people().login_as(&rig.admin()).await.unwrap();
    rig.people().logout_all(&caller).await.unwrap();
    assert!(!rig.knows(&third).await && rig.knows(&classic).await);
    rig.people().end_session(&rig.people().authenticate(&classic).await.unwrap()).await.unwrap();
    assert!(rig.people().tokens(None).is_empty());
}

#[tokio::test]
async fn tokens_are_taken_over_and_revoked() {
    let rig = Rig::new().await;
    let (admin, ann) = (rig.admin(), rig.person("ann").await);
    let make = async |value: &str| {
        let life = TokenLife::For(Duration::from_mins(1));
        rig.people().create_token(&admin, ann.id(), Some(value.to_owned()), life).await
    };
    assert_eq!(make(VALUE).await.unwrap(), VALUE);
    assert_eq!(rig.people().authenticate(VALUE).await.unwrap().id(), ann.id());
    assert!(matches!(make(VALUE).await, Err(ServiceError::Refused(Refusal::TokenTaken))));
    assert!(matches!(make("abc").await, Err(ServiceError::Refused(Refusal::BadTokenValue))));
    let own = rig.people().create_token(&ann, ann.id(), None, TokenLife::Setting).await;
    assert!(matches!(own, Err(ServiceError::Forbidden)));
    let id = rig.people().tokens(Some(ann.id()))[0].id;
    rig.people().revoke_token(&admin, id).await.unwrap();
    assert!(!rig.knows(VALUE).await);
    assert!(matches!(rig.people().revoke_token(&admin, id).await, Err(ServiceError::NotFound(Model::Token))));
}

#[tokio::test]
async fn the_inactive_stay_outside() {
    let rig = Rig::new().await;
    let admin = rig.admin();
    let ann = rig.person("ann").await.id();
    rig.people().set_password(&admin, ann, "open sesame").await.unwrap();
    let token = rig.people().exchange_password("ann", "open sesame", None).await.unwrap();
    rig.people().deactivate(&admin, ann).await.unwrap();
    assert!(matches!(rig.failure(&token).await, AuthFailure::Inactive));
    let refused = rig.people().exchange_password("ann", "open sesame", None).await;
    assert!(matches!(refused, Err(LoginFailure::BadCredentials)));
}

#[tokio::test]
async fn wrong_passwords_unknown_users_and_accounts_without_password_look_the_same() {
    let rig = Rig::new().await;
    for (username, password) in [("admin", "wrong"), ("nobody", "correct horse"), ("argus", ""), ("", "")] {
        let refused = rig.people().exchange_password(username, password, None).await;
        assert!(matches!(refused, Err(LoginFailure::BadCredentials)), "{username}");
    }
}

/// A password that is wrong for every account, and is found wrong without hashing.
fn wrong() -> String {
    "x".repeat(2_000)
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([127, 0, 0, last])
}

impl Rig {
    /// Guesses passwords until the limit. Returns the number of guesses.
    async fn guess(&self, username: &str, peer: Option<IpAddr>) -> usize {
        let mut login_limits = 0;
        while let Err(LoginFailure::BadCredentials) = self.people().login(username, &wrong(), peer).await {
            login_limits += 1;
        }
        login_limits
    }
}

#[tokio::test]
async fn nobody_is_locked_out_by_the_guesses_of_others() {
    let rig = Rig::new().await;
    for last in 2..50 {
        assert!(rig.guess("admin", Some(address(last))).await >= 30);
    }
    rig.people().login("admin", "correct horse", Some(address(1))).await.unwrap();
    rig.people().authenticate_password("admin", "correct horse", Some(address(60))).await.unwrap();
    let browser = Browser { peer: Some(address(70)), name: "", device: None };
    let session = rig.people().open_session("admin", "correct horse", browser).await.unwrap();
    let refused = rig.people().login("admin", "correct horse", Some(address(2))).await;
    assert!(matches!(refused, Err(LoginFailure::TooManyTries { .. })), "who guesses has to wait");

    // From the address of the guesser, the browser of the account and its session can still log in.
    let browser = Browser { peer: Some(address(2)), name: "", device: Some(&session.device) };
    let again = rig.people().open_session("admin", "correct horse", browser).await.unwrap();
    assert_eq!(again.device, session.device);
    let caller = rig.people().session(&again.secret).unwrap();
    rig.people().change_own_password(&caller, "correct horse", "battery staple", Some(address(2))).await.unwrap();
    rig.people().login("admin", "battery staple", Some(address(2))).await.unwrap();
}

#[tokio::test]
async fn only_failures_count() {
    let rig = Rig::new().await;
    for _ in 0..=PASSWORD_TRIES_PER_ACCOUNT.get() {
        // Otherwise the remembered password is accepted without a check.
        rig.clock.set(rig.clock.now().saturating_add_micros(PASSWORD_REMEMBERED_FOR.as_micros() as i64));
        rig.people().login("admin", "correct horse", Some(address(1))).await.unwrap();
    }
    assert!(rig.guess("admin", Some(address(1))).await >= 30);
    rig.people().login("admin", "correct horse", Some(address(1))).await.unwrap();
}

/// Polls `future` up to its first wait for a password hash, completes `other`, and then completes `future`.
async fn meanwhile<T, O>(future: impl Future<Output = T>, other: impl Future<Output = O>) -> T {
    let mut future = std::pin::pin!(future);
    assert!(futures_util::poll!(future.as_mut()).is_pending());
    other.await;
    future.await
}

#[tokio::test]
async fn a_demotion_survives_a_password_change_under_way() {
    let rig = Rig::new().await;
    let local = rig.people().local_caller().unwrap();
    let admin = rig.admin();
    let demotion = UserDraft { is_superuser: Some(false), revoke: vec!["x".to_owned()], ..UserDraft::default() };
    let people = rig.people();
    let change = people.change_own_password(&admin, "correct horse", "battery staple", None);
    meanwhile(change, async { rig.people().change_user(&local, admin.id(), demotion).await.unwrap() }).await.unwrap();
    assert!(!rig.admin().user.is_superuser);
    rig.people().login("admin", "battery staple", None).await.unwrap();
}

#[tokio::test]
async fn who_is_locked_out_while_a_password_is_hashed_changes_nothing() {
    let rig = Rig::new().await;
    let local = rig.people().local_caller().unwrap();
    let (admin, ann) = (rig.admin(), rig.person("ann").await.id());
    let lock_out = async || {
        rig.people().deactivate(&local, admin.id()).await.unwrap();
    };
    let refused = meanwhile(rig.people().set_password(&admin, ann, "battery staple"), lock_out()).await;
    assert!(matches!(refused, Err(ServiceError::Forbidden)));
    let change = UserDraft { is_active: Some(true), ..UserDraft::default() };
    rig.people().change_user(&local, admin.id(), change).await.unwrap();
    let new =
        UserDraft { username: Some("eve".to_owned()), password: Some("battery staple".into()), ..UserDraft::default() };
    let refused = meanwhile(rig.people().create_user(&admin, new), lock_out()).await;
    assert!(matches!(refused, Err(ServiceError::Forbidden)));
}

#[tokio::test]
async fn a_login_that_began_with_the_old_password_gets_nothing() {
    let rig = Rig::new().await;
    let (local, admin) = (rig.people().local_caller().unwrap(), rig.admin().id());
    let change = async |password: &str| rig.people().set_password(&local, admin, password).await.unwrap();
    let login = meanwhile(rig.people().login("admin", "correct horse", None), change("battery staple")).await;
    assert!(matches!(login, Err(LoginFailure::BadCredentials)));
    let people = rig.people();
    let exchange = people.exchange_password("admin", "battery staple", None);
    assert!(matches!(meanwhile(exchange, change("third password")).await, Err(LoginFailure::BadCredentials)));
    let basic = people.authenticate_password("admin", "third password", None);
    assert!(matches!(meanwhile(basic, change("fourth password")).await, Err(LoginFailure::BadCredentials)));
    let browser = Browser { peer: None, name: "", device: None };
    let session = people.open_session("admin", "fourth password", browser);
    assert!(matches!(meanwhile(session, change("fifth password")).await, Err(LoginFailure::BadCredentials)));
    assert!(rig.people().tokens(Some(admin)).is_empty());
}

/// Tokens and session of an account: obtained with the password or derived from that, and created by hand.
struct Access {
    by_password: Vec<String>,
    by_hand: Vec<String>,
    session: String,
}

impl Rig {
    async fn access(&self, password: &str) -> Access {
        let admin = self.admin();
        let by_hand = self.people().create_token(&admin, admin.id(), None, TokenLife::Never).await.unwrap();
        let (login, _) = self.people().login("admin", password, None).await.unwrap();
        let (derived, _) = self.people().login_as(&self.people().authenticate(&login).await.unwrap()).await.unwrap();
        let exchanged = self.people().exchange_password("admin", password, None).await.unwrap();
        let refreshed =
            self.people().refresh_token(&self.people().authenticate(&exchanged).await.unwrap()).await.unwrap();
        let (from_hand, _) =
            self.people().login_as(&self.people().authenticate(&by_hand).await.unwrap()).await.unwrap();
        let browser = Browser { peer: None, name: "", device: None };
        let session = self.people().open_session("admin", password, browser).await.unwrap().secret;
        Access { by_password: vec![login, derived, refreshed], by_hand: vec![by_hand, from_hand], session }
    }

    async fn assert_access(&self, access: &Access, by_password: bool) {
        for token in &access.by_password {
            assert_eq!(self.knows(token).await, by_password);
        }
        for token in &access.by_hand {
            assert!(self.knows(token).await);
        }
        assert_eq!(self.people().session(&access.session).is_some(), by_password);
    }
}

#[tokio::test]
async fn a_new_password_ends_what_the_old_one_obtained() {
    let rig = Rig::new().await;
    let (local, admin) = (rig.people().local_caller().unwrap(), rig.admin().id());
    let access = rig.access("correct horse").await;
    rig.assert_access(&access, true).await;
    rig.people().set_password(&local, admin, "battery staple").await.unwrap();
    rig.assert_access(&access, false).await;

    let access = rig.access("battery staple").await;
    let browser = Browser { peer: None, name: "", device: None };
    let own = rig.people().open_session("admin", "battery staple", browser).await.unwrap().secret;
    let caller = rig.people().session(&own).unwrap();
    rig.people().change_own_password(&caller, "battery staple", "third password", None).await.unwrap();
    rig.assert_access(&access, false).await;
    assert!(rig.people().session(&own).is_some(), "where it was changed one stays logged in");

    let access = rig.access("third password").await;
    rig.people().end_sessions_of(&local, admin).await.unwrap();
    rig.assert_access(&access, false).await;
    rig.sound();
}

#[tokio::test]
async fn a_password_does_not_outlive_itself_in_a_refreshed_token() {
    let rig = Rig::new().await;
    let (local, admin) = (rig.people().local_caller().unwrap(), rig.admin());
    rig.people().create_token(&admin, admin.id(), None, TokenLife::Never).await.unwrap();
    let (login, _) = rig.people().login("admin", "correct horse", None).await.unwrap();
    let refreshed = rig.people().refresh_token(&rig.people().authenticate(&login).await.unwrap()).await.unwrap();
    rig.people().set_password(&local, admin.id(), "battery staple").await.unwrap();
    assert!(!rig.knows(&refreshed).await, "a stolen login cannot turn a token made by hand into its own");
}

#[tokio::test]
async fn what_has_ended_makes_nothing_new() {
    let rig = Rig::new().await;
    let (local, admin) = (rig.people().local_caller().unwrap(), rig.admin().id());
    let browser = Browser { peer: None, name: "", device: None };
    let session = rig.people().open_session("admin", "correct horse", browser).await.unwrap().secret;
    let caller = rig.people().session(&session).unwrap();
    rig.people().set_password(&local, admin, "battery staple").await.unwrap();
    assert!(matches!(rig.people().login_as(&caller).await, Err(ServiceError::Forbidden)));
    assert!(matches!(rig.people().refresh_token(&caller).await, Err(ServiceError::Forbidden)));
    let own = rig.people().create_own_token(&caller, TokenLife::Never, String::new()).await;
    assert!(matches!(own, Err(ServiceError::Forbidden)));
}

#[tokio::test]
async fn what_a_password_obtained_is_void_after_reactivation() {
    let rig = Rig::new().await;
    let (local, admin) = (rig.people().local_caller().unwrap(), rig.admin().id());
    let access = rig.access("correct horse").await;
    rig.people().deactivate(&local, admin).await.unwrap();
    for token in access.by_password.iter().chain(&access.by_hand) {
        assert!(matches!(rig.failure(token).await, AuthFailure::Inactive));
    }
    assert!(rig.people().session(&access.session).is_none());
    let change = UserDraft { is_active: Some(true), ..UserDraft::default() };
    rig.people().change_user(&local, admin, change).await.unwrap();
    rig.assert_access(&access, false).await;
    rig.sound();
}

#[tokio::test]
async fn tokens_of_one_user_are_bounded() {
    let rig = Rig::new().await;
    let admin = rig.admin();
    let make = async || rig.people().create_own_token(&admin, TokenLife::Setting, String::new()).await;
    for _ in 0..TOKENS_PER_USER {
        make().await.unwrap();
    }
    assert!(matches!(make().await, Err(ServiceError::Refused(Refusal::TooManyTokens))));
    let browser = Browser { peer: None, name: "", device: None };
    let first = rig.people().open_session("admin", "correct horse", browser).await.unwrap().secret;
    let second = rig.people().open_session("admin", "correct horse", browser).await.unwrap().secret;
    for _ in 2..=SESSIONS_PER_USER {
        rig.people().open_session("admin", "correct horse", browser).await.unwrap();
    }
    assert!(rig.people().session(&first).is_none() && rig.people().session(&second).is_some(), "the oldest made room");
    for _ in 0..=LOGIN_TOKENS_PER_USER {
        rig.people().login("admin", "correct horse", None).await.unwrap();
    }
    assert_eq!(rig.people().tokens(None).len(), TOKENS_PER_USER + SESSIONS_PER_USER + LOGIN_TOKENS_PER_USER);
    let id = rig.people().tokens(None)[0].id;
    rig.people().revoke_own_token(&admin, id).await.unwrap();
    make().await.unwrap();
    rig.sound();
}

#[tokio::test]
async fn passwords_have_a_least_length_everywhere() {
    let rig = Rig::new().await;
    let (local, admin) = (rig.people().local_caller().unwrap(), rig.admin());
    let problem = Refusal::Password(PasswordProblem::TooShort);
    let set = rig.people().set_password(&local, admin.id(), "7777777").await;
    assert!(matches!(set, Err(ServiceError::Refused(refusal)) if refusal == problem));
    let new = UserDraft { username: Some("eve".to_owned()), password: Some("short".into()), ..UserDraft::default() };
    let made = rig.people().create_user(&local, new).await;
    assert!(matches!(made, Err(ServiceError::Refused(refusal)) if refusal == problem));
    let changed = rig.people().change_own_password(&admin, "correct horse", "short", None).await;
    assert!(matches!(changed, Err(PasswordChangeFailure::Refused(refusal)) if refusal == problem));
    rig.people().login("admin", "correct horse", None).await.unwrap();
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let rig = Rig::new().await;
    let long = "x".repeat(2_000);
    for _ in 0..PASSWORD_TRIES_PER_ACCOUNT.get() {
        let refused = rig.people().login("admin", &long, None).await;
        assert!(matches!(refused, Err(LoginFailure::BadCredentials)));
    }
    let refused = rig.people().login("admin", "correct horse", None).await;
    assert!(matches!(refused, Err(LoginFailure::TooManyTries { retry_after }) if retry_after > Duration::ZERO));
}
