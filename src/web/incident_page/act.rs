//! Actions on one incident: the forms of its page. A refused form is shown again with the entered values.

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Request},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{
    describe::web_link,
    show::{Refused, id_of, path_of, refuse},
    until::expiration,
};
use crate::domain::{
    EventId, EventType, IncidentId, Level, Tag, Timestamp,
    limits::{DESCRIPTION, TAG, URL},
};
use crate::service::{IncidentEdit, Model, NewAck, NewEvent};
use crate::web::{FormError, FormFields, PageResult, Posted, Problem, Site, Visitor, done, layout::show, missing};

type ActionResult = Result<&'static str, FormError>;

/// Form of the page as it was sent.
pub struct SentForm {
    site: Site,
    id: IncidentId,
    visitor: Visitor,
    fields: FormFields,
}

#[derive(Deserialize)]
struct OfIncident {
    pk: String,
}

impl FromRequest<Site> for SentForm {
    type Rejection = Response;

    async fn from_request(request: Request, site: &Site) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let path = Path::<OfIncident>::from_request_parts(&mut parts, site).await;
        let Path(OfIncident { pk }) = path.map_err(IntoResponse::into_response)?;
        let Posted { visitor, fields } = Posted::from_request(Request::from_parts(parts, body), site).await?;
        let id = id_of(&pk).ok_or_else(|| missing(Model::Incident).into_response())?;
        Ok(Self { site: site.clone(), id, visitor, fields })
    }
}

pub async fn acknowledge(sent: SentForm) -> PageResult {
    conclude(add_ack(&sent).await, "acknowledge", sent).await
}

pub async fn expire(Path((_, ack)): Path<(String, String)>, sent: SentForm) -> PageResult {
    let ack = ack.parse().map(EventId).map_err(|_| missing(Model::Acknowledgement))?;
    conclude(change_expiration(&sent, ack).await, &format!("ack{ack}"), sent).await
}

pub async fn close(sent: SentForm) -> PageResult {
    conclude(add_event(&sent, EventType::Close, "Incident closed.").await, "close", sent).await
}

pub async fn reopen(sent: SentForm) -> PageResult {
    conclude(add_event(&sent, EventType::Reopen, "Incident reopened.").await, "reopen", sent).await
}

pub async fn comment(sent: SentForm) -> PageResult {
    let outcome = match sent.fields.filled("message") {
        Some(_) => add_event(&sent, EventType::Other, "Comment added.").await,
        None => Err(Problem::of("message", "Comment: enter a text first.").into()),
    };
    conclude(outcome, "comment", sent).await
}

pub async fn ticket(sent: SentForm) -> PageResult {
    conclude(set_ticket(&sent).await, "ticket", sent).await
}

pub async fn tags(sent: SentForm) -> PageResult {
    conclude(change_tags(&sent).await, "tags", sent).await
}

pub async fn level(sent: SentForm) -> PageResult {
    conclude(set_level(&sent).await, "level", sent).await
}

/// Deletes the incident. That cannot be undone, so a box must be checked, also without scripts.
pub async fn delete(sent: SentForm) -> PageResult {
    if !sent.fields.ticked("sure") {
        let problem = Problem::of("sure", "Check the box to confirm.");
        return conclude(Err(problem.into()), "delete", sent).await;
    }
    match sent.site.service.incidents().delete_incident(&sent.visitor.caller, sent.id).await {
        Ok(()) => Ok(done("/incidents/", &format!("Incident #{} deleted.", sent.id))),
        Err(error) => conclude(Err(error.into()), "delete", sent).await,
    }
}

/// Redirects to the page of the incident, or shows the page with the form that was refused.
async fn conclude(outcome: ActionResult, form: &str, SentForm { site, id, visitor, fields }: SentForm) -> PageResult {
    let problem = match outcome {
        Ok(notice) => return Ok(done(&path_of(id), notice)),
        Err(failure) => failure.problem(Problem::refused)?,
    };
    refuse(&site, &visitor, id, Refused { form: form.to_owned(), problem, fields }).await
}

