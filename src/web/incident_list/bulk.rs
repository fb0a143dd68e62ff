//! Bulk changes of selected incidents, or of all that match.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use askama::Template;
use axum::{
    extract::{Path, State},
    http::{HeaderMap, header},
    response::Response,
};
use rustc_hash::FxHasher;
use tokio::time::timeout;

use super::{
    sentence::{SelectedIncidents, order, question},
    view::View,
    work::{BulkProgress, undone},
};
use crate::domain::{
    EventType,
    limits::{BULK_IDS, BULK_UNCONFIRMED, DESCRIPTION, UNDO_FOR, URL},
};
use crate::http::cookies;
use crate::service::{AsOf, BulkAction, BulkKind, BulkSubjects, Model, NewAck, NewEvent, Selection, ServiceError};
use crate::web::{
    FormFields, Frame, PageError, PageResult, Posted, Section, Site, Visitor, answer::sentence, done,
    incident_page::describe::web_link, missing, page, see,
};

/// Time to wait for a change. If it takes longer, a page shows its progress.
const PATIENCE: Duration = Duration::from_millis(400);

#[derive(Template)]
#[template(path = "incidents/progress.html")]
struct ProgressPage {
    frame: Frame,
    outcome: BulkProgress,
    back: String,
}

/// Question that is asked if an action affects more incidents than it may without confirmation.
#[derive(Template)]
#[template(path = "incidents/confirm.html")]
struct ConfirmPage {
    frame: Frame,
    question: String,
    note: Option<&'static str>,
    order: String,
    /// Fields of the form that was sent.
    fields: Vec<(String, String)>,
    back: String,
}

/// Cookie with the id of the change whose outcome the list shows, as long as it can be undone.
const OUTCOME: &str = "done";

