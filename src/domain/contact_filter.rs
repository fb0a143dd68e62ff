//! Filters of contacts, groups and channels (contact API contract section 8). How they are written in requests is
//! decided elsewhere.

use std::cmp::Ordering;

use uuid::Uuid;

use super::{Channel, Contact, ContactGroup, filter::fold};

/// A filter whose values have the types of their columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    Not(Box<Self>),
    /// Matches everything if the list is empty.
    All(Vec<Self>),
    Any(Vec<Self>),
    Id(Test<Uuid>),
    Text(Column, Test<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    FullName,
    Username,
    Name,
    Type,
    Origin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test<T> {
    OneOf(Vec<T>),
    /// Matches other values, and rows without a value.
    NoneOf(Vec<T>),
    /// A pattern in which `*` stands for any number of characters.
    Like(T),
    /// Matches texts that do not fit the pattern, and rows without a value.
    Unlike(T),
    Ordered(Order, T),
    /// Matches rows without a value, or with an empty one.
    Empty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// A row that filters can match. A text of `None` means that the row has no value in the column.
pub trait HasColumns {
    fn uuid(&self) -> Uuid;
    fn text(&self, column: Column) -> Option<&str>;
}

impl HasColumns for Contact {
    fn uuid(&self) -> Uuid {
        self.uuid
    }

    fn text(&self, column: Column) -> Option<&str> {
        match column {
            Column::FullName => Some(&self.full_name),
            Column::Username => self.username.as_deref(),
            Column::Origin => self.origin.as_deref(),
            Column::Name | Column::Type => None,
        }
    }
}

impl HasColumns for ContactGroup {
    fn uuid(&self) -> Uuid {
        self.uuid
    }

    fn text(&self, column: Column) -> Option<&str> {
        match column {
            Column::Name => Some(&self.name),
            Column::Origin => self.origin.as_deref(),
            Column::FullName | Column::Username | Column::Type => None,
        }
    }
}

impl HasColumns for Channel {
    fn uuid(&self) -> Uuid {
        self.uuid
    }

    fn text(&self, column: Column) -> Option<&str> {
        match column {
            Column::Name => Some(&self.name),
            Column::Type => Some(&self.kind),
            Column::FullName | Column::Username | Column::Origin => None,
        }
    }
}

impl Filter {
    #[must_use]
    pub const fn everything() -> Self {
        Self::All(Vec::new())
    }

    #[must_use]
    pub fn matches(&self, row: &impl HasColumns) -> bool {
        match self {
            Self::Not(filter) => !filter.matches(row),
            Self::All(filters) => filters.iter().all(|filter| filter.matches(row)),
            Self::Any(filters) => filters.iter().any(|filter| filter.matches(row)),
            Self::Id(test) => test.fits_uuid(row.uuid()),
            Self::Text(column, test) => test.fits_text(*column, row.text(*column)),
        }
    }

    /// Returns the UUID if the filter can match only the row with this UUID.
    #[must_use]
    pub fn only_id(&self) -> Option<Uuid> {
        match self {
            Self::Id(Test::OneOf(ids)) => match ids.as_slice() {
                [id] => Some(*id),
                _ => None,
            },
            Self::All(filters) => filters.iter().find_map(Self::only_id),
            _ => None,
        }
    }

    /// Returns the text if the filter can match only rows with this text in the column, regardless of case.
    #[must_use]
    pub fn only_text(&self, wanted: Column) -> Option<&str> {
        match self {
            Self::Text(column, Test::OneOf(texts)) if *column == wanted => match texts.as_slice() {
                [text] => Some(text),
                _ => None,
            },
            Self::All(filters) => filters.iter().find_map(|filter| filter.only_text(wanted)),
            _ => None,
        }
    }
}

impl Column {
    /// Returns whether case matters in this column, because programs chose its values.
    const fn is_exact(self) -> bool {
        matches!(self, Self::Type | Self::Origin)
    }

    /// Returns the form of a value in which values of this column are compared.
    #[must_use]
    pub fn key(self, text: &str) -> String {
        if self.is_exact() { text.to_owned() } else { fold(text) }
    }
}

impl Test<Uuid> {
    fn fits_uuid(&self, id: Uuid) -> bool {
        match self {
            Self::OneOf(ids) => ids.contains(&id),
            Self::NoneOf(ids) => !ids.contains(&id),
            Self::Like(other) => id == *other,
            Self::Unlike(other) => id != *other,
            Self::Ordered(order, other) => order.holds(id.cmp(other)),
            Self::Empty => false,
        }
    }
}

impl Test<String> {
    fn fits_text(&self, column: Column, text: Option<&str>) -> bool {
        let Some(text) = text else { return matches!(self, Self::NoneOf(_) | Self::Unlike(_) | Self::Empty) };
        let text = column.key(text);
        match self {
            Self::OneOf(texts) => texts.iter().any(|other| column.key(other) == text),
            Self::NoneOf(texts) => texts.iter().all(|other| column.key(other) != text),
            Self::Like(pattern) => is_like(&text, &column.key(pattern)),
            Self::Unlike(pattern) => !is_like(&text, &column.key(pattern)),
            Self::Ordered(order, other) => order.holds(text.cmp(&column.key(other))),
            Self::Empty => text.is_empty(),
        }
    }
}

impl Order {
    const fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
        }
    }
}

/// Matches greedily from the left: each part between stars is taken at its first occurrence, so the time is linear in
/// the number of stars.
fn is_like(text: &str, pattern: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let (parts, tail) = rest.rsplit_once('*').map_or((None, rest), |(parts, tail)| (Some(parts), tail));
    for part in parts.into_iter().flat_map(|parts| parts.split('*')) {
        match text.split_once(part) {
            Some((_, behind)) => text = behind,
            None => return false,
        }
    }
    text.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Matches by trying all possibilities.
    fn plainly(text: &[char], pattern: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|taken| plainly(&text[taken..], rest)),
            [first, rest @ ..] => text.split_first().is_some_and(|(c, text)| c == first && plainly(text, rest)),
        }
    }

    proptest! {
        #[test]
        fn patterns_match_what_they_plainly_match(text in "[ab%_]{0,8}", pattern in "[ab*%_]{0,6}") {
            let (plain, of): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
            prop_assert_eq!(is_like(&text, &pattern), plainly(&plain, &of));
        }
    }

    #[test]
    fn stars_stand_for_any_run() {
        for (text, pattern, expected) in [
            ("abc", "abc", true),
            ("abc", "*", true),
            ("", "*", true),
            ("abc", "a*c", true),
            ("abc", "a*b", false),
            ("aa", "a*a*a", false),
            ("a%c", "a_c", false),
        ] {
            assert_eq!(is_like(text, pattern), expected, "{text} {pattern}");
        }
    }
}
