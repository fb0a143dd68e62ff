//! What is done with one incident: each form of its page. What is refused is shown at the form, with what was typed.

use axum::extract::{Path, State};

use super::{
    show::{Refused, id_of, path_of, refuse},
    until::expiration,
};
use crate::{
    domain::{
        event::EventType,
        ids::{EventId, IncidentId},
        limits::{DESCRIPTION, TAG, URL},
        severity::Level,
        tag::Tag,
        time::Timestamp,
        urls,
    },
    service::{IncidentEdit, Model, NewAck, NewEvent},
    web::{
        Site,
        answer::{Answer, PageError, done, missing},
        form::Fields,
        form_page::Trouble,
        frame::show,
        problem::Problem,
        visitor::Posted,
    },
};

type Outcome = Result<&'static str, Trouble>;

pub async fn acknowledge(State(site): State<Site>, Path(id): Path<String>, posted: Posted) -> Answer {
    let id = incident(&id)?;
    let outcome = add_ack(&site, id, &posted).await;
    conclude(&site, posted, id, "acknowledge", outcome).await
}

pub async fn expire(State(site): State<Site>, Path((id, ack)): Path<(String, String)>, posted: Posted) -> Answer {
    let id = incident(&id)?;
    let ack = ack.parse().map(EventId).map_err(|_| missing(Model::Acknowledgement))?;
    let outcome = change_expiration(&site, id, ack, &posted).await;
    conclude(&site, posted, id, &format!("ack{ack}"), outcome).await
}

pub async fn close(State(site): State<Site>, Path(id): Path<String>, posted: Posted) -> Answer {
    let id = incident(&id)?;
    let outcome = add_event(&site, id, &posted, EventType::Close).await.map(|()| "The incident is closed.");
    conclude(&site, posted, id, "close", outcome).await
}

pub async fn reopen(State(site): State<Site>, Path(id): Path<String>, posted: Posted) -> Answer {
    let id = incident(&id)?;
    let outcome = add_event(&site, id, &posted, EventType::Reopen).await.map(|()| "The incident is open again.");
    conclude(&site, posted, id, "reopen", outcome).await
}

pub async fn comment(State(site): State<Site>, Path(id): Path<String>, posted: Posted) -> Answer {
    let id = incident(&id)?;
    let outcome = if posted.fields.filled("message").is_some() {
        add_event(&site, id, &posted, EventType::Other).await.map(|()| "The comment is added.")
    } else {
        Err(Trouble::Problem(Problem::of("message", "Comment: write something first.")))
    };
    conclude(&site, posted, id, "comment", outcome).await
}

pub async fn ticket(State(site): State<Site>, Path(id): Path<String>, posted: Posted) -> Answer {
    let id = incident(&id)?;
    let outcome = set_ticket(&site, id, &posted).await;
    conclude(&site, posted, id, "ticket", outcome).await
}

pub async fn tags(State(site): State<Site>, Path(id): Path<String>, posted: Posted) -> Answer {
    let id = incident(&id)?;
    let outcome = change_tags(&site, id, &posted).await;
    conclude(&site, posted, id, "tags", outcome).await
}

pub async fn level(State(site): State<Site>, Path(id): Path<String>, posted: Posted) -> Answer {
    let id = incident(&id)?;
    let outcome = set_level(&site, id, &posted).await;
    conclude(&site, posted, id, "level", outcome).await
}

/// For good, so it takes a ticked box, also without scripts.
pub async fn delete(State(site): State<Site>, Path(id): Path<String>, posted: Posted) -> Answer {
    let id = incident(&id)?;
    if !posted.fields.ticked("sure") {
        let problem = Problem::of("sure", "Tick the box to say that you are sure.");
        return conclude(&site, posted, id, "delete", Err(Trouble::Problem(problem))).await;
    }
    match site.service.incidents().delete_incident(&posted.visitor.caller, id).await {
        Ok(()) => Ok(done("/incidents/", &format!("Incident #{id} is deleted."))),
        Err(error) => conclude(&site, posted, id, "delete", Err(error.into())).await,
    }
}

fn incident(id: &str) -> Result<IncidentId, PageError> {
    id_of(id).ok_or_else(|| missing(Model::Incident))
}

async fn conclude(site: &Site, posted: Posted, id: IncidentId, form: &str, outcome: Outcome) -> Answer {
    let problem = match outcome {
        Ok(notice) => return Ok(done(&path_of(id), notice)),
        Err(Trouble::Problem(problem)) => problem,
        Err(Trouble::Refused(refusal)) => Problem::refused(&refusal),
        Err(Trouble::Page(error)) => return Err(error),
    };
    let refused = Refused { form: form.to_owned(), problem, fields: posted.fields };
    refuse(site, &posted.visitor, id, refused).await
}

