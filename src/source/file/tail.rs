//! The thread that follows all files: it does what the followers decide.
//!
//! One round takes the notifications, gives each file that has something new a turn of at most [`TURN_BYTES`], so that
//! a huge file does not starve a small one, and sleeps until the next notification or the next time that is due. A slow
//! patrol looks at files without being asked, because notifications can be missed.
//!
//! What belongs to a file is found by its identity, so that a file under two names is read once and a renamed one goes
//! on where it was. Which files there are is the work of [`super::discover`].

use std::collections::{BTreeMap, VecDeque};
use std::fs::Metadata;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Start;
use super::blocks::BLOCK_BYTES;
use super::complain::Complaints;
use super::discover::Scans;
use super::follow::Identity;
use super::glob::Patterns;
use super::looks::Looks;
use super::pace::Pace;
use super::pipe::Pipe;
use super::room;
use super::rotate::Rotations;
use super::turn::{Live, Positions};
use super::unpack::Archive;
use super::watch::{Folders, Wake};
use crate::source::{Failure, Health, Sink};

/// Most bytes read from one file before the others get their turn.
pub(super) const TURN_BYTES: usize = 4 * BLOCK_BYTES;

/// How often files are looked at where the system gives no notifications.
pub(super) const POLL: Duration = Duration::from_millis(250);

/// How often some files are looked at although nothing was notified, whatever names they have.
const PATROL: Duration = Duration::from_secs(1);

/// How many files a patrol looks at: a few thousandths of a percent of a core each.
const PATROL_FILES: usize = 50;

/// How long a round goes on before new notifications are taken.
const ROUND_MOST: Duration = Duration::from_millis(5);

/// How often progress is reported, if there is any.
const PROGRESS: Duration = Duration::from_secs(1);

pub(super) type SlotId = u32;

/// One source, compiled.
pub(super) struct Source {
    pub(super) name: Arc<str>,
    pub(super) timezone: Arc<str>,
    pub(super) start: Start,
    pub(super) patterns: Arc<Patterns>,
    /// Files of the start that are not yet read to where they ended then.
    pub(super) backlog: usize,
    pub(super) caught_up: bool,
    pub(super) up: Option<bool>,
    /// Its patterns were never scanned: what is found then is backlog.
    pub(super) fresh: bool,
}

/// One file.
pub(super) struct Slot {
    pub(super) label: Label,
    pub(super) body: Body,
    pub(super) queued: bool,
}

/// What is known of a file besides its content.
pub(super) struct Label {
    pub(super) source: usize,
    pub(super) identity: Identity,
    /// Paths at which the config finds it; none after it was renamed to something else or deleted.
    pub(super) names: Vec<PathBuf>,
    /// Where a link points: notifications name that path.
    pub(super) alias: Option<PathBuf>,
    /// The length at start, until so much is read.
    pub(super) backlog: Option<u64>,
    pub(super) behind_since: Option<Duration>,
    /// Where a file lies that was found under no name of the config.
    pub(super) left_at: Option<PathBuf>,
}

impl Label {
    pub(super) const fn new(source: usize, identity: Identity, backlog: Option<u64>) -> Self {
        Self { source, identity, names: Vec::new(), alias: None, backlog, behind_since: None, left_at: None }
    }
}

pub(super) enum Body {
    Live(Live),
    Archive(Archive),
}

/// How a turn ended.
pub(super) enum Turn {
    /// There is more to read.
    More,
    /// Everything is read.
    Idle,
    /// These paths name other files now.
    Left(Vec<PathBuf>),
    /// The file is done with.
    Closed,
}

