//! What a rotation may have taken away before it was read: found by renames, by age, and by content.
//!
//! * A file that was renamed before it was ever opened is found where the system says that it went.
//! * Files that came and went between two looks lie beside the file, with names that a rotation gives, and were born
//!   after the one that was read and before the one that is there now.
//! * Bytes that a cut took away stand in the copy that was made before it: a file beside it with the same content up to
//!   the offset.
//!
//! A copy is not read a second time: as long as a file is the beginning of the file that its name is made of, it waits.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::archive;
use super::disk;
use super::follow::{FINGERPRINT_BYTES, Identity, Position, Seen};
use super::kin;
use super::known::Extent;
use super::tail::{Body, Label, SlotId, Source, Tailer};
use super::turn::moved_to;
use crate::pipeline::StreamId;
use crate::source::{Health, Mark, Opened};

/// Names and copies that are remembered at a time.
const REMEMBERED_MAX: usize = 4096;

/// How long a file is looked at without a pause after a copy of it began to grow: its cut may come at any moment, and
/// what is written between the end of the copy and the cut stands nowhere else.
const COPYING: Duration = Duration::from_millis(30);

/// What is remembered of rotations.
#[derive(Default)]
pub(super) struct Rotations {
    /// Where files of a source were renamed to, outside its patterns.
    lineage: BTreeMap<PathBuf, usize>,
    /// Files that are copies as far as can be seen; they are not read.
    held: BTreeMap<PathBuf, Held>,
    /// A file of which a copy is being made, and until when it is looked at without a pause.
    copying: Option<(SlotId, Duration)>,
    /// Copies that came while nothing was read of their originals, so that no content proves them.
    unproven: Vec<PathBuf>,
}

struct Held {
    /// Up to where it is the same as its original.
    position: Position,
    original: Identity,
}

/// A file that may be what a rotation left behind.
struct Candidate {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    seen: Seen,
}

impl Rotations {
    fn keep_unproven(&mut self, path: &Path) {
        if self.unproven.len() < REMEMBERED_MAX {
            self.unproven.push(path.to_owned());
        }
    }

    /// Whether a file at this path waits because it seems to be a copy.
    pub(super) fn is_held(&self, path: &Path) -> bool {
        self.held.contains_key(path)
    }

    /// The file to look at without a pause.
    pub(super) fn copying(&mut self, now: Duration) -> Option<SlotId> {
        self.copying = self.copying.filter(|(_, until)| now < *until);
        self.copying.map(|(id, _)| id)
    }

    /// Takes over other sources, given where each of the old ones is in the new list.
    pub(super) fn renumber(&mut self, place: &dyn Fn(usize) -> Option<usize>) {
        self.lineage.retain(|_, source| place(*source).map(|new| *source = new).is_some());
    }
}

/// The first source to which a path belongs.
pub(super) fn source_of(sources: &[Source], path: &Path) -> Option<usize> {
    sources.iter().position(|source| source.patterns.matches(path))
}

impl Tailer {
    /// Follows a file that was renamed to where no pattern finds it, unless it is followed already.
    pub(super) fn moved(&mut self, from: &Path, to: &Path) {
        let from = self.spelled(from);
        let lineage = &mut self.rotations.lineage;
        let source = from.iter().find_map(|from| lineage.remove(from));
        let source = source.or_else(|| from.iter().find_map(|from| source_of(&self.sources, from)));
        let (Some(source), Some(to)) = (source, self.spelled(to).into_iter().next()) else { return };
        if source_of(&self.sources, &to).is_some() {
            // Its own notification leads there.
            return;
        }
        self.open_left(source, &to, &to);
        // It may be renamed again before its turn comes.
        if self.rotations.lineage.len() >= REMEMBERED_MAX {
            self.rotations.lineage.pop_first();
        }
        self.rotations.lineage.insert(to, source);
    }

    /// The paths by which the config may name a path that the system reported; at least that path.
    pub(super) fn spelled(&self, real: &Path) -> Vec<PathBuf> {
        let mut paths = self.folders.spellings(real);
        if !paths.iter().any(|path| path == real) {
            paths.push(real.to_owned());
        }
        paths
    }

