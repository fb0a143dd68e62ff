//! The form of a profile, with a preview of the messages that it would have sent.

use std::{collections::BTreeMap, sync::Arc};

use askama::Template;
use axum::{extract::State, response::Response};

use super::{chart::Outlook, destinations::DestinationLabel, profiles::PAGE, week, words};
use crate::domain::{
    DestinationId, Directory, FilterId, Profile, ProfileDraft, ProfileId, ProfileReach, TimeslotId,
    limits::{DESTINATIONS_PER_PROFILE, FILTERS_PER_PROFILE, PREVIEW_DAYS_DEFAULT},
};
use crate::service::{Action, DraftFilter, Model, PreviewDraft, Refusal};
use crate::web::{
    Ask, FormError, FormFields, FormPage, Frame, PageError, PageResult, Posted, Problem, Section, Site, Visitor, done,
    missing, offered, page,
};

#[derive(Template)]
#[template(path = "notifications/profile.html")]
pub struct ProfilePage {
    frame: Frame,
    tab: &'static str,
    /// Address that the form is sent to.
    action: String,
    draft: Draft,
    timeslots: Vec<FormChoice>,
    filters: Vec<FormChoice>,
    destinations: Vec<FormChoice>,
    problem: Option<Problem>,
    outlook: Option<Outlook>,
    outlook_problem: Option<Problem>,
    by_destination: Vec<(String, u64)>,
}

/// Part of the page with the preview.
#[derive(Template)]
#[template(path = "notifications/outlook.html")]
struct OutlookPart {
    frame: Frame,
    outlook: Option<Outlook>,
    outlook_problem: Option<Problem>,
    by_destination: Vec<(String, u64)>,
}

/// Choice of a list.
struct FormChoice {
    id: u64,
    name: String,
    detail: String,
    warning: Option<String>,
    chosen: bool,
}

/// Content of the form.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    id: Option<ProfileId>,
    name: String,
    timeslot: Option<TimeslotId>,
    filters: Vec<FilterId>,
    destinations: Vec<DestinationId>,
    active: bool,
}

impl Draft {
    fn read(id: Option<ProfileId>, fields: &FormFields) -> Self {
        Self {
            id,
            name: fields.text("name"),
            // The last value is used, because a new timeslot is added to the values that were entered before.
            timeslot: fields.numbers("timeslot").last().map(TimeslotId),
            filters: fields.numbers("filters").map(FilterId).collect(),
            destinations: fields.numbers("destinations").map(DestinationId).collect(),
            active: fields.ticked("active"),
        }
    }

    fn of(profile: &Profile) -> Self {
        Self {
            id: Some(profile.id),
            name: profile.name.clone().unwrap_or_default(),
            timeslot: Some(profile.timeslot),
            filters: profile.filters.clone(),
            destinations: profile.destinations.clone(),
            active: profile.active,
        }
    }

    /// Checks that nothing is missing, and that there are not too many filters or destinations.
    fn check(&self) -> Result<TimeslotId, Problem> {
        let timeslot = self.timeslot.ok_or_else(|| Problem::of("timeslot", "Timeslot: choose one."))?;
        if self.filters.is_empty() {
            return Err(Problem::of("filters", "Filters: choose at least one."));
        }
        if self.filters.len() > FILTERS_PER_PROFILE || self.destinations.len() > DESTINATIONS_PER_PROFILE {
            let text = format!(
                "A profile has at most {FILTERS_PER_PROFILE} filters and {DESTINATIONS_PER_PROFILE} destinations."
            );
            return Err(text.into());
        }
        Ok(timeslot)
    }

    /// Converts the form to a draft for the preview. It is switched on, so that the preview shows what it would send.
    fn to_preview(&self, visitor: &Visitor, directory: &Directory) -> Result<PreviewDraft, Problem> {
        let timeslot = self.check()?;
        let kept = self.id.and_then(|id| directory.profile_of(visitor.caller.id(), id));
        let filter =
            |id: &FilterId| match (directory.usable_filter(visitor.caller.id(), *id), directory.filters.get(id)) {
                // The owner no longer shares this filter, but it may stay in the profile.
                (None, Some(filter)) if kept.is_some_and(|profile| profile.filters.contains(id)) => {
                    DraftFilter::Inline(filter.blob.clone())
                }
                _ => DraftFilter::Stored(*id),
            };
        let filters = self.filters.iter().map(filter).collect();
        let mut destinations = self.destinations.clone();
        destinations.sort_unstable();
        destinations.dedup();
        Ok(PreviewDraft { timeslot, filters, destinations, active: true })
    }
}

impl FormPage for ProfilePage {
    const CHANGE: Action = Action::UseDesk;
    const WORDS: fn(&Refusal) -> Problem = words::refusal;
    const HAS_PREVIEW: bool = true;
    type Id = u64;
    type Known = Arc<Profile>;
    type Draft = Draft;

    async fn find(site: &Site, visitor: &Visitor, id: u64) -> Result<Arc<Profile>, PageError> {
        let directory = site.service.directory();
        directory.profile_of(visitor.caller.id(), ProfileId(id)).cloned().ok_or_else(|| missing(Model::Profile))
    }

    /// A new profile is switched on and has the first timeslot.
    fn start(ask: &Ask<Self>) -> Draft {
        let directory = ask.site.service.directory();
        let first = || directory.timeslots_of(ask.visitor.caller.id()).first().map(|timeslot| timeslot.id);
        let new = || Draft { timeslot: first(), active: true, ..Draft::default() };
        ask.known.as_deref().map_or_else(new, Draft::of)
    }

