//! Totals, and the last id used by each kind.

use redb::ReadableTable;

use super::{StoreError, kind::all_kinds};
use crate::domain::Timestamp;

macro_rules! counters {
    ($($kind:ident: $last:ident $(, $new:ident -> $id:ident, $put:ident $(, $delete:ident)?)?;)+) => {
        /// Totals and last ids. Ids that a failed batch used are not used again while the process runs.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            pub incidents: u64,
            pub events: u64,
            pub acks: u64,
            pub last_seq: u64,
            /// Last change up to which changes may be missing from the log.
            pub trimmed: u64,
            pub last_incident: u64,
            pub last_event: u64,
            pub last_message: u64,
            pub last_contact: u64,
            pub last_contact_group: u64,
            $(pub $last: u64,)+
            /// Time of `domain::token::ExpiryClock`, in microseconds since 1970. 0: not known.
            pub expiry_clock: u64,
            /// Incidents that the run of the retention under way has deleted.
            pub purged: u64,
        }

        impl Counters {
            /// Returns the totals of `self`, with the higher of both last ids of each kind, so that no id is used
            /// twice.
            #[must_use]
            pub fn with_highest_ids_of(self, other: Self) -> Self {
                Self {
                    last_incident: self.last_incident.max(other.last_incident),
                    last_event: self.last_event.max(other.last_event),
                    last_message: self.last_message.max(other.last_message),
                    last_contact: self.last_contact.max(other.last_contact),
                    last_contact_group: self.last_contact_group.max(other.last_contact_group),
                    $($last: self.$last.max(other.$last),)+
                    ..self
                }
            }

            fn fields_mut(&mut self) -> Vec<(&'static str, &mut u64)> {
                vec![
                    ("incidents", &mut self.incidents),
                    ("events", &mut self.events),
                    ("acks", &mut self.acks),
                    ("last_seq", &mut self.last_seq),
                    ("trimmed", &mut self.trimmed),
                    ("last_incident", &mut self.last_incident),
                    ("last_event", &mut self.last_event),
                    ("last_message", &mut self.last_message),
                    ("last_contact", &mut self.last_contact),
                    ("last_contact_group", &mut self.last_contact_group),
                    $((stringify!($last), &mut self.$last),)+
                    ("expiry_clock", &mut self.expiry_clock),
                    ("purged", &mut self.purged),
                ]
            }
        }
    };
}
all_kinds!(counters);

impl Counters {
    /// Returns the time up to which the clock can be trusted, as of the last ten minutes: that of
    /// `domain::token::ExpiryClock`. `None`: not known yet.
    #[must_use]
    pub fn trusted_time(&self) -> Option<Timestamp> {
        let micros = i64::try_from(self.expiry_clock).ok().filter(|micros| *micros > 0);
        micros.map(Timestamp::saturating_from_micros)
    }

    pub fn load(table: &impl ReadableTable<&'static str, u64>) -> Result<Self, StoreError> {
        let mut counters = Self::default();
        for (name, field) in counters.fields_mut() {
            *field = table.get(name)?.map_or(0, |value| value.value());
        }
        Ok(counters)
    }

    /// Writes the counters that differ from `before`.
    pub fn save(mut self, mut before: Self, table: &mut redb::Table<'_, &'static str, u64>) -> Result<(), StoreError> {
        for ((name, now), (_, before)) in self.fields_mut().into_iter().zip(before.fields_mut()) {
            if now != before {
                table.insert(name, *now)?;
            }
        }
        Ok(())
    }
}
