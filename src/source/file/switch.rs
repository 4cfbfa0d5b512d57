//! Other sources while running: what changes for each file that is followed.

use super::rotate::source_of;
use super::tail::{SlotId, Source, Tailer};

impl Tailer {
    /// Follows other sources from now on. A file that stays with its source goes on as it was; one that another source
    /// names now ends its stream and begins a new one where it was; one that no source names is finished.
    pub(super) fn replace_sources(&mut self, mut sources: Vec<Source>) {
        for source in &mut sources {
            if let Some(before) = self.sources.iter_mut().find(|before| before.name == source.name) {
                (source.caught_up, source.up) = (before.caught_up, before.up);
                // What a wider pattern finds now was there at a start, too; only a known pattern finds what is new.
                source.fresh = !before.patterns.is_same(&source.patterns);
            }
        }
        let places: Vec<Option<usize>> = self
            .sources
            .iter()
            .map(|old| sources.iter().position(|new| new.name == old.name && new.timezone == old.timezone))
            .collect();
        let place = |old: usize| places.get(old).copied().flatten();
        let gone = self.slots.iter().filter(|(_, slot)| {
            let label = &slot.label;
            let now = if label.names.is_empty() {
                // Renamed already: it ends with its source.
                place(label.source)
            } else {
                label.names.iter().find_map(|name| source_of(&sources, name))
            };
            now.is_none() || now != place(label.source)
        });
        let gone: Vec<SlotId> = gone.map(|(id, _)| *id).collect();
        for id in gone {
            if let Some(slot) = self.slots.remove(&id) {
                self.close(id, &slot);
            }
        }
        let old = std::mem::replace(&mut self.sources, sources);
        for slot in self.slots.values_mut() {
            if let Some(new) = place(slot.label.source) {
                slot.label.source = new;
            }
        }
        for (at, old) in old.iter().enumerate() {
            if let Some(source) = place(at).and_then(|at| self.sources.get_mut(at)) {
                source.backlog = old.backlog;
            }
        }
        self.rotations.renumber(&place);
        self.progressed = true;
        self.scan();
    }
}
