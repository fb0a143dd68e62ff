//! The text of each page, as a superuser sees it over a small fixed set of data; and where it differs, as others do.
//!
//! A new page fails here until its snapshot is accepted (`INSTA_UPDATE=always`). What differs in each run is replaced:
//! the version, the data file with its size, free space, and UUIDs that the server makes up.

use std::{
    collections::BTreeSet,
    fmt::Write,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::mpsc,
};

use argusd::{store::StoreError, web::router::operations};
use uuid::Uuid;

use super::{
    assert_text, replace_words,
    visible::{Visible, visible},
    world::{MAIL, World},
};
use crate::support::{App, Reply, eventually::eventually_async, visit::Visit};

/// Routes that do not answer with a page of their own.
const NO_PAGES: &[&str] = &[
    "/",
    "/favicon.ico/",
    "/incidents/bulk/",
    "/incidents/facets/",
    "/incidents/tags/",
    "/live/",
    "/notifications/",
    "/static/tokens.css",
    "/static/{*path}",
];

/// Route of the page that is shown while a bulk change is carried out.
const PROGRESS: &str = "/incidents/bulk/{id}/";
const LOGIN: &str = "/accounts/login/";

fn routes() -> impl Iterator<Item = String> {
    let pages = operations().into_iter().filter(|it| it.method == "GET").map(|it| it.path);
    pages.filter(|path| !NO_PAGES.contains(&path.as_str()))
}

#[track_caller]
fn shown(reply: &Reply, status: u16) -> Visible {
    assert_eq!(reply.status, status, "{:?} {}", reply.headers, reply.text);
    visible(&reply.text)
}

/// `admin_users_id` of `/admin/users/{id}/`.
fn name_of(route: &str, variant: &str) -> String {
    let name = route.trim_matches('/').replace(['{', '}'], "").replace('/', "_");
    if variant.is_empty() { name } else { format!("{name}-{variant}") }
}

fn settled(text: &str) -> String {
    let is_size = |line: &str| line.ends_with("free") && line.contains("used, ");
    let lines: Vec<&str> =
        text.lines().map(|line| if is_size(line) { "<size> used, <size> free" } else { line }).collect();
    let is_random = |word: &str| Uuid::parse_str(word).is_ok_and(|_| !word.starts_with(&MAIL[..20]));
    let text = lines.join("\n").replace(env!("CARGO_PKG_VERSION"), "<version>");
    let text = replace_words(&text, |word| word.ends_with("/argusd.redb"), "<data file>");
    replace_words(&text, is_random, "<uuid>")
}

