//! Administrative commands about users, tokens and sources.

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};

use super::{
    AdminReply, ChangeUser, CreateSource, CreateUser, Life, RevokeToken,
    execute::AdminError,
    incidents::source_named,
    rows::{SourceRow, TokenRow, UserRow},
};
use crate::domain::{SourceDraft, TokenId, User, UserDraft};
use crate::service::{Service, TokenLife};

type AdminResult = Result<AdminReply, AdminError>;

pub(super) fn list_users(service: &Service) -> AdminReply {
    let directory = service.directory();
    let mut users: Vec<&Arc<User>> = directory.users.values().collect();
    users.sort_by_key(|user| user.id);
    AdminReply::Users(users.into_iter().map(|user| UserRow::new(user, &directory)).collect())
}

pub(super) async fn create_user(service: &Service, new: CreateUser) -> AdminResult {
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
    service.people().create_user(&service.people().local_caller()?, user).await?;
    Ok(AdminReply::Done)
}

pub(super) async fn change_user(service: &Service, change: ChangeUser) -> AdminResult {
    let user = named(service, &change.username)?;
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

pub(super) async fn create_token(
    service: &Service,
    username: &str,
    value: Option<SecretString>,
    life: Life,
) -> AdminResult {
    let user = named(service, username)?;
    let life = match life {
        Life::Setting => TokenLife::Setting,
        Life::Never => TokenLife::Never,
        Life::Days(days) => TokenLife::For(Duration::from_secs(u64::from(days) * 86_400)),
    };
    let value = value.map(|value| value.expose_secret().to_owned());
    let token = service.people().create_token(&service.people().local_caller()?, user.id, value, life).await?;
    Ok(AdminReply::Text(token))
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
            let hash = crate::auth::secret::token_hash(value.expose_secret());
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
    if !service.directory().source_types.contains(&new.source_type) {
        service.sources().create_source_type(&caller, new.source_type.clone()).await?;
    }
    let source = SourceDraft {
        name: Some(new.name),
        source_type: Some(new.source_type),
        base_url: Some(new.base_url),
        username: new.username,
        heartbeat_frequency: None,
    };
    let source = service.sources().create_source(&caller, source).await?;
    if !new.token {
        return Ok(AdminReply::Done);
    }
    let token = service.people().create_token(&caller, source.user, None, TokenLife::Setting).await?;
    Ok(AdminReply::Text(token))
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

fn named(service: &Service, username: &str) -> Result<Arc<User>, AdminError> {
    let directory = service.directory();
    directory.user_named(username).cloned().ok_or_else(|| AdminError::Other(format!("there is no user {username:?}")))
}