pub async fn act(State(site): State<Site>, Posted { visitor, fields }: Posted) -> PageResult {
    let view = View::parse(&FormFields::of_query(fields.get("view")));
    let action = match action(&site, &fields) {
        Ok(action) => action,
        Err(problem) => return Ok(done(&back(&view), problem)),
    };
    let which = if fields.ticked("all") { SelectedIncidents::Matching } else { SelectedIncidents::Ticked };
    let (subjects, of) = match which {
        SelectedIncidents::Matching => {
            let selection = selection(&site, &fields, &view);
            let of = match site.service.incidents().count_selection(&selection).await {
                Ok(of) => usize::try_from(of).unwrap_or(usize::MAX),
                Err(ServiceError::Refused(refusal)) => return Ok(done(&back(&view), &sentence(&refusal))),
                Err(error) => return Err(error.into()),
            };
            (BulkSubjects::Matching(Arc::new(selection)), of)
        }
        SelectedIncidents::Ticked => {
            let ids = ticked(&fields);
            if ids.len() > BULK_IDS {
                return Err(PageError::BadRequest(format!(
                    "At most {BULK_IDS} at once. Select all matching incidents instead."
                )));
            }
            let of = ids.len();
            (BulkSubjects::Chosen(ids), of)
        }
    };
    if of == 0 {
        return Ok(done(&back(&view), "No incidents selected."));
    }
    let confirmed = fields.numbers("confirmed").next().and_then(|count| usize::try_from(count).ok());
    if of > confirmed.unwrap_or(BULK_UNCONFIRMED) {
        return confirm(&site, &visitor, &fields, &view, (action.kind(), which, of));
    }
    let job = site.service.incidents().begin_bulk(&visitor.caller, action, subjects, of)?;
    let id = job.id();
    if timeout(PATIENCE, job.finished()).await.is_ok() {
        return Ok(with_outcome(&view, id));
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("view", &view.query()).finish();
    Ok(see(&format!("/incidents/bulk/{id}/?{query}")))
}

/// Redirects to the list if the address of a question is loaded again.
pub async fn back_to_list(_: Visitor) -> PageResult {
    Ok(see("/incidents/"))
}

/// Selects the incidents that matched when the box was checked, or if the form does not say when, those that match now.
fn selection(site: &Site, fields: &FormFields, view: &View) -> Selection {
    let now = site.service.incidents().as_of_now();
    let shown = fields.get("as_of").and_then(|text| text.parse::<AsOf>().ok()).unwrap_or(now);
    let as_of = AsOf { seq: shown.seq.min(now.seq), at: shown.at.min(now.at) };
    Selection { criteria: view.criteria(&site.service.directory(), as_of.at), as_of }
}

/// Returns the selected primary keys without duplicates: those of boxes, and those that a question lists in one field.
fn ticked(fields: &FormFields) -> Vec<u64> {
    let listed = fields.all("pks").flat_map(|list| list.split(',')).filter_map(|pk| pk.parse().ok());
    let mut ids: Vec<u64> = fields.numbers("pk").chain(listed).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn confirm(
    site: &Site,
    visitor: &Visitor,
    fields: &FormFields,
    view: &View,
    (kind, which, of): (BulkKind, SelectedIncidents, usize),
) -> PageResult {
    let sent = |name: &'static str| fields.filled(name).map(|value| (name.to_owned(), value.to_owned()));
    let mut again: Vec<(String, String)> =
        ["action", "view", "message", "expires", "ticket"].into_iter().filter_map(sent).collect();
    let note = match which {
        SelectedIncidents::Matching => {
            again.extend(["all", "as_of"].into_iter().filter_map(sent));
            Some("Incidents that arrived after your selection are not affected.")
        }
        SelectedIncidents::Ticked => {
            let keys: Vec<String> = ticked(fields).iter().map(u64::to_string).collect();
            again.push(("pks".to_owned(), keys.join(",")));
            None
        }
    };
    again.push(("confirmed".to_owned(), of.to_string()));
    let question = question(kind, of, which, view, &site.service.directory());
    page(&ConfirmPage {
        frame: Frame::new(site, visitor, Section::Incidents, "Please confirm"),
        question,
        note,
        order: order(kind, of),
        fields: again,
        back: back(view),
    })
}

/// Shows the progress of a change. The page reloads itself until the change is finished.
pub async fn progress(
    State(site): State<Site>,
    visitor: Visitor,
    Path(id): Path<String>,
    axum::extract::RawQuery(query): axum::extract::RawQuery,
) -> PageResult {
    let status = site.service.incidents().bulk_status(&visitor.caller, &id).ok_or_else(|| missing(Model::Incident))?;
    let fields = FormFields::of_query(query.as_deref());
    let view = View::parse(&FormFields::of_query(fields.get("view")));
    if status.finished.is_some() {
        return Ok(with_outcome(&view, &id));
    }
    page(&ProgressPage {
        frame: Frame::new(&site, &visitor, Section::Incidents, "In progress"),
        back: back(&view),
        outcome: BulkProgress(status),
    })
}

pub async fn undo(
    State(site): State<Site>,
    Path(id): Path<String>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, PageError> {
    let view = View::parse(&FormFields::of_query(fields.get("view")));
    let outcome = site.service.incidents().undo_bulk(&visitor.caller, &id).await?;
    let mut response = done(&back(&view), &undone(outcome.as_ref()));
    if let Some(cookie) = cookies::set(OUTCOME, "", 0, false) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

fn action(site: &Site, fields: &FormFields) -> Result<BulkAction, &'static str> {
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
                Some(_) => return Err("Choose when the acknowledgement expires."),
            };
            return Ok(BulkAction::Acknowledge(NewAck { timestamp, description, expiration }));
        }
        Some("ticket") => {
            let url = fields.text("ticket");
            if url.chars().count() > URL {
                return Err("The ticket's address is too long.");
            }
            if url.is_empty() || web_link(&url).is_some() {
                return Ok(BulkAction::TicketUrl(url));
            }
            return Err("The ticket's address must begin with https:// or http://.");
        }
        Some("close") => EventType::Close,
        Some("reopen") => EventType::Reopen,
        Some("comment") if description.is_empty() => return Err("A comment needs a message."),
        Some("comment") => EventType::Other,
        _ => return Err("Choose an action."),
    };
    Ok(BulkAction::Event(NewEvent { kind, timestamp, description }))
}

fn back(view: &View) -> String {
    format!("/incidents/?{}", view.query())
}

/// Redirects to the list, which shows the outcome. The outcome is named in a cookie, because addresses are kept and
/// shared.
fn with_outcome(view: &View, id: &str) -> Response {
    let mut response = see(&back(view));
    let seconds = i64::try_from(UNDO_FOR.as_secs()).unwrap_or(i64::MAX);
    if let Some(cookie) = cookies::set(OUTCOME, &format!("{id}.{:x}", mark(view)), seconds, false) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Returns the outcome that the list of this view shows.
#[must_use]
pub fn outcome(site: &Site, visitor: &Visitor, headers: &HeaderMap, view: &View) -> Option<BulkProgress> {
    let (id, marked) = cookies::get(headers, OUTCOME)?.split_once('.')?;
    if marked != format!("{:x}", mark(view)) {
        return None;
    }
    site.service.incidents().bulk_status(&visitor.caller, id).map(BulkProgress)
}

/// Returns a hash of the view without its sorting, because a change can be undone in any order of the list.
fn mark(view: &View) -> u64 {
    let mut hasher = FxHasher::default();
    view.newest_first().hash(&mut hasher);
    hasher.finish()
}
