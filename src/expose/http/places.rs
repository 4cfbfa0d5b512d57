//! Places for connections. When all are taken, a new connection gets the place of the one that has been there for
//! longest among those that wait for their client: so clients that say nothing, or little, keep nobody out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::source::inlet::Patience;

/// All places.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    connections: BTreeMap<u64, (Patience, Arc<Notify>)>,
}

/// The place of one connection; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    /// Whether the server waits for the client.
    pub(super) patience: Patience,
    given_up: Arc<Notify>,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self { free: Arc::new(Semaphore::new(count)), taken: Mutex::default() })
    }

    /// Gives a place, once there is one.
    pub(super) async fn take(self: &Arc<Self>) -> Option<Place> {
        let mut permit = Arc::clone(&self.free).try_acquire_owned().ok();
        if permit.is_none() {
            self.give_one_up();
            permit = Arc::clone(&self.free).acquire_owned().await.ok();
        }
        let permit = permit?;
        let (patience, given_up) = (Patience::default(), Arc::new(Notify::new()));
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let number = taken.next;
        taken.next += 1;
        taken.connections.insert(number, (patience.clone(), Arc::clone(&given_up)));
        drop(taken);
        Some(Place { places: Arc::clone(self), number, patience, given_up, _permit: permit })
    }

    fn give_one_up(&self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = taken.connections.iter().find(|(_, (patience, _))| patience.is_waiting()).map(|(at, _)| *at);
        if let Some((_, given_up)) = oldest.and_then(|oldest| taken.connections.remove(&oldest)) {
            given_up.notify_one();
        }
    }
}

impl Place {
    /// Ends when another connection gets this place.
    pub(super) async fn given_up(&self) {
        self.given_up.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken.lock().unwrap_or_else(PoisonError::into_inner).connections.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_that_waits_for_its_client_gives_its_place_up() {
        let places = Places::new(2);
        let busy = places.take().await.unwrap();
        busy.patience.waits(false);
        let idle = places.take().await.unwrap();
        let waiting = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take().await }
        });
        idle.given_up().await;
        drop(idle);
        assert_eq!(waiting.await.unwrap().unwrap().number, 2);
        assert_eq!(places.taken.lock().unwrap().connections.keys().copied().collect::<Vec<_>>(), [0]);
    }
}
