//! Live updates, rendered once for all streams that show the same: rows for each appearance, patches for each view.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use rustc_hash::FxHashMap;
use tokio::sync::{OnceCell, Semaphore};

use super::views::{List, RowLook};
use crate::domain::{
    Criteria, Directory, FilterSubject, Incident, IncidentChange, IncidentId, Timestamp,
    limits::{LIVE_PUSH_BYTES, LIVE_SEARCHES, LIVE_STREAMS, LIVE_STREAMS_PER_USER, LIVE_UNSENT_BYTES},
    subscription::{MaintenanceTask, maintenance_at},
};
use crate::service::{
    Slots,
    live::{Changes, Update},
};
use crate::web::{
    Show, Site,
    incident_list::row::{self, RowContext},
};

/// Number of updates whose rows are kept.
const RENDERED_KEPT: usize = 4;

/// State that all streams share.
pub struct Pushes {
    pub(super) streams: Slots,
    unsent: Unsent,
    searches: Semaphore,
    rendered: Mutex<VecDeque<(u64, u64, Arc<Rendered>)>>,
    opened: AtomicUsize,
}

impl Default for Pushes {
    fn default() -> Self {
        Self {
            streams: Slots::new(LIVE_STREAMS, LIVE_STREAMS_PER_USER),
            unsent: Unsent::default(),
            searches: Semaphore::new(LIVE_SEARCHES),
            rendered: Mutex::default(),
            opened: AtomicUsize::new(0),
        }
    }
}

impl Pushes {
    /// Returns the group of a new stream. Groups take turns.
    pub(super) fn next_group(&self, groups: usize) -> usize {
        self.opened.fetch_add(1, Ordering::Relaxed) % groups
    }

    /// Returns the rendered update, which all streams that ask for the same update share.
    pub(super) fn rendered(&self, site: &Site, update: &Update, changes: &Arc<Changes>) -> Arc<Rendered> {
        let mut kept = lock(&self.rendered);
        if let Some((.., rendered)) = kept.iter().find(|(from, to, _)| (*from, *to) == (update.from, update.to)) {
            return Arc::clone(rendered);
        }
        let rendered = Arc::new(Rendered::new(site, Arc::clone(changes), update.since, update.now));
        kept.push_back((update.from, update.to, Arc::clone(&rendered)));
        while kept.len() > RENDERED_KEPT {
            kept.pop_front();
        }
        rendered
    }
}

/// Update of one list.
#[derive(Clone, Debug)]
pub(super) enum Patch {
    /// The changes do not concern the list.
    Nothing,
    /// Fields of a JSON object, with its closing brace.
    FormFields(Bytes),
    /// The update is too long, or there is no memory for it at the moment.
    TooMuch,
}

/// One update, rendered for pages.
pub(super) struct Rendered {
    changes: Arc<Changes>,
    /// Time by which incidents before the changes are judged; those after the changes by `now`.
    since: Timestamp,
    pub(super) now: Timestamp,
    directory: Arc<Directory>,
    tasks: Vec<MaintenanceTask>,
    total: u64,
    rows: Mutex<FxHashMap<(Arc<str>, IncidentId), Bytes>>,
    patches: Mutex<FxHashMap<Arc<str>, Arc<OnceCell<Patch>>>>,
}

impl Rendered {
    pub(super) fn new(site: &Site, changes: Arc<Changes>, since: Timestamp, now: Timestamp) -> Self {
        let directory = site.service.directory();
        let tasks = maintenance_at(&directory, now);
        let total = site.service.incidents().total_incidents();
        Self { changes, since, now, directory, tasks, total, rows: Mutex::default(), patches: Mutex::default() }
    }

    pub(super) async fn patch(&self, site: &Site, list: &List) -> Patch {
        if self.changes.incidents.is_empty() {
            return Patch::Nothing;
        }
        let patch = Arc::clone(lock(&self.patches).entry(Arc::clone(&list.key)).or_default());
        patch.get_or_init(|| self.make(site, list)).await.clone()
    }

