//! The text around a candidate: what speaks for its being Twilio's code.

use std::cell::{Cell, OnceCell};

use super::sdk::{self, Told};
use super::{Detector, TOKEN_REJECTED, number};
use crate::code;

/// How far from a number another vendor's name counts, in bytes.
const VENDOR_DISTANCE: usize = 64;

/// What is asked about the text around a candidate, answered once.
pub(super) struct Context<'a> {
    text: &'a [u8],
    detector: &'a Detector,
    told: OnceCell<Told>,
    is_sdk_or_twilio: Cell<Option<bool>>,
    near_twilio: Option<bool>,
    /// Whether the text holds the own messages of these codes.
    messages: Vec<(u32, bool)>,
    has_alert: Option<bool>,
}

impl<'a> Context<'a> {
    pub(super) const fn new(text: &'a [u8], detector: &'a Detector) -> Self {
        Self {
            text,
            detector,
            told: OnceCell::new(),
            is_sdk_or_twilio: Cell::new(None),
            near_twilio: None,
            messages: Vec::new(),
            has_alert: None,
        }
    }

    pub(super) fn accepts(&mut self, number: u32, start: usize, end: usize) -> bool {
        if !number::stands_alone(self.text, start, end) {
            return false;
        }
        let code = code::find(number);
        if number::is_code_value(self.text, start, end, || self.is_sdk_or_twilio())
            // What an SDK printed is near Twilio whoever else is named.
            && ((number == TOKEN_REJECTED && (self.told().is_of_sdk() || !self.is_near_other_vendor(start)))
                || self.is_near_twilio()
                || self.has_message(number))
        {
            return true;
        }
        code.is_some_and(|code| number::beside_message(self.text, start, end, code))
            || (code.is_some()
                && number::is_column(self.text, start, end)
                && (self.has_message(number) || self.has_alert()))
    }

    /// The text holds the code's own message. It is searched once, however often the code stands there.
    fn has_message(&mut self, number: u32) -> bool {
        if let Some((_, has)) = self.messages.iter().find(|(known, _)| *known == number) {
            return *has;
        }
        let has = code::find(number).is_some_and(|code| code.has_message_in(self.text));
        self.messages.push((number, has));
        has
    }

    fn has_alert(&mut self) -> bool {
        *self.has_alert.get_or_insert_with(|| number::has_alert(self.text))
    }

    /// What the words of SDKs in the text tell.
    pub(super) fn told(&self) -> &Told {
        self.told.get_or_init(|| sdk::told(self.text))
    }

    fn is_near_other_vendor(&self, at: usize) -> bool {
        let around = self.text.get(at.saturating_sub(VENDOR_DISTANCE)..).unwrap_or_default();
        let around = around.get(..2 * VENDOR_DISTANCE).unwrap_or(around);
        self.detector.vendors.any(around)
    }

    pub(super) fn is_sdk_or_twilio(&self) -> bool {
        let look = || self.told().is_of_sdk() || self.detector.holds_twilio_word(self.text);
        let is = self.is_sdk_or_twilio.get().unwrap_or_else(look);
        self.is_sdk_or_twilio.set(Some(is));
        is
    }

    fn is_near_twilio(&mut self) -> bool {
        if let Some(known) = self.near_twilio {
            return known;
        }
        let near = self.is_sdk_or_twilio() || holds_sid(self.text) || memchr::memmem::find(self.text, b"eyJ").is_some();
        self.near_twilio = Some(near);
        near
    }
}

/// A SID of one of the resources that a token or its refusal names.
fn holds_sid(text: &[u8]) -> bool {
    const PREFIXES: [&[u8; 2]; 14] =
        [b"AC", b"SK", b"IS", b"AP", b"NO", b"CR", b"RM", b"WS", b"WK", b"RL", b"MG", b"CH", b"TM", b"RQ"];
    text.windows(34).any(|window| {
        window.split_first_chunk::<2>().is_some_and(|(prefix, id)| {
            prefix[0].is_ascii_uppercase() && PREFIXES.contains(&prefix) && id.iter().all(u8::is_ascii_hexdigit)
        })
    })
}
