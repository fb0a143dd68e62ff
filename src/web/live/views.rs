//! What of the changes belongs to which view.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::response::sse::Event;
use serde::Serialize;

use crate::{
    domain::{
        change::IncidentChange, directory::Directory, filter::Criteria, ids::IncidentId, limits::LIVE_VIEWS,
        preferences::Preferences, subscription::maintenance_at, time::Timestamp,
    },
    service::live::Entry,
    web::{
        Site,
        form::Fields,
        frame,
        incidents::{
            row::{self, Look},
            view::View,
        },
        visitor::Visitor,
    },
};

/// Each incident that changed, as it was before the first change and as it is after the last.
#[derive(Default)]
pub(super) struct Changes {
    pub incidents: BTreeMap<IncidentId, IncidentChange>,
    /// Those of which something else changed, too.
    touched: BTreeSet<IncidentId>,
}

pub(super) fn fold(entries: &[Arc<Entry>]) -> Changes {
    let mut changes = Changes::default();
    for entry in entries {
        changes.touched.extend(&entry.touched);
        for change in &entry.incidents {
            let Some(id) = change.after.as_ref().or(change.before.as_ref()).map(|incident| incident.id) else {
                continue;
            };
            changes
                .incidents
                .entry(id)
                .and_modify(|first| first.after.clone_from(&change.after))
                .or_insert_with(|| change.clone());
        }
    }
    changes
}

/// What a stream is about.
pub(super) struct Views {
    lists: Vec<List>,
    watched: Vec<(String, IncidentId)>,
    preferences: Preferences,
}

struct List {
    name: String,
    /// Changes up to this one are known there.
    seq: u64,
    view: View,
    selectable: bool,
}

/// What is pushed to one list.
#[derive(Serialize)]
struct Patch<'a> {
    list: &'a str,
    /// Keys and rows of what matches now.
    rows: Vec<(u64, String)>,
    /// Of those, what did not match before.
    new: Vec<u64>,
    /// What does not match any more.
    gone: Vec<u64>,
    /// By how much the number of matches changed; `None`: `matching` says how many there are.
    delta: Option<i64>,
    matching: Option<u64>,
    total: u64,
}

impl Views {
    /// `list=NAME~SEQ~QUERY`, the same with `wall`, and `watch=NAME~SEQ~KEY`, each any number of times. `SEQ` is the last
    /// change that is known there, or empty.
    pub(super) fn parse(fields: &Fields, visitor: &Visitor) -> Self {
        let mut lists = Vec::new();
        for (kind, selectable) in [("list", true), ("wall", false)] {
            for (name, seq, query) in fields.all(kind).filter_map(parts) {
                let view = View::parse(&Fields::of_query(Some(query)));
                lists.push(List { name: name.to_owned(), seq, view, selectable });
            }
        }
        lists.truncate(LIVE_VIEWS);
        let watched = fields.all("watch").filter_map(parts);
        let watched = watched.filter_map(|(name, _, key)| Some((name.to_owned(), IncidentId(key.parse().ok()?))));
        let watched = watched.take(LIVE_VIEWS).collect();
        Self { lists, watched, preferences: visitor.preferences.clone() }
    }

    /// Nothing for views that the changes do not concern.
    pub(super) async fn events(&self, site: &Site, entries: &[Arc<Entry>]) -> Vec<Event> {
        let directory = site.service.directory();
        let now = site.service.now();
        let changes = fold(entries);
        let mut events = Vec::new();
        for list in &self.lists {
            let news: Vec<Arc<Entry>> = entries.iter().filter(|entry| entry.seq > list.seq).cloned().collect();
            let own = (news.len() < entries.len()).then(|| fold(&news));
            let changes = own.as_ref().unwrap_or(&changes);
            if let Some(patch) = self.patch(site, list, changes, &directory, now).await
                && let Ok(event) = Event::default().event("rows").json_data(&patch)
            {
                events.push(event);
            }
        }
        for (name, id) in &self.watched {
            if changes.incidents.contains_key(id) || changes.touched.contains(id) {
                events.push(Event::default().event("watched").data(name));
            }
        }
        events
    }

    async fn patch<'a>(
        &self,
        site: &Site,
        list: &'a List,
        changes: &Changes,
        directory: &Directory,
        now: Timestamp,
    ) -> Option<Patch<'a>> {
        if changes.incidents.is_empty() {
            return None;
        }
        let criteria = list.view.criteria(directory, now);
        let found = matching(site, &criteria, changes, now).await;
        let knows_words = criteria.words.is_empty();
        let tasks = maintenance_at(directory, now);
        let look = Look {
            show: frame::show(site, &self.preferences),
            columns: &self.preferences.columns,
            directory,
            tasks: &tasks,
            selectable: list.selectable,
        };
        let total = site.service.total_incidents();
        let (delta, matching) = (knows_words.then_some(0), None);
        let mut patch =
            Patch { list: &list.name, rows: Vec::new(), new: Vec::new(), gone: Vec::new(), delta, matching, total };
        for (id, IncidentChange { before, after }) in &changes.incidents {
            let did = before.as_ref().is_some_and(|before| knows_words && criteria.matches(before, now));
            match after.as_ref().filter(|_| found.contains(id)) {
                Some(after) => {
                    patch.rows.push((id.0, row::html(after, look)));
                    if !did && (knows_words || before.is_none()) {
                        patch.new.push(id.0);
                    }
                }
                None if did || !knows_words => patch.gone.push(id.0),
                None => {}
            }
            let does = i64::from(found.contains(id) && after.is_some());
            patch.delta = patch.delta.map(|delta| delta + does - i64::from(did));
        }
        let is_total_new = changes.incidents.values().any(|change| change.before.is_none() || change.after.is_none());
        if patch.rows.is_empty() && patch.gone.is_empty() && !is_total_new {
            return None;
        }
        if !knows_words {
            patch.matching = site.service.count_incidents(criteria).await.ok();
        }
        Some(patch)
    }
}

fn parts(text: &str) -> Option<(&str, u64, &str)> {
    let (name, rest) = text.split_once('~')?;
    let (seq, about) = rest.split_once('~')?;
    Some((name, seq.parse().unwrap_or(0), about))
}

/// Which of those that changed match now.
async fn matching(site: &Site, criteria: &Criteria, changes: &Changes, now: Timestamp) -> BTreeSet<IncidentId> {
    let after = changes.incidents.iter().filter_map(|(id, change)| Some((id, change.after.as_ref()?)));
    if criteria.words.is_empty() {
        return after.filter(|(_, after)| criteria.matches(after, now)).map(|(id, _)| *id).collect();
    }
    let ids = after.map(|(id, _)| *id).collect();
    site.service.matching_of(criteria.clone(), ids).await.unwrap_or_default()
}
