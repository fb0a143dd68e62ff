//! The list of profiles, and the form that creates the first one in one step.

use askama::Template;
use axum::extract::{Path, State};

use super::{destinations::DestinationLabel, timeslots::OpeningText, words};
use crate::domain::{Directory, Level, Profile, ProfileDraft, ProfileId, setting::Form};
use crate::service::FirstProfile;
use crate::web::{FormError, Frame, PageResult, Posted, Problem, Section, Site, Visitor, done, page, refused};

pub const PAGE: &str = "/notifications/profiles/";

#[derive(Template)]
#[template(path = "notifications/profiles.html")]
struct ProfilesPage {
    frame: Frame,
    tab: &'static str,
    cards: Vec<ProfileCard>,
    /// E-mail address in the form for the first profile.
    email: String,
    level: u8,
    sending: bool,
    problem: Option<Problem>,
}

struct ProfileCard {
    id: ProfileId,
    name: String,
    active: bool,
    opening: OpeningText,
    filters: Vec<FilterLine>,
    ways: Vec<DestinationLabel>,
    warnings: Vec<String>,
    /// Whether the profile cannot send anything, even if it is switched on.
    is_mute: bool,
}

struct FilterLine {
    name: String,
    criteria: String,
}

impl ProfilesPage {
    fn new(site: &Site, visitor: &Visitor) -> Self {
        let directory = site.service.directory();
        let profiles = directory.profiles_of(visitor.caller.id());
        Self {
            frame: Frame::new(site, visitor, Section::Notifications, "Profiles"),
            tab: "profiles",
            cards: profiles.into_iter().filter_map(|profile| ProfileCard::new(site, profile, &directory)).collect(),
            email: visitor.caller.user.email.clone(),
            level: Level::MODERATE.get(),
            sending: directory.settings.send,
            problem: None,
        }
    }
}

impl ProfileCard {
    fn new(site: &Site, profile: &Profile, directory: &Directory) -> Option<Self> {
        let timeslot = directory.timeslots.get(&profile.timeslot)?;
        let opening = OpeningText::new(timeslot, directory.settings.time_zone, site.service.now());
        let ways: Vec<DestinationLabel> = profile
            .destinations
            .iter()
            .filter_map(|id| directory.destinations.get(id))
            .map(|destination| DestinationLabel::new(destination, &site.service))
            .collect();
        let mut warnings = Vec::new();
        if ways.is_empty() {
            warnings.push("Nothing is sent: no destination is chosen.".to_owned());
        }
        if opening.never {
            warnings.push("Nothing is sent: the timeslot never opens.".to_owned());
        }
        let is_mute = opening.never || ways.iter().all(|way| !way.installed);
        let missing = ways.iter().filter(|way| !way.installed);
        warnings.extend(
            missing.map(|way| format!("{} is not installed here: nothing is sent to {}.", way.medium, way.shown())),
        );
        let filters: Vec<FilterLine> = profile
            .filters
            .iter()
            .filter_map(|id| directory.filters.get(id))
            .map(|filter| FilterLine { name: filter.name.clone(), criteria: words::brief(&filter.blob, directory) })
            .collect();
        let empty = filters.iter().filter(|filter| filter.criteria.is_empty());
        warnings.extend(empty.map(|filter| format!("“{}” has no criteria: it matches nothing.", filter.name)));
        let name = profile.name.clone().unwrap_or_else(|| "Without a name".to_owned());
        Some(Self { id: profile.id, name, active: profile.active, opening, filters, ways, warnings, is_mute })
    }
}

pub async fn list(State(site): State<Site>, visitor: Visitor) -> PageResult {
    page(&ProfilesPage::new(&site, &visitor))
}

/// Creates destination, timeslot, filter and profile in one step.
pub async fn first(State(site): State<Site>, Posted { visitor, fields }: Posted) -> PageResult {
    let (email, level) = (fields.text("email"), fields.numbers("level").next());
    let wish = match (Form::MailAddress.normalize(email.clone()), level.and_then(|it| Level::new(it.try_into().ok()?)))
    {
        (Ok(email), Some(max_level)) => Ok(FirstProfile { email, max_level }),
        (Err(_), _) => Err(Problem::of("email", "E-mail address: not a valid address.")),
        (_, None) => Err(Problem::of("level", "Level: choose one.")),
    };
    let problem = match wish {
        Ok(wish) => match site.service.notifications().create_first_profile(&visitor.caller, wish).await {
            Ok(_) => {
                return Ok(done(PAGE, "You will be notified from now on. Send a test message to see that it arrives."));
            }
            Err(error) => FormError::from(error).problem(words::refusal)?,
        },
        Err(problem) => problem,
    };
    let mut again = ProfilesPage::new(&site, &visitor);
    again.level = level.and_then(|level| level.try_into().ok()).unwrap_or(again.level);
    (again.email, again.problem) = (email, Some(problem));
    refused(&again)
}

pub async fn switch(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, fields }: Posted) -> PageResult {
    let active = fields.ticked("on");
    let edit = ProfileDraft { active: Some(active), ..ProfileDraft::default() };
    site.service.put(&visitor.caller, Some(ProfileId(id)), edit).await?;
    Ok(done(PAGE, if active { "Profile switched on." } else { "Profile switched off: it sends nothing." }))
}

pub async fn delete(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, .. }: Posted) -> PageResult {
    site.service.delete::<Profile>(&visitor.caller, ProfileId(id)).await?;
    Ok(done(PAGE, "Profile deleted."))
}
