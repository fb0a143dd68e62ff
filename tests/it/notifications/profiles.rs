//! Notification profiles (contract section 15), and what hangs together with them (sections 6, 13, 14.3, 16.2).

use serde_json::{Value, json};

use crate::support::{App, Client, Who, merge};

const V1: &str = "/api/v1/notificationprofiles/";
const V2: &str = "/api/v2/notificationprofiles/";

/// What a user's profiles are made of.
struct ProfileParts {
    client: Client,
    timeslot: u64,
    filter: u64,
    email: u64,
    sms: u64,
}

async fn parts(client: Client) -> ProfileParts {
    let timeslot = client.get(&format!("{V2}timeslots/")).await.json()[0]["pk"].as_u64().unwrap();
    let filter = client.filter("full").matching(json!({"open": true})).post().await;
    let own = client.get(&format!("{V2}destinations/")).await.json();
    let email = own.as_array().unwrap().first().and_then(|it| it["pk"].as_u64()).unwrap_or_default();
    let sms = client.destination("sms", "phone_number", "+4767676767").post().await;
    ProfileParts { client, timeslot, filter, email, sms }
}

impl ProfileParts {
    fn body(&self, fields: Value) -> Value {
        self.client.profile().timeslot(self.timeslot).filter(self.filter).with(fields).body()
    }

    async fn profile(&self, fields: Value) -> u64 {
        self.client.post(V2, self.body(fields)).await.pk()
    }
}

fn keys(list: &Value) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|it| it["pk"].as_u64().unwrap()).collect()
}

fn non_field(text: &str) -> Value {
    json!({ "non_field_errors": [text] })
}

#[tokio::test]
async fn profiles_are_created_read_changed_and_deleted() {
    let app = App::new().await;
    let mine = parts(app.of(Who::EndUser)).await;
    let (client, get) = (&mine.client, async |path: String| mine.client.get(&path).await.json());
    let body = mine.body(json!({"destinations": [mine.email, mine.email], "name": "p1"}));
    let created = client.post(V2, body).await;
    let key = created.pk();
    let one = format!("{V2}{key}/");
    let profile = json!({
        "pk": key,
        "name": "p1",
        "timeslot": get(format!("{V2}timeslots/{}/", mine.timeslot)).await,
        "filters": [get(format!("{V2}filters/{}/", mine.filter)).await],
        "destinations": [get(format!("{V2}destinations/{}/", mine.email)).await],
        "active": true,
    });
    created.is(201, profile.clone());
    client.get(&one).await.is(200, profile.clone());
    client.get(V2).await.is(200, json!([profile]));
    // What PUT leaves out stays.
    client.put(&one, mine.body(json!({}))).await.is(200, profile.clone());
    client.patch(&one, json!({})).await.is(200, profile);
    let changed = client.patch(&one, json!({"active": false, "name": null, "destinations": [mine.sms]})).await.json();
    assert_eq!((&changed["active"], &changed["name"]), (&json!(false), &Value::Null));
    assert_eq!(keys(&changed["destinations"]), [mine.sms]);
    let none = client.patch(&one, json!({"destinations": []})).await.json();
    assert_eq!(none["destinations"], json!([]));
    assert_eq!(client.delete(&one).await.status, 204);
    let unknown = json!({"detail": "No NotificationProfile matches the given query."});
    client.get(&one).await.is(404, unknown.clone());
    client.delete(&one).await.is(404, unknown);
}

