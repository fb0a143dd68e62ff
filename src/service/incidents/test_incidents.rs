//! Creates test incidents (contract sections 23 and 24).

use std::sync::Arc;

use crate::clock::random_bytes;
use crate::domain::{EndTime, IncidentId, Level, Source, SourceId, Tag, limits::TAGS_PER_INCIDENT};
use crate::service::{
    Caller, Incidents, NewIncident, Refusal, ServiceError, incidents::incident::put_new_incident,
    people::setup::own_source, policy::Action,
};

#[derive(Clone, Debug)]
pub struct TestIncident {
    /// `None`: the source `argus`.
    pub source: Option<SourceId>,
    /// `None`: a text that names the command.
    pub description: Option<String>,
    /// `None`: a random level.
    pub level: Option<Level>,
    /// Tags in addition to those that mark it as a test incident.
    pub tags: Vec<Tag>,
    pub stateless: bool,
    /// JSON text.
    pub metadata: String,
}

impl Incidents {
    pub async fn create_test_incident(&self, caller: &Caller, new: TestIncident) -> Result<IncidentId, ServiceError> {
        caller.require(Action::PostForAnySource)?;
        self.write(Some(caller.id()), move |command| {
            let source = match new.source {
                Some(id) => {
                    let found: Option<&Arc<Source>> = command.directory().source(id);
                    found.map(|source| Source::clone(source)).ok_or(Refusal::UnknownSource(id.0))?
                }
                None => own_source(command),
            };
            let id = command.new_incident_id();
            let mut tags: Vec<Tag> = ["location=argus", &format!("object={id}"), "problem_type=test"]
                .into_iter()
                .filter_map(|text| Tag::parse(text).ok())
                .collect();
            tags.extend(new.tags);
            if tags.len() > TAGS_PER_INCIDENT {
                return Err(Refusal::TooManyTags.into());
            }
            let incident = NewIncident {
                start: command.now(),
                end: if new.stateless { EndTime::Stateless } else { EndTime::Infinity },
                description: new
                    .description
                    .unwrap_or_else(|| format!("Incident #{id} created via \"create_fake_incident\"")),
                level: new.level.or_else(any_level),
                metadata: Some(new.metadata),
                tags,
                ..NewIncident::default()
            };
            Ok(put_new_incident(command, id, &source, source.user, incident).id)
        })
        .await
    }
}

fn any_level() -> Option<Level> {
    let [byte] = random_bytes::<1>();
    Level::new(byte % 5 + 1)
}
