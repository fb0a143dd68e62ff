//! Views of the list: filter and order, stored in the address in one canonical form.

use std::collections::BTreeSet;

use url::form_urlencoded;

use crate::domain::{
    Criteria, Directory, EventType, FilterBlob, FilterId, IncidentId, Level, LevelSet, SourceId, Tag, Timestamp,
    criterion::{Given, Slot},
    filter::{search_words, tag_groups},
    limits::{SEARCH_TEXT, SEARCH_WORDS, TAG},
};
use crate::service::{Sort, SortColumn, SortedCursor};
use crate::web::FormFields;

/// Query of the view that is shown by default.
pub const DEFAULT: &str = "open=true";

/// Names of the time frames that can be chosen, with their lengths in hours.
pub const FRAMES: [(&str, i64); 7] =
    [("1h", 1), ("3h", 3), ("12h", 12), ("24h", 24), ("3d", 72), ("7d", 168), ("30d", 720)];

const SORTS: [(&str, SortColumn); 7] = [
    ("start", SortColumn::Start),
    ("id", SortColumn::Id),
    ("end", SortColumn::End),
    ("level", SortColumn::Level),
    ("source", SortColumn::Source),
    ("source_type", SortColumn::SourceType),
    ("ticket", SortColumn::Ticket),
];

/// Greatest number of values of one list in a view.
const LONGEST_LIST: usize = 100;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Criteria that saved filters can have, except for the level. None of its lists is empty. Texts are as entered; a
    /// tag that is not valid makes the view match nothing.
    pub wanted: FilterBlob,
    pub ticket: Option<bool>,
    /// Whether active planned maintenance covers the incident.
    pub maintenance: Option<bool>,
    pub levels: Vec<u8>,
    /// Name of one of [`FRAMES`].
    pub frame: Option<&'static str>,
    /// Minimum duration in minutes.
    pub longer: Option<u32>,
    /// Text of the search box: words, `#id`, `key=value`. If it is too long for a search, the view matches nothing.
    pub text: String,
    /// Saved filter that the view started from.
    pub filter: Option<FilterId>,
    pub sort: Option<(SortColumn, bool)>,
    pub cursor: Option<SortedCursor>,
}

impl View {
    #[must_use]
    pub fn parse(fields: &FormFields) -> Self {
        let flag = |name| match fields.get(name) {
            Some("true" | "1" | "yes") => Some(true),
            Some("false" | "0" | "no") => Some(false),
            _ => None,
        };
        // One character more than allowed is kept, so that a text that is too long is recognized.
        let words = |name| unique(fields.all(name).map(|text| start_of(text, TAG + 1)));
        let mut wanted = FilterBlob::default();
        for (criterion, slot) in wanted.slots() {
            let name = criterion.list;
            match slot {
                Slot::Either(wanted) => *wanted = flag(name),
                Slot::Flag(wanted) => *wanted = flag(name) == Some(true),
                Slot::MaxLevel(_) => {}
                Slot::Sources(ids) => *ids = filled(unique(fields.numbers(name).map(SourceId))),
                Slot::Names(texts) | Slot::Tags(texts) => *texts = filled(words(name)),
                Slot::EventTypes(kinds) => {
                    *kinds = filled(unique(fields.all(name).filter_map(EventType::from_code)));
                }
            }
        }
        let mut levels =
            unique(fields.numbers("level").filter_map(|n| u8::try_from(n).ok()).filter(|n| (1..=5).contains(n)));
        levels.sort_unstable();
        Self {
            wanted,
            ticket: flag("ticket"),
            maintenance: flag("maintenance"),
            levels,
            frame: fields
                .get("frame")
                .and_then(|name| FRAMES.iter().find(|(frame, _)| *frame == name))
                .map(|(f, _)| *f),
            longer: fields.get("longer").and_then(|text| text.parse().ok()).filter(|minutes| *minutes > 0),
            text: start_of(fields.get("q").unwrap_or_default(), SEARCH_TEXT + 1),
            filter: fields.get("filter").and_then(|text| text.parse().ok()).map(FilterId),
            sort: fields.get("sort").and_then(parse_sort),
            cursor: fields.get("cursor").and_then(SortedCursor::parse),
        }
    }

