//! Counts beside filters, suggestions for tags, and the choice of columns.

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
};
use serde_json::{Map, Value};

use super::view::View;
use crate::domain::{SourceId, preferences::Column};
use crate::http::reply;
use crate::service::TagSuggestion;
use crate::web::{FormFields, PageResult, Posted, Site, Visitor, page, see};

/// Greatest number of suggested tags.
const SUGGESTIONS: usize = 20;

/// Returns the number of incidents for each choice of a filter, by the name of the choice in the page.
pub async fn facets(State(site): State<Site>, _: Visitor, RawQuery(query): RawQuery) -> PageResult {
    let view = View::parse(&FormFields::of_query(query.as_deref()));
    let facets = site.service.incidents().facets(view.criteria(&site.service.directory(), site.service.now())).await?;
    let mut counts = Map::new();
    let mut put = |name: String, count: u64| drop(counts.insert(name, Value::from(count)));
    for (level, count) in (1..).zip(facets.by_level) {
        put(format!("level:{level}"), count);
    }
    for (source, count) in facets.by_source {
        put(format!("source:{source}"), count);
    }
    for (name, count) in facets.by_source_type {
        put(format!("source_type:{name}"), count);
    }
    for (kind, count) in facets.by_event_type {
        put(format!("event_type:{}", kind.code()), count);
    }
    put("open".to_owned(), facets.open);
    put("closed".to_owned(), facets.closed);
    put("stateless".to_owned(), facets.stateless);
    put("acked".to_owned(), facets.acked);
    put("unacked".to_owned(), facets.unacked);
    put("with_ticket".to_owned(), facets.with_ticket);
    put("without_ticket".to_owned(), facets.without_ticket);
    Ok(reply::json(StatusCode::OK, &counts))
}

#[derive(Template)]
#[template(
    source = r#"{% for tag in tags %}<option value="{{ tag.text }}">{{ tag.count }}</option>{% endfor %}"#,
    ext = "html"
)]
struct Options {
    tags: Vec<TagSuggestion>,
}

/// Returns suggestions for tags as `<option>`s.
pub async fn tags(State(site): State<Site>, _: Visitor, RawQuery(query): RawQuery) -> PageResult {
    let fields = FormFields::of_query(query.as_deref());
    let tags = site.service.incidents().suggest_tags(None, fields.text("q"), SUGGESTIONS).await?;
    page(&Options { tags })
}

pub async fn columns(State(site): State<Site>, Posted { visitor, fields }: Posted) -> PageResult {
    let view = View::parse(&FormFields::of_query(fields.get("view")));
    site.service
        .people()
        .change_preferences(&visitor.caller, move |chosen| choose_columns(&mut chosen.columns, &fields))
        .await?;
    Ok(see(&format!("/incidents/?{}&choose=1", view.query())))
}

fn choose_columns(columns: &mut Vec<Column>, fields: &FormFields) {
    if let Some(preset) = fields.get("preset").and_then(Column::preset) {
        *columns = preset.to_vec();
    } else if let Some(chosen) = Column::parse_all(fields.all("columns")) {
        *columns = chosen;
    }
    if let Some(up) = fields.get("up").and_then(Column::parse)
        && let Some(at) = columns.iter().position(|it| *it == up)
        && let Some(before) = at.checked_sub(1)
    {
        columns.swap(at, before);
    }
}

/// Adds the source that is entered by name to the view: a full name, or a part that only one source has. `Err` is a
/// text for the user.
pub fn by_name(site: &Site, fields: &FormFields, view: &mut View) -> Result<(), String> {
    let Some(name) = fields.filled("source_name") else { return Ok(()) };
    let directory = site.service.directory();
    let sources = &directory.sources;
    let lower = name.to_lowercase();
    let mut found: Vec<SourceId> = sources.values().filter(|it| it.name == name).map(|it| it.id).collect();
    if found.is_empty() {
        found.extend(sources.values().filter(|it| it.name.to_lowercase().contains(&lower)).map(|it| it.id));
        match found.len() {
            0 => return Err(format!("No source is named “{name}”.")),
            1 => {}
            count => return Err(format!("{count} sources have “{name}” in their names. Type more of it.")),
        }
    }
    for id in found {
        let sources = view.wanted.source_ids.get_or_insert_default();
        if !sources.contains(&id) {
            sources.push(id);
        }
    }
    Ok(())
}
