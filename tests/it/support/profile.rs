//! Notification profiles.

use serde_json::{Value, json};

use super::{
    Client,
    builder::{Builder, FirstOf},
    daemon, destination, timeslot,
};

pub enum Profile {}

const PATH: &str = "/api/v2/notificationprofiles/";

/// At any time, to the address of the account.
const DEFAULTS: &[FirstOf] = &[
    FirstOf { field: "timeslot", list: timeslot::PATH, many: false },
    FirstOf { field: "destinations", list: destination::PATH, many: true },
];

impl Client {
    /// A profile with the first timeslot and the first destination of the user.
    pub fn profile(&self) -> Builder<Client, Profile> {
        Builder::new(self.clone(), PATH, json!({"filters": []})).with_defaults(DEFAULTS)
    }
}

impl daemon::Client {
    /// A profile with the first timeslot and the first destination of the user.
    pub fn profile(&mut self) -> Builder<&mut Self, Profile> {
        Builder::new(self, PATH, json!({"filters": []})).with_defaults(DEFAULTS)
    }
}

impl<S> Builder<S, Profile> {
    pub fn name(self, name: impl Into<Value>) -> Self {
        self.field("name", name)
    }

    pub fn filter(self, filter: u64) -> Self {
        self.push("filters", filter)
    }

    pub fn timeslot(self, timeslot: u64) -> Self {
        self.field("timeslot", timeslot)
    }

    /// One more destination, and not the default one.
    pub fn destination(self, destination: u64) -> Self {
        self.push("destinations", destination)
    }
}
