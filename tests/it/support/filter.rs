//! Saved filters.

use serde_json::{Value, json};

use super::{Client, builder::Builder, daemon};

pub enum Filter {}

const PATH: &str = "/api/v2/notificationprofiles/filters/";

impl Client {
    /// A filter without criteria, which matches nothing.
    pub fn filter(&self, name: &str) -> Builder<Client, Filter> {
        Builder::new(self.clone(), PATH, json!({"name": name, "filter": {}}))
    }
}

impl daemon::Client {
    pub fn filter(&mut self, name: &str) -> Builder<&mut Self, Filter> {
        Builder::new(self, PATH, json!({"name": name, "filter": {}}))
    }
}

impl<S> Builder<S, Filter> {
    pub fn matching(self, criteria: Value) -> Self {
        self.field("filter", criteria)
    }

    /// Matches all levels, which all incidents have.
    pub fn everything(self) -> Self {
        self.matching(json!({"maxlevel": 5}))
    }
}
