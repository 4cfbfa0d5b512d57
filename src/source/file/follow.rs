//! What to do next with a followed file: decided here, done by `tail`.
//!
//! A [`Follower`] is given what was seen of the file that is open and of the file that its path names now, and says
//! the next [`Step`]. It recognises growth, rename rotation, truncation in place (also when the file has grown past
//! the old offset again), swapped links and deletion. Where a file was read up to is a [`Position`], a plain value
//! that can be kept in a store and handed in again.
//!
//! Deliberately without a disk and without a clock: times are handed in, as durations since any fixed moment. It does
//! not know of globs either; which paths are followed is the work of `discover`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long a file that lost its name stays open after its last growth, for writers that have not reopened yet.
pub const LINGER: Duration = Duration::from_secs(5);

/// How long a last line without its end waits for more before it counts as a line.
pub const PARTIAL_LINE_WAIT: Duration = Duration::from_secs(1);

/// Bytes at the file's start, and bytes before the offset, that a [`Fingerprint`] covers.
pub const FINGERPRINT_BYTES: usize = 256;

/// Names one file for as long as it exists, under whatever path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Device number.
    pub device: u64,
    /// Inode number. Reused by the system after a deletion.
    pub inode: u64,
    /// Birth time in nanoseconds since 1970, where the file system keeps one.
    pub born: Option<i64>,
}

/// Content of a file before one offset, as a number: it changes when the file is cut and filled again.
///
/// It covers the first and the last [`FINGERPRINT_BYTES`] before the offset and so grows with the file: files with
/// equal heads are told apart by what stands before the offset, and a copy has the fingerprint of its original.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint at the offset 0.
    pub const NOTHING: Self = Self(0);

    /// The fingerprint at `offset`, from the file's first bytes and the bytes just before `offset`: of each,
    /// [`Self::span`] bytes. 64-bit FNV-1a: stored positions rely on the value never changing.
    pub fn of(offset: u64, head: &[u8], tail: &[u8]) -> Self {
        if offset == 0 {
            return Self::NOTHING;
        }
        let bytes = offset.to_le_bytes().into_iter().chain(head.iter().copied()).chain(tail.iter().copied());
        Self(
            bytes
                .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)),
        )
    }

    /// How many bytes of head and of tail the fingerprint at `offset` covers.
    pub fn span(offset: u64) -> usize {
        usize::try_from(offset).map_or(FINGERPRINT_BYTES, |offset| offset.min(FINGERPRINT_BYTES))
    }
}

/// Up to where a file was read. A plain value, to be kept in a store and handed in again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The file.
    pub identity: Identity,
    /// The first byte not yet read.
    pub offset: u64,
    /// What stands before it.
    pub fingerprint: Fingerprint,
}

impl Position {
    /// The start of a file.
    pub const fn start(identity: Identity) -> Self {
        Self { identity, offset: 0, fingerprint: Fingerprint::NOTHING }
    }

    /// Whether the file seen is the one that was read up to here, so that reading may go on at the offset.
    pub fn fits(&self, seen: &Seen) -> bool {
        self.identity == seen.identity && self.offset <= seen.length && seen.before == Some(self.fingerprint)
    }
}

/// What was seen of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The file.
    pub identity: Identity,
    /// Its length in bytes.
    pub length: u64,
    /// The fingerprint at the follower's offset as it is now; `None` if it was not looked at.
    pub before: Option<Fingerprint>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Open the file at the path, and say so with [`Follower::opened`].
    Open,
    /// Read up to so many bytes at the offset, and say so with [`Follower::read`].
    Read(u64),
    /// The file was cut: what comes now is new, from its start. So many bytes had been seen and were never read.
    Rewind {
        /// Bytes seen but not read before the cut.
        lost: u64,
    },
    /// A last line without its end has waited long enough and counts as a line.
    EndLine,
    /// Another file has the path now, and the open one is read to its end: give the path to a new follower, keep this
    /// one for late writers.
    Leave,
    /// The open file has no name any more and nobody writes to it: close it.
    Close,
    /// Nothing, until something changes or [`Follower::due`] comes.
    Wait,
}

/// Follows one file.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    position: Option<Position>,
    /// The length last seen.
    length: u64,
    grown_at: Duration,
    open_line: bool,
    nameless_since: Option<Duration>,
    left: bool,
}

impl Follower {
    /// A follower that has no file open.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the follower stands, if it has a file open.
    pub const fn position(&self) -> Option<Position> {
        self.position
    }

    /// Bytes seen but not yet read.
    pub fn unread(&self) -> u64 {
        self.position.map_or(0, |position| self.length.saturating_sub(position.offset))
    }

