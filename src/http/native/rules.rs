//! Rules, which decide which contacts are notified.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::{Addressee, Directory, FilterId, Recipient, Rule, RuleDraft, RuleId, TimeslotId, limits};
use crate::http::{Api, BodyFields, Call, HandlerResult, Key, Payload, Request, TextRule, reply, request, stream};
use crate::service::Configured;

request! {
    pub struct RuleRequest fills RuleDraft requires ["name", "timeslot", "filters"] {
        /// Primary keys of filters of the user who created the rule, or of public ones; at least one.
        filters: Vec<FilterId> = references(limits::FILTERS_PER_RULE, false),
        /// Unique.
        name: String = text[TextRule::filled_up_to(limits::NAME)],
        /// Primary key of a timeslot of the user who created the rule.
        timeslot: TimeslotId = reference,
        recipients: Vec<Recipient> as Vec<RecipientRequest> = objects(limits::RECIPIENTS_PER_RULE, take_recipient),
        active: bool = flag,
    }
}

request! {
    /// Either a contact or a group.
    pub struct RecipientRequest {
        /// UUID.
        contact: Uuid = uuid,
        /// UUID.
        group: Uuid = uuid,
        /// UUID. By default, the default channel of each contact.
        channel: Uuid = uuid,
    }
}

/// Timeslot and filters are primary keys.
#[derive(Serialize, ToSchema)]
#[schema(as = Rule)]
pub struct RuleBody<'a> {
    pk: u64,
    name: &'a str,
    /// Username of the user who created it.
    owner: &'a str,
    timeslot: u64,
    filters: Vec<u64>,
    /// A rule without recipients notifies nobody.
    recipients: Vec<RecipientBody>,
    active: bool,
}

/// Either a contact or a group.
#[derive(Serialize, ToSchema)]
#[schema(as = Recipient)]
struct RecipientBody {
    #[schema(value_type = Option<String>, format = "uuid")]
    contact: Option<Uuid>,
    #[schema(value_type = Option<String>, format = "uuid")]
    group: Option<Uuid>,
    /// Null: the default channel of each contact.
    #[schema(value_type = Option<String>, format = "uuid")]
    channel: Option<Uuid>,
}

impl<'a> RuleBody<'a> {
    fn new(rule: &'a Rule, directory: &'a Directory) -> Self {
        Self {
            pk: rule.id.0,
            name: &rule.name,
            owner: directory.user(rule.owner).map_or("", |owner| &owner.username),
            timeslot: rule.timeslot.0,
            filters: rule.filters.iter().map(|id| id.0).collect(),
            recipients: rule.recipients.iter().map(RecipientBody::new).collect(),
            active: rule.active,
        }
    }
}

impl RecipientBody {
    fn new(recipient: &Recipient) -> Self {
        let (contact, group) = match recipient.who {
            Addressee::Contact(uuid) => (Some(uuid), None),
            Addressee::Group(uuid) => (None, Some(uuid)),
        };
        Self { contact, group, channel: recipient.channel }
    }
}

/// List rules
///
/// Only for staff.
#[utoipa::path(get, path = "/rules/", tag = "rules",
    responses((status = 200, body = Vec<RuleBody<'static>>), (status = 403)))]
pub async fn list(Call { api, caller }: Call) -> HandlerResult {
    let write = |api: &Api, rows: &mut stream::Rows| {
        let directory = api.service.directory();
        rows.extend(directory.rules.values().map(|rule| RuleBody::new(rule, &directory)))
    };
    stream::from_memory(api, caller.id(), stream::ARRAY, write).await
}

/// Create a rule
///
/// Contacts are notified of incidents that match all of its filters, during its timeslot. Only for superusers.
#[utoipa::path(post, path = "/rules/", tag = "rules", request_body = RuleRequest,
    responses((status = 201, body = RuleBody<'static>), (status = 403)))]
pub async fn create(Call { api, caller }: Call, payload: Payload) -> HandlerResult {
    let new = payload.request::<RuleRequest>().await?;
    let rule = api.service.notifications().put_rule(&caller, None, new).await?;
    Ok(reply::json(StatusCode::CREATED, &RuleBody::new(&rule, &api.service.directory())))
}

/// Read a rule
///
/// Only for staff.
#[utoipa::path(get, path = "/rules/{pk}/", tag = "rules",
    responses((status = 200, body = RuleBody<'static>), (status = 403)))]
pub async fn retrieve(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    let directory = api.service.directory();
    let rule = Rule::find(&directory, caller.id(), RuleId(pk))?;
    Ok(reply::json(StatusCode::OK, &RuleBody::new(rule, &directory)))
}

/// Change a rule
///
/// `recipients` and `active` keep their values if they are absent. Only for superusers.
#[utoipa::path(method(put, patch), path = "/rules/{pk}/", tag = "rules", request_body = RuleRequest,
    responses((status = 200, body = RuleBody<'static>), (status = 403)))]
pub async fn edit(Call { api, caller }: Call, Key(pk): Key, payload: Payload) -> HandlerResult {
    let id = RuleId(pk);
    Rule::find(&api.service.directory(), caller.id(), id)?;
    let edit = payload.request::<RuleRequest>().await?;
    let rule = api.service.notifications().put_rule(&caller, Some(id), edit).await?;
    Ok(reply::json(StatusCode::OK, &RuleBody::new(&rule, &api.service.directory())))
}

/// Delete a rule
///
/// Only for superusers.
#[utoipa::path(delete, path = "/rules/{pk}/", tag = "rules", responses((status = 204), (status = 403)))]
pub async fn delete(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    api.service.delete::<Rule>(&caller, RuleId(pk)).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

fn take_recipient(fields: &mut BodyFields) -> Option<Recipient> {
    let RecipientRequest { contact, group, channel } = RecipientRequest::take(fields);
    if fields.has_errors() {
        return None;
    }
    let who = match (contact, group) {
        (Some(contact), None) => Addressee::Contact(contact),
        (None, Some(group)) => Addressee::Group(group),
        _ => {
            fields.error("non_field_errors", "Name either a contact or a group.");
            return None;
        }
    };
    Some(Recipient { who, channel })
}
