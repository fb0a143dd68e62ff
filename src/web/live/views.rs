//! What of the changes belongs to which view of a stream, and how it is written down.

use std::sync::Arc;

use bytes::Bytes;

use super::rendered::{Patch, Rendered};
use crate::{
    domain::{
        ids::IncidentId,
        limits::{LIVE_PUSH_BYTES, LIVE_VIEWS},
        preferences::Column,
    },
    service::{
        AsOf,
        live::{Reader, Update},
    },
    web::{Site, form::Fields, frame, incidents::view::View, show::Show, visitor::Visitor},
};

/// What a stream is about.
pub(super) struct Views {
    lists: Vec<List>,
    watched: Vec<(String, IncidentId)>,
}

pub(super) struct List {
    name: String,
    /// Changes up to this one are known there.
    seq: u64,
    pub view: View,
    pub look: Arc<RowLook>,
    /// View and look: what is the same is pushed the same.
    pub key: Arc<str>,
}

/// How rows look to somebody.
pub(super) struct RowLook {
    /// What is the same looks the same.
    pub key: Arc<str>,
    pub show: Show,
    pub columns: Vec<Column>,
    pub selectable: bool,
}

/// An event of the stream.
pub(super) struct Push {
    event: &'static str,
    data: String,
    /// The rest of the data, shared with other streams.
    shared: Bytes,
}

impl Views {
    /// `list=NAME~SEQ~QUERY`, the same with `wall`, and `watch=NAME~SEQ~KEY`, each any number of times. `SEQ` is the last
    /// change that is known there, or empty.
    pub(super) fn parse(site: &Site, fields: &Fields, visitor: &Visitor) -> Self {
        let mut lists = Vec::new();
        for (kind, selectable) in [("list", true), ("wall", false)] {
            let look = Arc::new(RowLook::new(site, visitor, selectable));
            for (name, seq, query) in fields.all(kind).filter_map(parts) {
                let view = View::parse(&Fields::of_query(Some(query)));
                let key = format!("{} {}", look.key, view.query()).into();
                lists.push(List { name: name.to_owned(), seq, view, look: Arc::clone(&look), key });
            }
        }
        lists.truncate(LIVE_VIEWS);
        let watched = fields.all("watch").filter_map(parts);
        let watched = watched.filter_map(|(name, _, key)| Some((name.to_owned(), IncidentId(key.parse().ok()?))));
        let watched = watched.take(LIVE_VIEWS).collect();
        Self { lists, watched }
    }

    /// Nothing for views that the update does not concern; one event that everything has to be loaded again if it is
    /// too much.
    pub(super) async fn pushes(&self, site: &Site, reader: &Reader, update: &Update) -> Vec<Push> {
        let Some(changes) = &update.changes else { return vec![Push::refresh()] };
        let shared = site.pushes().rendered(site, update, changes);
        let as_of = AsOf { seq: update.seq, at: shared.now };
        let mut pushes = Vec::new();
        let mut bytes = 0;
        for list in &self.lists {
            let patch = if list.seq < update.first_seq {
                shared.patch(site, list).await
            } else {
                // A part of it is known there.
                match reader.part_after(update, list.seq) {
                    Some(part) if part.incidents.is_empty() => Patch::Nothing,
                    Some(part) => Rendered::new(site, part).patch(site, list).await,
                    None => Patch::TooMuch,
                }
            };
            match patch {
                Patch::Nothing => {}
                Patch::Fields(fields) => {
                    bytes += fields.len();
                    pushes.push(Push::rows(&list.name, as_of, fields));
                }
                Patch::TooMuch => return vec![Push::refresh()],
            }
            if bytes > LIVE_PUSH_BYTES {
                return vec![Push::refresh()];
            }
        }
        for (name, id) in &self.watched {
            if changes.incidents.contains_key(id) || changes.touched.contains(id) {
                pushes.push(Push::new("watched", name.clone()));
            }
        }
        pushes
    }
}

impl RowLook {
    fn new(site: &Site, visitor: &Visitor, selectable: bool) -> Self {
        let show = frame::show(site, &visitor.preferences);
        let columns = visitor.preferences.columns.clone();
        let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
        let key = format!("{selectable} {} {} {}", show.zone, show.format.name(), names.join(",")).into();
        Self { key, show, columns, selectable }
    }
}

impl Push {
    fn new(event: &'static str, data: String) -> Self {
        Self { event, data, shared: Bytes::new() }
    }

    pub(super) fn hello() -> Self {
        Self::new("hello", "1".to_owned())
    }

    pub(super) fn refresh() -> Self {
        Self::new("refresh", "1".to_owned())
    }

    pub(super) fn end() -> Self {
        Self::new("end", "session".to_owned())
    }

    fn rows(list: &str, as_of: AsOf, fields: Bytes) -> Self {
        let data = format!("{{\"list\":{},\"at\":\"{as_of}\",", serde_json::Value::from(list));
        Self { event: "rows", data, shared: fields }
    }

    pub(super) fn is_refresh(&self) -> bool {
        self.event == "refresh"
    }

    /// As it goes over the wire, with the number from which the browser goes on when it comes back.
    pub(super) fn frames(self, id: Option<u64>) -> Vec<Bytes> {
        let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
        let head = format!("event: {}\n{id}data: {}", self.event, self.data);
        if self.shared.is_empty() {
            return vec![(head + "\n\n").into()];
        }
        vec![head.into(), self.shared, Bytes::from_static(b"\n\n")]
    }
}

/// A name without line breaks, what is known there, and what it is about.
fn parts(text: &str) -> Option<(&str, u64, &str)> {
    let (name, rest) = text.split_once('~')?;
    let (seq, about) = rest.split_once('~')?;
    (!name.contains(char::is_control)).then_some((name, seq.parse().unwrap_or(0), about))
}
