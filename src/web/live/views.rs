//! Assigns changes to the views of a stream, and renders the pushes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::rendered::{Patch, Rendered};
use crate::domain::{
    IncidentId, Timestamp,
    limits::{LIVE_FRAME_EVERY, LIVE_PUSH_BYTES, LIVE_VIEWS},
    preferences::Column,
};
use crate::service::{
    AsOf,
    live::{Reader, Update},
};
use crate::web::{FormFields, Show, Site, Visitor, incident_list::view::View, layout};

/// Lists and incidents that a stream reports about.
pub(super) struct Views {
    lists: Vec<List>,
    watched: Vec<(String, IncidentId)>,
}

pub(super) struct List {
    name: String,
    /// Number of the last change that the page shows.
    seq: u64,
    /// When the page was rendered. State and acknowledgement were judged by this time.
    at: Option<Timestamp>,
    /// When the time frame was last checked; see [`Views::older`].
    looked_at: Timestamp,
    pub view: View,
    pub look: Arc<RowLook>,
    /// View and appearance. Lists with the same key get the same updates.
    pub key: Arc<str>,
}

/// Appearance of rows for a user.
pub(super) struct RowLook {
    /// Rows with the same key look the same.
    pub key: Arc<str>,
    pub show: Show,
    pub columns: Vec<Column>,
    pub selectable: bool,
}

/// Event of the stream.
pub(super) struct Push {
    event: &'static str,
    data: String,
    /// Rest of the data, which streams share.
    shared: Bytes,
}

impl Views {
    /// Parses `list=NAME~SEQ.AT~QUERY`, the same with `wall`, and `watch=NAME~SEQ.AT~KEY`, each any number of times.
    /// `SEQ` is the number of the last change that the page shows, or empty. `AT`, which is optional, is when the page
    /// was rendered, in microseconds since 1970.
    pub(super) fn parse(site: &Site, fields: &FormFields, visitor: &Visitor) -> Self {
        let now = site.service.now();
        let mut lists = Vec::new();
        for (kind, selectable) in [("list", true), ("wall", false)] {
            let look = Arc::new(RowLook::new(site, visitor, selectable));
            for (name, seq, at, query) in fields.all(kind).filter_map(parts) {
                let view = View::parse(&FormFields::of_query(Some(query)));
                let key = format!("{} {}", look.key, view.query()).into();
                lists.push(List {
                    name: name.to_owned(),
                    seq,
                    at,
                    looked_at: at.unwrap_or(now),
                    view,
                    look: Arc::clone(&look),
                    key,
                });
            }
        }
        lists.truncate(LIVE_VIEWS);
        let watched = fields.all("watch").filter_map(parts);
        let watched = watched.filter_map(|(name, .., key)| Some((name.to_owned(), IncidentId(key.parse().ok()?))));
        let watched = watched.take(LIVE_VIEWS).collect();
        Self { lists, watched }
    }

    /// Returns a push for each list that the clock alone has changed and whose changes are no longer available.
    pub(super) fn missed(&self, reader: &Reader) -> Vec<Push> {
        let missed = self.lists.iter().filter(|list| list.at.is_some_and(|at| reader.has_missed(at)));
        missed.map(|list| Push::new("watched", list.name.clone())).collect()
    }

    /// Records that a client which reconnects knows the state at `at`.
    pub(super) fn resume_at(&mut self, at: Timestamp) {
        for list in &mut self.lists {
            list.at = list.at.max(Some(at));
        }
    }

