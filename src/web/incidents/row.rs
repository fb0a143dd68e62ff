//! One incident as a row of the list, for whole pages and for what is pushed to them.

use askama::{Template, filters::HtmlSafe};

use crate::{
    domain::{
        directory::Directory,
        filter::About,
        incident::{EndTime, Incident},
        preferences::Column,
        subscription::MaintenanceTask,
        tag::Tag,
        time::Timestamp,
    },
    web::show::Show,
};

/// What rows are made with.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    pub show: Show,
    pub columns: &'a [Column],
    pub directory: &'a Directory,
    pub tasks: &'a [MaintenanceTask],
    /// With a box to tick.
    pub selectable: bool,
}

#[derive(Template)]
#[template(path = "incidents/row.html")]
pub struct Row<'a> {
    incident: &'a Incident,
    look: Look<'a>,
    source: &'a str,
    source_type: &'a str,
    state: &'static str,
    acked: bool,
    maintenance: Vec<&'a str>,
}

/// It escapes what it shows.
impl HtmlSafe for Row<'_> {}

impl<'a> Row<'a> {
    #[must_use]
    pub fn new(incident: &'a Incident, look: Look<'a>) -> Self {
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
                let about = About::incident(incident, now);
                let covering = look.tasks.iter().filter(|task| task.covers(now, &about, look.directory));
                covering.map(|task| task.maintenance.description.as_str()).collect()
            } else {
                Vec::new()
            },
        }
    }

    /// `None`: open-ended, or a single moment.
    fn end(&self) -> Option<Timestamp> {
        match self.incident.end {
            EndTime::At(end) => Some(end),
            EndTime::Stateless | EndTime::Infinity => None,
        }
    }

    /// In a column of its own.
    fn shows_acked(&self) -> bool {
        self.look.columns.contains(&Column::Acked)
    }

    fn is_open(&self) -> bool {
        self.state == "open"
    }

    fn tag_link(tag: &Tag) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("tags", tag.as_str()).finish();
        format!("/incidents/?{query}")
    }

    /// Only what a browser may open.
    fn ticket(&self) -> Option<&str> {
        let url = self.incident.ticket_url.as_str();
        (url.starts_with("https://") || url.starts_with("http://")).then_some(url)
    }
}

/// The row as text; empty if it cannot be written.
#[must_use]
pub fn html(incident: &Incident, look: Look<'_>) -> String {
    Row::new(incident, look).render().unwrap_or_default()
}
