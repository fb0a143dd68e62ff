//! The page of the user's own account: appearance, name and address, password, sessions, tokens.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use chrono_tz::Tz;

use crate::domain::{
    DateFormat, Density, Preferences, Theme, Token, TokenId, TokenKind,
    preferences::{Column, PAGE_SIZES},
};
use crate::service::{Credential, LoginFailure, PasswordChangeFailure};
use crate::web::{
    FormError, FormFields, Frame, PageResult, Posted, Problem, Section, Site, Visitor,
    admin::{default_life, token_life},
    answer::{page_once, seconds},
    done, page, refused, see,
};

const PAGE: &str = "/user/";
const CHANGED: &str = "Password changed. Other browsers, and programs that logged in with the old password, are logged out. \
                       Tokens created by hand still work.";

#[derive(Template)]
#[template(path = "user.html")]
struct UserPage {
    frame: Frame,
    preferences: Preferences,
    zones: Vec<String>,
    zone: String,
    server_zone: &'static str,
    first_name: String,
    last_name: String,
    email: String,
    has_password: bool,
    sessions: Vec<TokenRow>,
    tokens: Vec<TokenRow>,
    token_life: String,
    /// New token, which is shown only once.
    new_token: Option<String>,
    problem: Option<Problem>,
}

struct TokenRow {
    token: Arc<Token>,
    is_this: bool,
}

impl UserPage {
    fn new(site: &Site, visitor: &Visitor) -> Self {
        let user = &visitor.caller.user;
        let own = match visitor.caller.credential {
            Credential::Session(hash) => Some(hash),
            _ => None,
        };
        let rows = |wanted: fn(TokenKind) -> bool| {
            let tokens = site.service.people().tokens(Some(user.id)).into_iter().filter(|token| wanted(token.kind));
            tokens.map(|token| TokenRow { is_this: Some(token.hash) == own, token }).collect()
        };
        let zone = visitor.preferences.time_zone.map_or("", Tz::name).to_owned();
        Self {
            frame: Frame::new(site, visitor, Section::User, "Your account"),
            preferences: visitor.preferences.clone(),
            zones: chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name().to_owned()).collect(),
            zone,
            server_zone: site.service.settings().time_zone.name(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            email: user.email.clone(),
            has_password: user.password_hash.is_some(),
            sessions: rows(|kind| kind == TokenKind::Session),
            tokens: rows(|kind| kind != TokenKind::Session),
            token_life: default_life(site),
            new_token: None,
            problem: None,
        }
    }

    fn example(&self, format: &DateFormat) -> String {
        crate::web::show::Show { format: *format, ..self.frame.show }.moment(&self.frame.show.now)
    }
}

#[derive(Template)]
#[template(path = "about.html")]
struct AboutPage {
    frame: Frame,
}

pub async fn home(_: Visitor) -> PageResult {
    Ok(see("/incidents/"))
}

pub async fn about(State(site): State<Site>, visitor: Visitor) -> PageResult {
    page(&AboutPage { frame: Frame::new(&site, &visitor, Section::None, "About") })
}

pub async fn show(State(site): State<Site>, visitor: Visitor) -> PageResult {
    page(&UserPage::new(&site, &visitor))
}

/// Saves the preferences that the form contains. The others are kept.
pub async fn save_preferences(State(site): State<Site>, Posted { visitor, fields }: Posted) -> PageResult {
    let next = fields.filled("next").map_or(PAGE, |next| crate::web::answer::local_path(Some(next))).to_owned();
    site.service.people().change_preferences(&visitor.caller, move |chosen| choose(chosen, &fields)).await?;
    Ok(done(&next, "Saved."))
}

fn choose(chosen: &mut Preferences, fields: &FormFields) {
    let name = |field| fields.get(field).unwrap_or_default();
    chosen.theme = Theme::parse(name("theme")).unwrap_or(chosen.theme);
    chosen.date_format = DateFormat::parse(name("date_format")).unwrap_or(chosen.date_format);
    chosen.density = Density::parse(name("density")).unwrap_or(chosen.density);
    if let Some(size) = name("page_size").parse().ok().filter(|size| PAGE_SIZES.contains(size)) {
        chosen.page_size = size;
    }
    if let Some(zone) = fields.get("time_zone") {
        chosen.time_zone = zone.parse().ok();
    }
    if let Some(columns) = Column::parse_all(fields.all("columns")) {
        chosen.columns = columns;
    }
    if fields.ticked("about_noise") {
        (chosen.sound, chosen.notices) = (fields.ticked("sound"), fields.ticked("notices"));
    }
}

pub async fn save_details(State(site): State<Site>, Posted { visitor, fields }: Posted) -> PageResult {
    let (first_name, last_name, email) = (fields.text("first_name"), fields.text("last_name"), fields.text("email"));
    let (first, last, address) = (first_name.clone(), last_name.clone(), email.clone());
    match site.service.people().change_own_details(&visitor.caller, first, last, address).await {
        Ok(()) => Ok(done(PAGE, "Saved.")),
        Err(error) => {
            let problem = FormError::from(error).problem(Problem::refused)?;
            refuse(UserPage { first_name, last_name, email, ..UserPage::new(&site, &visitor) }, problem)
        }
    }
}

pub async fn change_password(State(site): State<Site>, Posted { visitor, fields }: Posted) -> PageResult {
    let raw = |name| fields.raw(name).unwrap_or_default();
    let (current, new) = (raw("current"), raw("new"));
    let problem = if new == raw("again") {
        match site.service.people().change_own_password(&visitor.caller, current, new, visitor.peer).await {
            Ok(()) => return Ok(done(PAGE, CHANGED)),
            Err(PasswordChangeFailure::Refused(refusal)) => Problem::refused(&refusal).at("new"),
            Err(PasswordChangeFailure::Login(LoginFailure::BadCredentials)) => {
                Problem::of("current", "Wrong current password.")
            }
            Err(PasswordChangeFailure::Login(LoginFailure::TooManyTries { retry_after })) => {
                format!("Too many attempts. Try again in {}.", seconds(retry_after.as_secs().saturating_add(1))).into()
            }
            Err(PasswordChangeFailure::Login(LoginFailure::Store(error))) => return Err(error.into()),
        }
    } else {
        Problem::of("again", "The new passwords do not match.")
    };
    refuse(UserPage::new(&site, &visitor), problem)
}

/// Creates a token. Only this answer ever shows it.
pub async fn create_token(State(site): State<Site>, Posted { visitor, fields }: Posted) -> PageResult {
    match site.service.people().create_own_token(&visitor.caller, token_life(&fields), fields.text("note")).await {
        Ok(token) => page_once(&UserPage { new_token: Some(token), ..UserPage::new(&site, &visitor) }),
        Err(error) => refuse(UserPage::new(&site, &visitor), FormError::from(error).problem(Problem::refused)?),
    }
}

pub async fn revoke(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, .. }: Posted) -> PageResult {
    site.service.people().revoke_own_token(&visitor.caller, TokenId(id)).await?;
    Ok(done(PAGE, "Revoked."))
}

pub async fn end_sessions(State(site): State<Site>, Posted { visitor, .. }: Posted) -> PageResult {
    site.service.people().end_other_sessions(&visitor.caller).await?;
    Ok(done(PAGE, "All other browsers were logged out."))
}

fn refuse(again: UserPage, problem: Problem) -> PageResult {
    refused(&UserPage { problem: Some(problem), ..again })
}