    /// Returns the query of the address, without the position in the list.
    #[must_use]
    pub fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.pairs() {
            query.append_pair(name, &value);
        }
        query.finish()
    }

    /// Returns whether this is the first page with the newest incidents first.
    #[must_use]
    pub fn is_newest_first(&self) -> bool {
        self.cursor.is_none() && self.sort.is_none()
    }

    /// Returns the query of the first page with the newest incidents first.
    #[must_use]
    pub fn newest_first(&self) -> String {
        Self { sort: None, cursor: None, ..self.clone() }.query()
    }

    /// Returns the parameters of [`View::query`], which forms also send as hidden fields.
    #[must_use]
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let flag = |name, value: Option<bool>| value.map(|value| (name, value.to_string()));
        let mut pairs: Vec<_> = self.wanted.pairs(|given| matches!(given, Given::Either(_))).collect();
        pairs.extend(flag("ticket", self.ticket));
        pairs.extend(flag("maintenance", self.maintenance));
        pairs.extend(self.wanted.pairs(|given| matches!(given, Given::Flag(_))));
        pairs.extend(self.levels.iter().map(|level| ("level", level.to_string())));
        pairs.extend(self.wanted.pairs(|given| given.is_list()));
        pairs.extend(self.frame.map(|frame| ("frame", frame.to_owned())));
        pairs.extend(self.longer.map(|minutes| ("longer", minutes.to_string())));
        if !self.text.is_empty() {
            pairs.push(("q", self.text.clone()));
        }
        pairs.extend(self.filter.map(|filter| ("filter", filter.to_string())));
        pairs.extend(self.sort_text().map(|sort| ("sort", sort)));
        if pairs.is_empty() {
            // Without parameters the address would stand for the last view of the visitor.
            pairs.push(("open", "any".to_owned()));
        }
        pairs
    }

    #[must_use]
    pub fn criteria(&self, directory: &Directory, now: Timestamp) -> Criteria {
        let search = SearchText::parse(&self.text);
        // Leaving something out would match more.
        if self.text.chars().count() > SEARCH_TEXT || search.words.len() > SEARCH_WORDS {
            return Criteria::nothing();
        }
        let typed = self.tags().map(|text| Tag::parse(text).ok()).collect::<Option<Vec<Tag>>>();
        let Some(typed) = typed else { return Criteria::nothing() };
        let is_any = self.wanted.is_empty();
        let mut criteria = if is_any { Criteria::default() } else { self.wanted.to_criteria(directory) };
        criteria.has_ticket = self.ticket;
        criteria.under_maintenance = self.maintenance;
        criteria.tags = tag_groups(typed.into_iter().chain(search.tags));
        criteria.levels = (!self.levels.is_empty()).then(|| levels(&self.levels));
        criteria.ids = (!search.ids.is_empty()).then_some(search.ids);
        criteria.words = search.words;
        let hours =
            self.frame.and_then(|name| FRAMES.iter().find(|(frame, _)| *frame == name)).map(|(_, hours)| *hours);
        criteria.start_from = hours.map(|hours| now.saturating_add_micros(-hours.saturating_mul(3_600_000_000)));
        criteria.min_duration = self.longer.map(|minutes| i64::from(minutes) * 60_000_000);
        criteria
    }

    /// Returns the filter alone, which the next visit begins with. Search words and the order belong to one visit.
    #[must_use]
    pub fn filter_only(&self) -> Self {
        Self { text: String::new(), sort: None, cursor: None, ..self.clone() }
    }

    /// Returns the ages in microseconds at which incidents enter or leave this view.
    pub fn spans(&self) -> impl Iterator<Item = i64> + use<> {
        let frame = self.frame.and_then(|name| FRAMES.iter().find(|(frame, _)| *frame == name));
        let hours = frame.map(|(_, hours)| hours.saturating_mul(3_600_000_000));
        hours.into_iter().chain(self.longer.map(|minutes| i64::from(minutes) * 60_000_000))
    }

    #[must_use]
    pub fn sort(&self) -> Sort {
        let (column, descending) = self.sort.unwrap_or((SortColumn::Start, true));
        Sort { column, descending }
    }

    /// Returns the first page of this view, sorted by `column`, or in the reverse order if it is sorted by it already.
    #[must_use]
    pub fn sorted_by(&self, column: SortColumn) -> Self {
        let sort = match self.sort() {
            now if now.column == column => (column, !now.descending),
            // The worst, newest or alphabetically first incidents come first.
            _ => (column, matches!(column, SortColumn::Start | SortColumn::Id | SortColumn::End)),
        };
        let sort = (sort != (SortColumn::Start, true)).then_some(sort);
        Self { sort, cursor: None, ..self.clone() }
    }

    /// Converts the view to criteria of a saved filter. `Err` says what cannot be saved.
    pub fn blob(&self) -> Result<FilterBlob, &'static str> {
        let highest = u8::try_from(self.levels.len()).unwrap_or(u8::MAX);
        let max_level = match self.levels.as_slice() {
            [] => None,
            levels if levels.last() == Some(&highest) => Level::new(highest).filter(|_| highest < 5),
            _ => return Err("Saved filters can only hold levels from 1 up, without gaps."),
        };
        let search = SearchText::parse(&self.text);
        if !search.words.is_empty() || !search.ids.is_empty() {
            return Err("Search words and numbers cannot be saved in a filter.");
        }
        if self.frame.is_some() || self.longer.is_some() || self.ticket.is_some() || self.maintenance.is_some() {
            return Err("A time frame, a duration, a ticket, or planned maintenance cannot be saved in a filter.");
        }
        if self.tags().any(|tag| Tag::parse(tag).is_err()) {
            return Err("A tag has the form key=value.");
        }
        let tags = self.tags().cloned().chain(search.tags.iter().map(ToString::to_string));
        let blob = FilterBlob { max_level, tags: filled(tags.collect()), ..self.wanted.clone() };
        if blob.is_empty() { Err("Add a filter first.") } else { Ok(blob) }
    }

    /// Returns the view of a saved filter.
    #[must_use]
    pub fn of_filter(id: FilterId, blob: &FilterBlob) -> Self {
        Self {
            wanted: FilterBlob { max_level: None, ..blob.or(&FilterBlob::default()) },
            levels: blob.max_level.map(|max| (1..=max.get()).collect()).unwrap_or_default(),
            filter: Some(id),
            ..Self::default()
        }
    }

    /// Returns the saved filter if the view consists only of its name.
    #[must_use]
    pub fn only_names_filter(&self) -> Option<FilterId> {
        let bare = Self { filter: self.filter, ..Self::default() };
        self.filter.filter(|_| *self == bare)
    }

    fn tags(&self) -> impl Iterator<Item = &String> {
        self.wanted.tags.iter().flatten()
    }

    fn sort_text(&self) -> Option<String> {
        let (column, descending) = self.sort?;
        let (name, _) = SORTS.iter().find(|(_, it)| *it == column)?;
        Some(format!("{}{name}", if descending { "-" } else { "" }))
    }
}

