//! One refused connection, and the evidence that a further sighting belongs to it.
//!
//! An SDK prints one refusal up to four times within some 50 ms, and the application prints it again. Two sightings are
//! merged if they differ in shape, contradict each other in nothing, and share one of: an id or the token; the print
//! sequence of an SDK; a writer, within a moment. Without evidence, two sightings are two rejections.

use super::{Channel, may_share_writer};
use crate::cause::Cause;
use crate::detect::{Print, Refusal};
use crate::diagnosis::Found;
use crate::envelope::{Emitter, Format, Ids, Likeness};
use crate::product::Product;
use crate::time::UnixTime;
use crate::token::Sent;

/// Prints of one emitter within this time can be one event, in milliseconds.
const MOMENT_MILLIS: u64 = 250;
/// An SDK's print sequence is over after this time, in milliseconds.
const SEQUENCE_MILLIS: u64 = 500;
/// Lines without a name of their writer must be this close to an SDK's print, in milliseconds.
const BARE_MILLIS: u64 = 50;
/// An SDK's print sequence, stack traces included, is over after so many lines.
const SEQUENCE_LINES: u64 = 120;

/// One line, or one multi-line object, that reports a refusal.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// What it says.
    pub refusal: Refusal,
    /// Its line; of a multi-line object, the first.
    pub line: u64,
    /// Byte offset of that line in its stream.
    pub offset: u64,
    /// The time of the line, or the last one seen before.
    pub time: Option<UnixTime>,
    /// Kind of writer.
    pub format: Format,
    /// Who wrote it.
    pub emitter: Emitter,
    /// What it is about.
    pub ids: Ids,
    /// A token on the line itself.
    pub sent: Option<Sent>,
    /// An SDK's channel, for prints of an SDK.
    pub channel: Option<Channel>,
    /// The region of an endpoint in the text.
    pub region: Option<String>,
}

/// A rejection that further sightings may still belong to.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// Names it.
    pub id: String,
    /// The first sighting.
    pub first: Sighting,
    /// Codes of all sightings.
    pub codes: Vec<u32>,
    /// The cause that a message names.
    pub text: Option<Cause>,
    /// The product, as far as known.
    pub product: Option<Product>,
    /// Ids of all sightings.
    pub ids: Ids,
    /// Shapes of all sightings.
    shapes: Vec<u64>,
    /// The latest place in the print sequence of an SDK.
    print: Option<Print>,
    /// Line of the last sighting.
    last_line: u64,
    /// Time of the last sighting.
    last_time: Option<UnixTime>,
    /// How often it was printed.
    pub sightings: u32,
    /// Its token.
    pub token: Option<(Sent, Found)>,
    /// Line of the own message that it was matched with, if that is a guess.
    pub guessed_own: Option<u64>,
    /// When it was read.
    pub arrived: UnixTime,
    /// It has been diagnosed.
    pub settled: bool,
}

/// How strong the evidence is that two sightings are of one rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// The same writer, or the same stream beside an SDK's print.
    Writer,
    /// The print sequence of an SDK.
    Sequence,
    /// The same request, connection or token.
    Id,
}

impl Rejection {
    /// A rejection with its first sighting.
    pub fn new(id: String, first: Sighting, arrived: UnixTime) -> Self {
        Self {
            id,
            codes: first.refusal.codes.clone(),
            text: first.refusal.text,
            product: first.refusal.product,
            ids: first.ids,
            shapes: vec![first.refusal.shape],
            print: first.refusal.print,
            last_line: first.line,
            last_time: first.time,
            sightings: 1,
            token: None,
            guessed_own: None,
            arrived,
            settled: false,
            first,
        }
    }

    /// What speaks for a sighting being of this rejection; `None` if nothing does or something speaks against it.
    pub fn evidence(&self, sighting: &Sighting, window_seconds: u32) -> Option<Evidence> {
        if self.shapes.contains(&sighting.refusal.shape) || self.contradicts(sighting) {
            return None;
        }
        let gap = match (self.last_time, sighting.time) {
            (Some(last), Some(time)) => Some(time.millis_since(last).unsigned_abs()),
            _ => None,
        };
        let lines = sighting.line.saturating_sub(self.last_line);
        let within = |millis: u64| gap.is_none_or(|gap| gap <= millis) && lines <= SEQUENCE_LINES;
        if within(u64::from(window_seconds) * 1000) && self.shares_id(sighting) {
            return Some(Evidence::Id);
        }
        let in_sequence = match (self.print, sighting.refusal.print) {
            (Some(last), Some(next)) => next >= last,
            _ => false,
        };
        if in_sequence && within(SEQUENCE_MILLIS) {
            return Some(Evidence::Sequence);
        }
        let likeness = self.first.emitter.likeness(&sighting.emitter);
        if likeness == Likeness::Same && gap.is_some() && within(MOMENT_MILLIS) {
            return Some(Evidence::Writer);
        }
        let unnamed = self.first.emitter.is_unknown() && sighting.emitter.is_unknown();
        let beside_sdk = self.print.is_some() || sighting.refusal.print.is_some();
        (unnamed && beside_sdk && gap.is_some() && within(BARE_MILLIS)).then_some(Evidence::Writer)
    }

    fn contradicts(&self, sighting: &Sighting) -> bool {
        let other_product = match (self.product, sighting.refusal.product) {
            (Some(mine), Some(theirs)) => mine != theirs,
            _ => false,
        };
        let other_token = match (&self.first.sent, &sighting.sent) {
            (Some(mine), Some(theirs)) => mine.raw != theirs.raw,
            _ => false,
        };
        other_product
            || other_token
            || !may_share_writer(self.first.format, sighting.format)
            || self.first.emitter.likeness(&sighting.emitter) == Likeness::Different
            || self.ids.likeness(&sighting.ids) == Likeness::Different
    }

    fn shares_id(&self, sighting: &Sighting) -> bool {
        let same_token = match (&self.token, &sighting.sent) {
            (Some((mine, _)), Some(theirs)) => mine.raw == theirs.raw,
            _ => false,
        };
        same_token || self.ids.likeness(&sighting.ids) == Likeness::Same
    }

    /// Takes a further sighting in.
    pub fn merge(&mut self, sighting: &Sighting) {
        self.sightings = self.sightings.saturating_add(1);
        self.shapes.push(sighting.refusal.shape);
        self.add_codes(&sighting.refusal.codes);
        self.text = self.text.or(sighting.refusal.text);
        self.product = match (self.product, sighting.refusal.product) {
            (None | Some(Product::Unknown), Some(product)) => Some(product),
            (known, _) => known,
        };
        self.ids.merge(&sighting.ids);
        self.print = self.print.max(sighting.refusal.print);
        self.last_line = sighting.line;
        self.last_time = sighting.time.or(self.last_time);
        let known =
            self.token.as_ref().is_some_and(|(_, found)| matches!(found, Found::OwnMessage(_) | Found::SameLine));
        if let Some(sent) = &sighting.sent
            && !known
        {
            self.token = Some((sent.clone(), Found::SameLine));
        }
    }

    /// Takes in codes of a part of a sighting that was read later.
    pub fn add_codes(&mut self, codes: &[u32]) {
        for code in codes {
            if !self.codes.contains(code) {
                self.codes.push(*code);
            }
        }
    }

    /// No further sighting or token can belong to it.
    pub fn is_over(&self, line: u64, window_lines: u32) -> bool {
        let reach = u64::from(window_lines).max(SEQUENCE_LINES);
        line.saturating_sub(self.last_line) > reach
    }
}
