//! What golden files are asked, and what has to be in them for the answers to mean something.

use std::{collections::BTreeSet, ops::ControlFlow};

use argusd::{
    control::AdminRequest,
    domain::{
        change::ChangeKind,
        ids::{EventId, IncidentId, Seq, UserId},
        message::{MessageState, MessageSubject, Route},
        plan::{NearMissRecipient, NearReason, NotificationCause},
    },
    http::{Version, docs, native_openapi, openapi},
    service::Service,
    store::Messages,
};
use serde_json::Value;

use super::{stored, younger_paths};

/// Below the prefix of either version of the Argus API, and who asks.
const OF_BOTH_VERSIONS: [(&str, &[&str]); 8] = [
    ("/incidents/", &["admin"]),
    ("/incidents/mine/", &["nav"]),
    ("/incidents/sources/", &["admin"]),
    ("/incidents/source-types/", &["admin"]),
    ("/notificationprofiles/timeslots/", &["admin", "alice", "stan"]),
    ("/notificationprofiles/filters/", &["admin", "alice", "stan"]),
    ("/notificationprofiles/", &["admin", "alice", "stan"]),
    ("/auth/user/", &["admin", "alice", "stan", "nav"]),
];
const OTHERS: [(&str, &[&str]); 18] = [
    ("/api/v2/incidents/?page_size=10", &["admin"]),
    ("/api/v1/incidents/open/", &["admin"]),
    ("/api/v1/incidents/open+unacked/", &["admin"]),
    ("/api/v1/incidents/metadata/", &["admin"]),
    ("/api/v1/auth/phone-number/", &["admin", "alice"]),
    ("/api/v2/incidents/?open=true&maxlevel=3&tags=host=a.example.org", &["admin"]),
    ("/api/v2/incidents/events/", &["admin"]),
    ("/api/v2/notificationprofiles/destinations/", &["admin", "alice", "stan"]),
    ("/api/v2/notificationprofiles/media/", &["admin"]),
    ("/api/v2/notificationprofiles/media/email/", &["admin"]),
    ("/api/v2/notificationprofiles/media/email/json_schema/", &["admin"]),
    ("/api/v2/plannedmaintenance/", &["admin"]),
    ("/argusd/v1/deliveries/", &["admin"]),
    ("/argusd/v1/deliveries/?state=failed&page_size=2", &["admin"]),
    ("/argusd/v1/rules/", &["admin"]),
    ("/argusd/v1/channels/", &["admin"]),
    ("/argusd/v1/channels/types/", &["admin"]),
    ("/api/", &["admin"]),
];
/// With the dialect that the path chooses, and with the one of the settings.
const CONTACT_API_MOUNTS: [&str; 4] = ["", "/icingaweb2", "/icinga-issue", "/icinga-current"];
const CONTACT_API: [&str; 6] = [
    "contacts",
    "contactgroups",
    "contact-groups",
    "channels",
    "contacts/1817d973-398e-41d7-9cd2-000000000001",
    "contactgroups/1817d973-398e-41d7-9cd2-000000000901",
];
const COMMAND_LINE: [&str; 6] = ["check", "user list", "token list", "source list", "channel list", "filter list"];
/// Documents about the API have snapshots of their own.
const NOT_RECORDED: [&str; 4] = ["/api/v1/schema/", "/api/v2/schema/", "/api/schema/", "/argusd/v1/schema/"];

const DECISIONS: usize = 50;
/// Whom decisions are asked about, in turn.
const ABOUT_WHOM: [&str; 6] = [
    "contact=1817d973-398e-41d7-9cd2-000000000001",
    "user=stan",
    "contact=1817d973-398e-41d7-9cd2-000000000002",
    "contact=1817d973-398e-41d7-9cd2-000000000006",
    "user=admin",
    "contact=1817d973-398e-41d7-9cd2-000000000004",
];

pub fn of_command_line(words: &str) -> AdminRequest {
    match words {
        "check" => AdminRequest::Check,
        "user list" => AdminRequest::ListUsers,
        "token list" => AdminRequest::ListTokens { username: None },
        "source list" => AdminRequest::ListSources,
        "channel list" => AdminRequest::ListChannels,
        "filter list" => AdminRequest::ListFilters { id: None, name: None },
        _ => panic!("{words}"),
    }
}