fn parse_sort(text: &str) -> Option<(SortColumn, bool)> {
    let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
    let (_, column) = SORTS.iter().find(|(it, _)| *it == name)?;
    Some((*column, descending)).filter(|sort| *sort != (SortColumn::Start, true))
}

fn levels(numbers: &[u8]) -> LevelSet {
    numbers.iter().filter_map(|n| Level::new(*n)).collect()
}

/// Returns the first characters. White space at the end is replaced by an ellipsis. Otherwise it would be lost when the
/// address is read again, and the text would no longer be recognized as too long.
fn start_of(text: &str, characters: usize) -> String {
    let mut start: String = text.chars().take(characters).collect();
    if start.ends_with(char::is_whitespace) {
        start.pop();
        start.push('…');
    }
    start
}

fn filled<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

fn unique<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut list = Vec::new();
    for item in items.take(LONGEST_LIST) {
        if !list.contains(&item) {
            list.push(item);
        }
    }
    list
}

/// Parsed text of the search box.
#[derive(Default)]
struct SearchText {
    ids: BTreeSet<IncidentId>,
    tags: Vec<Tag>,
    words: Vec<String>,
}

impl SearchText {
    fn parse(text: &str) -> Self {
        let mut search = Self::default();
        let mut words = String::new();
        for word in text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()) {
            if let Some(id) = word.strip_prefix('#').and_then(|number| number.parse().ok()) {
                search.ids.insert(IncidentId(id));
            } else if let Some(tag) = word.contains('=').then(|| Tag::parse(word).ok()).flatten() {
                search.tags.push(tag);
            } else {
                words.push_str(word);
                words.push(' ');
            }
        }
        search.words = search_words(&words);
        search
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(query: &str) -> View {
        View::parse(&FormFields::of_query(Some(query)))
    }

