//! What stands under marks: bounded, and forgotten in the order in which it came.

use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::diagnosis::Fingerprint;
use crate::pipeline::checkpoint::Verified;

/// Marks, each with what stands under it.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    known: HashMap<Fingerprint, Verified>,
    /// Oldest first.
    order: VecDeque<Fingerprint>,
    /// The place of the next by age.
    numbered: u64,
}

impl Marks {
    /// What stands under a mark.
    pub(super) fn get(&self, mark: Fingerprint) -> Option<Verified> {
        self.known.get(&mark).copied()
    }

    /// Every mark with what stands under it, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Fingerprint, Fingerprint)> {
        self.order.iter().filter_map(|mark| Some((*mark, self.known.get(mark)?.contents)))
    }

    /// Notes what stands under a mark; remembers up to `max`. `changed` is told of each mark that changes or is forgotten.
    pub(super) fn note(
        &mut self,
        mark: Fingerprint,
        contents: Fingerprint,
        max: usize,
        mut changed: impl FnMut(Fingerprint),
    ) {
        if let Some(known) = self.known.get_mut(&mark) {
            if known.contents != contents {
                known.contents = contents;
                changed(mark);
            }
            return;
        }
        self.known.insert(mark, Verified { contents, number: self.numbered });
        self.numbered = self.numbered.saturating_add(1);
        self.order.push_back(mark);
        changed(mark);
        while self.order.len() > max.max(1) {
            let Some(oldest) = self.order.pop_front() else { break };
            self.known.remove(&oldest);
            changed(oldest);
        }
    }

    /// The next that is noted has this place by age.
    pub(super) const fn number_from(&mut self, number: u64) {
        self.numbered = number;
    }
}
