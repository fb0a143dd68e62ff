//! The audit trail: changes of the configuration with actor, time and both values.

use askama::Template;
use axum::extract::State;

use super::{Staff, audit_rows::AuditRow};
use crate::domain::{Seq, UserId, directory::Subject};
use crate::service::AuditFilter;
use crate::web::{Frame, PageResult, Problem, Site, page};

/// Value of the parameter `user` that stands for the server itself.
const SERVER: &str = "server";
/// Id that no user has.
const NOBODY: UserId = UserId(0);

#[derive(Template)]
#[template(path = "admin/audit.html")]
struct AuditPage {
    frame: Frame,
    tab: &'static str,
    rows: Vec<AuditRow>,
    subject: String,
    user: String,
    key: String,
    /// Error if `user` is not a username.
    problem: Option<Problem>,
    next: Option<String>,
    is_first: bool,
    stopped_early: bool,
}

pub async fn list(State(site): State<Site>, staff: Staff) -> PageResult {
    let directory = site.service.directory();
    let (user, key) = (staff.query.text("user"), staff.query.text("key"));
    let mut problem = None;
    let actor = match user.as_str() {
        "" => None,
        SERVER => Some(None),
        name => {
            let known = directory.user_named(name).map(|user| user.id);
            problem = known.is_none().then(|| Problem::of("user", format!("User: no user is named {name}.")));
            Some(Some(known.unwrap_or(NOBODY)))
        }
    };
    let filter = AuditFilter {
        subject: staff.query.get("subject").and_then(Subject::with_slug),
        actor,
        key: Some(key.clone()).filter(|key| !key.is_empty()),
    };
    let before = staff.query.numbers("before").last().map(Seq);
    let found = site.service.system().audit(&staff.visitor.caller, filter, before, staff.rows()).await?;
    page(&AuditPage {
        frame: staff.frame(&site, "Audit trail"),
        tab: "audit",
        rows: found.rows.iter().filter_map(|change| AuditRow::new(change, &directory)).collect(),
        subject: staff.query.text("subject"),
        user,
        key,
        problem,
        next: found.next.map(|seq| staff.address_with("before", &seq.to_string())),
        is_first: before.is_none(),
        stopped_early: found.stopped_early,
    })
}
