//! One's timeslots: the list, and the form with the week.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, RawQuery, State},
    http::StatusCode,
};
use chrono_tz::Tz;

use super::{
    needed,
    week::{self, Bar, Typed},
    words,
};
use crate::{
    domain::{
        directory::Directory,
        ids::TimeslotId,
        schedule,
        time::Timestamp,
        timeslot::{Recurrence, Timeslot, TimeslotDraft},
    },
    service::{Model, ServiceError},
    web::{
        Site,
        answer::{Answer, PageError, done, missing, page, page_with},
        form::Fields,
        frame::{Frame, Section},
        problem::Problem,
        visitor::{Posted, Visitor},
    },
};

pub const PAGE: &str = "/notifications/timeslots/";

/// When a timeslot lets something through.
pub struct Opening {
    pub id: TimeslotId,
    pub name: String,
    pub words: String,
    pub bars: Vec<Bar>,
    pub is_open: bool,
    pub never: bool,
    pub next: Option<Timestamp>,
    /// The weekday and hour of `next` in the zone that timeslots are read in.
    pub next_words: String,
}

impl Opening {
    #[must_use]
    pub fn new(timeslot: &Timeslot, zone: Tz, now: Timestamp) -> Self {
        let recurrences = &timeslot.recurrences;
        let next = schedule::next_opening(recurrences, zone, now);
        let written = |at: Timestamp| at.to_datetime().with_timezone(&zone).format("%a %H:%M").to_string();
        Self {
            id: timeslot.id,
            name: timeslot.name.clone(),
            words: week::words(recurrences),
            bars: week::bars(recurrences),
            is_open: schedule::is_open(recurrences, zone, now),
            never: recurrences.iter().all(|it| it.days.is_empty()),
            next,
            next_words: next.map(written).unwrap_or_default(),
        }
    }
}

#[derive(Template)]
#[template(path = "notifications/timeslots.html")]
struct TimeslotsPage {
    frame: Frame,
    tab: &'static str,
    zone: &'static str,
    cards: Vec<Card>,
    problem: Option<Problem>,
}

struct Card {
    opening: Opening,
    /// Names of those that use it.
    profiles: Vec<String>,
}

#[derive(Template)]
#[template(path = "notifications/timeslot.html")]
struct TimeslotPage {
    frame: Frame,
    tab: &'static str,
    action: String,
    zone: &'static str,
    name: String,
    rows: Vec<Typed>,
    opening: Option<Opening>,
    /// The form that this one was opened from; empty: none.
    then: String,
    problem: Option<Problem>,
}

impl TimeslotsPage {
    fn new(site: &Site, visitor: &Visitor) -> Self {
        let directory = site.service.directory();
        let zone = directory.settings.time_zone;
        let cards = directory.timeslots_of(visitor.caller.id()).into_iter().map(|timeslot| Card {
            opening: Opening::new(timeslot, zone, site.service.now()),
            profiles: profiles(timeslot.id, &directory),
        });
        Self {
            frame: Frame::new(site, visitor, Section::Notifications, "Timeslots"),
            tab: "timeslots",
            zone: zone.name(),
            cards: cards.collect(),
            problem: None,
        }
    }
}

impl TimeslotPage {
    fn new(site: &Site, visitor: &Visitor, known: Option<&Timeslot>) -> Self {
        let directory = site.service.directory();
        let zone = directory.settings.time_zone;
        let rows = known.map(|it| week::rows(&it.recurrences).iter().map(Typed::new).collect()).unwrap_or_default();
        let title = if known.is_some() { "Change a timeslot" } else { "New timeslot" };
        Self {
            frame: Frame::new(site, visitor, Section::Notifications, title),
            tab: "timeslots",
            action: known.map_or_else(|| format!("{PAGE}new/"), |it| format!("{PAGE}{}/", it.id)),
            zone: zone.name(),
            name: known.map(|it| it.name.clone()).unwrap_or_default(),
            rows: week::with_spares(rows),
            opening: known.map(|it| Opening::new(it, zone, site.service.now())),
            then: String::new(),
            problem: None,
        }
    }

