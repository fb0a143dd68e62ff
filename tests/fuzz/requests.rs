//! Whole requests: a server answers each of them, whatever it holds, without an error of its own.

use std::{cell::RefCell, collections::BTreeMap};

use argusd::domain::user::UserDraft;
use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Method, Request, Uri, header},
};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::{
    engine::run,
    support::{App, Reply, Who, visit::Visit},
};

/// Requests after which a new server is started, so that one that fails can be repeated.
const REQUESTS: u32 = 2_000;

/// A server, with something of each kind.
struct Server {
    app: App,
    /// Of an administrator's browser.
    cookie: String,
    answered: u32,
}

impl Server {
    async fn new() -> Self {
        let app = App::new().await;
        let grants = Some(vec!["notifications/api/v1".to_owned()]);
        let alice = app.user_id("alice");
        app.service
            .people()
            .change_user(&app.local, alice, UserDraft { grants, ..UserDraft::default() })
            .await
            .unwrap();
        for path_and_body in SETUP {
            let (path, body) = path_and_body.split_once(' ').unwrap();
            let who = if path.contains("/incidents/") { Who::Source } else { Who::Superuser };
            let reply = app.of(who).post(path, serde_json::from_str(body).unwrap()).await;
            assert!(reply.status < 300, "{path}: {} {}", reply.status, reply.text);
        }
        let visit = Visit::of(&app, "admin").await;
        let cookie = format!("sessionid={}", visit.cookie("sessionid").unwrap());
        Self { app, cookie, answered: 0 }
    }

    /// `None`: no request at all.
    async fn answer(&self, input: &[u8]) -> Option<Reply> {
        let request = self.request(input)?;
        let who = match input.first()? {
            b's' => Who::Source,
            b'e' => Who::EndUser,
            b'a' | b'p' => Who::Anonymous,
            _ => Who::Superuser,
        };
        Some(self.app.of(who).send(request).await)
    }

    /// A letter for who asks, method and address, headers, an empty line, a body.
    fn request(&self, input: &[u8]) -> Option<Request<Body>> {
        let end = input.windows(2).position(|bytes| bytes == b"\n\n").unwrap_or(input.len());
        let (head, body) = (&input[..end], input.get(end + 2..).unwrap_or_default());
        let mut lines = head.split(|byte| *byte == b'\n');
        let first = std::str::from_utf8(lines.next()?.get(1..)?).ok()?;
        let (method, address) = first.trim_start().split_once(' ')?;
        let (method, uri) = (Method::from_bytes(method.as_bytes()).ok()?, address.parse::<Uri>().ok()?);
        // Streams do not end, and passwords take long.
        if !address.starts_with('/')
            || ["live", "token-auth", "login", "password"].iter().any(|it| address.contains(it))
        {
            return None;
        }
        let mut request = Request::builder().method(method).uri(uri);
        for line in lines {
            let at = line.iter().position(|byte| *byte == b':')?;
            let (name, value) =
                (HeaderName::from_bytes(&line[..at]).ok()?, HeaderValue::from_bytes(&line[at + 1..]).ok()?);
            request = request.header(name, value);
        }
        if input.first() == Some(&b'p') {
            request = request.header(header::COOKIE, &self.cookie).header("sec-fetch-site", "same-origin");
        }
        request.body(Body::from(body.to_vec())).ok()
    }
}

const SETUP: &[&str] = &[
    r#"/api/v2/incidents/ {"start_time": "2026-01-15T12:00:00+01:00", "tags": [{"tag": "host=a"}], "source_incident_id": "1"}"#,
    r#"/api/v2/incidents/ {"start_time": "2026-01-15T11:00:00+01:00", "tags": [], "end_time": null, "level": 1}"#,
    r#"/api/v2/notificationprofiles/timeslots/ {"name": "always", "time_recurrences": [{"days": [1,2,3,4,5,6,7], "all_day": true}]}"#,
    r#"/api/v2/notificationprofiles/filters/ {"name": "open", "filter": {"open": true}}"#,
    r#"/api/v2/notificationprofiles/destinations/ {"media": "email", "settings": {"email_address": "n@example.org"}}"#,
];

