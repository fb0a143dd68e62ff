//! The list of users.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use rustc_hash::FxHashMap;

use super::Staff;
use crate::domain::{Directory, TokenKind, User, UserId, filter::fold};
use crate::web::{Frame, PageResult, Site, page};

#[derive(Template)]
#[template(path = "admin/users.html")]
struct UsersPage {
    frame: Frame,
    tab: &'static str,
    rows: Vec<UserRow>,
    q: String,
    kind: String,
    matching: usize,
    next: Option<String>,
    is_first: bool,
}

struct UserRow {
    user: Arc<User>,
    /// Id and name of the source that the account posts for.
    source: Option<(u64, String)>,
    tokens: usize,
    sessions: usize,
}

/// Kind of accounts that are listed: its value in the address, its title, and whether an account is of that kind.
type AccountKind = (&'static str, &'static str, fn(&Directory, &User) -> bool);

const KINDS: [AccountKind; 5] = [
    ("", "all accounts", |_, _| true),
    ("people", "people", |directory, user| directory.source_of(user.id).is_none()),
    ("staff", "staff and superusers", |_, user| user.is_staff || user.is_superuser),
    ("sources", "accounts of sources", |directory, user| directory.source_of(user.id).is_some()),
    ("inactive", "inactive", |_, user| !user.is_active),
];

/// Shows the accounts, sorted by username.
pub async fn list(State(site): State<Site>, staff: Staff) -> PageResult {
    let directory = site.service.directory();
    let (q, after) = (staff.query.text("q"), staff.query.text("after"));
    let kind = staff.query.text("kind");
    let (_, _, is_of_kind) = KINDS.into_iter().find(|(value, ..)| *value == kind).unwrap_or(KINDS[0]);
    let words: Vec<String> = q.split_whitespace().map(fold).collect();
    let is_meant = |user: &User| {
        let text = || fold(&format!("{} {} {} {}", user.username, user.first_name, user.last_name, user.email));
        is_of_kind(&directory, user)
            && (words.is_empty() || {
                let text = text();
                words.iter().all(|word| text.contains(word))
            })
    };
    let mut users: Vec<&Arc<User>> = directory.users.values().filter(|user| is_meant(user)).collect();
    users.sort_by(|one, other| one.username.cmp(&other.username));
    let matching = users.len();
    let mut rest = users.into_iter().skip_while(|user| !after.is_empty() && user.username <= after);
    let mut tokens: FxHashMap<UserId, (usize, usize)> = FxHashMap::default();
    for token in directory.tokens.values() {
        let (lasting, sessions) = tokens.entry(token.user).or_default();
        *(if token.kind == TokenKind::Session { sessions } else { lasting }) += 1;
    }
    let rows: Vec<UserRow> = rest
        .by_ref()
        .take(staff.rows())
        .map(|user| {
            let (tokens, sessions) = tokens.get(&user.id).copied().unwrap_or_default();
            let source = directory.source_of(user.id).map(|source| (source.id.0, source.name.clone()));
            UserRow { user: Arc::clone(user), source, tokens, sessions }
        })
        .collect();
    let next = match (rows.last(), rest.next()) {
        (Some(last), Some(_)) => Some(staff.address_with("after", &last.user.username)),
        _ => None,
    };
    page(&UsersPage {
        frame: staff.frame(&site, "Users"),
        tab: "users",
        rows,
        kind,
        q,
        matching,
        next,
        is_first: after.is_empty(),
    })
}
