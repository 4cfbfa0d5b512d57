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
    check(Some(Seen { identity: A, length: 15, before: Some(Fingerprint(8)) }), seen(A, 15), Step::Rewind { lost: 0 });
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

/// Bytes that are written and read as one: of less than that, those written after a cut may be those from before it, which
/// nobody can tell from more that was added.
const UNIT: u64 = 4;

/// One thing that happens to the files.
#[derive(Clone, Debug)]
enum Act {
    /// The program writes so many units of [`UNIT`] bytes to the file it has open.
    Write(u8),
    /// A late writer appends to the file renamed last.
    WriteLate(u8),
    /// `app.log` is renamed away, and a new one is made.
    Rotate,
    /// Like `Rotate`, but nothing is made yet: the next `Write` does.
    Rename,
    /// The file is cut to nothing in place and filled with so many units.
    Truncate(u8),
    Delete,
    /// The follower looks, and reads at most so many units a step.
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
            let unit = self.counter.wrapping_mul(2_654_435_761).to_be_bytes();
            self.files.get_mut(&inode).unwrap().extend(unit);
            self.expected.entry(inode).or_default().extend(unit);
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
            Act::Look(units) => self.look(UNIT * u64::from(*units)),
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
            world.look(UNIT * 255);
        }
        world.expected.retain(|_, bytes| !bytes.is_empty());
        prop_assert_eq!(&world.read, &world.expected);
        prop_assert!(world.followers.len() <= 1, "all but the file at the path are closed");
    }
}
