//! The tokens in a stretch of a stream: each byte is searched at most once, and only where a rejection is near.

mod own;
mod products;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use memchr::memchr_iter;

use super::KEPT_BYTES_MAX;
use super::ids::note_ids;
use super::names;
use super::wrapped::{self, Rest};
use crate::diagnosis::Found;
use crate::envelope::{self, Id};
use crate::pair::clues::Clues;
use crate::pair::rejection::Rejection;
use crate::pair::sent::Place;
use crate::pair::{self, Candidate, Channel, Wanted, sent};
use crate::pipeline::Settings;
use crate::pipeline::blocks::{self, Line, Others};
use crate::pipeline::split::{self, End};
use crate::stamp::Completion;
use crate::token::{self, Sent};
use crate::words::Words;

use own::take_own;
pub(super) use own::{OWN_LINES, TANGLE_MILLIS};
use products::Products;

/// Candidates, and lines with endpoints, remembered of one stream.
const CANDIDATES_MAX: usize = 1000;

/// What is where a search ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The end of a window, which may be within a block.
    Window,
    /// The beginning of a block.
    Block,
    /// The end of the stream, or what has been waited for does not come.
    Last,
}

/// The tokens near the rejections of a stream.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    pub(super) candidates: Vec<Candidate>,
    /// Bytes of their tokens.
    candidate_bytes: usize,
    /// Position up to which lines have been searched, and the number of the line there.
    indexed: usize,
    indexed_line: u64,
    /// The number of the line from which on none up to there was left out.
    indexed_from: u64,
    /// Where the first line is in whose reach the last refusal was, and its number.
    edge: Option<(usize, u64)>,
    /// First and last lines of sightings: a token there belongs to its own refusal.
    owned: VecDeque<(u64, u64)>,
    /// Positions of the last two sightings, for which all is known.
    owned_bytes: [Range<usize>; 2],
    /// Lines with endpoints, and their regions.
    pub(super) endpoints: VecDeque<(u64, &'static str)>,
    /// Lines that name the product of a connection.
    products: Products,
    /// The region of the endpoint nearest before the last rejection that had one within its window.
    region: Option<&'static str>,
    /// Numbers of the first lines of split ones that were considered.
    mended: VecDeque<u64>,
}

impl Tokens {
    /// Notes that lines are a sighting.
    pub(super) fn own(&mut self, first: u64, last: u64) {
        self.owned.push_back((first, last));
        if self.owned.len() > CANDIDATES_MAX {
            self.owned.pop_front();
        }
    }

    /// Notes where the lines of the last sighting are.
    pub(super) fn own_bytes(&mut self, bytes: Range<usize>) {
        self.owned_bytes.rotate_left(1);
        self.owned_bytes[1] = bytes;
    }

