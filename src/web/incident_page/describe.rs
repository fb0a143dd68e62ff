//! Texts and links that describe an incident.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::domain::{
    AckedUntil, Directory, EventType, Incident, IncidentTag, Timestamp, UserId, exact_json,
    limits::{HEADING, TEXT_AT_ONCE},
    urls::{self, SourceBase},
};
use crate::service::{Action, Caller};

/// Text that may be long: the part that is shown at once, and the whole.
pub struct LongText {
    pub text: String,
    /// Shown at once. `None` if the text is short.
    pub beginning: Option<String>,
}

impl LongText {
    pub fn new(text: &str) -> Self {
        let is_long = text.chars().nth(TEXT_AT_ONCE).is_some();
        let beginning = is_long.then(|| format!("{}…", text.chars().take(TEXT_AT_ONCE / 2).collect::<String>()));
        Self { text: text.to_owned(), beginning }
    }
}

/// Address, with a link if browsers may open it.
pub struct AddressLink {
    pub text: String,
    pub link: Option<String>,
}

impl AddressLink {
    /// Resolves an address against the base URL of the source. `None` if it is empty.
    pub fn new(address: &str, base_url: &str) -> Option<Self> {
        if address.is_empty() {
            return None;
        }
        let text = SourceBase::new(base_url).join(address).unwrap_or_else(|| address.to_owned());
        Some(Self { link: web_link(&text), text })
    }
}

pub struct TagRow {
    pub tag: String,
    /// Address of the list of incidents with this tag.
    pub list: String,
    /// Link to the value, if it is a web address.
    pub link: Option<String>,
    pub added_by: String,
    pub added_at: Timestamp,
    pub is_removable: bool,
}

impl TagRow {
    pub fn new(row: &IncidentTag, directory: &Directory, caller: &Caller) -> Self {
        Self {
            tag: row.tag.as_str().to_owned(),
            list: format!("/incidents/?tags={}", utf8_percent_encode(row.tag.as_str(), NON_ALPHANUMERIC)),
            link: web_link(row.tag.value()),
            added_by: username(directory, row.added_by),
            added_at: row.added_at,
            is_removable: caller.may(Action::RemoveForeignTag) || row.added_by == caller.id(),
        }
    }
}

pub struct StateText {
    pub is_stateful: bool,
    pub is_open: bool,
    pub is_acked: bool,
    pub acked_until: Option<Timestamp>,
}

impl StateText {
    pub fn new(incident: &Incident, now: Timestamp) -> Self {
        let acked_until = match incident.acked_until {
            AckedUntil::At(at) => Some(at),
            AckedUntil::Never | AckedUntil::Forever => None,
        };
        Self {
            is_stateful: incident.end.is_stateful(),
            is_open: incident.is_open(now),
            is_acked: incident.is_acked(now),
            acked_until,
        }
    }
}

/// Returns `text` if it is a complete address with http or https. A browser must not run scripts or start other
/// programs.
pub fn web_link(text: &str) -> Option<String> {
    (urls::starts_with_web_scheme(text) && urls::is_valid(text)).then(|| text.to_owned())
}

/// Returns the first line that is not empty, shortened to `HEADING` characters.
pub fn heading(description: &str) -> String {
    let line = description.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("No description");
    let cut: String = line.chars().take(HEADING).collect();
    if cut.len() < line.len() { format!("{}…", cut.trim_end()) } else { cut }
}

/// Formats metadata. `None` if they are empty.
pub fn metadata(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let is_empty = match &value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    (!is_empty).then(|| exact_json::pretty(text))
}

pub fn username(directory: &Directory, id: UserId) -> String {
    directory.user(id).map_or_else(|| "somebody".to_owned(), |user| user.username.clone())
}

/// Returns the title of an event.
pub const fn event_words(kind: EventType) -> &'static str {
    match kind {
        EventType::Start => "Started",
        EventType::End => "Ended",
        EventType::Restart => "Started again",
        EventType::Change => "Changed",
        EventType::Stateless => "Happened",
        EventType::Other => "Comment",
        EventType::Close => "Closed",
        EventType::Reopen => "Reopened",
        EventType::Acknowledge => "Acknowledged",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_become_links() {
        for good in ["https://example.org/x?y#z", "http://10.0.0.1:8080/"] {
            assert_eq!(web_link(good).as_deref(), Some(good));
        }
        for bad in [
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "javascript://example.org/%0aalert(1)",
            "data:text/html,x",
            "ftp://example.org/",
            "https://",
            "https://a b",
            "//example.org",
            "vbscript:x",
            "",
        ] {
            assert_eq!(web_link(bad), None, "{bad}");
        }
    }

    #[test]
    fn details_are_joined_to_the_base_and_linked_only_if_that_is_safe() {
        let place = |address| AddressLink::new(address, "https://nav.example.org/app/").unwrap();
        assert_eq!(place("x/1").link.as_deref(), Some("https://nav.example.org/app/x/1"));
        let hostile = place("javascript:alert(1)");
        assert_eq!((hostile.text.as_str(), hostile.link), ("javascript:alert(1)", None));
        assert_eq!(AddressLink::new("x/1", "").unwrap().link, None);
        assert!(AddressLink::new("", "https://nav.example.org/").is_none());
    }

    #[test]
    fn headings_are_one_line() {
        assert_eq!(heading("\n  disk full \nmore"), "disk full");
        assert_eq!(heading(" "), "No description");
        assert_eq!(heading(&"é".repeat(HEADING + 1)), format!("{}…", "é".repeat(HEADING)));
    }

    #[test]
    fn metadata_is_shown_if_there_is_any() {
        for empty in ["{}", "null", "[]", "\"\"", ""] {
            assert_eq!(metadata(empty), None);
        }
        assert_eq!(metadata("{\"a\":[1]}").unwrap(), "{\n  \"a\": [\n    1\n  ]\n}");
    }
}
