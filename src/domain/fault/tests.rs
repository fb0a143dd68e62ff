//! Tests of when incidents about the server itself open and end, and of their descriptions.

use std::{collections::BTreeMap, sync::Arc};

use chrono_tz::Tz;

use super::*;
use crate::domain::{
    channel::Channel,
    destination::Destination,
    directory::Directory,
    event::EventTypeSet,
    ids::{TokenId, UserId},
    source::Source,
    token::{Token, TokenKind, TokenOrigin},
    user::User,
};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// 2026-01-15T23:30:00Z, which is the next day in Oslo.
const NOW: Timestamp = Timestamp::saturating_from_micros(1_768_519_800 * SECOND);
const NAV: SourceId = SourceId(5);

fn after(micros: i64) -> Timestamp {
    NOW.saturating_add_micros(micros)
}

fn source(heartbeat_frequency: Option<u32>) -> Source {
    let (name, source_type) = ("campus".to_owned(), "nav".to_owned());
    Source { id: NAV, name, source_type, user: UserId(9), base_url: String::new(), heartbeat_frequency }
}

fn directory(heartbeat_frequency: Option<u32>) -> Directory {
    let mut directory = Directory::default();
    directory.put_source(source(heartbeat_frequency));
    directory
}

fn token(id: u64, kind: TokenKind, expires: Option<Timestamp>) -> Token {
    let hash = [u8::try_from(id).unwrap(); 32];
    let created = after(-10 * DAY + i64::try_from(id).unwrap());
    Token {
        id: TokenId(id),
        user: UserId(9),
        kind,
        hash,
        created,
        expires,
        replaceable: false,
        origin: TokenOrigin::Hand,
        note: String::new(),
    }
}

fn with_tokens(tokens: impl IntoIterator<Item = Token>) -> Directory {
    let mut directory = directory(None);
    for token in tokens {
        directory.put_token(token);
    }
    directory
}

fn faults(findings: &[FaultFinding]) -> Vec<(FaultSubject, Timestamp, &str)> {
    let faults = findings.iter().filter_map(|finding| match &finding.verdict {
        FaultVerdict::Fault { since, description } => Some((finding.subject, *since, description.as_str())),
        FaultVerdict::Unknown => None,
    });
    faults.collect()
}

fn strict(directory: &Directory, days: u32) -> Vec<FaultFinding> {
    expiring_tokens(directory, Tz::Europe__Oslo, days, Strictness::Strict, NOW)
}

#[test]
fn a_token_that_expires_soon_is_told_with_its_date_in_the_zone_of_the_server() {
    let directory = with_tokens([token(1, TokenKind::Classic, Some(after(2 * DAY)))]);
    let findings = strict(&directory, 7);
    let text = "Token for source system campus (nav) will expire on 2026-01-18";
    assert_eq!(faults(&findings), [(FaultSubject::Token(NAV), after(-5 * DAY), text)]);
    let created = directory.tokens.values().next().unwrap().created;
    assert_eq!(findings[0].about_since, created);
}

#[test]
fn a_token_is_told_of_once_less_than_the_days_are_left() {
    let expiring = |left: i64, days| {
        let token = token(1, TokenKind::Classic, Some(after(left)));
        faults(&strict(&with_tokens([token]), days)).len()
    };
    assert_eq!((expiring(7 * DAY - 1, 7), expiring(7 * DAY, 7)), (1, 0));
    assert_eq!((expiring(7 * DAY, 8), expiring(-DAY, 7), expiring(-DAY, 0), expiring(1, 0)), (1, 1, 1, 0));
}

#[test]
fn of_several_tokens_the_one_that_lasts_longest_counts() {
    let soon = || token(1, TokenKind::Classic, Some(after(DAY)));
    let count = |other| faults(&strict(&with_tokens([soon(), other]), 7)).len();
    assert_eq!(count(token(2, TokenKind::Classic, Some(after(20 * DAY)))), 0);
    assert_eq!(count(token(2, TokenKind::Classic, None)), 0);
    assert_eq!(count(token(2, TokenKind::Classic, Some(after(2 * DAY)))), 1, "one for each source");
    assert_eq!(count(token(2, TokenKind::Login, None)), 1, "login tokens are for people");
}

#[test]
fn tokens_of_people_are_theirs_to_mind() {
    let person = Token { user: UserId(1), ..token(1, TokenKind::Classic, Some(after(DAY))) };
    assert_eq!(strict(&with_tokens([person]), 7), []);
}

