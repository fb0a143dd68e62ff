//! One account: who it is, what it may do, its password, tokens and sessions.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
};

use super::{Staff, TokenLine, problem, token_life};
use crate::{
    domain::{
        ids::{TokenId, UserId},
        token::TokenKind,
        user::{User, UserDraft},
    },
    service::{Action, Model, policy::CONTACT_API},
    web::{
        Site,
        answer::{Answer, PageError, done, missing, page, page_once, page_with},
        form::Fields,
        frame::{Frame, Section},
        problem::Problem,
        visitor::{Posted, Visitor},
    },
};

#[derive(Template)]
#[template(path = "admin/user.html")]
struct UserPage {
    frame: Frame,
    tab: &'static str,
    user: Arc<User>,
    source: Option<(u64, String)>,
    is_self: bool,
    form: UserForm,
    tokens: Vec<TokenLine>,
    sessions: Vec<TokenLine>,
    /// Shown once.
    new_token: Option<String>,
    problem: Option<Problem>,
}

#[derive(Template)]
#[template(path = "admin/user_new.html")]
struct NewUserPage {
    frame: Frame,
    tab: &'static str,
    form: UserForm,
    problem: Option<Problem>,
}

/// What was typed.
#[derive(Default)]
struct UserForm {
    username: String,
    first_name: String,
    last_name: String,
    email: String,
    is_staff: bool,
    is_superuser: bool,
    is_active: bool,
    /// One a line.
    grants: String,
}

impl UserForm {
    fn draft(&self) -> UserDraft {
        UserDraft {
            first_name: Some(self.first_name.clone()),
            last_name: Some(self.last_name.clone()),
            email: Some(self.email.clone()),
            is_staff: Some(self.is_staff),
            is_superuser: Some(self.is_superuser),
            is_active: Some(self.is_active),
            grants: Some(self.grants()),
            ..UserDraft::default()
        }
    }

    fn of(user: &User) -> Self {
        Self {
            username: user.username.clone(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            email: user.email.clone(),
            is_staff: user.is_staff,
            is_superuser: user.is_superuser,
            is_active: user.is_active,
            grants: user.grants.join("\n"),
        }
    }

    fn read(fields: &Fields) -> Self {
        Self {
            username: fields.text("username"),
            first_name: fields.text("first_name"),
            last_name: fields.text("last_name"),
            email: fields.text("email"),
            is_staff: fields.ticked("is_staff"),
            is_superuser: fields.ticked("is_superuser"),
            is_active: fields.ticked("is_active"),
            grants: fields.text("grants"),
        }
    }

    fn grants(&self) -> Vec<String> {
        let mut grants: Vec<String> = Vec::new();
        for grant in self.grants.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if !grants.iter().any(|known| known == grant) {
                grants.push(grant.to_owned());
            }
        }
        grants
    }
}

impl UserPage {
    fn new(site: &Site, visitor: &Visitor, id: UserId) -> Result<Self, PageError> {
        let (directory, now) = (site.service.directory(), site.service.now());
        let user = Arc::clone(directory.user(id).ok_or_else(|| missing(Model::User))?);
        let lines = |is_session: bool| {
            let tokens = site.service.tokens(Some(id)).into_iter();
            tokens
                .filter(|token| (token.kind == TokenKind::Session) == is_session)
                .map(|token| TokenLine::new(&token, now))
                .collect()
        };
        Ok(Self {
            frame: frame(site, visitor, format!("User {}", user.username)),
            tab: "users",
            source: directory.source_of(id).map(|source| (source.id.0, source.name.clone())),
            is_self: visitor.caller.id() == id,
            form: UserForm::of(&user),
            tokens: lines(false),
            sessions: lines(true),
            user,
            new_token: None,
            problem: None,
        })
    }
}

