//! The administrative command that shows what the retention will delete.

use super::{AdminReply, execute::AdminError, rows::RetentionRow};
use crate::service::Service;

/// Returns what will be deleted. `days`: what would be deleted with this number of days instead.
pub(super) async fn show(service: &Service, days: Option<u32>) -> Result<AdminReply, AdminError> {
    let zone = service.settings().time_zone;
    let Some(days) = days.or(service.settings().retention_days) else {
        return Ok(AdminReply::Retention(RetentionRow::off(service.store().counters().incidents)));
    };
    let plan = service.system().plan_retention(days).await?;
    Ok(AdminReply::Retention(RetentionRow::new(&plan, service.store().counters().incidents, zone)))
}
