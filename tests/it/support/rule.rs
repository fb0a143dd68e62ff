//! Rules.

use serde_json::{Value, json};

use super::{
    Client,
    builder::{Builder, FirstOf},
    contact_api::id,
    timeslot,
};

pub enum Rule {}

pub const PATH: &str = "/argusd/v1/rules/";

const DEFAULTS: &[FirstOf] = &[FirstOf { field: "timeslot", list: timeslot::PATH, many: false }];

impl Client {
    /// A rule with the first timeslot of the user.
    pub fn rule(&self, name: &str) -> Builder<Client, Rule> {
        Builder::new(self.clone(), PATH, json!({"name": name, "filters": []})).with_defaults(DEFAULTS)
    }
}

impl<S> Builder<S, Rule> {
    pub fn filter(self, filter: u64) -> Self {
        self.push("filters", filter)
    }

    pub fn timeslot(self, timeslot: u64) -> Self {
        self.field("timeslot", timeslot)
    }

    pub fn recipients(self, recipients: Value) -> Self {
        self.field("recipients", recipients)
    }
}

/// The contact as a recipient, via its default channel.
pub fn to(n: u128) -> Value {
    json!({ "contact": id(n) })
}

/// The group as a recipient.
pub fn to_group(n: u128) -> Value {
    json!({ "group": id(n) })
}
