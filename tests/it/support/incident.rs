//! Incidents.

use serde_json::{Value, json};

use super::{App, Client, Who, builder::Builder, daemon};

pub enum Incident {}

const PATH: &str = "/api/v2/incidents/";

impl App {
    /// An incident of the source.
    pub fn incident(&self) -> Builder<Client, Incident> {
        self.of(Who::Source).incident()
    }
}

impl Client {
    pub fn incident(&self) -> Builder<Client, Incident> {
        Builder::new(self.clone(), PATH, json!({"start_time": "2026-01-15T12:00:00+01:00", "tags": []}))
    }
}

impl daemon::Client {
    /// An open incident.
    pub fn incident(&mut self) -> Builder<&mut Self, Incident> {
        let start = "2026-01-02T03:04:05.678901Z";
        Builder::new(self, PATH, json!({"start_time": start, "end_time": "infinity", "level": 2, "tags": []}))
    }
}

impl<S> Builder<S, Incident> {
    pub fn description(self, text: impl Into<Value>) -> Self {
        self.field("description", text)
    }

    pub fn level(self, level: impl Into<Value>) -> Self {
        self.field("level", level)
    }

    pub fn tag(self, tag: impl Into<Value>) -> Self {
        let tag: Value = tag.into();
        self.push("tags", json!({ "tag": tag }))
    }

    pub fn starts(self, time: impl Into<Value>) -> Self {
        self.field("start_time", time)
    }

    pub fn ends(self, time: impl Into<Value>) -> Self {
        self.field("end_time", time)
    }

    /// Without an end.
    pub fn open(self) -> Self {
        self.ends("infinity")
    }

    pub fn stateless(self) -> Self {
        self.ends(Value::Null)
    }
}
