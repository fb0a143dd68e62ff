//! A made-up world of mail servers: some are down, some refuse for now, and the process dies while messages are in flight.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use argusd::{
    domain::attempt::AttemptOutcome,
    notify::{Content, Outgoing, Transcript, Transport},
};
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

/// A message that arrived.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub id: String,
    pub address: String,
    /// (incident, event)
    pub notified: Vec<(u64, u64)>,
}

pub struct FakeCarrier {
    pub down: Mutex<BTreeSet<String>>,
    pub deliveries: Mutex<Vec<Delivery>>,
    unheard: Mutex<BTreeSet<String>>,
    /// Below zero: not soon.
    sends_until_crash: AtomicI64,
    pub crashed: Notify,
    grumble: AtomicI64,
}

impl FakeCarrier {
    pub fn new() -> Self {
        Self {
            down: Mutex::default(),
            deliveries: Mutex::default(),
            unheard: Mutex::default(),
            sends_until_crash: AtomicI64::new(-1),
            crashed: Notify::new(),
            grumble: AtomicI64::new(0),
        }
    }

    /// The process dies at the send after so many.
    pub fn crash_after(&self, sends: i64) {
        self.sends_until_crash.store(sends, Ordering::SeqCst);
    }

    pub fn never_crash(&self) {
        self.sends_until_crash.store(-1, Ordering::SeqCst);
    }

    /// By message id.
    pub fn arrivals(&self) -> BTreeMap<String, Vec<Delivery>> {
        let mut arrivals: BTreeMap<String, Vec<Delivery>> = BTreeMap::new();
        for delivery in self.deliveries.lock().unwrap().iter() {
            arrivals.entry(delivery.id.clone()).or_default().push(delivery.clone());
        }
        arrivals
    }

    /// The process died before it wrote down that these had left.
    pub fn note_unheard(&self, ids: impl Iterator<Item = String>) {
        self.unheard.lock().unwrap().extend(ids);
    }

    pub fn was_in_flight_at_a_crash(&self, id: &str) -> bool {
        self.unheard.lock().unwrap().contains(id)
    }

    pub fn repeats(&self) -> usize {
        self.arrivals().values().map(|times| times.len() - 1).sum()
    }

    fn take(&self, message: &Outgoing) -> AttemptOutcome {
        let setting = |name: &str| message.settings.get(name).cloned();
        let address = setting("email_address").or_else(|| setting("phone_number")).unwrap();
        if self.down.lock().unwrap().contains(&address) {
            return AttemptOutcome::retry("the connection was refused".to_owned());
        }
        if self.grumble.fetch_add(1, Ordering::SeqCst) % 17 == 16 {
            return AttemptOutcome::retry("451 not now".to_owned());
        }
        let notices = match &message.content {
            Content::Event(notice) => vec![notice],
            Content::Summary(summary) => summary.notices.iter().collect(),
            Content::Test { .. } => Vec::new(),
        };
        let notified = notices.iter().map(|notice| (notice.incident.id.0, notice.event.id.0)).collect();
        // What is sent over two channels leaves over two lanes, wherever they lead.
        let channel = message.contact.as_ref().and_then(|contact| contact.channel.as_ref());
        let address = channel.map_or_else(|| address.clone(), |channel| format!("{address} over {}", channel.id));
        let name = message.contact.as_ref().map(|contact| contact.full_name.clone()).unwrap_or_default();
        let delivery = Delivery { id: message.id.clone(), address: format!("{name} {address}"), notified };
        self.deliveries.lock().unwrap().push(delivery);
        AttemptOutcome::sent("250 taken".to_owned())
    }
}

impl Transport for FakeCarrier {
    fn carry<'a>(&'a self, message: &'a Outgoing, _: &'a mut Transcript) -> BoxFuture<'a, AttemptOutcome> {
        Box::pin(async move {
            let left = self.sends_until_crash.load(Ordering::SeqCst);
            if left < 0 {
                return self.take(message);
            }
            self.sends_until_crash.store((left - 1).max(0), Ordering::SeqCst);
            if left > 0 {
                return self.take(message);
            }
            self.take(message);
            self.crashed.notify_one();
            std::future::pending().await
        })
    }
}
