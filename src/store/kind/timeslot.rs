//! Stored timeslots.

use serde_json::{Value, json};

use super::{
    Kind, Record, kept_in, known_as,
    stored::{Stored, audited, stored},
};
use crate::domain::{Recurrence, TimeOfDay, Timeslot, TimeslotId, UserId};
use crate::store::StoreError;

stored! {
    TimeslotV1 of Timeslot by id: TimeslotId {
        owner: UserId,
        name: String,
        recurrences: Vec<Recurrence>,
    }
}

impl Record for Timeslot {
    known_as!(Timeslot, "timeslot" as TimeslotV1);
    audited!(owner, name, recurrences);
}

impl Kind for Timeslot {
    kept_in!("timeslot_id_to_timeslot" as TimeslotV1, id: TimeslotId => timeslots, of owner);
}

/// (days, start, end)
impl Stored for Recurrence {
    type Form = (Vec<u8>, u64, u64);

    fn store(&self) -> Self::Form {
        (self.days.clone(), self.start.0, self.end.0)
    }

    fn restore((days, start, end): Self::Form) -> Result<Self, StoreError> {
        Ok(Self { days, start: TimeOfDay(start), end: TimeOfDay(end) })
    }

    fn audit(&self) -> Value {
        json!({ "days": self.days, "start_micros": self.start.0, "end_micros": self.end.0 })
    }
}
