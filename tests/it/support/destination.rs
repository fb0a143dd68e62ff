//! Destinations.

use serde_json::{Value, json};

use super::{Client, builder::Builder, daemon};

pub enum Destination {}

pub const PATH: &str = "/api/v2/notificationprofiles/destinations/";

fn body(medium: &str, setting: &str, value: &str) -> Value {
    json!({"media": medium, "settings": {setting: value}})
}

impl Client {
    pub fn destination(&self, medium: &str, setting: &str, value: &str) -> Builder<Client, Destination> {
        Builder::new(self.clone(), PATH, body(medium, setting, value))
    }
}

impl daemon::Client {
    pub fn destination(&mut self, medium: &str, setting: &str, value: &str) -> Builder<&mut Self, Destination> {
        Builder::new(self, PATH, body(medium, setting, value))
    }
}
