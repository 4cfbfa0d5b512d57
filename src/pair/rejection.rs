//! One refused connection, and the evidence that a further sighting belongs to it.
//!
//! An SDK prints one refusal up to four times within some 50 ms, and the application prints it again. Two sightings are
//! merged if they differ in shape, contradict each other in nothing, and share one of: an id or the token; the print
//! sequence of an SDK; a writer, within a moment. Without evidence, two sightings are two rejections.

use std::sync::Arc;

use super::ties::Ties;
use super::{Channel, may_share_writer};
use crate::cause::Cause;
use crate::detect::{Print, Refusal, Transport};
use crate::diagnosis::{Fingerprint, Found};
use crate::envelope::{Emitter, Format, Id, Ids, Likeness};
use crate::product::Product;
use crate::time::{Moment, UnixTime};
use crate::token::{self, Buffer, Sent};

/// Prints of one emitter within this time can be one event, in milliseconds.
const MOMENT_MILLIS: u64 = 250;
/// An SDK's print sequence is over after this time, in milliseconds.
const SEQUENCE_MILLIS: u64 = 500;
/// Lines without a name of their writer must be this close to an SDK's print, in milliseconds.
const BARE_MILLIS: u64 = 50;
/// An SDK's print sequence, stack traces included, is over after so many lines.
const SEQUENCE_LINES: u64 = 120;
/// The same where both prints carry times: at the level *trace* the stack traces of two clients fill hundreds of lines
/// within a few milliseconds.
const TIMED_LINES: u64 = 1200;
/// So many of the latest rejections of a stream stay open up to [`TIMED_LINES`].
const LATEST_MAX: usize = 8;

/// One line, or one multi-line object, that reports a refusal.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// What it says.
    pub refusal: Refusal,
    /// Its line; of a multi-line object, the first.
    pub line: u64,
    /// The last line of that object.
    pub last_line: u64,
    /// Byte offset of its first line in its stream.
    pub offset: u64,
    /// The time of the line, or the last one seen before.
    pub time: Option<Moment>,
    /// Kind of writer.
    pub format: Format,
    /// Who wrote it.
    pub emitter: Emitter,
    /// What it is about.
    pub ids: Ids,
    /// A token on the line itself.
    pub sent: Option<Arc<Sent>>,
    /// An SDK's channel, for prints of an SDK.
    pub channel: Option<Channel>,
    /// The region of an endpoint in the text.
    pub region: Option<String>,
    /// The first line of the trace that it is part of.
    pub trace_from: Option<u64>,
}

/// A rejection that further sightings may still belong to.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// Names it.
    pub id: Fingerprint,
    /// The first sighting.
    pub first: Sighting,
    /// Codes of all sightings.
    pub codes: Vec<u32>,
    /// The cause that a message names.
    pub text: Option<Cause>,
    /// The product, as far as known.
    pub product: Option<Product>,
    /// The connection, as far as known.
    transport: Option<Transport>,
    /// The product that is probable, if none is known.
    pub probable_product: Option<Product>,
    /// Ids of all sightings.
    pub ids: Ids,
    /// The first sighting that names its writer names that of all.
    writer: Emitter,
    /// Shapes of all sightings but the first.
    further_shapes: Vec<u64>,
    /// The latest place in the print sequence of an SDK.
    print: Option<Print>,
    /// What the SDK printed of it.
    by_sdk: BySdk,
    /// First line of the last sighting.
    last_line: u64,
    /// Last line of the last sighting.
    last_end: u64,
    /// Time of the last sighting.
    last_time: Option<Moment>,
    /// How often it was printed.
    pub sightings: u32,
    /// Its token.
    pub token: Option<(Arc<Sent>, Found)>,
    /// Another token near by with the signature of its own: one of the two was changed.
    pub twin: Option<Arc<Sent>>,
    /// Line of the own message that it was matched with, if that is a guess.
    pub guessed_own: Option<u64>,
    /// Another connection's message may be its own as well: the next refusal tells.
    pub is_tangled: bool,
    /// Whether its token may stand on a line after it.
    pub lines_after: LinesAfter,
    /// When it was read.
    pub arrived: UnixTime,
    /// How far its diagnosis is.
    pub progress: Progress,
}

