//! An incident as a row of the list, for pages and for live updates.

use askama::{Template, filters::HtmlSafe};

use crate::domain::{
    Directory, EndTime, FilterSubject, Incident, IncidentTag, Tag, Timestamp, preferences::Column,
    subscription::MaintenanceTask,
};
use crate::web::Show;

/// Width of the tags in one row, in characters. Two are added to each tag for the space around it.
const TAGS_SHOWN: usize = 32;

/// Settings and data that rows are rendered with.
#[derive(Clone, Copy)]
pub struct RowContext<'a> {
    pub show: Show,
    pub columns: &'a [Column],
    pub directory: &'a Directory,
    pub tasks: &'a [MaintenanceTask],
    /// Whether rows have a box to select them.
    pub selectable: bool,
}

#[derive(Template)]
#[template(path = "incidents/row.html")]
pub struct IncidentRow<'a> {
    incident: &'a Incident,
    look: RowContext<'a>,
    source: &'a str,
    source_type: &'a str,
    state: &'static str,
    acked: bool,
    maintenance: Vec<&'a str>,
}

/// The template escapes its texts.
impl HtmlSafe for IncidentRow<'_> {}

impl<'a> IncidentRow<'a> {
    #[must_use]
    pub fn new(incident: &'a Incident, look: RowContext<'a>) -> Self {
        let now = look.show.now;
        let source = look.directory.sources.get(&incident.source);
        let state = match incident.end {
            EndTime::Stateless => "stateless",
            end if end.is_open(now) => "open",
            _ => "closed",
        };
        Self {
            incident,
            look,
            source: source.map_or("", |source| source.name.as_str()),
            source_type: source.map_or("", |source| source.source_type.as_str()),
            state,
            acked: incident.is_acked(now),
            maintenance: if look.columns.contains(&Column::Maintenance) {
                let about = FilterSubject::incident(incident, now);
                let covering = look.tasks.iter().filter(|task| task.covers(now, &about, look.directory));
                covering.map(|task| task.maintenance.description.as_str()).collect()
            } else {
                Vec::new()
            },
        }
    }

    /// Returns the end. `None` if no end is known or the incident is stateless.
    fn end(&self) -> Option<Timestamp> {
        self.incident.end.time()
    }

    /// Returns whether the acknowledgement has a column of its own.
    fn shows_acked(&self) -> bool {
        self.look.columns.contains(&Column::Acked)
    }

    fn is_open(&self) -> bool {
        self.state == "open"
    }

    /// Returns the tags that fit into one line of the column, at least one.
    fn shown_tags(&self) -> &[IncidentTag] {
        let mut room = TAGS_SHOWN;
        let fits = |it: &&IncidentTag| {
            let width = it.tag.as_str().chars().count() + 2;
            let is_first = room == TAGS_SHOWN;
            room = room.saturating_sub(width);
            is_first || room > 0
        };
        let count = self.incident.tags.iter().take_while(fits).count();
        self.incident.tags.get(..count).unwrap_or_default()
    }

    /// Returns the other tags, in one line.
    fn other_tags(&self) -> Option<String> {
        let rest = self.incident.tags.get(self.shown_tags().len()..)?;
        (!rest.is_empty()).then(|| rest.iter().map(|it| it.tag.as_str()).collect::<Vec<_>>().join(" "))
    }

    fn tag_link(tag: &Tag) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("tags", tag.as_str()).finish();
        format!("/incidents/?{query}")
    }

    /// Returns the ticket address if it is a web address, which a browser may open.
    fn ticket(&self) -> Option<&str> {
        let url = self.incident.ticket_url.as_str();
        (url.starts_with("https://") || url.starts_with("http://")).then_some(url)
    }
}

/// Returns the row as HTML. Empty if it cannot be rendered.
#[must_use]
pub fn html(incident: &Incident, look: RowContext<'_>) -> String {
    IncidentRow::new(incident, look).render().unwrap_or_default()
}
