//! The queue between the edges that take deliveries in and the one thread that hands them on.
//!
//! Whoever delivers is told when the delivery is committed, and so may acknowledge it. Everything that waits is
//! committed together, which is what keeps a durable commit cheap under load. When the queue is full, the sender is told
//! at once: it sends again, and nothing is lost.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use tokio::sync::oneshot;

use super::{Delivered, Sink};

/// Deliveries that wait at the most.
pub const WAITING_MAX: usize = 10_000;
/// Bytes that wait at the most.
pub const WAITING_BYTES_MAX: usize = 64 << 20;
/// Deliveries that are committed together at the most.
const BATCH_MAX: usize = 2000;

/// Why a delivery was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too much waits already.
    Full,
    /// The daemon ends.
    Ending,
}

/// Told once: whether the delivery is committed.
pub type Receipt = oneshot::Receiver<bool>;

/// The queue.
pub struct Intake {
    queue: Mutex<Queue>,
    wakes: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(Delivered, oneshot::Sender<bool>)>,
    bytes: usize,
    has_ended: bool,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Intake({} waiting)", self.lock().waiting.len())
    }
}

/// The thread behind the queue.
#[derive(Debug)]
pub struct Handing {
    intake: Arc<Intake>,
    thread: JoinHandle<()>,
}

impl Handing {
    /// Hands on what waits, and ends.
    pub fn stop(self) {
        self.intake.lock().has_ended = true;
        self.intake.wakes.notify_all();
        // A panic there has been printed; what waited is not acknowledged, so it is sent again.
        _ = self.thread.join();
    }
}

impl Intake {
    /// Starts the thread that hands deliveries to the sink.
    pub fn start(sink: Arc<dyn Sink>) -> io::Result<(Arc<Self>, Handing)> {
        let intake = Arc::new(Self { queue: Mutex::default(), wakes: Condvar::new() });
        let own = Arc::clone(&intake);
        let thread = Builder::new().name("intake".to_owned()).spawn(move || own.hand_on(&*sink))?;
        Ok((Arc::clone(&intake), Handing { intake, thread }))
    }

