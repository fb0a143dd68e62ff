//! Administrative commands about users, tokens and sources.

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};

use super::{
    AdminReply, ChangeUser, CreateSource, CreateToken, CreateUser, Life, RevokeToken,
    execute::AdminError,
    incidents::source_named,
    rows::{SourceRow, TokenRow, UserRow, iso},
};
use crate::auth::secret::token_hash;
use crate::domain::{
    Source, SourceDraft, Token, TokenId, TokenKind, TokenOrigin, User, UserDraft, rights::GRANTS, source::is_base_url,
};
use crate::service::{Refusal, Service, ServiceError, TokenLife};

type AdminResult = Result<AdminReply, AdminError>;

pub(super) fn list_users(service: &Service) -> AdminReply {
    let directory = service.directory();
    let mut users: Vec<&Arc<User>> = directory.users.values().collect();
    users.sort_by_key(|user| user.id);
    AdminReply::Users(users.into_iter().map(|user| UserRow::new(user, &directory)).collect())
}

pub(super) async fn create_user(service: &Service, new: CreateUser) -> AdminResult {
    check_grants(&new.grants)?;
    let name = new.username.clone();
    let user = UserDraft {
        username: Some(new.username),
        password: new.password,
        first_name: Some(new.first_name),
        last_name: Some(new.last_name),
        email: Some(new.email),
        is_staff: Some(new.staff),
        is_superuser: Some(new.superuser),
        grants: Some(new.grants),
        ..UserDraft::default()
    };
    match service.people().create_user(&service.people().local_caller()?, user).await {
        Err(ServiceError::Refused(Refusal::UsernameTaken)) if new.if_missing => {
            Ok(unchanged(String::new(), &format!("user {name} exists")))
        }
        created => Ok(created.map(|_| AdminReply::Done)?),
    }
}

pub(super) async fn change_user(service: &Service, change: ChangeUser) -> AdminResult {
    let user = named(service, &change.username)?;
    check_grants(&change.grant)?;
    let change = UserDraft {
        first_name: change.first_name,
        last_name: change.last_name,
        email: change.email,
        is_staff: change.staff,
        is_superuser: change.superuser,
        is_active: change.active,
        grant: change.grant,
        revoke: change.revoke,
        ..UserDraft::default()
    };
    service.people().change_user(&service.people().local_caller()?, user.id, change).await?;
    Ok(AdminReply::Done)
}

pub(super) async fn set_password(service: &Service, username: &str, password: &str) -> AdminResult {
    let user = named(service, username)?;
    service.people().set_password(&service.people().local_caller()?, user.id, password).await?;
    Ok(AdminReply::Done)
}

pub(super) async fn deactivate(service: &Service, username: &str) -> AdminResult {
    let user = named(service, username)?;
    service.people().deactivate(&service.people().local_caller()?, user.id).await?;
    Ok(AdminReply::Done)
}

pub(super) fn list_tokens(service: &Service, username: Option<&str>) -> AdminResult {
    let user = username.map(|name| named(service, name)).transpose()?;
    let directory = service.directory();
    let tokens = service.people().tokens(user.map(|user| user.id));
    Ok(AdminReply::Tokens(tokens.iter().map(|token| TokenRow::new(token, &directory)).collect()))
}

/// Creates a token. Replies with it, and with its end as a remark.
pub(super) async fn create_token(service: &Service, new: CreateToken) -> AdminResult {
    let user = named(service, &new.username)?;
    if new.if_missing
        && let Some(token) = existing_token(service, &user, new.value.as_ref())
    {
        let remark = format!("user {} has token {}, which {}", user.username, token.id, end(&token));
        return Ok(unchanged(String::new(), &remark));
    }
    new_token(service, &user, new.value, new.life).await
}

/// Returns the token with this value or, without a value, the one of the user that is valid for longest.
fn existing_token(service: &Service, user: &User, value: Option<&SecretString>) -> Option<Arc<Token>> {
    let hash = match value {
        Some(value) => Some(token_hash(value.expose_secret())?),
        None => None,
    };
    let now = service.now();
    let of_user = service.people().tokens(Some(user.id)).into_iter();
    of_user
        .filter(|token| hash.map_or(token.origin == TokenOrigin::Hand, |hash| token.hash == hash))
        .filter(|token| token.kind == TokenKind::Classic && token.expires.is_none_or(|expires| expires > now))
        .max_by_key(|token| (token.expires.is_none(), token.expires))
}