/// All but the later pages, which the earlier ones lead to.
pub fn lists(service: &Service) -> Vec<String> {
    let mut asked: Vec<String> = COMMAND_LINE.iter().chain(&stored::KINDS).map(|word| (*word).to_owned()).collect();
    let mut get = |path: String, who: &[&str]| asked.extend(who.iter().map(|who| format!("GET {path} as {who}")));
    for (path, who) in OF_BOTH_VERSIONS {
        for version in ["/api/v1", "/api/v2"] {
            get(format!("{version}{path}"), who);
        }
    }
    for (path, who) in OTHERS {
        get(path.to_owned(), who);
    }
    get("/login-methods/".to_owned(), &["admin"]);
    for mount in CONTACT_API_MOUNTS {
        for path in CONTACT_API {
            get(format!("{mount}/notifications/api/v1/{path}"), &["admin"]);
        }
    }
    of_incidents(service, &mut get);
    of_configuration(service, &mut get);
    asked
}

fn of_incidents(service: &Service, get: &mut impl FnMut(String, &[&str])) {
    let events = events(service);
    let incidents: BTreeSet<IncidentId> = events.iter().map(|(incident, _)| *incident).collect();
    for incident in &incidents {
        for path in ["events", "acks", "tags"] {
            get(format!("/api/v2/incidents/{incident}/{path}/"), &["admin"]);
        }
    }
    for incident in incidents.iter().rev().take(8) {
        get(format!("/argusd/v1/incidents/{incident}/notifications/"), &["admin", "alice"]);
    }
    let snapshot = service.store().snapshot().unwrap();
    for incident in incidents.iter().take(2) {
        for version in ["/api/v1", "/api/v2"] {
            let path = format!("{version}/incidents/{incident}/");
            get(path.clone(), &["admin"]);
            for list in ["events", "acks", "tags"] {
                get(format!("{path}{list}/"), &["alice"]);
            }
            let event = snapshot.events_of(*incident).unwrap()[0].id;
            get(format!("{path}events/{event}/"), &["admin"]);
            for ack in snapshot.acks_of(*incident).unwrap() {
                get(format!("{path}acks/{}/", ack.event), &["admin"]);
            }
            for tag in snapshot.incident(*incident).unwrap().unwrap().tags {
                get(format!("{path}tags/{}/", tag.tag.as_str()), &["admin"]);
            }
        }
    }
}

fn of_configuration(service: &Service, get: &mut impl FnMut(String, &[&str])) {
    let directory = service.directory();
    // Users without a token here own nothing that has to be looked at.
    let name = |owner: UserId| {
        let name = directory.user(owner).map_or("", |user| user.username.as_str());
        super::TOKENS.iter().map(|(name, _)| *name).find(|known| *known == name)
    };
    let mut of_both = |path: String, who: &str| {
        for version in ["/api/v1", "/api/v2"] {
            get(format!("{version}{path}"), &[who]);
        }
    };
    for id in directory.users.keys() {
        of_both(format!("/auth/users/{id}/"), "admin");
    }
    for id in directory.sources.keys() {
        of_both(format!("/incidents/sources/{id}/"), "admin");
    }
    for kind in &directory.source_types {
        of_both(format!("/incidents/source-types/{kind}/"), "admin");
    }
    for it in directory.profiles.values() {
        let id = it.id;
        if let Some(owner) = name(it.owner) {
            of_both(format!("/notificationprofiles/{id}/"), owner);
        }
    }
    for it in directory.timeslots.values() {
        let id = it.id;
        if let Some(owner) = name(it.owner) {
            of_both(format!("/notificationprofiles/timeslots/{id}/"), owner);
        }
    }
    for it in directory.filters.values() {
        let id = it.id;
        if let Some(owner) = name(it.owner) {
            of_both(format!("/notificationprofiles/filters/{id}/"), owner);
        }
    }
    for it in directory.destinations.values() {
        let id = it.id;
        if let Some(owner) = name(it.owner) {
            get(format!("/api/v2/notificationprofiles/destinations/{id}/"), &[owner]);
            get(format!("/api/v2/notificationprofiles/destinations/{id}/duplicate/"), &[owner]);
            if it.medium == "sms" {
                get(format!("/api/v1/auth/phone-number/{id}/"), &[owner]);
            }
        }
    }
    for it in directory.profiles.values() {
        if let Some(owner) = name(it.owner) {
            get(format!("/api/v2/notificationprofiles/{}/incidents/", it.id), &[owner]);
        }
    }
    if let Some(id) = directory.profiles.keys().next() {
        get(format!("/api/v1/notificationprofiles/{id}/incidents/"), &["alice"]);
    }
    for id in directory.maintenances.keys() {
        get(format!("/api/v2/plannedmaintenance/{id}/"), &["stan"]);
    }
    for id in directory.rules.keys() {
        get(format!("/argusd/v1/rules/{id}/"), &["admin"]);
    }
    for uuid in directory.channels.keys() {
        get(format!("/argusd/v1/channels/{uuid}/"), &["admin"]);
    }
}

