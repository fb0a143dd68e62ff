//! What is done with those that are ticked, or with all that match.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use std::time::Duration;

use super::{
    view::View,
    work::{Deed, Outcome, Subjects},
};
use crate::{
    domain::{limits::BULK_IDS, urls},
    service::Model,
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
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Template)]
#[template(path = "incidents/progress.html")]
struct ProgressPage {
    frame: Frame,
    outcome: Outcome,
    back: String,
}

pub async fn act(State(site): State<Site>, Posted { visitor, fields }: Posted) -> Answer {
    let view = View::parse(&Fields::of_query(fields.get("view")));
    let deed = match deed(&site, &fields) {
        Ok(deed) => deed,
        Err(problem) => return Ok(done(&back(&view, None), problem)),
    };
    let (subjects, of) = if fields.ticked("all") {
        let criteria = view.criteria(&site.service.directory(), site.service.now());
        let of = site.service.count_incidents(criteria.clone()).await?;
        (Subjects::Matching(Box::new(criteria)), usize::try_from(of).unwrap_or(usize::MAX))
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
        (Subjects::Chosen(ids), of)
    };
    if of == 0 {
        return Ok(done(&back(&view, None), "Nothing is selected."));
    }
    let id = site.work().begin(&site.service, &visitor.caller, deed, subjects, of);
    let began = tokio::time::Instant::now();
    while began.elapsed() < PATIENCE {
        if site.work().outcome(&id, &visitor).is_some_and(|outcome| outcome.finished.is_some()) {
            return Ok(see(&back(&view, Some(&id))));
        }
        tokio::time::sleep(LOOK_EVERY).await;
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
    let outcome = site.work().outcome(&id, &visitor).ok_or_else(|| missing(Model::Incident))?;
    let fields = Fields::of_query(query.as_deref());
    let view = View::parse(&Fields::of_query(fields.get("view")));
    if outcome.finished.is_some() {
        return Ok(see(&back(&view, Some(&id))));
    }
    page(&ProgressPage {
        frame: Frame::new(&site, &visitor, Section::Incidents, "In progress"),
        back: back(&view, None),
        outcome,
    })
}

pub async fn undo(
    State(site): State<Site>,
    Path(id): Path<String>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, PageError> {
    let view = View::parse(&Fields::of_query(fields.get("view")));
    let notice = match site.work().undo(&site.service, &visitor, &id).await? {
        Some(1) => "Taken back for one incident.".to_owned(),
        Some(count) => format!("Taken back for {count} incidents."),
        None => "That cannot be taken back any more.".to_owned(),
    };
    Ok(done(&back(&view, None), &notice))
}

fn deed(site: &Site, fields: &Fields) -> Result<Deed, &'static str> {
    let message = fields.text("message");
    match fields.get("action") {
        Some("acknowledge") => {
            let minutes = fields.filled("expires").map(str::parse::<i64>);
            let expiration = match minutes {
                None => None,
                Some(Ok(minutes @ 1..=525_600)) => Some(site.service.now().saturating_add_micros(minutes * 60_000_000)),
                Some(_) => return Err("That is no time for an acknowledgement to expire."),
            };
            Ok(Deed::Acknowledge { message, expiration })
        }
        Some("close") => Ok(Deed::Close { message }),
        Some("reopen") => Ok(Deed::Reopen { message }),
        Some("comment") if message.is_empty() => Err("A comment needs a message."),
        Some("comment") => Ok(Deed::Comment { message }),
        Some("ticket") => {
            let url = fields.text("ticket");
            if url.is_empty() || urls::starts_with_web_scheme(&url) && urls::is_valid(&url) {
                Ok(Deed::Ticket { url })
            } else {
                Err("The ticket's address has to begin with https:// or http://.")
            }
        }
        _ => Err("Nothing was asked for."),
    }
}

fn back(view: &View, done: Option<&str>) -> String {
    match done {
        Some(id) => format!("/incidents/?{}&done={id}", view.query()),
        None => format!("/incidents/?{}", view.query()),
    }
}