/// What an SDK printed of a refusal.
#[derive(Clone, Copy, Debug)]
struct BySdk {
    /// The server's answer.
    answer: bool,
    /// Anything with its logger.
    log: bool,
}

impl BySdk {
    fn of(refusal: &Refusal) -> Self {
        Self { answer: refusal.print == Some(Print::Answer), log: refusal.is_of_logger }
    }
}

/// Whether the token of a rejection may stand on a line after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinesAfter {
    /// Not all that are near enough have been searched.
    MayHoldToken,
    /// All that are near enough have been searched.
    Searched,
}

/// How far the diagnosis of a rejection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It waits to be diagnosed.
    Waiting,
    /// It was diagnosed before all that may tell of it could have come.
    Early,
    /// It was diagnosed, and what comes now is no part of it any more.
    Settled,
}

/// How strong the evidence is that two sightings are of one rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// One more call that waited for the connection has failed.
    Again,
    /// The same writer, or the same stream beside an SDK's print.
    Writer,
    /// The print sequence of an SDK.
    Sequence,
    /// The same request, connection or token.
    Id,
}

impl Sighting {
    /// What could tie it to a rejection.
    pub fn ties(&self) -> Ties {
        if self.trace_from.is_some() {
            return Ties::any();
        }
        let ties = Ties::new(&self.emitter, &self.ids, self.sent.as_deref());
        ties.of_sighting(self.refusal.print.is_some(), self.emitter.is_unknown())
    }
}

impl Rejection {
    /// What could tie a further sighting to it.
    pub fn ties(&self) -> Ties {
        let token = self.token.as_ref().map(|(sent, _)| sent.as_ref());
        let ties = Ties::new(&self.writer, &self.ids, token);
        ties.of_rejection(self.print.is_some(), self.first.emitter.is_unknown())
    }

    /// Its token may still come.
    pub const fn wants_token(&self) -> bool {
        self.token.is_none()
            && matches!(self.lines_after, LinesAfter::MayHoldToken)
            && !matches!(self.progress, Progress::Settled)
    }

    /// Bytes of the tokens that it holds.
    pub fn token_bytes(&self) -> usize {
        let of_line = self.first.sent.as_ref();
        let own = self.token.as_ref().map(|(sent, _)| sent);
        let own = own.filter(|own| of_line.is_none_or(|of_line| !Arc::ptr_eq(own, of_line)));
        of_line.into_iter().chain(own).chain(&self.twin).map(|sent| sent.raw.len()).sum()
    }

    /// Lets go of its tokens, of which nothing more can be told once it has been diagnosed: that a further print has the
    /// same is no longer known.
    pub fn forget_tokens(&mut self) {
        (self.first.sent, self.token, self.twin) = (None, None, None);
        self.progress = Progress::Settled;
    }

    /// It has been diagnosed.
    pub const fn is_settled(&self) -> bool {
        !self.is_waiting()
    }

    /// It waits to be diagnosed.
    pub const fn is_waiting(&self) -> bool {
        matches!(self.progress, Progress::Waiting)
    }

    /// An SDK printed it, and may print it again: what an application caught is the last that comes of it.
    pub const fn is_of_sdk(&self) -> bool {
        match self.print {
            Some(Print::Caught) => false,
            Some(Print::Reply | Print::Answer | Print::Event | Print::Error) => true,
            None => self.first.channel.is_some(),
        }
    }

    /// A rejection with its first sighting.
    pub fn new(id: Fingerprint, mut first: Sighting, arrived: UnixTime) -> Self {
        Self {
            id,
            codes: std::mem::take(&mut first.refusal.codes),
            text: first.refusal.text,
            product: first.refusal.product,
            transport: first.refusal.transport,
            probable_product: first.refusal.probable_product,
            ids: first.ids,
            writer: first.emitter,
            further_shapes: Vec::new(),
            print: first.refusal.print,
            by_sdk: BySdk::of(&first.refusal),
            last_line: first.line,
            last_end: first.last_line,
            last_time: first.time,
            sightings: 1,
            token: None,
            twin: None,
            guessed_own: None,
            is_tangled: false,
            lines_after: LinesAfter::MayHoldToken,
            arrived,
            progress: Progress::Waiting,
            first,
        }
    }

