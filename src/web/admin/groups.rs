//! Contact groups and who is in them.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use uuid::Uuid;

use super::{
    Staff,
    contacts::{check_length, contact_named, named, problem},
    uuid,
};
use crate::{
    domain::{
        contact::{GroupDraft, OriginEdit},
        contact_filter::Column,
        limits::GROUP_NAME,
    },
    service::{Action, GroupWithUsers, Model, Way},
    web::{
        Site,
        answer::{Answer, PageError, done, missing, page, page_with},
        frame::{Frame, Section},
        problem::Problem,
        visitor::{Posted, Visitor},
    },
};

/// Members that are shown by name.
const SHOWN: usize = 200;

#[derive(Template)]
#[template(path = "admin/groups.html")]
struct GroupsPage {
    frame: Frame,
    tab: &'static str,
    rows: Vec<GroupWithUsers>,
    q: String,
    name: String,
    problem: Option<Problem>,
    next: Option<String>,
    is_first: bool,
}

#[derive(Template)]
#[template(path = "admin/group.html")]
struct GroupPage {
    frame: Frame,
    tab: &'static str,
    group: GroupWithUsers,
    members: Vec<(Uuid, String)>,
    name: String,
    problem: Option<Problem>,
}

pub async fn list(State(site): State<Site>, staff: Staff) -> Answer {
    page(&groups_page(&site, &staff).await?)
}

/// The answer to a bad name is a page of its own, so that the list need not be read.
pub async fn create(State(site): State<Site>, Posted { visitor, fields }: Posted) -> Answer {
    visitor.caller.require(Action::ManageContacts)?;
    let (name, uuid) = (fields.text("name"), Uuid::new_v4());
    let problem = if let Err(problem) = check_name(&name) {
        problem
    } else {
        let draft = GroupDraft { uuid, name: name.clone(), users: None, origin: OriginEdit::Keep };
        match site.service.store_contact_group(&visitor.caller, Way::Create, draft).await {
            Ok(_) => return Ok(done(&path(uuid), "The group is made.")),
            Err(refusal) => problem(refusal)?,
        }
    };
    let again = GroupsPage {
        frame: Frame::new(&site, &visitor, Section::Admin, "Contact groups"),
        tab: "groups",
        rows: Vec::new(),
        q: String::new(),
        name,
        problem: Some(problem),
        next: None,
        is_first: false,
    };
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
}

pub async fn show(State(site): State<Site>, Path(id): Path<String>, staff: Staff) -> Answer {
    let group = find(&site, &id).await?;
    page(&group_page(&site, &staff.visitor, group).await?)
}

pub async fn save(State(site): State<Site>, Path(id): Path<String>, Posted { visitor, fields }: Posted) -> Answer {
    visitor.caller.require(Action::ManageContacts)?;
    let (group, name) = (find(&site, &id).await?, fields.text("name"));
    let problem = if let Err(problem) = check_name(&name) {
        problem
    } else {
        let uuid = group.group.uuid;
        let draft = GroupDraft { uuid, name: name.clone(), users: None, origin: OriginEdit::Keep };
        match site.service.store_contact_group(&visitor.caller, Way::Put, draft).await {
            Ok(_) => return Ok(done(&path(uuid), "Saved.")),
            Err(refusal) => problem(refusal)?,
        }
    };
    let again = GroupPage { name, ..group_page(&site, &visitor, group).await? };
    refuse(again, problem)
}

pub async fn delete(State(site): State<Site>, Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Answer {
    match site.service.delete_contact_group(&visitor.caller, uuid(&id, Model::ContactGroup)?).await {
        Ok(()) => Ok(done("/admin/groups/", "The group is deleted. Its members are still contacts.")),
        Err(refusal) => Err(PageError::BadRequest(problem(refusal)?.to_string())),
    }
}

/// In with somebody who is named, or out with somebody.
pub async fn change_members(
    State(site): State<Site>,
    Path(id): Path<String>,
    Posted { visitor, fields }: Posted,
) -> Answer {
    visitor.caller.require(Action::ManageContacts)?;
    let group = find(&site, &id).await?;
    let outcome = if let Some(contact) = fields.filled("leave") {
        let contact = uuid(contact, Model::Contact)?;
        site.service.set_membership(&visitor.caller, contact, group.group.uuid, false).await.map_err(problem)
    } else {
        match contact_named(&site, fields.get("contact").unwrap_or_default()).await? {
            Ok(contact) => {
                let set = site.service.set_membership(&visitor.caller, contact.uuid, group.group.uuid, true).await;
                set.map_err(problem)
            }
            Err(text) => Err(Ok(Problem::of("contact", text))),
        }
    };
    match outcome {
        Ok(()) => Ok(done(&path(group.group.uuid), "Saved.")),
        Err(problem) => refuse(group_page(&site, &visitor, group).await?, problem?),
    }
}

fn check_name(name: &str) -> Result<(), Problem> {
    if name.is_empty() {
        return Err(Problem::of("name", "Name: it must not be empty."));
    }
    check_length("name", "Name", name, GROUP_NAME)
}

async fn groups_page(site: &Site, staff: &Staff) -> Result<GroupsPage, PageError> {
    let q = staff.query.text("q");
    let after = staff.query.get("after").and_then(|text| text.parse().ok());
    let found = site.service.contact_groups_page(named(&q, &[Column::Name]), after, staff.rows()).await?;
    Ok(GroupsPage {
        frame: staff.frame(site, "Contact groups"),
        tab: "groups",
        rows: found.rows,
        name: String::new(),
        problem: None,
        next: found.next.map(|uuid| staff.address_with("after", &uuid.to_string())),
        is_first: after.is_none(),
        q,
    })
}

async fn find(site: &Site, id: &str) -> Result<GroupWithUsers, PageError> {
    let found = site.service.contact_group(uuid(id, Model::ContactGroup)?).await?;
    found.ok_or_else(|| missing(Model::ContactGroup))
}

fn path(uuid: Uuid) -> String {
    format!("/admin/groups/{uuid}/")
}

async fn group_page(site: &Site, visitor: &Visitor, group: GroupWithUsers) -> Result<GroupPage, PageError> {
    let mut members = Vec::new();
    for uuid in group.users.iter().take(SHOWN) {
        members.extend(site.service.contact(*uuid).await?.map(|contact| (contact.uuid, contact.full_name)));
    }
    members.sort_by(|one, other| one.1.cmp(&other.1));
    Ok(GroupPage {
        frame: Frame::new(site, visitor, Section::Admin, format!("Group {}", group.group.name)),
        tab: "groups",
        name: group.group.name.clone(),
        group,
        members,
        problem: None,
    })
}

fn refuse(mut again: GroupPage, problem: Problem) -> Answer {
    again.problem = Some(problem);
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
}
