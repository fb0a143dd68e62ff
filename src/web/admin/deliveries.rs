//! All messages with their states, and retrying failed ones.

use askama::Template;
use axum::extract::{Path, State};

use super::Staff;
use crate::domain::{
    Delivery, Directory, EventType, MessageId, MessageState as Sending, MessageSubject, Timestamp,
    message::{Route, full_answer},
};
use crate::service::{Messages, Notification};
use crate::web::{Frame, PageResult, Posted, Site, delivery, done, page};

#[derive(Template)]
#[template(path = "admin/deliveries.html")]
struct DeliveriesPage {
    frame: Frame,
    tab: &'static str,
    which: &'static str,
    rows: Vec<DeliveryRow>,
    next: Option<String>,
    /// Address of this page, to return to after a retry.
    here: String,
}

struct DeliveryRow {
    id: u64,
    state: &'static str,
    /// Appearance of the badge.
    look: &'static str,
    /// Whether the message itself failed, rather than a summary that it is part of.
    is_failed: bool,
    created: Timestamp,
    /// When it was sent or failed.
    settled: Option<Timestamp>,
    next_attempt: Option<Timestamp>,
    attempts: u32,
    recipient: String,
    medium: String,
    address: String,
    /// Profile or rule that caused the message.
    because: String,
    incident: Option<u64>,
    about: String,
    answer: String,
    /// Summary that the message is part of.
    summary: Option<u64>,
}

pub async fn list(State(site): State<Site>, staff: Staff) -> PageResult {
    let (which, messages) = match staff.query.get("state") {
        Some("queued" | "due") => ("due", Messages::Due),
        Some("failed" | "dead") => ("dead", Messages::Dead),
        _ => ("all", Messages::All),
    };
    let before = staff.query.numbers("before").last().map(MessageId);
    let (rows, next) =
        site.service.notifications().deliveries(&staff.visitor.caller, messages, before, staff.rows()).await?;
    let directory = site.service.directory();
    page(&DeliveriesPage {
        frame: staff.frame(&site, "Deliveries"),
        tab: "deliveries",
        which,
        rows: rows.iter().map(|row| DeliveryRow::new(row, &directory)).collect(),
        next: next.map(|id| staff.address_with("before", &id.to_string())),
        here: staff.visitor.address.clone(),
    })
}

pub async fn retry(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, fields }: Posted) -> PageResult {
    site.service.notifications().retry_delivery(&visitor.caller, MessageId(id)).await?;
    Ok(done(back(fields.get("next")), "Message queued again."))
}

pub async fn retry_all(State(site): State<Site>, Posted { visitor, .. }: Posted) -> PageResult {
    let count = site.service.notifications().retry_all_deliveries(&visitor.caller).await?;
    let notice = match count {
        0 => "No failed messages to send again.".to_owned(),
        1 => "1 message queued again.".to_owned(),
        count => format!("{count} messages queued again."),
    };
    Ok(done("/admin/deliveries/", &notice))
}

fn back(next: Option<&str>) -> &str {
    next.filter(|path| path.starts_with("/admin/deliveries/")).unwrap_or("/admin/deliveries/")
}

impl DeliveryRow {
    fn new(notification: &Notification, directory: &Directory) -> Self {
        let message = &notification.message;
        let fate = notification.counts();
        let (settled, next_attempt) = match fate.state {
            Sending::Due { at, .. } => (None, Some(at)),
            Sending::Delivered { at } | Sending::Dead { at } | Sending::Gathered { at, .. } => (Some(at), None),
        };
        let (recipient, because) = parties(&message.route, directory);
        Self {
            id: message.id.0,
            state: delivery::word(notification),
            look: delivery::look(notification),
            is_failed: message.state.delivery() == Delivery::Failed,
            created: message.created,
            settled,
            next_attempt,
            attempts: fate.attempts,
            recipient,
            medium: message.route.medium().to_owned(),
            address: message.address.clone(),
            because,
            incident: message.incident().map(|id| id.0),
            about: match &message.about {
                MessageSubject::Event { .. } => {
                    notification.kind.map_or("a deleted event", EventType::display).to_owned()
                }
                MessageSubject::Summary(of) => format!("Summary of {} messages", of.len()),
            },
            answer: full_answer(&fate.answer).to_owned(),
            summary: notification.summary.as_ref().map(|summary| summary.id.0),
        }
    }
}

/// Returns the recipient, and the profile or rule that caused the message.
fn parties(route: &Route, directory: &Directory) -> (String, String) {
    match route {
        Route::Destination { user, profile, .. } => {
            let name = directory.user(*user).map_or_else(|| format!("user {user}"), |user| user.username.clone());
            let because = match directory.profiles.get(profile) {
                Some(known) => {
                    known.name.clone().map_or_else(|| format!("profile {profile}"), |n| format!("profile {n}"))
                }
                None => "a deleted profile".to_owned(),
            };
            (name, because)
        }
        Route::Contact { rule, full_name, .. } => {
            let because = match directory.rules.get(rule) {
                Some(rule) => format!("rule {}", rule.name),
                None => "a deleted rule".to_owned(),
            };
            (full_name.clone(), because)
        }
    }
}
