//! Adds and removes single tags, without change events (contract section 11.2). The change log has them.

use crate::domain::{ChangeKind, Incident, IncidentId, IncidentTag, Tag, limits::TAGS_PER_INCIDENT};
use crate::service::{Caller, Incidents, Model, Refusal, ServiceError, incidents::edit::tag_change};
use crate::store::Command;

impl Incidents {
    pub async fn tags(&self, incident: IncidentId) -> Result<Vec<IncidentTag>, ServiceError> {
        let found = self.store().read_few(move |snapshot| snapshot.incident(incident)).await?;
        Ok(found.ok_or(Refusal::UnknownIncidentForTags(incident.0))?.tags)
    }

    /// Adds a tag. Changes nothing if the incident has it already.
    pub async fn add_tag(&self, caller: &Caller, incident: IncidentId, tag: Tag) -> Result<(), ServiceError> {
        let adder = caller.id();
        self.write(Some(adder), move |command| {
            let incident = find(command, incident)?;
            if incident.has_tag(&tag) {
                return Ok(());
            }
            if incident.tags.len() >= TAGS_PER_INCIDENT {
                return Err(Refusal::TooManyTags.into());
            }
            let mut tags = incident.tags.clone();
            tags.push(IncidentTag { tag, added_by: adder, added_at: command.now() });
            set_tags(command, incident, tags);
            Ok(())
        })
        .await
    }

    pub async fn remove_tag(&self, caller: &Caller, incident: IncidentId, tag: &Tag) -> Result<(), ServiceError> {
        let tag = tag.clone();
        self.write(Some(caller.id()), move |command| {
            let incident = find(command, incident)?;
            if !incident.has_tag(&tag) {
                return Err(ServiceError::NotFound(Model::Tag));
            }
            let tags = incident.tags.iter().filter(|t| t.tag != tag).cloned().collect();
            set_tags(command, incident, tags);
            Ok(())
        })
        .await
    }
}

fn find(command: &Command<'_>, id: IncidentId) -> Result<Incident, ServiceError> {
    Ok(command.incident(id)?.ok_or(Refusal::UnknownIncidentForTags(id.0))?)
}

fn set_tags(command: &mut Command<'_>, mut incident: Incident, tags: Vec<IncidentTag>) {
    let fields = vec![tag_change(&incident.tags, &tags)];
    incident.tags = tags;
    incident.tags_version = incident.tags_version.saturating_add(1);
    command.log(ChangeKind::IncidentEdited { incident: incident.id, fields, events: Vec::new() });
    command.put_incident(incident);
}
