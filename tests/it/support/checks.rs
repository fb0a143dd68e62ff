//! What has to hold when a test ends: no message waits of which the test did not say so, and no task panicked.

use std::{
    panic,
    sync::{
        Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
};

use argusd::{domain::message::Message, store::Store};

/// All panics of this process. Tests that are done do not look at them any more.
static PANICS: Mutex<Vec<Panic>> = Mutex::new(Vec::new());

#[derive(Clone)]
struct Panic {
    thread: ThreadId,
    /// That of a test's own thread is the path of the test.
    name: Option<String>,
    text: String,
}

impl Panic {
    /// Whether it ended a task, and not a test of its own thread.
    fn is_of_task(&self, test: ThreadId) -> bool {
        self.thread == test || !self.name.as_deref().is_some_and(|name| name.contains("::") || name == "main")
    }
}

fn panics() -> MutexGuard<'static, Vec<Panic>> {
    PANICS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn record_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let thread = thread::current();
            let name = thread.name().map(str::to_owned);
            panics().push(Panic { thread: thread.id(), name, text: info.to_string() });
            print(info);
        }));
    });
}

/// Fails the test when it is dropped, unless the test fails already.
pub struct ChecksAtEnd {
    store: Store,
    test: ThreadId,
    /// How many panics there were before.
    before: usize,
    may_leave_messages: AtomicBool,
}

impl ChecksAtEnd {
    pub fn new(store: &Store) -> Self {
        record_panics();
        let (store, test, before) = (store.clone(), thread::current().id(), panics().len());
        Self { store, test, before, may_leave_messages: AtomicBool::new(false) }
    }

    /// Says that the test leaves messages that are neither sent nor failed.
    pub fn allow_messages(&self) {
        self.may_leave_messages.store(true, Ordering::Relaxed);
    }

    fn unsettled(&self) -> Vec<String> {
        let mut unsettled = Vec::new();
        // A test that closed the store can look into the file by itself.
        if let Ok(snapshot) = self.store.snapshot() {
            let mut note = |message: Message| unsettled.push(format!("{} to {}", message.id, message.address));
            snapshot.for_each_due_message(&mut note).unwrap();
        }
        unsettled
    }
}

impl Drop for ChecksAtEnd {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        let new: Vec<Panic> = panics()[self.before..].to_vec();
        let of_tasks: Vec<String> = new.into_iter().filter(|it| it.is_of_task(self.test)).map(|it| it.text).collect();
        assert!(of_tasks.is_empty(), "a task panicked: {}", of_tasks.join("\n"));
        if !self.may_leave_messages.load(Ordering::Relaxed) {
            let unsettled = self.unsettled();
            assert!(unsettled.is_empty(), "messages are left unsettled: {}", unsettled.join(", "));
        }
    }
}
