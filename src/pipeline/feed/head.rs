//! What most often tells at once that a sighting is of another rejection, and which of many rejections are left then.
//!
//! In a flood thousands of rejections are open at once, and each sighting could be of any of them. The few that share a
//! mark with it are found by the mark, not by looking at each.

use std::collections::VecDeque;

use crate::envelope::{Format, Id};
use crate::pair::may_share_writer;
use crate::pair::rejection::{Rejection, Sighting};
use crate::pair::ties::Ties;

/// What two sightings of one rejection have in common, and what they have not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    format: Format,
    shape: u64,
    ties: Ties,
    /// The event of Twilio's that it reports; 0 if it names none.
    event: u64,
    /// It is of a trace that began on an earlier line.
    is_in_trace: bool,
    /// The line of the first sighting.
    pub line: u64,
    /// Its token may still come; said once too often rather than never.
    pub wants_token: bool,
}

impl Head {
    pub(super) fn of_sighting(sighting: &Sighting) -> Self {
        Self {
            format: sighting.format,
            // Of calls that failed with a refusal, all prints of which have one shape, several may belong to it.
            shape: if sighting.refusal.is_failed_call { 0 } else { sighting.refusal.shape },
            ties: sighting.ties(),
            event: sighting.ids.digest(Id::Event).unwrap_or(0),
            is_in_trace: sighting.trace_from.is_some(),
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
            event: rejection.ids.digest(Id::Event).unwrap_or(0),
            is_in_trace: false,
            line: first.line,
            wants_token: rejection.wants_token(),
        }
    }

    /// Whatever it was written with, the sighting may report the event of a rejection, or stand in its trace.
    const fn is_beyond_formats(&self) -> bool {
        self.event != 0 || self.is_in_trace
    }

    /// They have a mark in common, and both may be of one writer.
    fn is_tied(&self, sighting: &Self) -> bool {
        self.ties.may_tie(sighting.ties)
            && (sighting.is_beyond_formats() || may_share_writer(self.format, sighting.format))
    }

    /// Nothing here speaks against one rejection.
    pub(super) fn fits(&self, sighting: &Self) -> bool {
        let is_same_event = self.event != 0 && self.event == sighting.event;
        is_same_event
            || sighting.is_in_trace
            || (self.shape != sighting.shape && may_share_writer(self.format, sighting.format))
    }
}

/// Heads that are covered by one word of marks.
const WORD: usize = 64;
/// How many formats there are.
const FORMATS: usize = Format::Collected as usize + 1;

/// Which of 64 heads have what.
#[derive(Clone, Debug)]
struct Marks {
    by_tie: [u64; Ties::MARKS],
    by_format: [u64; FORMATS],
}

impl Marks {
    const NONE: Self = Self { by_tie: [0; Ties::MARKS], by_format: [0; FORMATS] };

    /// Those that may be of one rejection with a sighting, by their ties and formats.
    fn of(&self, sighting: &Head) -> u64 {
        let tied = sighting.ties.marks().filter_map(|mark| self.by_tie.get(mark)).fold(0, |sum, heads| sum | heads);
        if sighting.format == Format::Bare || sighting.is_beyond_formats() {
            return tied;
        }
        let with = |format: Format| self.by_format.get(format as usize).copied().unwrap_or(u64::MAX);
        tied & (with(sighting.format) | with(Format::Bare))
    }
}

/// The heads of the open rejections, in their order.
#[derive(Debug, Default)]
pub(super) struct Heads {
    list: VecDeque<Head>,
    /// How many of the list want a token.
    wanting: usize,
    /// How many were taken from the front.
    gone: usize,
    /// A ring of words, each of 64 heads. Empty as long as there are so few that each can be looked at.
    marks: Vec<Marks>,
}

impl Heads {
    pub(super) fn get(&self, at: usize) -> Option<&Head> {
        self.list.get(at)
    }

    /// The line of the first.
    pub(super) fn first_line(&self) -> Option<u64> {
        self.list.front().map(|head| head.line)
    }

    /// The line of the last one that wants a token.
    pub(super) fn last_wanting(&self) -> Option<u64> {
        if self.wanting == 0 {
            return None;
        }
        self.list.iter().rfind(|head| head.wants_token).map(|head| head.line)
    }

    pub(super) fn push(&mut self, head: Head) {
        let place = self.gone + self.list.len();
        self.wanting += usize::from(head.wants_token);
        self.list.push_back(head);
        if self.list.len() <= WORD && self.marks.is_empty() {
            return;
        }
        // The first and the last word of the list must not be one word of the ring.
        if self.marks.len() < self.list.len() / WORD + 2 {
            self.marks = vec![Marks::NONE; (2 * self.marks.len()).max(4)];
            for at in 0..self.list.len() {
                self.mark(at, true);
            }
        } else {
            self.mark(place - self.gone, true);
        }
    }

    pub(super) fn pop_first(&mut self) {
        self.mark(0, false);
        if let Some(head) = self.list.pop_front() {
            self.wanting -= usize::from(head.wants_token);
            self.gone += 1;
        }
    }

    pub(super) fn replace(&mut self, at: usize, head: Head) {
        self.mark(at, false);
        if let Some(place) = self.list.get_mut(at) {
            self.wanting = self.wanting + usize::from(head.wants_token) - usize::from(place.wants_token);
            *place = head;
        }
        self.mark(at, true);
    }