async fn add_ack(sent: &SentForm) -> ActionResult {
    let expiration = expiration(&sent.fields, &show(&sent.site, &sent.visitor.preferences))?;
    let new = NewAck { timestamp: timestamp(sent), description: message(&sent.fields)?, expiration };
    sent.site.service.incidents().add_ack(&sent.visitor.caller, sent.id, new).await?;
    Ok("Acknowledged.")
}

async fn change_expiration(SentForm { site, id, visitor, fields }: &SentForm, ack: EventId) -> ActionResult {
    let incidents = site.service.incidents();
    if fields.ticked("take_back") {
        incidents.take_back_ack(&visitor.caller, *id, ack).await?;
        return Ok("Acknowledgement undone.");
    }
    let expiration = expiration(fields, &show(site, &visitor.preferences))?;
    incidents.change_expiration(&visitor.caller, *id, ack, expiration).await?;
    Ok(if expiration.is_some() { "Expiry changed." } else { "Expiry removed." })
}

async fn add_event(sent: &SentForm, kind: EventType, notice: &'static str) -> ActionResult {
    let new = NewEvent { kind, timestamp: timestamp(sent), description: message(&sent.fields)? };
    sent.site.service.incidents().add_event(&sent.visitor.caller, sent.id, new).await?;
    Ok(notice)
}

async fn set_ticket(SentForm { site, id, visitor, fields }: &SentForm) -> ActionResult {
    let remove = fields.ticked("remove");
    let url = if remove { String::new() } else { fields.text("url") };
    if !url.is_empty() && web_link(&url).is_none() {
        let problem = "Ticket: enter a complete address that begins with https:// or http://.";
        return Err(Problem::of("url", problem).into());
    }
    if url.is_empty() && !remove {
        return Err(Problem::of("url", "Ticket: enter the address of the ticket.").into());
    }
    Problem::check_length("url", "Ticket", &url, URL)?;
    site.service.incidents().set_ticket_url(&visitor.caller, *id, url).await?;
    Ok(if remove { "Ticket removed." } else { "Ticket set." })
}

async fn change_tags(SentForm { site, id, visitor, fields }: &SentForm) -> ActionResult {
    let (add, remove) = match fields.filled("remove") {
        Some(tag) => (Vec::new(), vec![parse(tag)?]),
        None => (fields.all("tag").map(parse).collect::<Result<Vec<_>, _>>()?, Vec::new()),
    };
    if add.is_empty() && remove.is_empty() {
        return Err(Problem::of("tag", "Tag: enter key=value, such as room=12.").into());
    }
    let notice = if add.is_empty() { "Tag removed." } else { "Tag added." };
    site.service.incidents().change_tags(&visitor.caller, *id, add, remove).await?;
    Ok(notice)
}

async fn set_level(SentForm { site, id, visitor, fields }: &SentForm) -> ActionResult {
    let wanted = fields.get("level").and_then(|level| level.parse().ok()).and_then(Level::new);
    let level = wanted.ok_or_else(|| Problem::of("level", "Level: choose one from 1 to 5."))?;
    let edit = IncidentEdit { level: Some(level), ..IncidentEdit::default() };
    site.service.incidents().edit_incident(&visitor.caller, *id, edit).await?;
    Ok("Level set.")
}

/// Returns the current time for source users, who must say when an event happened. `None` for others, whose events
/// happen now by default.
fn timestamp(sent: &SentForm) -> Option<Timestamp> {
    sent.visitor.caller.source.as_ref().map(|_| sent.site.service.now())
}

fn message(fields: &FormFields) -> Result<String, Problem> {
    let text = fields.text("message").replace("\r\n", "\n");
    Problem::check_length("message", "Message", &text, DESCRIPTION)?;
    Ok(text)
}

fn parse(tag: &str) -> Result<Tag, Problem> {
    Problem::check_length("tag", "Tag", tag, TAG)?;
    Tag::parse(tag).map_err(|_| {
        let keys = "Keys have lowercase letters, digits and underscores.";
        Problem::of("tag", format!("Tag: \"{tag}\" is not key=value. {keys}"))
    })
}