    /// What speaks for a sighting being of this rejection; `None` if nothing does or something speaks against it.
    pub fn evidence(&self, sighting: &Sighting, window_seconds: u32) -> Option<Evidence> {
        if sighting.trace_from.is_some_and(|from| (from..sighting.line).contains(&self.last_line)) {
            return Some(Evidence::Id);
        }
        // whoever prints it, and however often
        if self.ids.same_event(&sighting.ids) {
            return Some(Evidence::Id);
        }
        if self.contradicts(sighting) {
            return None;
        }
        let gap = self.gap(sighting);
        let lines = sighting.line.saturating_sub(self.last_line);
        let lines_max = if gap.is_some() { TIMED_LINES } else { SEQUENCE_LINES };
        let within = |millis: u64| gap.is_none_or(|gap| gap <= millis) && lines <= lines_max;
        if self.has_shape(sighting.refusal.shape) {
            return (self.is_failed_again(sighting) && within(SEQUENCE_MILLIS)).then_some(Evidence::Again);
        }
        if within(u64::from(window_seconds) * 1000) && self.shares_id(sighting) {
            return Some(Evidence::Id);
        }
        if self.has_answer_of_another(sighting) {
            return None;
        }
        let in_sequence = match (self.print, sighting.refusal.print) {
            (Some(last), Some(next)) => next >= last,
            _ => false,
        };
        if in_sequence && within(SEQUENCE_MILLIS) {
            return Some(Evidence::Sequence);
        }
        let likeness = self.writer.likeness(&sighting.emitter);
        if likeness == Likeness::Same && gap.is_some() && within(MOMENT_MILLIS) {
            return Some(Evidence::Writer);
        }
        let unnamed = self.first.emitter.is_unknown() && sighting.emitter.is_unknown();
        let beside_sdk = self.print.is_some() || sighting.refusal.print.is_some();
        let is_handled = || gap.is_none() && self.is_handed_on(sighting);
        let is_near = gap.is_some() && within(BARE_MILLIS);
        (unnamed && beside_sdk && (is_near || is_handled())).then_some(Evidence::Writer)
    }

    fn has_shape(&self, shape: u64) -> bool {
        self.first.refusal.shape == shape || self.further_shapes.contains(&shape)
    }

    /// What a handler prints to which the SDK gives the error of an event: on the very next line, since it is called at
    /// once, and with the same codes.
    fn is_handed_on(&self, sighting: &Sighting) -> bool {
        self.print == Some(Print::Event)
            && sighting.refusal.print.is_none()
            && sighting.line == self.last_end + 1
            && !self.codes.is_empty()
            && self.codes == sighting.refusal.codes
    }

    /// The application prints one more of the calls that fail with the refusal that the SDK's logger has printed. Where
    /// the logger is silent, each print may be of another connection.
    const fn is_failed_again(&self, sighting: &Sighting) -> bool {
        self.by_sdk.log && sighting.refusal.is_failed_call && !sighting.refusal.is_of_logger
    }

    /// A second answer is another connection's, and so is a reply to a message of its own that comes after an answer.
    fn has_answer_of_another(&self, sighting: &Sighting) -> bool {
        let is_answered = self.by_sdk.answer || self.print.is_some_and(|print| print > Print::Answer);
        match sighting.refusal.print {
            Some(Print::Answer) => self.by_sdk.answer,
            Some(Print::Reply) => is_answered && sighting.ids.digest(Id::Message).is_some(),
            Some(Print::Event | Print::Error | Print::Caught) | None => false,
        }
    }

