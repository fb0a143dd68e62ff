//! The page of one incident.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, RawQuery, State as Shared};

use super::{
    describe::{AddressLink, LongText, StateText, TagRow, event_words, heading, metadata},
    notification_lines::NotificationLine,
    timeline::{self, TimelineEntry},
    until,
    why::{self, Why},
};
use crate::domain::{
    Contact, EventId, Incident, IncidentId, Level, Maintenance, Tag, Timestamp,
    limits::{NEIGHBOURS, TIMELINE, TIMELINE_ALL, TIMELINE_CHOICES},
};
use crate::service::{Action, DecidedEvent, Model, Turn};
use crate::web::{FormFields, Frame, PageError, PageResult, Problem, Section, Site, Visitor, answer, missing, page};

/// Form that was refused.
pub struct Refused {
    /// Last part of its path, or `ack` and the number of the acknowledgement.
    pub form: String,
    pub problem: Problem,
    pub fields: FormFields,
}

#[derive(Template)]
#[template(path = "incident/page.html")]
#[expect(clippy::struct_excessive_bools, reason = "the template asks each by itself")]
struct IncidentPage {
    frame: Frame,
    /// Number of the last change that the page shows.
    seq: u64,
    /// Shown without conversion.
    incident: Incident,
    heading: String,
    /// Full description. `None` if the heading shows all of it.
    description: Option<LongText>,
    state: StateText,
    source: String,
    source_type: String,
    details: Option<AddressLink>,
    ticket: Option<AddressLink>,
    tags: Vec<TagRow>,
    metadata: Option<String>,
    maintenance: Vec<Arc<Maintenance>>,
    timeline: Vec<TimelineEntry>,
    all_events: usize,
    asked_for_all: bool,
    notifications: Vec<NotificationLine>,
    more_messages: usize,
    hidden_messages: usize,
    choices: Vec<EventChoice>,
    people: Vec<String>,
    why: Why,
    is_deletable: bool,
    is_person: bool,
    morning: Option<Timestamp>,
    morning_is_today: bool,
    neighbours: Vec<RelatedIncident>,
    refused: Option<Refused>,
    /// Held until the page is written.
    _turn: Option<Turn>,
}

/// Incident that may be related to this one.
struct RelatedIncident {
    id: IncidentId,
    heading: String,
    level: u8,
    state: &'static str,
    start: Timestamp,
    /// First tags that both incidents have; `more` is the number of the others.
    shared: Vec<String>,
    more: usize,
}

impl RelatedIncident {
    fn new(incident: &Incident, shared: &[Tag], now: Timestamp) -> Self {
        const TAGS: usize = 5;
        Self {
            id: incident.id,
            heading: heading(&incident.description),
            level: incident.level.get(),
            state: match (incident.end.is_stateful(), incident.is_open(now)) {
                (false, _) => "stateless",
                (true, true) => "open",
                (true, false) => "closed",
            },
            start: incident.start,
            shared: shared.iter().take(TAGS).map(|tag| tag.as_str().to_owned()).collect(),
            more: shared.len().saturating_sub(TAGS),
        }
    }
}

/// Event whose decisions can be explained.
struct EventChoice {
    id: EventId,
    words: &'static str,
    at: Timestamp,
}

/// Parses the id in a path. `None` if it cannot be an id.
#[must_use]
pub fn id_of(text: &str) -> Option<IncidentId> {
    text.parse().ok().map(IncidentId)
}

#[must_use]
pub fn path_of(id: IncidentId) -> String {
    format!("/incidents/{id}/")
}

