//! Builders: a body with sane defaults that is changed field by field and then posted. `post` answers the primary key.
//!
//! Each kind of thing has a file of its own beside this one. They are made by whoever posts them, a client within this
//! process or one of the real program: `app.of(Who::EndUser).filter("all").everything().post().await`.

use std::marker::PhantomData;

use serde_json::{Value, json};

use super::{Client, daemon, merge};

/// A thing of kind `K` that `S` is about to create.
pub struct Builder<S, K> {
    sender: S,
    path: &'static str,
    body: Value,
    defaults: &'static [FirstOf],
    kind: PhantomData<K>,
}

/// A field that refers to the first thing of a list of the sender's, unless it is set.
pub struct FirstOf {
    pub field: &'static str,
    pub list: &'static str,
    /// Whether the field is a list, too.
    pub many: bool,
}

impl FirstOf {
    fn complete(&self, body: &mut Value, list: &Value) {
        let first = list[0]["pk"].clone();
        assert!(first.is_u64(), "there is nothing in {}: {list}", self.list);
        body[self.field] = if self.many { json!([first]) } else { first };
    }
}

impl<S, K> Builder<S, K> {
    pub fn new(sender: S, path: &'static str, body: Value) -> Self {
        Self { sender, path, body, defaults: &[], kind: PhantomData }
    }

    pub fn with_defaults(self, defaults: &'static [FirstOf]) -> Self {
        Self { defaults, ..self }
    }

    /// Sets a field for which there is no method.
    pub fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.body[name] = value.into();
        self
    }

    /// Sets several fields.
    pub fn with(mut self, fields: Value) -> Self {
        merge(&mut self.body, fields);
        self
    }

    /// Adds to a field that is a list.
    pub fn push(mut self, field: &str, value: impl Into<Value>) -> Self {
        if self.body[field].is_null() {
            self.body[field] = json!([]);
        }
        self.body[field].as_array_mut().unwrap().push(value.into());
        self
    }

    /// The body as far as it is known, for requests that a test sends by itself.
    pub fn body(self) -> Value {
        self.body
    }

    fn missing(&self) -> impl Iterator<Item = &'static FirstOf> + use<S, K> {
        let missing: Vec<_> = self.defaults.iter().filter(|default| self.body[default.field].is_null()).collect();
        missing.into_iter()
    }
}

impl<K> Builder<Client, K> {
    pub async fn post(self) -> u64 {
        self.send().await.pk()
    }

    /// The whole answer, which may be a refusal.
    pub async fn send(mut self) -> super::Reply {
        for default in self.missing() {
            let list = self.sender.get(default.list).await.json();
            default.complete(&mut self.body, &list);
        }
        self.sender.post(self.path, self.body).await
    }
}

impl<K> Builder<&mut daemon::Client, K> {
    pub fn post(mut self) -> u64 {
        for default in self.missing() {
            let list = self.sender.get(default.list).json();
            default.complete(&mut self.body, &list);
        }
        self.sender.post(self.path, &self.body).pk()
    }
}