    /// Milliseconds since the last sighting at least, if both times tell.
    fn gap(&self, sighting: &Sighting) -> Option<u64> {
        self.last_time?.apart(sighting.time?)
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
        let other_transport = match (self.transport, sighting.refusal.transport) {
            (Some(mine), Some(theirs)) => mine != theirs,
            _ => false,
        };
        other_product
            || other_transport
            || other_token
            || !may_share_writer(self.first.format, sighting.format)
            || self.writer.likeness(&sighting.emitter) == Likeness::Different
            || self.ids.likeness(&sighting.ids) == Likeness::Different
    }

    fn shares_id(&self, sighting: &Sighting) -> bool {
        // a token after the refusal may be known by now or not: that depends on how the bytes were cut
        let came_before = |found: &Found| match found {
            Found::After(_) => false,
            Found::SameRequest(lines) => *lines >= 0,
            Found::OwnMessage(_) | Found::SameLine | Found::Before(_) | Found::Given => true,
        };
        let same_token = match (&self.token, &sighting.sent) {
            (Some((mine, found)), Some(theirs)) => {
                came_before(found) && mine.raw == theirs.raw && is_one_of_its_kind(mine)
            }
            _ => false,
        };
        same_token || self.ids.likeness(&sighting.ids) == Likeness::Same
    }

    /// Takes a further sighting in; says whether it tells more than was known.
    pub fn merge(&mut self, sighting: &Sighting) -> bool {
        let known_before = (self.codes.len(), self.text, self.product, self.token.is_some());
        self.sightings = self.sightings.saturating_add(1);
        if !self.has_shape(sighting.refusal.shape) {
            self.further_shapes.push(sighting.refusal.shape);
        }
        self.add_codes(&sighting.refusal.codes);
        self.text = self.text.or(sighting.refusal.text);
        self.product = match (self.product, sighting.refusal.product) {
            (None | Some(Product::Unknown), Some(product)) => Some(product),
            (known, _) => known,
        };
        self.transport = self.transport.or(sighting.refusal.transport);
        self.probable_product = self.probable_product.or(sighting.refusal.probable_product);
        self.ids.merge(&sighting.ids);
        if self.writer.is_unknown() {
            self.writer = sighting.emitter;
        }
        self.print = self.print.max(sighting.refusal.print);
        let by_sdk = BySdk::of(&sighting.refusal);
        self.by_sdk.answer |= by_sdk.answer;
        self.by_sdk.log |= by_sdk.log;
        (self.last_line, self.last_end) = (sighting.line, sighting.last_line);
        if sighting.time.is_some() {
            self.last_time = sighting.time;
        }
        let known =
            self.token.as_ref().is_some_and(|(_, found)| matches!(found, Found::OwnMessage(_) | Found::SameLine));
        // What only hides a token tells less than any that was found.
        if let Some(sent) = &sighting.sent
            && !known
            && (self.token.is_none() || !token::is_veil(&sent.raw))
        {
            self.token = Some((Arc::clone(sent), Found::SameLine));
        }
        (self.codes.len(), self.text, self.product, self.token.is_some()) != known_before
    }

    /// Takes in codes of a part of a sighting that was read later.
    pub fn add_codes(&mut self, codes: &[u32]) {
        for code in codes {
            if !self.codes.contains(code) {
                self.codes.push(*code);
            }
        }
    }

    /// No further sighting or token can belong to it, `later` rejections having begun since.
    pub fn is_over(&self, line: u64, window_lines: u32, later: usize) -> bool {
        let reach = u64::from(window_lines).max(SEQUENCE_LINES);
        let reach = if later < LATEST_MAX { reach.max(TIMED_LINES) } else { reach };
        line.saturating_sub(self.last_line) > reach
    }
}

/// No other client has the same: there is a payload that nobody wrote over. Many send `undefined`, log `[REDACTED]`,
/// share a header, or have all but the header masked.
fn is_one_of_its_kind(sent: &Sent) -> bool {
    memchr::memchr_iter(b'.', &sent.raw).nth(1).is_some()
        && (!token::has_mask(&sent.raw) || token::read(sent, &mut Buffer::default()).jwt.is_some())
}
