//! Rules, which decide which contacts are notified: list and form.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{
    Staff,
    contacts::{channel_choices, contact_named, group_named, offered_groups},
};
use crate::domain::{
    Addressee, FilterId, Recipient, Rule, RuleDraft, RuleId, TimeslotId, UserId, filter::fold,
    limits::RECIPIENTS_PER_RULE,
};
use crate::service::{Action, Model};
use crate::web::{
    Ask, FormError, FormFields, FormPage, Frame, PageError, PageResult, Posted, Problem, Section, Site, Visitor, done,
    missing, offered, page,
};

#[derive(Template)]
#[template(path = "admin/rules.html")]
struct RulesPage {
    frame: Frame,
    tab: &'static str,
    rows: Vec<RuleRow>,
    q: String,
}

struct RuleRow {
    rule: Arc<Rule>,
    owner: String,
    timeslot: String,
    filters: Vec<String>,
}

#[derive(Template)]
#[template(path = "admin/rule.html")]
pub struct RulePage {
    frame: Frame,
    tab: &'static str,
    /// `None` for a new rule.
    rule: Option<Arc<Rule>>,
    owner: String,
    form: RuleForm,
    timeslots: Vec<(u64, String)>,
    filters: Vec<(u64, String)>,
    recipients: Vec<RecipientLine>,
    channels: Vec<(String, String)>,
    offered: Vec<String>,
    problem: Option<Problem>,
}

/// Recipient of a rule as the page shows it.
struct RecipientLine {
    /// Value of the field in the form.
    value: String,
    name: String,
    path: String,
    is_group: bool,
    /// Name of the channel. `None` stands for the default channel of each contact.
    channel: Option<String>,
}

/// Values that the user entered.
#[derive(Default)]
pub struct RuleForm {
    name: String,
    timeslot: u64,
    filters: Vec<u64>,
    recipients: Vec<Recipient>,
    active: bool,
}

impl RuleForm {
    fn of(rule: &Rule) -> Self {
        Self {
            name: rule.name.clone(),
            timeslot: rule.timeslot.0,
            filters: rule.filters.iter().map(|id| id.0).collect(),
            recipients: rule.recipients.clone(),
            active: rule.active,
        }
    }

    fn filters(&self) -> Vec<FilterId> {
        self.filters.iter().copied().map(FilterId).collect()
    }
}

/// Parses `contact:UUID:` or `group:UUID:CHANNEL`.
fn parse_recipient(text: &str) -> Option<Recipient> {
    let mut parts = text.split(':');
    let (kind, uuid, channel) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
    let who = match kind {
        "contact" => Addressee::Contact(uuid),
        "group" => Addressee::Group(uuid),
        _ => return None,
    };
    let channel = if channel.is_empty() { None } else { Some(channel.parse().ok()?) };
    Some(Recipient { who, channel })
}

fn recipient_text(recipient: &Recipient) -> String {
    let (kind, uuid) = match recipient.who {
        Addressee::Contact(uuid) => ("contact", uuid),
        Addressee::Group(uuid) => ("group", uuid),
    };
    format!("{kind}:{uuid}:{}", recipient.channel.map(|uuid| uuid.to_string()).unwrap_or_default())
}

/// Shows all rules on one page, because there are few.
pub async fn list(State(site): State<Site>, staff: Staff) -> PageResult {
    let (directory, q) = (site.service.directory(), staff.query.text("q"));
    let folded = fold(&q);
    let rules = directory.rules.values().filter(|rule| fold(&rule.name).contains(&folded));
    let rows = rules.map(|rule| RuleRow {
        owner: directory.user(rule.owner).map(|user| user.username.clone()).unwrap_or_default(),
        timeslot: directory.timeslots.get(&rule.timeslot).map(|it| it.name.clone()).unwrap_or_default(),
        filters: rule.filters.iter().filter_map(|id| Some(directory.filters.get(id)?.name.clone())).collect(),
        rule: Arc::clone(rule),
    });
    page(&RulesPage { frame: staff.frame(&site, "Rules"), tab: "rules", rows: rows.collect(), q })
}

impl FormPage for RulePage {
    const CHANGE: Action = Action::ManageRules;
    type Id = u64;
    type Known = Arc<Rule>;
    type Draft = RuleForm;

    async fn find(site: &Site, _: &Visitor, id: u64) -> Result<Arc<Rule>, PageError> {
        site.service.directory().rules.get(&RuleId(id)).cloned().ok_or_else(|| missing(Model::Rule))
    }

    fn start(ask: &Ask<Self>) -> RuleForm {
        let new = || RuleForm { active: true, ..RuleForm::default() };
        ask.known.as_deref().map_or_else(new, RuleForm::of)
    }

    /// Reads the form. Recipients whose box is not checked are removed.
    fn read(Ask { fields, .. }: &Ask<Self>) -> RuleForm {
        RuleForm {
            name: fields.text("name"),
            timeslot: fields.numbers("timeslot").last().unwrap_or_default(),
            filters: fields.numbers("filters").collect(),
            recipients: fields.all("recipients").filter_map(parse_recipient).collect(),
            active: fields.ticked("active"),
        }
    }