    /// Takes note that a file was opened and is to be read from `position` on.
    pub const fn opened(&mut self, now: Duration, position: Position) {
        self.position = Some(position);
        self.length = position.offset;
        self.grown_at = now;
        self.open_line = false;
        self.nameless_since = None;
        self.left = false;
    }

    /// Takes note of what a [`Step::Read`] gave: so many bytes, the fingerprint at the new offset, and whether the last
    /// of them leaves a line open.
    pub fn read(&mut self, now: Duration, bytes: u64, fingerprint: Fingerprint, open_line: bool) {
        if let Some(position) = &mut self.position {
            position.offset = position.offset.saturating_add(bytes);
            position.fingerprint = fingerprint;
            self.length = self.length.max(position.offset);
            self.grown_at = now;
            self.open_line = open_line;
        }
    }

    /// When to look again even if nothing seems to change.
    pub fn due(&self) -> Option<Duration> {
        self.position?;
        let line = self.open_line.then(|| self.grown_at.saturating_add(PARTIAL_LINE_WAIT));
        let close = self.nameless_since.map(|since| since.max(self.grown_at).saturating_add(LINGER));
        line.into_iter().chain(close).min()
    }

    /// Says what to do next, from what was seen of the open file and of the file that the path names now.
    pub fn step(&mut self, now: Duration, open: Option<Seen>, path: Option<Seen>) -> Step {
        let (Some(position), Some(open)) = (self.position, open) else {
            return if path.is_some() { Step::Open } else { Step::Wait };
        };
        if open.length < position.offset || open.before.is_some_and(|before| before != position.fingerprint) {
            let lost = self.unread();
            self.opened(now, Position::start(position.identity));
            return Step::Rewind { lost };
        }
        self.length = open.length;
        // Before anything else, so that a rotated file is read to its end.
        if open.length > position.offset {
            return Step::Read(open.length - position.offset);
        }
        if self.open_line && now >= self.grown_at.saturating_add(PARTIAL_LINE_WAIT) {
            self.open_line = false;
            return Step::EndLine;
        }
        match path {
            Some(path) if path.identity == position.identity => {
                (self.nameless_since, self.left) = (None, false);
                Step::Wait
            }
            Some(_) if !self.left => {
                self.nameless_since.get_or_insert(now);
                self.left = true;
                Step::Leave
            }
            Some(_) | None => {
                let since = *self.nameless_since.get_or_insert(now);
                if now >= since.max(self.grown_at).saturating_add(LINGER) { Step::Close } else { Step::Wait }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const A: Identity = Identity { device: 1, inode: 1, born: None };
    const B: Identity = Identity { device: 1, inode: 2, born: None };
    const MARK: Fingerprint = Fingerprint(7);

    #[expect(clippy::unnecessary_wraps, reason = "as the follower takes it")]
    fn seen(identity: Identity, length: u64) -> Option<Seen> {
        Some(Seen { identity, length, before: None })
    }

    /// A follower of `A` that has read ten bytes.
    fn follower(open_line: bool) -> Follower {
        let mut follower = Follower::new();
        follower.opened(Duration::ZERO, Position::start(A));
        follower.read(Duration::ZERO, 10, MARK, open_line);
        follower
    }

    #[track_caller]
    fn check(open: Option<Seen>, path: Option<Seen>, expected: Step) {
        assert_eq!(follower(false).step(Duration::ZERO, open, path), expected);
    }

    #[test]
    fn each_sight_has_its_step() {
        check(seen(A, 10), seen(A, 10), Step::Wait);
        check(seen(A, 15), seen(A, 15), Step::Read(5));
        check(seen(A, 15), seen(B, 3), Step::Read(5));
        check(seen(A, 15), None, Step::Read(5));
        check(seen(A, 10), seen(B, 3), Step::Leave);
        check(seen(A, 10), None, Step::Wait);
        check(seen(A, 9), seen(A, 9), Step::Rewind { lost: 0 });
        check(Some(Seen { identity: A, length: 15, before: Some(MARK) }), seen(A, 15), Step::Read(5));
        check(
            Some(Seen { identity: A, length: 15, before: Some(Fingerprint(8)) }),
            seen(A, 15),
            Step::Rewind { lost: 0 },
        );
        check(None, seen(A, 15), Step::Open);
        check(None, None, Step::Wait);
        assert_eq!(Follower::new().step(Duration::ZERO, None, seen(A, 0)), Step::Open);
    }

    #[test]
    fn bytes_seen_and_cut_before_they_were_read_are_lost() {
        let mut follower = follower(false);
        assert_eq!(follower.step(Duration::ZERO, seen(A, 100), seen(A, 100)), Step::Read(90));
        assert_eq!(follower.step(Duration::ZERO, seen(A, 4), seen(A, 4)), Step::Rewind { lost: 90 });
        assert_eq!(follower.step(Duration::ZERO, seen(A, 4), seen(A, 4)), Step::Read(4));
    }

    #[test]
    fn a_partial_line_ends_once_after_its_wait() {
        let (mut follower, early) = (follower(true), PARTIAL_LINE_WAIT.saturating_sub(Duration::from_millis(1)));
        assert_eq!(follower.due(), Some(PARTIAL_LINE_WAIT));
        assert_eq!(follower.step(early, seen(A, 10), seen(A, 10)), Step::Wait);
        assert_eq!(follower.step(PARTIAL_LINE_WAIT, seen(A, 10), seen(A, 10)), Step::EndLine);
        assert_eq!(follower.step(PARTIAL_LINE_WAIT, seen(A, 10), seen(A, 10)), Step::Wait);
        assert_eq!(follower.due(), None);
    }

    #[test]
    fn a_file_without_a_name_is_closed_when_late_writers_are_done() {
        let (mut follower, late) = (follower(false), Duration::from_secs(2));
        assert_eq!(follower.step(Duration::ZERO, seen(A, 10), seen(B, 0)), Step::Leave);
        assert_eq!(follower.step(late, seen(A, 12), seen(B, 0)), Step::Read(2));
        follower.read(late, 2, MARK, false);
        assert_eq!(follower.step(LINGER, seen(A, 12), None), Step::Wait);
        assert_eq!(follower.due(), Some(late + LINGER));
        assert_eq!(follower.step(late + LINGER, seen(A, 12), None), Step::Close);
    }

    #[test]
    fn a_position_fits_only_the_file_it_was_taken_from() {
        let position = Position { identity: A, offset: 10, fingerprint: MARK };
        let same = Seen { identity: A, length: 10, before: Some(MARK) };
        assert!(position.fits(&same));
        assert!(!position.fits(&Seen { identity: B, ..same }));
        assert!(!position.fits(&Seen { length: 9, ..same }));
        assert!(!position.fits(&Seen { before: Some(Fingerprint(8)), ..same }));
        assert!(!position.fits(&Seen { before: None, ..same }));
        let json = serde_json::to_string(&position).unwrap();
        assert_eq!(serde_json::from_str::<Position>(&json).unwrap(), position);
    }

    /// One thing that happens to the files.
    #[derive(Clone, Debug)]
    enum Act {
        /// The program writes so many bytes to the file it has open.
        Write(u8),
        /// A late writer appends to the file renamed last.
        WriteLate(u8),
        /// `app.log` is renamed away, and a new one is made.
        Rotate,
        /// Like `Rotate`, but nothing is made yet: the next `Write` does.
        Rename,
        /// The file is cut to nothing in place and filled with so many bytes.
        Truncate(u8),
        Delete,
        /// The follower looks, and reads at most so many bytes a step.
        Look(u8),
        Pass(Duration),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            6 => (1..80_u8).prop_map(Act::Write),
            1 => (1..80_u8).prop_map(Act::WriteLate),
            2 => Just(Act::Rotate),
            1 => Just(Act::Rename),
            2 => (0..120_u8).prop_map(Act::Truncate),
            1 => Just(Act::Delete),
            6 => (1..60_u8).prop_map(Act::Look),
            1 => (0..3000_u64).prop_map(|millis| Act::Pass(Duration::from_millis(millis))),
        ]
    }

    /// A file system with one path, what was written to it, and a follower with what it has read.
    #[derive(Default)]
    struct World {
        now: Duration,
        counter: u32,
        files: BTreeMap<u64, Vec<u8>>,
        path: Option<u64>,
        renamed: Option<u64>,
        /// By file: what must have been read in the end.
        expected: BTreeMap<u64, Vec<u8>>,
        read: BTreeMap<u64, Vec<u8>>,
        followers: Vec<Follower>,
        /// Positions of files that were closed.
        kept: BTreeMap<u64, Position>,
    }

    impl World {
        fn identity(inode: u64) -> Identity {
            Identity { device: 1, inode, born: None }
        }

        fn fingerprint(&self, inode: u64, offset: u64) -> Option<Fingerprint> {
            let bytes = self.files[&inode].get(..usize::try_from(offset).unwrap())?;
            let span = Fingerprint::span(offset);
            Some(Fingerprint::of(offset, &bytes[..span], &bytes[bytes.len() - span..]))
        }

        fn seen(&self, inode: u64, offset: u64) -> Seen {
            let length = self.files[&inode].len() as u64;
            Seen { identity: Self::identity(inode), length, before: self.fingerprint(inode, offset) }
        }

        fn write(&mut self, inode: u64, length: u8) {
            for _ in 0..length {
                self.counter += 1;
                // Bytes without a pattern, so that no two stretches are equal.
                let byte = (self.counter.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0];
                self.files.get_mut(&inode).unwrap().push(byte);
                self.expected.entry(inode).or_default().push(byte);
            }
        }

        fn is_followed(&self, inode: u64) -> bool {
            self.followers.iter().any(|follower| follower.position.is_some_and(|at| at.identity.inode == inode))
        }

        fn create(&mut self) -> u64 {
            let inode = self.files.len() as u64 + 1;
            self.files.insert(inode, Vec::new());
            self.path = Some(inode);
            // The directory event of a new file: it is looked at before the next thing happens to it.
            self.look(0);
            inode
        }

        /// What was not read by now is gone.
        fn forget_unread(&mut self, inode: u64) {
            self.expected.insert(inode, self.read.get(&inode).cloned().unwrap_or_default());
        }

        fn act(&mut self, act: &Act) {
            match act {
                Act::Write(length) => {
                    let inode = self.path.unwrap_or_else(|| self.create());
                    self.write(inode, *length);
                }
                Act::WriteLate(length) => {
                    if let Some(inode) = self.renamed.filter(|inode| self.is_followed(*inode)) {
                        self.write(inode, *length);
                    }
                }
                Act::Rotate => {
                    self.renamed = self.path.take().or(self.renamed);
                    self.create();
                }
                Act::Rename => self.renamed = self.path.take().or(self.renamed),
                Act::Truncate(length) => {
                    if let Some(inode) = self.path {
                        self.forget_unread(inode);
                        self.files.insert(inode, Vec::new());
                        self.write(inode, *length);
                    }
                }
                Act::Delete => self.path = None,
                Act::Look(bytes) => self.look(u64::from(*bytes)),
                Act::Pass(time) => self.now += *time,
            }
        }

        /// What the edge does, in small.
        fn look(&mut self, bytes: u64) {
            let mut at = 0;
            while at < self.followers.len() {
                let mut follower = std::mem::take(&mut self.followers[at]);
                let keep = self.turn(&mut follower, bytes);
                if keep {
                    self.followers[at] = follower;
                    at += 1;
                } else {
                    self.followers.remove(at);
                }
            }
            if let Some(inode) = self.path.filter(|inode| !self.is_followed(*inode)) {
                let mut follower = Follower::new();
                assert_eq!(follower.step(self.now, None, Some(self.seen(inode, 0))), Step::Open);
                let kept = self.kept.get(&inode).filter(|kept| kept.fits(&self.seen(inode, kept.offset)));
                follower.opened(self.now, kept.copied().unwrap_or(Position::start(Self::identity(inode))));
                self.followers.push(follower);
            }
        }

        fn turn(&mut self, follower: &mut Follower, bytes: u64) -> bool {
            for _ in 0..2 {
                let position = follower.position.unwrap();
                let inode = position.identity.inode;
                let path = self.path.map(|inode| self.seen(inode, 0));
                match follower.step(self.now, Some(self.seen(inode, position.offset)), path) {
                    Step::Read(available) => {
                        let end = position.offset + available.min(bytes);
                        let new = usize::try_from(position.offset).unwrap()..usize::try_from(end).unwrap();
                        let new = &self.files[&inode][new];
                        self.read.entry(inode).or_default().extend_from_slice(new);
                        let after = self.fingerprint(inode, end).unwrap();
                        follower.read(self.now, end - position.offset, after, true);
                    }
                    Step::Close => {
                        self.kept.insert(inode, position);
                        return false;
                    }
                    Step::Rewind { .. } | Step::EndLine | Step::Leave | Step::Wait => {}
                    Step::Open => panic!("a file is open"),
                }
            }
            true
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn what_is_read_equals_what_was_written_in_order_and_once(acts in prop::collection::vec(act(), 1..80)) {
            let mut world = World::default();
            world.create();
            for act in &acts {
                world.act(act);
            }
            for _ in 0..400 {
                world.now += Duration::from_millis(100);
                world.look(255);
            }
            world.expected.retain(|_, bytes| !bytes.is_empty());
            prop_assert_eq!(&world.read, &world.expected);
            prop_assert!(world.followers.len() <= 1, "all but the file at the path are closed");
        }
    }
}