#[test]
fn what_was_asked_for_with_more_days_stays_until_the_token_is_another() {
    let far = token(1, TokenKind::Classic, Some(after(20 * DAY)));
    let directory = with_tokens([far.clone()]);
    assert_eq!(strict(&directory, 7), []);
    let lenient = expiring_tokens(&directory, Tz::UTC, 7, Strictness::Lenient, NOW);
    assert_eq!((lenient.len(), &lenient[0].verdict), (1, &FaultVerdict::Unknown));
    let about = |start| step(Some(&incident(start, EndTime::Infinity, &[])), lenient.first(), NOW);
    assert_eq!(about(far.created), FaultStep::Nothing);
    assert_eq!(about(far.created.saturating_add_micros(-1)), FaultStep::End);
}

#[test]
fn a_source_is_missed_ten_seconds_after_its_time() {
    let findings = |frequency, silent_for: i64| {
        let seen = Some(after(-silent_for));
        missing_heartbeats(&directory(frequency), |_| seen, None, NOW)
    };
    assert_eq!(findings(Some(60), 70 * SECOND), []);
    let late = findings(Some(60), 70 * SECOND + 1);
    let text = "Missing heartbeat from source campus (nav), dead?";
    assert_eq!(faults(&late), [(FaultSubject::Heartbeat(NAV), after(-1), text)]);
    assert_eq!(findings(None, DAY), []);
    assert_eq!(missing_heartbeats(&directory(Some(60)), |_| None, None, NOW), [], "never seen");
}

#[test]
fn who_could_not_be_heard_gets_the_time_again() {
    let since = |start| {
        let findings = missing_heartbeats(&directory(Some(60)), |_| Some(after(-DAY)), Some(start), NOW);
        findings[0].verdict.clone()
    };
    assert_eq!(since(after(-70 * SECOND)), FaultVerdict::Unknown);
    assert!(matches!(since(after(-70 * SECOND - 1)), FaultVerdict::Fault { .. }));
}

#[test]
fn dead_letters_name_owner_and_address_but_no_secret() {
    let mut directory = directory(None);
    let alice = User {
        id: UserId(1),
        username: "alice".to_owned(),
        password_hash: None,
        first_name: String::new(),
        last_name: String::new(),
        email: String::new(),
        is_staff: false,
        is_superuser: false,
        is_active: true,
        created: NOW,
        grants: Vec::new(),
    };
    directory.put_user(alice);
    for (id, medium, key, value) in [
        (1, "email", "email_address", "alice@example.org"),
        (2, "slack", "destination_url", "https://hooks.example.org/services/T0/secret"),
    ] {
        let destination = Destination {
            id: DestinationId(id),
            owner: UserId(1),
            medium: medium.to_owned(),
            label: (medium == "slack").then(|| "Chat".to_owned()),
            settings: BTreeMap::from([(key.to_owned(), value.to_owned())]),
            synced: false,
        };
        directory.destinations.insert(destination.id, destination.into());
    }
    let messages = [(DestinationId(1), 1, NOW), (DestinationId(2), 3, NOW), (DestinationId(3), 1, NOW)];
    let findings = undelivered(&directory, messages);
    let told: Vec<_> = faults(&findings).into_iter().map(|(_, _, text)| text).collect();
    assert_eq!(
        told,
        [
            "1 message to alice's destination #1 (email) could not be delivered",
            "3 messages to alice's destination \"Chat\" (slack) could not be delivered"
        ],
        "and nothing of a destination that was deleted"
    );
    assert_eq!(over(FaultSubject::DeadMessages(DestinationId(3)), NOW, &directory), "The destination was deleted");
}

#[test]
fn the_mail_server_may_be_out_of_reach_for_a_quarter_of_an_hour() {
    let verdict = |silent_for: i64| unreachable(after(-silent_for), NOW).verdict;
    assert_eq!(verdict(15 * 60 * SECOND - 1), FaultVerdict::Unknown);
    let description = "The mail server has not been reached for 15 minutes".to_owned();
    assert_eq!(verdict(15 * 60 * SECOND), FaultVerdict::Fault { since: after(-15 * 60 * SECOND), description });
}

