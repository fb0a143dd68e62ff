//! What is done with those that are ticked, or with all that match.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use std::time::Duration;
use tokio::time::timeout;

use super::{
    view::View,
    work::{Outcome, undone},
};
use crate::{
    domain::{
        event::EventType,
        limits::{BULK_IDS, DESCRIPTION, URL},
        urls,
    },
    service::{BulkAction, BulkSubjects, Model, NewAck, NewEvent},
    web::{
        Site,
        answer::{Answer, PageError, done, missing, page, see},
        form::Fields,
        frame::{Frame, Section},
        visitor::{Posted, Visitor},
    },
};

/// What takes longer is watched on a page of its own.
const PATIENCE: Duration = Duration::from_millis(400);

#[derive(Template)]
#[template(path = "incidents/progress.html")]
struct ProgressPage {
    frame: Frame,
    outcome: Outcome,
    back: String,
}

pub async fn act(State(site): State<Site>, Posted { visitor, fields }: Posted) -> Answer {
    let view = View::parse(&Fields::of_query(fields.get("view")));
    let action = match action(&site, &fields) {
        Ok(action) => action,
        Err(problem) => return Ok(done(&back(&view, None), problem)),
    };
    let (subjects, of) = if fields.ticked("all") {
        let criteria = view.criteria(&site.service.directory(), site.service.now());
        let of = site.service.count_incidents(criteria.clone()).await?;
        (BulkSubjects::Matching(Box::new(criteria)), usize::try_from(of).unwrap_or(usize::MAX))
    } else {
        let mut ids: Vec<u64> = fields.numbers("pk").collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() > BULK_IDS {
            return Err(PageError::BadRequest(format!(
                "More than {BULK_IDS} at once are too many. Choose all that match."
            )));
        }
        let of = ids.len();
        (BulkSubjects::Chosen(ids), of)
    };
    if of == 0 {
        return Ok(done(&back(&view, None), "Nothing is selected."));
    }
    let job = site.service.begin_bulk(&visitor.caller, action, subjects, of)?;
    let id = job.id();
    if timeout(PATIENCE, job.finished()).await.is_ok() {
        return Ok(see(&back(&view, Some(id))));
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("view", &view.query()).finish();
    Ok(see(&format!("/incidents/bulk/{id}/?{query}")))
}

/// How far it is; shows itself again until it is done.
pub async fn progress(
    State(site): State<Site>,
    visitor: Visitor,
    Path(id): Path<String>,
    axum::extract::RawQuery(query): axum::extract::RawQuery,
) -> Answer {
    let status = site.service.bulk_status(&visitor.caller, &id).ok_or_else(|| missing(Model::Incident))?;
    let fields = Fields::of_query(query.as_deref());
    let view = View::parse(&Fields::of_query(fields.get("view")));
    if status.finished.is_some() {
        return Ok(see(&back(&view, Some(&id))));
    }
    page(&ProgressPage {
        frame: Frame::new(&site, &visitor, Section::Incidents, "In progress"),
        back: back(&view, None),
        outcome: Outcome(status),
    })
}

pub async fn undo(
    State(site): State<Site>,
    Path(id): Path<String>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, PageError> {
    let view = View::parse(&Fields::of_query(fields.get("view")));
    let outcome = site.service.undo_bulk(&visitor.caller, &id).await?;
    Ok(done(&back(&view, None), &undone(outcome.as_ref())))
}

fn action(site: &Site, fields: &Fields) -> Result<BulkAction, &'static str> {
    let description = fields.text("message");
    if description.chars().count() > DESCRIPTION {
        return Err("The message is too long.");
    }
    let timestamp = Some(site.service.now());
    let kind = match fields.get("action") {
        Some("acknowledge") => {
            let minutes = fields.filled("expires").map(str::parse::<i64>);
            let expiration = match minutes {
                None => None,
                Some(Ok(minutes @ 1..=525_600)) => Some(site.service.now().saturating_add_micros(minutes * 60_000_000)),
                Some(_) => return Err("That is no time for an acknowledgement to expire."),
            };
            return Ok(BulkAction::Acknowledge(NewAck { timestamp, description, expiration }));
        }
        Some("ticket") => {
            let url = fields.text("ticket");
            if url.chars().count() > URL {
                return Err("The ticket's address is too long.");
            }
            if url.is_empty() || urls::starts_with_web_scheme(&url) && urls::is_valid(&url) {
                return Ok(BulkAction::TicketUrl(url));
            }
            return Err("The ticket's address has to begin with https:// or http://.");
        }
        Some("close") => EventType::Close,
        Some("reopen") => EventType::Reopen,
        Some("comment") if description.is_empty() => return Err("A comment needs a message."),
        Some("comment") => EventType::Other,
        _ => return Err("Nothing was asked for."),
    };
    Ok(BulkAction::Event(NewEvent { kind, timestamp, description }))
}

fn back(view: &View, done: Option<&str>) -> String {
    match done {
        Some(id) => format!("/incidents/?{}&done={id}", view.query()),
        None => format!("/incidents/?{}", view.query()),
    }
}