async fn new_token(service: &Service, user: &User, value: Option<SecretString>, life: Life) -> AdminResult {
    let life = match life {
        Life::Setting => TokenLife::Setting,
        Life::Never => TokenLife::Never,
        Life::Days(days) => TokenLife::For(Duration::from_secs(u64::from(days) * 86_400)),
    };
    let value = value.map(|value| value.expose_secret().to_owned());
    let token = service.people().create_token(&service.people().local_caller()?, user.id, value, life).await?;
    let stored = token_hash(&token).and_then(|hash| service.directory().tokens.get(&hash).cloned());
    let remark = stored.map(|stored| format!("the token of user {} {}", user.username, end(&stored)));
    Ok(AdminReply::Noted { text: token, remark: remark.unwrap_or_default() })
}

fn end(token: &Token) -> String {
    token.expires.map_or_else(|| "does not expire".to_owned(), |expires| format!("expires at {}", iso(expires)))
}

/// Returns the reply for something that exists already.
pub(super) fn unchanged(text: String, what: &str) -> AdminReply {
    AdminReply::Noted { text, remark: format!("{what}; nothing was changed") }
}

fn check_grants(added: &[String]) -> Result<(), AdminError> {
    match added.iter().find(|grant| !GRANTS.contains(&grant.as_str())) {
        None => Ok(()),
        Some(grant) => {
            Err(AdminError::Other(format!("there is no permission {grant:?}; possible are {}", GRANTS.join(", "))))
        }
    }
}

pub(super) async fn revoke_token(service: &Service, which: RevokeToken) -> AdminResult {
    let caller = service.people().local_caller()?;
    let id = match which {
        RevokeToken::Id(id) => TokenId(id),
        RevokeToken::AllOf(username) => {
            let user = named(service, &username)?;
            service.people().revoke_all_tokens(&caller, user.id).await?;
            return Ok(AdminReply::Done);
        }
        RevokeToken::Value(value) => {
            let hash = token_hash(value.expose_secret());
            let directory = service.directory();
            let token = hash.and_then(|hash| directory.tokens.get(&hash));
            token.ok_or_else(|| AdminError::Other("there is no such token".to_owned()))?.id
        }
    };
    service.people().revoke_token(&caller, id).await?;
    Ok(AdminReply::Done)
}

pub(super) fn list_sources(service: &Service) -> AdminReply {
    let directory = service.directory();
    let row = |source: &Arc<_>| SourceRow::new(source, service.store().last_seen(source.id), &directory);
    AdminReply::Sources(directory.sources.values().map(row).collect())
}

pub(super) async fn create_source(service: &Service, new: CreateSource) -> AdminResult {
    let caller = service.people().local_caller()?;
    if !is_base_url(&new.base_url) {
        let reason = format!("{:?} is no web address, such as https://nav.example.org/", new.base_url);
        return Err(AdminError::Other(format!("--base-url: {reason}")));
    }
    let label = format!("source {} ({})", new.name, new.source_type);
    let source = SourceDraft {
        name: Some(new.name),
        source_type: Some(new.source_type),
        base_url: Some(new.base_url),
        username: new.username,
        heartbeat_frequency: None,
    };
    let source = match service.sources().create_source_with_type(&caller, source, true).await {
        Err(ServiceError::Refused(Refusal::SourceExists)) if new.if_missing => {
            return Ok(unchanged(String::new(), &format!("{label} exists")));
        }
        created => created?,
    };
    let Some(life) = new.token else { return Ok(AdminReply::Done) };
    let user = user_of(service, &source)?;
    new_token(service, &user, None, life).await
}

fn user_of(service: &Service, source: &Source) -> Result<Arc<User>, AdminError> {
    let user = service.directory().user(source.user).cloned();
    user.ok_or_else(|| AdminError::Other("the source has no user".to_owned()))
}

pub(super) async fn delete_source(service: &Service, name: &str, source_type: Option<&str>) -> AdminResult {
    let source = source_named(service, name, source_type)?;
    service.sources().delete_source(&service.people().local_caller()?, source.id).await?;
    Ok(AdminReply::Done)
}

pub(super) async fn watch_source(
    service: &Service,
    name: &str,
    source_type: Option<&str>,
    heartbeat: Option<u32>,
) -> AdminResult {
    let source = source_named(service, name, source_type)?;
    service.sources().watch_source(&service.people().local_caller()?, source.id, heartbeat).await?;
    Ok(AdminReply::Done)
}

pub(super) fn named(service: &Service, username: &str) -> Result<Arc<User>, AdminError> {
    let directory = service.directory();
    directory.user_named(username).cloned().ok_or_else(|| AdminError::Other(format!("there is no user {username:?}")))
}