/// For the last of all events: one user, and in turn somebody else.
pub fn decisions(service: &Service) -> Vec<String> {
    let events = events(service);
    let mut asked = Vec::new();
    for (at, (incident, event)) in events.iter().rev().take(DECISIONS).enumerate() {
        for recipient in ["user=alice", ABOUT_WHOM[at % ABOUT_WHOM.len()]] {
            let path = format!("/argusd/v1/incidents/{incident}/events/{event}/decisions/?{recipient}");
            asked.push(format!("GET {path} as admin"));
        }
    }
    asked
}

/// Where the answer leads to, asked by the same user.
pub fn next_page(request: &str, answer: &Value) -> Option<String> {
    let path = answer.get("next")?.as_str()?.strip_prefix("http://argus.test")?;
    let (_, who) = request.split_once(" as ")?;
    Some(format!("GET {path} as {who}"))
}

/// In the order they were stored.
pub fn events(service: &Service) -> Vec<(IncidentId, EventId)> {
    let mut events = Vec::new();
    let snapshot = service.store().snapshot().unwrap();
    snapshot
        .for_each_event(&mut |event| {
            events.push((event.incident, event.id));
            ControlFlow::Continue(())
        })
        .unwrap();
    events.sort_by_key(|(_, event)| *event);
    events
}

/// Paths of the documents that can be read, but are not asked for.
pub fn documented_without_request(service: &Service) -> Vec<String> {
    let asked: Vec<String> = lists(service).into_iter().chain(decisions(service)).collect();
    let asked: Vec<&str> = asked
        .iter()
        .filter_map(|request| request.strip_prefix("GET ")?.split_once(" as "))
        .map(|(path, _)| path.split('?').next().unwrap())
        .collect();
    let documents = [openapi(Version::V1), openapi(Version::V2), native_openapi()];
    let paths = documents.iter().flat_map(|document| &document.paths.paths);
    let younger = younger_paths();
    paths
        .filter(|(_, item)| docs::operations(item).iter().any(|(method, _)| *method == "GET"))
        .map(|(path, _)| path.clone())
        .filter(|path| !NOT_RECORDED.contains(&path.as_str()) && !younger.contains(path))
        .filter(|path| !asked.iter().any(|asked| matches(path, asked)))
        .collect()
}

fn matches(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len() && template.iter().zip(&path).all(|(part, is)| part.starts_with('{') || part == is)
}

/// Each kind of what records hold, but for changes of configuration.
pub const VARIANTS: [&str; 33] = [
    "event STA",
    "event END",
    "event RES",
    "event CHI",
    "event LES",
    "event OTH",
    "event CLO",
    "event REO",
    "event ACK",
    "message due, not tried",
    "message due, tried",
    "message delivered",
    "message dead",
    "message gathered",
    "about an event",
    "about others",
    "to a destination",
    "to a contact",
    "near miss of a user: outside timeslot",
    "near miss of a user: maintenance",
    "near miss of a user: sending off",
    "near miss of a user: no destination",
    "near miss of a user: covered by a profile",
    "near miss of a user: reported",
    "near miss of a contact: covered by a profile",
    "near miss of a contact: covered by a rule",
    "near miss of a contact: too many",
    "near miss of a contact: reported",
    "change: incident created",
    "change: event added",
    "change: acknowledgement",
    "change: incident edited",
    "change: incident deleted",
];

