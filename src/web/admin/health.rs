//! The health page: the findings about the server, and how to fix what is wrong.

use std::time::Duration;

use askama::Template;
use axum::extract::State;

use super::Staff;
use crate::domain::{
    Finding, FindingLevel,
    doctor::{self, worst_first},
    limits::DOCTOR_PATIENCE,
};
use crate::service::{Caller, Health, ServiceError};
use crate::web::{Frame, PageResult, Site, page};

#[derive(Template)]
#[template(path = "admin/health.html")]
struct HealthPage {
    frame: Frame,
    tab: &'static str,
    findings: Vec<Finding>,
    /// Whether other hosts have not answered yet.
    is_asking: bool,
    health: Health,
    zone: &'static str,
}

/// Returns the class of the style sheet for a level.
#[must_use]
pub const fn class(level: &FindingLevel) -> &'static str {
    match level {
        FindingLevel::Good => "good",
        FindingLevel::Warning => "warn",
        FindingLevel::Bad => "bad",
    }
}

pub async fn show(State(site): State<Site>, staff: Staff) -> PageResult {
    let system = site.service.system();
    let health = system.health(&staff.visitor.caller).await?;
    let (mut findings, is_asking) = system.known_findings(&staff.visitor.caller, &health, DOCTOR_PATIENCE).await?;
    worst_first(&mut findings);
    let frame = staff.frame(&site, "Health");
    let zone = site.service.settings().time_zone.name();
    page(&HealthPage { frame, tab: "health", findings, is_asking, health, zone })
}

/// Returns the worst level of what is known without asking other hosts.
pub async fn worst(site: &Site, caller: &Caller, health: &Health) -> Result<FindingLevel, ServiceError> {
    let (findings, _) = site.service.system().known_findings(caller, health, Duration::ZERO).await?;
    Ok(doctor::worst(&findings))
}
