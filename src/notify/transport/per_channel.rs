//! Transports that are built from the settings of a channel, cached until the settings change.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;
use uuid::Uuid;

pub(super) struct PerChannel<S, T>(Mutex<FxHashMap<Uuid, (S, Arc<T>)>>);

impl<S, T> Default for PerChannel<S, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S: Clone + PartialEq, T> PerChannel<S, T> {
    pub(super) fn get<E>(
        &self,
        channel: Uuid,
        settings: &S,
        build: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, it)) = made.get(&channel)
            && of == settings
        {
            return Ok(Arc::clone(it));
        }
        let it = Arc::new(build()?);
        made.insert(channel, (settings.clone(), Arc::clone(&it)));
        Ok(it)
    }

    /// Drops the transports of channels for which `is_there` returns false.
    pub(super) fn keep(&self, is_there: impl Fn(Uuid) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|channel, _| is_there(*channel));
    }
}