    /// Puts a delivery in the queue.
    pub fn offer(&self, delivered: Delivered) -> Result<Receipt, Refused> {
        let mut queue = self.lock();
        if queue.has_ended {
            return Err(Refused::Ending);
        }
        let bytes = queue.bytes.saturating_add(delivered.bytes);
        if queue.waiting.len() >= WAITING_MAX || (bytes > WAITING_BYTES_MAX && !queue.waiting.is_empty()) {
            return Err(Refused::Full);
        }
        let (say, hear) = oneshot::channel();
        queue.bytes = bytes;
        queue.waiting.push_back((delivered, say));
        drop(queue);
        self.wakes.notify_one();
        Ok(hear)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_on(&self, sink: &dyn Sink) {
        while let Some(batch) = self.next() {
            sink.until_it_commits();
            // Events are known when they come again; of lines nothing tells. So those whose sender was told to send again,
            // or went away without waiting for the answer, are left to the next time.
            let is_awaited =
                |(delivered, say): &(Delivered, oneshot::Sender<bool>)| delivered.lines.is_none() || !say.is_closed();
            let (batch, receipts): (Vec<_>, Vec<_>) = batch.into_iter().filter(is_awaited).unzip();
            let is_committed = sink.deliver(&batch).is_ok();
            for receipt in receipts {
                // Whoever waited may be gone: then the delivery comes again and is known by its id.
                _ = receipt.send(is_committed);
            }
        }
    }

    /// What waits, once there is something; none at the end.
    fn next(&self) -> Option<Vec<(Delivered, oneshot::Sender<bool>)>> {
        let queue = self.lock();
        let waited = self.wakes.wait_while(queue, |queue| queue.waiting.is_empty() && !queue.has_ended);
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
        if queue.waiting.is_empty() {
            return None;
        }
        let count = queue.waiting.len().min(BATCH_MAX);
        let batch: Vec<_> = queue.waiting.drain(..count).collect();
        let bytes: usize = batch.iter().map(|(delivered, _)| delivered.bytes).sum();
        queue.bytes = queue.bytes.saturating_sub(bytes);
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use zeroize::Zeroizing;

    use super::*;
    use crate::pipeline::{Stream, StreamId};
    use crate::source::{Health, NotCommitted};

    /// Takes a batch when it is told to, and as it is told.
    #[derive(Debug)]
    struct Slow {
        told: Mutex<mpsc::Receiver<Result<(), NotCommitted>>>,
        next: Mutex<Result<(), NotCommitted>>,
        taken: Mutex<Vec<usize>>,
    }

    impl Slow {
        fn new(told: mpsc::Receiver<Result<(), NotCommitted>>) -> Arc<Self> {
            Arc::new(Self { told: Mutex::new(told), next: Mutex::new(Ok(())), taken: Mutex::default() })
        }
    }

    impl Sink for Slow {
        fn open(&self, _: Stream) -> StreamId {
            StreamId(0)
        }
        fn push(&self, _: StreamId, _: &[u8]) {}
        fn end_line(&self, _: StreamId) {}
        fn pause(&self) {}
        fn finish(&self, _: StreamId) {}
        fn report(&self, _: &str, _: Health) {}
        fn until_it_commits(&self) {
            *self.next.lock().unwrap() = self.told.lock().unwrap().recv().unwrap_or(Ok(()));
        }
        fn deliver(&self, batch: &[Delivered]) -> Result<(), NotCommitted> {
            self.taken.lock().unwrap().extend(batch.iter().map(|delivered| delivered.bytes));
            *self.next.lock().unwrap()
        }
    }

    fn delivered(bytes: usize) -> Delivered {
        Delivered { source: "a".into(), bytes, ..Delivered::default() }
    }

    #[test]
    fn a_delivery_is_acknowledged_when_it_is_committed_and_refused_when_it_is_not() {
        let (allow, wait) = mpsc::channel();
        let (intake, handing) = Intake::start(Slow::new(wait)).unwrap();
        let mut first = intake.offer(delivered(1)).unwrap();
        assert!(first.try_recv().is_err());
        allow.send(Ok(())).unwrap();
        assert_eq!(first.blocking_recv(), Ok(true));
        let second = intake.offer(delivered(1)).unwrap();
        allow.send(Err(NotCommitted)).unwrap();
        assert_eq!(second.blocking_recv(), Ok(false));
        drop(allow);
        handing.stop();
        assert_eq!(intake.offer(delivered(1)).err(), Some(Refused::Ending));
    }

    #[test]
    fn lines_that_nobody_waits_for_any_more_are_left_to_the_next_time_and_events_are_not() {
        let (allow, wait) = mpsc::channel();
        let sink = Slow::new(wait);
        let (intake, handing) = Intake::start(Arc::clone(&sink) as Arc<dyn Sink>).unwrap();
        let lines = |bytes| Delivered { lines: Some((StreamId(0), Zeroizing::default())), ..delivered(bytes) };
        let kept = [intake.offer(lines(1)).unwrap(), intake.offer(delivered(2)).unwrap()];
        drop([intake.offer(lines(3)).unwrap(), intake.offer(delivered(4)).unwrap()]);
        drop(allow);
        handing.stop();
        assert_eq!(*sink.taken.lock().unwrap(), [1, 2, 4]);
        assert!(kept.into_iter().all(|receipt| receipt.blocking_recv() == Ok(true)));
    }

    #[test]
    fn a_full_queue_says_so_at_once_and_what_waits_is_handed_on_at_the_end() {
        let (allow, wait) = mpsc::channel();
        let (intake, handing) = Intake::start(Slow::new(wait)).unwrap();
        let mut receipts = Vec::new();
        let refused = loop {
            match intake.offer(delivered(WAITING_BYTES_MAX / 4)) {
                Ok(receipt) => receipts.push(receipt),
                Err(refused) => break refused,
            }
        };
        assert_eq!(refused, Refused::Full);
        // One batch may be with the sink.
        assert!((4..=8).contains(&receipts.len()), "{}", receipts.len());
        drop(allow);
        handing.stop();
        assert!(receipts.into_iter().all(|receipt| receipt.blocking_recv() == Ok(true)));
    }
}
