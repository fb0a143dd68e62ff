//! The page with the list of incidents, and the wall display.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, header},
};
use url::form_urlencoded;

use super::{
    bulk,
    choices::by_name,
    row::{IncidentRow, RowContext},
    view::{DEFAULT, FRAMES, View},
    work::BulkProgress,
};
use crate::domain::{
    Density, Directory, EventType, FilterId, Incident, Level, Preferences, Source, StoredFilter, Timestamp,
    limits::{LAST_VIEW, LAST_VIEW_LIFE},
    preferences::{Column, PAGE_SIZES, PRESETS},
    subscription::{MaintenanceTask, maintenance_at},
};
use crate::http::cookies;
use crate::service::{AsOf, SortColumn, SortedCursor, Turn};
use crate::web::{FormFields, Frame, PageResult, Section, Site, Visitor, done, offered, page, see};

/// Number of sources that the filter lists. If there are more, they are chosen by entering their names.
const SOURCES_SHOWN: usize = 30;

/// Parameters of the address that are not part of the view.
const BESIDE: [&str; 3] = ["cursor", "choose", RESTORED];

/// Parameter that says that the view is that of the last visit.
const RESTORED: &str = "restored";

/// Number of rows on a wall display.
const KIOSK_ROWS: usize = 100;

#[derive(Template)]
#[template(path = "incidents/list.html")]
struct ListPage {
    frame: Frame,
    view: View,
    list: Listed,
    total: u64,
    preferences: Preferences,
    filters: Vec<FilterChoice>,
    /// Saved filter that the view names.
    filter: Option<Arc<StoredFilter>>,
    sources: Vec<Arc<Source>>,
    source_types: Vec<String>,
    outcome: Option<BulkProgress>,
    /// Whether the visitor is choosing the columns.
    choosing: bool,
    /// Whether the view is the filter of the last visit.
    restored: bool,
    /// Whether the server has no incidents yet.
    is_fresh: bool,
    origin: String,
}

#[derive(Template)]
#[template(path = "incidents/kiosk.html")]
struct KioskPage {
    frame: Frame,
    view: View,
    list: Listed,
    /// Name of the filter that is shown.
    name: String,
    total: u64,
}

/// Rows of the list, with the data and settings that they are rendered with.
struct Listed {
    rows: Vec<Incident>,
    matching: u64,
    next: Option<SortedCursor>,
    previous: Option<SortedCursor>,
    directory: Arc<Directory>,
    tasks: Vec<MaintenanceTask>,
    columns: Vec<Column>,
    selectable: bool,
    /// Number of the last change that the rows may contain. Later ones are pushed.
    seq: u64,
    /// Time at which the rows match.
    at: Timestamp,
    /// Held until the page is written.
    _turn: Option<Turn>,
}

struct FilterChoice {
    id: FilterId,
    name: String,
    /// Username of the owner. `None` for the visitor's own filter.
    owner: Option<String>,
}

