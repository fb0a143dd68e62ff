//! Many who want the same at once: one gets it, the others hear why not (contact API contract section 11).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{
    Client,
    contact_api::{CURRENT, ContactApi, ISSUE, contact, group, id, with},
};

const TASKS: u128 = 16;
const ROUNDS: u128 = 1_000;

/// How often each status, and for 422 each message without its last words, was answered.
async fn at_once(requests: Vec<(Client, bool, String, Value)>) -> BTreeMap<String, usize> {
    let tasks = requests.into_iter().map(|(client, put, path, body)| {
        tokio::spawn(async move {
            let reply = if put { client.put(&path, body).await } else { client.post(&path, body).await };
            match reply.status {
                422 => reply.json()["message"].as_str().unwrap().to_owned(),
                status => status.to_string(),
            }
        })
    });
    let mut counts = BTreeMap::new();
    for answer in futures_util::future::join_all(tasks).await {
        *counts.entry(answer.unwrap()).or_insert(0) += 1;
    }
    counts
}

fn counts(of: &[(&str, usize)]) -> BTreeMap<String, usize> {
    of.iter().map(|(answer, count)| ((*answer).to_owned(), *count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_simultaneous_creations_wins() {
    let api = ContactApi::new().await;
    for round in 0..ROUNDS {
        let body = contact(round);
        let posts = (0..TASKS).map(|_| (api.client.clone(), false, format!("{ISSUE}/contacts"), body.clone()));
        assert_eq!(at_once(posts.collect()).await, counts(&[("201", 1), ("Contact already exists", 15)]));
        let path = format!("{CURRENT}/contact-groups/{}", id(round));
        let puts = (0..TASKS).map(|_| (api.client.clone(), true, path.clone(), group(round)));
        assert_eq!(at_once(puts.collect()).await, counts(&[("201", 1), ("204", 15)]));
    }
    api.sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_simultaneous_requests_gets_the_name() {
    let api = ContactApi::new().await;
    for round in 0..ROUNDS {
        let named = json!({"username": format!("user{round}")});
        let requests = (0..TASKS).map(|task| {
            let n = round * TASKS + task;
            let (put, body) = (task % 2 == 0, with(contact(n), named.clone()));
            let path = if put { format!("{ISSUE}/contacts/{}", id(n)) } else { format!("{ISSUE}/contacts") };
            (api.client.clone(), put, path, body)
        });
        let taken = format!("Username user{round} already exists");
        assert_eq!(at_once(requests.collect()).await, counts(&[("201", 1), (&taken, 15)]));
        let named = json!({"name": format!("Name {round}")});
        let posts = (0..TASKS).map(|task| {
            let body = with(group(round * TASKS + task), named.clone());
            (api.client.clone(), false, format!("{ISSUE}/contactgroups"), body)
        });
        let taken = format!("Name Name {round} already exists");
        assert_eq!(at_once(posts.collect()).await, counts(&[("201", 1), (&taken, 15)]));
    }
    api.sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_simultaneous_replacements_wins() {
    let api = ContactApi::new().await;
    for round in 0..ROUNDS {
        let old = 1_000_000 + round;
        api.put_group(old, json!({})).await;
        let requests = (0..TASKS).map(|task| {
            let body = with(group(round * TASKS + task), json!({"name": format!("Group {old}")}));
            (api.client.clone(), false, format!("{CURRENT}/contact-groups/{}", id(old)), body)
        });
        assert_eq!(at_once(requests.collect()).await, counts(&[("201", 1), ("404", 15)]));
    }
    assert_eq!(api.get(&format!("{ISSUE}/contactgroups")).await.json().as_array().unwrap().len(), ROUNDS as usize);
    api.sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn memberships_from_both_sides_agree() {
    let api = ContactApi::new().await;
    for n in 0..8 {
        api.put_contact(n, json!({})).await;
        api.put_group(100 + n, json!({})).await;
    }
    for round in 0..ROUNDS {
        let requests = (0..TASKS).map(|task| {
            let (n, other) = (task / 2, (task + round) % 8);
            if task % 2 == 0 {
                let body = with(contact(n), json!({"groups": [id(100 + other), id(100 + n)]}));
                (api.client.clone(), true, format!("{ISSUE}/contacts/{}", id(n)), body)
            } else {
                let body = with(group(100 + n), json!({"users": [id(other), id(n)]}));
                (api.client.clone(), true, format!("{ISSUE}/contactgroups/{}", id(100 + n)), body)
            }
        });
        assert_eq!(at_once(requests.collect()).await, counts(&[("204", 16)]));
    }
    for n in 0..8 {
        for group in api.contact(n).await["groups"].as_array().unwrap() {
            let path = format!("{CURRENT}/contact-groups/{}", group.as_str().unwrap());
            let users = api.get(&path).await.json()["data"]["users"].clone();
            assert!(users.as_array().unwrap().contains(&json!(id(n))), "{group} {users}");
        }
    }
    api.sound();
}
