//! Bodies of requests once they are parsed: single fields, and bodies that are declared.

use std::collections::HashMap;

use argusd::{
    domain::limits::{BULK_IDS, METADATA_BYTES, PASSWORD, TAG, TAGS_PER_INCIDENT, URL},
    http::{
        argus::{
            shared::{
                acks::{AckEventRequest, AckRequest, ExpirationRequest},
                events::EventRequest,
                filters::FilterRequest,
                incidents::{IncidentEditRequest, IncidentRequest},
                sources::{SourceEditRequest, SourceRequest, SourceTypeRequest},
                tags::TagRequest,
                tickets::TicketUrl,
                timeslots::{RecurrenceRequest, TimeslotRequest},
                tokens::Credentials,
            },
            v1, v2,
        },
        body::exact_members,
        fields::{BodyFields, TextRule},
        request::Request,
    },
};
use chrono_tz::Tz;
use serde_json::{Map, Value};

use crate::engine::{run, within_memory};

/// As JSON; `None`: it is no object.
fn object(input: &[u8]) -> Option<(Map<String, Value>, Value)> {
    let value: Value = serde_json::from_slice(input).ok()?;
    Some((value.as_object()?.clone(), value))
}

fn fields(input: &[u8], is_form: bool, is_whole: bool) -> Option<BodyFields> {
    let (object, value) = object(input)?;
    let exact = if is_form { HashMap::new() } else { exact_members(input, &value) };
    Some(BodyFields::new(object, is_form).with_exact(exact).of(is_whole, Tz::Europe__Oslo))
}

/// The field `x`, read by `read`: something, or an error that names it.
fn reads<T>(input: &[u8], is_form: bool, what: &str, read: impl FnOnce(&mut BodyFields) -> Option<T>) -> Option<T> {
    let mut fields = fields(input, is_form, true)?;
    let sent = object(input)?.0.get("x").cloned();
    let memory = (64 << 10) + 1_024 * input.len();
    let taken = within_memory(memory, || read(&mut fields));
    let errors = fields.refuse().body().clone();
    let errors = errors.as_object().unwrap();
    // Nothing is taken without an error where null, no text or a repeated field of a form without a value counts as absent.
    let is_blank = |sent: &Value| sent.as_str().is_some_and(|text| what == "uuid" && text.trim().is_empty());
    let may_be_absent = |sent: &Value| sent.is_null() || is_form && sent.is_array() || is_blank(sent);
    if taken.is_some() {
        assert!(errors.is_empty(), "{what}: a value and {errors:?}");
    } else if !sent.as_ref().is_none_or(may_be_absent) {
        let is_named = errors.contains_key("x") || errors.contains_key("non_field_errors");
        assert!(is_named, "{what}: no error for {sent:?}");
    }
    let length = errors.values().map(|error| error.to_string().len()).sum::<usize>();
    assert!(length <= 1_024 + 128 * input.len(), "{what}: an error of {length} bytes");
    taken
}

