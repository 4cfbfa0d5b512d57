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

/// The same for a file that was deleted, because its space is given back then, or whose place others need.
pub const LINGER_BRIEFLY: Duration = Duration::from_millis(500);

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

/// The device of what is no file: see [`Identity::of_content`].
pub const CONTENT_DEVICE: u64 = 0;

impl Identity {
    /// Names content that stands in no file any more, or only packed, as if it were a file: on a device that no file has.
    pub const fn of_content(Fingerprint(inode): Fingerprint) -> Self {
        Self { device: CONTENT_DEVICE, inode, born: None }
    }
}

/// Content of a file before one offset, as a number: it changes when the file is cut and filled again.
///
/// It covers the first and the last [`FINGERPRINT_BYTES`] before the offset and so grows with the file: files with
/// equal heads are told apart by what stands before the offset, and a copy has the fingerprint of its original.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    hurried: bool,
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

    /// The length last seen.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Waits only briefly for late writers, once the open file has no name: it has none anywhere any more, or others need
    /// its place.
    pub const fn hurry(&mut self) {
        self.hurried = true;
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
        self.hurried = false;
    }

    /// When a file that has had no name since then is closed.
    fn close_at(&self, since: Duration) -> Duration {
        since.max(self.grown_at).saturating_add(if self.hurried { LINGER_BRIEFLY } else { LINGER })
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
        let close = self.nameless_since.map(|since| self.close_at(since));
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
                if now >= self.close_at(since) { Step::Close } else { Step::Wait }
            }
        }
    }
}

#[cfg(test)]
mod tests;
