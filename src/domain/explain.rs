//! Explanations why somebody got no message about an event, in words for a person on call.

mod words;

use super::{
    Channel, Contact, Criteria, Destination, DestinationId, Directory, EventType, FilterBlob, FilterId, FilterSubject,
    MaintenanceId, Profile, Rule, StoredFilter, Tag, TimeslotId,
    criterion::CRITERIA,
    event_filter::CompiledFilters,
    filter::Mismatch,
    limits::CALLS_PER_EVENT,
    plan::{NearReason, NotificationCause, Occurrence, Silence},
    subscription::Basis,
};

/// The reason why no message was sent. It is determined from the configuration at the time of the decision, so later
/// changes do not affect it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Stable identifier, on which programs may depend.
    pub code: &'static str,
    pub sentence: String,
    /// The part of the configuration that decided.
    pub clause: Option<Clause>,
    /// Name of the filter criterion that decided, as in the filter's blob.
    pub criterion: Option<&'static str>,
    pub wanted: Option<String>,
    pub actual: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    pub kind: ClauseKind,
    /// Primary key. `None`: there is only one of this kind.
    pub id: Option<u64>,
    /// Name, or the description of planned maintenance.
    pub name: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClauseKind {
    Profile,
    Rule,
    User,
    Filter,
    Timeslot,
    Maintenance,
    Destination,
    Setting,
}

impl ClauseKind {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Rule => "rule",
            Self::User => "user",
            Self::Filter => "filter",
            Self::Timeslot => "timeslot",
            Self::Maintenance => "maintenance",
            Self::Destination => "destination",
            Self::Setting => "setting",
        }
    }
}

/// Returns the stable code of a reason, even if there is no explanation in words.
#[must_use]
pub const fn code(silence: Silence) -> &'static str {
    match silence {
        Silence::ProfileInactive => "profile_inactive",
        Silence::RuleInactive => "rule_inactive",
        Silence::NotRecipient => "not_recipient",
        Silence::OwnerInactive => "owner_inactive",
        Silence::NoFilter => "no_filter",
        Silence::Filter(_, Mismatch::Nothing) => "filter_matches_nothing",
        Silence::Filter(_, _) => "filter",
        Silence::EventType => "event_type",
        Silence::Near(NearReason::OutsideTimeslot(_)) => "outside_timeslot",
        Silence::Near(NearReason::Maintenance(_)) => "maintenance",
        Silence::Near(NearReason::SendingOff) => "sending_off",
        Silence::Near(NearReason::NoDestination) => "no_destination",
        Silence::Near(NearReason::Covered(_)) => "already_told",
        Silence::Near(NearReason::Reported) => "destination_reported",
        Silence::Near(NearReason::TooMany { .. }) => "too_many_recipients",
    }
}

/// The route to a recipient that is explained.
#[derive(Clone, Copy, Debug)]
pub enum ExplainedRoute<'a> {
    All,
    Destination(DestinationId),
    /// A contact via a channel. `None`: the channel was deleted.
    Channel(&'a Contact, Option<&'a Channel>),
}

/// Explains what prevented messages from a profile or a rule to its recipients, or by one route to them. `directory` is
/// the configuration at the time of the decision.
#[must_use]
pub fn explain(
    silence: Silence,
    basis: &Basis,
    target: ExplainedRoute<'_>,
    directory: &Directory,
    occurrence: &Occurrence<'_>,
) -> Reason {
    let context = ReasonContext { basis, directory, occurrence };
    let builder = match silence {
        Silence::ProfileInactive | Silence::RuleInactive => context.inactive(),
        Silence::NotRecipient => context.not_recipient(),
        Silence::OwnerInactive => context.owner_inactive(),
        Silence::NoFilter => context.no_filter(),
        Silence::Filter(id, mismatch) => context.filter(id, mismatch),
        Silence::EventType => context.event_type(),
        Silence::Near(NearReason::OutsideTimeslot(id)) => context.outside_timeslot(id),
        Silence::Near(NearReason::Maintenance(id)) => context.maintenance(id),
        Silence::Near(NearReason::SendingOff) => ReasonBuilder::new("Sending was switched off on this server.")
            .by(Clause { kind: ClauseKind::Setting, id: None, name: None }),
        Silence::Near(NearReason::NoDestination) => context.no_destination(target),
        Silence::Near(NearReason::Covered(by)) => context.covered(by, target),
        Silence::Near(NearReason::Reported) => context.reported(target),
        Silence::Near(NearReason::TooMany { left_out }) => context.too_many(left_out),
    };
    let ReasonBuilder { sentence, clause, criterion, values } = builder;
    let (wanted, actual) = values.unzip();
    Reason { code: code(silence), sentence, clause, criterion, wanted, actual }
}

