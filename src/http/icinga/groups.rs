//! Wire shape of contact groups (contact API contract section 7.2).

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Dialect, Problem,
    fields::{self, IcingaFields, check_length, optional, origin, required},
};
use crate::domain::{GroupDraft, limits::GROUP_NAME};
use crate::service::GroupWithUsers;

const MISSING: &str = "Invalid request body: the fields id and name must be present and of type string";

pub(super) fn shown(GroupWithUsers { group, users }: &GroupWithUsers) -> Value {
    let users: Vec<String> = users.iter().map(Uuid::to_string).collect();
    let mut shown = json!({ "id": group.uuid.to_string(), "name": group.name, "users": users });
    if let (Some(shown), Some(origin)) = (shown.as_object_mut(), &group.origin) {
        shown.insert("origin".to_owned(), origin.clone().into());
    }
    shown
}

/// Reads a contact group. Checks the fields in the order of the contract's table, except for what depends on other
/// contacts and groups.
pub(super) fn draft(dialect: Dialect, fields: &IcingaFields) -> Result<GroupDraft, Problem> {
    let [id, name] = required(dialect, fields, ["id", "name"], MISSING)?;
    let uuid =
        fields::uuid(id).ok_or_else(|| Problem::unprocessable("Invalid request body: given id is not a valid UUID"))?;
    let users = optional(fields, "users").map(users).transpose()?;
    check_length("name", name, GROUP_NAME)?;
    Ok(GroupDraft { uuid, name: name.to_owned(), users, origin: origin(fields)? })
}

fn users(sent: &Value) -> Result<Vec<Uuid>, Problem> {
    let Some(sent) = sent.as_array() else {
        return Err(Problem::unprocessable("Invalid request body: expects users to be an array"));
    };
    let parse = |user: &Value| {
        user.as_str().and_then(fields::uuid).ok_or_else(|| {
            let user = fields::shown(user);
            Problem::unprocessable(format!("Invalid request body: the user identifier {user} is not a valid UUID"))
        })
    };
    sent.iter().map(parse).collect()
}