#[test]
fn fields_of_bodies() {
    const EXAMPLES: &[&str] = &[
        r#"{"x": "text"}"#,
        r#"{"x": 99999999999999999999999}"#,
        r#"{"x": [{"tag": "a=b"}, {"tag": "c=d"}]}"#,
        r#"{"x": [1, "2", 3.0]}"#,
        r#"{"x": ["STA", "CLO"]}"#,
        r#"{"x": "2024-07-10T10:00:00+02:00"}"#,
        r#"{"x": "infinity"}"#,
        r#"{"x": "9999-12-31T23:59:59.999999"}"#,
        r#"{"x": {"a": {"b": [1.50, 18446744073709551616]}}}"#,
        r#"{"x": "0817d973-398e-41d7-9cd2-61cdb7ef41a1"}"#,
        r#"{"x": "https://t.example.org/1"}"#,
        r#"{"x": "{\"a\": 1}"}"#,
        r#"{"x": true}"#,
        r#"{"x": "12:30:15"}"#,
        r#"{"x": null}"#,
        r#"{"x": 5, "x": "5"}"#,
    ];
    run("fields_of_bodies", EXAMPLES, |input| {
        for is_form in [false, true] {
            let text = reads(input, is_form, "text", |it| it.text("x", TextRule::filled_up_to(100)));
            let good = |text: &String| {
                !text.is_empty() && text.chars().count() <= 100 && !text.contains('\0') && text.trim() == text
            };
            assert!(text.as_ref().is_none_or(good), "{text:?}");
            let url = reads(input, is_form, "url", |it| it.url("x"));
            assert!(url.is_none_or(|url| url.chars().count() <= URL));
            reads(input, is_form, "datetime", |it| it.datetime("x"));
            reads(input, is_form, "nullable_datetime", |it| it.nullable_datetime("x"));
            reads(input, is_form, "end_time", |it| it.end_time("x"));
            reads(input, is_form, "level", |it| it.level("x"));
            reads(input, is_form, "nullable_max_level", |it| it.nullable_max_level("x"));
            let number = reads(input, is_form, "whole_number", |it| it.whole_number("x", 3..=70_000));
            assert!(number.is_none_or(|number| (3..=70_000).contains(&number)));
            reads(input, is_form, "flag", |it| it.flag("x"));
            reads(input, is_form, "nullable_flag", |it| it.nullable_flag("x"));
            reads(input, is_form, "time_of_day", |it| it.time_of_day("x"));
            reads(input, is_form, "event_type", |it| it.event_type("x"));
            reads(input, is_form, "key", |it| it.key("x"));
            if let Some(json) = reads(input, is_form, "json", |it| it.json("x")) {
                assert!(json.len() <= METADATA_BYTES && serde_json::from_str::<Value>(&json).is_ok(), "{json}");
            }
            let nested = reads(input, is_form, "nested", |it| it.nested("x"));
            assert!(nested.is_none_or(|nested| !nested.has_errors()));
            let secret = reads(input, is_form, "secret", |it| it.secret("x"));
            assert!(secret.is_none_or(|secret| (1..=PASSWORD).contains(&secret.len())));
            let keys = reads(input, is_form, "keys", |it| it.keys("x"));
            assert!(keys.is_none_or(|keys| (1..=BULK_IDS).contains(&keys.len())));
            let tags = reads(input, is_form, "tags", |it| it.tags("x")).unwrap_or_default();
            assert!(tags.len() <= TAGS_PER_INCIDENT && tags.iter().all(|tag| tag.as_str().chars().count() <= TAG));
            reads(input, is_form, "tag", |it| it.tag("x"));
            let ids = reads(input, is_form, "positive_integers", |it| it.positive_integers("x"));
            assert!(ids.is_none_or(|ids| !ids.contains(&0)));
            reads(input, is_form, "loose_tags", |it| it.loose_tags("x"));
            reads(input, is_form, "event_types", |it| it.event_types("x"));
            if let Some(days) = reads(input, is_form, "weekdays", |it| it.weekdays("x")) {
                assert!(days.is_sorted_by(|a, b| a < b) && days.iter().all(|day| (1..=7).contains(day)), "{days:?}");
            }
            let references = reads(input, is_form, "references", |it| it.references::<u64>("x", 3, false));
            assert!(references.is_none_or(|them| (1..=3).contains(&them.len())));
            reads(input, is_form, "reference", |it| it.reference::<u64>("x"));
            reads(input, is_form, "choices", |it| it.choices("x", &["EM", "SM"]));
            reads(input, is_form, "nullable_text", |it| it.nullable_text("x", TextRule::up_to(5)));
            reads(input, is_form, "required_text", |it| it.required_text("x", 5));
            reads(input, is_form, "dictionary", |it| it.dictionary("x", "no dictionary"));
            reads(input, is_form, "uuid", |it| it.uuid("x"));
            let keys = reads(input, is_form, "any_keys", |it| it.any_keys("x", 4));
            assert!(keys.is_none_or(|keys| keys.len() <= 4));
            reads(input, is_form, "keys_and_objects", |it| {
                it.keys_and_objects("x", 4, |key| key.to_string(), |object| object.text("name", TextRule::up_to(3)))
            });
        }
    });
}

