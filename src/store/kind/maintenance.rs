//! Stored planned maintenance.

use super::{
    Kind, Record, kept_in, known_as,
    stored::{audited, stored},
};
use crate::domain::{Directory, FilterId, Maintenance, MaintenanceId, Timestamp, UserId, maintenance::Maintenances};
use crate::store::verify::Findings;

stored! {
    MaintenanceV1 of Maintenance by id: MaintenanceId {
        created_by: UserId,
        created: Timestamp,
        start: Timestamp,
        end: Option<Timestamp>,
        description: String,
        filters: Vec<FilterId>,
    }
}

impl Record for Maintenance {
    known_as!(Maintenance, "maintenance" as MaintenanceV1);
    audited!(created_by, created, start, end, description, filters);
}

impl Kind for Maintenance {
    kept_in!("maintenance_id_to_maintenance" as MaintenanceV1, id: MaintenanceId => maintenances: Maintenances);

    fn owner(&self) -> Option<(&'static str, UserId)> {
        Some(("author", self.created_by))
    }

    fn check_references(&self, directory: &Directory, findings: &mut Findings) {
        let id = self.id;
        findings
            .check(self.end.is_none_or(|end| self.start < end), || format!("maintenance {id} ends before it starts"));
        for filter in &self.filters {
            findings.check(directory.filters.contains_key(filter), || {
                format!("maintenance {id} has the unknown filter {filter}")
            });
        }
    }
}
