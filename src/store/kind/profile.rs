//! Stored notification profiles.

use super::{
    Kind, Record, kept_in, known_as,
    stored::{audited, stored},
};
use crate::domain::{DestinationId, Directory, FilterId, Profile, ProfileId, TimeslotId, UserId};
use crate::store::verify::Findings;

stored! {
    ProfileV1 of Profile by id: ProfileId {
        owner: UserId,
        name: Option<String>,
        timeslot: TimeslotId,
        filters: Vec<FilterId>,
        destinations: Vec<DestinationId>,
        active: bool,
    }
}

impl Record for Profile {
    known_as!(Profile, "profile" as ProfileV1);
    audited!(owner, name, timeslot, filters, destinations, active);
}

impl Kind for Profile {
    kept_in!("profile_id_to_profile" as ProfileV1, id: ProfileId => profiles, of owner);

    fn check_references(&self, directory: &Directory, findings: &mut Findings) {
        let id = self.id;
        findings.check(directory.timeslot_of(self.owner, self.timeslot).is_some(), || {
            format!("profile {id} has the unknown timeslot {}", self.timeslot)
        });
        findings.check(!self.filters.is_empty(), || format!("profile {id} has no filter"));
        for filter in &self.filters {
            findings.check(directory.filters.contains_key(filter), || {
                format!("profile {id} has the unknown filter {filter}")
            });
        }
        for destination in &self.destinations {
            findings.check(directory.destination_of(self.owner, *destination).is_some(), || {
                format!("profile {id} has the unknown destination {destination}")
            });
        }
    }
}