    /// Opens what a rotation left behind at a path outside the patterns, to read it to its end.
    /// `base` is the name of which its own was made.
    fn open_left(&mut self, source: usize, path: &Path, base: &Path) {
        let Some(candidate) = candidate(path) else { return };
        if archive::is_archive(path) || self.by_identity.contains_key(&candidate.seen.identity) {
            return;
        }
        let Candidate { file, metadata, seen, .. } = candidate;
        let known = self.positions.of(seen.identity, &file, seen.length).ok().flatten();
        if known.is_some_and(|known| known.done && known.position.offset == seen.length) {
            self.sink.found(seen.identity);
            return;
        }
        if known.is_none() {
            self.finish_since(source, path, base, seen.identity);
        }
        let position = known.map_or(Position::start(seen.identity), |known| known.position);
        let Opened { id: stream, offset } = self.open_stream(source, path, &metadata, Mark::plain(position), false);
        let position = moved_to(&file, position, offset);
        self.follow_left(source, path, file, position, stream);
    }

    fn follow_left(&mut self, source: usize, path: &Path, file: File, position: Position, stream: StreamId) {
        let live = self.live(file, position, stream);
        let id = self.enter(source, position.identity, None, Body::Live(live));
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.label.left_at = Some(path.to_owned());
        }
        self.queue_first(id);
    }

    /// Follows what came and went at a path between the file that was read and the one that is there now. `alias` is
    /// where the path led before, if it is a link.
    ///
    /// Before the file that is there now is opened: once a commit knows that one, a start looks for nothing before it.
    pub(super) fn consider_after(&mut self, source: usize, left: &Path, alias: Option<&Path>, old: Identity) {
        let there = std::fs::metadata(left).ok().map(|metadata| disk::seen(&metadata).identity);
        if let Some(there) = there {
            self.open_between(source, left, alias, old, there);
        }
        self.consider(source, left);
        // What is at the path may have been another one again.
        if let Some(now) = self.followed_at(left).filter(|now| *now != old && Some(*now) != there) {
            self.open_between(source, left, alias, old, now);
        }
    }

    pub(super) fn followed_at(&self, path: &Path) -> Option<Identity> {
        self.by_path.get(path).and_then(|id| self.slots.get(id)).map(|slot| slot.label.identity)
    }

    fn open_between(&mut self, source: usize, left: &Path, alias: Option<&Path>, old: Identity, now: Identity) {
        let (Some(from), Some(to)) = (old.born, now.born) else { return };
        let mut between: Vec<(i64, PathBuf)> = Vec::new();
        for path in [Some(left), alias].into_iter().flatten().flat_map(kin::relatives) {
            let Some(Candidate { file, seen, .. }) = candidate(&path) else { continue };
            let Some(born) = seen.identity.born.filter(|born| *born >= from) else { continue };
            if seen.identity == now || source_of(&self.sources, &path).is_some() {
                // What a pattern finds has its own way here.
                continue;
            }
            // Born later than the file that is there: a copy of that one, made before a cut or not.
            let of_now = born > to && (!kin::is_numbered(&path) || is_beginning_at(&file, seen.length, left));
            let long = seen.length >= FINGERPRINT_BYTES as u64;
            if of_now || long && self.is_beginning_of(&file, seen.length, old) {
                continue;
            }
            between.push((born, path));
        }
        between.sort_unstable();
        between.dedup();
        for (_, path) in between {
            self.open_left(source, &path, left);
        }
    }

    /// Follows what was rotated while nobody looked: beside the file at a path lie the file that was known and what came
    /// after it. Before that one is opened, for the same reason.
    /// Gives the file that is there.
    pub(super) fn open_since(&mut self, source: usize, path: &Path) -> Option<Identity> {
        let there = std::fs::metadata(path).ok().filter(Metadata::is_file);
        let now = there.map(|metadata| disk::seen(&metadata).identity)?;
        if self.positions.is_empty() {
            return Some(now);
        }
        let alias = path.canonicalize().ok().filter(|real| real != path);
        let kin = [Some(path), alias.as_deref()].into_iter().flatten().flat_map(kin::relatives);
        let known = kin.filter_map(|path| Some((disk::seen(&std::fs::metadata(&path).ok()?).identity, path)));
        let known: Vec<_> = known.filter(|(identity, _)| self.positions.knows(identity)).collect();
        for (_, place) in &known {
            if source_of(&self.sources, place).is_none() {
                self.open_left(source, place, path);
            }
        }
        let last = known.iter().map(|(identity, _)| *identity).max_by_key(|identity| identity.born);
        // If it was deleted, all that was born after every known file came while nobody looked.
        let last = last
            .or_else(|| self.positions.iter().map(|mark| mark.position.identity).max_by_key(|identity| identity.born));
        if let Some(last) = last.filter(|_| !self.positions.knows(&now)) {
            self.open_between(source, path, alias.as_deref(), last, now);
        }
        Some(now)
    }

    /// Whether the file at a path was read before, up to wherever.
    pub(super) fn is_known(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|metadata| self.positions.knows(&disk::seen(&metadata).identity))
    }

    /// Whether a file is the beginning of another one that is open.
    fn is_beginning_of(&self, file: &File, length: u64, of: Identity) -> bool {
        let slot = self.by_identity.get(&of).and_then(|id| self.slots.get(id));
        let Some(Body::Live(live)) = slot.map(|slot| &slot.body) else { return false };
        live.file().is_some_and(|original| is_beginning(file, length, original))
    }

    /// Whether a file that was just found seems to be a copy of the one that its name is made of: then it is not read,
    /// as long as it goes on to be one.
    pub(super) fn holds(&mut self, path: &Path, file: &File, seen: &Seen) -> bool {
        let before = self.rotations.held.remove(path).filter(|held| held.position.identity == seen.identity);
        let original = kin::bases(path).into_iter().find_map(|base| self.original_at(&base, seen));
        let held = original.and_then(|(id, identity)| {
            let fingerprint = disk::fingerprint_at(file, seen.length).ok()??;
            let still = path_is(&kin::bases(path), identity);
            let same = still && (seen.length == 0 || self.is_beginning_of(file, seen.length, identity))
                || self.holds_what_was_cut(file, identity);
            let position = Position { identity: seen.identity, offset: seen.length, fingerprint };
            same.then_some((id, Held { position, original: identity }))
        });
        let Some((id, held)) = held else {
            // Its original went away: what was the same then was read there.
            let gone = before.filter(|before| original.is_none_or(|(_, now)| now != before.original));
            if let Some((held, source)) =
                gone.filter(|held| held.position.offset > 0).zip(source_of(&self.sources, path))
            {
                self.read_elsewhere(source, path, Mark::plain(held.position));
            }
            return false;
        };
        if before.is_none_or(|before| before.position.offset != held.position.offset) {
            self.expect_cut(id);
        }
        if self.slots.get(&id).map(|slot| slot.offset()) == Some(0) {
            self.rotations.keep_unproven(path);
        }
        if self.rotations.held.len() >= REMEMBERED_MAX {
            self.rotations.held.pop_first();
        }
        self.rotations.held.insert(path.to_owned(), held);
        true
    }

    /// Whether a file holds what was read of another one and stands there no more.
    fn holds_what_was_cut(&self, file: &File, of: Identity) -> bool {
        let slot = self.by_identity.get(&of).and_then(|id| self.slots.get(id));
        let Some(Body::Live(live)) = slot.map(|slot| &slot.body) else { return false };
        let read = live.position().filter(|read| read.offset > 0);
        read.is_some_and(|read| holds(file, &read) && live.file().is_some_and(|original| !holds(original, &read)))
    }

    /// The file followed at `base`, if one that is seen now may be a copy of it: born later.
    fn original_at(&self, base: &Path, copy: &Seen) -> Option<(SlotId, Identity)> {
        let id = *self.by_path.get(base)?;
        let identity = self.slots.get(&id)?.label.identity;
        let later = identity.born.zip(copy.identity.born).is_some_and(|(original, copy)| original <= copy);
        (copy.identity != identity && later).then_some((id, identity))
    }

    /// Looks at the original of a copy that is being made, outside the patterns.
    pub(super) fn notice_copy(&mut self, path: &Path) {
        let Some(id) = kin::bases(path).iter().find_map(|base| self.by_path.get(base).copied()) else { return };
        let copy = std::fs::symlink_metadata(path).ok().filter(Metadata::is_file).map(|metadata| disk::seen(&metadata));
        if copy.is_some_and(|copy| self.slots.get(&id).is_some_and(|slot| slot.label.identity != copy.identity)) {
            let offset = self.slots.get(&id).map(|slot| slot.offset());
            if offset == Some(0) && kin::is_numbered(path) {
                self.rotations.keep_unproven(path);
            }
            self.expect_cut(id);
        }
    }

    /// Reads copies that came while nothing was read of their originals, if those were cut since.
    pub(super) fn open_unproven(&mut self) {
        let mut waiting = Vec::new();
        for path in std::mem::take(&mut self.rotations.unproven) {
            let base = kin::bases(&path).into_iter().find(|base| self.by_path.contains_key(base));
            let slot = base.as_ref().and_then(|base| self.by_path.get(base)).and_then(|id| self.slots.get(id));
            let (Some(base), Some(slot), Some(left)) = (base, slot, candidate(&path)) else { continue };
            let Body::Live(live) = &slot.body else { continue };
            if slot.queued {
                waiting.push(path);
                continue;
            }
            // What was read of the original by now stands in its copy, too: then that is found when it is cut.
            let proven = live.position().is_some_and(|read| read.offset > 0 && holds(&left.file, &read));
            if proven {
                continue;
            }
            if is_beginning_at(&left.file, left.seen.length, &base) {
                // Nothing was read of what it is a copy of: that may still be cut away.
                if slot.offset() == 0 {
                    waiting.push(path);
                }
                continue;
            }
            let source = slot.label.source;
            match source_of(&self.sources, &path) {
                Some(source) => self.consider(source, &path),
                None if self.positions.knows(&left.seen.identity) => {}
                None => self.open_left(source, &path, &base),
            }
        }
        self.rotations.unproven.append(&mut waiting);
    }

    fn expect_cut(&mut self, id: SlotId) {
        self.rotations.copying = Some((id, self.now().saturating_add(COPYING)));
        self.queue_first(id);
    }

    /// Goes on in the copy that was made before a cut; says whether the stream goes on there, too. `length` is how long
    /// the file was when it was seen last.
    pub(super) fn finish_in_copy(&mut self, label: &Label, read: Position, length: u64, stream: Opened) -> bool {
        self.rotations.copying = None;
        let Some(name) = label.names.first().cloned().or_else(|| label.left_at.clone()) else {
            self.lose(label.source, length.saturating_sub(read.offset));
            return false;
        };
        if read.offset > 0 {
            self.keep_content(label.source, &name, Extent::of(&read));
        }
        let left = self.later_files(label, &name);
        let copy = left.iter().rposition(|left| is_copy(left, &read, length));
        let born = copy.and_then(|at| left.get(at)).map(|copy| copy.seen.identity.born);
        let mut goes_on = false;
        self.release_held(label.identity, &read, copy.and_then(|at| left.get(at)).map(|copy| &copy.file));
        for (at, left) in left.into_iter().enumerate() {
            if Some(at) == copy {
                self.rotations.held.remove(&left.path);
                self.lose(label.source, length.saturating_sub(left.seen.length));
                let position = Position { identity: left.seen.identity, ..read };
                if left.seen.length > stream.offset {
                    let position = moved_to(&left.file, position, stream.offset);
                    self.sink.moved(stream.id, Mark::plain(position));
                    self.follow_left(label.source, &left.path, left.file, position, stream.id);
                    goes_on = true;
                } else {
                    self.read_elsewhere(label.source, &left.path, Mark::plain(position));
                }
            } else if born.is_some_and(|born| left.seen.identity.born >= born)
                && source_of(&self.sources, &left.path).is_none()
            {
                // Copied and cut again meanwhile, unless it is a copy of what is there now.
                if is_beginning_at(&left.file, left.seen.length, &name) {
                    self.rotations.keep_unproven(&left.path);
                } else {
                    self.open_left(label.source, &left.path, &name);
                }
            }
        }
        if copy.is_none() {
            self.lose(label.source, length.saturating_sub(read.offset));
        }
        goes_on
    }

    fn lose(&self, source: usize, bytes: u64) {
        if bytes > 0 {
            self.report(source, Health::Lost(bytes));
        }
    }

    /// Files beside one that was cut, unknown and born after it, in the order of birth.
    fn later_files(&self, label: &Label, name: &Path) -> Vec<Candidate> {
        let real = label.alias.as_deref().filter(|alias| *alias != name);
        let mut later: Vec<Candidate> = [Some(name), real]
            .into_iter()
            .flatten()
            .flat_map(kin::relatives)
            .filter_map(|path| candidate(&path))
            .collect();
        later.retain(|left| {
            let identity = left.seen.identity;
            is_later(identity, label.identity)
                && !archive::is_archive(&left.path)
                && !self.by_identity.contains_key(&identity)
                && !self.positions.knows(&identity)
        });
        later.sort_by_key(|left| (left.seen.identity.born, left.seen.identity));
        later.dedup_by_key(|left| left.seen.identity);
        later
    }

    /// Copies of a file that was cut: what they had in common with it was read there, unless they were made after the
    /// cut. `copy` was made just before it.
    fn release_held(&mut self, original: Identity, read: &Position, copy: Option<&File>) {
        let all = std::mem::take(&mut self.rotations.held);
        let (released, held): (BTreeMap<_, _>, _) = all.into_iter().partition(|(_, held)| held.original == original);
        self.rotations.held = held;
        for (path, held) in released.into_iter().filter(|(_, held)| held.position.offset > 0) {
            let before = match (copy, disk::open(&path)) {
                (Some(copy), Ok(file)) => is_beginning(&file, held.position.offset, copy),
                (Some(_), Err(_)) | (None, _) => held.position.offset <= read.offset,
            };
            if !before {
                self.rotations.keep_unproven(&path);
            } else if let Some(source) = source_of(&self.sources, &path) {
                self.read_elsewhere(source, &path, Mark::plain(held.position));
            }
        }
    }

    /// A file that was cut while nobody looked: goes on in its copy.
    pub(super) fn finish_since(&mut self, source: usize, path: &Path, base: &Path, identity: Identity) {
        let Some(read) = self.positions.get(&identity) else { return };
        let label = Label {
            names: vec![base.to_owned()],
            alias: path.canonicalize().ok(),
            ..Label::new(source, identity, None)
        };
        if read.offset == 0 {
            // Nothing that was read proves a copy; but all that was ever in it came after the position was kept.
            for left in self.later_files(&label, base).into_iter().filter(|left| kin::is_numbered(&left.path)) {
                if !is_beginning_at(&left.file, left.seen.length, path)
                    && source_of(&self.sources, &left.path).is_none()
                {
                    self.open_left(source, &left.path, base);
                }
            }
            return;
        }
        let Ok(metadata) = std::fs::metadata(path) else { return };
        let stream = self.open_stream(source, path, &metadata, Mark::plain(read), false);
        if !self.finish_in_copy(&label, read, read.offset, stream) {
            self.sink.finish(stream.id);
        }
    }
}

