//! Filters and refusals as text.

use crate::domain::{
    Directory, FilterBlob, FilterId, Level, SourceId, Tag,
    criterion::{Criterion, Given},
    filter::tag_groups,
    limits::CRITERIA_SHOWN,
};
use crate::service::{NotificationRefusal, ProfileLabel, Refusal};
use crate::web::Problem;

/// Greatest number of names in a list.
const NAMES: usize = 6;
/// Greatest length of a name in a list, in characters.
const NAME: usize = 80;

/// Describes the criteria of a filter, one text for each. Empty if there are no criteria, and the filter matches
/// nothing.
#[must_use]
pub fn criteria(blob: &FilterBlob, directory: &Directory) -> Vec<String> {
    let mut given: Vec<_> = blob.given().filter(|(_, given)| given.is_set()).collect();
    given.sort_by_key(|(_, given)| match given {
        Given::Either(_) => 0,
        Given::Flag(_) => 1,
        Given::MaxLevel(_) => 2,
        Given::Names(_) => 3,
        Given::Sources(_) => 4,
        Given::Tags(_) | Given::EventTypes(_) => 5,
    });
    given.into_iter().flat_map(|(criterion, given)| criterion_words(criterion, given, directory)).collect()
}

/// Describes a criterion that is set. Tags have one text for each key.
fn criterion_words(criterion: &Criterion, given: Given<'_>, directory: &Directory) -> Vec<String> {
    let of = |names: Vec<String>| format!("{} {}", criterion.noun, any(names.into_iter()));
    vec![match given {
        Given::Either(wanted) => criterion.states[usize::from(*wanted != Some(true))].to_owned(),
        Given::Flag(_) => criterion.noun.to_owned(),
        Given::MaxLevel(Some(level)) if *level != Level::CRITICAL => format!("levels 1 to {}", level.get()),
        Given::MaxLevel(_) => "level 1".to_owned(),
        Given::Names(names) => of(names.clone().unwrap_or_default()),
        Given::Sources(ids) => of(ids.iter().flatten().map(|id| source(*id, directory)).collect()),
        Given::EventTypes(kinds) => of(kinds.iter().flatten().map(|kind| kind.display().to_owned()).collect()),
        Given::Tags(tags) => {
            let groups = tag_groups(tags.iter().flatten().filter_map(|tag| Tag::parse(tag).ok()));
            return groups.iter().map(|group| of(group.iter().map(Tag::to_string).collect())).collect();
        }
    }]
}

/// Describes the criteria in one line of limited length. Empty if there are none.
#[must_use]
pub fn brief(blob: &FilterBlob, directory: &Directory) -> String {
    shortened(&criteria(blob, directory).join(", "), CRITERIA_SHOWN)
}

/// Returns the text, or its beginning with an ellipsis, in at most `most` characters.
#[must_use]
pub fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[must_use]
pub fn source(id: SourceId, directory: &Directory) -> String {
    directory.source(id).map_or_else(|| format!("number {id} (deleted)"), |source| source.name.clone())
}

#[must_use]
pub fn filter_name(id: FilterId, directory: &Directory) -> String {
    directory.filters.get(&id).map_or_else(|| format!("filter {id}"), |filter| filter.name.clone())
}

/// Converts a refusal to the problem that a form shows.
#[must_use]
pub fn refusal(refusal: &Refusal) -> Problem {
    let text = match refusal {
        Refusal::Notification(it) => notification(it),
        Refusal::TimeslotExists { name, .. } => Some(format!("Name: you already have a timeslot “{name}”.")),
        Refusal::FilterExists { name, .. } => Some(format!("Name: you already have a filter “{name}”.")),
        Refusal::UnknownKey { field, .. } => {
            Some(format!("{}: one that you chose no longer exists. Choose again.", capital(field)))
        }
        _ => None,
    };
    let problem = Problem::refused(refusal);
    match text {
        Some(text) => problem.saying(text),
        None => problem,
    }
}

/// Returns the text with a capital first letter.
#[must_use]
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default() + letters.as_str()
}