/// Returns name and primary key of a filter.
#[must_use]
pub fn filter_name(filter: &StoredFilter) -> String {
    format!("\"{}\" (pk {})", filter.name, filter.id)
}

#[must_use]
pub fn profile_name(profile: &Profile) -> String {
    match &profile.name {
        Some(name) => format!("\"{name}\" (pk {})", profile.id),
        None => format!("without a name (pk {})", profile.id),
    }
}

#[must_use]
pub fn rule_name(rule: &Rule) -> String {
    format!("\"{}\" (pk {})", rule.name, rule.id)
}

/// Returns the medium, the label or else the address, and the primary key.
#[must_use]
pub fn destination_name(destination: &Destination) -> String {
    let address = destination.shown();
    match &destination.label {
        Some(label) if !label.is_empty() => format!("{} \"{label}\" (pk {})", destination.medium, destination.id),
        _ if address.is_empty() => format!("{} (pk {})", destination.medium, destination.id),
        _ => format!("{} {address} (pk {})", destination.medium, destination.id),
    }
}

struct ReasonContext<'a> {
    basis: &'a Basis,
    directory: &'a Directory,
    occurrence: &'a Occurrence<'a>,
}

/// A reason that is being built.
struct ReasonBuilder {
    sentence: String,
    clause: Option<Clause>,
    criterion: Option<&'static str>,
    /// The wanted and the actual value.
    values: Option<(String, String)>,
}

impl ReasonBuilder {
    fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), clause: None, criterion: None, values: None }
    }

    fn by(self, clause: Clause) -> Self {
        Self { clause: Some(clause), ..self }
    }

    fn comparing(self, wanted: impl Into<String>, actual: impl Into<String>) -> Self {
        Self { values: Some((wanted.into(), actual.into())), ..self }
    }
}

