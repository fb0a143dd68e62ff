//! Filters and lists (contact API contract sections 8 and 9).

use argusd::{
    domain::contact::{ContactDraft, OriginEdit},
    service::{WriteMode, WriteResult},
};
use serde_json::json;

use crate::support::contact_api::{CURRENT, ContactApi, EMAIL, ISSUE, id, said};

/// Ann (`ann`), Bob (`bob`), Eve (no username).
async fn people() -> ContactApi {
    let api = ContactApi::new().await;
    api.put_contact(1, json!({"full_name": "Ann", "username": "ann", "origin": "ldap:Ann"})).await;
    api.put_contact(2, json!({"full_name": "Bob", "username": "bob", "origin": "ldap:Bob"})).await;
    api.put_contact(3, json!({"full_name": "Eve"})).await;
    api
}

async fn names(api: &ContactApi, query: &str) -> Vec<String> {
    let reply = api.get(&format!("{CURRENT}/contacts?{query}")).await;
    assert_eq!(reply.status, 200, "{query}: {}", reply.text);
    let rows = reply.json()["data"].as_array().unwrap().clone();
    rows.iter().map(|row| row["full_name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn filters_select_the_matching_objects() {
    let api = people().await;
    let (a, b) = (id(1), id(2));
    for (query, expected) in [
        ("full_name=ann", "Ann"),
        ("username~b*", "Bob"),
        ("username!=ann", "Bob Eve"),
        ("full_name~*e*&username!~*", "Eve"),
        ("full_name=Ann|full_name=Bob&username=zed", "Ann"),
        ("!(full_name=Ann|full_name=Bob)", "Eve"),
        ("full_name=(Ann|Eve)", "Ann Eve"),
        ("full_name!=(Ann|Eve)", "Bob"),
        ("username!=(ann|bob)", "Eve"),
        ("username~*", "Ann Bob"),
        ("username!~*", "Eve"),
        ("!username", "Eve"),
        ("username", ""),
        ("!username=ann", "Bob Eve"),
        ("!!username=ann", "Bob Eve"),
        ("full_name%3Eann", "Bob Eve"),
        ("full_name%3E=bob", "Bob Eve"),
        ("full_name%3Cbob", "Ann"),
        ("full_name%3C=bob", "Ann Bob"),
        ("full_name=A*", ""),
        ("full_name=Ann%7Cfull_name=Bob", ""),
        ("", "Ann Bob Eve"),
        ("()", "Ann Bob Eve"),
        ("!", "Ann Bob Eve"),
        ("&full_name=Ann&&", "Ann"),
        ("(full_name=Ann", "Ann"),
        ("username=BOB&full_name=Ann", ""),
        ("username=nobody", ""),
        ("origin=ldap:Ann", "Ann"),
        ("origin=ldap:ann", ""),
        ("origin~ldap:*", "Ann Bob"),
        ("origin!~*", "Eve"),
    ] {
        assert_eq!(names(&api, query).await.join(" "), expected, "{query}");
    }
    for (query, expected) in [
        (format!("id={a}"), "Ann"),
        (format!("id={}", a.to_uppercase()), "Ann"),
        (format!("id!={a}"), "Bob Eve"),
        (format!("id=({a}|{b})"), "Ann Bob"),
        (format!("id!=({a}|{b})"), "Eve"),
        (format!("id~{a}"), "Ann"),
        (format!("id%3E{a}"), "Bob Eve"),
        (format!("id={a}&full_name=Bob"), ""),
        (format!("id={}", id(9)), ""),
    ] {
        assert_eq!(names(&api, &query).await.join(" "), expected, "{query}");
    }
}

#[tokio::test]
async fn a_vertical_bar_is_an_operator_unless_it_is_encoded() {
    let api = ContactApi::new().await;
    for (n, name) in [(1, "A"), (2, "B"), (3, "A|B"), (4, "50% (x)"), (5, "a_b"), (6, "a+b")] {
        api.put_group(n, json!({ "name": name })).await;
    }
    let list = async |query: &str| {
        let rows = api.get(&format!("{ISSUE}/contactgroups?{query}")).await.json();
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| row["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    for (query, expected) in [
        ("name=A|name=B", "A B"),
        ("name=(A|B)", "A B"),
        ("name=A%7CB", "A|B"),
        ("name=a%7cb", "A|B"),
        ("name=(A%7CB|B)", "B A|B"),
        ("name=50%25%20%28x%29", "50% (x)"),
        ("name~a_*", "a_b"),
        ("name=a+b", "a+b"),
        ("name=a%20b", ""),
    ] {
        assert_eq!(list(query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn bad_filters_are_refused_before_anything_is_sent() {
    let api = people().await;
    for base in [ISSUE, CURRENT] {
        for (endpoint, column) in [
            ("contacts", "groups"),
            ("contacts", "addresses"),
            ("contacts", "default_channel"),
            ("contacts", "name"),
            ("contacts", "limit"),
            ("contacts", "Full_Name"),
            ("contactgroups", "users"),
            ("contactgroups", "full_name"),
            ("channels", "config"),
            ("channels", "origin"),
        ] {
            let message = format!("Invalid request parameter: Filter column {column} is not allowed");
            said(&api.get(&format!("{base}/{endpoint}?{column}=1")).await, 400, &message);
            said(&api.get(&format!("{base}/{endpoint}?id={}|!{column}", id(1))).await, 400, &message);
        }
        for query in ["id=x", "id~*", "id=(x|y)", "id", "!id", "id%3E5", "id="] {
            let reply = api.get(&format!("{base}/contacts?{query}")).await;
            said(&reply, 400, "The given filter id is not a valid UUID");
        }
        let lists = "Unable to render array expressions with operators other than equal/in or not equal/not in";
        for query in ["full_name~(a|b)", "full_name!~(a)", "full_name%3E(a|b)", "id~(a)"] {
            said(&api.get(&format!("{base}/contacts?{query}")).await, 400, lists);
        }
        for (query, place) in [("full_name=a)", ") at pos 11"), ("=a", "= at pos 0"), ("full_name!", "! at pos 9")] {
            let reply = api.get(&format!("{base}/contacts?{query}")).await;
            let message = reply.json()["message"].as_str().unwrap().to_owned();
            assert!(message.starts_with(&format!("Invalid filter \"{query}\", unexpected {place}")), "{message}");
            assert_eq!(reply.status, 400);
        }
    }
}

async fn fill(api: &ContactApi, from: u128, to: u128) {
    let writes = (from..to).map(|n| {
        let draft = ContactDraft {
            uuid: id(n).parse().unwrap(),
            full_name: format!("Contact {n}"),
            username: Some(format!("user{n}")),
            default_channel: EMAIL.parse().unwrap(),
            groups: None,
            addresses: [("email".to_owned(), format!("c{n}@example.org"))].into(),
            origin: OriginEdit::Keep,
        };
        async move { api.app.service.contacts().store_contact(&api.app.local, WriteMode::Put, draft).await.unwrap() }
    });
    let stored = futures_util::future::join_all(writes).await;
    assert!(stored.iter().all(|stored| *stored == WriteResult::Created));
}

#[tokio::test]
async fn long_lists_are_complete_and_in_order() {
    let api = ContactApi::new().await;
    let mut filled = 0;
    for count in [0, 1, 500, 501, 999, 1_000, 1_001, 2_500] {
        fill(&api, filled, count).await;
        filled = count;
        for base in [ISSUE, CURRENT] {
            let reply = api.get(&format!("{base}/contacts")).await;
            let rows = if base == ISSUE { reply.json() } else { reply.json()["data"].clone() };
            let ids: Vec<String> =
                rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
            assert_eq!(ids, (0..count).map(id).collect::<Vec<_>>(), "{base} {count}");
        }
    }
    assert_eq!(names(&api, "full_name~*9").await.len(), 250);
    assert_eq!(names(&api, "username=USER2499").await, ["Contact 2499"]);
    let users: Vec<String> = (0..2_500).map(id).collect();
    for n in [1, 2] {
        api.put_group(10_000 + n, json!({ "users": users })).await;
    }
    let groups = api.get(&format!("{ISSUE}/contactgroups")).await.json();
    assert_eq!((groups[0]["users"].clone(), groups[1]["users"].clone()), (json!(users), json!(users)));
    api.sound();
}
