//! The table of key SIDs: a bounded number of names, so that tokens with invented issuers can't fill the memory.
//!
//! Keys of the config always have a place. The others come and go: one that was not refused for as long as the longest
//! window gives its place to a new one, and when there is none to give, new keys are counted together.

use std::sync::Arc;

use crate::time::UnixTime;

use super::window::{KeyLabel, WINDOW_SECONDS_MAX};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) sid: Arc<str>,
    pub(super) configured: bool,
    pub(super) last: UnixTime,
}

/// The table.
#[derive(Clone, Debug)]
pub struct Keys {
    pub(super) places: Vec<Place>,
    /// Places for keys that the config does not name.
    max: usize,
}

impl Keys {
    pub(super) fn new(configured: &[String], max: usize) -> Self {
        let mut keys = Self { places: Vec::new(), max };
        keys.reload(configured, max);
        keys
    }

    pub(super) fn reload(&mut self, configured: &[String], max: usize) {
        self.max = max;
        self.places.iter_mut().for_each(|place| place.configured = configured.iter().any(|sid| **sid == *place.sid));
        for sid in configured {
            if !self.places.iter().any(|place| *place.sid == **sid) {
                self.places.push(Place { sid: sid.as_str().into(), configured: true, last: UnixTime::default() });
            }
        }
    }

    /// The place of a key that was refused now, a new one if need be.
    pub(super) fn label(&mut self, sid: Option<&str>, now: UnixTime) -> KeyLabel {
        let Some(sid) = sid else { return KeyLabel::None };
        let place = |at: usize| u16::try_from(at).map_or(KeyLabel::Other, KeyLabel::Known);
        if let Some(at) = self.places.iter().position(|place| *place.sid == *sid) {
            self.places.iter_mut().skip(at).take(1).for_each(|place| place.last = now);
            return place(at);
        }
        let new = Place { sid: sid.into(), configured: false, last: now };
        if self.places.iter().filter(|place| !place.configured).count() < self.max {
            self.places.push(new);
            return place(self.places.len() - 1);
        }
        // Two buckets of grace, because the start of a window is rounded out.
        let out_of_reach = |old: &Place| !old.configured && now.seconds_since(old.last) > WINDOW_SECONDS_MAX + 60;
        match self.places.iter_mut().enumerate().find(|(_, old)| out_of_reach(old)) {
            Some((at, old)) => {
                *old = new;
                place(at)
            }
            None => KeyLabel::Other,
        }
    }

    /// The key SID at a place.
    pub fn sid(&self, at: u16) -> Option<&str> {
        self.places.get(usize::from(at)).map(|place| &*place.sid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_795_488_000);

    #[test]
    fn keys_beyond_the_limit_are_counted_together_and_configured_ones_are_not() {
        let mut keys = Keys::new(&["SKconfigured".to_owned()], 2);
        assert_eq!(keys.label(Some("SK1"), NOW), KeyLabel::Known(1));
        assert_eq!(keys.label(Some("SK2"), NOW), KeyLabel::Known(2));
        assert_eq!(keys.label(Some("SK3"), NOW), KeyLabel::Other);
        assert_eq!(keys.label(Some("SK1"), NOW), KeyLabel::Known(1));
        assert_eq!(keys.label(Some("SKconfigured"), NOW), KeyLabel::Known(0));
        assert_eq!(keys.label(None, NOW), KeyLabel::None);
    }

    #[test]
    fn a_key_that_is_out_of_every_window_gives_its_place_to_a_new_one() {
        let mut keys = Keys::new(&["SKconfigured".to_owned()], 1);
        keys.label(Some("SK1"), NOW);
        let day = NOW.plus_millis(86_400_000);
        assert_eq!(keys.label(Some("SK2"), day), KeyLabel::Other);
        assert_eq!(keys.label(Some("SK2"), day.plus_millis(61_000)), KeyLabel::Known(1));
        assert_eq!((keys.sid(0), keys.sid(1)), (Some("SKconfigured"), Some("SK2")));
    }

    #[test]
    fn a_reload_keeps_the_places_that_windows_refer_to() {
        let mut keys = Keys::new(&["SKa".to_owned(), "SKb".to_owned()], 1);
        keys.reload(&["SKb".to_owned(), "SKc".to_owned()], 1);
        assert_eq!((keys.sid(0), keys.sid(1), keys.sid(2)), (Some("SKa"), Some("SKb"), Some("SKc")));
    }
}