impl ReasonContext<'_> {
    fn clause(&self) -> Clause {
        match self.basis {
            Basis::Profile(profile) => {
                Clause { kind: ClauseKind::Profile, id: Some(profile.id.0), name: profile.name.clone() }
            }
            Basis::Rule(rule) => Clause { kind: ClauseKind::Rule, id: Some(rule.id.0), name: Some(rule.name.clone()) },
        }
    }

    /// Returns the name of the profile or rule for the beginning of a sentence.
    fn name(&self) -> String {
        match self.basis {
            Basis::Profile(profile) => format!("Profile {}", profile_name(profile)),
            Basis::Rule(rule) => format!("Rule {}", rule_name(rule)),
        }
    }

    fn inactive(&self) -> ReasonBuilder {
        let sentence = format!("{} was switched off.", self.name());
        ReasonBuilder::new(sentence).by(self.clause()).comparing("active", "inactive")
    }

    fn not_recipient(&self) -> ReasonBuilder {
        ReasonBuilder::new(format!("{} did not lead to this contact.", self.name())).by(self.clause())
    }

    fn owner_inactive(&self) -> ReasonBuilder {
        let id = match self.basis {
            Basis::Profile(profile) => profile.owner,
            Basis::Rule(rule) => rule.owner,
        };
        let name = self.directory.user(id).map(|user| user.username.clone());
        let sentence = format!("The account {} was deactivated.", name.as_deref().unwrap_or("of the owner"));
        let clause = Clause { kind: ClauseKind::User, id: Some(id.0), name };
        ReasonBuilder::new(sentence).by(clause).comparing("active", "inactive")
    }

    fn no_filter(&self) -> ReasonBuilder {
        let sentence = format!("{} had no filter, so nothing could match it.", self.name());
        ReasonBuilder::new(sentence).by(self.clause())
    }

    fn no_destination(&self, target: ExplainedRoute<'_>) -> ReasonBuilder {
        let sentence = match (target, self.basis) {
            (ExplainedRoute::Channel(contact, Some(channel)), _) => {
                let (name, kind) = (&channel.name, &channel.kind);
                format!("{} had no address of type {kind} for the channel \"{name}\".", contact.full_name)
            }
            (ExplainedRoute::Channel(..), _) => format!("{} leads over a channel that did not exist.", self.name()),
            (_, Basis::Profile(_)) => format!("{} had no destination to send to.", self.name()),
            (_, Basis::Rule(_)) => format!("{} had no recipients.", self.name()),
        };
        ReasonBuilder::new(sentence).by(self.clause())
    }

    fn filter(&self, id: FilterId, mismatch: Mismatch) -> ReasonBuilder {
        let stored = self.directory.filters.get(&id);
        let clause = Clause { kind: ClauseKind::Filter, id: Some(id.0), name: stored.map(|it| it.name.clone()) };
        let Some(stored) = stored else {
            return ReasonBuilder::new(format!("Filter {id} did not match.")).by(clause);
        };
        if mismatch == Mismatch::Nothing {
            return self.matches_nothing(stored).by(clause);
        }
        let whole = stored.blob.or(&self.directory.settings.fallback);
        let asked = FilterComparison {
            criteria: &whole.to_criteria(self.directory),
            whole,
            directory: self.directory,
            about: &self.occurrence.about,
        };
        let ComparedCriterion { criterion, wants, was, wanted, actual } = asked.compare(mismatch);
        let is_own = stored.blob.given().find(|(it, _)| it.key == criterion).is_none_or(|(_, given)| given.is_set());
        let fallback = if is_own { "" } else { ", completed by the server's fallback filter," };
        let sentence = format!("Filter {}{fallback} wants {wants}, but {was}.", filter_name(stored));
        ReasonBuilder {
            criterion: Some(criterion),
            ..ReasonBuilder::new(sentence).by(clause).comparing(wanted, actual)
        }
    }

    fn matches_nothing(&self, stored: &StoredFilter) -> ReasonBuilder {
        let name = filter_name(stored);
        if stored.blob.is_empty() {
            return ReasonBuilder::new(format!("Filter {name} has no criterion; such a filter matches nothing."));
        }
        let whole = stored.blob.or(&self.directory.settings.fallback);
        let Some(text) = whole.tags.iter().flatten().find(|text| Tag::parse(text).is_err()) else {
            return ReasonBuilder::new(format!("Filter {name} can match nothing."));
        };
        let sentence = format!("Filter {name} wants the tag \"{text}\", which no incident can have.");
        ReasonBuilder { criterion: Some("tags"), ..ReasonBuilder::new(sentence).comparing(text, self.all_tags()) }
    }

    fn all_tags(&self) -> String {
        words::list(self.occurrence.about.tags.iter().map(|it| it.tag.to_string()), "and", "no tags")
    }

    fn event_type(&self) -> ReasonBuilder {
        let kind = self.occurrence.kind;
        let ids = self.basis.filters();
        let compiled = CompiledFilters::new(self.directory).all(ids);
        let let_through = EventType::ALL
            .into_iter()
            .filter(|kind| compiled.iter().any(|filter| filter.event_types.is_none_or(|types| types.contains(*kind))));
        let wanted = words::list(let_through.map(|it| it.code().to_owned()), "or", "nothing");
        let names = ids.iter().filter_map(|id| self.directory.filters.get(id));
        let names = words::list(names.map(|it| filter_name(it)), "and", "none");
        let (code, display) = (kind.code(), kind.display());
        let (filters, lets) = if compiled.len() == 1 { ("Filter", "lets") } else { ("Filters", "let") };
        let sentence = format!("{filters} {names} {lets} {wanted} through, but this was {code} ({display}).");
        let clause = match ids {
            [id] => Clause {
                kind: ClauseKind::Filter,
                id: Some(id.0),
                name: self.directory.filters.get(id).map(|filter| filter.name.clone()),
            },
            _ => self.clause(),
        };
        ReasonBuilder {
            criterion: Some("event_types"),
            ..ReasonBuilder::new(sentence).by(clause).comparing(wanted, code)
        }
    }

    fn outside_timeslot(&self, id: TimeslotId) -> ReasonBuilder {
        let zone = self.directory.settings.time_zone;
        let was = words::weekday_and_time(self.occurrence.timestamp, zone);
        let timeslot = self.directory.timeslots.get(&id);
        let clause = Clause { kind: ClauseKind::Timeslot, id: Some(id.0), name: timeslot.map(|it| it.name.clone()) };
        let Some(timeslot) = timeslot else {
            return ReasonBuilder::new(format!("Timeslot {id} did not exist, so it was never open.")).by(clause);
        };
        let open = words::recurrences(&timeslot.recurrences);
        let name = &timeslot.name;
        let sentence = match &open {
            Some(open) => {
                format!("Outside the timeslot \"{name}\": it was {was} in {zone}; the slot is open {open}.")
            }
            None => format!("Outside the timeslot \"{name}\": it was {was} in {zone}; the slot is never open."),
        };
        ReasonBuilder::new(sentence)
            .by(clause)
            .comparing(open.unwrap_or_else(|| "never".to_owned()), format!("{was} in {zone}"))
    }

    fn maintenance(&self, id: MaintenanceId) -> ReasonBuilder {
        let zone = self.directory.settings.time_zone;
        let clause = |name| Clause { kind: ClauseKind::Maintenance, id: Some(id.0), name };
        let Some(maintenance) = self.directory.maintenances.get(&id) else {
            return ReasonBuilder::new(format!("Planned maintenance {id} covered it.")).by(clause(None));
        };
        let named = match maintenance.description.as_str() {
            "" => id.to_string(),
            description => format!("{id} (\"{description}\")"),
        };
        let start = words::date_and_time(maintenance.start, zone);
        let lasts = match maintenance.end {
            Some(end) => format!("from {start} to {}", words::date_and_time(end, zone)),
            None => format!("from {start} on, with no end set"),
        };
        let actual = format!("{} in {zone}", words::date_and_time(self.occurrence.timestamp, zone));
        let sentence = format!("Planned maintenance {named} covered it {lasts}; it happened at {actual}.");
        let outside = format!("not {lasts}");
        ReasonBuilder::new(sentence).by(clause(Some(maintenance.description.clone()))).comparing(outside, actual)
    }

    fn covered(&self, by: NotificationCause, target: ExplainedRoute<'_>) -> ReasonBuilder {
        let led = match target {
            ExplainedRoute::Channel(..) => "address".to_owned(),
            _ => match self.destination(target) {
                Some(destination) => format!("destination, {}", destination_name(destination)),
                None => "destination".to_owned(),
            },
        };
        let (what, clause) = match by {
            NotificationCause::Profile(id) => {
                let other = self.directory.profiles.get(&id);
                let name = other.map_or_else(|| format!("(pk {id})"), |other| profile_name(other));
                let (kind, id) = (ClauseKind::Profile, Some(id.0));
                (format!("profile {name}"), Clause { kind, id, name: other.and_then(|other| other.name.clone()) })
            }
            NotificationCause::Rule(id) => {
                let other = self.directory.rules.get(&id);
                let name = other.map_or_else(|| format!("(pk {id})"), |other| rule_name(other));
                let (kind, id) = (ClauseKind::Rule, Some(id.0));
                (format!("rule {name}"), Clause { kind, id, name: other.map(|other| other.name.clone()) })
            }
        };
        ReasonBuilder::new(format!("Already covered by {what}, which leads to the same {led}.")).by(clause)
    }

    fn too_many(&self, left_out: u32) -> ReasonBuilder {
        let most = CALLS_PER_EVENT;
        let sentence = format!(
            "One event tells at most {most} contacts; of those of {} {left_out} were left out, and this is one of them.",
            self.name().replacen("Rule", "rule", 1)
        );
        ReasonBuilder::new(sentence).by(self.clause())
    }

    fn reported(&self, target: ExplainedRoute<'_>) -> ReasonBuilder {
        let name = match target {
            ExplainedRoute::Channel(_, Some(channel)) => format!("{} messages", channel.kind),
            _ => self.destination(target).map_or_else(|| "it".to_owned(), destination_name),
        };
        let sentence = format!("The incident is about trouble with {name} itself, so that way was not used.");
        let clause = match target {
            ExplainedRoute::Destination(id) => {
                Some(Clause { kind: ClauseKind::Destination, id: Some(id.0), name: Some(name) })
            }
            _ => None,
        };
        ReasonBuilder { clause, ..ReasonBuilder::new(sentence) }
    }

    fn destination(&self, target: ExplainedRoute<'_>) -> Option<&Destination> {
        let ExplainedRoute::Destination(id) = target else { return None };
        self.directory.destinations.get(&id).map(AsRef::as_ref)
    }
}