#[tokio::test]
async fn invalid_profiles_are_refused() {
    let app = App::new().await;
    let mine = parts(app.of(Who::EndUser)).await;
    let other = parts(app.of(Who::Staff)).await;
    let required = json!(["This field is required."]);
    let unknown = |pk: u64| format!("Invalid pk \"{pk}\" - object does not exist.");
    mine.profile(json!({"name": "taken"})).await;
    let one = format!("{V2}{}/", mine.profile(json!({"name": "mine"})).await);
    for (body, errors) in [
        (json!({}), json!({"timeslot": required, "filters": required})),
        (mine.body(json!({"filters": []})), json!({"filters": ["This list may not be empty."]})),
        (mine.body(json!({"filters": 1})), json!({"filters": ["Expected a list of items but got type \"int\"."]})),
        (mine.body(json!({"filters": [999]})), json!({"filters": [unknown(999)]})),
        (mine.body(json!({"filters": [other.filter]})), json!({"filters": [unknown(other.filter)]})),
        (mine.body(json!({"destinations": [other.sms]})), json!({"destinations": [unknown(other.sms)]})),
        (mine.body(json!({"destinations": null})), json!({"destinations": ["This field may not be null."]})),
        (mine.body(json!({"timeslot": 999})), json!({"timeslot": [unknown(999)]})),
        (
            mine.body(json!({"timeslot": "x"})),
            json!({"timeslot": ["Incorrect type. Expected pk value, received str."]}),
        ),
        (mine.body(json!({"timeslot": null})), json!({"timeslot": ["This field may not be null."]})),
        (
            mine.body(json!({"timeslot": other.timeslot})),
            non_field("The user of 'timeslot' must be the same as the requesting user."),
        ),
        (
            mine.body(json!({"name": "x".repeat(41)})),
            json!({"name": ["Ensure this field has no more than 40 characters."]}),
        ),
        (mine.body(json!({"name": "taken"})), non_field("The requesting user already has a profile with that name.")),
        (mine.body(json!({"active": "maybe"})), json!({"active": ["Must be a valid boolean."]})),
    ] {
        mine.client.post(V2, body.clone()).await.is(400, errors.clone());
        mine.client.put(&one, body).await.is(400, errors);
    }
    // Names are a user's own; none is no name that could be taken.
    other.profile(json!({"name": "taken"})).await;
    for name in [Value::Null, Value::Null, json!("")] {
        mine.profile(json!({ "name": name })).await;
    }
}

#[tokio::test]
async fn profiles_are_private() {
    let app = App::new().await;
    let mine = parts(app.of(Who::EndUser)).await;
    let key = mine.profile(json!({})).await;
    for version in [V1, V2] {
        let one = format!("{version}{key}/");
        for who in [Who::Source, Who::Staff, Who::Superuser] {
            let other = app.of(who);
            let unknown = json!({"detail": "No NotificationProfile matches the given query."});
            other.get(&one).await.is(404, unknown.clone());
            other.put(&one, json!([])).await.is(404, unknown.clone());
            other.patch(&one, json!({"active": false})).await.is(404, unknown.clone());
            other.delete(&one).await.is(404, unknown);
            other.get(version).await.is(200, json!([]));
            let missing = json!([format!("Notification profile with pk={key} does not exist.")]);
            other.get(&format!("{one}incidents/")).await.is(400, missing);
        }
        assert_eq!(app.of(Who::Anonymous).get(&one).await.status, 401);
    }
}

#[tokio::test]
async fn version_one_sees_media_and_a_number() {
    let app = App::new().await;
    let mine = parts(app.of(Who::EndUser)).await;
    let client = &mine.client;
    let number = json!({"pk": mine.sms, "user": app.user_id("alice").0, "phone_number": "+4767676767"});
    let created = client.post(V1, mine.body(json!({}))).await;
    let key = created.pk();
    let one = format!("{V1}{key}/");
    let profile = |fields: Value| {
        let mut body = json!({
            "pk": key,
            "timeslot": created.json()["timeslot"],
            "filters": [{"pk": mine.filter, "name": "full", "filter_string": "{\"sourceSystemIds\": [], \"tags\": []}",
                "filter": {"open": true, "acked": null, "stateful": null, "maxlevel": null}}],
            "media": ["EM"],
            "active": true,
            "phone_number": null,
        });
        merge(&mut body, fields);
        body
    };
    created.is(201, profile(json!({})));
    let both = json!({"media": ["EM", "SM"], "phone_number": number});
    let wanted = mine.body(json!({"media": ["SM", "EM"], "phone_number": mine.sms}));
    client.put(&one, wanted).await.is(200, profile(both.clone()));
    client.patch(&one, json!({})).await.is(200, profile(both.clone()));
    client.patch(&one, json!({"media": ["EM", "SM"]})).await.is(200, profile(both.clone()));
    client.get(&format!("{V1}{key}/")).await.is(200, profile(both));
    let seen = client.get(&format!("{V2}{key}/")).await.json();
    assert_eq!((keys(&seen["destinations"]), &seen["name"]), (vec![mine.email, mine.sms], &Value::Null));
    // What version 1 cannot see stays.
    let hook = client.destination("webhook", "destination_url", "https://x.org/").post().await;
    client.patch(&format!("{V2}{key}/"), json!({"name": "n", "destinations": [hook, mine.sms]})).await;
    client.put(&one, mine.body(json!({}))).await.is(200, profile(json!({})));
    let seen = client.get(&format!("{V2}{key}/")).await.json();
    assert_eq!((keys(&seen["destinations"]), &seen["name"]), (vec![mine.email, hook], &json!("n")));
    client.put(&one, mine.body(json!({"media": []}))).await.is(200, profile(json!({"media": []})));
    // A number without SM is dropped.
    let dropped = client.put(&one, mine.body(json!({"media": [], "phone_number": mine.sms}))).await;
    dropped.is(200, profile(json!({"media": []})));
    let slot = client.post(&format!("{V1}timeslots/"), json!({"name": "never", "time_recurrences": []})).await;
    let moved = client.put(&one, mine.body(json!({"timeslot": slot.pk()}))).await.json();
    assert_eq!((&moved["pk"], &moved["timeslot"]), (&json!(key), &slot.json()));
}