/// Of subjects of the change log, by name: what can be done with them.
pub const CONFIGURATION: [(&str, &[&str]); 14] = [
    ("User", &["made", "edited"]),
    ("Token", &["made", "deleted"]),
    ("Source", &["made", "edited"]),
    ("SourceType", &["made"]),
    ("Timeslot", &["made", "edited", "deleted"]),
    ("Destination", &["made", "edited", "deleted"]),
    ("Filter", &["made", "edited", "deleted"]),
    ("Profile", &["made", "edited", "deleted"]),
    ("Maintenance", &["made", "edited", "deleted"]),
    ("Rule", &["made", "edited", "deleted"]),
    ("Channel", &["made", "edited", "deleted"]),
    ("Contact", &["made", "edited", "deleted"]),
    ("ContactGroup", &["made", "edited", "deleted"]),
    ("Settings", &["edited"]),
];

/// What the file holds of all these.
pub fn variants(service: &Service) -> BTreeSet<String> {
    let snapshot = service.store().snapshot().unwrap();
    let mut found: BTreeSet<String> = BTreeSet::new();
    for (incident, event) in events(service) {
        found.insert(format!("event {}", snapshot.event(incident, event).unwrap().unwrap().kind.code()));
        for miss in snapshot.near_misses(incident, event).unwrap().0 {
            let recipient = if matches!(miss.recipient, NearMissRecipient::User { .. }) { "user" } else { "contact" };
            found.insert(format!("near miss of a {recipient}: {}", reason(miss.reason)));
        }
    }
    for message in snapshot.messages_page(Messages::All, None, usize::MAX).unwrap() {
        let state = match message.state {
            MessageState::Due { .. } if message.attempts == 0 => "due, not tried",
            MessageState::Due { .. } => "due, tried",
            MessageState::Delivered { .. } => "delivered",
            MessageState::Dead { .. } => "dead",
            MessageState::Gathered { .. } => "gathered",
        };
        found.insert(format!("message {state}"));
        found.insert(
            if matches!(message.about, MessageSubject::Summary(_)) { "about others" } else { "about an event" }.into(),
        );
        let to_contact = matches!(message.route, Route::Contact { .. });
        found.insert(if to_contact { "to a contact" } else { "to a destination" }.into());
    }
    snapshot
        .for_each_change(Seq(0), &mut |change| {
            found.insert(match change.kind {
                ChangeKind::IncidentCreated { .. } => "change: incident created".to_owned(),
                ChangeKind::EventAdded { .. } => "change: event added".to_owned(),
                ChangeKind::AckChanged { .. } => "change: acknowledgement".to_owned(),
                ChangeKind::IncidentEdited { .. } => "change: incident edited".to_owned(),
                ChangeKind::IncidentDeleted { .. } => "change: incident deleted".to_owned(),
                ChangeKind::Configuration(it) => {
                    let what = match (&it.before, &it.after) {
                        (None, _) => "made",
                        (_, None) => "deleted",
                        _ => "edited",
                    };
                    format!("{:?} {what}", it.subject)
                }
            });
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

pub const fn reason(reason: NearReason) -> &'static str {
    match reason {
        NearReason::OutsideTimeslot(_) => "outside timeslot",
        NearReason::Maintenance(_) => "maintenance",
        NearReason::SendingOff => "sending off",
        NearReason::NoDestination => "no destination",
        NearReason::Covered(NotificationCause::Profile(_)) => "covered by a profile",
        NearReason::Covered(NotificationCause::Rule(_)) => "covered by a rule",
        NearReason::Reported => "reported",
        NearReason::TooMany { .. } => "too many",
    }
}
