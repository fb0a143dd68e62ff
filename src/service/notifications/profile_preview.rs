//! Previews of profiles: judges past events by a draft.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{NaiveDate, Timelike};
use chrono_tz::Tz;
use rustc_hash::FxHashMap;

use crate::domain::{
    Destination, DestinationId, Directory, Event, EventId, FilterBlob, FilterId, Incident, IncidentId, Profile,
    ProfileId, SizeBudget, StoredFilter, TimeslotId, Timestamp,
    destination::EMAIL,
    event_filter::{CompiledFilters, EventFilter},
    explain,
    limits::{PAGE_BYTES, PREVIEW_BATCH, PREVIEW_DESCRIPTION, PREVIEW_EVENTS, PREVIEW_EXAMPLES},
    matcher::Matcher,
    plan::{self, Occurrence, Silence},
    subscription::{Basis, Subscription},
    timeslot::all_the_time,
};
use crate::service::{Caller, Notifications, Refusal, ServiceError};
use crate::store::{Direction, Snapshot, Store};

const DAY_MICROS: i64 = 86_400_000_000;

/// A profile that is not saved yet.
#[derive(Clone, Debug)]
pub struct PreviewDraft {
    pub timeslot: TimeslotId,
    pub filters: Vec<DraftFilter>,
    pub destinations: Vec<DestinationId>,
    pub active: bool,
}

#[derive(Clone, Debug)]
pub enum DraftFilter {
    Stored(FilterId),
    Inline(FilterBlob),
}

/// The messages that would have been sent between `since` and `until` if the draft had been its owner's only profile,
/// with the current timeslots, filters and maintenance.
#[derive(Clone, Debug)]
pub struct ProfilePreview {
    pub since: Timestamp,
    pub until: Timestamp,
    /// Whether there were more events, from before `since`, which were not read.
    pub truncated: bool,
    /// Number of messages.
    pub count: u64,
    /// Number of events with at least one message.
    pub events: u64,
    /// Messages by local hour of the day.
    pub by_hour: [u64; 24],
    /// Messages by local date, including days without messages.
    pub by_day: BTreeMap<NaiveDate, u64>,
    pub by_destination: BTreeMap<DestinationId, u64>,
    /// Number of messages that were prevented, by code of the reason.
    pub silent: BTreeMap<&'static str, u64>,
    /// The newest events with a message.
    pub examples: Vec<Example>,
}

#[derive(Clone, Debug)]
pub struct Example {
    pub event: Event,
    /// Description of the incident, shortened.
    pub description: String,
}

impl Notifications {
    pub async fn forecast(
        &self,
        caller: &Caller,
        draft: PreviewDraft,
        days: u32,
    ) -> Result<ProfilePreview, ServiceError> {
        self.forecast_with(self.directory(), caller, draft, days).await
    }

    /// Previews a profile with only this filter, at any time, with one destination.
    pub async fn forecast_of_filter(
        &self,
        caller: &Caller,
        blob: FilterBlob,
        days: u32,
    ) -> Result<ProfilePreview, ServiceError> {
        let mut directory = Directory::clone(&self.directory());
        let (owner, timeslot, destination) = (caller.id(), TimeslotId(u64::MAX), DestinationId(u64::MAX));
        directory.timeslots.insert(timeslot, Arc::new(all_the_time(timeslot, owner)));
        let (medium, settings) = (EMAIL.to_owned(), BTreeMap::new());
        let somewhere = Destination { id: destination, owner, medium, label: None, settings, synced: false };
        directory.destinations.insert(destination, Arc::new(somewhere));
        let filters = vec![DraftFilter::Inline(blob)];
        let draft = PreviewDraft { timeslot, filters, destinations: vec![destination], active: true };
        self.forecast_with(Arc::new(directory), caller, draft, days).await
    }

