//! Logs incidents of the server itself, and errors that prevent them.

use tracing::{info, warn};

use crate::service::{ServiceError, Settled};

/// The last error of each kind. The same error is not logged again.
#[derive(Default)]
pub(super) struct RepeatedErrors(Vec<(&'static str, String)>);

impl RepeatedErrors {
    pub(super) fn note(&mut self, name: &'static str, outcome: Result<Settled, ServiceError>) {
        let before = self.0.iter().position(|(kind, _)| *kind == name).map(|at| self.0.swap_remove(at));
        match outcome {
            Ok(settled) => {
                for incident in settled.opened {
                    info!("incident {incident} opened: {name}");
                }
                for incident in settled.ended {
                    info!("incident {incident} ended: {name}");
                }
            }
            Err(error) => {
                let error = error.to_string();
                if before.is_none_or(|(_, told)| told != error) {
                    warn!("incidents about {name} cannot be kept up to date: {error}");
                }
                self.0.push((name, error));
            }
        }
    }
}