const JSON: &str = "content-type:application/json";
const FORM: &str = "content-type:application/x-www-form-urlencoded";
const MULTIPART: &str = "content-type:multipart/form-data; boundary=x";
const AT: &str = "2026-01-15T12:30:00+01:00";

#[allow(clippy::too_many_lines, reason = "a list")]
fn examples() -> Vec<String> {
    let incident = json!({"start_time": AT, "end_time": "infinity", "source_incident_id": "7", "details_url": "/7",
        "description": "Link down", "level": 2, "ticket_url": "https://t.example.org/7", "metadata": {"a": [1, 2.5]},
        "tags": [{"tag": "host=a"}, {"tag": "url=b"}]});
    let filter = json!({"name": "n", "filter": {"sourceSystemIds": [1], "tags": ["a=b"], "open": true, "acked": false,
        "maxlevel": 3, "event_types": ["STA"]}, "public": true});
    let uuid = "0817d973-398e-41d7-9cd2-61cdb7ef41a1";
    let contact = json!({"id": uuid, "full_name": "C", "default_channel": uuid, "addresses": {"email": "c@example.org"},
        "groups": [uuid], "username": "c"});
    let recurrences = json!([{"days": [1, 7], "start": "08:00", "end": "16:00:00.5"}, {"days": [2], "all_day": true}]);
    let mut all = Vec::new();
    let mut send = |who: &str, line: &str, body: Value| all.push(format!("{who}{line}\n{JSON}\n\n{body}"));
    for version in ["/api/v1", "/api/v2"] {
        send("s", &format!("POST {version}/incidents/"), incident.clone());
        send(
            "s",
            &format!("PATCH {version}/incidents/1/"),
            json!({"level": 3, "tags": [{"tag": "t=1"}], "description": "d"}),
        );
        send("s", &format!("PUT {version}/incidents/1/ticket_url/"), json!({"ticket_url": "https://t.example.org/1"}));
        send(
            "s",
            &format!("POST {version}/incidents/1/events/"),
            json!({"type": "OTH", "timestamp": AT, "description": "x"}),
        );
        let ack = json!({"timestamp": AT, "event": {"timestamp": AT, "description": "a"}, "expiration": null});
        send("e", &format!("POST {version}/incidents/1/acks/"), ack);
        send("e", &format!("POST {version}/incidents/1/tags/"), json!({"tag": "x=y"}));
        send(
            "u",
            &format!("POST {version}/incidents/sources/"),
            json!({"name": "new", "type": "zabbix", "base_url": "https://x.org/"}),
        );
        send("u", &format!("POST {version}/incidents/source-types/"), json!({"name": "nav"}));
        send("u", &format!("POST {version}/notificationprofiles/filters/"), filter.clone());
        send(
            "u",
            &format!("POST {version}/notificationprofiles/timeslots/"),
            json!({"name": "t", "time_recurrences": recurrences}),
        );
        send("u", &format!("POST {version}/notificationprofiles/filterpreview/"), filter["filter"].clone());
        let profile =
            json!({"name": "p", "timeslot": 3, "filters": [1], "destinations": [1], "media": ["EM"], "active": true});
        send("u", &format!("POST {version}/notificationprofiles/"), profile);
    }
    send(
        "u",
        "POST /api/v2/notificationprofiles/destinations/",
        json!({"media": "sms", "label": "l", "settings": {"phone_number": "+4767676767"}}),
    );
    send(
        "u",
        "PATCH /api/v2/notificationprofiles/destinations/1/",
        json!({"label": "x", "settings": {"email_address": "å@blåbær.no"}}),
    );
    send("u", "POST /api/v1/auth/phone-number/", json!({"phone_number": "+47 67 67 67 67"}));
    send(
        "u",
        "POST /api/v2/plannedmaintenance/",
        json!({"start_time": AT, "end_time": null, "description": "m", "filters": [1]}),
    );
    send(
        "e",
        "POST /api/v2/incidents/acks/bulk/",
        json!({"ids": [1, 2], "ack": {"timestamp": AT, "description": "b"}}),
    );
    send("e", "POST /api/v2/incidents/events/bulk/", json!({"ids": [1], "event": {"type": "CLO", "timestamp": AT}}));
    send(
        "e",
        "POST /api/v2/incidents/ticket_url/bulk/",
        json!({"ids": [1, 99], "ticket_url": "https://t.example.org/"}),
    );
    let recipients = json!([{"contact": uuid}, {"group": uuid, "channel": uuid}]);
    send(
        "u",
        "POST /argusd/v1/rules/",
        json!({"name": "r", "timeslot": 3, "filters": [1], "recipients": recipients, "active": true}),
    );
    let channel = json!({"uuid": uuid, "name": "Mail", "type": "email", "config": {"user": "argus", "password": "x"}, "offered": true});
    send("u", "POST /argusd/v1/channels/", channel);
    send("u", "POST /argusd/v1/profiles/preview/", json!({"timeslot": 3, "filters": [1, {"open": true}]}));
    for dialect in ["/icinga-issue", "/icinga-current"] {
        send("e", &format!("POST {dialect}/notifications/api/v1/contacts"), contact.clone());
        send("e", &format!("PUT {dialect}/notifications/api/v1/contacts/{uuid}"), contact.clone());
        let groups = if dialect == "/icinga-issue" { "contactgroups" } else { "contact-groups" };
        send(
            "e",
            &format!("POST {dialect}/notifications/api/v1/{groups}"),
            json!({"id": uuid, "name": "g", "users": [uuid]}),
        );
    }
    for dialect in ["/icinga-issue", "/icinga-current"] {
        for query in [
            "full_name~*C*&(username=c|username=d)",
            "id=0817d973-398e-41d7-9cd2-61cdb7ef41a1",
            "!username&full_name%3Ea",
        ] {
            all.push(format!("eGET {dialect}/notifications/api/v1/contacts?{query}\naccept:application/json\n\n"));
        }
    }
    let form = "start_time=2026-01-15T12:30:00Z&tags[0]tag=a%3Db&tags[1].tag=c=d&level=2&metadata=%7B%22a%22:1%7D&event.description=e";
    all.push(format!("sPOST /api/v2/incidents/\n{FORM}\n\n{form}"));
    let part =
        |name: &str, value: &str| format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let parts = part("start_time", AT) + &part("tags[0]tag", "a=b") + &part("level", "2") + "--x--\r\n";
    all.push(format!("sPOST /api/v2/incidents/\n{MULTIPART}\n\n{parts}"));
    for address in [
        "/api/v2/incidents/?open=true&acked=false&tags=host%3Da&level__lte=3&page_size=2&search=link&source__id__in=1,2",
        "/api/v2/incidents/?cursor=0000064a8fd5c500000000000000000002&page_size=1&start_time__gte=2024-07-10",
        "/api/v2/incidents/?filter_pk=1&notificationprofile_pk=1&duration__gte=1.5&count=1",
        "/api/v1/incidents/open+unacked/?id__in=1,2&end_time__isnull=true",
        "/api/v2/incidents/events/?cursor=0000064a8fd5c500000000000000000002",
        "/api/v2/incidents/1/events/1/",
        "/api/v2/incidents/1/tags/host=a/",
        "/argusd/v1/deliveries/?state=failed&before=7&page_size=3",
        "/argusd/v1/incidents/1/events/1/decisions/?user=alice",
        "/argusd/v1/incidents/1/events/1/decisions/?contact=0817d973-398e-41d7-9cd2-61cdb7ef41a1",
    ] {
        all.push(format!("uGET {address}\naccept:application/json\n\n"));
    }
    for address in [
        "/incidents/?open=true&level=1&q=%2312+host%3Da+Link&sort=-level&tags=a%3Db&source=1&frame=24h",
        "/incidents/?cursor=lan.1.1768478400000000.1&sort=level&longer=5&filter=1&event_type=STA",
        "/incidents/1/",
        "/notifications/filters/new/?open=true&tags=a%3Db&level=1",
        "/notifications/profiles/new/?destination=1&filter=1",
        "/admin/audit/?kind=user&who=admin&before=9",
        "/admin/deliveries/?state=failed&before=7",
        "/admin/users/1/",
        "/admin/contacts/?q=c&after=x",
        "/incidents/tags/?q=ho",
    ] {
        all.push(format!("pGET {address}\naccept:text/html\ncookie:lastview=1.open%3Dtrue\n\n"));
    }
    for (address, form) in [
        ("/incidents/1/acknowledge/", "message=m&until=2026-01-16T12:00&for=1h"),
        ("/incidents/1/tags/", "tag=x%3Dy"),
        ("/incidents/1/level/", "level=2"),
        ("/incidents/1/ticket/", "url=https://t.example.org/1"),
        ("/incidents/1/comment/", "message=m"),
        ("/incidents/bulk/", "pk=1&pk=2&action=acknowledge&message=m&as_of=3.1768478400000000&query=open%3Dtrue"),
        ("/incidents/filters/", "name=f&query=open%3Dtrue%26level%3D1"),
        ("/incidents/columns/", "column=level&column=start"),
        ("/notifications/filters/new/", "name=f&open=true&tags=a%3Db&level=3&sources=1&event_types=STA&public=on"),
        (
            "/notifications/timeslots/new/",
            "name=t&days=1&days=2&start=08:00&end=16:00&day-0-1=on&start-0=08:00&end-0=16:00",
        ),
        ("/notifications/destinations/new/", "media=email&label=l&email_address=a%40example.org"),
        ("/notifications/profiles/new/", "name=p&timeslot=3&filters=1&destinations=1&active=on"),
        ("/notifications/profiles/preview/", "timeslot=3&filters=1&days=7"),
        ("/maintenance/new/", "start=2026-01-15T12:00&end=2026-01-16T12:00&description=d&filters=1"),
        (
            "/user/preferences/",
            "theme=dark&date_format=iso&time_zone=Europe/Oslo&density=compact&page_size=50&columns=level",
        ),
        ("/user/details/", "email=new%40example.org&first_name=A&last_name=B"),
        ("/user/tokens/", "note=n&expires=2026-02-01"),
        ("/sources/new/", "name=s&type=zabbix&base_url=https://x.org/&heartbeat=5"),
        ("/admin/users/new/", "username=u&email=u%40example.org&is_staff=on"),
        (
            "/admin/contacts/new/",
            "full_name=C&username=c&default_channel=0817d973-398e-41d7-9cd2-61cdb7ef41a1&email=c%40example.org",
        ),
        ("/admin/channels/new/", "name=n&type=webhook&url=https://hook.example.org/x&offered=on"),
        ("/admin/rules/new/", "name=r&timeslot=3&filters=1&recipients=contact:0817d973-398e-41d7-9cd2-61cdb7ef41a1"),
    ] {
        all.push(format!("pPOST {address}\n{FORM}\n\n{form}"));
    }
    all
}

