//! Destinations of the caller (contract section 16.2). Secrets can be written, but are never returned.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::media::MediumBody;
use crate::domain::{
    AnyMedium, Destination, DestinationDraft, DestinationId,
    destination::{EMAIL, is_shared},
    limits,
    setting::Form,
};
use crate::http::{
    Api, ApiError, BodyFields, Call, HandlerResult, Key, Payload, Request, TextRule, error::unknown_key, reply,
    request, request::AnyJson, stream,
};
use crate::service::{Configured, Service};

request! {
    /// Required fields are optional in PATCH.
    pub struct DestinationConfigRequest fills DestinationDraft requires ["media", "settings"] {
        /// The slug of a medium. Cannot be changed.
        media: String,
        /// Null, or unique among the caller's destinations of the medium.
        label: Option<String> = nullable_text[TextRule::up_to(limits::DESTINATION_LABEL)],
        /// Must match the `json_schema` of the medium.
        settings: AnyJson,
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = DestinationConfig)]
pub struct DestinationBody<'a> {
    pk: u64,
    media: MediumBody,
    label: Option<&'a str>,
    suggested_label: String,
    /// Without secrets.
    #[schema(value_type = Object)]
    settings: Map<String, Value>,
}

#[derive(Serialize, ToSchema)]
struct Duplicate {
    is_duplicate: bool,
}

impl<'a> DestinationBody<'a> {
    #[must_use]
    pub fn new(destination: &'a Destination, service: &Service) -> Self {
        let medium = service.notifications().medium(&destination.medium);
        let shown = medium.medium.settings().iter().filter(|setting| !setting.secret);
        let mut settings: Map<String, Value> = shown
            .filter_map(|setting| Some((setting.key.to_owned(), destination.settings.get(setting.key)?.clone().into())))
            .collect();
        if destination.medium == EMAIL {
            settings.insert("synced".to_owned(), destination.synced.into());
        }
        Self {
            pk: destination.id.0,
            media: MediumBody::new(&medium),
            label: destination.label.as_deref(),
            suggested_label: format!("{}: {}", medium.name, destination.shown()),
            settings,
        }
    }
}

