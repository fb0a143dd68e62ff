//! Timeslots.

use serde_json::{Value, json};

use super::{Client, builder::Builder, daemon};

pub enum Timeslot {}

pub const PATH: &str = "/api/v2/notificationprofiles/timeslots/";

fn body(name: &str) -> Value {
    json!({"name": name, "time_recurrences": [{"days": [1, 2, 3, 4, 5, 6, 7], "all_day": true}]})
}

impl Client {
    /// A timeslot that is always.
    pub fn timeslot(&self, name: &str) -> Builder<Client, Timeslot> {
        Builder::new(self.clone(), PATH, body(name))
    }
}

impl daemon::Client {
    /// A timeslot that is always.
    pub fn timeslot(&mut self, name: &str) -> Builder<&mut Self, Timeslot> {
        Builder::new(self, PATH, body(name))
    }
}

impl<S> Builder<S, Timeslot> {
    pub fn recurrences(self, recurrences: Value) -> Self {
        self.field("time_recurrences", recurrences)
    }

    pub fn never(self) -> Self {
        self.recurrences(json!([]))
    }
}
