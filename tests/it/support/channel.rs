//! Channels of contacts.

use serde_json::{Value, json};

use super::{Client, builder::Builder};

pub enum Channel {}

pub const PATH: &str = "/argusd/v1/channels/";

impl Client {
    pub fn channel(&self, name: &str, kind: &str) -> Builder<Client, Channel> {
        Builder::new(self.clone(), PATH, json!({"name": name, "type": kind}))
    }
}

impl<S> Builder<S, Channel> {
    pub fn uuid(self, uuid: impl Into<Value>) -> Self {
        self.field("uuid", uuid)
    }

    pub fn config(self, config: Value) -> Self {
        self.field("config", config)
    }
}

impl Builder<Client, Channel> {
    /// Channels have no primary key, but a UUID.
    pub async fn create(self) -> String {
        let reply = self.send().await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        reply.json()["uuid"].as_str().unwrap().to_owned()
    }
}
