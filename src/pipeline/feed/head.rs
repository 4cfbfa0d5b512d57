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

    /// Nothing here speaks against one rejection.
    pub(super) fn fits(&self, sighting: &Self) -> bool {
        self.shape != sighting.shape && may_share_writer(self.format, sighting.format)
    }
}

/// Heads looked at in one go.
const STEP: usize = 8;

/// The heads of the open rejections, in their order.
#[derive(Debug, Default)]
pub(super) struct Heads {
    heads: VecDeque<Head>,
    /// Their ties once more, close together: for each sighting hundreds are passed, and nearly none may tie.
    ties: VecDeque<Ties>,
}

impl Heads {
    pub(super) fn push(&mut self, head: Head) {
        self.ties.push_back(head.ties);
        self.heads.push_back(head);
    }

    pub(super) fn pop_first(&mut self) {
        self.ties.pop_front();
        self.heads.pop_front();
    }

    pub(super) fn set(&mut self, at: usize, head: Head) {
        if let (Some(ties), Some(slot)) = (self.ties.get_mut(at), self.heads.get_mut(at)) {
            (*ties, *slot) = (head.ties, head);
        }
    }

    pub(super) fn clear(&mut self) {
        self.ties.clear();
        self.heads.clear();
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Head> {
        self.heads.iter()
    }

    /// The heads, whose ties can't be changed.
    pub(super) fn wants_token_mut(&mut self) -> impl Iterator<Item = (u64, &mut bool)> {
        self.heads.iter_mut().map(|head| (head.line, &mut head.wants_token))
    }

    /// Visits the places of those that may be of one rejection with a sighting, the latest first.
    pub(super) fn visit_like(&self, sighting: &Head, mut visit: impl FnMut(usize)) {
        let (older, newer) = self.ties.as_slices();
        for (before, ties) in [(older.len(), newer), (0, older)] {
            let (steps, rest) = ties.as_chunks::<STEP>();
            let mut visit_one = |at: usize, ties: Ties| {
                if ties.may_tie(sighting.ties) && self.heads.get(at).is_some_and(|head| head.fits(sighting)) {
                    visit(at);
                }
            };
            for (at, ties) in rest.iter().enumerate().rev() {
                visit_one(before + steps.len() * STEP + at, *ties);
            }
            for (step, ties) in steps.iter().enumerate().rev() {
                if Ties::any_may_tie(ties, sighting.ties) {
                    for (at, ties) in ties.iter().enumerate().rev() {
                        visit_one(before + step * STEP + at, *ties);
                    }
                }
            }
        }
    }
}

impl FromIterator<Head> for Heads {
    fn from_iter<I: IntoIterator<Item = Head>>(heads: I) -> Self {
        let heads: VecDeque<Head> = heads.into_iter().collect();
        Self { ties: heads.iter().map(|head| head.ties).collect(), heads }
    }
}
