//! The user's destinations, and test messages.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::HeaderMap,
};

use super::{wants_part, words};
use crate::domain::{AttemptEnd, Destination, DestinationId};
use crate::service::{OfferedMedium, Service, ServiceError, TestOutcome};
use crate::web::{
    FormError, Frame, PageResult, Posted, Problem, Section, Site, Visitor, answer::seconds, done, page, refused,
};

pub const PAGE: &str = "/notifications/destinations/";

/// Destination as pages show it.
pub struct DestinationLabel {
    pub id: DestinationId,
    pub medium: String,
    pub label: Option<String>,
    /// Address without secrets.
    pub address: String,
    pub installed: bool,
}

impl DestinationLabel {
    #[must_use]
    pub fn new(destination: &Destination, service: &Service) -> Self {
        let OfferedMedium { name, installed, .. } = service.notifications().medium(&destination.medium);
        let label = destination.label.clone().filter(|label| !label.is_empty());
        Self { id: destination.id, medium: name, label, address: destination.shown(), installed }
    }

    /// Returns label and address, such as "On call (+47…)" or "anna@example.org".
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.label {
            Some(label) if self.address.is_empty() => label.clone(),
            Some(label) => format!("{label} ({})", self.address),
            None => self.address.clone(),
        }
    }
}

#[derive(Template)]
#[template(path = "notifications/destinations.html")]
struct DestinationsPage {
    frame: Frame,
    tab: &'static str,
    rows: Vec<DestinationRow>,
    media: Vec<OfferedMedium>,
    problem: Option<Problem>,
}

struct DestinationRow {
    way: DestinationLabel,
    managed: bool,
    /// Names of the profiles that use it.
    profiles: Vec<String>,
    outcome: Option<DestinationTest>,
}

/// Result of a test message.
#[derive(Clone, Debug)]
pub struct DestinationTest {
    is_good: bool,
    title: &'static str,
    answer: String,
    transcript: Vec<String>,
}

#[derive(Template)]
#[template(path = "notifications/outcome.html")]
struct OutcomePart {
    outcome: DestinationTest,
}

impl From<TestOutcome> for DestinationTest {
    fn from(TestOutcome { ended, answer, transcript }: TestOutcome) -> Self {
        let title = match ended {
            AttemptEnd::Sent => "Test message sent.",
            AttemptEnd::Retry | AttemptEnd::RetryAfter(_) => "Test failed (temporary).",
            AttemptEnd::Failed => "Test failed (permanent).",
        };
        Self { is_good: ended == AttemptEnd::Sent, title, answer, transcript }
    }
}

impl DestinationsPage {
    fn new(site: &Site, visitor: &Visitor) -> Self {
        let directory = site.service.directory();
        let rows = directory.destinations_of(visitor.caller.id()).into_iter().map(|destination| {
            let profiles = directory.profiles_where(|profile| profile.destinations.contains(&destination.id));
            let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "an unnamed profile".to_owned());
            DestinationRow {
                way: DestinationLabel::new(destination, &site.service),
                managed: destination.synced,
                profiles: profiles.into_iter().map(|profile| name(&profile.name)).collect(),
                outcome: None,
            }
        });
        Self {
            frame: Frame::new(site, visitor, Section::Notifications, "Destinations"),
            tab: "destinations",
            rows: rows.collect(),
            media: site.service.notifications().media(),
            problem: None,
        }
    }
}

pub async fn list(State(site): State<Site>, visitor: Visitor) -> PageResult {
    page(&DestinationsPage::new(&site, &visitor))
}

/// Sends a test message. The result is shown beside the destination.
pub async fn test(
    State(site): State<Site>,
    Path(id): Path<u64>,
    headers: HeaderMap,
    Posted { visitor, .. }: Posted,
) -> PageResult {
    let id = DestinationId(id);
    let outcome = match site.service.notifications().test_destination(&visitor.caller, id).await {
        Ok(outcome) => DestinationTest::from(outcome),
        Err(ServiceError::TooOften { retry_after }) => DestinationTest {
            is_good: false,
            title: "Not sent: too many tests in a short time.",
            answer: format!("Try again in {}.", seconds(retry_after.as_secs().saturating_add(1))),
            transcript: Vec::new(),
        },
        Err(error) => return Err(error.into()),
    };
    if wants_part(&headers) {
        return page(&OutcomePart { outcome });
    }
    let mut all = DestinationsPage::new(&site, &visitor);
    if let Some(row) = all.rows.iter_mut().find(|row| row.way.id == id) {
        row.outcome = Some(outcome);
    }
    page(&all)
}

pub async fn delete(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, .. }: Posted) -> PageResult {
    let Err(error) = site.service.delete::<Destination>(&visitor.caller, DestinationId(id)).await else {
        return Ok(done(PAGE, "Destination deleted."));
    };
    let problem = Some(FormError::from(error).problem(words::refusal)?);
    refused(&DestinationsPage { problem, ..DestinationsPage::new(&site, &visitor) })
}