/// List the caller's destinations
#[utoipa::path(get, path = "/notificationprofiles/destinations/", tag = "destinations",
    responses((status = 200, body = Vec<DestinationBody<'static>>)))]
pub async fn list(Call { api, caller }: Call) -> HandlerResult {
    let user = caller.id();
    let write = move |api: &Api, rows: &mut stream::Rows| {
        let directory = api.service.directory();
        let destinations = directory.destinations_of(user).into_iter();
        rows.extend(destinations.map(|it| DestinationBody::new(it, &api.service)))
    };
    stream::from_memory(api, user, stream::ARRAY, write).await
}

/// Create a destination
#[utoipa::path(post, path = "/notificationprofiles/destinations/", tag = "destinations",
    request_body = DestinationConfigRequest, responses((status = 201, body = DestinationBody<'static>)))]
pub async fn create(Call { api, caller }: Call, payload: Payload) -> HandlerResult {
    let new = payload.parse(|fields| Some(take(fields, None, &api.service))).await?;
    let destination = api.service.notifications().put_destination(&caller, None, new).await?;
    Ok(reply::json(StatusCode::CREATED, &DestinationBody::new(&destination, &api.service)))
}

/// Read a destination
#[utoipa::path(get, path = "/notificationprofiles/destinations/{pk}/", tag = "destinations",
    responses((status = 200, body = DestinationBody<'static>)))]
pub async fn retrieve(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    let directory = api.service.directory();
    let destination = Destination::find(&directory, caller.id(), DestinationId(pk))?;
    Ok(reply::json(StatusCode::OK, &DestinationBody::new(destination, &api.service)))
}

/// Change a destination
///
/// The medium cannot be changed. A secret that is absent is kept if the host stays the same; null deletes it. If the
/// settings of the destination that follows the caller's e-mail address change, it stops following, and a new
/// destination that follows is created.
#[utoipa::path(patch, path = "/notificationprofiles/destinations/{pk}/", tag = "destinations",
    request_body = DestinationConfigRequest, responses((status = 200, body = DestinationBody<'static>)))]
pub async fn edit(Call { api, caller }: Call, Key(pk): Key, payload: Payload) -> HandlerResult {
    let id = DestinationId(pk);
    let directory = api.service.directory();
    let destination = Destination::find(&directory, caller.id(), id)?;
    let medium = AnyMedium::from_slug(&destination.medium);
    let edit = payload.parse(|fields| Some(take(fields, Some(&medium), &api.service))).await?;
    let destination = api.service.notifications().put_destination(&caller, Some(id), edit).await?;
    Ok(reply::json(StatusCode::OK, &DestinationBody::new(&destination, &api.service)))
}

/// Delete a destination
///
/// Refused while a profile leads to it, and for the one that follows the caller's e-mail address.
#[utoipa::path(delete, path = "/notificationprofiles/destinations/{pk}/", tag = "destinations",
    responses((status = 204)))]
pub async fn delete(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    api.service.delete::<Destination>(&caller, DestinationId(pk)).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// Check whether another user has the same address
#[utoipa::path(get, path = "/notificationprofiles/destinations/{pk}/duplicate/", tag = "destinations",
    responses((status = 200, body = Duplicate)))]
pub async fn duplicate(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    let directory = api.service.directory();
    let destination = directory
        .destination_of(caller.id(), DestinationId(pk))
        .ok_or_else(|| ApiError::list(format!("Destination with pk={pk} does not exist.")))?;
    Ok(reply::json(StatusCode::OK, &Duplicate { is_duplicate: is_shared(&directory, destination) }))
}

/// Reads the fields of a destination. `known` is the medium of the destination that is changed, or `None` for a new
/// one.
fn take(fields: &mut BodyFields, known: Option<&AnyMedium>, service: &Service) -> DestinationDraft {
    if known.is_none() {
        fields.require_all(&["media", "settings"]);
    }
    let medium = take_medium(fields, service);
    if known.is_some() && medium.is_some() && medium.as_ref() != known {
        // This error is reported alone, because the settings are those of the other medium.
        return DestinationDraft { medium, ..DestinationDraft::default() };
    }
    let label = DestinationConfigRequest::take(fields).label;
    let settings = take_settings(fields, known.or(medium.as_ref()));
    DestinationDraft { medium, label, settings }
}

fn take_medium(fields: &mut BodyFields, service: &Service) -> Option<AnyMedium> {
    let slug = fields.text("media", TextRule::up_to(limits::SOURCE_TYPE_NAME))?;
    let medium = service.notifications().offered_medium(&slug).map(|it| it.medium);
    if medium.is_none() {
        fields.error("media", unknown_key(slug));
    }
    medium
}

/// Reads the settings. Their errors are reported beside those of the other fields. A value of `None` is null or empty.
fn take_settings(fields: &mut BodyFields, medium: Option<&AnyMedium>) -> Option<BTreeMap<String, Option<String>>> {
    let mut given = fields.dictionary("settings", "Settings has to be a dictionary.")?;
    let mut settings = BTreeMap::new();
    for setting in medium?.settings() {
        let longest = match setting.form {
            Form::MailAddress | Form::Phone => limits::URL,
            form => form.longest(),
        };
        let value = if setting.secret {
            given.nullable_text(setting.key, TextRule::up_to(longest))
        } else {
            given.required_text(setting.key, longest).map(Some)
        };
        match value {
            Some(Some(text)) => match setting.form.normalize(text) {
                Ok(value) => drop(settings.insert(setting.key.to_owned(), Some(value))),
                Err(error) => given.error(setting.key, error.to_string()),
            },
            Some(None) => drop(settings.insert(setting.key.to_owned(), None)),
            None => {}
        }
    }
    fields.join(given);
    Some(settings)
}
