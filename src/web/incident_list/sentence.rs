//! The question that confirms a bulk change: the action, the number, and which incidents.

use super::view::View;
use crate::domain::{Directory, EventType, criterion::Slot, limits::CRITERIA_SHOWN};
use crate::service::BulkKind;
use crate::web::notification_settings::words::{criteria, shortened};

/// Incidents that an action affects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectedIncidents {
    /// Incidents that were selected one by one.
    Ticked,
    /// All incidents that match the view.
    Matching,
}

/// Returns the question, such as "Close 57 open incidents, level 1–5?".
#[must_use]
pub fn question(kind: BulkKind, count: usize, which: SelectedIncidents, view: &View, directory: &Directory) -> String {
    let filter = shortened(&incidents(view, directory), CRITERIA_SHOWN);
    let verb = verb(kind);
    match which {
        SelectedIncidents::Ticked => {
            let incidents = if count == 1 { "incident" } else { "incidents" };
            format!("{verb} {count} selected {incidents} from the list of {filter}?")
        }
        SelectedIncidents::Matching => format!("{verb} {count} {filter}?"),
    }
}

/// Returns the label of the button, such as "Close 57 incidents".
#[must_use]
pub fn order(kind: BulkKind, count: usize) -> String {
    format!("{} {count} {}", verb(kind), if count == 1 { "incident" } else { "incidents" })
}

const fn verb(kind: BulkKind) -> &'static str {
    match kind {
        BulkKind::Acknowledge => "Acknowledge",
        BulkKind::Event(EventType::Close) => "Close",
        BulkKind::Event(EventType::Reopen) => "Reopen",
        BulkKind::Event(_) => "Comment on",
        BulkKind::TicketUrl => "Set the ticket of",
    }
}

/// Describes the incidents of a view. Levels are always named, so that nobody overlooks critical incidents among them.
fn incidents(view: &View, directory: &Directory) -> String {
    let mut text = String::new();
    let mut rest = view.wanted.clone();
    // Adjectives are in alphabetical order, as in "acknowledged open".
    let mut eithers: Vec<_> = rest.slots().collect();
    eithers.sort_by_key(|(criterion, _)| criterion.key);
    for (criterion, slot) in eithers {
        if let Slot::Either(wanted) = slot
            && let Some(wanted) = wanted.take()
        {
            let [yes, no] = criterion.adjectives;
            text.push_str(if wanted { yes } else { no });
            text.push(' ');
        }
    }
    text.push_str("incidents, level ");
    text.push_str(&levels(&view.levels));
    let mut parts = criteria(&rest, directory);
    parts.extend(view.ticket.map(|with| if with { "with a ticket" } else { "without a ticket" }.to_owned()));
    parts.extend(
        view.maintenance.map(|under| if under { "under maintenance" } else { "not under maintenance" }.to_owned()),
    );
    parts.extend(view.frame.map(|frame| format!("started within {frame}")));
    parts.extend(view.longer.map(|minutes| format!("open longer than {minutes} min")));
    parts.extend((!view.text.is_empty()).then(|| format!("matching “{}”", view.text)));
    for part in parts {
        text.push_str(", ");
        text.push_str(&part);
    }
    text
}

/// Returns sorted numbers as ranges, such as "1–2, 4".
fn levels(numbers: &[u8]) -> String {
    let all = [1, 2, 3, 4, 5];
    let numbers = if numbers.is_empty() { &all } else { numbers };
    let ranges = numbers.chunk_by(|one, next| one + 1 == *next);
    let texts = ranges.filter_map(|range| match (range.first()?, range.last()?) {
        (first, last) if first == last => Some(first.to_string()),
        (first, last) => Some(format!("{first}–{last}")),
    });
    texts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::form::FormFields;

    fn asked(kind: BulkKind, count: usize, which: SelectedIncidents, query: &str) -> String {
        let view = View::parse(&FormFields::of_query(Some(query)));
        question(kind, count, which, &view, &Directory::default())
    }

    #[test]
    fn a_question_names_number_and_filter() {
        let close = BulkKind::Event(EventType::Close);
        for (query, text) in [
            ("open=true", "Close 57 open incidents, level 1–5?"),
            ("open=any", "Close 57 incidents, level 1–5?"),
            ("open=true&acked=false&level=1&level=2&level=4", "Close 57 unacknowledged open incidents, level 1–2, 4?"),
            (
                "stateful=false&level=1&tags=host%3Dx&ticket=false&maintenance=false&frame=24h&longer=5&q=link+down",
                "Close 57 stateless incidents, level 1, tag host=x, without a ticket, not under maintenance, started within \
                 24h, open longer than 5 min, matching “link down”?",
            ),
            ("hide_closed_acked=true", "Close 57 incidents, level 1–5, not both closed and acknowledged?"),
        ] {
            assert_eq!(asked(close, 57, SelectedIncidents::Matching, query), text);
        }
        assert_eq!(
            asked(BulkKind::Acknowledge, 30, SelectedIncidents::Ticked, "open=true"),
            "Acknowledge 30 selected incidents from the list of open incidents, level 1–5?"
        );
        assert_eq!(order(BulkKind::TicketUrl, 1), "Set the ticket of 1 incident");
    }

    #[test]
    fn a_long_filter_is_cut() {
        let text = asked(BulkKind::TicketUrl, 9, SelectedIncidents::Matching, &format!("q={}", "x".repeat(1_000)));
        assert!(text.chars().count() < CRITERIA_SHOWN + 40, "{text}");
        assert!(text.ends_with("…?"), "{text}");
    }
}