    fn refuse(self, fields: &Fields, problem: Problem) -> Answer {
        let rows = week::with_spares(week::typed(fields));
        let (name, then) = (fields.text("name"), needed::then(fields));
        let again = Self { name, rows, then, problem: Some(problem), ..self };
        page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
    }
}

pub async fn list(State(site): State<Site>, visitor: Visitor) -> Answer {
    page(&TimeslotsPage::new(&site, &visitor))
}

pub async fn new(State(site): State<Site>, visitor: Visitor, RawQuery(query): RawQuery) -> Answer {
    let then = needed::then(&Fields::of_query(query.as_deref()));
    page(&TimeslotPage { then, ..TimeslotPage::new(&site, &visitor, None) })
}

pub async fn show(State(site): State<Site>, visitor: Visitor, Path(id): Path<u64>) -> Answer {
    let timeslot = known(&site, &visitor, id)?;
    page(&TimeslotPage::new(&site, &visitor, Some(&timeslot)))
}

pub async fn create(State(site): State<Site>, Posted { visitor, fields }: Posted) -> Answer {
    let problem = match read(&fields) {
        Ok((_, recurrences)) => {
            let draft = TimeslotDraft { name: Some(fields.text("name")), recurrences: Some(recurrences) };
            match site.service.create_timeslot(&visitor.caller, draft).await {
                Ok(made) => {
                    let place = needed::back(&fields, "timeslot", made.id.0, PAGE);
                    return Ok(done(&place, "The timeslot is saved."));
                }
                Err(ServiceError::Refused(refusal)) => words::refusal(&refusal),
                Err(error) => return Err(error.into()),
            }
        }
        Err(problem) => problem,
    };
    TimeslotPage::new(&site, &visitor, None).refuse(&fields, problem)
}

/// Times that were left as they were shown stay as they are stored, to the microsecond.
pub async fn edit(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, fields }: Posted) -> Answer {
    let timeslot = known(&site, &visitor, id)?;
    let problem = match read(&fields) {
        Ok((rows, recurrences)) => {
            let shown: Vec<Typed> = week::rows(&timeslot.recurrences).iter().map(Typed::new).collect();
            let recurrences = (rows != shown).then_some(recurrences);
            let draft = TimeslotDraft { name: Some(fields.text("name")), recurrences };
            match site.service.edit_timeslot(&visitor.caller, timeslot.id, draft).await {
                Ok(_) => return Ok(done(PAGE, "The timeslot is saved.")),
                Err(ServiceError::Refused(refusal)) => words::refusal(&refusal),
                Err(error) => return Err(error.into()),
            }
        }
        Err(problem) => problem,
    };
    TimeslotPage::new(&site, &visitor, Some(&timeslot)).refuse(&fields, problem)
}

pub async fn delete(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, .. }: Posted) -> Answer {
    match site.service.delete_timeslot(&visitor.caller, TimeslotId(id)).await {
        Ok(()) => Ok(done(PAGE, "The timeslot is deleted.")),
        Err(ServiceError::Refused(refusal)) => {
            let again =
                TimeslotsPage { problem: Some(words::refusal(&refusal)), ..TimeslotsPage::new(&site, &visitor) };
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
        }
        Err(error) => Err(error.into()),
    }
}

/// In as few parts as say it: what is drawn comes in pieces that end at midnight.
fn read(fields: &Fields) -> Result<(Vec<Typed>, Vec<Recurrence>), Problem> {
    let typed = week::typed(fields);
    let pieces = week::recurrences(&week::read(&typed)?)?;
    Ok((typed, week::recurrences(&week::rows(&pieces))?))
}

fn known(site: &Site, visitor: &Visitor, id: u64) -> Result<Arc<Timeslot>, PageError> {
    let directory = site.service.directory();
    directory.timeslot_of(visitor.caller.id(), TimeslotId(id)).cloned().ok_or_else(|| missing(Model::Timeslot))
}

fn profiles(id: TimeslotId, directory: &Directory) -> Vec<String> {
    let profiles = directory.profiles_where(|profile| profile.timeslot == id).into_iter();
    profiles.map(|profile| profile.name.clone().unwrap_or_else(|| "one without a name".to_owned())).collect()
}