pub async fn new(State(site): State<Site>, staff: Staff) -> Answer {
    staff.visitor.caller.require(Action::ManageUsers)?;
    let form = UserForm { is_active: true, ..UserForm::default() };
    page(&NewUserPage { frame: staff.frame(&site, "New user"), tab: "users", form, problem: None })
}

pub async fn create(State(site): State<Site>, Posted { visitor, fields }: Posted) -> Answer {
    visitor.caller.require(Action::ManageUsers)?;
    let form = UserForm::read(&fields);
    let password = fields.raw("password").unwrap_or_default();
    let new = UserDraft {
        username: Some(form.username.clone()),
        password: (!password.is_empty()).then(|| password.into()),
        is_active: None,
        ..form.draft()
    };
    let problem = match site.service.create_user(&visitor.caller, new).await {
        Ok(user) => return Ok(done(&path(user.id), &format!("User {} is made.", user.username))),
        Err(error) => problem(error)?,
    };
    let again = NewUserPage { frame: frame(&site, &visitor, "New user"), tab: "users", form, problem: Some(problem) };
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
}

pub async fn show(State(site): State<Site>, Path(id): Path<u64>, staff: Staff) -> Answer {
    page(&UserPage::new(&site, &staff.visitor, UserId(id))?)
}

/// Who changes their own account keeps their rights; the form does not ask for them.
pub async fn save(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, fields }: Posted) -> Answer {
    let (id, form) = (UserId(id), UserForm::read(&fields));
    let is_other = visitor.caller.id() != id;
    let mut change = form.draft();
    if !is_other {
        (change.is_staff, change.is_superuser, change.is_active) = (None, None, None);
    }
    match site.service.change_user(&visitor.caller, id, change).await {
        Ok(_) => Ok(done(&path(id), "Saved.")),
        Err(error) => {
            let problem = problem(error)?;
            refuse(UserPage { form, ..UserPage::new(&site, &visitor, id)? }, problem)
        }
    }
}

pub async fn set_password(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, fields }: Posted) -> Answer {
    visitor.caller.require(Action::ManageUsers)?;
    let (id, password) = (UserId(id), fields.raw("password").unwrap_or_default());
    match site.service.set_password(&visitor.caller, id, password).await {
        Ok(()) => Ok(done(
            &path(id),
            "The password is set, and the user is logged out everywhere. Tokens made by hand still work.",
        )),
        Err(error) => {
            let problem = problem(error)?;
            refuse(UserPage::new(&site, &visitor, id)?, problem)
        }
    }
}

/// The only answer that ever shows this token.
pub async fn create_token(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, fields }: Posted) -> Answer {
    let id = UserId(id);
    match site.service.issue_token(&visitor.caller, id, token_life(&fields), fields.text("note")).await {
        Ok(secret) => page_once(&UserPage { new_token: Some(secret), ..UserPage::new(&site, &visitor, id)? }),
        Err(error) => {
            let problem = problem(error)?;
            refuse(UserPage::new(&site, &visitor, id)?, problem)
        }
    }
}

/// A token or a session.
pub async fn revoke(
    State(site): State<Site>,
    Path((id, token)): Path<(u64, u64)>,
    Posted { visitor, .. }: Posted,
) -> Answer {
    site.service.revoke_token(&visitor.caller, TokenId(token)).await?;
    Ok(done(&path(UserId(id)), "It can no longer be used."))
}

pub async fn end_sessions(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, .. }: Posted) -> Answer {
    site.service.end_sessions_of(&visitor.caller, UserId(id)).await?;
    Ok(done(&path(UserId(id)), "The user is logged out everywhere. Tokens made by hand still work."))
}

fn path(id: UserId) -> String {
    format!("/admin/users/{id}/")
}

fn frame(site: &Site, visitor: &Visitor, title: impl Into<String>) -> Frame {
    Frame::new(site, visitor, Section::Admin, title)
}

fn refuse(mut again: UserPage, problem: Problem) -> Answer {
    again.problem = Some(problem);
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
}
