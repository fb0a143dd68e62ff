//! Converts old incidents whose end is the last moment of the year 9999 to "no end" (contract section 5.2).

use crate::domain::{
    ChangeKind, Criteria, EndTime, FieldChange, IncidentId, Timestamp, datetime::was_last_moment, limits::WORK_SLICE,
};
use crate::service::{Incidents, PageRequest, ServiceError};

impl Incidents {
    /// Sets the end of such incidents to infinity, which was meant. Returns their number. Takes little time if there
    /// are none, because the columns in memory answer which incidents end in that year.
    pub async fn convert_last_moments(&self) -> Result<usize, ServiceError> {
        let year_9999 = Timestamp::saturating_from_micros(Timestamp::MAX.micros() - 366 * 86_400_000_000);
        let wanted = Criteria { end_from: Some(year_9999), end_to: Some(Timestamp::MAX), ..Criteria::default() };
        let mut page = PageRequest { size: WORK_SLICE, cursor: None, metadata: false };
        let mut converted = 0;
        loop {
            let found = self.incidents_page(wanted.clone(), page).await?;
            let ids: Vec<IncidentId> =
                found.rows.iter().filter(|it| last_moment(it.end).is_some()).map(|it| it.id).collect();
            if !ids.is_empty() {
                converted += self.convert(ids).await?;
            }
            page.cursor = found.next;
            if page.cursor.is_none() {
                return Ok(converted);
            }
        }
    }

    async fn convert(&self, ids: Vec<IncidentId>) -> Result<usize, ServiceError> {
        self.write(None, move |command| {
            let mut converted = 0;
            for id in &ids {
                let Some(mut incident) = command.incident(*id)? else { continue };
                let Some(before) = last_moment(incident.end) else { continue };
                incident.end = EndTime::Infinity;
                command.log(ChangeKind::IncidentEdited {
                    incident: *id,
                    fields: vec![FieldChange {
                        field: "end_time".to_owned(),
                        before: before.to_datetime().to_rfc3339(),
                        after: "infinity".to_owned(),
                    }],
                    events: Vec::new(),
                });
                command.put_incident(incident);
                converted += 1;
            }
            Ok(converted)
        })
        .await
    }
}

fn last_moment(end: EndTime) -> Option<Timestamp> {
    match end {
        EndTime::At(at) if was_last_moment(at) => Some(at),
        _ => None,
    }
}