    fn read(ask: &Ask<Self>) -> Draft {
        Draft::read(ask.known.as_ref().map(|profile| profile.id), &ask.fields)
    }

    async fn view(ask: &Ask<Self>, draft: Draft, problem: Option<Problem>) -> Result<Self, PageError> {
        let (site, visitor, known) = (&ask.site, &ask.visitor, ask.known.as_ref());
        let (outlook, outlook_problem, by_destination) = ask.preview(outlook(site, visitor, &draft)).await?;
        let directory = site.service.directory();
        let caller = visitor.caller.id();
        let kept: &[FilterId] = known.map(|profile| profile.filters.as_slice()).unwrap_or_default();
        let timeslots = directory.timeslots_of(caller).into_iter().map(|timeslot| FormChoice {
            id: timeslot.id.0,
            name: timeslot.name.clone(),
            detail: week::words(&timeslot.recurrences),
            warning: None,
            chosen: draft.timeslot == Some(timeslot.id),
        });
        let mut usable = directory.usable_filters(caller);
        usable.extend(
            kept.iter()
                .filter(|id| directory.usable_filter(caller, **id).is_none())
                .filter_map(|id| directory.filters.get(id)),
        );
        let chosen: Vec<FilterId> = kept.iter().chain(&draft.filters).copied().collect();
        let mut usable = offered::filters(usable, caller, &chosen);
        usable.sort_by_key(|filter| filter.id);
        let filters = usable.into_iter().map(|filter| {
            let owner = directory.user(filter.owner).filter(|owner| owner.id != caller);
            let criteria = words::brief(&filter.blob, &directory);
            FormChoice {
                id: filter.id.0,
                name: owner
                    .map_or_else(|| filter.name.clone(), |owner| format!("{} ({})", filter.name, owner.username)),
                warning: criteria.is_empty().then(|| "no criteria set: matches nothing".to_owned()),
                detail: criteria,
                chosen: draft.filters.contains(&filter.id),
            }
        });
        let destinations = directory.destinations_of(caller).into_iter().map(|destination| {
            let way = DestinationLabel::new(destination, &site.service);
            FormChoice {
                id: destination.id.0,
                name: way.shown(),
                warning: (!way.installed).then(|| "not installed on this server: nothing is sent".to_owned()),
                detail: way.medium.clone(),
                chosen: draft.destinations.contains(&destination.id),
            }
        });
        let title = if known.is_some() { "Change profile" } else { "New profile" };
        Ok(Self {
            frame: Frame::new(site, visitor, Section::Notifications, title),
            tab: "profiles",
            action: path(known),
            timeslots: timeslots.collect(),
            filters: filters.collect(),
            destinations: destinations.collect(),
            draft,
            problem,
            outlook,
            outlook_problem,
            by_destination,
        })
    }

    async fn save(ask: &Ask<Self>, draft: &mut Draft) -> Result<Response, FormError> {
        let (service, caller, timeslot) = (&ask.site.service, &ask.visitor.caller, draft.check()?);
        let Draft { name, filters, destinations, active, .. } = draft.clone();
        let wanted = ProfileDraft {
            name: Some(Some(name).filter(|name| !name.is_empty())),
            timeslot: Some(timeslot),
            filters: Some(filters),
            reach: Some(ProfileReach::Destinations(destinations)),
            active: Some(active),
        };
        let saved = match &ask.known {
            None => service.put(caller, None, wanted).await?,
            Some(known) => service.put(caller, Some(known.id), wanted).await?,
        };
        let is_mute = saved.active && saved.destinations.is_empty();
        let mute = "Profile saved, but it sends nothing: choose a destination.";
        Ok(done(PAGE, if is_mute { mute } else { "Profile saved." }))
    }

    fn place(known: Option<&Arc<Profile>>) -> Option<String> {
        Some(path(known))
    }
}

/// Returns the path of the form.
fn path(known: Option<&Arc<Profile>>) -> String {
    known.map_or_else(|| format!("{PAGE}new/"), |profile| format!("{PAGE}{}/", profile.id))
}

/// Shows the preview while the user edits the form.
pub async fn preview(State(site): State<Site>, Posted { visitor, fields }: Posted) -> PageResult {
    let draft = Draft::read(fields.numbers("id").next().map(ProfileId), &fields);
    let frame = Frame::new(&site, &visitor, Section::Notifications, "");
    let (outlook, outlook_problem, by_destination) = outlook(&site, &visitor, &draft).await?;
    page(&OutlookPart { frame, outlook, outlook_problem, by_destination })
}

type OutlookResult = (Option<Outlook>, Option<Problem>, Vec<(String, u64)>);

async fn outlook(site: &Site, visitor: &Visitor, draft: &Draft) -> Result<OutlookResult, PageError> {
    let directory = site.service.directory();
    let wanted = match draft.to_preview(visitor, &directory) {
        Ok(wanted) => wanted,
        Err(problem) => return Ok((None, Some(problem), Vec::new())),
    };
    let days = PREVIEW_DAYS_DEFAULT;
    match site.service.notifications().forecast(&visitor.caller, wanted, days).await {
        Ok(forecast) => {
            let counts: &BTreeMap<DestinationId, u64> = &forecast.by_destination;
            let name = |id: &DestinationId| {
                Some(DestinationLabel::new(directory.destinations.get(id)?, &site.service).shown())
            };
            let by_destination = counts.iter().filter_map(|(id, count)| Some((name(id)?, *count))).collect();
            Ok((Some(Outlook::new(forecast, days)), None, by_destination))
        }
        Err(error) => Ok((None, Some(FormError::from(error).problem(words::refusal)?), Vec::new())),
    }
}