    async fn forecast_with(
        &self,
        directory: Arc<Directory>,
        caller: &Caller,
        draft: PreviewDraft,
        days: u32,
    ) -> Result<ProfilePreview, ServiceError> {
        let (caller, zone) = (caller.clone(), self.settings().time_zone);
        // On a blocking thread, because this compiles filters.
        let preview = self.blocking(move || Ok(PreviewMatcher::new(&directory, &caller, draft, zone)?)).await?;
        let until = self.now();
        let since = until.saturating_add_micros(-DAY_MICROS.saturating_mul(days.into()));
        let permit = Arc::clone(&self.inner.forecasts).acquire_owned().await;
        let permit = permit.map_err(|_| ServiceError::Internal("the server stops"))?;
        let store = self.store().clone();
        self.blocking(move || {
            let forecast = preview.walk(&store, (since, until), PREVIEW_EVENTS);
            drop(permit);
            forecast
        })
        .await
    }
}

/// The draft, prepared for judging events.
pub(in crate::service) struct PreviewMatcher {
    /// The current configuration, with the draft as its only profile and without rules.
    directory: Directory,
    matcher: Matcher,
    draft: Subscription,
    draft_filters: Vec<Arc<EventFilter>>,
    /// Time zone of hours and days in the preview.
    zone: Tz,
}

impl PreviewMatcher {
    pub(in crate::service) fn new(
        directory: &Directory,
        caller: &Caller,
        draft: PreviewDraft,
        zone: Tz,
    ) -> Result<Self, Refusal> {
        let owner = caller.id();
        let unknown = |field, pk| Refusal::UnknownKey { field, pk };
        directory.timeslot_of(owner, draft.timeslot).ok_or_else(|| unknown("timeslot", draft.timeslot.0))?;
        for id in &draft.destinations {
            directory.destination_of(owner, *id).ok_or_else(|| unknown("destinations", id.0))?;
        }
        let mut alone = directory.clone();
        alone.profiles.clear();
        alone.rules.clear();
        let mut filters: Vec<FilterId> = Vec::new();
        for (filter, unused) in draft.filters.into_iter().zip((0..=u64::MAX).rev()) {
            let id = match filter {
                DraftFilter::Stored(id) => {
                    directory.usable_filter(owner, id).ok_or_else(|| unknown("filters", id.0))?;
                    id
                }
                DraftFilter::Inline(blob) => {
                    let id = FilterId(unused);
                    let filter = StoredFilter { id, owner, name: String::new(), public: false, blob };
                    alone.filters.insert(id, Arc::new(filter));
                    id
                }
            };
            filters.push(id);
        }
        let profile = Arc::new(Profile {
            id: ProfileId(0),
            owner,
            name: None,
            timeslot: draft.timeslot,
            filters,
            destinations: draft.destinations,
            active: draft.active,
        });
        let draft = Subscription::new(Basis::Profile(Arc::clone(&profile)), &alone);
        let draft_filters = CompiledFilters::new(&alone).all(&profile.filters);
        alone.profiles.insert(profile.id, profile);
        let matcher = Matcher::new(&alone);
        Ok(Self { directory: alone, matcher, draft, draft_filters, zone })
    }

    /// Judges events, newest first, with a new snapshot for each batch, so that none is held for long.
    pub(in crate::service) fn walk(
        &self,
        store: &Store,
        (since, until): (Timestamp, Timestamp),
        most: usize,
    ) -> Result<ProfilePreview, ServiceError> {
        let mut forecast = ProfilePreview::empty(since, until);
        let mut place = (until, EventId(u64::MAX));
        let mut seen = 0;
        loop {
            let snapshot = store.snapshot()?;
            let room = SizeBudget::new(PAGE_BYTES);
            let (batch, more) = snapshot.events_within(Some(place), Direction::Older, PREVIEW_BATCH, room)?;
            let wanted = batch.iter().take_while(|event| event.timestamp >= since).take(most - seen);
            let wanted = wanted.count();
            let (events, rest) = batch.split_at(wanted);
            self.preview(&snapshot, events, &mut forecast)?;
            seen += events.len();
            if let Some(event) = events.last() {
                place = (event.timestamp, event.id);
            }
            match rest.first() {
                Some(event) if event.timestamp >= since => forecast.truncated = true,
                None if more && seen < most => continue,
                None if more => {
                    let next = snapshot.events_page(Some(place), Direction::Older, 1)?;
                    forecast.truncated = next.iter().any(|event| event.timestamp >= since);
                }
                _ => {}
            }
            break;
        }
        if forecast.truncated {
            forecast.since = place.0;
        }
        forecast.fill_days(self.zone);
        Ok(forecast)
    }

