//! Estimated size of records in memory and as JSON, by which pages and chunks of lists are limited.

use super::{Acknowledgement, Change, ChangeKind, Event, Incident, Message, MessageSubject, message::Route};

/// Length in bytes from which characters that JSON escapes are counted. The length of shorter texts is used unchanged.
const SHORT_TEXT: usize = 4_096;

/// A record with an estimated size.
pub trait Size {
    /// Returns the approximate length of its JSON in bytes.
    fn size(&self) -> usize;
}

impl Size for Incident {
    fn size(&self) -> usize {
        let escapes = text(&self.description) - self.description.len();
        600 + self.tags.len() * 80 + self.text_bytes() + escapes
    }
}

impl Size for Event {
    fn size(&self) -> usize {
        300 + text(&self.description)
    }
}

impl Size for (Acknowledgement, Event) {
    fn size(&self) -> usize {
        100 + self.1.size()
    }
}

impl Size for Message {
    fn size(&self) -> usize {
        let name = match &self.route {
            Route::Destination { .. } => 0,
            Route::Contact { full_name, .. } => full_name.len(),
        };
        let parts = match &self.about {
            MessageSubject::Event { .. } => 0,
            MessageSubject::Summary(of) => of.len().saturating_mul(12),
        };
        700 + name + parts + self.address.len() + self.answer.len()
    }
}

impl Size for Change {
    fn size(&self) -> usize {
        let values = match &self.kind {
            ChangeKind::Configuration(change) => {
                change.key.len()
                    + [&change.before, &change.after].into_iter().flatten().map(|it| text(it)).sum::<usize>()
            }
            ChangeKind::IncidentEdited { fields, .. } => {
                fields.iter().map(|field| text(&field.before) + text(&field.after)).sum()
            }
            _ => 0,
        };
        200 + values
    }
}

/// Returns the length in bytes of a text within JSON.
fn text(text: &str) -> usize {
    if text.len() < SHORT_TEXT {
        return text.len();
    }
    let extra = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 1,
        0..0x20 => 5,
        _ => 0,
    };
    text.len() + text.bytes().map(extra).sum::<usize>()
}

/// A bound on the sizes of records together. The first record is always accepted.
#[derive(Clone, Copy, Debug)]
pub struct SizeBudget {
    left: usize,
    is_empty: bool,
}

impl SizeBudget {
    #[must_use]
    pub const fn new(bytes: usize) -> Self {
        Self { left: bytes, is_empty: true }
    }

    /// Returns whether the record fits. After one that does not fit, none does.
    pub fn takes(&mut self, record: &impl Size) -> bool {
        let size = record.size();
        let fits = self.is_empty || size <= self.left;
        self.is_empty = false;
        self.left = if fits { self.left.saturating_sub(size) } else { 0 };
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        ids::{IncidentId, SourceId, UserId},
        tag::{IncidentTag, Tag},
        time::Timestamp,
    };

    struct ByteCount(usize);

    impl Size for ByteCount {
        fn size(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn escapes_count_in_long_texts() {
        assert_eq!(text("\n"), 1);
        let long = format!("{}\"\n\u{1}", "a".repeat(SHORT_TEXT));
        assert_eq!(text(&long), serde_json::to_string(&long).unwrap().len() - 2);
    }

    #[test]
    fn all_texts_of_an_incident_count() {
        let now = Timestamp::saturating_from_micros(0);
        let incident = Incident {
            source_incident_id: "s1".to_owned(),
            details_url: "b".repeat(20),
            description: "\"".repeat(SHORT_TEXT),
            ticket_url: "c".repeat(300),
            metadata: "d".repeat(10_000),
            tags: vec![IncidentTag { tag: Tag::parse("a=1").unwrap(), added_by: UserId(1), added_at: now }],
            ..Incident::new(IncidentId(1), SourceId(1), now)
        };
        assert_eq!(incident.size(), 600 + 2 + 20 + 2 * SHORT_TEXT + 300 + 10_000 + 3 + 80);
    }

    #[test]
    fn the_first_record_passes_whatever_its_size() {
        let mut room = SizeBudget::new(10);
        assert!(room.takes(&ByteCount(100)));
        assert!(!room.takes(&ByteCount(1)));
        let mut room = SizeBudget::new(10);
        assert!(room.takes(&ByteCount(4)) && room.takes(&ByteCount(6)));
        assert!(!room.takes(&ByteCount(1)));
        let mut room = SizeBudget::new(10);
        assert!(room.takes(&ByteCount(4)) && !room.takes(&ByteCount(7)) && !room.takes(&ByteCount(1)));
    }
}
