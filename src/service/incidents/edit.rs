//! Changes fields of incidents and adds the change events (contract sections 7.2 to 7.4 and 8).

use serde_json::Value;

use crate::domain::{
    ChangeKind, EventType, FieldChange, Incident, IncidentId, IncidentTag, Level, Tag, Timestamp, UserId,
    limits::TAGS_PER_INCIDENT,
};
use crate::service::{
    Caller, Incidents, Model, Refusal, ServiceError,
    incidents::{
        change_text::{change, item_count, python_list},
        events::{NewEvent, Recorded, draft_event},
    },
    policy::Action,
};
use crate::store::Command;

/// A change of an incident's fields. `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct IncidentEdit {
    pub details_url: Option<String>,
    pub ticket_url: Option<String>,
    pub level: Option<Level>,
    pub metadata: Option<String>,
    pub description: Option<String>,
    /// Replaces all tags.
    pub tags: Option<Vec<Tag>>,
}

impl Incidents {
    pub async fn edit_incident(
        &self,
        caller: &Caller,
        id: IncidentId,
        edit: IncidentEdit,
    ) -> Result<Incident, ServiceError> {
        if edit.tags.as_ref().is_some_and(|tags| tags.len() > TAGS_PER_INCIDENT) {
            return Err(Refusal::TooManyTags.into());
        }
        self.change(caller, id, |_| edit).await
    }

    /// Adds and removes tags, with one change event. Adding or removing a single tag has none.
    pub async fn change_tags(
        &self,
        caller: &Caller,
        id: IncidentId,
        add: Vec<Tag>,
        remove: Vec<Tag>,
    ) -> Result<Incident, ServiceError> {
        let edit = move |incident: &Incident| {
            let kept = incident.tags.iter().map(|it| it.tag.clone()).filter(|tag| !remove.contains(tag));
            IncidentEdit { tags: Some(kept.chain(add).collect()), ..IncidentEdit::default() }
        };
        self.change(caller, id, edit).await
    }

    /// Applies an edit. Stores nothing if no field changes.
    async fn change(
        &self,
        caller: &Caller,
        id: IncidentId,
        edit: impl FnOnce(&Incident) -> IncidentEdit + Send + 'static,
    ) -> Result<Incident, ServiceError> {
        let (editor, may_remove_any) = (caller.id(), caller.may(Action::RemoveForeignTag));
        let command = move |command: &mut Command<'_>| {
            let mut incident = command.incident(id)?.ok_or(ServiceError::NotFound(Model::Incident))?;
            let (edit, now) = (edit(&incident), command.now());
            let changes = apply(&mut incident, edit, editor, may_remove_any, now)?;
            if !changes.texts.is_empty() {
                record(command, &mut incident, editor, changes, now);
                command.put_incident(incident.clone());
            }
            Ok::<_, ServiceError>(incident)
        };
        self.write(Some(editor), command).await
    }

    /// Sets the ticket URL. It is not validated and may be empty.
    pub async fn set_ticket_url(&self, caller: &Caller, id: IncidentId, url: String) -> Result<Incident, ServiceError> {
        self.edit_incident(caller, id, IncidentEdit { ticket_url: Some(url), ..IncidentEdit::default() }).await
    }

    /// Returns the ticket URL of the incident. Creating a ticket requires a ticket plug-in, and none exists yet.
    pub async fn automatic_ticket(&self, id: IncidentId) -> Result<String, ServiceError> {
        let url = self.incident(id).await?.ticket_url;
        if url.is_empty() { Err(Refusal::TicketPluginMissing.into()) } else { Ok(url) }
    }
}

/// The fields that an edit changed.
#[derive(Debug, Default)]
pub(in crate::service) struct Changes {
    /// Descriptions of the change events, one for each field.
    pub texts: Vec<String>,
    /// Fields whose history is read from the change log; that of other fields can be read from the events.
    pub fields: Vec<FieldChange>,
}

/// Stages an incident whose previous ticket URL was `old`, with the change event.
pub(in crate::service) fn set_ticket(command: &mut Command<'_>, mut incident: Incident, actor: UserId, old: &str) {
    let texts = vec![change("ticket_url", old, &incident.ticket_url)];
    let now = command.now();
    record(command, &mut incident, actor, Changes { texts, fields: Vec::new() }, now);
    command.put_incident(incident);
}

/// Stages the events of a change and logs it. Nobody is notified of them.
pub(in crate::service) fn record(
    command: &mut Command<'_>,
    incident: &mut Incident,
    editor: UserId,
    changes: Changes,
    at: Timestamp,
) {
    let mut events = Vec::with_capacity(changes.texts.len());
    for description in changes.texts {
        let new = NewEvent { kind: EventType::Change, timestamp: None, description };
        let event = draft_event(command, incident, editor, &new, Recorded { at, decided: None });
        events.push(event.id);
        command.put_event(event);
    }
    command.log(ChangeKind::IncidentEdited { incident: incident.id, fields: changes.fields, events });
}

