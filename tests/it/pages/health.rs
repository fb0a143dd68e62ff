//! The health page shows the findings of the doctor, and pages warn administrators of links that lead nowhere.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use argusd::{
    domain::{
        HostFacts, MailFailure, MailStep, NetworkFacts,
        doctor::{LinkFacts, MailFacts, OldVariable},
        limits::DOCTOR_CACHE,
    },
    http::HttpSettings,
    service::Examiner,
    web::{self, WebSettings},
};
use futures_util::future::BoxFuture;

use crate::support::{App, visit::Visit};

/// A mail server that refuses the login, and an old variable.
#[derive(Default)]
struct Surroundings {
    asked: AtomicUsize,
    never_answers: bool,
}

impl Examiner for Surroundings {
    fn host(&self) -> HostFacts {
        let old = OldVariable { name: "SECRET_KEY", effect: "argusd ignores it", fix: "Remove SECRET_KEY." };
        HostFacts { old_variables: vec![old], ..HostFacts::default() }
    }

    fn network(&self) -> BoxFuture<'_, NetworkFacts> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.never_answers {
            return Box::pin(std::future::pending());
        }
        let failure = MailFailure { step: MailStep::LogIn, answer: "535 <wrong>".to_owned(), code: Some(535) };
        let mail = MailFacts {
            server: "mail.example.org:25".to_owned(),
            tls: "starttls",
            logs_in: true,
            is_local: false,
            is_used: true,
            sender: "argus@example.org".to_owned(),
            recipient: "admin@example.org".to_owned(),
            result: Err(failure),
        };
        Box::pin(async { NetworkFacts { mail: Some(mail), ..NetworkFacts::default() } })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn problems_come_first_with_their_fixes_and_hosts_are_asked_rarely() {
    let app = App::new().await;
    let surroundings = Arc::new(Surroundings::default());
    app.service.system().examine_through(Arc::clone(&surroundings) as _);
    let mut stan = Visit::of(&app, "stan").await;
    let overview = stan.get("/admin/").await.text;
    assert!(overview.contains("badge warn\">warning"), "{overview}");
    assert_eq!(surroundings.asked.load(Ordering::Relaxed), 0, "the overview does not wait for other hosts");

    let page = stan.get("/admin/health/").await.text;
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}: {page}"));
    assert!(place("refuses the login: 535 &#60;wrong&#62;") < place("SECRET_KEY is set, and argusd ignores it"));
    assert!(place("SECRET_KEY is set") < place("Enough space to grow"));
    place("Correct mail.username and mail.password_file");
    place("Remove SECRET_KEY.");
    assert!(stan.get("/admin/").await.text.contains("badge bad\">bad"), "what is known counts");
    stan.get("/admin/health/").await;
    assert_eq!(surroundings.asked.load(Ordering::Relaxed), 1);
    app.clock.advance_micros(i64::try_from(DOCTOR_CACHE.as_micros()).unwrap());
    stan.get("/admin/health/").await;
    assert_eq!(surroundings.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_does_not_wait_for_hosts_that_do_not_answer() {
    let app = App::new().await;
    let surroundings = Arc::new(Surroundings { never_answers: true, ..Surroundings::default() });
    app.service.system().examine_through(Arc::clone(&surroundings) as _);
    let mut stan = Visit::of(&app, "stan").await;
    for _ in 0..2 {
        let page = stan.get("/admin/health/").await.text;
        assert!(page.contains("have not answered yet") && page.contains("SECRET_KEY is set"), "{page}");
    }
    assert_eq!(surroundings.asked.load(Ordering::Relaxed), 1, "they are asked once at a time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_lead_nowhere_are_on_the_pages_of_administrators() {
    const BANNER: &str = "Links in messages begin with http://";
    let mut app = App::new().await;
    let listen = |app: &mut App, listen: &str| {
        let links = LinkFacts { listen: listen.to_owned(), ..LinkFacts::default() };
        let settings = WebSettings { links: Some(links), ..WebSettings::default() };
        app.router = web::with_pages(app.service.clone(), HttpSettings::default(), settings);
    };
    listen(&mut app, "0.0.0.0:8000");
    let (mut stan, mut alice) = (Visit::of(&app, "stan").await, Visit::of(&app, "alice").await);
    let page = stan.get("/user/").await.text;
    assert!(page.contains("begin with http://0.0.0.0:8000/") && page.contains("public_url"), "{page}");
    let page = alice.get("/user/").await.text;
    assert!(page.contains("Log out") && !page.contains(BANNER), "she can do nothing about it");
    listen(&mut app, "192.0.2.1:8000");
    assert!(!Visit::of(&app, "stan").await.get("/user/").await.text.contains(BANNER));
    listen(&mut app, "127.0.0.1:8000");
    let page = Visit::of(&app, "stan").await.get("/user/").await.text;
    assert!(page.contains(BANNER), "others have a password");
    for user in ["alice", "bob", "stan"] {
        app.service.people().deactivate(&app.local, app.user_id(user)).await.unwrap();
    }
    let page = Visit::of(&app, "admin").await.get("/user/").await.text;
    assert!(!page.contains(BANNER), "a try-out");
}
