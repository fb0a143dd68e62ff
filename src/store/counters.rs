//! Totals, and the last number given out of each kind.

use redb::ReadableTable;

use super::StoreError;

/// Numbers given out by a batch that fails are not given out again while the process lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub incidents: u64,
    pub events: u64,
    pub acks: u64,
    pub last_seq: u64,
    /// Changes up to here may be missing from the log.
    pub trimmed: u64,
    pub last_incident: u64,
    pub last_event: u64,
    pub last_user: u64,
    pub last_token: u64,
    pub last_source: u64,
    pub last_timeslot: u64,
    pub last_destination: u64,
    pub last_filter: u64,
    pub last_profile: u64,
    pub last_maintenance: u64,
    pub last_message: u64,
    pub last_channel: u64,
    pub last_contact: u64,
    pub last_contact_group: u64,
    pub last_rule: u64,
    /// Microseconds since 1970: see `domain::token::ExpiryClock`. 0: not known.
    pub expiry_clock: u64,
}

impl Counters {
    pub fn load(table: &impl ReadableTable<&'static str, u64>) -> Result<Self, StoreError> {
        let mut counters = Self::default();
        for (name, field) in counters.fields_mut() {
            *field = table.get(name)?.map_or(0, |value| value.value());
        }
        Ok(counters)
    }

    /// Writes those that differ from `before`.
    pub fn save(mut self, mut before: Self, table: &mut redb::Table<'_, &'static str, u64>) -> Result<(), StoreError> {
        for ((name, now), (_, before)) in self.fields_mut().into_iter().zip(before.fields_mut()) {
            if now != before {
                table.insert(name, *now)?;
            }
        }
        Ok(())
    }

    /// Totals of `self`, and of each kind the higher of both last ids, so that none is given out twice.
    #[must_use]
    pub fn with_highest_ids_of(self, other: Self) -> Self {
        Self {
            last_incident: self.last_incident.max(other.last_incident),
            last_event: self.last_event.max(other.last_event),
            last_user: self.last_user.max(other.last_user),
            last_token: self.last_token.max(other.last_token),
            last_source: self.last_source.max(other.last_source),
            last_timeslot: self.last_timeslot.max(other.last_timeslot),
            last_destination: self.last_destination.max(other.last_destination),
            last_filter: self.last_filter.max(other.last_filter),
            last_profile: self.last_profile.max(other.last_profile),
            last_maintenance: self.last_maintenance.max(other.last_maintenance),
            last_message: self.last_message.max(other.last_message),
            last_channel: self.last_channel.max(other.last_channel),
            last_contact: self.last_contact.max(other.last_contact),
            last_contact_group: self.last_contact_group.max(other.last_contact_group),
            last_rule: self.last_rule.max(other.last_rule),
            ..self
        }
    }

    fn fields_mut(&mut self) -> [(&'static str, &mut u64); 21] {
        [
            ("incidents", &mut self.incidents),
            ("events", &mut self.events),
            ("acks", &mut self.acks),
            ("last_seq", &mut self.last_seq),
            ("trimmed", &mut self.trimmed),
            ("last_incident", &mut self.last_incident),
            ("last_event", &mut self.last_event),
            ("last_user", &mut self.last_user),
            ("last_token", &mut self.last_token),
            ("last_source", &mut self.last_source),
            ("last_timeslot", &mut self.last_timeslot),
            ("last_destination", &mut self.last_destination),
            ("last_filter", &mut self.last_filter),
            ("last_profile", &mut self.last_profile),
            ("last_maintenance", &mut self.last_maintenance),
            ("last_message", &mut self.last_message),
            ("last_channel", &mut self.last_channel),
            ("last_contact", &mut self.last_contact),
            ("last_contact_group", &mut self.last_contact_group),
            ("last_rule", &mut self.last_rule),
            ("expiry_clock", &mut self.expiry_clock),
        ]
    }
}
