//! Converts query parameters of incident lists to criteria (contract section 6).

mod values;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use utoipa::IntoParams;

use super::{ApiError, Params, Version};
use crate::domain::{
    AnyOf, Criteria, Directory, FilterBlob, FilterId, IncidentId, Profile, ProfileId, SourceId, Tag, UserId,
    criterion::Slot,
    directory::OWN_SOURCE,
    fault::FaultKind,
    filter::{narrow, search_words, tag_groups},
    limits,
};
use chrono_tz::Tz;

/// All filters must match. Empty values are ignored.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MineQuery {
    /// False: closed, which excludes stateless incidents.
    pub open: Option<bool>,
    pub acked: Option<bool>,
    pub stateful: Option<bool>,
    /// Has a ticket address.
    pub ticket: Option<bool>,
    /// Comma separated `key=value`. Tags with the same key are alternatives; different keys must all match.
    pub tags: Option<String>,
    pub source_incident_id: Option<String>,
    #[param(rename = "start_time__gte")]
    pub start_from: Option<String>,
    #[param(rename = "start_time__lte")]
    pub start_to: Option<String>,
    /// Open incidents end infinitely late. Stateless ones never match.
    #[param(rename = "end_time__gte")]
    pub end_from: Option<String>,
    #[param(rename = "end_time__lte")]
    pub end_to: Option<String>,
    /// True: stateless, false: stateful.
    #[param(rename = "end_time__isnull")]
    pub end_is_null: Option<bool>,
    /// At least this many minutes. Open incidents last until now.
    #[param(rename = "duration__gte")]
    pub duration: Option<f64>,
    /// Only the server's own incidents about expiring tokens.
    pub token_expiry: Option<bool>,
    /// Excludes incidents that are both closed and acknowledged.
    pub hide_closed_acked: Option<bool>,
    /// Covered by active planned maintenance.
    pub under_maintenance: Option<bool>,
    /// Matches a saved filter of the caller, or a public one.
    pub filter_pk: Option<u64>,
    /// Matches any filter of a profile of the caller.
    pub notificationprofile_pk: Option<u64>,
    /// Returns `{"count", "params"}` instead of the list.
    pub count: Option<String>,
}

/// Parameters that `mine/` ignores.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WideQuery {
    /// Comma separated.
    #[param(rename = "source__id__in")]
    pub source_ids: Option<String>,
    /// Comma separated, exact.
    #[param(rename = "source__name__in")]
    pub source_names: Option<String>,
    /// Comma separated names of types.
    #[param(rename = "source__type__in")]
    pub source_types: Option<String>,
    /// Greatest level.
    #[param(rename = "level__lte")]
    pub level: Option<f64>,
    /// Comma separated.
    #[param(rename = "id__in")]
    pub ids: Option<String>,
    /// Words that must all occur in the descriptions of the incident and its events.
    pub search: Option<String>,
}

/// Incidents that are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    /// Incidents of the caller's source, or none for end users. Has fewer filters.
    Mine(Option<SourceId>),
}

/// Configuration, time zone, version and caller that parameters are read for.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub directory: &'a Directory,
    pub zone: Tz,
    pub version: Version,
    /// The user whose saved filters can be used, beside public ones.
    pub caller: UserId,
}

/// Converts parameters to criteria. The error contains all invalid parameters.
pub fn criteria(params: &Params, scope: Scope, context: Context<'_>) -> Result<AnyOf, ApiError> {
    let mut reader = Reader { params, context, errors: Map::new() };
    let mut criteria = Criteria::default();
    reader.state(&mut criteria);
    reader.times(&mut criteria);
    criteria.source_incident_id = params.get("source_incident_id").map(str::to_owned);
    criteria.tags = reader.tags();
    match scope {
        Scope::All => reader.wide(&mut criteria),
        Scope::Mine(source) => criteria.sources = Some(source.into_iter().collect()),
    }
    reader.token_expiry(&mut criteria);
    let wanted = reader.stored_filters(criteria);
    if reader.errors.is_empty() { Ok(wanted) } else { Err(ApiError::fields(reader.errors)) }
}

struct Reader<'a> {
    params: &'a Params,
    context: Context<'a>,
    errors: Map<String, Value>,
}

impl<'a> Reader<'a> {
    fn error(&mut self, name: &str, text: impl Into<String>) {
        self.errors.insert(name.to_owned(), json!([text.into()]));
    }

    /// Reads a parameter with `read`. `None` if it is absent or invalid; the latter is recorded as an error.
    fn parse<T>(&mut self, name: &str, error: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = read(self.params.get(name)?);
        if value.is_none() {
            self.error(name, error);
        }
        value
    }

    /// Reads a boolean. Any value but true and false means "not filtered".
    fn flag(&self, name: &str) -> Option<bool> {
        match self.params.get(name)? {
            "true" | "True" | "1" => Some(true),
            "false" | "False" | "0" => Some(false),
            _ => None,
        }
    }