pub async fn show(
    State(site): State<Site>,
    visitor: Visitor,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> PageResult {
    let fields = FormFields::of_query(query.as_deref());
    let mut view = View::parse(&fields);
    let unknown_source = by_name(&site, &fields, &mut view).err();
    let lead_to = |path: &str| unknown_source.as_ref().map_or_else(|| see(path), |problem| done(path, problem));
    let last_filter = last_filter(&visitor);
    if view.query() == View::default().query() && fields.get("open").is_none() {
        let restored = if last_filter == DEFAULT { String::new() } else { format!("&{RESTORED}=1") };
        return Ok(lead_to(&format!("/incidents/?{last_filter}{restored}")));
    }
    let directory = site.service.directory();
    if let Some(filter) = view.only_names_filter().and_then(|id| usable(&directory, id, &visitor)) {
        view = View::of_filter(filter.id, &filter.blob);
        return Ok(see(&format!("/incidents/?{}", view.query())));
    }
    if view.filter.is_some_and(|id| usable(&directory, id, &visitor).is_none()) {
        view.filter = None;
    }
    if let Some(canonical) = canonical(&fields, &view) {
        return Ok(lead_to(&canonical));
    }
    let cookie = remember(&visitor, &view);
    let limit = usize::from(visitor.preferences.page_size);
    let list = find(&site, &visitor, &view, limit, true).await?;
    let total = site.service.incidents().total_incidents();
    let outcome = bulk::outcome(&site, &visitor, &headers, &view);
    let mut response = page(&ListPage {
        frame: Frame::new(&site, &visitor, Section::Incidents, title(&list, &view)),
        filters: filters(&directory, &visitor, view.filter),
        filter: view.filter.and_then(|id| usable(&directory, id, &visitor)),
        sources: directory.sources.values().cloned().collect(),
        source_types: offered::source_types(&directory, view.wanted.source_types.as_deref().unwrap_or_default()),
        is_fresh: total == 0,
        choosing: fields.ticked("choose"),
        restored: fields.ticked(RESTORED) && view.query() == last_filter,
        origin: visitor.origin.clone(),
        preferences: visitor.preferences,
        view,
        list,
        total,
        outcome,
    })?;
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

/// Shows the wall display: the first page of the list, read-only and without a menu.
pub async fn kiosk(State(site): State<Site>, visitor: Visitor, RawQuery(query): RawQuery) -> PageResult {
    let fields = FormFields::of_query(query.as_deref());
    let mut view = View { cursor: None, ..View::parse(&fields) };
    if fields.is_empty() {
        view.wanted.open = Some(true);
    }
    let directory = site.service.directory();
    let filter = view.filter.and_then(|id| usable(&directory, id, &visitor));
    if let Some(filter) = view.only_names_filter().and(filter.as_ref()) {
        view = View::of_filter(filter.id, &filter.blob);
    }
    let name = match &filter {
        Some(filter) => filter.name.clone(),
        None if fields.is_empty() => "All open incidents".to_owned(),
        None => "Custom filter".to_owned(),
    };
    let list = find(&site, &visitor, &view, KIOSK_ROWS, false).await?;
    let total = site.service.incidents().total_incidents();
    let frame = Frame::new(&site, &visitor, Section::Incidents, title(&list, &view));
    page(&KioskPage { frame, view, list, name, total })
}

/// Returns the canonical address of the view, or `None` if the request has it. Forms also send fields without a
/// meaning.
fn canonical(fields: &FormFields, view: &View) -> Option<String> {
    let mut beside = form_urlencoded::Serializer::new(view.query());
    let mut given = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields.iter() {
        if BESIDE.contains(&name) {
            beside.append_pair(name, value)
        } else {
            given.append_pair(name, value)
        };
    }
    (given.finish() != view.query()).then(|| format!("/incidents/?{}", beside.finish()))
}

async fn find(
    site: &Site,
    visitor: &Visitor,
    view: &View,
    limit: usize,
    selectable: bool,
) -> Result<Listed, crate::service::ServiceError> {
    let directory = site.service.directory();
    let now = site.service.now();
    let criteria = view.criteria(&directory, now);
    let found = site.service.incidents().incidents_sorted(criteria, view.sort(), view.cursor, limit).await?;
    let tasks = maintenance_at(&directory, now);
    Ok(Listed {
        rows: found.rows,
        matching: found.matching,
        next: found.next,
        previous: found.previous,
        directory,
        tasks,
        columns: visitor.preferences.columns.clone(),
        selectable,
        seq: found.seq,
        at: found.at,
        _turn: found.turn,
    })
}

impl Listed {
    fn rendered<'a>(&'a self, frame: &Frame) -> Vec<IncidentRow<'a>> {
        let look = RowContext {
            show: frame.show,
            columns: &self.columns,
            directory: &self.directory,
            tasks: &self.tasks,
            selectable: self.selectable,
        };
        self.rows.iter().map(|incident| IncidentRow::new(incident, look)).collect()
    }

    /// Returns the state that the rows show, so that an action affects only what was shown.
    fn as_of(&self) -> AsOf {
        AsOf { seq: self.seq, at: self.at }
    }
}

impl ListPage {
    fn query(&self) -> String {
        self.view.query()
    }

    fn at(&self, cursor: &SortedCursor) -> String {
        format!("/incidents/?{}&cursor={cursor}", self.view.query())
    }

    fn is_frame(&self, name: &str) -> bool {
        self.view.frame == Some(name)
    }

    fn is_filter(&self, choice: &FilterChoice) -> bool {
        self.view.filter == Some(choice.id)
    }

    /// Returns the fields of the view that the search form keeps.
    fn hidden_fields(&self) -> Vec<(&'static str, String)> {
        let mut pairs = self.view.pairs();
        pairs.retain(|(name, value)| *name != "q" && !(*name == "open" && value == "any"));
        if self.view.wanted.open.is_none() {
            pairs.push(("open", "any".to_owned()));
        }
        pairs
    }

    fn is_level(&self, level: &Level) -> bool {
        self.view.levels.contains(&level.get())
    }

    fn is_source(&self, source: &Source) -> bool {
        self.view.wanted.source_ids.iter().flatten().any(|id| *id == source.id)
    }

    fn is_type(&self, name: &String) -> bool {
        self.view.wanted.source_types.iter().flatten().any(|it| it == name)
    }

    fn is_event_type(&self, kind: &EventType) -> bool {
        self.view.wanted.event_types.iter().flatten().any(|it| it == kind)
    }

    fn shows_all_sources(&self) -> bool {
        self.sources.len() <= SOURCES_SHOWN
    }

    fn filter_name(&self) -> Option<&str> {
        self.filter.as_ref().map(|filter| filter.name.as_str())
    }

