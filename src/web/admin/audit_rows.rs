//! Entries of the audit trail: one row for each change, with the changed fields before and after.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::domain::{
    Change, ChangeKind, ConfigurationChange, Directory, FilterId, SourceId, TimeslotId, Timestamp, UserId,
    directory::Subject,
};

/// One change of the configuration.
pub struct AuditRow {
    pub seq: u64,
    pub at: Timestamp,
    pub actor: String,
    /// `created`, `changed` or `deleted`; `ran` for a run of the retention.
    pub what: &'static str,
    pub slug: &'static str,
    pub subject: &'static str,
    pub key: String,
    /// Name of the changed thing, if it has one.
    pub name: Option<String>,
    pub fields: Vec<AuditField>,
}

/// Changed field. `None` if it was or is empty.
#[derive(Debug, PartialEq, Eq)]
pub struct AuditField {
    pub name: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl AuditRow {
    /// Creates the row of a change. `None` if it is not a change of the configuration.
    #[must_use]
    pub fn new(change: &Change, directory: &Directory) -> Option<Self> {
        let ChangeKind::Configuration(ConfigurationChange { subject, key, before, after }) = &change.kind else {
            return None;
        };
        let (old, new) = (object(before.as_deref()), object(after.as_deref()));
        let is_made = before.is_none();
        Some(Self {
            seq: change.seq.0,
            at: change.at,
            actor: change.actor.map_or_else(|| "the server".to_owned(), |id| username(directory, id)),
            what: match (is_made, after.is_none() && *subject != Subject::SourceType) {
                (true, false) if *subject == Subject::Retention => "ran",
                (_, true) => "deleted",
                (true, false) => "created",
                (false, false) => "changed",
            },
            slug: subject.slug(),
            subject: subject.name(),
            key: key.clone(),
            name: name(new.as_ref().or(old.as_ref()), directory),
            fields: differences(old.as_ref(), new.as_ref(), directory),
        })
    }
}

fn object(text: Option<&str>) -> Option<Map<String, Value>> {
    match serde_json::from_str(text?) {
        Ok(Value::Object(fields)) => Some(fields),
        _ => None,
    }
}

fn name(fields: Option<&Map<String, Value>>, directory: &Directory) -> Option<String> {
    let fields = fields?;
    let known = ["username", "name", "full_name", "label", "description"];
    let text = known.iter().find_map(|key| fields.get(*key)?.as_str()).filter(|text| !text.is_empty());
    text.map(str::to_owned).or_else(|| {
        let owner = fields.get("user").or_else(|| fields.get("owner"))?.as_u64()?;
        Some(format!("of {}", username(directory, UserId(owner))))
    })
}

/// Returns the fields that differ, in the order of the newer record. Of something created or deleted, all fields that
/// are not empty.
fn differences(
    old: Option<&Map<String, Value>>,
    new: Option<&Map<String, Value>>,
    directory: &Directory,
) -> Vec<AuditField> {
    let mut names: Vec<&String> = new.into_iter().chain(old).flat_map(Map::keys).collect();
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    let value = |fields: Option<&Map<String, Value>>, name: &str| {
        let value = fields?.get(name)?;
        (!is_empty(value)).then(|| shown(name, value, directory))
    };
    names
        .into_iter()
        .map(|name| AuditField { name: name.replace('_', " "), before: value(old, name), after: value(new, name) })
        .filter(|field| field.before != field.after)
        .collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Returns the text of a value, with names instead of ids where they are known.
fn shown(name: &str, value: &Value, directory: &Directory) -> String {
    if let Some(named) = named(name, value, directory) {
        return named;
    }
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(|item| shown(name, item, directory)).collect::<Vec<_>>().join(", "),
        Value::Object(members) => {
            let pairs = members.iter().filter(|(_, value)| !is_empty(value));
            let texts: Vec<String> = pairs
                .map(|(key, value)| format!("{}: {}", key.replace('_', " "), shown(key, value, directory)))
                .collect();
            texts.join("; ")
        }
    }
}

/// Returns the name of what the field refers to. `None` if it refers to nothing, or to nothing that exists.
fn named(name: &str, value: &Value, directory: &Directory) -> Option<String> {
    match (name, value.as_u64()) {
        ("user" | "owner" | "created_by", Some(id)) => Some(username(directory, UserId(id))),
        ("start_micros" | "end_micros", Some(micros)) => Some(crate::domain::timeslot::TimeOfDay(micros).to_string()),
        ("timeslot", Some(id)) => Some(directory.timeslots.get(&TimeslotId(id))?.name.clone()),
        ("filters", Some(id)) => Some(directory.filters.get(&FilterId(id))?.name.clone()),
        ("source_ids", Some(id)) => Some(directory.source(SourceId(id))?.name.clone()),
        ("default_channel" | "channel", None) => {
            Some(directory.channels.get(&value.as_str()?.parse::<Uuid>().ok()?)?.name.clone())
        }
        _ => None,
    }
}

fn username(directory: &Directory, id: UserId) -> String {
    directory.user(id).map_or_else(|| format!("user {id}"), |user| user.username.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Seq;

    fn row(before: Option<&str>, after: Option<&str>) -> AuditRow {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let kind = ChangeKind::Configuration(ConfigurationChange {
            subject: Subject::Rule,
            key: "7".to_owned(),
            before: own(before),
            after: own(after),
        });
        let change = Change { seq: Seq(3), at: Timestamp::MIN, actor: None, kind };
        AuditRow::new(&change, &Directory::default()).unwrap()
    }

    fn field(name: &str, before: Option<&str>, after: Option<&str>) -> AuditField {
        let own = |text: Option<&str>| text.map(str::to_owned);
        AuditField { name: name.to_owned(), before: own(before), after: own(after) }
    }

    #[test]
    fn says_field_by_field_what_changed() {
        let before = r#"{"owner":4,"name":"night","filters":[1,2],"active":true,"label":null}"#;
        let after = r#"{"owner":4,"name":"night","filters":[2],"active":false,"label":"x"}"#;
        let changed = row(Some(before), Some(after));
        assert_eq!(
            (changed.what, changed.actor.as_str(), changed.name.as_deref()),
            ("changed", "the server", Some("night"))
        );
        assert_eq!(
            changed.fields,
            [
                field("filters", Some("1, 2"), Some("2")),
                field("active", Some("yes"), Some("no")),
                field("label", None, Some("x")),
            ]
        );
        let made = row(None, Some(r#"{"owner":4,"filters":[],"recurrences":[{"days":[1],"start_micros":0}]}"#));
        assert_eq!((made.what, made.name.as_deref()), ("created", Some("of user 4")));
        assert_eq!(
            made.fields,
            [field("owner", None, Some("user 4")), field("recurrences", None, Some("days: 1; start micros: 00:00:00"))]
        );
        let deleted = row(Some(r#"{"name":"night"}"#), None);
        assert_eq!((deleted.what, deleted.fields), ("deleted", vec![field("name", Some("night"), None)]));
    }

    #[test]
    fn a_run_of_the_retention_is_said_with_its_figures() {
        let kind = ChangeKind::Configuration(ConfigurationChange {
            subject: Subject::Retention,
            key: "run".to_owned(),
            before: None,
            after: Some(r#"{"deleted_incidents":2,"closed_before":"2026-01-01T02:00:00Z"}"#.to_owned()),
        });
        let change = Change { seq: Seq(3), at: Timestamp::MIN, actor: None, kind };
        let row = AuditRow::new(&change, &Directory::default()).unwrap();
        assert_eq!((row.actor.as_str(), row.what, row.subject), ("the server", "ran", "retention"));
        let fields =
            [field("deleted incidents", None, Some("2")), field("closed before", None, Some("2026-01-01T02:00:00Z"))];
        assert_eq!(row.fields, fields);
    }

    #[test]
    fn subjects_have_names_of_their_own() {
        for subject in Subject::ALL {
            assert_eq!(Subject::with_slug(subject.slug()), Some(*subject));
        }
        assert_eq!(Subject::with_slug("x"), None);
    }
}