    fn items(&mut self, name: &str, most: usize) -> Option<Vec<&'a str>> {
        let items: Vec<&str> = self.params.get(name)?.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
        if items.len() > most {
            self.error(name, super::error::too_many(most));
            return None;
        }
        Some(items)
    }

    fn state(&mut self, criteria: &mut Criteria) {
        let mut blob = FilterBlob::default();
        for (criterion, slot) in blob.slots() {
            match slot {
                Slot::Either(wanted) => *wanted = self.flag(criterion.key),
                Slot::Flag(wanted) => *wanted = self.flag(criterion.key) == Some(true),
                _ => {}
            }
        }
        *criteria = blob.plain_criteria(&blob);
        criteria.has_ticket = self.flag("ticket");
        criteria.under_maintenance = self.flag("under_maintenance");
        if let Some(stateless) = self.flag("end_time__isnull") {
            if criteria.stateful == Some(stateless) {
                match_nothing(criteria);
            }
            criteria.stateful = Some(!stateless);
        }
    }

    fn times(&mut self, criteria: &mut Criteria) {
        let zone = self.context.zone;
        let mut time = |name| {
            let read = |text: &str| crate::domain::datetime::parse(text.trim(), zone);
            self.parse(name, "Enter a valid date/time.", read)
        };
        criteria.start_from = time("start_time__gte");
        criteria.start_to = time("start_time__lte");
        criteria.end_from = time("end_time__gte");
        criteria.end_to = time("end_time__lte");
        let minutes = self.parse("duration__gte", values::NO_NUMBER, values::number);
        criteria.min_duration = minutes.filter(|minutes| *minutes != 0.0).map(|minutes| (minutes * 60e6) as i64);
    }

    fn tags(&mut self) -> Vec<Vec<Tag>> {
        let Some(items) = self.items("tags", limits::TAGS_PER_INCIDENT) else { return Vec::new() };
        let tags: Option<Vec<Tag>> =
            items.into_iter().map(|item| Tag::parse(item).ok().filter(|tag| !tag.value().is_empty())).collect();
        if tags.is_none() {
            self.error("tags", self.context.version.bad_tag_filter());
        }
        tag_groups(tags.unwrap_or_default())
    }

    /// Reads the parameters that `mine/` ignores.
    fn wide(&mut self, criteria: &mut Criteria) {
        if let Some(keys) = self.keys("source__id__in") {
            narrow(&mut criteria.sources, keys.into_iter().map(SourceId).collect());
        }
        if let Some(keys) = self.keys("id__in") {
            narrow(&mut criteria.ids, keys.into_iter().map(IncidentId).collect());
        }
        let sources = &self.context.directory.sources;
        if let Some(names) = self.items("source__name__in", limits::FILTER_VALUES) {
            let named = sources.values().filter(|source| names.contains(&source.name.as_str()));
            narrow(&mut criteria.sources, named.map(|source| source.id).collect());
        }
        if let Some(types) = self.items("source__type__in", limits::FILTER_VALUES) {
            if types.iter().any(|name| !self.context.directory.source_types.contains(*name)) {
                let text = "Select a valid choice. That choice is not one of the available choices.";
                self.error("source__type__in", text);
            }
            let of_type = sources.values().filter(|source| types.contains(&source.source_type.as_str()));
            narrow(&mut criteria.sources, of_type.map(|source| source.id).collect());
        }
        let level = self.parse("level__lte", values::NO_NUMBER, values::number);
        criteria.max_level = level.map(|level| level.floor().clamp(0.0, 255.0) as u8);
        self.search(criteria);
    }

    fn keys(&mut self, name: &str) -> Option<BTreeSet<u64>> {
        let keys = values::keys(&self.items(name, limits::FILTER_VALUES)?);
        if keys.is_none() {
            self.error(name, values::NO_NUMBER);
        }
        keys
    }

    fn search(&mut self, criteria: &mut Criteria) {
        let Some(text) = self.params.get("search") else { return };
        if text.chars().count() > limits::SEARCH_TEXT {
            return self.error("search", super::error::too_long(limits::SEARCH_TEXT));
        }
        criteria.words = search_words(text);
        if criteria.words.len() > limits::SEARCH_WORDS {
            self.error("search", format!("Search for at most {} words.", limits::SEARCH_WORDS));
        }
    }

    /// Limits the list to the server's own incidents about expiring tokens (contract section 23).
    fn token_expiry(&mut self, criteria: &mut Criteria) {
        if self.flag("token_expiry").is_none() {
            return;
        }
        let own = self.context.directory.sources.values().filter(|source| source.source_type == OWN_SOURCE);
        narrow(&mut criteria.sources, own.map(|source| source.id).collect());
        criteria.tags.extend(Tag::parse(&FaultKind::TokenExpiry.tag()).ok().map(|tag| vec![tag]));
    }

    /// Adds saved filters. Unknown ones match nothing. Of the filters of a profile, any may match.
    fn stored_filters(&mut self, mut criteria: Criteria) -> AnyOf {
        let mut key = |name| self.parse(name, "Enter a whole number.", values::whole_number);
        let (filter, profile) = (key("filter_pk"), key("notificationprofile_pk"));
        let Context { directory, caller, .. } = self.context;
        if let Some(key) = filter {
            let filter = u64::try_from(key).ok().and_then(|key| directory.usable_filter(caller, FilterId(key)));
            let kept = filter.map_or_else(Criteria::nothing, |filter| filter.blob.to_criteria(directory));
            criteria.narrow_to(kept);
        }
        let Some(key) = profile else { return criteria.into() };
        let profile = u64::try_from(key).ok().and_then(|key| directory.profile_of(caller, ProfileId(key)));
        let AnyOf(kept) = profile.map(|profile| of_profile(profile, directory)).unwrap_or_default();
        let narrowed = kept.into_iter().map(|kept| {
            let mut criteria = criteria.clone();
            criteria.narrow_to(kept);
            criteria
        });
        AnyOf(narrowed.collect())
    }
}

/// Returns criteria that match what any filter of the profile matches (contract section 15).
#[must_use]
pub fn of_profile(profile: &Profile, directory: &Directory) -> AnyOf {
    let filters = profile.filters.iter().filter_map(|id| directory.filters.get(id));
    AnyOf(filters.map(|filter| filter.blob.to_criteria(directory)).collect())
}

fn match_nothing(criteria: &mut Criteria) {
    criteria.ids = Some(BTreeSet::new());
}

#[cfg(test)]
mod tests;