    /// Returns a push for each list with a time frame or a duration that an incident entered or left by age since the
    /// last call, and the time to wait before the next call, at least `LIVE_FRAME_EVERY`.
    pub(super) fn older(&mut self, site: &Site) -> (Vec<Push>, Option<Duration>) {
        let now = site.service.now();
        let (mut pushes, mut wait) = (Vec::new(), None::<Duration>);
        for list in self.lists.iter_mut().filter(|list| list.view.spans().next().is_some()) {
            let next = |looked: Timestamp| {
                list.view
                    .spans()
                    .filter_map(|span| {
                        let start = site.service.search().start_after(looked.saturating_add_micros(-span))?;
                        Some(start.saturating_add_micros(span))
                    })
                    .min()
            };
            // A clock that was set back changes the list, too.
            let is_due = next(list.looked_at).is_some_and(|next| next <= now) || now < list.looked_at;
            if is_due {
                pushes.push(Push::new("watched", list.name.clone()));
            }
            let left = next(now).map_or(i64::MAX, |next| next.micros().saturating_sub(now.micros()));
            let left = Duration::from_micros(left.max(0).unsigned_abs()).max(LIVE_FRAME_EVERY);
            wait = Some(wait.map_or(left, |wait| wait.min(left)));
            list.looked_at = now;
        }
        (pushes, wait)
    }

    /// Returns the pushes of an update: none for views that it does not concern, or a single reload request if it is
    /// too long.
    pub(super) async fn pushes(&self, site: &Site, reader: &Reader, update: &Update) -> Vec<Push> {
        let Some(changes) = &update.changes else { return vec![Push::refresh()] };
        let shared = site.inner.pushes.rendered(site, update, changes);
        let as_of = AsOf { seq: update.seq, at: shared.now };
        let mut pushes = Vec::new();
        let mut bytes = 0;
        for list in &self.lists {
            let patch = if list.needs_all(update) {
                shared.patch(site, list).await
            } else {
                // The page shows a part of the update already.
                match reader.part_after(update, list.seq, list.at) {
                    Some(Update { changes: Some(part), since, now, .. }) => {
                        let (since, now) = (list.judged_at(since), list.judged_at(now));
                        Rendered::new(site, part, since, now).patch(site, list).await
                    }
                    Some(Update { changes: None, .. }) | None => Patch::TooMuch,
                }
            };
            match patch {
                Patch::Nothing => {}
                Patch::FormFields(fields) => {
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

impl List {
    /// Returns whether the page shows nothing of the update yet, neither by its number nor by the clock.
    fn needs_all(&self, update: &Update) -> bool {
        // The clock of the changes may lag behind the page: changes by the clock before it was rendered may be
        // published later.
        self.seq < update.first_seq && self.judged_at(update.since) == update.since
    }

    /// Returns the time by which the list is judged: not earlier than the page, whose state must not be reverted.
    fn judged_at(&self, clock: Timestamp) -> Timestamp {
        self.at.map_or(clock, |at| at.max(clock))
    }
}

impl RowLook {
    fn new(site: &Site, visitor: &Visitor, selectable: bool) -> Self {
        let show = layout::show(site, &visitor.preferences);
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

    /// Creates a sign of life. It is an event, because scripts do not see comments.
    pub(super) fn alive() -> Self {
        Self::new("alive", "1".to_owned())
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

    /// Encodes the event, with the number and the time from which the browser resumes when it reconnects.
    pub(super) fn frames(self, id: Option<(u64, Timestamp)>) -> Vec<Bytes> {
        let id = id.map(|(seq, at)| format!("id: {seq}.{}\n", at.micros())).unwrap_or_default();
        let head = format!("event: {}\n{id}data: {}", self.event, self.data);
        if self.shared.is_empty() {
            return vec![(head + "\n\n").into()];
        }
        vec![head.into(), self.shared, Bytes::from_static(b"\n\n")]
    }
}

/// Splits a parameter: name without line breaks, number of a change, time, and subject.
fn parts(text: &str) -> Option<(&str, u64, Option<Timestamp>, &str)> {
    let (name, rest) = text.split_once('~')?;
    let (known, about) = rest.split_once('~')?;
    let (seq, at) = super::known(known).unwrap_or_default();
    (!name.contains(char::is_control)).then_some((name, seq, at, about))
}
