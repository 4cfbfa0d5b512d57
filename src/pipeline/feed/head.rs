//! What most often tells at once that a sighting is of another rejection.

use std::collections::VecDeque;

use crate::envelope::Format;
use crate::pair::may_share_writer;
use crate::pair::rejection::{Rejection, Sighting};
use crate::pair::ties::Ties;

/// What two sightings of one rejection have in common, and what they have not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    format: Format,
    shape: u64,
    ties: Ties,
    /// The line of the first sighting.
    pub line: u64,
    /// Its token may still come; said once too often rather than never.
    pub wants_token: bool,
}

impl Head {
    pub(super) fn of_sighting(sighting: &Sighting) -> Self {
        Self {
            format: sighting.format,
            shape: sighting.refusal.shape,
            ties: sighting.ties(),
            line: sighting.line,
            wants_token: false,
        }
    }

    pub(super) fn of(rejection: &Rejection) -> Self {
        let first = &rejection.first;
        Self {
            format: first.format,
            shape: first.refusal.shape,
            ties: rejection.ties(),
            line: first.line,
            wants_token: rejection.wants_token(),
        }
    }

    const fn mark(&self) -> Mark {
        Mark { ties: self.ties, shape: self.shape }
    }

    /// Nothing here speaks against one rejection.
    pub(super) fn fits(&self, sighting: &Self) -> bool {
        self.shape != sighting.shape && may_share_writer(self.format, sighting.format)
    }
}

/// Of a head, what most often tells that a sighting is of another rejection.
#[derive(Clone, Copy, Debug)]
struct Mark {
    ties: Ties,
    shape: u64,
}

impl Mark {
    const fn is_like(&self, sighting: Self) -> bool {
        self.ties.may_tie(sighting.ties) && self.shape != sighting.shape
    }
}

/// Heads looked at in one go.
const STEP: usize = 8;

/// The heads of the open rejections, in their order.
#[derive(Debug, Default)]
pub(super) struct Heads {
    heads: VecDeque<Head>,
    /// What tells most of them from a sighting, close together: for each sighting hundreds are passed.
    marks: VecDeque<Mark>,
}

impl Heads {
    pub(super) fn push(&mut self, head: Head) {
        self.marks.push_back(head.mark());
        self.heads.push_back(head);
    }

    pub(super) fn pop_first(&mut self) {
        self.marks.pop_front();
        self.heads.pop_front();
    }

    pub(super) fn set(&mut self, at: usize, head: Head) {
        if let (Some(mark), Some(slot)) = (self.marks.get_mut(at), self.heads.get_mut(at)) {
            (*mark, *slot) = (head.mark(), head);
        }
    }

    pub(super) fn clear(&mut self) {
        self.marks.clear();
        self.heads.clear();
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Head> + ExactSizeIterator {
        self.heads.iter()
    }

    /// The heads, whose ties can't be changed.
    pub(super) fn wants_token_mut(&mut self) -> impl Iterator<Item = (u64, &mut bool)> {
        self.heads.iter_mut().map(|head| (head.line, &mut head.wants_token))
    }

    /// Visits the places of those that may be of one rejection with a sighting, the latest first.
    pub(super) fn visit_like(&self, sighting: &Head, mut visit: impl FnMut(usize)) {
        let (older, newer) = self.marks.as_slices();
        let wanted = sighting.mark();
        let mut visit_one = |at: usize, mark: &Mark| {
            if mark.is_like(wanted) && self.heads.get(at).is_some_and(|head| head.fits(sighting)) {
                visit(at);
            }
        };
        for (before, marks) in [(older.len(), newer), (0, older)] {
            let (steps, rest) = marks.as_chunks::<STEP>();
            for (at, mark) in rest.iter().enumerate().rev() {
                visit_one(before + steps.len() * STEP + at, mark);
            }
            for (step, marks) in steps.iter().enumerate().rev() {
                // Without a branch for each: what comes next can't be guessed.
                if marks.iter().fold(false, |any, mark| any | mark.is_like(wanted)) {
                    for (at, mark) in marks.iter().enumerate().rev() {
                        visit_one(before + step * STEP + at, mark);
                    }
                }
            }
        }
    }
}

impl FromIterator<Head> for Heads {
    fn from_iter<I: IntoIterator<Item = Head>>(heads: I) -> Self {
        let heads: VecDeque<Head> = heads.into_iter().collect();
        Self { marks: heads.iter().map(Head::mark).collect(), heads }
    }
}
