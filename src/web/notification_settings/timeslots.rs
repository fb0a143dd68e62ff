//! The list of timeslots, and the form with the week.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use chrono_tz::Tz;

use super::{
    needed,
    week::{self, HoursInput, WeekBar},
    words,
};
use crate::domain::{Directory, Recurrence, Timeslot, TimeslotDraft, TimeslotId, Timestamp, opening_hours};
use crate::service::{Action, Model, Refusal};
use crate::web::{
    Ask, FormError, FormPage, Frame, PageError, PageResult, Posted, Problem, Section, Site, Visitor, done, missing,
    page, refused,
};

pub const PAGE: &str = "/notifications/timeslots/";

/// Times at which a timeslot is open, as pages show them.
pub struct OpeningText {
    pub id: TimeslotId,
    pub name: String,
    pub words: String,
    pub bars: Vec<WeekBar>,
    pub is_open: bool,
    pub never: bool,
    pub next: Option<Timestamp>,
    /// Weekday and time of `next` in the time zone of timeslots.
    pub next_words: String,
}

impl OpeningText {
    #[must_use]
    pub fn new(timeslot: &Timeslot, zone: Tz, now: Timestamp) -> Self {
        let recurrences = &timeslot.recurrences;
        let next = opening_hours::next_opening(recurrences, zone, now);
        let written = |at: Timestamp| at.to_datetime().with_timezone(&zone).format("%a %H:%M").to_string();
        Self {
            id: timeslot.id,
            name: timeslot.name.clone(),
            words: week::words(recurrences),
            bars: week::bars(recurrences),
            is_open: opening_hours::is_open(recurrences, zone, now),
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
    cards: Vec<TimeslotCard>,
    problem: Option<Problem>,
}

struct TimeslotCard {
    opening: OpeningText,
    /// Names of the profiles that use it.
    profiles: Vec<String>,
}

#[derive(Template)]
#[template(path = "notifications/timeslot.html")]
pub struct TimeslotPage {
    frame: Frame,
    tab: &'static str,
    action: String,
    zone: &'static str,
    name: String,
    rows: Vec<HoursInput>,
    opening: Option<OpeningText>,
    /// Address of the form that this one was opened from. Empty if there is none.
    then: String,
    problem: Option<Problem>,
}

impl TimeslotsPage {
    fn new(site: &Site, visitor: &Visitor) -> Self {
        let directory = site.service.directory();
        let zone = directory.settings.time_zone;
        let cards = directory.timeslots_of(visitor.caller.id()).into_iter().map(|timeslot| TimeslotCard {
            opening: OpeningText::new(timeslot, zone, site.service.now()),
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

/// Content of the form.
#[derive(Default)]
pub struct TimeslotForm {
    name: String,
    rows: Vec<HoursInput>,
    then: String,
}

impl FormPage for TimeslotPage {
    const CHANGE: Action = Action::UseDesk;
    const WORDS: fn(&Refusal) -> Problem = words::refusal;
    type Id = u64;
    type Known = Arc<Timeslot>;
    type Draft = TimeslotForm;

    async fn find(site: &Site, visitor: &Visitor, id: u64) -> Result<Arc<Timeslot>, PageError> {
        let directory = site.service.directory();
        directory.timeslot_of(visitor.caller.id(), TimeslotId(id)).cloned().ok_or_else(|| missing(Model::Timeslot))
    }

    fn start(ask: &Ask<Self>) -> TimeslotForm {
        match &ask.known {
            Some(known) => TimeslotForm { name: known.name.clone(), rows: shown(known), then: String::new() },
            None => TimeslotForm { then: needed::then(&ask.fields), ..TimeslotForm::default() },
        }
    }

    fn read(ask: &Ask<Self>) -> TimeslotForm {
        let fields = &ask.fields;
        TimeslotForm { name: fields.text("name"), rows: week::typed(fields), then: needed::then(fields) }
    }

    async fn view(ask: &Ask<Self>, form: TimeslotForm, problem: Option<Problem>) -> Result<Self, PageError> {
        let (site, known) = (&ask.site, ask.known.as_ref());
        let zone = site.service.directory().settings.time_zone;
        let title = if known.is_some() { "Change timeslot" } else { "New timeslot" };
        Ok(Self {
            frame: Frame::new(site, &ask.visitor, Section::Notifications, title),
            tab: "timeslots",
            action: known.map_or_else(|| format!("{PAGE}new/"), |it| format!("{PAGE}{}/", it.id)),
            zone: zone.name(),
            name: form.name,
            rows: week::with_spares(form.rows),
            opening: known.map(|it| OpeningText::new(it, zone, site.service.now())),
            then: form.then,
            problem,
        })
    }

    /// Times that were not edited stay as they are stored, to the microsecond.
    async fn save(ask: &Ask<Self>, form: &mut TimeslotForm) -> Result<Response, FormError> {
        let (service, caller, name) = (&ask.site.service, &ask.visitor.caller, form.name.clone());
        let draft = TimeslotDraft { name: Some(name), recurrences: Some(recurrences(&form.rows)?) };
        let place = if let Some(known) = &ask.known {
            let recurrences = draft.recurrences.filter(|_| form.rows != shown(known));
            service.put(caller, Some(known.id), TimeslotDraft { recurrences, ..draft }).await?;
            PAGE.to_owned()
        } else {
            let made = service.put(caller, None, draft).await?;
            needed::back(&ask.fields, "timeslot", made.id.0, PAGE)
        };
        Ok(done(&place, "Timeslot saved."))
    }
}

pub async fn list(State(site): State<Site>, visitor: Visitor) -> PageResult {
    page(&TimeslotsPage::new(&site, &visitor))
}

pub async fn delete(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, .. }: Posted) -> PageResult {
    let Err(error) = site.service.notifications().delete_timeslot(&visitor.caller, TimeslotId(id)).await else {
        return Ok(done(PAGE, "Timeslot deleted."));
    };
    let problem = Some(FormError::from(error).problem(words::refusal)?);
    refused(&TimeslotsPage { problem, ..TimeslotsPage::new(&site, &visitor) })
}

/// Converts rows to the smallest number of recurrences. Times that are drawn come in pieces that end at midnight.
fn recurrences(typed: &[HoursInput]) -> Result<Vec<Recurrence>, Problem> {
    let pieces = week::recurrences(&week::read(typed)?)?;
    week::recurrences(&week::rows(&pieces))
}

/// Returns the rows of the form for a stored timeslot.
fn shown(timeslot: &Timeslot) -> Vec<HoursInput> {
    week::rows(&timeslot.recurrences).iter().map(HoursInput::new).collect()
}

fn profiles(id: TimeslotId, directory: &Directory) -> Vec<String> {
    let profiles = directory.profiles_where(|profile| profile.timeslot == id).into_iter();
    profiles.map(|profile| profile.name.clone().unwrap_or_else(|| "an unnamed profile".to_owned())).collect()
}
