//! Executes an administrative command.

use std::{panic::AssertUnwindSafe, time::Duration};

use secrecy::ExposeSecret;

use super::{AdminReply, AdminRequest, accounts, channels, faults, incidents, retention, subscriptions};
use crate::generate;
use crate::service::{Service, ServiceError};

/// Executes a command. Long commands report their progress to `progress`.
pub async fn execute(
    service: &Service,
    request: AdminRequest,
    progress: &(dyn Fn(String) + Send + Sync),
) -> AdminReply {
    carry_out(service, request, progress).await.unwrap_or_else(|error| AdminReply::Refused(error.to_string()))
}

/// Error of a command.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminError {
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error("{0}")]
    Other(String),
}

async fn carry_out(
    service: &Service,
    request: AdminRequest,
    progress: &(dyn Fn(String) + Send + Sync),
) -> Result<AdminReply, AdminError> {
    use AdminRequest as R;
    match request {
        R::ListUsers => Ok(accounts::list_users(service)),
        R::CreateUser(new) => accounts::create_user(service, new).await,
        R::ChangeUser(change) => accounts::change_user(service, change).await,
        R::SetPassword { username, password } => {
            accounts::set_password(service, &username, password.expose_secret()).await
        }
        R::Deactivate { username } => accounts::deactivate(service, &username).await,
        R::ListTokens { username } => accounts::list_tokens(service, username.as_deref()),
        R::CreateToken(new) => accounts::create_token(service, new).await,
        R::RevokeToken(which) => accounts::revoke_token(service, which).await,
        R::ListSources => Ok(accounts::list_sources(service)),
        R::CreateSource(new) => accounts::create_source(service, new).await,
        R::DeleteSource { name, source_type } => accounts::delete_source(service, &name, source_type.as_deref()).await,
        R::ListChannels => Ok(channels::list(service)),
        R::CreateChannel(new) => channels::create(service, new).await,
        R::ChangeChannel(change) => channels::change(service, change).await,
        R::DeleteChannel { which } => channels::delete(service, &which).await,
        R::WatchSource { name, source_type, heartbeat } => {
            accounts::watch_source(service, &name, source_type.as_deref(), heartbeat).await
        }
        R::CheckTokens { days } => faults::check_tokens(service, days).await,
        R::CheckHeartbeats => faults::check_heartbeats(service).await,
        R::ListFilters { id, name } => Ok(subscriptions::list_filters(service, id, name.as_deref())),
        R::ListProfiles { username } => subscriptions::list_profiles(service, username.as_deref()),
        R::ToggleProfiles(ids) => subscriptions::toggle_profiles(service, ids).await,
        R::CreateIncidents(new) => incidents::create(service, new).await,
        R::CloseIncident(close) => incidents::close(service, close).await,
        R::Generate { count, seed, force } => {
            generate::load(service, count, seed, force, progress).await.map(AdminReply::Text).map_err(other)
        }
        R::Demo { seed, force } => {
            let made = service.make_demo_data(&service.people().local_caller()?, seed, force).await?;
            Ok(AdminReply::Text(made.to_string()))
        }
        R::ShowRetention { days } => retention::show(service, days).await,
        R::Check => blocking(service, check).await,
        R::Doctor => Ok(AdminReply::Doctor(service.system().examine(&service.people().local_caller()?).await?)),
        R::TestMail { address } => {
            let tested = service.notifications().test_mail(&service.people().local_caller()?, &address).await?;
            Ok(AdminReply::MailTest(tested.into()))
        }
        R::Reindex => reindex(service, progress).await,
        // With its file, it does not come here.
        R::Backup => Err(AdminError::Other("the file of the backup did not arrive".to_owned())),
    }
}

fn other(error: impl std::fmt::Display) -> AdminError {
    AdminError::Other(error.to_string())
}

async fn blocking<T: Send + 'static>(
    service: &Service,
    run: impl FnOnce(&Service) -> T + Send + 'static,
) -> Result<T, AdminError> {
    let service = service.clone();
    let ended = tokio::task::spawn_blocking(move || run(&service)).await;
    ended.map_err(|_| AdminError::Other("an internal error ended the command".to_owned()))
}

/// Verifies data file and search index. A panic of the layers below, which a damaged file can cause, becomes a finding.
fn check(service: &Service) -> AdminReply {
    let mut findings = guarded("the data file", || service.store().verify().map_err(|error| error.to_string()));
    findings.extend(guarded("the search index", || service.search().verify().map_err(|error| error.to_string())));
    AdminReply::Findings(findings)
}

fn guarded(what: &str, verify: impl FnOnce() -> Result<Vec<String>, String>) -> Vec<String> {
    match std::panic::catch_unwind(AssertUnwindSafe(verify)) {
        Ok(Ok(findings)) => findings,
        Ok(Err(error)) => vec![format!("{what} cannot be read: {error}")],
        Err(_) => vec![format!("{what} is so damaged that reading it had to be given up")],
    }
}

async fn reindex(service: &Service, progress: &(dyn Fn(String) + Send + Sync)) -> Result<AdminReply, AdminError> {
    service.search().reindex();
    loop {
        if blocking(service, |service| service.search().wait_until_indexed(Duration::from_secs(2))).await? {
            return Ok(AdminReply::Done);
        }
        progress("the text index is being built".to_owned());
    }
}
