//! Contact groups and their members.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use uuid::Uuid;

use super::{
    Staff,
    contacts::{contact_named, named},
    uuid,
};
use crate::domain::{GroupDraft, contact::OriginEdit, contact_filter::Column, limits::GROUP_NAME};
use crate::service::{Action, GroupWithUsers, Model, WriteMode};
use crate::web::{
    Ask, FormError, FormPage, Frame, PageError, PageResult, Posted, Problem, Section, Site, Visitor, done, missing,
    page,
};

/// Number of members that are shown by name.
const SHOWN: usize = 200;

#[derive(Template)]
#[template(path = "admin/groups.html")]
pub struct GroupsPage {
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
pub struct GroupPage {
    frame: Frame,
    tab: &'static str,
    group: GroupWithUsers,
    members: Vec<(Uuid, String)>,
    name: String,
    problem: Option<Problem>,
}

pub async fn list(State(site): State<Site>, staff: Staff) -> PageResult {
    page(&groups_page(&site, &staff).await?)
}

/// A refused name is answered with a page without the list, which need not be read.
impl FormPage for GroupsPage {
    const CHANGE: Action = Action::ManageContacts;
    type Id = String;
    type Known = ();
    type Draft = String;

    fn read(ask: &Ask<Self>) -> String {
        ask.fields.text("name")
    }

    async fn view(ask: &Ask<Self>, name: String, problem: Option<Problem>) -> Result<Self, PageError> {
        let frame = Frame::new(&ask.site, &ask.visitor, Section::Admin, "Contact groups");
        let (rows, q) = (Vec::new(), String::new());
        Ok(Self { frame, tab: "groups", rows, q, name, problem, next: None, is_first: false })
    }

    async fn save(ask: &Ask<Self>, name: &mut String) -> Result<Response, FormError> {
        store(ask, Uuid::new_v4(), WriteMode::Create, name, "Group created.").await
    }
}

impl FormPage for GroupPage {
    const CHANGE: Action = Action::ManageContacts;
    type Id = String;
    type Known = GroupWithUsers;
    type Draft = String;

    async fn find(site: &Site, _: &Visitor, id: String) -> Result<GroupWithUsers, PageError> {
        let found = site.service.contacts().contact_group(uuid(&id, Model::ContactGroup)?).await?;
        found.ok_or_else(|| missing(Model::ContactGroup))
    }

    fn start(ask: &Ask<Self>) -> String {
        ask.known.as_ref().map(|group| group.group.name.clone()).unwrap_or_default()
    }

    fn read(ask: &Ask<Self>) -> String {
        ask.fields.text("name")
    }

    async fn view(ask: &Ask<Self>, name: String, problem: Option<Problem>) -> Result<Self, PageError> {
        let group = ask.known()?.clone();
        let mut members = Vec::new();
        for uuid in group.users.iter().take(SHOWN) {
            members.extend(
                ask.site.service.contacts().contact(*uuid).await?.map(|contact| (contact.uuid, contact.full_name)),
            );
        }
        members.sort_by(|one, other| one.1.cmp(&other.1));
        let frame = Frame::new(&ask.site, &ask.visitor, Section::Admin, format!("Group {}", group.group.name));
        Ok(Self { frame, tab: "groups", group, members, name, problem })
    }

    async fn save(ask: &Ask<Self>, name: &mut String) -> Result<Response, FormError> {
        store(ask, ask.known()?.group.uuid, WriteMode::Put, name, "Saved.").await
    }
}

async fn store<T: FormPage>(
    ask: &Ask<T>,
    uuid: Uuid,
    way: WriteMode,
    name: &str,
    notice: &str,
) -> Result<Response, FormError> {
    if name.is_empty() {
        return Err(Problem::of("name", "Name: must not be empty.").into());
    }
    Problem::check_length("name", "Name", name, GROUP_NAME)?;
    let draft = GroupDraft { uuid, name: name.to_owned(), users: None, origin: OriginEdit::Keep };
    ask.site.service.contacts().store_contact_group(&ask.visitor.caller, way, draft).await?;
    Ok(done(&path(uuid), notice))
}

pub async fn delete(State(site): State<Site>, Path(id): Path<String>, Posted { visitor, .. }: Posted) -> PageResult {
    let id = uuid(&id, Model::ContactGroup)?;
    site.service.contacts().delete_contact_group(&visitor.caller, id).await.map_err(FormError::from)?;
    Ok(done("/admin/groups/", "Group deleted. Its members are still contacts."))
}

/// Adds the named contact to the group, or removes a member.
pub async fn change_members(ask: Ask<GroupPage>) -> PageResult {
    match set_member(&ask).await {
        Ok(saved) => Ok(saved),
        Err(failure) => ask.refuse(failure).await,
    }
}

async fn set_member(ask: &Ask<GroupPage>) -> Result<Response, FormError> {
    let (group, leave) = (ask.known()?.group.uuid, ask.fields.filled("leave"));
    let contact = match leave {
        Some(contact) => uuid(contact, Model::Contact)?,
        None => contact_named(&ask.site, "contact", ask.fields.get("contact").unwrap_or_default()).await?.uuid,
    };
    ask.site.service.contacts().set_membership(&ask.visitor.caller, contact, group, leave.is_none()).await?;
    Ok(done(&path(group), "Saved."))
}

async fn groups_page(site: &Site, staff: &Staff) -> Result<GroupsPage, PageError> {
    let q = staff.query.text("q");
    let after = staff.query.get("after").and_then(|text| text.parse().ok());
    let found = site.service.contacts().contact_groups_page(named(&q, &[Column::Name]), after, staff.rows()).await?;
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

fn path(uuid: Uuid) -> String {
    format!("/admin/groups/{uuid}/")
}