    /// The region of the endpoint nearest before the last rejection that had one within its window.
    pub(super) const fn region(&self) -> Option<&'static str> {
        self.region
    }

    /// The number of the first line that has not been searched.
    pub(super) const fn searched_line(&self) -> u64 {
        self.indexed_line
    }

    /// Takes over what is known of the endpoint.
    pub(super) const fn set_region(&mut self, region: Option<&'static str>) {
        self.region = region;
    }

    /// The bytes were forgotten; what was found in them stays.
    pub(super) fn forget_bytes(&mut self) {
        self.indexed = 0;
        self.edge = None;
        self.owned_bytes = Default::default();
    }

    /// The tokens that were found are forgotten, too.
    pub(super) fn forget(&mut self) {
        self.forget_bytes();
        (self.candidates, self.candidate_bytes) = (Vec::new(), 0);
    }

    /// Bytes of the tokens.
    pub(super) const fn kept(&self) -> usize {
        self.candidate_bytes
    }

    /// Keeps only those of the candidates that are not too old, nor too many, nor too long.
    fn bound(&mut self, oldest: u64) {
        let is_bounded = self.candidates.len() <= CANDIDATES_MAX && self.candidate_bytes <= KEPT_BYTES_MAX;
        if is_bounded && self.candidates.first().is_none_or(|first| first.line >= oldest) {
            return;
        }
        self.candidates.retain(|candidate| candidate.line >= oldest);
        let mut bytes = 0;
        let newest = self.candidates.iter().rev().take(CANDIDATES_MAX).take_while(|candidate| {
            bytes += candidate.sent.raw.len();
            bytes <= KEPT_BYTES_MAX
        });
        let overflow = self.candidates.len() - newest.count();
        self.candidates.drain(..overflow);
        self.candidate_bytes = self.candidates.iter().map(|candidate| candidate.sent.raw.len()).sum();
    }

    /// The first bytes were dropped; a line of the given number is the first now.
    pub(super) fn shift(&mut self, dropped: usize, first_line: u64) {
        self.indexed = self.indexed.saturating_sub(dropped);
        self.edge = self.edge.and_then(|(at, number)| Some((at.checked_sub(dropped)?, number)));
        for bytes in &mut self.owned_bytes {
            let start = bytes.start.checked_sub(dropped);
            *bytes = start.map_or(0..0, |start| start..bytes.end - dropped);
        }
        while self.owned.front().is_some_and(|(_, last)| *last < first_line) {
            self.owned.pop_front();
        }
    }

    /// Searches the lines up to a position, where a line of the given number starts, as far back as the window reaches.
    /// A split line is left for later while its end may still come.
    pub(super) fn index(
        &mut self,
        bytes: &[u8],
        (upto, upto_line): (usize, u64),
        reach: Reach,
        completion: &Completion,
        settings: &Settings,
    ) {
        let window = settings.window_lines as usize;
        let is_near = self.indexed > 0 && upto_line.saturating_sub(self.indexed_line) <= window as u64;
        let from = if is_near {
            self.indexed
        } else {
            let head = bytes.get(..upto).unwrap_or_default();
            blocks::last_lines(head, window).unwrap_or(0).max(self.indexed)
        };
        if from >= upto {
            return;
        }
        if self.indexed == 0 || from > self.indexed {
            self.indexed_from = upto_line.saturating_sub(window as u64);
        }
        self.search(bytes, from, (upto, upto_line), reach, completion, settings);
        let oldest = upto_line.saturating_sub(2 * window.max(OWN_LINES) as u64);
        self.bound(oldest);
        while self.endpoints.front().is_some_and(|(line, _)| *line < oldest) {
            self.endpoints.pop_front();
        }
        self.products.forget_before(oldest);
    }

    /// Searches on from where the search ended, up to the end of a line of the given number, if that is before `upto`;
    /// says whether it has got there. Their first line is that of number `base_line`.
    pub(super) fn index_on(
        &mut self,
        (bytes, upto, upto_line): (&[u8], usize, u64),
        base_line: u64,
        last_line: u64,
        completion: &Completion,
        settings: &Settings,
    ) -> bool {
        // Most often not as many lines have come, and are not counted.
        if upto_line <= last_line {
            return false;
        }
        let (from, number) = if self.indexed > 0 { (self.indexed, self.indexed_line) } else { (0, base_line) };
        if self.indexed == 0 {
            self.indexed_from = base_line;
        }
        let Some(lines) = last_line.checked_sub(number) else { return true };
        let rest = bytes.get(from..upto).unwrap_or_default();
        let end = usize::try_from(lines).ok().and_then(|lines| blocks::behind_lines(rest, lines));
        let Some(end) = end else { return false };
        self.search(bytes, from, (from + end, last_line + 1), Reach::Window, completion, settings);
        self.bound(0);
        // Not if the last of these lines is the first piece of a split one.
        self.indexed_line > last_line
    }

    /// Searches from the beginning of a line up to that of another, whose number is beside it. Where nothing is found, no
    /// line is counted.
    fn search(
        &mut self,
        bytes: &[u8],
        from: usize,
        (upto, upto_line): (usize, u64),
        reach: Reach,
        completion: &Completion,
        settings: &Settings,
    ) {
        let count = |from: usize, to: usize| memchr_iter(b'\n', bytes.get(from..to).unwrap_or_default()).count() as u64;
        // Where each line is a sighting there is nothing to search for.
        let (mut last, mut at) =
            (None, self.owned_bytes.iter().fold(from, |at, own| if own.start == at { at.max(own.end) } else { at }));
        while let Some(hit) = next_hit(bytes.get(..upto).unwrap_or_default(), at) {
            let line = Line::around(bytes, hit, upto);
            let number = match last {
                None => upto_line.saturating_sub(count(line.start, upto)),
                Some((start, number)) => number + count(start, line.start),
            };
            last = Some((line.start, number));
            at = line.end;
            if !self.consider((bytes, upto), line, number, reach, completion, settings) {
                (self.indexed, self.indexed_line) = (line.start, number);
                return;
            }
        }
        self.indexed = upto;
        self.indexed_line = upto_line;
    }

    /// Notes the token of a line, if it has one; false if it is to be looked at when the pieces of a split line that are
    /// missing have come.
    fn consider(
        &mut self,
        (all, upto): (&[u8], usize),
        line: Line,
        number: u64,
        reach: Reach,
        completion: &Completion,
        settings: &Settings,
    ) -> bool {
        let bytes = all.get(..upto).unwrap_or_default();
        if self.owned.iter().rev().any(|(first, last)| (*first..=*last).contains(&number)) {
            return true;
        }
        let record = match split::joined(bytes, line, bytes.len(), settings.line_bytes_max) {
            Some(joined) if joined.end == End::Open && reach != Reach::Last => return false,
            Some(joined) => {
                let first = number.saturating_sub(joined.before.last().copied().unwrap_or(0));
                if self.mended.contains(&first) {
                    return true;
                }
                if joined.end != End::Open {
                    self.mended.push_back(first);
                    let excess = self.mended.len().saturating_sub(split::LINES_MAX);
                    self.mended.drain(..excess);
                }
                blocks::mended(&joined)
            }
            None => envelope::read(line.text(bytes, settings.line_bytes_max)),
        };
        if let Some(region) = names::region(&record.text) {
            self.endpoints.push_back((number, region));
            let excess = self.endpoints.len().saturating_sub(CANDIDATES_MAX);
            self.endpoints.drain(..excess);
        }
        let (own, is_announced) = sent::channel(&record.text).unzip();
        let of_message = own.and_then(|channel| names::product_of_message(&record.text, channel));
        self.products.note(number, record.emitter, &record.text, own.map(|channel| (channel, of_message)));
        let limited = blocks::is_limited(line, &record, settings.line_bytes_max);
        let Some(mut sent) = sent::find(&record.text, place(own), limited) else { return true };
        if own.is_none() && sent::is_of_registration(&record.text) {
            return true;
        }
        match wrapped::rest(&sent, &record.text, all, line, settings.line_bytes_max) {
            Rest::Open if reach != Reach::Last => return false,
            Rest::Open | Rest::Nothing => {}
            Rest::Pieces(whole, lines) => {
                sent = whole;
                self.own(number, number + lines);
            }
        }
        let mut ids = record.ids;
        note_ids(&record.text, &mut ids);
        // a part of an object: what the whole says of itself holds for the token
        let mut block = blocks::head(bytes, line, reach != Reach::Window, settings.line_bytes_max);
        if block.is_open() {
            return false;
        }
        if block.is_continuation {
            let mut body = block.body(bytes, bytes.len(), Others::End, settings.line_bytes_max);
            if !body.is_complete && reach == Reach::Window {
                return false;
            }
            if own.is_none() && sent::is_of_registration(&body.text) {
                return true;
            }
            block.take_in(&mut body);
            ids.merge(&block.record.ids);
        }
        // What a logger puts before a message of two lines stands before the first of them.
        let begun =
            own.and_then(|_| block.head.before(bytes)).map(|before| before.text(bytes, settings.line_bytes_max));
        let begun = begun.filter(|before| sent::begins_message(before)).map(envelope::read);
        let head = begun.as_ref().unwrap_or(&block.record);
        // Some loggers write the time on a line of its own, before.
        let time = head.time(completion).or_else(|| {
            let before = block.head.before(bytes)?;
            envelope::read(before.text(bytes, settings.line_bytes_max)).time(completion)
        });
        self.candidate_bytes += sent.raw.len();
        self.candidates.push(Candidate {
            line: number,
            time,
            format: head.format,
            emitter: head.emitter,
            ids,
            clues: Clues::of([block.head, line].map(|line| line.text(bytes, settings.line_bytes_max))),
            is_foreign: own.is_none() && token::is_foreign(&sent.raw),
            sent: Arc::new(sent),
            own,
            is_announced: is_announced == Some(true),
            product: of_message,
            claimed: false,
        });
        true
    }

    /// Finds the token of a new rejection on its line, which is the one given, and before it.
    pub(super) fn choose(
        &mut self,
        rejection: &mut Rejection,
        (bytes, head): (&[u8], Line),
        completion: &Completion,
        settings: &Settings,
    ) {
        // Only what stands before a rejection, and near to it: how far the lines behind others were searched depends on
        // how they came.
        let (line, window) = (rejection.first.line, u64::from(settings.window_lines));
        let is_near = |at: u64| at < line && line - at <= window;
        if let Some((_, region)) = self.endpoints.iter().rev().find(|(at, _)| is_near(*at)) {
            self.region = Some(region);
        }
        if rejection.first.region.is_none() && rejection.first.channel.is_some() {
            rejection.first.region = self.region.map(str::to_owned);
        }
        let mut wanted = wanted(rejection, settings);
        let is_same = |tokens: &Self, at: usize, wanted: &Wanted<'_>| {
            let likeness = tokens.candidates.get(at).map(|candidate| wanted.ids.likeness(&candidate.ids));
            likeness == Some(envelope::Likeness::Same)
        };
        let mut own = pair::own_message(&self.candidates, &wanted);
        let is_guess = own.is_none_or(|at| wanted.ids.digest(Id::Message).is_some() && !is_same(self, at, &wanted));
        if is_guess && wanted.channel.is_some() {
            wanted.own_from = self.search_own(bytes, (head.start, line), completion, settings);
            own = pair::own_message(&self.candidates, &wanted);
        }
        let by_id = own.is_some_and(|at| is_same(self, at, &wanted));
        let on_line = rejection.first.sent.clone();
        // Behind what hides the token, it may be seen on another line of the request.
        let is_hidden = on_line.as_ref().is_some_and(|sent| token::is_veil(&sent.raw));
        let before = if own.is_none() && (on_line.is_none() || is_hidden) {
            pair::before(&self.candidates, &wanted, || Clues::of([head.text(bytes, settings.line_bytes_max)]))
                .filter(|(_, found)| !is_hidden || matches!(found, Found::SameRequest(_)))
        } else {
            None
        };
        rejection.is_tangled = !by_id && pair::free_messages(&self.candidates, &wanted, TANGLE_MILLIS) > 1;
        if let Some(candidate) = own.and_then(|at| self.candidates.get_mut(at)) {
            candidate.claimed = true;
            rejection.guessed_own = (!by_id).then_some(candidate.line);
            take_own(rejection, candidate);
        } else if let Some((at, found)) = before
            && let Some(candidate) = self.candidates.get(at)
        {
            rejection.token = Some((Arc::clone(&candidate.sent), found));
            rejection.product = rejection.product.or(candidate.product);
        } else if let Some(sent) = on_line {
            rejection.token = Some((sent, Found::SameLine));
        }
        if rejection.product.is_none() && rejection.first.channel == Some(Channel::Twilsock) {
            let in_use = self.products.of(&rejection.first.emitter, is_near);
            rejection.probable_product = rejection.probable_product.or(in_use);
        }
        let of_token = |(sent, _): &(Arc<Sent>, Found)| pair::twin(&self.candidates, line, settings.window_lines, sent);
        rejection.twin = rejection.token.as_ref().and_then(of_token);
    }

    /// The number of the last line with a candidate, 0 without one.
    pub(super) fn last_line(&self) -> u64 {
        self.candidates.last().map_or(0, |candidate| candidate.line)
    }

    /// Finds the token of a rejection on the lines after it.
    pub(super) fn choose_after(&self, rejection: &mut Rejection, settings: &Settings) {
        let wanted = wanted(rejection, settings);
        let later = self.candidates.partition_point(|candidate| candidate.line <= wanted.line);
        let found =
            self.candidates.iter().skip(later).find_map(|candidate| {
                pair::after(candidate, &wanted).map(|found| (Arc::clone(&candidate.sent), found))
            });
        if found.is_some() {
            rejection.token = found;
        }
    }
}

