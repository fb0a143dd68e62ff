//! Saved filters: the caller's own and, in version 2, public filters of other users (contract section 14).

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::blob::{BlobBody, BlobRequest, filter_string, take_blob, take_filter_string};
use crate::domain::{FilterBlob, FilterDraft, FilterId, StoredFilter, limits, stored_filter::BlobEdit};
use crate::http::{
    Api, ApiError, BodyFields, Call, HandlerResult, Key, Named, Payload, Request, TextRule, Version, reply, request,
    stream,
};
use crate::service::{Configured, Model};

request! {
    /// Required fields are optional in PATCH.
    pub struct FilterRequest fills FilterDraft requires ["name"] {
        name: String = text[TextRule::filled_up_to(limits::FILTER_NAME)],
        /// Replaces all criteria.
        filter: Named<BlobRequest>,
        /// A JSON object with `sourceSystemIds` and `tags`, which are used if `filter` does not have them.
        filter_string: String,
        /// All users may read and use the filter.
        public: bool = flag,
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Filter)]
pub struct FilterBody<'a> {
    pk: u64,
    name: &'a str,
    /// A JSON object with the sources and tags of `filter`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required)]
    filter_string: Option<String>,
    filter: BlobBody<'a>,
    /// All users may read and use the filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required)]
    public: Option<bool>,
}

impl<'a> FilterBody<'a> {
    #[must_use]
    pub fn new(filter: &'a StoredFilter, version: Version) -> Self {
        let wide = version.has_wide_filters();
        Self {
            pk: filter.id.0,
            name: &filter.name,
            filter_string: (!wide).then(|| filter_string(&filter.blob)),
            filter: BlobBody::new(&filter.blob, wide),
            public: wide.then_some(filter.public),
        }
    }
}

/// List filters
///
/// The caller's own and, in version 2, public ones.
#[utoipa::path(get, path = "/notificationprofiles/filters/", tag = "filters",
    responses((status = 200, body = Vec<FilterBody<'static>>)))]
pub async fn list(Call { api, caller }: Call) -> HandlerResult {
    let user = caller.id();
    let write = move |api: &Api, rows: &mut stream::Rows| {
        let (directory, version) = (api.service.directory(), api.version);
        let filters =
            if version.has_wide_filters() { directory.usable_filters(user) } else { directory.filters_of(user) };
        rows.extend(filters.into_iter().map(|it| FilterBody::new(it, version)))
    };
    stream::from_memory(api, user, stream::ARRAY, write).await
}

/// Create a filter
#[utoipa::path(post, path = "/notificationprofiles/filters/", tag = "filters", request_body = FilterRequest,
    responses((status = 201, body = FilterBody<'static>)))]
pub async fn create(Call { api, caller }: Call, payload: Payload) -> HandlerResult {
    let new = payload.parse(|fields| Some(take(fields, api.version))).await?;
    let filter = api.service.notifications().put_filter(&caller, None, new).await?;
    Ok(reply::json(StatusCode::CREATED, &FilterBody::new(&filter, api.version)))
}

/// Read a filter
#[utoipa::path(get, path = "/notificationprofiles/filters/{pk}/", tag = "filters",
    responses((status = 200, body = FilterBody<'static>)))]
pub async fn retrieve(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    let directory = api.service.directory();
    let (user, id) = (caller.id(), FilterId(pk));
    let filter =
        if api.version.has_wide_filters() { directory.usable_filter(user, id) } else { directory.filter_of(user, id) };
    Ok(reply::json(
        StatusCode::OK,
        &FilterBody::new(filter.ok_or_else(|| ApiError::no_match(Model::Filter))?, api.version),
    ))
}

/// Change a filter
///
/// Only the owner may change it.
#[utoipa::path(method(put, patch), path = "/notificationprofiles/filters/{pk}/", tag = "filters",
    request_body = FilterRequest, responses((status = 200, body = FilterBody<'static>)))]
pub async fn edit(Call { api, caller }: Call, Key(pk): Key, payload: Payload) -> HandlerResult {
    let id = FilterId(pk);
    StoredFilter::find(&api.service.directory(), caller.id(), id)?;
    let edit = payload.parse(|fields| Some(take(fields, api.version))).await?;
    let filter = api.service.notifications().put_filter(&caller, Some(id), edit).await?;
    Ok(reply::json(StatusCode::OK, &FilterBody::new(&filter, api.version)))
}

/// Delete a filter
///
/// Only the owner may delete it.
#[utoipa::path(delete, path = "/notificationprofiles/filters/{pk}/", tag = "filters", responses((status = 204)))]
pub async fn delete(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    api.service.delete::<StoredFilter>(&caller, FilterId(pk)).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// Reads the fields of a filter. A PUT or POST without criteria sets none.
fn take(fields: &mut BodyFields, version: Version) -> FilterDraft {
    let wide = version.has_wide_filters();
    version.absent_in("FilterRequest").for_each(|name| fields.ignore(name));
    let draft = FilterRequest::take(fields);
    let is_blob_given = fields.is_whole() || fields.has("filter");
    let mut blob = FilterBlob::default();
    if let Some(mut nested) = fields.nested("filter") {
        blob = take_blob(&mut nested, wide);
        fields.absorb("filter", nested);
    }
    let string = take_filter_string(fields);
    let has_string = string.is_some();
    if let Some(string) = string {
        blob.source_ids = blob.source_ids.or(string.source_ids);
        blob.tags = blob.tags.or(string.tags);
    }
    let blob = match (is_blob_given, wide) {
        (true, true) => Some(BlobEdit::Whole(blob)),
        (true, false) => Some(BlobEdit::Plain(blob)),
        (false, _) => has_string.then_some(BlobEdit::SourcesAndTags(blob)),
    };
    FilterDraft { blob, ..draft }
}