/// Compares all texts before the test fails.
#[derive(Default)]
struct Texts {
    names: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Texts {
    fn check(&mut self, name: &str, page: &Visible) {
        let text = format!("{}\n\n{}", page.title, page.text);
        self.check_text(name, &text);
    }

    fn check_text(&mut self, name: &str, text: &str) {
        assert!(self.names.insert(name.to_owned()), "{name} is there twice");
        let check = || assert_text("pages", name, &settled(text));
        if catch_unwind(AssertUnwindSafe(check)).is_err() {
            self.wrong.push(name.to_owned());
        }
    }

    fn finish(self) {
        assert!(self.wrong.is_empty(), "texts that differ: {}", self.wrong.join(", "));
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/texts/pages");
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let kept: BTreeSet<String> = files.filter_map(|name| name.strip_suffix(".snap").map(str::to_owned)).collect();
        let orphans: Vec<_> = kept.difference(&self.names).collect();
        assert!(orphans.is_empty(), "snapshots of pages that do not exist: {orphans:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_page_reads_as_its_snapshot() {
    let mut world = World::new().await;
    let mut texts = Texts::default();
    let mut frames = BTreeSet::new();
    // The health page says how many changes the search index has not stored yet.
    let is_indexed = async || world.visit.get("/admin/health/").await.text.contains("Search is complete and fast.");
    eventually_async("the search index is complete", is_indexed).await;
    for route in routes() {
        if route == PROGRESS {
            continue;
        }
        if route == LOGIN {
            texts.check(&name_of(&route, ""), &shown(&Visit::stranger(&world.app).get(LOGIN).await, 200));
            continue;
        }
        for (variant, address) in world.pages(&route) {
            let page = shown(&world.visit.get(&address).await, 200);
            texts.check(&name_of(&route, &variant), &page);
            if route != "/incidents/kiosk/" {
                frames.insert(page.frame);
            }
        }
    }
    assert_eq!(frames.len(), 1, "all pages have the same menus: {frames:#?}");
    texts.check_text("frame", frames.first().unwrap());
    explanations(&mut texts, &mut world).await;
    others(&mut texts, &world).await;
    texts.check(&name_of(PROGRESS, ""), &progress(&mut world).await);
    fresh(&mut texts).await;
    texts.finish();
}

/// Explanations why users and contacts were notified, or not: only this part of the page.
async fn explanations(texts: &mut Texts, world: &mut World) {
    let mut all = String::new();
    let incidents = &world.incidents;
    for (incident, event, whom) in [
        (incidents.acknowledged, 1, "admin"),
        (incidents.acknowledged, 1, "ann"),
        (incidents.acknowledged, 1, "alice"),
        (incidents.acknowledged, 1, "nobody"),
        (incidents.acknowledged, 99, "ann"),
        (incidents.under_maintenance, 3, "admin"),
        (incidents.under_maintenance, 3, "ann"),
        (incidents.stateless, 5, "admin"),
    ] {
        let page = world.visit.get(&format!("/incidents/{incident}/?whom={whom}&event={event}")).await;
        let page = shown(&page, 200).text;
        let (_, rest) = page.split_once("### Explain a notification\n").unwrap();
        let (part, _) = rest.split_once("\n## Timeline").unwrap();
        writeln!(all, "===== incident {incident}, event {event}, {whom}\n{part}\n").unwrap();
    }
    texts.check_text("incidents_pk-explanations", &all);
}

/// Pages of users with fewer rights, and pages for errors.
async fn others(texts: &mut Texts, world: &World) {
    let mut alice = Visit::again(&world.app, "alice").await;
    let incident = format!("/incidents/{}/", world.incidents.acknowledged);
    texts.check("end_user-incident", &shown(&alice.get(&incident).await, 200));
    let why = format!("{incident}?me=1&event=1");
    texts.check("end_user-incident_explained", &shown(&alice.get(&why).await, 200));
    texts.check("end_user-first_profile", &shown(&alice.get("/notifications/profiles/").await, 200));
    let maintenance = format!("/plannedmaintenance/{}/", world.maintenance.running);
    texts.check("end_user-maintenance", &shown(&alice.get(&maintenance).await, 200));
    texts.check("error-403", &shown(&alice.get("/admin/").await, 403));
    texts.check("error-404_incident", &shown(&alice.get("/incidents/999/").await, 404));
    texts.check("error-403_form", &shown(&alice.post_without_proof("/user/preferences/").await, 403));
    let wrong = Visit::stranger(&world.app).log_in("alice", "wrong", "/").await;
    texts.check("error-login", &shown(&wrong, 401));
}

/// Pages of a server with nothing in it but users and sources.
async fn fresh(texts: &mut Texts) {
    let app = App::new().await;
    let mut admin = Visit::of(&app, "admin").await;
    let mut all = String::new();
    let always_the_same = ["/about/", LOGIN, "/user/"];
    let routes = routes().filter(|route| !route.contains('{') && !route.ends_with("/new/"));
    for route in routes.filter(|route| !always_the_same.contains(&route.as_str())) {
        let address = if route == "/incidents/" { format!("{route}?open=true") } else { route.clone() };
        let page = shown(&admin.get(&address).await, 200);
        writeln!(all, "===== {route}\n{}\n", page.text).unwrap();
    }
    texts.check_text("fresh_server", &all);
}

/// Page of a bulk change that is not done, because the writer thread is held up.
async fn progress(world: &mut World) -> Visible {
    let store = world.app.service.store().clone();
    let (report, held_up) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let held = tokio::spawn(async move {
        let written = store.write(None, move |_| {
            report.send(()).unwrap();
            let _ = released.recv();
            Ok::<_, StoreError>(())
        });
        written.await
    });
    tokio::task::spawn_blocking(move || held_up.recv().unwrap()).await.unwrap();
    let (one, other) = (world.incidents.open.to_string(), world.incidents.under_maintenance.to_string());
    let fields = [("action", "comment"), ("message", "Seen."), ("view", "open=any"), ("pk", &*one), ("pk", &*other)];
    let reply = world.visit.post("/incidents/bulk/", &fields).await;
    assert_eq!(reply.status, 303, "{}", reply.text);
    let page = world.visit.get(reply.header("location")).await;
    release.send(()).unwrap();
    held.await.unwrap().unwrap();
    shown(&page, 200)
}