fn wanted<'a>(rejection: &'a Rejection, settings: &Settings) -> Wanted<'a> {
    Wanted {
        line: rejection.first.line,
        time: rejection.first.time,
        format: rejection.first.format,
        emitter: &rejection.first.emitter,
        ids: &rejection.ids,
        channel: rejection.first.channel,
        window_seconds: settings.window_seconds,
        window_lines: settings.window_lines,
        own_from: rejection.first.line.saturating_sub(u64::from(settings.window_lines)),
    }
}

const fn place(own: Option<Channel>) -> Place {
    if own.is_some() { Place::Message } else { Place::Beside }
}

/// The next place that may hold a token, an endpoint or the name of a product.
fn next_hit(bytes: &[u8], mut from: usize) -> Option<usize> {
    const KEYS: [&[u8]; 3] = [b"oken", b"jwt", b"JWT"];
    static NEEDLES: LazyLock<Words> =
        LazyLock::new(|| Words::new([b"eyJ".as_slice(), b"tsock."].into_iter().chain(products::KEYS).chain(KEYS)));
    loop {
        let (at, end, needle) = NEEDLES.next(bytes, from)?;
        // Between a key and its value stands something, however the line is unwrapped.
        let after = bytes.get(end..).unwrap_or_default();
        let is_within_word = || after.first().is_some_and(u8::is_ascii_alphanumeric) && !after.starts_with(b"eyJ");
        if needle < 2 + products::KEYS.len() || !is_within_word() {
            return Some(at);
        }
        from = end;
    }
}

/// Some of the lines in a range holds a token.
pub(super) fn is_any(bytes: &[u8], range: Range<usize>, line_bytes_max: usize) -> bool {
    let mut from = range.start;
    while let Some(hit) = next_hit(bytes.get(..range.end).unwrap_or_default(), from) {
        let line = Line::around(bytes, hit, range.end);
        let text = blocks::read(bytes, line, line_bytes_max).text;
        if sent::find(&text, place(sent::channel(&text).unzip().0), false).is_some() {
            return true;
        }
        from = line.end;
    }
    false
}
