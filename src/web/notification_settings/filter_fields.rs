//! The criteria of a filter as fields of a form, and as the address of the list with its matches.

use url::form_urlencoded::Serializer;

use super::words;
use crate::domain::{
    Directory, EventType, FilterBlob, Level, SourceId, Tag,
    criterion::{Criterion, Given, Slot},
    limits::{FILTER_VALUES, TAG},
};
use crate::web::{FormFields, Problem, offered};

/// Number of empty tag fields, for browsers without scripts.
const SPARE_TAGS: usize = 2;

/// Box that can be checked.
pub struct Tick {
    pub value: String,
    pub name: String,
    pub detail: String,
    pub ticked: bool,
}

/// Fields of the form for the criteria of a filter.
pub struct CriteriaFields {
    pub eithers: Vec<(&'static Criterion, Option<bool>)>,
    pub flags: Vec<(&'static Criterion, bool)>,
    pub level: u8,
    pub sources: Vec<Tick>,
    pub source_types: Vec<Tick>,
    pub event_types: Vec<Tick>,
    /// Tags as entered, and some empty ones.
    pub tags: Vec<String>,
}

impl CriteriaFields {
    #[must_use]
    pub fn new(blob: &FilterBlob, directory: &Directory) -> Self {
        let chosen = blob.source_ids.clone().unwrap_or_default();
        let tick =
            |value: String, name: &str, ticked| Tick { value, name: name.to_owned(), detail: String::new(), ticked };
        let mut ids: Vec<SourceId> = directory.sources.values().map(|source| source.id).collect();
        ids.extend(chosen.iter().filter(|id| directory.source(**id).is_none()));
        let source = |id: SourceId| Tick {
            detail: directory.source(id).map(|source| source.source_type.clone()).unwrap_or_default(),
            ..tick(id.to_string(), &words::source(id, directory), chosen.contains(&id))
        };
        let mut sources: Vec<Tick> = ids.into_iter().map(source).collect();
        sources.sort_by(|one, other| (&one.detail, &one.name).cmp(&(&other.detail, &other.name)));
        let types = blob.source_types.as_deref().unwrap_or_default();
        let names = offered::source_types(directory, types).into_iter();
        let source_types = names.map(|name| tick(name.clone(), &name, types.contains(&name)));
        let kinds = blob.event_types.as_deref().unwrap_or_default();
        let event_types = EventType::ALL.into_iter();
        let event_types = event_types.map(|it| tick(it.code().to_owned(), it.display(), kinds.contains(&it)));
        let mut tags = blob.tags.clone().unwrap_or_default();
        tags.extend(std::iter::repeat_n(String::new(), SPARE_TAGS));
        Self {
            eithers: of_kind(blob, |given| if let Given::Either(wanted) = given { Some(*wanted) } else { None }),
            flags: of_kind(blob, |given| if let Given::Flag(wanted) = given { Some(*wanted) } else { None }),
            level: blob.max_level.map_or(0, Level::get),
            sources,
            source_types: source_types.collect(),
            event_types: event_types.collect(),
            tags,
        }
    }
}

fn of_kind<T>(blob: &FilterBlob, read: impl Fn(Given<'_>) -> Option<T>) -> Vec<(&'static Criterion, T)> {
    blob.given().filter_map(|(criterion, given)| Some((criterion, read(given)?))).collect()
}

/// Reads the criteria, and returns the first problem. The invalid value is among them as it was entered.
#[must_use]
pub fn read(fields: &FormFields) -> (FilterBlob, Option<Problem>) {
    let mut blob = FilterBlob::default();
    for (criterion, slot) in blob.slots() {
        let name = criterion.form;
        let texts = || fields.all(name).map(str::to_owned);
        match slot {
            Slot::Either(wanted) => {
                *wanted = match fields.get(name) {
                    Some("yes") => Some(true),
                    Some("no") => Some(false),
                    _ => None,
                }
            }
            Slot::Flag(wanted) => *wanted = fields.ticked(name),
            Slot::MaxLevel(max) => {
                *max = fields.numbers(name).next().and_then(|level| Level::new(level.try_into().ok()?));
            }
            Slot::Sources(ids) => *ids = listed(fields.numbers(name).map(SourceId)),
            Slot::Names(names) | Slot::Tags(names) => *names = listed(texts()),
            Slot::EventTypes(kinds) => *kinds = listed(fields.all(name).filter_map(EventType::from_code)),
        }
    }
    let problem = problem(&blob);
    (blob, problem)
}

fn listed<T>(items: impl Iterator<Item = T>) -> Option<Vec<T>> {
    Some(items.collect()).filter(|items: &Vec<T>| !items.is_empty())
}

/// Returns the address of the list of matching incidents.
#[must_use]
pub fn list_address(blob: &FilterBlob) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(blob.pairs(|given| matches!(given, Given::Either(_))));
    query.extend_pairs(blob.pairs(|given| matches!(given, Given::MaxLevel(_))));
    query.extend_pairs(blob.pairs(|given| given.is_list()));
    query.extend_pairs(blob.pairs(|given| matches!(given, Given::Flag(_))));
    format!("/incidents/?{}", query.finish())
}

fn problem(blob: &FilterBlob) -> Option<Problem> {
    let tags = blob.tags.as_deref().unwrap_or_default();
    if let Some(bad) = tags.iter().find(|tag| Tag::parse(tag).is_err()) {
        let shown: String = bad.chars().take(60).collect();
        let text =
            format!("Tags: “{shown}” is not a tag. Enter key=value, such as host=web1; keys have a–z, 0–9 and _.");
        return Some(Problem::of("tags", text).with_value(bad));
    }
    if let Some(long) = tags.iter().find(|tag| tag.chars().count() > TAG) {
        return Some(Problem::of("tags", format!("Tags: one is longer than {TAG} characters.")).with_value(long));
    }
    let longest =
        [tags.len(), blob.source_ids.as_ref().map_or(0, Vec::len), blob.source_types.as_ref().map_or(0, Vec::len)];
    (longest.iter().any(|count| *count > FILTER_VALUES))
        .then(|| format!("A filter has at most {FILTER_VALUES} of each.").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_criteria_and_an_address() {
        let (blob, problem) = read(&FormFields::parse(
            b"open=yes&acked=no&stateful=&level=3&sources=2&sources=x&tags=host%3Da&tags=&event_types=STA&event_types=XXX",
        ));
        assert_eq!(problem, None);
        assert_eq!((blob.open, blob.acked, blob.stateful), (Some(true), Some(false), None));
        assert_eq!(blob.source_ids, Some(vec![SourceId(2)]));
        assert_eq!(blob.event_types, Some(vec![EventType::Start]));
        assert_eq!(
            list_address(&blob),
            "/incidents/?open=true&acked=false&level=1&level=2&level=3&source=2&tags=host%3Da&event_type=STA"
        );
        assert!(read(&FormFields::default()).0.is_empty());
    }

    #[test]
    fn a_text_that_is_no_tag_is_named() {
        let (blob, problem) = read(&FormFields::parse(b"tags=host"));
        let problem = problem.unwrap();
        assert!(problem.to_string().contains("“host”"));
        assert_eq!((problem.field(), problem.value()), (Some("tags"), Some("host")));
        assert_eq!(blob.tags, Some(vec!["host".to_owned()]));
    }

    #[test]
    fn what_is_gone_is_still_shown() {
        let blob = FilterBlob {
            source_ids: Some(vec![SourceId(9)]),
            source_types: Some(vec!["old".to_owned()]),
            ..FilterBlob::default()
        };
        let fields = CriteriaFields::new(&blob, &Directory::default());
        assert!(fields.sources[0].ticked && fields.source_types[0].ticked);
    }
}