/// Whether a file is still at one of these paths.
fn path_is(paths: &[PathBuf], identity: Identity) -> bool {
    paths.iter().any(|path| std::fs::metadata(path).is_ok_and(|now| disk::seen(&now).identity == identity))
}

fn candidate(path: &Path) -> Option<Candidate> {
    // A link leads to a file that has its own name.
    let is_file = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
    let file = is_file.then(|| disk::open(path).ok()).flatten()?;
    let metadata = file.metadata().ok()?;
    let seen = disk::seen(&metadata);
    Some(Candidate { path: path.to_owned(), file, metadata, seen })
}

/// Whether a file holds what another one held up to where that was read. Where nothing was read, its length must do.
fn is_copy(left: &Candidate, read: &Position, length: u64) -> bool {
    if read.offset == 0 {
        return length > 0 && left.seen.length >= length;
    }
    holds(&left.file, read)
}

/// Whether a file holds, up to an offset, what was read up to there.
fn holds(file: &File, read: &Position) -> bool {
    disk::fingerprint_at(file, read.offset).is_ok_and(|found| found == Some(read.fingerprint))
}

/// Whether a file is the beginning of the one at a path.
fn is_beginning_at(file: &File, length: u64, path: &Path) -> bool {
    disk::open(path).is_ok_and(|of| is_beginning(file, length, &of))
}

/// Whether a file was born after another one, or in the same tick of the clock; true if the file system keeps no such times.
fn is_later(identity: Identity, than: Identity) -> bool {
    identity.born.zip(than.born).is_none_or(|(born, than)| born >= than)
}

fn is_beginning(file: &File, length: u64, of: &File) -> bool {
    let own = disk::fingerprint_at(file, length).ok().flatten();
    own.is_some() && own == disk::fingerprint_at(of, length).ok().flatten()
}