#[tokio::test]
async fn invalid_profiles_are_refused_in_version_one() {
    let app = App::new().await;
    let mine = parts(app.of(Who::EndUser)).await;
    let other = parts(app.of(Who::Staff)).await;
    let source = parts(app.of(Who::Source)).await;
    let unknown = |pk: u64| json!({"phone_number": [format!("Invalid pk \"{pk}\" - object does not exist.")]});
    let one = format!("{V1}{}/", mine.client.post(V1, mine.body(json!({}))).await.pk());
    let null = json!({"phone_number": ["This field may not be null."]});
    for (fields, errors) in [
        (json!({"media": ["XX"]}), json!({"media": ["\"XX\" is not a valid choice."]})),
        (json!({"media": ["SM"]}), null.clone()),
        (json!({"media": ["SM"], "phone_number": null}), null.clone()),
        (json!({"media": ["SM"], "phone_number": 999}), unknown(999)),
        (json!({"media": ["SM"], "phone_number": other.sms}), unknown(other.sms)),
        (json!({"media": ["SM"], "phone_number": mine.email}), unknown(mine.email)),
    ] {
        mine.client.post(V1, mine.body(fields.clone())).await.is(400, errors.clone());
        mine.client.put(&one, mine.body(fields.clone())).await.is(400, errors.clone());
        mine.client.patch(&one, fields).await.is(400, errors);
    }
    let no_address = json!({"media": ["User email is not set, therefore this field cannot include email."]});
    source.client.post(V1, source.body(json!({}))).await.is(400, no_address);
    assert_eq!(source.client.post(V1, source.body(json!({"media": []}))).await.status, 201);
    mine.client.patch(&one, json!({"media": ["SM"], "phone_number": mine.sms})).await;
    mine.client.patch(&one, json!({"phone_number": null})).await.is(400, null);
}

#[tokio::test]
async fn the_incidents_of_a_profile_match_any_of_its_filters() {
    let app = App::new().await;
    let mine = parts(app.of(Who::EndUser)).await;
    let tagged = |tag: &str, level: u8| json!({"tags": [{"tag": tag}], "level": level, "description": tag});
    let mut all = Vec::new();
    for (tag, level) in [("host=a", 1), ("host=b", 5), ("host=c", 1), ("host=d", 5), ("host=a", 5)] {
        all.push(app.incident().with(tagged(tag, level)).post().await);
    }
    let close = json!({"type": "END", "timestamp": "2026-01-15T12:00:00Z"});
    app.of(Who::Source).post(&format!("/api/v2/incidents/{}/events/", all[0]), close).await;
    let hosts = mine.client.filter("hosts").matching(json!({"tags": ["host=a", "host=b"]})).post().await;
    let severe = mine.client.filter("severe").matching(json!({"maxlevel": 1})).post().await;
    let nothing = mine.client.filter("nothing").matching(json!({})).post().await;
    let key = mine.profile(json!({"filters": [hosts, severe, nothing]})).await;
    let expected = vec![all[4], all[2], all[1], all[0]];
    for version in [V1, V2] {
        let found = mine.client.get(&format!("{version}{key}/incidents/")).await.json();
        assert_eq!(keys(&found), expected, "newest first, none twice");
        assert_eq!(found[0].get("metadata").is_some(), version == V2);
    }
    // The parameter of lists: all of the other filters, and any of the profile's.
    let list = async |query: &str| mine.client.get(&format!("/api/v2/incidents/?{query}")).await.json();
    let by_profile = format!("notificationprofile_pk={key}");
    assert_eq!(keys(&list(&by_profile).await["results"]), expected);
    let first = list(&format!("{by_profile}&page_size=3")).await;
    assert_eq!(keys(&first["results"]), expected[..3]);
    let next = mine.client.get(first["next"].as_str().unwrap()).await.json();
    assert_eq!((keys(&next["results"]), &next["next"]), (expected[3..].to_vec(), &Value::Null));
    let back = mine.client.get(next["previous"].as_str().unwrap()).await.json();
    assert_eq!(keys(&back["results"]), expected[..3]);
    assert_eq!(list(&format!("{by_profile}&count")).await["count"], 4);
    assert_eq!(keys(&list(&format!("{by_profile}&open=true")).await["results"]), expected[..3]);
    assert_eq!(keys(&list(&format!("{by_profile}&level__lte=1")).await["results"]), [all[2], all[0]]);
    assert_eq!(keys(&list(&format!("{by_profile}&filter_pk={severe}")).await["results"]), [all[2], all[0]]);
    let kinds = async |name: &str, kinds: Value| {
        mine.client.filter(name).matching(json!({ "event_types": kinds })).post().await
    };
    let (ended, started) = (kinds("ended", json!(["END"])).await, kinds("started", json!(["STA"])).await);
    let of_ended = mine.profile(json!({"filters": [ended]})).await;
    let both = format!("notificationprofile_pk={of_ended}&filter_pk={started}");
    assert_eq!(keys(&list(&both).await["results"]), [all[0]], "it has had both");
    let other = app.of(Who::Staff).get(&format!("/api/v2/incidents/?{by_profile}")).await.json();
    assert_eq!(other["results"], json!([]), "somebody else's matches nothing");
    let bad = mine.client.get("/api/v2/incidents/?notificationprofile_pk=x").await;
    bad.is(400, json!({"notificationprofile_pk": ["Enter a whole number."]}));
}

