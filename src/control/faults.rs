//! Administrative commands that check tokens and sources by hand or from cron (contract sections 23 and 24).

use super::{AdminReply, execute::AdminError};
use crate::service::{Service, Settled};

/// Checks the tokens of all sources. Incidents about tokens that do not expire within this number of days are closed.
pub(super) async fn check_tokens(service: &Service, days: Option<u32>) -> Result<AdminReply, AdminError> {
    let days = days.unwrap_or(service.settings().token_warning_days);
    Ok(reply(&service.system().check_tokens(days).await?))
}

pub(super) async fn check_heartbeats(service: &Service) -> Result<AdminReply, AdminError> {
    Ok(reply(&service.system().check_heartbeats(None).await?))
}

fn reply(settled: &Settled) -> AdminReply {
    let opened = settled.opened.iter().map(|id| format!("incident {id} opened"));
    let lines: Vec<String> = opened.chain(settled.ended.iter().map(|id| format!("incident {id} ended"))).collect();
    if lines.is_empty() { AdminReply::Done } else { AdminReply::Text(lines.join("\n")) }
}
