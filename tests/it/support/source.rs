//! Sources.

use std::sync::Arc;

use argusd::{
    domain::source::{Source, SourceDraft},
    service::{Caller, Service},
};

use super::App;

/// A source that is about to be created, by the command line. Its type has to exist.
pub struct NewSource<'a> {
    service: &'a Service,
    local: &'a Caller,
    draft: SourceDraft,
}

pub fn source<'a>(service: &'a Service, local: &'a Caller, name: &str, source_type: &str) -> NewSource<'a> {
    let (name, source_type) = (Some(name.to_owned()), Some(source_type.to_owned()));
    NewSource { service, local, draft: SourceDraft { name, source_type, ..SourceDraft::default() } }
}

impl App {
    pub fn source(&self, name: &str, source_type: &str) -> NewSource<'_> {
        source(&self.service, &self.local, name, source_type)
    }
}

impl NewSource<'_> {
    pub fn base_url(mut self, url: &str) -> Self {
        self.draft.base_url = Some(url.to_owned());
        self
    }

    pub async fn create(self) -> Arc<Source> {
        self.service.sources().create_source(self.local, self.draft).await.unwrap()
    }
}