#[test]
fn tags_and_levels_are_those_of_the_contract() {
    let tags = |subject: FaultSubject| {
        subject.tags(IncidentId(77), &Directory::default()).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let token = ["location=argus", "problem_type=token_expiry", "source_system_id=5", "object=77"];
    assert_eq!(tags(FaultSubject::Token(NAV)), token);
    assert_eq!(tags(FaultSubject::Heartbeat(NAV)), ["problem_type=missing_heartbeat", "source_system_id=5"]);
    let messages = FaultSubject::DeadMessages(DestinationId(8));
    assert_eq!(tags(messages), ["problem_type=dead_letters", "destination_id=8"]);
    assert_eq!(tags(FaultSubject::MailServer), ["problem_type=mail_server", "medium=email"]);
    let levels = [FaultSubject::Token(NAV), FaultSubject::Heartbeat(NAV), messages, FaultSubject::MailServer]
        .map(|it| it.level().get());
    assert_eq!(levels, [2, 4, 3, 2]);
}

#[test]
fn matters_have_names_of_their_own() {
    let messages = FaultSubject::DeadMessages(DestinationId(5));
    let names = [FaultSubject::Token(NAV), FaultSubject::Heartbeat(NAV), messages, FaultSubject::MailServer]
        .map(FaultSubject::name);
    assert_eq!(names, ["token_expiry:5", "missing_heartbeat:5", "dead_letters:5", "mail_server"]);
    assert_eq!(FaultSubject::Token(NAV).former_name(IncidentId(77)), "token_expiry:5:77");
}

#[test]
fn the_end_says_what_happened() {
    let text = |directory: &Directory, subject| over(subject, NOW, directory);
    let heartbeat = FaultSubject::Heartbeat(NAV);
    assert_eq!(text(&directory(Some(60)), heartbeat), "Source \"campus (nav)\" is again alive and well");
    assert_eq!(text(&directory(None), heartbeat), "Source \"campus (nav)\" is not watched any more");
    let about_token = |tokens: Vec<Token>| text(&with_tokens(tokens), FaultSubject::Token(NAV));
    assert_eq!(about_token(vec![]), "Token for source system campus (nav) was deleted");
    let same = token(1, TokenKind::Classic, Some(after(20 * DAY)));
    let newer = Token { created: after(1), ..token(2, TokenKind::Classic, None) };
    assert_eq!(about_token(vec![same.clone(), newer]), "Token for source system campus (nav) was replaced");
    assert_eq!(about_token(vec![same]), "Token for source system campus (nav) does not expire soon");
}

fn incident(start: Timestamp, end: EndTime, kinds: &[EventType]) -> Incident {
    Incident {
        end,
        level: Level::HIGH,
        event_types: kinds.iter().copied().collect::<EventTypeSet>(),
        last_event: NOW,
        ..Incident::new(IncidentId(1), SourceId(1), start)
    }
}

fn fault(subject: FaultSubject, since: i64) -> FaultFinding {
    let verdict = FaultVerdict::Fault { since: after(since), description: String::new() };
    FaultFinding { subject, about_since: after(-10), verdict }
}

#[test]
fn opens_once_stays_and_ends() {
    let heartbeat = fault(FaultSubject::Heartbeat(NAV), -5);
    let unknown = FaultFinding { verdict: FaultVerdict::Unknown, ..heartbeat.clone() };
    let open = incident(after(-9), EndTime::Infinity, &[]);
    let outdated = incident(after(-11), EndTime::Infinity, &[]);
    let ended = incident(after(-9), EndTime::At(after(-4)), &[EventType::End]);
    for (latest, finding, expected) in [
        (None, Some(&heartbeat), FaultStep::Open),
        (None, Some(&unknown), FaultStep::Nothing),
        (None, None, FaultStep::Nothing),
        (Some(&open), Some(&heartbeat), FaultStep::Nothing),
        (Some(&open), Some(&unknown), FaultStep::Nothing),
        (Some(&open), None, FaultStep::End),
        (Some(&outdated), Some(&heartbeat), FaultStep::Replace),
        (Some(&outdated), Some(&unknown), FaultStep::End),
        (Some(&ended), Some(&heartbeat), FaultStep::Open),
        (Some(&ended), Some(&unknown), FaultStep::Nothing),
        (Some(&ended), None, FaultStep::Nothing),
    ] {
        assert_eq!(step(latest, finding, NOW), expected, "{latest:?} {finding:?}");
    }
}

#[test]
fn what_was_closed_by_hand_comes_back_for_new_trouble_only() {
    let closed = incident(after(-9), EndTime::At(after(-4)), &[EventType::Close]);
    let about = |latest, subject, since| step(Some(latest), Some(&fault(subject, since)), NOW);
    assert_eq!(about(&closed, FaultSubject::MailServer, -5), FaultStep::Nothing);
    assert_eq!(about(&closed, FaultSubject::MailServer, -4), FaultStep::Open);
    let of_another_token = incident(after(-11), EndTime::At(after(-4)), &[EventType::Close]);
    assert_eq!(about(&of_another_token, FaultSubject::Token(NAV), -5), FaultStep::Open);
    let ended = incident(after(-9), EndTime::At(after(-4)), &[EventType::End]);
    let messages = FaultSubject::DeadMessages(DestinationId(8));
    assert_eq!((about(&ended, messages, -5), about(&ended, messages, -3)), (FaultStep::Nothing, FaultStep::Open));
}

#[test]
fn one_incident_a_channel_names_the_first_few_contacts() {
    let mut directory = Directory::default();
    let uuid = uuid::Uuid::from_u128(9);
    let (name, kind) = ("Mail".to_owned(), "email".to_owned());
    let id = ChannelId(4);
    directory.channels.insert(uuid, Arc::new(Channel { id, uuid, name, kind, config: None, offered: false }));
    let contact = |n: i64, channel| Unreached {
        channel,
        full_name: format!("C{n}"),
        messages: 2,
        oldest: after(-100 + n),
        newest: after(-n),
    };
    let only = unreached(&directory, vec![contact(1, id), contact(2, ChannelId(5))]);
    let description = "2 messages to C1 over the channel \"Mail\" could not be delivered".to_owned();
    let verdict = FaultVerdict::Fault { since: after(-1), description };
    assert_eq!(only, [FaultFinding { subject: FaultSubject::Channel(id), about_since: after(-99), verdict }]);
    let many = |count| unreached(&directory, (1..=count).rev().map(|n| contact(n, id)).collect()).remove(0);
    let text = |finding: &FaultFinding| match &finding.verdict {
        FaultVerdict::Fault { description, .. } => description.clone(),
        FaultVerdict::Unknown => String::new(),
    };
    assert_eq!(text(&many(2)), "4 messages to C1, C2 over the channel \"Mail\" could not be delivered");
    let named = "C1, C2, C3, C4, C5";
    assert_eq!(
        text(&many(9)),
        format!("18 messages to {named} and 4 more over the channel \"Mail\" could not be delivered")
    );
    assert_eq!((many(4).about_since, many(5).about_since, many(9).about_since), (after(-96), after(-95), after(-95)));
    let tags: Vec<String> =
        FaultSubject::Channel(id).tags(IncidentId(1), &directory).iter().map(ToString::to_string).collect();
    assert_eq!(tags, ["problem_type=dead_letters".to_owned(), format!("channel={uuid}")]);
    assert!(
        FaultSubject::Channel(id).is_named("dead_letters:channel:4")
            && FaultSubject::Channel(id).is_named("dead_letters:channel:4:77")
    );
    assert!(
        !FaultSubject::Channel(id).is_named("dead_letters:channel:44")
            && !FaultSubject::Channel(id).is_named("dead_letters:4")
    );
}

#[test]
fn a_backup_is_late_after_two_periods_or_if_there_never_was_one() {
    let late = |newest: Option<i64>, failure: Option<i64>| {
        let failure = failure.map(|at| (after(at), "the disk is full"));
        late_backup(Some(DAY), newest.map(after), failure, true, NOW).into_iter().next().map(|it| it.verdict)
    };
    let text = |verdict: Option<FaultVerdict>| match verdict {
        Some(FaultVerdict::Fault { since, description }) => (since, description),
        other => panic!("{other:?}"),
    };
    assert_eq!(late(None, None), None, "the first one is not due yet");
    assert_eq!(late(Some(-2 * DAY + 1), Some(-5)), None);
    let (since, description) = text(late(Some(-2 * DAY), None));
    assert_eq!(
        (since, description.as_str()),
        (NOW, "The last good backup of the data file is of 2026-01-13 23:30 UTC")
    );
    let (_, description) = text(late(Some(-3 * DAY), Some(-5)));
    assert_eq!(description, "The last good backup of the data file is of 2026-01-12 23:30 UTC: the disk is full");
    let (since, description) = text(late(None, Some(-5)));
    assert_eq!((since, description.as_str()), (after(-5), "There is no backup of the data file: the disk is full"));
    assert_eq!(late_backup(None, Some(after(-9 * DAY)), None, true, NOW), [], "there is no schedule");
    let soon_after_start = late_backup(Some(DAY), Some(after(-9 * DAY)), None, false, NOW);
    assert_eq!(soon_after_start[0].verdict, FaultVerdict::Unknown, "the server was down for days");
}