    /// Says anew which of them want a token.
    pub(super) fn want(&mut self, wants: impl Fn(usize, &Head) -> bool) {
        self.wanting = 0;
        for (at, head) in self.list.iter_mut().enumerate() {
            head.wants_token = wants(at, head);
            self.wanting += usize::from(head.wants_token);
        }
    }

    /// Says that none of a line before this one wants a token any more.
    pub(super) fn end_wanting_before(&mut self, line: u64) {
        for head in self.list.iter_mut().take_while(|head| head.line < line) {
            self.wanting -= usize::from(std::mem::take(&mut head.wants_token));
        }
    }

    /// The places of those that have a mark in common with a sighting, and may be of one writer, the newest first.
    pub(super) fn tied(&self, sighting: &Head) -> impl Iterator<Item = usize> {
        let (first, sighting) = (self.gone, *sighting);
        let (mut word, mut left) = ((first + self.list.len()).div_ceil(WORD), 0_u64);
        std::iter::from_fn(move || {
            while left == 0 {
                if word <= first / WORD {
                    return None;
                }
                word -= 1;
                left = self.word(word, &sighting);
            }
            let bit = left.ilog2();
            left ^= 1 << bit;
            Some(word * WORD + bit as usize - first)
        })
    }

    /// Which of 64 heads may be of one rejection with a sighting.
    fn word(&self, word: usize, sighting: &Head) -> u64 {
        if !self.marks.is_empty() {
            return self.marks.get(word % self.marks.len()).map_or(0, |marks| marks.of(sighting));
        }
        let places = (word * WORD).max(self.gone)..((word + 1) * WORD).min(self.gone + self.list.len());
        let is_tied = |place: &usize| self.list.get(place - self.gone).is_some_and(|head| head.is_tied(sighting));
        places.filter(is_tied).fold(0, |sum, place| sum | 1 << (place % WORD))
    }

    fn mark(&mut self, at: usize, is_there: bool) {
        let Some(head) = self.list.get(at).filter(|_| !self.marks.is_empty()) else { return };
        let (place, ring) = (self.gone + at, self.marks.len());
        let Some(marks) = self.marks.get_mut(place / WORD % ring) else { return };
        let (bit, format) = (1 << (place % WORD), head.format as usize);
        let note = |heads: &mut u64| *heads = if is_there { *heads | bit } else { *heads & !bit };
        for mark in head.ties.marks() {
            marks.by_tie.get_mut(mark).into_iter().for_each(note);
        }
        marks.by_format.get_mut(format).into_iter().for_each(note);
    }
}

impl FromIterator<Head> for Heads {
    fn from_iter<I: IntoIterator<Item = Head>>(heads: I) -> Self {
        let mut all = Self::default();
        heads.into_iter().for_each(|head| all.push(head));
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::envelope::{Emitter, Ids};

    /// A head with one of a few names, or with the name of none.
    fn head(name: u8) -> Head {
        let mut ids = Ids::default();
        ids.note(Id::Request, &[b'a' + name % 9]);
        let ties =
            Ties::new(&Emitter::default(), &ids, None).of_rejection(name.is_multiple_of(7), name.is_multiple_of(5));
        Head {
            format: [Format::Bare, Format::Text, Format::Json][usize::from(name % 3)],
            shape: 0,
            ties,
            event: u64::from(name.is_multiple_of(17)),
            is_in_trace: false,
            line: u64::from(name),
            wants_token: name.is_multiple_of(3),
        }
    }

    fn sighting(name: u8) -> Head {
        let mut ids = Ids::default();
        ids.note(Id::Request, &[b'a' + name % 9]);
        let ties =
            Ties::new(&Emitter::default(), &ids, None).of_sighting(name.is_multiple_of(4), name.is_multiple_of(5));
        Head { ties: if name.is_multiple_of(11) { Ties::any() } else { ties }, ..head(name) }
    }

    proptest! {
        #[test]
        fn those_with_a_mark_in_common_are_found_however_many_came_and_went(
            steps in prop::collection::vec((0_u8..8, any::<u8>(), 0_usize..300), 1..900),
        ) {
            let (mut heads, mut list) = (Heads::default(), VecDeque::new());
            for (kind, name, at) in steps {
                match kind {
                    0 => {
                        heads.pop_first();
                        list.pop_front();
                    }
                    1 if at < list.len() => {
                        heads.replace(at, head(name));
                        list[at] = head(name);
                    }
                    2 => {
                        heads.want(|at, head| head.wants_token && at > 20);
                        list.iter_mut().take(21).for_each(|head| head.wants_token = false);
                    }
                    3 => {
                        let line = u64::from(name / 4);
                        heads.end_wanting_before(line);
                        list.iter_mut().take_while(|head| head.line < line).for_each(|head| head.wants_token = false);
                    }
                    _ => {
                        heads.push(head(name));
                        list.push_back(head(name));
                    }
                }
                let sighting = sighting(name);
                let expected = list.iter().enumerate().rev().filter(|(_, head)| head.is_tied(&sighting));
                prop_assert_eq!(heads.tied(&sighting).collect::<Vec<_>>(), expected.map(|(at, _)| at).collect::<Vec<_>>());
                let wanting = list.iter().rfind(|head| head.wants_token).map(|head| head.line);
                prop_assert_eq!((heads.last_wanting(), heads.first_line()), (wanting, list.front().map(|head| head.line)));
            }
        }
    }
}