/// Errors are of fields that the body declares, and name all that are required and missing.
fn takes<R: Request>(input: &[u8], is_form: bool, is_whole: bool) {
    let Some(mut fields) = fields(input, is_form, is_whole) else { return };
    within_memory((8 << 20) + 1_024 * input.len(), || drop(R::take(&mut fields)));
    let errors = fields.refuse().body().clone();
    let errors = errors.as_object().unwrap();
    let is_known = |name: &String| R::FIELDS.contains(&name.as_str()) || name == "non_field_errors";
    assert!(errors.keys().all(is_known), "{}: {errors:?}", std::any::type_name::<R>());
    let length = errors.values().map(|error| error.to_string().len()).sum::<usize>();
    assert!(length <= 4_096 + 128 * input.len(), "an error of {length} bytes");
}

#[test]
fn declared_bodies() {
    const EXAMPLES: &[&str] = &[
        r#"{"start_time": "2026-01-15T12:30:00+01:00", "end_time": "infinity", "source": 2, "source_incident_id": "7",
            "details_url": "/7", "description": "Link down", "level": 2, "ticket_url": "https://t.example.org/7",
            "metadata": {"a": [1, 2.50, 18446744073709551616]}, "tags": [{"tag": "host=a"}]}"#,
        r#"{"type": "OTH", "timestamp": "2026-01-15T12:30:00Z", "description": "x"}"#,
        r#"{"event": {"timestamp": "2026-01-15T12:30:00Z", "description": "x"}, "expiration": null}"#,
        r#"{"name": "n", "type": "zabbix", "base_url": "https://nav.example.org/", "username": "u", "password": "p"}"#,
        r#"{"name": "n", "filter": {"open": true, "tags": ["a=b"]}, "filter_string": "{}", "public": true}"#,
        r#"{"name": "n", "time_recurrences": [{"days": [1, 7], "start": "08:00", "end": "16:00:00.5"}, {"days": [2], "all_day": true}]}"#,
        r#"{"days": ["1"], "start": "08:00", "end": "16:00", "all_day": false}"#,
        r#"{"timeslot": 1, "filters": [1, "2"], "destinations": [3], "media": ["EM", "SM"], "phone_number": 4, "active": true}"#,
        r#"{"media": "email", "label": null, "settings": {"email_address": "a@example.org"}, "tag": "a=b", "ticket_url": ""}"#,
        r#"{"start_time": "2026-01-15", "end_time": null, "description": "d", "filters": [1]}"#,
        r#"{"ids": [1, 2], "ack": {}, "phone_number": "+4767676767"}"#,
    ];
    run("declared_bodies", EXAMPLES, |input| {
        for (is_form, is_whole) in [(false, true), (false, false), (true, true)] {
            takes::<IncidentRequest>(input, is_form, is_whole);
            takes::<IncidentEditRequest>(input, is_form, is_whole);
            takes::<EventRequest>(input, is_form, is_whole);
            takes::<AckRequest>(input, is_form, is_whole);
            takes::<AckEventRequest>(input, is_form, is_whole);
            takes::<ExpirationRequest>(input, is_form, is_whole);
            takes::<FilterRequest>(input, is_form, is_whole);
            takes::<SourceRequest>(input, is_form, is_whole);
            takes::<SourceEditRequest>(input, is_form, is_whole);
            takes::<SourceTypeRequest>(input, is_form, is_whole);
            takes::<TagRequest>(input, is_form, is_whole);
            takes::<TicketUrl>(input, is_form, is_whole);
            takes::<TimeslotRequest>(input, is_form, is_whole);
            takes::<RecurrenceRequest>(input, is_form, is_whole);
            takes::<Credentials>(input, is_form, is_whole);
            takes::<v1::profiles::NotificationProfileRequest>(input, is_form, is_whole);
            takes::<v1::phone_numbers::PhoneNumberRequest>(input, is_form, is_whole);
            takes::<v2::profiles::NotificationProfileRequest>(input, is_form, is_whole);
            takes::<v2::destinations::DestinationConfigRequest>(input, is_form, is_whole);
            takes::<v2::maintenance::PlannedMaintenanceTaskRequest>(input, is_form, is_whole);
            takes::<v2::bulk::BulkAckRequest>(input, is_form, is_whole);
            takes::<v2::bulk::BulkTicketUrlRequest>(input, is_form, is_whole);
        }
    });
}
