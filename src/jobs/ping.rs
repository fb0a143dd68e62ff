//! Sends outgoing pings as long as the server is well, so that the system that receives them reports their absence.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch::Receiver, time::MissedTickBehavior};
use tracing::{info, warn};

use crate::domain::{
    MonotonicTime,
    destination::EMAIL,
    limits::{PING_MAIL_SILENCE_MICROS, PING_QUEUE_SILENCE_MICROS},
};
use crate::notify::{Health, Pinger};
use crate::service::Service;

/// Result of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
enum PingRound {
    Sent,
    /// The server is not well, with the reason.
    Withheld(String),
    /// The ping was not answered with success, with the reason.
    Failed(String),
}

/// Sends a ping each time that `ping` says, until `stopping` becomes true.
pub(super) async fn run(
    service: Service,
    health: Arc<Health>,
    ping: Option<(Pinger, Duration)>,
    mut stopping: Receiver<bool>,
) {
    let Some((pinger, every)) = ping else { return };
    let mut interval = tokio::time::interval(every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_sent = true;
    loop {
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => return,
            _ = interval.tick() => {}
        }
        let round = tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => return,
            round = ping_once(&service, &health, &pinger) => round,
        };
        match &round {
            PingRound::Sent if !was_sent => info!("watchdog pings are sent again"),
            PingRound::Withheld(reason) if was_sent => warn!("no watchdog pings are sent: {reason}"),
            PingRound::Failed(reason) if was_sent => warn!("the watchdog ping failed: {reason}"),
            _ => {}
        }
        was_sent = round == PingRound::Sent;
    }
}

async fn ping_once(service: &Service, health: &Health, pinger: &Pinger) -> PingRound {
    if let Err(reason) = service.system().ready().await {
        return PingRound::Withheld(format!("nothing can be stored: {reason}"));
    }
    if let Some(reason) = unwell(service.moment(), health.last_round(), health.unreachable_since(EMAIL)) {
        return PingRound::Withheld(reason.to_owned());
    }
    match pinger.ping().await {
        Ok(()) => PingRound::Sent,
        Err(reason) => PingRound::Failed(reason),
    }
}

/// Returns why messages cannot be sent. `last_round` is that of the loop that sends them.
fn unwell(
    now: MonotonicTime,
    last_round: MonotonicTime,
    unreachable_since: Option<MonotonicTime>,
) -> Option<&'static str> {
    if now.micros_since(last_round) > PING_QUEUE_SILENCE_MICROS {
        return Some("the queue of messages is stuck");
    }
    let silence = unreachable_since.map(|since| now.micros_since(since));
    silence.is_some_and(|silence| silence > PING_MAIL_SILENCE_MICROS).then_some("the mail server does not accept mail")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_cannot_send_is_not_well() {
        let now = MonotonicTime::from_micros(3_600_000_000);
        let ago = |micros: i64| now.saturating_add_micros(-micros);
        let well = |round, mail| unwell(now, round, mail).is_none();
        assert!(well(now, None));
        assert!(well(ago(PING_QUEUE_SILENCE_MICROS), Some(ago(PING_MAIL_SILENCE_MICROS))));
        assert!(!well(ago(PING_QUEUE_SILENCE_MICROS + 1), None));
        assert!(!well(now, Some(ago(PING_MAIL_SILENCE_MICROS + 1))));
    }
}
