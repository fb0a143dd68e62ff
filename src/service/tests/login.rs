//! Tokens and passwords.

use std::time::Duration;

use super::*;
use crate::{
    auth::secret,
    domain::limits::PASSWORD_TRIES_PER_ACCOUNT,
    service::{AuthFailure, LoginFailure, Model, Refusal, TokenLife},
};

const DAY: i64 = 24 * 3_600;
const VALUE: &str = "0123456789abcdef0123456789ABCDEF01234567";

impl Rig {
    async fn knows(&self, token: &str) -> bool {
        self.authenticate(token).await.is_ok()
    }

    async fn failure(&self, token: &str) -> AuthFailure {
        self.authenticate(token).await.unwrap_err()
    }

    async fn exchange(&self) -> String {
        self.exchange_password("admin", "correct horse", None).await.unwrap()
    }
}

#[tokio::test]
async fn the_next_exchange_replaces_only_what_the_last_one_made() {
    let rig = Rig::new().await;
    let admin = rig.admin();
    let kept = rig.create_token(&admin, admin.id(), None, TokenLife::Never).await.unwrap();
    let first = rig.exchange().await;
    let caller = rig.authenticate(&first).await.unwrap();
    assert_eq!(caller.user.username, "admin");
    assert_eq!(caller.credential, Credential::Classic(secret::token_hash(&first).unwrap()));
    let second = rig.exchange().await;
    assert!(!rig.knows(&first).await && rig.knows(&second).await && rig.knows(&kept).await);
    let third = rig.refresh_token(&rig.authenticate(&second).await.unwrap()).await.unwrap();
    assert!(!rig.knows(&second).await && rig.knows(&third).await && rig.knows(&kept).await);
    rig.exchange().await;
    assert!(!rig.knows(&third).await);
    rig.sound();
}

#[tokio::test]
async fn a_classic_token_says_once_that_it_expired() {
    let rig = Rig::new().await;
    let token = rig.exchange().await;
    let forever = rig.create_token(&rig.admin(), rig.admin().id(), None, TokenLife::Never).await.unwrap();
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
    let none = rig.refresh_token(&zabbix).await;
    assert!(matches!(none, Err(ServiceError::Refused(Refusal::NoClassicToken(name))) if name == "zabbix"));
    let token = rig.create_token(&rig.admin(), zabbix.id(), None, TokenLife::Never).await.unwrap();
    let fresh = rig.refresh_token(&rig.authenticate(&token).await.unwrap()).await.unwrap();
    let life = rig.tokens(Some(zabbix.id())).into_iter().map(|token| token.expires).collect::<Vec<_>>();
    assert_eq!(life, [None]);
    assert!(rig.knows(&fresh).await);
}

#[tokio::test]
async fn login_tokens_live_ten_hours_side_by_side() {
    let rig = Rig::new().await;
    let classic = rig.exchange().await;
    let (first, expiry) = rig.login("admin", "correct horse", None).await.unwrap();
    assert_eq!((first.len(), expiry), (64, seconds(10 * 3_600)));
    let caller = rig.authenticate(&first).await.unwrap();
    let (second, _) = rig.login_as(&caller).await.unwrap();
    rig.logout(&caller).await.unwrap();
    assert!(!rig.knows(&first).await && rig.knows(&second).await);
    rig.clock.set(expiry);
    assert!(matches!(rig.failure(&second).await, AuthFailure::Invalid));
    let (third, _) = rig.login_as(&caller).await.unwrap();
    rig.logout_all(&caller).await.unwrap();
    assert!(!rig.knows(&third).await && rig.knows(&classic).await);
    rig.end_session(&rig.authenticate(&classic).await.unwrap()).await.unwrap();
    assert!(rig.tokens(None).is_empty());
}

#[tokio::test]
async fn tokens_are_taken_over_and_revoked() {
    let rig = Rig::new().await;
    let (admin, ann) = (rig.admin(), rig.person("ann").await);
    let make = async |value: &str| {
        let life = TokenLife::For(Duration::from_mins(1));
        rig.create_token(&admin, ann.id(), Some(value.to_owned()), life).await
    };
    assert_eq!(make(VALUE).await.unwrap(), VALUE);
    assert_eq!(rig.authenticate(VALUE).await.unwrap().id(), ann.id());
    assert!(matches!(make(VALUE).await, Err(ServiceError::Refused(Refusal::TokenTaken))));
    assert!(matches!(make("abc").await, Err(ServiceError::Refused(Refusal::BadTokenValue))));
    let own = rig.create_token(&ann, ann.id(), None, TokenLife::Setting).await;
    assert!(matches!(own, Err(ServiceError::Forbidden)));
    let id = rig.tokens(Some(ann.id()))[0].id;
    rig.revoke_token(&admin, id).await.unwrap();
    assert!(!rig.knows(VALUE).await);
    assert!(matches!(rig.revoke_token(&admin, id).await, Err(ServiceError::NotFound(Model::Token))));
}

#[tokio::test]
async fn the_inactive_stay_outside() {
    let rig = Rig::new().await;
    let admin = rig.admin();
    let ann = rig.person("ann").await.id();
    rig.set_password(&admin, ann, "sesame").await.unwrap();
    let token = rig.exchange_password("ann", "sesame", None).await.unwrap();
    rig.deactivate(&admin, ann).await.unwrap();
    assert!(matches!(rig.failure(&token).await, AuthFailure::Inactive));
    let refused = rig.exchange_password("ann", "sesame", None).await;
    assert!(matches!(refused, Err(LoginFailure::BadCredentials)));
}

#[tokio::test]
async fn wrong_passwords_unknown_users_and_accounts_without_password_look_the_same() {
    let rig = Rig::new().await;
    for (username, password) in [("admin", "wrong"), ("nobody", "correct horse"), ("argus", ""), ("", "")] {
        let refused = rig.exchange_password(username, password, None).await;
        assert!(matches!(refused, Err(LoginFailure::BadCredentials)), "{username}");
    }
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let rig = Rig::new().await;
    let long = "x".repeat(2_000);
    for _ in 0..PASSWORD_TRIES_PER_ACCOUNT.get() {
        let refused = rig.login("admin", &long, None).await;
        assert!(matches!(refused, Err(LoginFailure::BadCredentials)));
    }
    let refused = rig.login("admin", "correct horse", None).await;
    assert!(matches!(refused, Err(LoginFailure::TooManyTries { retry_after }) if retry_after > Duration::ZERO));
}