pub async fn show(
    Shared(site): Shared<Site>,
    visitor: Visitor,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> PageResult {
    let id = id_of(&id).ok_or_else(|| missing(Model::Incident))?;
    page(&IncidentPage::read(&site, &visitor, id, &FormFields::of_query(query.as_deref()), None).await?)
}

/// Shows the page with the form that was refused, and the problem.
pub async fn refuse(site: &Site, visitor: &Visitor, id: IncidentId, refused: Refused) -> PageResult {
    answer::refused(&IncidentPage::read(site, visitor, id, &FormFields::default(), Some(refused)).await?)
}

impl IncidentPage {
    async fn read(
        site: &Site,
        visitor: &Visitor,
        id: IncidentId,
        query: &FormFields,
        refused: Option<Refused>,
    ) -> Result<Self, PageError> {
        let (service, caller) = (&site.service, &visitor.caller);
        let seq = service.live().seq();
        let asked_for_all = query.ticked("all");
        let details =
            service.notifications().details(caller, id, if asked_for_all { TIMELINE_ALL } else { TIMELINE }).await?;
        let why = why::ask(service, caller, id, query, details.decided.first().map(|event| event.id)).await?;
        let neighbours = service.incidents().neighbours(details.incident.clone(), NEIGHBOURS).await?;
        let directory = service.directory();
        let incident = &details.incident;
        let is_deletable = service.notifications().may_delete(caller, incident);
        let heading = heading(&incident.description);
        let mut frame = Frame::new(site, visitor, Section::Incidents, format!("#{id} {heading}"));
        frame.notice = frame.notice.filter(|_| refused.is_none());
        let show = frame.show;
        let source = directory.source(incident.source);
        let base_url = source.map_or("", |source| &source.base_url);
        let choice =
            |event: &DecidedEvent| EventChoice { id: event.id, words: event_words(event.kind), at: event.timestamp };
        Ok(Self {
            seq,
            description: (heading != incident.description.trim()).then(|| LongText::new(&incident.description)),
            heading,
            state: StateText::new(incident, show.now),
            source: source.map_or_else(String::new, |source| source.name.clone()),
            source_type: source.map_or_else(String::new, |source| source.source_type.clone()),
            details: AddressLink::new(&incident.details_url, base_url),
            ticket: AddressLink::new(&incident.ticket_url, ""),
            tags: incident.tags.iter().map(|tag| TagRow::new(tag, &directory, caller)).collect(),
            metadata: metadata(&incident.metadata),
            timeline: timeline::entries(&details, &directory, show.now),
            notifications: details.messages.iter().map(|row| NotificationLine::new(row, caller, &directory)).collect(),
            choices: details.decided.iter().map(choice).collect(),
            people: if caller.may(Action::SeeOthersNotifications) {
                people(site, &details.contacts)
            } else {
                Vec::new()
            },
            all_events: details.all_events,
            asked_for_all,
            more_messages: details.more_messages,
            hidden_messages: details.hidden_messages,
            maintenance: details.maintenance,
            why,
            is_deletable,
            is_person: caller.source.is_none(),
            morning: until::morning(&show),
            morning_is_today: until::morning_is_today(&show),
            neighbours: neighbours
                .iter()
                .map(|(other, shared)| RelatedIncident::new(other, shared, show.now))
                .collect(),
            refused,
            frame,
            incident: details.incident,
            _turn: details.turn,
        })
    }

    fn is_refused(&self, form: &str) -> bool {
        self.refused.as_ref().is_some_and(|refused| refused.form == form)
    }

    fn problem(&self, form: &str) -> Option<Problem> {
        self.refused.as_ref().filter(|refused| refused.form == form).map(|refused| refused.problem.clone())
    }

    /// Returns the problem of a form that this page does not have, or no longer has.
    fn stray_problem(&self) -> Option<Problem> {
        let refused = self.refused.as_ref()?;
        let is_shown = match refused.form.as_str() {
            "close" | "reopen" => self.is_person && self.state.is_stateful,
            "delete" => self.is_deletable,
            form => {
                !form.starts_with("ack") || form == "acknowledge" || {
                    self.timeline.iter().any(|entry| entry.ack.is_some() && entry.form() == form)
                }
            }
        };
        (!is_shown).then(|| refused.problem.clone())
    }

    /// Returns the value that was entered into a field of a refused form, or else `usual`.
    fn typed(&self, form: &str, field: &str, usual: &str) -> String {
        let refused = self.refused.as_ref().filter(|refused| refused.form == form);
        refused.and_then(|refused| refused.fields.raw(field)).unwrap_or(usual).to_owned()
    }

    fn is_chosen(&self, form: &str, value: &str) -> bool {
        self.typed(form, "until", "never") == value
    }

    fn is_changeable(&self, entry: &TimelineEntry) -> bool {
        entry.ack.is_some_and(|ack| !ack.is_expired) || self.is_refused(&entry.form())
    }

    fn is_ahead(&self, at: &Timestamp) -> bool {
        *at > self.frame.show.now
    }

    fn ticket_text(&self) -> &str {
        self.ticket.as_ref().map_or("", |place| &place.text)
    }

    fn has_removable(&self) -> bool {
        self.tags.iter().any(|tag| tag.is_removable)
    }
}

/// Suggests names for the question: active users except source users, and the first contacts. Their number is limited,
/// because they are in every page.
fn people(site: &Site, contacts: &[Contact]) -> Vec<String> {
    let directory = site.service.directory();
    let users = directory.users.values().filter(|user| user.is_active && directory.source_of(user.id).is_none());
    let mut people: Vec<String> = users.map(|user| user.username.clone()).collect();
    people.sort();
    people.truncate(TIMELINE_CHOICES);
    people.extend(contacts.iter().map(|contact| contact.full_name.clone()));
    people.dedup();
    people
}
