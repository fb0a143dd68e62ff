//! The start page of the administration, with first steps on a new server.

use askama::Template;
use axum::extract::State;

use super::{Staff, health};
use crate::domain::{FindingLevel, directory::OWN_SOURCE};
use crate::service::Health;
use crate::web::{Frame, PageResult, Posted, Site, done, page};

#[derive(Template)]
#[template(path = "admin/overview.html")]
struct OverviewPage {
    frame: Frame,
    tab: &'static str,
    health: Health,
    worst: FindingLevel,
    users: usize,
    sources: usize,
    rules: usize,
    empty_rules: usize,
    channels: usize,
    /// First steps on a new server. `None` when all three are done.
    steps: Option<SetupSteps>,
}

/// First steps that were done on a new server.
struct SetupSteps {
    has_source: bool,
    has_incident: bool,
    has_profile: bool,
}

pub async fn show(State(site): State<Site>, staff: Staff) -> PageResult {
    let directory = site.service.directory();
    let health = site.service.system().health(&staff.visitor.caller).await?;
    let steps = SetupSteps {
        has_source: directory.sources.values().any(|source| source.name != OWN_SOURCE),
        has_incident: health.facts.incidents > 0,
        has_profile: !directory.profiles.is_empty() || !directory.rules.is_empty(),
    };
    let rules = directory.rules.values();
    page(&OverviewPage {
        frame: staff.frame(&site, "Administration"),
        tab: "overview",
        worst: health::worst(&site, &staff.visitor.caller, &health).await?,
        health,
        users: directory.users.len(),
        sources: directory.sources.len(),
        rules: directory.rules.len(),
        empty_rules: rules.filter(|rule| rule.active && rule.recipients.is_empty()).count(),
        channels: directory.channels.len(),
        steps: Some(steps).filter(|it| !(it.has_source && it.has_incident && it.has_profile)),
    })
}

/// Creates demo data.
pub async fn make_demo_data(State(site): State<Site>, Posted { visitor, .. }: Posted) -> PageResult {
    let seed = site.service.now().micros().unsigned_abs();
    let made = site.service.make_demo_data(&visitor.caller, seed, false).await?;
    Ok(done("/incidents/", &format!("Created {made}, so nobody is notified.")))
}