pub(super) struct Tailer {
    pub(super) sources: Vec<Source>,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) wake: Arc<Wake>,
    pub(super) folders: Folders,
    pub(super) complaints: Complaints,
    pub(super) looks: Looks,
    pub(super) pace: Pace,
    /// Boxed, because a map that grows at its end is half empty.
    pub(super) slots: BTreeMap<SlotId, Box<Slot>>,
    pub(super) next_slot: SlotId,
    pub(super) by_identity: BTreeMap<Identity, SlotId>,
    pub(super) by_path: BTreeMap<PathBuf, SlotId>,
    ready: VecDeque<SlotId>,
    pub(super) timed: BTreeMap<SlotId, Duration>,
    pub(super) positions: Positions,
    started: Instant,
    patrolled_to: SlotId,
    patrol_due: Duration,
    progress_due: Duration,
    /// Something changed of what a report of progress says.
    pub(super) progressed: bool,
    pub(super) scans: Scans,
    pub(super) rotations: Rotations,
    pub(super) pipes: BTreeMap<PathBuf, Pipe>,
    /// Most files open at a time.
    pub(super) open_max: usize,
    /// A file could not be opened because none of those that are open could be closed.
    pub(super) starved: bool,
}

impl Tailer {
    #[expect(clippy::disallowed_methods, reason = "an edge: the monotonic clock of the followers")]
    pub(super) fn new(sources: Vec<Source>, sink: Arc<dyn Sink>, wake: Arc<Wake>) -> Self {
        let (folders, failed) = Folders::new(&wake);
        let sink_known = sink.known();
        let complaints = Complaints::new(Arc::clone(&sink));
        if let Some(message) = failed {
            for source in &sources {
                complaints.say_always(&source.name, Failure::Watch, message.clone());
            }
        }
        Self {
            sources,
            sink,
            wake,
            folders,
            complaints,
            looks: Looks::new(),
            pace: Pace::default(),
            slots: BTreeMap::new(),
            next_slot: 0,
            by_identity: BTreeMap::new(),
            by_path: BTreeMap::new(),
            ready: VecDeque::new(),
            timed: BTreeMap::new(),
            positions: Positions::known(sink_known),
            started: Instant::now(),
            patrolled_to: 0,
            patrol_due: Duration::ZERO,
            progress_due: Duration::ZERO,
            progressed: true,
            scans: Scans::default(),
            rotations: Rotations::default(),
            pipes: BTreeMap::new(),
            open_max: room::open_max(),
            starved: false,
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Follows until the stop.
    pub(super) fn run(mut self) {
        self.scan();
        loop {
            if let Some(id) = self.rotations.copying(self.now()) {
                self.pace.hurry(self.now());
                self.queue_first(id);
            }
            let timeout = if self.ready.is_empty() {
                self.sink.pause();
                self.until_due()
            } else {
                Duration::ZERO
            };
            let pending = self.wake.take(timeout);
            if pending.stopped {
                return self.finish();
            }
            let (began, woken) = (self.now(), !pending.paths.is_empty());
            self.pace.begins(began);
            if pending.is_structural() {
                self.pace.hurry(began);
            }
            if pending.all {
                self.scans.wanted = true;
                self.queue_all();
            }
            if let Some(sources) = pending.sources {
                self.replace_sources(sources);
            }
            // Before what is at the old names now: once a commit knows that, a start looks for nothing before it.
            for (from, to) in pending.moves {
                self.moved(&from, &to);
            }
            for (path, structural) in pending.paths {
                self.notice(&path, structural);
            }
            self.do_due(began);
            self.round(began);
            self.open_unproven();
            self.pace.ended(self.now());
            self.wake.set_busy(self.pace.is_busy());
            if (woken || self.pace.is_busy()) && self.ready.is_empty() {
                if self.pace.is_busy() {
                    // What was read is not kept back for so long a rest.
                    self.sink.pause();
                }
                self.wake.rest(self.pace.next_round().saturating_sub(self.now()));
            }
        }
    }

    fn round(&mut self, began: Duration) {
        for _ in 0..self.ready.len() {
            let Some(id) = self.ready.pop_front() else { return };
            self.turn(id);
            if self.wake.is_stopped() || (self.now().saturating_sub(began) > ROUND_MOST && self.wake.is_pending()) {
                return;
            }
        }
    }

    fn until_due(&self) -> Duration {
        let timed = self.timed.values().min().copied();
        let due = timed.into_iter().chain([self.patrol_due, self.progress_due, self.scan_due()]).min();
        due.unwrap_or_default().saturating_sub(self.now())
    }

    fn do_due(&mut self, now: Duration) {
        let due: Vec<SlotId> = self.timed.iter().filter(|(_, due)| **due <= now).map(|(id, _)| *id).collect();
        for id in due {
            self.timed.remove(&id);
            self.queue(id);
        }
        if now >= self.scan_due() {
            self.scan();
        }
        if now >= self.patrol_due {
            if self.folders.has_remote() {
                self.queue_remote();
            }
            if self.folders.is_polling() {
                self.queue_all();
                self.patrol_due = now + POLL;
            } else {
                let next: Vec<_> =
                    self.slots.range(self.patrolled_to..).take(PATROL_FILES).map(|(id, _)| *id).collect();
                self.patrolled_to =
                    next.last().filter(|_| next.len() == PATROL_FILES).map_or(0, |id| id.wrapping_add(1));
                for id in next {
                    self.queue(id);
                }
                self.patrol_due = now + if self.folders.has_remote() { POLL } else { PATROL };
            }
        }
        if now >= self.progress_due {
            self.progress_due = now + PROGRESS;
            if std::mem::take(&mut self.progressed) {
                self.report_progress(now);
            }
        }
    }

    fn queue_all(&mut self) {
        let all: Vec<SlotId> = self.slots.keys().copied().collect();
        for id in all {
            self.queue(id);
        }
    }

    /// Queues the files of which the system may not tell that they changed.
    fn queue_remote(&mut self) {
        let is_remote =
            |slot: &Slot| slot.label.names.iter().chain(&slot.label.alias).any(|name| self.folders.is_remote(name));
        let remote: Vec<SlotId> = self.slots.iter().filter(|(_, slot)| is_remote(slot)).map(|(id, _)| *id).collect();
        for id in remote {
            self.queue(id);
        }
    }

    /// Puts a file in the queue.
    pub(super) fn queue(&mut self, id: SlotId) {
        if let Some(slot) = self.slots.get_mut(&id).filter(|slot| !slot.queued) {
            slot.queued = true;
            self.ready.push_back(id);
        }
    }

    /// Puts a file at the head of the queue: something has just been written to it.
    pub(super) fn queue_first(&mut self, id: SlotId) {
        if let Some(slot) = self.slots.get_mut(&id) {
            // One that waits at the back already comes forward; it is passed over when its old place comes.
            slot.queued = true;
            self.ready.push_front(id);
        }
    }

    /// Looks at all files and reads what is new in them.
    #[cfg(test)]
    pub(super) fn look_at_all(&mut self) {
        self.scan();
        self.queue_all();
        while let Some(id) = self.ready.pop_front() {
            self.turn(id);
        }
    }

    fn turn(&mut self, id: SlotId) {
        if !self.slots.get(&id).is_some_and(|slot| slot.queued) {
            return;
        }
        let Some(mut slot) = self.slots.remove(&id) else { return };
        slot.queued = false;
        let before = (slot.unread(), slot.offset(), slot.label.behind_since);
        let turn = match &mut slot.body {
            Body::Live(live) => self.turn_live(&mut slot.label, live),
            Body::Archive(archive) => self.turn_archive(&mut slot.label, archive),
        };
        let now = self.now();
        match turn {
            Turn::Closed => return self.close(id, &slot),
            Turn::More => slot.label.behind_since = slot.label.behind_since.or(Some(now)),
            Turn::Idle | Turn::Left(_) => slot.label.behind_since = None,
        }
        // The lag of one that is behind grows by itself.
        self.progressed |=
            slot.label.behind_since.is_some() || before != (slot.unread(), slot.offset(), slot.label.behind_since);
        let due = match &slot.body {
            Body::Live(live) => live.due(),
            Body::Archive(archive) => archive.due(),
        };
        match due {
            Some(due) => self.timed.insert(id, due),
            None => self.timed.remove(&id),
        };
        let (source, more) = (slot.label.source, matches!(turn, Turn::More));
        let (alias, identity) = (slot.label.alias.clone(), slot.label.identity);
        let reached = slot.take_backlog(more);
        if let Body::Live(live) = &slot.body
            && let Some(modified) = live.modified().filter(|_| reached && matches!(turn, Turn::Idle))
        {
            self.sink.reached(live.stream(), modified);
        }
        self.slots.insert(id, slot);
        if reached {
            self.note_read(source);
        }
        match turn {
            Turn::More => self.queue(id),
            Turn::Left(paths) => {
                for path in paths {
                    if self.by_path.get(&path) == Some(&id) {
                        self.by_path.remove(&path);
                    }
                    self.consider_after(source, &path, alias.as_deref(), identity);
                    if let Some(next) = self.by_path.get(&path) {
                        self.succeed(*next, id);
                    }
                }
            }
            Turn::Idle | Turn::Closed => {}
        }
    }

    /// Takes one file off a source's backlog.
    pub(super) fn note_read(&mut self, source: usize) {
        if let Some(source) = self.sources.get_mut(source) {
            source.backlog = source.backlog.saturating_sub(1);
        }
        self.report_caught_up();
    }

    /// Says once of each source that it has caught up.
    pub(super) fn report_caught_up(&mut self) {
        if !self.scans.has_scanned() {
            return;
        }
        let now = self.now();
        for index in 0..self.sources.len() {
            let Some(source) = self.sources.get_mut(index) else { return };
            if source.backlog == 0 && !source.caught_up {
                source.caught_up = true;
                self.report_progress(now);
                self.report(index, Health::CaughtUp);
            }
        }
    }

    pub(super) fn report(&self, source: usize, health: Health) {
        if let Some(source) = self.sources.get(source) {
            self.sink.report(&source.name, health);
        }
    }

    fn report_progress(&self, now: Duration) {
        let mut sums = vec![(0_u64, 0_u64, None::<Duration>); self.sources.len()];
        for slot in self.slots.values() {
            if let Some((files, unread, behind)) = sums.get_mut(slot.label.source) {
                *files += 1;
                *unread = unread.saturating_add(slot.unread());
                *behind = [*behind, slot.label.behind_since].into_iter().flatten().min();
            }
        }
        for (index, (files, unread_bytes, behind)) in sums.into_iter().enumerate() {
            let lag_seconds = behind.map_or(0.0, |since| now.saturating_sub(since).as_secs_f64());
            self.report(index, Health::Progress { files, unread_bytes, lag_seconds });
        }
    }

    /// Takes leave of all streams: they go on in the next run, from where they are.
    fn finish(mut self) {
        self.end_pipes();
        while let Some((_, slot)) = self.slots.pop_first() {
            let stream = match &slot.body {
                Body::Live(live) => Some(live.stream()),
                Body::Archive(archive) => archive.stream(),
            };
            if let Some(stream) = stream {
                self.sink.leave(stream);
            }
        }
        let now = self.now();
        self.report_progress(now);
    }
}

impl Body {
    /// Whether `stat` says something else of a file that grows than when all of it was read.
    pub(super) fn has_changed(&self, metadata: &Metadata) -> bool {
        match self {
            Self::Live(live) => !live.is_unchanged(metadata),
            Self::Archive(_) => false,
        }
    }

    /// Whether it is not yet time to read.
    const fn is_waiting(&self) -> bool {
        match self {
            Self::Live(_) => false,
            Self::Archive(archive) => archive.is_waiting(),
        }
    }
}

impl Slot {
    /// Whether a file of the start has just been read to where it ended then.
    fn take_backlog(&mut self, more: bool) -> bool {
        let offset = self.offset();
        let reached = self.label.backlog.is_some_and(|target| !more || offset >= target) && !self.body.is_waiting();
        if reached {
            self.label.backlog = None;
        }
        reached
    }

    pub(super) fn offset(&self) -> u64 {
        match &self.body {
            Body::Live(live) => live.offset(),
            Body::Archive(_) => 0,
        }
    }

    fn unread(&self) -> u64 {
        match &self.body {
            Body::Live(live) => live.unread(self.label.backlog),
            Body::Archive(archive) => archive.unread(),
        }
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