    fn preview(
        &self,
        snapshot: &Snapshot,
        events: &[Event],
        forecast: &mut ProfilePreview,
    ) -> Result<(), ServiceError> {
        let decided = || events.iter().filter(|event| event.after.decided.is_some());
        let mut ids: Vec<IncidentId> = decided().map(|event| event.incident).collect();
        ids.sort_unstable();
        ids.dedup();
        // Metadata and long descriptions are not needed and take memory.
        let (incidents, _) = snapshot.incidents_within(ids, SizeBudget::new(usize::MAX), |incident| {
            incident.metadata = String::new();
            incident.description = incident.description.chars().take(PREVIEW_DESCRIPTION).collect();
        })?;
        let incidents: FxHashMap<IncidentId, Incident> = incidents.into_iter().map(|it| (it.id, it)).collect();
        for event in decided() {
            let Some(incident) = incidents.get(&event.incident) else { continue };
            let former;
            let tags = if event.after.tags_version == incident.tags_version {
                &incident.tags
            } else {
                // If earlier tags are unknown, the current ones are used.
                former = snapshot.tags_at(incident, event.after.tags_version).unwrap_or_else(|_| incident.tags.clone());
                &former
            };
            let has_ticket = !incident.ticket_url.is_empty();
            let occurrence = Occurrence::new(event, incident.source, incident.end.is_stateful(), has_ticket, tags);
            self.count(event, incident, &occurrence, forecast);
        }
        Ok(())
    }

    fn count(&self, event: &Event, incident: &Incident, occurrence: &Occurrence<'_>, forecast: &mut ProfilePreview) {
        let plan = plan::plan(&self.matcher, &self.directory, occurrence);
        for intent in &plan.intents {
            *forecast.by_destination.entry(intent.destination.id).or_default() += 1;
        }
        let mut silent = |silence| *forecast.silent.entry(explain::code(silence)).or_default() += 1;
        for miss in &plan.near_misses {
            silent(Silence::Near(miss.reason));
        }
        if plan.intents.is_empty() && plan.near_misses.is_empty() {
            let against = plan::stands_against(&self.draft, &self.draft_filters, occurrence, &self.directory);
            if let Some(silence) = against {
                silent(silence);
            }
            return;
        }
        if plan.intents.is_empty() {
            return;
        }
        let messages = plan.intents.len() as u64;
        let local = event.timestamp.to_datetime().with_timezone(&self.zone);
        forecast.count += messages;
        forecast.events += 1;
        if let Some(hour) = forecast.by_hour.get_mut(local.hour() as usize) {
            *hour += messages;
        }
        *forecast.by_day.entry(local.date_naive()).or_default() += messages;
        if forecast.examples.len() < PREVIEW_EXAMPLES {
            forecast.examples.push(Example { event: event.clone(), description: incident.description.clone() });
        }
    }
}

impl ProfilePreview {
    fn empty(since: Timestamp, until: Timestamp) -> Self {
        Self {
            since,
            until,
            truncated: false,
            count: 0,
            events: 0,
            by_hour: [0; 24],
            by_day: BTreeMap::new(),
            by_destination: BTreeMap::new(),
            silent: BTreeMap::new(),
            examples: Vec::new(),
        }
    }

    fn fill_days(&mut self, zone: Tz) {
        let date = |at: Timestamp| at.to_datetime().with_timezone(&zone).date_naive();
        let (first, last) = (date(self.since), date(self.until));
        for day in first.iter_days().take_while(|day| *day <= last) {
            self.by_day.entry(day).or_default();
        }
    }
}