fn notification(refusal: &NotificationRefusal) -> Option<String> {
    use NotificationRefusal as R;
    Some(match refusal {
        R::ProfileExists => "Name: you already have a profile with this name.".to_owned(),
        R::DestinationExists => "You already have a destination with this address.".to_owned(),
        R::LabelTaken => "Label: another destination of this medium already has it.".to_owned(),
        R::DestinationSynced => {
            "Not deleted: this destination follows the e-mail address of your account. Change that address instead."
                .to_owned()
        }
        R::FilterInProfiles(labels) | R::DestinationInProfiles(labels) => {
            format!("Not deleted: it is in use in {}.", profiles(labels))
        }
        R::FilterInMaintenance(ids) => {
            let ids = ids.iter().map(|id| format!("number {id}"));
            format!("Not deleted: planned maintenance uses it: {}.", list(ids, "and"))
        }
        R::FilterInRules(names) | R::TimeslotInRules(names) => {
            format!("Not deleted: it is in use in the rules {}.", list(quoted(names), "and"))
        }
        R::MaintenanceEndsBeforeStart => "End must be after start.".to_owned(),
        R::MaintenanceStarted => "Start: cannot change, it has begun.".to_owned(),
        R::MaintenanceOver => "It ended more than 12 hours ago and can no longer be changed.".to_owned(),
        R::MaintenanceEnded => "It has already ended.".to_owned(),
        R::MaintenanceNotAhead => "Not deleted: it has begun. End it instead.".to_owned(),
        _ => return None,
    })
}

fn profiles(labels: &[ProfileLabel]) -> String {
    let label = |label: &ProfileLabel| match label {
        ProfileLabel::Named(name) => format!("your profile “{name}”"),
        ProfileLabel::Described { timeslot, .. } => format!("your profile without a name for “{timeslot}”"),
        ProfileLabel::OfOthers(1) => "a profile of another user".to_owned(),
        ProfileLabel::OfOthers(count) => format!("{count} profiles of other users"),
    };
    list(labels.iter().map(label), "and")
}

fn quoted(names: &[String]) -> impl ExactSizeIterator<Item = String> {
    names.iter().map(|name| format!("“{name}”"))
}

fn any(names: impl ExactSizeIterator<Item = String>) -> String {
    list(names, "or")
}

/// Joins names as in "a, b or c". If there are many, only the first ones.
fn list(names: impl ExactSizeIterator<Item = String>, word: &str) -> String {
    let count = names.len();
    let mut shown: Vec<String> = names.take(NAMES).map(|name| shortened(&name, NAME)).collect();
    if count > NAMES {
        shown.push(format!("{} more", count - NAMES));
    }
    match shown.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {word} {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_put_into_words() {
        let blob = FilterBlob {
            open: Some(true),
            acked: Some(false),
            max_level: Level::new(3),
            tags: Some(vec!["host=a".to_owned(), "host=b".to_owned(), "site=x".to_owned()]),
            ..FilterBlob::default()
        };
        let words = criteria(&blob, &Directory::default());
        assert_eq!(words, ["open", "not acknowledged", "levels 1 to 3", "tag host=a or host=b", "tag site=x"]);
        assert!(criteria(&FilterBlob::default(), &Directory::default()).is_empty());
    }

    #[test]
    fn long_filters_are_put_into_few_words() {
        assert_eq!(shortened("åæø", 3), "åæø");
        assert_eq!(shortened("åæøx", 3), "åæ…");
        let tags = (0..200).map(|number| format!("k{number}={}", "x".repeat(900))).collect();
        let blob = FilterBlob { tags: Some(tags), ..FilterBlob::default() };
        let words = brief(&blob, &Directory::default());
        assert_eq!(words.chars().count(), CRITERIA_SHOWN);
        assert!(words.starts_with("tag k0=xxx") && words.contains("…, tag k1=") && words.ends_with('…'), "{words}");
        assert_eq!(brief(&FilterBlob::default(), &Directory::default()), "");
    }

    #[test]
    fn refusals_name_who_is_in_the_way() {
        let labels = vec![ProfileLabel::Named("Night".to_owned()), ProfileLabel::OfOthers(2)];
        let text = refusal(&NotificationRefusal::FilterInProfiles(labels).into()).to_string();
        assert_eq!(text, "Not deleted: it is in use in your profile “Night” and 2 profiles of other users.");
        let names = (0..9).map(|number| number.to_string()).collect();
        let text = refusal(&NotificationRefusal::TimeslotInRules(names).into()).to_string();
        assert!(text.ends_with("“5” and 3 more."), "{text}");
    }
}