/// A criterion, compared with the actual value.
struct ComparedCriterion {
    criterion: &'static str,
    /// The part of the sentence that begins with "wants".
    wants: String,
    /// The part of the sentence that begins with "but".
    was: String,
    wanted: String,
    actual: String,
}

/// A filter, compared with an incident or event.
struct FilterComparison<'a> {
    whole: FilterBlob,
    criteria: &'a Criteria,
    directory: &'a Directory,
    about: &'a FilterSubject<'a>,
}

impl FilterComparison<'_> {
    fn compare(&self, mismatch: Mismatch) -> ComparedCriterion {
        let about = self.about;
        let state = |criterion, wanted: &str, actual: &str| ComparedCriterion {
            criterion,
            wants: format!("{} {wanted} incident", if wanted.starts_with(['a', 'o', 'u']) { "an" } else { "a" }),
            was: format!("it was {actual}"),
            wanted: wanted.to_owned(),
            actual: actual.to_owned(),
        };
        // The wanted value is the opposite of the actual one.
        let opposite = |key, is: bool| {
            let words = CRITERIA.iter().find(|it| it.key == key).map(|it| it.adjectives).unwrap_or_default();
            let [yes, no] = words;
            if is { state(key, no, yes) } else { state(key, yes, no) }
        };
        match mismatch {
            Mismatch::Source => self.source(),
            Mismatch::Tags(group) => self.tags(group),
            Mismatch::Level => self.level(),
            Mismatch::Stateful => opposite("stateful", about.stateful),
            Mismatch::Acked => opposite("acked", about.acked),
            Mismatch::Open if about.stateful => opposite("open", about.open),
            Mismatch::Open => {
                let wanted = if self.criteria.open == Some(true) { "open" } else { "closed" };
                state("open", wanted, "stateless, so neither open nor closed")
            }
            Mismatch::Ticket if about.has_ticket => state("ticket", "ticketless", "with a ticket"),
            Mismatch::Ticket => state("ticket", "ticketed", "without a ticket"),
            Mismatch::HideClosedAcked => ComparedCriterion {
                criterion: "hide_closed_acked",
                wants: "nothing that is both closed and acknowledged".to_owned(),
                was: "the incident was".to_owned(),
                wanted: "open or unacknowledged".to_owned(),
                actual: "closed and acknowledged".to_owned(),
            },
            Mismatch::EventTypes | Mismatch::Nothing => ComparedCriterion {
                criterion: "event_types",
                wants: "another type of event".to_owned(),
                was: "this was of none of them".to_owned(),
                wanted: "another type".to_owned(),
                actual: "none of them".to_owned(),
            },
        }
    }

    fn level(&self) -> ComparedCriterion {
        let wanted = match self.criteria.max_level.unwrap_or_default() {
            1 => "level 1".to_owned(),
            max => format!("level {max} or worse"),
        };
        let actual = format!("level {}", self.about.level.get());
        ComparedCriterion {
            criterion: "maxlevel",
            wants: wanted.clone(),
            was: format!("the incident was at {actual}"),
            wanted,
            actual,
        }
    }

    fn tags(&self, group: usize) -> ComparedCriterion {
        let group = self.criteria.tags.get(group).map_or(&[][..], Vec::as_slice);
        let key = group.first().map(Tag::key).unwrap_or_default();
        let wanted = words::list(group.iter().map(Tag::to_string), "or", "nothing");
        let of_key = self.about.tags.iter().filter(|it| it.tag.key() == key);
        let actual = words::list(of_key.map(|it| it.tag.to_string()), "and", &format!("no tag \"{key}\""));
        ComparedCriterion {
            criterion: "tags",
            wants: format!("the tag {wanted}"),
            was: format!("the incident had {actual}"),
            wanted,
            actual,
        }
    }

    fn source(&self) -> ComparedCriterion {
        let source = self.directory.source(self.about.source);
        let ids = self.whole.source_ids.as_ref().filter(|ids| !ids.is_empty());
        let named = |id: u64, name: Option<&str>| match name {
            Some(name) => format!("\"{name}\" (pk {id})"),
            None => format!("pk {id}"),
        };
        let name_of = |id: u64| {
            let source = self.directory.source(super::ids::SourceId(id));
            named(id, source.map(|it| it.name.as_str()))
        };
        let it_was = name_of(self.about.source.0);
        if let Some(ids) = ids.filter(|ids| !ids.contains(&self.about.source)) {
            let wanted = words::list(ids.iter().map(|id| name_of(id.0)), "or", "none");
            return ComparedCriterion {
                criterion: "sourceSystemIds",
                wants: format!("the source {wanted}"),
                was: format!("the incident came from {it_was}"),
                wanted,
                actual: it_was,
            };
        }
        let types = self.whole.source_types.clone().unwrap_or_default();
        let wanted = words::list(types.into_iter().map(|name| format!("\"{name}\"")), "or", "none");
        let actual = source.map_or_else(|| "unknown".to_owned(), |source| format!("\"{}\"", source.source_type));
        ComparedCriterion {
            criterion: "source_types",
            wants: format!("a source of type {wanted}"),
            was: format!("the incident came from {it_was} of type {actual}"),
            wanted,
            actual,
        }
    }
}

#[cfg(test)]
mod tests;
