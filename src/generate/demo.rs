//! Demo data: sources, incidents in all states, people, and everything that decides who is notified.
//!
//! Nobody is ever notified of any of it. No event was decided about (`decided` is `None`), so none has a message. The
//! profiles and rules are switched off, so later changes of the incidents notify nobody either. If a profile or rule is
//! switched on, all addresses are at `example.org`, which accepts no mail, and the phone number is a reserved one.

mod settings;
mod story;

use std::{fmt, sync::Arc};

use super::{
    dice::Dice,
    draft::Draft,
    scenario::{ICINGA, NAV, PROMETHEUS, SourceKind, ZABBIX},
    stage::past,
};
use crate::domain::{EndTime, IncidentId, Source, UserDraft, UserId};
use crate::service::{
    Caller, Command, Refusal, Service, ServiceError, people::users::put_new_user, policy::Action, put_past_incident,
    sources::source::put_new_source,
};

/// Number of the latest incidents that are read to find out whether all incidents are the server's own.
const LOOKED_AT: u64 = 1_000;

pub(super) const SYSTEMS: [System; story::SYSTEMS] = [
    System { like: &NAV, source_type: "nav" },
    System { like: &ZABBIX, source_type: "zabbix" },
    System { like: &PROMETHEUS, source_type: "prometheus" },
    System { like: &ICINGA, source_type: "icinga" },
];

pub(super) struct System {
    pub(super) like: &'static SourceKind,
    pub(super) source_type: &'static str,
}

const PEOPLE: [Person; story::PEOPLE] = [
    Person { username: "kari.nordmann", first_name: "Kari", last_name: "Nordmann", is_staff: true },
    Person { username: "ola.hansen", first_name: "Ola", last_name: "Hansen", is_staff: false },
    Person { username: "amina.yusuf", first_name: "Amina", last_name: "Yusuf", is_staff: false },
];

struct Person {
    username: &'static str,
    first_name: &'static str,
    last_name: &'static str,
    is_staff: bool,
}

impl Person {
    fn email(&self) -> String {
        format!("{}@example.org", self.username)
    }

    fn full_name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }
}

/// Demo data that was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demo {
    pub incidents: usize,
    /// Whether users, profiles and so on were created. False if demo data existed before; then only incidents were
    /// added.
    pub settings: bool,
}

impl fmt::Display for Demo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} incidents", self.incidents)?;
        if self.settings {
            f.write_str(", people, profiles, planned maintenance, contacts and a rule; profiles and the rule are off")?;
        }
        Ok(())
    }
}

impl Service {
    /// Creates demo data relative to the current time, the same for the same seed. Only superusers may do this. It is
    /// refused if there are incidents other than the server's own, unless forced.
    pub async fn make_demo_data(&self, caller: &Caller, seed: u64, force: bool) -> Result<Demo, ServiceError> {
        caller.require(Action::MakeDemoData)?;
        let maker = caller.id();
        self.write(Some(maker), move |command| {
            if !force && has_foreign_incidents(command)? {
                return Err(Refusal::IncidentsAlready.into());
            }
            make(command, maker, &mut Dice::new(seed))
        })
        .await
    }
}

/// Returns whether there are incidents other than the server's own.
fn has_foreign_incidents(command: &mut Command<'_>) -> Result<bool, ServiceError> {
    let own = command.directory().own_source();
    let next = command.new_incident_id().0;
    let first = next.saturating_sub(LOOKED_AT).max(1);
    for id in (first..next).rev() {
        if command.incident(IncidentId(id))?.is_some_and(|incident| Some(incident.source) != own) {
            return Ok(true);
        }
    }
    Ok(first > 1)
}

fn make(command: &mut Command<'_>, maker: UserId, dice: &mut Dice) -> Result<Demo, ServiceError> {
    let is_new = PEOPLE.iter().all(|person| command.directory().user_named(person.username).is_none());
    let people = PEOPLE.map(|person| user(command, &person));
    let posters = SYSTEMS.map(|system| source(command, &system));
    let sources = posters.each_ref().map(|source| source.id);
    // Incident ids are never reused, so the names of runs are unique.
    let run = format!("demo-{}", command.new_incident_id());
    let drafts = story::tell(dice, &SYSTEMS.map(|system| system.like), command.now());
    let incidents = drafts.len();
    if is_new {
        settings::put(command, dice, maker, people, sources, host_in_trouble(&drafts))?;
    }
    for draft in drafts {
        if let Some(source) = posters.get(draft.source) {
            put_past_incident(command, past(draft, source, &people, &run));
        }
    }
    Ok(Demo { incidents, settings: is_new })
}

fn user(command: &mut Command<'_>, person: &Person) -> UserId {
    if let Some(there) = command.directory().user_named(person.username) {
        return there.id;
    }
    let account = UserDraft {
        username: Some(person.username.to_owned()),
        first_name: Some(person.first_name.to_owned()),
        last_name: Some(person.last_name.to_owned()),
        email: Some(person.email()),
        is_staff: Some(person.is_staff),
        ..UserDraft::default()
    };
    put_new_user(command, account, None).id
}

fn source(command: &mut Command<'_>, System { like, source_type }: &System) -> Arc<Source> {
    let name = like.name;
    let directory = command.directory();
    if let Some(there) = directory.source_named(source_type, name) {
        return Arc::clone(there);
    }
    let has_type = directory.source_types.contains(*source_type);
    let mut username = name.to_owned();
    while directory.user_named(&username).is_some() {
        username.push_str("-demo");
    }
    if !has_type {
        command.put_source_type((*source_type).to_owned());
    }
    let account = UserDraft { username: Some(username), ..UserDraft::default() };
    let user = put_new_user(command, account, None).id;
    let base_url = like.base_url.to_owned();
    Arc::new(put_new_source(command, user, name.to_owned(), (*source_type).to_owned(), base_url))
}

/// Returns the host tag of the latest open incident. Current maintenance is planned for this host.
fn host_in_trouble(drafts: &[Draft]) -> String {
    let open = drafts.iter().rev().filter(|draft| draft.end == EndTime::Infinity);
    let hosts = open.flat_map(|draft| &draft.tags).filter(|tag| tag.key() == "host");
    hosts.map(|tag| tag.as_str().to_owned()).next().unwrap_or_default()
}