    /// Returns whether the view differs from the saved filter that it names.
    fn is_changed(&self) -> bool {
        let view = View { sort: None, cursor: None, ..self.view.clone() };
        self.filter.as_ref().is_some_and(|filter| View::of_filter(filter.id, &filter.blob) != view)
    }

    fn chosen_columns(&self) -> Vec<(Column, bool)> {
        let chosen = self.preferences.columns.iter().map(|column| (*column, true));
        let rest = Column::ALL.iter().filter(|column| !self.preferences.columns.contains(column));
        chosen.chain(rest.map(|column| (*column, false))).collect()
    }

    fn is_compact(&self) -> bool {
        self.preferences.density == Density::Compact
    }

    /// Returns the number of conditions that limit the list.
    fn conditions(&self) -> usize {
        let view = &self.view;
        let others = [
            view.ticket.is_some(),
            view.maintenance.is_some(),
            !view.levels.is_empty(),
            view.frame.is_some(),
            view.longer.is_some(),
        ];
        let wanted = view.wanted.given().map(|(_, given)| given.is_set());
        wanted.chain(others).filter(|is_set| *is_set).count()
    }
}

impl View {
    /// Returns the title of a column, and the column to sort by, if any.
    #[must_use]
    pub fn heading(column: &Column) -> (&'static str, Option<SortColumn>) {
        match column {
            Column::Id => ("Id", Some(SortColumn::Id)),
            Column::Start => ("Start", Some(SortColumn::Start)),
            Column::Age => ("Age", None),
            Column::End => ("End", Some(SortColumn::End)),
            Column::Status => ("Status", None),
            Column::Acked => ("Acked", None),
            Column::Level => ("Level", Some(SortColumn::Level)),
            Column::Source => ("Source", Some(SortColumn::Source)),
            Column::SourceType => ("Type", Some(SortColumn::SourceType)),
            Column::Description => ("Description", None),
            Column::Tags => ("Tags", None),
            Column::Ticket => ("Ticket", Some(SortColumn::Ticket)),
            Column::Maintenance => ("Maintenance", None),
            Column::LastEvent => ("Last event", None),
        }
    }

    #[must_use]
    pub fn sort_link(&self, column: &SortColumn) -> String {
        format!("/incidents/?{}", self.sorted_by(*column).query())
    }

    /// Returns the value of `aria-sort`. Empty if the list is sorted by another column.
    #[must_use]
    pub fn direction(&self, column: &SortColumn) -> &'static str {
        match self.sort() {
            sort if sort.column != *column => "",
            sort if sort.descending => "descending",
            _ => "ascending",
        }
    }
}

fn title(list: &Listed, view: &View) -> String {
    let state = match view.wanted.open {
        Some(true) => "open ",
        Some(false) => "closed ",
        None => "",
    };
    let incidents = if list.matching == 1 { "incident" } else { "incidents" };
    format!("{} {state}{incidents}", list.matching)
}

fn usable(directory: &Directory, id: FilterId, visitor: &Visitor) -> Option<Arc<StoredFilter>> {
    directory.filters.get(&id).filter(|filter| filter.is_usable_by(visitor.caller.id())).cloned()
}

/// Returns the visitor's own filters, and some of other users.
fn filters(directory: &Directory, visitor: &Visitor, chosen: Option<FilterId>) -> Vec<FilterChoice> {
    let user = visitor.caller.id();
    let usable = directory.filters.values().filter(|filter| filter.is_usable_by(user));
    let choice = |filter: &Arc<StoredFilter>| FilterChoice {
        id: filter.id,
        name: filter.name.clone(),
        owner: (filter.owner != user)
            .then(|| directory.user(filter.owner).map(|owner| owner.username.clone()).unwrap_or_default()),
    };
    offered::filters(usable, user, chosen.as_slice()).into_iter().map(choice).collect()
}

/// Returns the query of the filter that a visit begins with: that of the last visit.
fn last_filter(visitor: &Visitor) -> String {
    match visitor.preferences.last_view.as_str() {
        "" => DEFAULT.to_owned(),
        last => View::parse(&FormFields::of_query(Some(last))).filter_only().query(),
    }
}

/// Returns the cookie that makes the next visit begin with this filter. `None` if it does already, or if the filter is
/// too long.
fn remember(visitor: &Visitor, view: &View) -> Option<HeaderValue> {
    let last_view = view.filter_only().query();
    if last_view == visitor.preferences.last_view || last_view.len() > LAST_VIEW {
        return None;
    }
    let value = format!("{}.{last_view}", visitor.caller.id());
    let seconds = i64::try_from(LAST_VIEW_LIFE.as_secs()).unwrap_or(i64::MAX);
    cookies::set(cookies::LAST_VIEW, &value, seconds, visitor.origin.starts_with("https:"))
}