#[tokio::test]
async fn filters_and_destinations_in_use_cannot_be_deleted() {
    let app = App::new().await;
    let mine = parts(app.of(Who::EndUser)).await;
    let named = mine.profile(json!({"name": "p1b", "destinations": [mine.sms]})).await;
    let (filter, destination) = (format!("{V2}filters/{}/", mine.filter), format!("{V2}destinations/{}/", mine.sms));
    let text = |what: &str, names: &str| {
        format!("Cannot delete this {what} since it is in use in the notification profile(s): {names}.")
    };
    mine.client.delete(&filter).await.is(400, json!(text("filter", "p1b")));
    mine.client.delete(&destination).await.is(400, json!([text("destination", "p1b")]));
    let unnamed = mine.profile(json!({})).await;
    let blob = "{\"open\":true,\"acked\":null,\"stateful\":null,\"maxlevel\":null,\"hide_closed_acked\":false}";
    let in_use_by = format!("p1b, All the time: full [{blob}]");
    mine.client.delete(&filter).await.is(400, json!(text("filter", &in_use_by)));
    for profile in [named, unnamed] {
        assert_eq!(mine.client.delete(&format!("{V2}{profile}/")).await.status, 204);
    }
    assert_eq!(mine.client.delete(&filter).await.status, 204);
    assert_eq!(mine.client.delete(&destination).await.status, 204);
}

#[tokio::test]
async fn deleting_a_timeslot_deletes_its_profiles() {
    let app = App::new().await;
    let mine = parts(app.of(Who::EndUser)).await;
    let slot = mine.client.timeslot("s").never().post().await;
    mine.profile(json!({"timeslot": slot})).await;
    let kept = mine.profile(json!({})).await;
    assert_eq!(mine.client.delete(&format!("{V2}timeslots/{slot}/")).await.status, 204);
    assert_eq!(keys(&mine.client.get(V2).await.json()), [kept]);
}

#[tokio::test]
async fn public_filters_of_others_can_be_used() {
    let app = App::new().await;
    let (alice, stan) = (parts(app.of(Who::EndUser)).await, parts(app.of(Who::Staff)).await);
    let shared = stan.client.filter("shared").matching(json!({"maxlevel": 2})).post().await;
    let path = format!("{V2}filters/{shared}/");
    let with = json!({"filters": [shared]});
    let unknown = json!({"filters": [format!("Invalid pk \"{shared}\" - object does not exist.")]});
    alice.client.post(V2, alice.body(with.clone())).await.is(400, unknown.clone());
    stan.client.patch(&path, json!({"public": true})).await;
    let key = alice.profile(with.clone()).await;
    let used = "Cannot delete this filter since it is in use in the notification profile(s): one of another user.";
    stan.client.delete(&path).await.is(400, json!(used));
    // Made private again, it stays where it is in use, but is not there for new uses.
    stan.client.patch(&path, json!({"public": false})).await;
    let one = format!("{V2}{key}/");
    let both = json!({"filters": [shared, alice.filter]});
    assert_eq!(keys(&alice.client.patch(&one, both).await.json()["filters"]), [shared, alice.filter]);
    alice.client.post(V2, alice.body(with.clone())).await.is(400, unknown.clone());
    alice.client.patch(&one, json!({"filters": [alice.filter]})).await;
    alice.client.patch(&one, with).await.is(400, unknown);
    assert_eq!(stan.client.delete(&path).await.status, 204);
}