pub(in crate::service) fn tag_change(before: &[IncidentTag], after: &[IncidentTag]) -> FieldChange {
    let lines = |tags: &[IncidentTag]| tags.iter().map(|t| t.tag.as_str()).collect::<Vec<_>>().join("\n");
    FieldChange { field: "tags".to_owned(), before: lines(before), after: lines(after) }
}

fn apply(
    incident: &mut Incident,
    edit: IncidentEdit,
    editor: UserId,
    may_remove_any: bool,
    now: Timestamp,
) -> Result<Changes, Refusal> {
    let mut changes = Changes::default();
    set_text(&mut changes, "details_url", &mut incident.details_url, edit.details_url);
    set_text(&mut changes, "ticket_url", &mut incident.ticket_url, edit.ticket_url);
    if let Some(level) = edit.level {
        set_level(&mut changes, incident, level);
    }
    if let Some(metadata) = edit.metadata.filter(|metadata| *metadata != incident.metadata) {
        let (before, after) = (json(&incident.metadata), json(&metadata));
        if before != after {
            changes.texts.push(change("metadata", &item_count(&before), &item_count(&after)));
            incident.metadata = metadata;
        }
    }
    set_text(&mut changes, "description", &mut incident.description, edit.description);
    if let Some(wanted) = edit.tags {
        let tags = replace_tags(&incident.tags, wanted, editor, may_remove_any, now)?;
        if tags.len() > TAGS_PER_INCIDENT {
            return Err(Refusal::TooManyTags);
        }
        // Kept tags keep their positions, so equal sets are equal lists.
        if tags != incident.tags {
            let list = |tags: &[IncidentTag]| python_list(tags.iter().map(|t| t.tag.as_str()));
            changes.texts.push(change("tags", &list(&incident.tags), &list(&tags)));
            changes.fields.push(tag_change(&incident.tags, &tags));
            incident.tags = tags;
            incident.tags_version = incident.tags_version.saturating_add(1);
        }
    }
    Ok(changes)
}

pub(in crate::service) fn set_level(changes: &mut Changes, incident: &mut Incident, level: Level) {
    if level != incident.level {
        let (before, after) = (incident.level.get().to_string(), level.get().to_string());
        changes.texts.push(change("level", &before, &after));
        changes.fields.push(FieldChange { field: "level".to_owned(), before, after });
        incident.level = level;
    }
}

fn set_text(changes: &mut Changes, field: &str, value: &mut String, wanted: Option<String>) {
    if let Some(wanted) = wanted.filter(|wanted| wanted != value) {
        changes.texts.push(change(field, value, &wanted));
        *value = wanted;
    }
}

/// Parses stored metadata, which is always JSON. Anything else would count as null.
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// Returns the kept tags with their users and times, followed by the new tags. Users may remove only tags that they
/// added, unless `may_remove_any` is set.
fn replace_tags(
    before: &[IncidentTag],
    wanted: Vec<Tag>,
    editor: UserId,
    may_remove_any: bool,
    now: Timestamp,
) -> Result<Vec<IncidentTag>, Refusal> {
    let (mut after, removed): (Vec<_>, Vec<_>) = before.iter().cloned().partition(|t| wanted.contains(&t.tag));
    let foreign: Vec<Tag> = removed.into_iter().filter(|t| t.added_by != editor).map(|t| t.tag).collect();
    if !may_remove_any && !foreign.is_empty() {
        return Err(Refusal::ForeignTags(foreign));
    }
    for tag in wanted {
        if !after.iter().any(|t| t.tag == tag) {
            after.push(IncidentTag { tag, added_by: editor, added_at: now });
        }
    }
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId(1);
    const BOB: UserId = UserId(2);
    const BEFORE: Timestamp = Timestamp::saturating_from_micros(1);
    const NOW: Timestamp = Timestamp::saturating_from_micros(2);

    fn tag(text: &str) -> Tag {
        Tag::parse(text).unwrap()
    }

    fn added(text: &str, by: UserId) -> IncidentTag {
        IncidentTag { tag: tag(text), added_by: by, added_at: BEFORE }
    }

    #[test]
    fn kept_tags_keep_who_added_them() {
        let before = [added("a=1", BOB), added("b=1", ANN)];
        let after = replace_tags(&before, vec![tag("c=1"), tag("a=1"), tag("c=1")], ANN, false, NOW).unwrap();
        assert_eq!(after, [added("a=1", BOB), IncidentTag { tag: tag("c=1"), added_by: ANN, added_at: NOW }]);
    }

    #[test]
    fn tags_of_others_stay_unless_a_superuser_says_so() {
        let before = [added("a=1", BOB), added("b=1", ANN), added("c=1", BOB)];
        assert_eq!(
            replace_tags(&before, vec![tag("b=1")], ANN, false, NOW),
            Err(Refusal::ForeignTags(vec![tag("a=1"), tag("c=1")]))
        );
        assert_eq!(replace_tags(&before, vec![], ANN, true, NOW), Ok(vec![]));
    }
}