    async fn make(&self, site: &Site, list: &List) -> Patch {
        let now = self.now;
        let criteria = list.view.criteria(&self.directory, now);
        let criteria_before = list.view.criteria(&self.directory, self.since);
        let knows_words = criteria.words.is_empty();
        let search = if knows_words { None } else { site.inner.pushes.searches.acquire().await.ok() };
        let found = self.matching(site, &criteria).await;
        let mut rows = String::new();
        let (mut new, mut gone, mut delta) = (Vec::new(), Vec::new(), 0);
        for (id, IncidentChange { before, after }) in &self.changes.incidents {
            let did =
                before.as_ref().is_some_and(|before| knows_words && self.matches(&criteria_before, before, self.since));
            let does = after.is_some() && found.contains(id);
            match after.as_ref().filter(|_| does) {
                Some(after) => {
                    let Some(row) = self.row(site, &list.look, after) else { return Patch::TooMuch };
                    push_row(&mut rows, &row);
                    if !did && (knows_words || before.is_none()) {
                        new.push(id.0);
                    }
                }
                None if did || !knows_words => {
                    gone.push(id.0);
                    // A row that is still shown, because it is selected, shows what happened to the incident.
                    let was_shown = did || before.as_ref().is_some_and(|before| criteria.matches(before, now));
                    if let Some(after) = after.as_ref().filter(|_| was_shown) {
                        let Some(row) = self.row(site, &list.look, after) else { return Patch::TooMuch };
                        push_row(&mut rows, &row);
                    }
                }
                None => {}
            }
            if rows.len() > LIVE_PUSH_BYTES {
                return Patch::TooMuch;
            }
            delta += i64::from(does) - i64::from(did);
        }
        let is_total_new = self.changes.incidents.values().any(|it| it.before.is_none() || it.after.is_none());
        if rows.is_empty() && gone.is_empty() && !is_total_new {
            return Patch::Nothing;
        }
        let matching = if knows_words { None } else { site.service.incidents().count_incidents(criteria).await.ok() };
        drop(search);
        let rest = serde_json::json!({
            "new": new,
            "gone": gone,
            // `matching` is the new number of incidents if the previous one is not known.
            "delta": knows_words.then_some(delta),
            "matching": matching,
            "total": self.total,
        });
        let rest = rest.to_string();
        let fields = format!("\"rows\":[{rows}],{}", rest.strip_prefix('{').unwrap_or("}"));
        site.inner.pushes.unsent.keep(fields).map_or(Patch::TooMuch, Patch::FormFields)
    }

    /// Returns whether the incident matches all criteria except words, which it does not contain.
    fn matches(&self, criteria: &Criteria, incident: &Incident, at: Timestamp) -> bool {
        let is_covered = || {
            let about = FilterSubject::incident(incident, at);
            self.tasks.iter().any(|task| task.covers(at, &about, &self.directory))
        };
        criteria.matches(incident, at) && criteria.under_maintenance.is_none_or(|wanted| wanted == is_covered())
    }

    /// Returns the changed incidents that match now.
    async fn matching(&self, site: &Site, criteria: &Criteria) -> BTreeSet<IncidentId> {
        let after = self.changes.incidents.iter().filter_map(|(id, change)| Some((id, change.after.as_ref()?)));
        if criteria.words.is_empty() {
            return after.filter(|(_, after)| self.matches(criteria, after, self.now)).map(|(id, _)| *id).collect();
        }
        let ids = after.map(|(id, _)| *id).collect();
        site.service.incidents().matching_of(criteria.clone(), ids).await.unwrap_or_default()
    }

    /// Returns primary key and row as JSON. `None` if there is no memory for it at the moment.
    fn row(&self, site: &Site, look: &RowLook, incident: &Incident) -> Option<Bytes> {
        let key = (Arc::clone(&look.key), incident.id);
        if let Some(row) = lock(&self.rows).get(&key) {
            return Some(row.clone());
        }
        let html = row::html(
            incident,
            RowContext {
                show: Show { now: self.now, ..look.show },
                columns: &look.columns,
                directory: &self.directory,
                tasks: &self.tasks,
                selectable: look.selectable,
            },
        );
        let row = site.inner.pushes.unsent.keep(serde_json::to_string(&(incident.id.0, html)).ok()?)?;
        lock(&self.rows).insert(key, row.clone());
        Some(row)
    }
}

fn push_row(rows: &mut String, row: &[u8]) {
    if !rows.is_empty() {
        rows.push(',');
    }
    rows.push_str(std::str::from_utf8(row).unwrap_or_default());
}

/// Number of bytes of rows that a stream still needs.
#[derive(Clone, Default)]
struct Unsent(Arc<AtomicUsize>);

struct KeptRow {
    text: String,
    unsent: Unsent,
}

impl Unsent {
    /// Counts the text until its last copy is dropped. `None` if there are too many bytes.
    fn keep(&self, text: String) -> Option<Bytes> {
        let before = self.0.fetch_add(text.len(), Ordering::Relaxed);
        // If it is too long, dropping it releases its bytes.
        let kept = KeptRow { text, unsent: self.clone() };
        (before + kept.text.len() <= LIVE_UNSENT_BYTES).then(|| Bytes::from_owner(kept))
    }
}

impl AsRef<[u8]> for KeptRow {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl Drop for KeptRow {
    fn drop(&mut self) {
        self.unsent.0.fetch_sub(self.text.len(), Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsent_rows_are_bounded_and_given_back() {
        let unsent = Unsent::default();
        let half = unsent.keep("x".repeat(LIVE_UNSENT_BYTES / 2)).unwrap();
        let copy = half.clone();
        assert!(unsent.keep("x".repeat(LIVE_UNSENT_BYTES / 2 + 1)).is_none());
        drop(half);
        assert!(unsent.keep("x".repeat(LIVE_UNSENT_BYTES / 2 + 1)).is_none(), "somebody still reads it");
        drop(copy);
        assert!(unsent.keep("x".repeat(LIVE_UNSENT_BYTES)).is_some());
        assert_eq!(unsent.0.load(Ordering::Relaxed), 0);
    }
}
