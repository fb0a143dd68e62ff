//! The criteria of a filter as fields of a form, and as the address of the list that shows what matches.

use url::form_urlencoded::Serializer;

use super::words;
use crate::{
    domain::{
        directory::Directory,
        event::EventType,
        ids::SourceId,
        limits::{FILTER_VALUES, TAG},
        severity::Level,
        stored_filter::FilterBlob,
        tag::Tag,
    },
    web::{form::Fields, offered, problem::Problem},
};

/// Tags to be filled in where there are no scripts.
const SPARE_TAGS: usize = 2;

/// A box that can be ticked.
pub struct Tick {
    pub value: String,
    pub name: String,
    pub detail: String,
    pub ticked: bool,
}

/// What the form shows of a filter's criteria.
pub struct CriteriaFields {
    pub open: Option<bool>,
    pub acked: Option<bool>,
    pub stateful: Option<bool>,
    pub level: u8,
    pub hide_closed_acked: bool,
    pub sources: Vec<Tick>,
    pub source_types: Vec<Tick>,
    pub event_types: Vec<Tick>,
    /// As typed, and some empty ones.
    pub tags: Vec<String>,
}

impl CriteriaFields {
    #[must_use]
    pub fn new(blob: &FilterBlob, directory: &Directory) -> Self {
        let chosen = blob.source_ids.clone().unwrap_or_default();
        let mut ids: Vec<SourceId> = directory.sources_sorted().into_iter().map(|source| source.id).collect();
        ids.extend(chosen.iter().filter(|id| directory.source(**id).is_none()));
        let mut sources: Vec<Tick> = ids
            .into_iter()
            .map(|id| Tick {
                value: id.to_string(),
                name: words::source(id, directory),
                detail: directory.source(id).map(|source| source.source_type.clone()).unwrap_or_default(),
                ticked: chosen.contains(&id),
            })
            .collect();
        sources.sort_by(|one, other| (&one.detail, &one.name).cmp(&(&other.detail, &other.name)));
        let types = blob.source_types.clone().unwrap_or_default();
        let names = offered::source_types(directory, &types);
        let tick = |name: String, ticked| Tick { value: name.clone(), name, detail: String::new(), ticked };
        let source_types = names.into_iter().map(|name| {
            let ticked = types.contains(&name);
            tick(name, ticked)
        });
        let kinds = blob.event_types.clone().unwrap_or_default();
        let event_types = EventType::ALL.into_iter().map(|kind| Tick {
            value: kind.code().to_owned(),
            name: kind.display().to_owned(),
            detail: String::new(),
            ticked: kinds.contains(&kind),
        });
        let mut tags = blob.tags.clone().unwrap_or_default();
        tags.extend(std::iter::repeat_n(String::new(), SPARE_TAGS));
        Self {
            open: blob.open,
            acked: blob.acked,
            stateful: blob.stateful,
            level: blob.max_level.map_or(0, Level::get),
            hide_closed_acked: blob.hide_closed_acked,
            sources,
            source_types: source_types.collect(),
            event_types: event_types.collect(),
            tags,
        }
    }
}

/// The criteria that were sent, and what is wrong with the first bad one, which is among them as it was typed.
#[must_use]
pub fn read(fields: &Fields) -> (FilterBlob, Option<Problem>) {
    let either = |name| match fields.get(name) {
        Some("yes") => Some(true),
        Some("no") => Some(false),
        _ => None,
    };
    let list = |name| Some(fields.all(name).map(str::to_owned).collect::<Vec<_>>()).filter(|values| !values.is_empty());
    let level = fields.numbers("level").next().and_then(|level| Level::new(level.try_into().ok()?));
    let sources: Vec<SourceId> = fields.numbers("sources").map(SourceId).collect();
    let kinds: Vec<EventType> = fields.all("event_types").filter_map(EventType::from_code).collect();
    let blob = FilterBlob {
        source_ids: Some(sources).filter(|ids| !ids.is_empty()),
        source_types: list("source_types"),
        tags: list("tags"),
        open: either("open"),
        acked: either("acked"),
        stateful: either("stateful"),
        max_level: level,
        event_types: Some(kinds).filter(|kinds| !kinds.is_empty()),
        hide_closed_acked: fields.ticked("hide_closed_acked"),
    };
    let problem = problem(&blob);
    (blob, problem)
}

/// The list of incidents that match.
#[must_use]
pub fn list_address(blob: &FilterBlob) -> String {
    let mut query = Serializer::new(String::new());
    for (name, wanted) in [("open", blob.open), ("acked", blob.acked), ("stateful", blob.stateful)] {
        if let Some(wanted) = wanted {
            query.append_pair(name, if wanted { "true" } else { "false" });
        }
    }
    for level in 1..=blob.max_level.map_or(0, Level::get) {
        query.append_pair("level", &level.to_string());
    }
    for id in blob.source_ids.iter().flatten() {
        query.append_pair("source", &id.to_string());
    }
    for name in blob.source_types.iter().flatten() {
        query.append_pair("source_type", name);
    }
    for tag in blob.tags.iter().flatten() {
        query.append_pair("tags", tag);
    }
    for kind in blob.event_types.iter().flatten() {
        query.append_pair("event_type", kind.code());
    }
    if blob.hide_closed_acked {
        query.append_pair("hide_closed_acked", "true");
    }
    format!("/incidents/?{}", query.finish())
}

fn problem(blob: &FilterBlob) -> Option<Problem> {
    let tags = blob.tags.as_deref().unwrap_or_default();
    if let Some(bad) = tags.iter().find(|tag| Tag::parse(tag).is_err()) {
        let shown: String = bad.chars().take(60).collect();
        let text = format!("Tags: “{shown}” is none. Write key=value, such as host=web1; keys have a–z, 0–9 and _.");
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
        let (blob, problem) = read(&Fields::parse(
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
        assert!(read(&Fields::default()).0.is_empty());
    }

    #[test]
    fn a_text_that_is_no_tag_is_named() {
        let (blob, problem) = read(&Fields::parse(b"tags=host"));
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