    #[test]
    fn queries_are_canonical() {
        for query in [
            "open=true",
            "open=false&acked=true&level=1&level=2&source=3&tags=a%3Db&event_type=STA&frame=24h&longer=5&q=x+y&sort=level",
            "open=any",
        ] {
            assert_eq!(view(query).query(), query);
        }
        assert_eq!(view("").query(), "open=any");
        assert_eq!(
            view("level=9&level=2&level=1&level=2&frame=x&sort=-start&longer=0&junk=1").query(),
            "level=1&level=2"
        );
    }

    #[test]
    fn the_search_box_knows_ids_and_tags() {
        let criteria = view("q=%2312+host%3Dx+Link,down").criteria(&Directory::default(), Timestamp::MAX);
        assert_eq!(criteria.ids, Some(BTreeSet::from([IncidentId(12)])));
        assert_eq!(criteria.tags, [vec![Tag::parse("host=x").unwrap()]]);
        assert_eq!(criteria.words, ["link", "down"]);
    }

    #[test]
    fn what_is_no_tag_matches_nothing() {
        let criteria = view("tags=nonsense").criteria(&Directory::default(), Timestamp::MAX);
        assert_eq!(criteria, Criteria::nothing());
    }

    #[test]
    fn more_than_fits_into_a_search_matches_nothing() {
        let criteria = |text: &str| view(&format!("q={text}")).criteria(&Directory::default(), Timestamp::MAX);
        let words = |count: usize| (0..count).map(|n| format!("w{n}")).collect::<Vec<_>>().join("+");
        assert_eq!(criteria(&words(SEARCH_WORDS)).words.len(), SEARCH_WORDS);
        assert_eq!(criteria(&words(SEARCH_WORDS + 1)), Criteria::nothing());
        assert_eq!(criteria(&"x".repeat(SEARCH_TEXT)).words.len(), 1);
        assert_eq!(criteria(&"x".repeat(SEARCH_TEXT + 1)), Criteria::nothing());
        let long = view(&format!("q={}&tags=a={}", words(500_000), "x".repeat(100_000)));
        assert!(long.query().len() < 4 * SEARCH_TEXT, "{}", long.query().len());
        assert_eq!(long.criteria(&Directory::default(), Timestamp::MAX), Criteria::nothing());
    }

    #[test]
    fn a_text_that_is_too_long_stays_so_in_the_address() {
        let long = view(&format!("q={}+y&tags=a%3D{}+z", "x".repeat(SEARCH_TEXT), "x".repeat(TAG - 2)));
        let again = view(&long.query());
        assert_eq!(again, long);
        assert_eq!(again.text.chars().count(), SEARCH_TEXT + 1);
        assert_eq!(again.criteria(&Directory::default(), Timestamp::MAX), Criteria::nothing());
    }

    #[test]
    fn stored_filters_and_views_are_the_same() {
        let view =
            view("open=true&acked=false&level=1&level=2&source=3&source_type=nav&tags=a%3Db&event_type=STA&filter=7");
        assert_eq!(View::of_filter(FilterId(7), &view.blob().unwrap()), view);
        assert!(super::View::default().blob().is_err());
        assert!(View { levels: vec![2], ..View::default() }.blob().is_err());
        assert!(View { text: "x".to_owned(), ..View::default() }.blob().is_err());
    }
}