async fn add_ack(site: &Site, id: IncidentId, posted: &Posted) -> Outcome {
    let Posted { visitor, fields } = posted;
    let expiration = expiration(fields, &show(site, &visitor.preferences))?;
    let new = NewAck { timestamp: timestamp(site, posted), description: message(fields)?, expiration };
    site.service.incidents().add_ack(&visitor.caller, id, new).await?;
    Ok("Acknowledged.")
}

async fn change_expiration(site: &Site, id: IncidentId, ack: EventId, posted: &Posted) -> Outcome {
    let Posted { visitor, fields } = posted;
    if fields.ticked("take_back") {
        site.service.incidents().take_back_ack(&visitor.caller, id, ack).await?;
        return Ok("The acknowledgement is taken back.");
    }
    let expiration = expiration(fields, &show(site, &visitor.preferences))?;
    site.service.incidents().change_expiration(&visitor.caller, id, ack, expiration).await?;
    Ok(if expiration.is_some() { "The acknowledgement ends then." } else { "The acknowledgement does not end." })
}

async fn add_event(site: &Site, id: IncidentId, posted: &Posted, kind: EventType) -> Result<(), Trouble> {
    let new = NewEvent { kind, timestamp: timestamp(site, posted), description: message(&posted.fields)? };
    site.service.incidents().add_event(&posted.visitor.caller, id, new).await?;
    Ok(())
}

async fn set_ticket(site: &Site, id: IncidentId, posted: &Posted) -> Outcome {
    let remove = posted.fields.ticked("remove");
    let url = if remove { String::new() } else { posted.fields.text("url") };
    let is_complete = urls::starts_with_web_scheme(&url) && urls::is_valid(&url);
    if !url.is_empty() && !is_complete {
        let problem = "Ticket: this is no complete address. It begins with https:// or http://.";
        return Err(Trouble::Problem(Problem::of("url", problem)));
    }
    if url.is_empty() && !remove {
        return Err(Trouble::Problem(Problem::of("url", "Ticket: type or paste the address of the ticket.")));
    }
    within("url", "Ticket", &url, URL)?;
    site.service.incidents().set_ticket_url(&posted.visitor.caller, id, url).await?;
    Ok(if remove { "The ticket is removed." } else { "The ticket is set." })
}

async fn change_tags(site: &Site, id: IncidentId, posted: &Posted) -> Outcome {
    let fields = &posted.fields;
    let (add, remove) = match fields.filled("remove") {
        Some(tag) => (Vec::new(), vec![parse(tag)?]),
        None => (fields.all("tag").map(parse).collect::<Result<Vec<_>, _>>()?, Vec::new()),
    };
    if add.is_empty() && remove.is_empty() {
        return Err(Trouble::Problem(Problem::of("tag", "Tag: write key=value, such as room=12.")));
    }
    let notice = if add.is_empty() { "The tag is removed." } else { "The tag is added." };
    site.service.incidents().change_tags(&posted.visitor.caller, id, add, remove).await?;
    Ok(notice)
}

async fn set_level(site: &Site, id: IncidentId, posted: &Posted) -> Outcome {
    let wanted = posted.fields.get("level").and_then(|level| level.parse().ok()).and_then(Level::new);
    let level = wanted.ok_or_else(|| Problem::of("level", "Level: choose one from 1 to 5."))?;
    let edit = IncidentEdit { level: Some(level), ..IncidentEdit::default() };
    site.service.incidents().edit_incident(&posted.visitor.caller, id, edit).await?;
    Ok("The level is set.")
}

/// Sources have to say when; people mean now.
fn timestamp(site: &Site, posted: &Posted) -> Option<Timestamp> {
    posted.visitor.caller.source.as_ref().map(|_| site.service.now())
}

fn message(fields: &Fields) -> Result<String, Problem> {
    let text = fields.text("message").replace("\r\n", "\n");
    within("message", "Message", &text, DESCRIPTION)?;
    Ok(text)
}

fn parse(tag: &str) -> Result<Tag, Problem> {
    within("tag", "Tag", tag, TAG)?;
    Tag::parse(tag).map_err(|_| {
        let keys = "Keys are made of lower case letters, digits and underscores.";
        Problem::of("tag", format!("Tag: \"{tag}\" is not key=value. {keys}"))
    })
}

fn within(field: &'static str, name: &str, text: &str, limit: usize) -> Result<(), Problem> {
    let is_short = text.chars().nth(limit).is_none();
    if is_short { Ok(()) } else { Err(Problem::of(field, format!("{name}: at most {limit} characters."))) }
}