    /// Offers the timeslots and filters of the owner of the rule.
    async fn view(ask: &Ask<Self>, form: RuleForm, problem: Option<Problem>) -> Result<Self, PageError> {
        let (site, visitor, rule) = (&ask.site, &ask.visitor, ask.known.clone());
        let directory = site.service.directory();
        let owner: UserId = rule.as_ref().map_or(visitor.caller.id(), |rule| rule.owner);
        let had = rule.iter().flat_map(|rule| &rule.filters).filter_map(|id| directory.filters.get(id));
        let mut filters: Vec<(u64, String)> = Vec::new();
        let chosen: Vec<FilterId> = form.filters().into_iter().chain(had.clone().map(|filter| filter.id)).collect();
        for filter in offered::filters(directory.usable_filters(owner), owner, &chosen).into_iter().chain(had) {
            if !filters.iter().any(|(id, _)| *id == filter.id.0) {
                let of = directory.user(filter.owner).filter(|_| filter.owner != owner);
                let name = of.map_or(filter.name.clone(), |user| format!("{} (of {})", filter.name, user.username));
                filters.push((filter.id.0, name));
            }
        }
        let title = rule.as_ref().map_or("New rule".to_owned(), |rule| format!("Rule {}", rule.name));
        Ok(Self {
            frame: Frame::new(site, visitor, Section::Admin, title),
            tab: "rules",
            owner: directory.user(owner).map(|user| user.username.clone()).unwrap_or_default(),
            timeslots: directory.timeslots_of(owner).into_iter().map(|it| (it.id.0, it.name.clone())).collect(),
            recipients: lines(site, &form.recipients).await?,
            offered: offered_groups(site).await?,
            rule,
            form,
            filters,
            channels: channel_choices(&directory),
            problem,
        })
    }

    async fn save(ask: &Ask<Self>, form: &mut RuleForm) -> Result<Response, FormError> {
        add_recipient(&ask.site, &ask.fields, &mut form.recipients).await?;
        check(form)?;
        let (service, caller) = (&ask.site.service, &ask.visitor.caller);
        let draft = RuleDraft {
            name: Some(form.name.clone()),
            timeslot: Some(TimeslotId(form.timeslot)),
            filters: Some(form.filters()),
            recipients: Some(form.recipients.clone()),
            active: Some(form.active),
        };
        let (id, notice) = match &ask.known {
            None => (service.notifications().put_rule(caller, None, draft).await?.id, "Rule created."),
            Some(rule) => (service.notifications().put_rule(caller, Some(rule.id), draft).await?.id, "Saved."),
        };
        Ok(done(&path(id), notice))
    }

    /// Only the form for a new rule can be left.
    fn place(known: Option<&Arc<Rule>>) -> Option<String> {
        known.is_none().then(|| "/admin/rules/new/".to_owned())
    }
}

pub async fn delete(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, .. }: Posted) -> PageResult {
    site.service.delete::<Rule>(&visitor.caller, RuleId(id)).await?;
    Ok(done("/admin/rules/", "Rule deleted."))
}

/// Checks the number of filters and recipients, which the service does not.
fn check(form: &RuleForm) -> Result<(), Problem> {
    if form.filters.is_empty() {
        return Err(Problem::of("filters", "Filters: choose at least one; all must match."));
    }
    if form.recipients.len() > RECIPIENTS_PER_RULE {
        let text = format!("Recipients: at most {RECIPIENTS_PER_RULE}; create a group for them.");
        return Err(Problem::of("recipients", text));
    }
    Ok(())
}

/// Adds the contact and the group that the form names to the recipients.
async fn add_recipient(site: &Site, fields: &FormFields, recipients: &mut Vec<Recipient>) -> Result<(), FormError> {
    let bad = |_| Problem::of("add_channel", "Channel: choose one from the list.");
    let channel = fields.filled("add_channel").map(str::parse).transpose().map_err(bad)?;
    if let Some(name) = fields.filled("add_contact") {
        let contact = contact_named(site, "add_contact", name).await?;
        recipients.push(Recipient { who: Addressee::Contact(contact.uuid), channel });
    }
    if let Some(name) = fields.filled("add_group") {
        let none = || Problem::of("add_group", format!("Group: no group is named {name}."));
        let group = group_named(site, name).await?.ok_or_else(none)?;
        recipients.push(Recipient { who: Addressee::Group(group.group.uuid), channel });
    }
    Ok(())
}

fn path(id: RuleId) -> String {
    format!("/admin/rules/{id}/")
}

async fn lines(site: &Site, recipients: &[Recipient]) -> Result<Vec<RecipientLine>, PageError> {
    let directory = site.service.directory();
    let mut lines = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        let (name, path, is_group) = match recipient.who {
            Addressee::Contact(uuid) => {
                let name = site.service.contacts().contact(uuid).await?.map(|contact| contact.full_name);
                (name, format!("/admin/contacts/{uuid}/"), false)
            }
            Addressee::Group(uuid) => {
                let name = site.service.contacts().contact_group(uuid).await?.map(|group| group.group.name);
                (name, format!("/admin/groups/{uuid}/"), true)
            }
        };
        let channel = recipient.channel.map(|uuid| match directory.channels.get(&uuid) {
            Some(channel) => channel.name.clone(),
            None => uuid.to_string(),
        });
        let name = name.unwrap_or_else(|| "(gone)".to_owned());
        lines.push(RecipientLine { value: recipient_text(recipient), name, path, is_group, channel });
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn recipients_come_back_as_they_were() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for recipient in [
            Recipient { who: Addressee::Contact(one), channel: None },
            Recipient { who: Addressee::Group(one), channel: Some(two) },
        ] {
            assert_eq!(parse_recipient(&recipient_text(&recipient)), Some(recipient));
        }
        for bad in ["", "contact", "contact:x:", "user:00000000-0000-0000-0000-000000000001:", "group::"] {
            assert_eq!(parse_recipient(bad), None, "{bad}");
        }
    }
}