#[test]
fn requests() {
    let runtime = runtime();
    let server = RefCell::new(runtime.block_on(Server::new()));
    let statuses = RefCell::new(BTreeMap::<u16, u32>::new());
    run("requests", &examples(), |input| {
        if server.borrow().answered >= REQUESTS {
            *server.borrow_mut() = runtime.block_on(Server::new());
        }
        server.borrow_mut().answered += 1;
        let server = server.borrow();
        let Some(reply) = runtime.block_on(server.answer(input)) else { return };
        *statuses.borrow_mut().entry(reply.status).or_default() += 1;
        assert!(reply.status < 500, "{} {}", reply.status, reply.text);
        assert!(reply.text.len() <= (4 << 20) + 64 * input.len(), "an answer of {} bytes", reply.text.len());
        let is_json =
            reply.headers.get(header::CONTENT_TYPE).is_some_and(|it| it.as_bytes().starts_with(b"application/json"));
        if is_json && !reply.text.is_empty() {
            let body: Value = serde_json::from_str(&reply.text).unwrap();
            if reply.status == 400 {
                let says = body.as_object().map_or(body.as_array().map_or(0, Vec::len), serde_json::Map::len);
                assert!(says > 0, "{body}");
            }
        }
    });
    println!("fuzz requests: answers by status {:?}", statuses.borrow());
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}
