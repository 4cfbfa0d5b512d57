//! An export of Twilio's Debugger as CSV or TSV: a header that names the columns, and one event in each record.
//!
//! The Console and `twilio debugger:logs:list -o tsv` write such files, and Twilio documents none of their columns: they
//! are known by aliases, in any order and however they are written (`errorCode`, `Error Code`, `error_code`). What a
//! stream is shows in its first line; a stream that does not begin with such a header is a log. Records may hold cells
//! of several lines; a header that comes once more is passed over. A record that does not fit the header is told, and
//! judged as a plain line: it counts if it names a code that counts.

use std::sync::Arc;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::array;
use super::arrival::{self, Arrival};
use super::checkpoint::Checkpoint;
use super::feed::{Encoding, Order};
use super::judge::Core;
use super::seen::{EventSid, Seen};
use super::{Event, Stream};
use crate::code;
use crate::envelope;
use crate::stamp::{self, Completion};
use crate::time::UnixTime;

/// Longest header, in bytes.
const HEADER_BYTES_MAX: usize = 2048;
/// Levels of events that are no faults.
const INFORMATION: [&str; 5] = ["notice", "info", "information", "informational", "debug"];
/// Columns that are looked at.
const COLUMNS_MAX: usize = 256;

/// What a column holds. Kept in the state by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
enum Column {
    Other,
    Sid,
    Code,
    Level,
    /// When it happened.
    Generated,
    /// When Twilio noted it, or a time that says no more.
    Created,
    Message,
    Product,
    Account,
}

impl Column {
    const ALL: [Self; 9] = [
        Self::Other,
        Self::Sid,
        Self::Code,
        Self::Level,
        Self::Generated,
        Self::Created,
        Self::Message,
        Self::Product,
        Self::Account,
    ];

    /// By the name in a header.
    fn of(name: &[u8]) -> Self {
        match folded(name).as_slice() {
            b"sid" | b"alertsid" | b"eventsid" | b"notificationsid" | b"logsid" => Self::Sid,
            b"errorcode" | b"code" | b"twilioerrorcode" | b"error" | b"alertcode" => Self::Code,
            b"loglevel" | b"level" | b"severity" => Self::Level,
            b"dategenerated" | b"generated" | b"occurred" | b"occurredat" => Self::Generated,
            b"datecreated" | b"created" | b"createdat" | b"date" | b"datetime" | b"time" | b"timestamp"
            | b"dateutc" | b"datecreatedutc" | b"timestamputc" => Self::Created,
            b"alerttext" | b"message" | b"msg" | b"errormessage" | b"description" | b"text" | b"alert" => Self::Message,
            b"accountsid" | b"account" => Self::Account,
            b"product" | b"productname" => Self::Product,
            _ => Self::Other,
        }
    }
}

/// The letters and digits of a name.
fn folded(name: &[u8]) -> Vec<u8> {
    name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect()
}

impl From<u8> for Column {
    fn from(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Other)
    }
}

impl From<Column> for u8 {
    fn from(column: Column) -> Self {
        column as Self
    }
}

/// The columns of an export, as its header names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    separator: u8,
    columns: Vec<Column>,
}

impl Columns {
    /// Reads a header; none for any other line.
    pub fn of_header(line: &[u8]) -> Option<Self> {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let separator = [b'\t', b',', b';'].into_iter().max_by_key(|by| memchr::memchr_iter(*by, line).count())?;
        let columns: Vec<Column> = line.split(|byte| *byte == separator).take(COLUMNS_MAX).map(Column::of).collect();
        let has = |column| columns.contains(&column);
        let names = |name: &[u8]| line.split(|byte| *byte == separator).any(|cell| folded(cell) == name);
        // Of the names that any log may have (time, level, code, message) alone nothing follows.
        let is_twilios = has(Column::Sid) || names(b"alerttext") || (names(b"errorcode") && names(b"loglevel"));
        let is_export = is_twilios
            && has(Column::Code)
            && (has(Column::Sid) || has(Column::Created) || has(Column::Generated))
            && (has(Column::Level) || has(Column::Message))
            && line.iter().all(|byte| is_of_header(*byte));
        is_export.then_some(Self { separator, columns })
    }

    /// Whether a record is the header once more.
    fn is_header(&self, record: &[&[u8]]) -> bool {
        self.columns.len() == record.len() && self.columns.iter().zip(record).all(|(of, cell)| Column::of(cell) == *of)
    }

    fn reader(&self) -> Reader {
        // What Twilio's command line separates by tabs it does not quote.
        let quotes = self.separator != b'\t';
        ReaderBuilder::new().delimiter(self.separator).quoting(quotes).terminator(Terminator::Any(b'\n')).build()
    }
}

/// Headers have words and separators, and no times, colons or brackets.
fn is_of_header(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" _-.,;\t\"/#()\r".contains(&byte)
}

/// A record that does not fit the header of its export. It says nothing of what the record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Name of the source.
    pub source: Arc<str>,
    /// The export.
    pub path: Option<Arc<str>>,
    /// Where the record begins.
    pub line: u64,
    /// What does not fit.
    pub fault: Fault,
}

/// What can be wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It has more cells than the header, or fewer.
    Cells {
        /// Cells of the header.
        expected: usize,
        /// Cells of the record.
        found: usize,
    },
    /// The cell of its code holds no code.
    Code,
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.as_deref().unwrap_or("an export");
        write!(f, "{path}, line {}: a record does not fit the header: expected ", self.line)?;
        match self.fault {
            Fault::Cells { expected, found } => write!(f, "{expected} cells, but found {found}")?,
            Fault::Code => f.write_str("a number as its code, but found something else")?,
        }
        f.write_str("; it was judged as a plain line")
    }
}

/// How a log is written.
pub(super) enum Log {
    /// As lines of text.
    Plain,
    /// The same in UTF-16.
    Wide(Order),
    /// As events in arrays.
    Array(array::Path),
}

/// What the beginning of a stream is.
pub(super) enum Beginning {
    /// Not known yet.
    Unknown,
    Log(Log),
    /// An export.
    Export(Columns),
}

impl Beginning {
    /// Looks at the first bytes of a stream, however they were cut.
    pub(super) fn of(bytes: &[u8], may_be_export: bool) -> Self {
        match Encoding::of(bytes) {
            Encoding::Unknown => return Self::Unknown,
            Encoding::Wide(order) => return Self::Log(Log::Wide(order)),
            Encoding::Bytes => {}
        }
        match array::Beginning::of(bytes) {
            array::Beginning::Unknown => return Self::Unknown,
            array::Beginning::Array(path) => return Self::Log(Log::Array(path)),
            array::Beginning::Other if !may_be_export => return Self::Log(Log::Plain),
            array::Beginning::Other => {}
        }
        if let Some(end) = memchr::memchr(b'\n', bytes.get(..HEADER_BYTES_MAX).unwrap_or(bytes)) {
            return bytes.get(..end).and_then(Columns::of_header).map_or(Self::Log(Log::Plain), Self::Export);
        }
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let may_be = text.first().is_none_or(|first| first.is_ascii_alphabetic() || *first == b'"')
            && (text.iter().all(|byte| is_of_header(*byte)) || b"\xef\xbb\xbf".starts_with(text));
        if may_be && bytes.len() < HEADER_BYTES_MAX { Self::Unknown } else { Self::Log(Log::Plain) }
    }
}

/// A stream that is an export, or may become one.
pub(super) struct Table {
    pub(super) stream: Stream,
    zone: TimeZone,
    /// None while it is not known what it is.
    columns: Option<Columns>,
    /// From the beginning of the record that is not complete.
    held: Zeroizing<Vec<u8>>,
    base: u64,
    line: u64,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("stream", &self.stream).field("base", &self.base).finish_non_exhaustive()
    }
}

/// What the work on records needs besides the table.
pub(super) struct Work<'a> {
    pub(super) seen: &'a mut Seen,
    pub(super) core: &'a mut Core,
    pub(super) now: UnixTime,
}

impl Table {
    /// A stream at its beginning.
    pub(super) fn new(stream: Stream) -> Self {
        let zone = stamp::zone(&stream.timezone).unwrap_or(TimeZone::UTC);
        Self { base: stream.offset, zone, columns: None, held: Zeroizing::default(), line: 1, stream }
    }

    /// An export that was read before.
    pub(super) fn resumed(stream: Stream, checkpoint: &Checkpoint, columns: Columns) -> Self {
        Self { base: checkpoint.resume, line: checkpoint.line, columns: Some(columns), ..Self::new(stream) }
    }

    /// Where to go on if this is the last that is known of it.
    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            resume: self.base,
            line: self.line,
            bytes_to: self.base,
            lines_to: self.base,
            columns: self.columns.clone(),
            ..Checkpoint::default()
        }
    }

    /// Takes the next bytes of a stream of which it is not known what it is; gives all of them back if it is a log.
    pub(super) fn decide(&mut self, chunk: &[u8]) -> Option<(Zeroizing<Vec<u8>>, Log)> {
        if self.columns.is_none() {
            self.held.extend_from_slice(chunk);
            match Beginning::of(&self.held, self.stream.path.is_some()) {
                Beginning::Unknown => {}
                Beginning::Log(log) => return Some((std::mem::take(&mut self.held), log)),
                Beginning::Export(columns) => self.columns = Some(columns),
            }
        }
        None
    }

    /// What is held of a stream of which it is not known what it is.
    pub(super) fn take_held(&mut self) -> Zeroizing<Vec<u8>> {
        std::mem::take(&mut self.held)
    }

    /// Whether it is known to be an export.
    pub(super) const fn is_export(&self) -> bool {
        self.columns.is_some()
    }

    /// Takes the next bytes of an export.
    pub(super) fn push(&mut self, chunk: &[u8], is_final: bool, work: &mut Work<'_>, emit: &mut dyn FnMut(Event)) {
        self.held.extend_from_slice(chunk);
        let Some(columns) = self.columns.clone() else { return };
        let (mut cells, mut ends) = (Zeroizing::new(vec![0; self.held.len()]), vec![0; COLUMNS_MAX]);
        let (mut lines, mut truncated, base) = (0, 0, self.base);
        let (mut at, mut reader) = (0, columns.reader());
        let is_open = is_final && self.held.last().is_some_and(|last| *last != b'\n');
        while let Some(rest) = self.held.get(at..).filter(|rest| !rest.is_empty()) {
            reader.reset();
            let (result, mut length, written, count) = reader.read_record(rest, &mut cells, &mut ends);
            let is_whole = match result {
                ReadRecordResult::Record => true,
                // An unfinished record is a record at the end, and an overlong one ends with its first line.
                ReadRecordResult::InputEmpty | ReadRecordResult::End if is_final => {
                    length = rest.len();
                    true
                }
                ReadRecordResult::InputEmpty | ReadRecordResult::End => {
                    if rest.len() <= work.core.settings.line_bytes_max {
                        break;
                    }
                    truncated += 1;
                    length = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
                    false
                }
                // More columns than are looked at, or more cells than bytes, which cannot be.
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    truncated += 1;
                    length = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
                    false
                }
            };
            let passed = rest.get(..length).unwrap_or_default();
            if is_whole {
                let mut from = 0;
                // A record that the end cut off has its last cell still open.
                let last = (result != ReadRecordResult::Record).then_some(written);
                let record: Vec<&[u8]> = (ends.get(..count).unwrap_or_default().iter().copied().chain(last))
                    .map(|end| cells.get(std::mem::replace(&mut from, end)..end).unwrap_or_default().trim_ascii())
                    .collect();
                let skipped = passed.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                self.take(&columns, &record, base + (at + skipped) as u64, self.line + lines, work, emit);
            }
            lines += memchr::memchr_iter(b'\n', passed).count() as u64;
            at += length;
        }
        self.held.drain(..at);
        self.base += at as u64;
        lines += u64::from(is_open);
        self.line += lines;
        if at > 0 {
            emit(Event::Lines { source: self.stream.source.clone(), lines, truncated, bytes: at as u64 });
        }
    }

    /// Takes a record that has no line ending as a whole one, unless one of its cells is still open.
    pub(super) fn end_line(&mut self, work: &mut Work<'_>, emit: &mut dyn FnMut(Event)) {
        let quotes = memchr::memchr_iter(b'"', &self.held).count();
        if !self.held.is_empty() && quotes.is_multiple_of(2) {
            self.push(b"", true, work, emit);
        }
    }

    /// Takes one record.
    fn take(
        &self,
        columns: &Columns,
        record: &[&[u8]],
        offset: u64,
        line: u64,
        work: &mut Work<'_>,
        emit: &mut dyn FnMut(Event),
    ) {
        let cell_of = |wanted: Column| {
            let mut cells = columns.columns.iter().zip(record);
            cells.find(|(column, cell)| **column == wanted && !cell.is_empty()).map(|(_, cell)| *cell)
        };
        let cell = |wanted: Column| std::str::from_utf8(cell_of(wanted)?).ok();
        let named = cell_of(Column::Code);
        let code = named.and_then(|cell| code_of(std::str::from_utf8(cell).ok()?));
        let (expected, found) = (columns.columns.len(), record.len());
        let fault = if expected == found {
            // An event without a code is no refusal.
            named.filter(|_| code.is_none()).map(|_| Fault::Code)
        } else {
            // In a record that lost or won a cell behind its code the code is still the one that it has.
            let is_sure = code.is_some_and(|code| code::find(code).is_some_and(|code| code.counts));
            (!is_sure).then_some(Fault::Cells { expected, found })
        };
        if let Some(fault) = fault {
            if !columns.is_header(record) {
                self.take_misfit(fault, record, &arrival::Place { stream: &self.stream, line, offset }, work, emit);
            }
            return;
        }
        let Some(code) = code else { return };
        let time = |column| self.time(cell(column)?, work.now);
        let level = cell(Column::Level).unwrap_or("error");
        let arrival = Arrival {
            source: self.stream.source.clone(),
            sid: EventSid::from_bytes([0; 16]),
            at: time(Column::Generated).or_else(|| time(Column::Created)),
            code,
            is_information: is_information(level),
            product: cell(Column::Product).map(|name| envelope::product_of(name.as_bytes())),
            account: cell(Column::Account).and_then(arrival::account),
            service: None,
            text: Zeroizing::new(record.join(&b'\n')),
        };
        let sid = cell(Column::Sid).and_then(EventSid::parse);
        let place = arrival::Place { stream: &self.stream, line, offset };
        arrival::take_record(arrival, sid, &place, work, emit);
    }

    /// Tells a record that does not fit, and takes it as an event if its text names a refusal: nobody knows which of its
    /// cells is which, so its time, its SID and its account are whatever reads as one.
    fn take_misfit(
        &self,
        fault: Fault,
        record: &[&[u8]],
        place: &arrival::Place<'_>,
        work: &mut Work<'_>,
        emit: &mut dyn FnMut(Event),
    ) {
        if record.iter().all(|cell| cell.is_empty()) {
            return;
        }
        let (source, path) = (self.stream.source.clone(), self.stream.path.clone());
        emit(Event::Misfit(Misfit { source: source.clone(), path, line: place.line, fault }));
        let text = Zeroizing::new(record.join(&b" "[..]));
        let said = work.core.detector.refusal(&text, &envelope::read(&text));
        let Some(code) = said.and_then(|said| said.codes.first().copied()) else { return };
        let cells = || record.iter().filter_map(|cell| std::str::from_utf8(cell).ok());
        let arrival = Arrival {
            source,
            sid: EventSid::from_bytes([0; 16]),
            at: cells().find_map(|cell| self.time(cell, work.now)),
            code,
            is_information: cells().any(is_information),
            product: None,
            account: cells().find_map(arrival::account),
            service: None,
            text,
        };
        arrival::take_record(arrival, cells().find_map(EventSid::parse), place, work, emit);
    }

    /// The time in a cell.
    fn time(&self, cell: &str, now: UnixTime) -> Option<UnixTime> {
        let completion =
            || Completion { zone: self.zone.clone(), near: self.stream.modified.unwrap_or(now), after: None };
        UnixTime::parse(cell).or_else(|| stamp::read(cell.as_bytes())?.complete(&completion()))
    }
}

/// Whether a level is that of an event that is no fault.
fn is_information(level: &str) -> bool {
    INFORMATION.iter().any(|name| level.eq_ignore_ascii_case(name))
}

/// A code, alone or before its explanation: `51007`, `51007 - Token authentication is rejected`.
fn code_of(text: &str) -> Option<u32> {
    let digits = text.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests;
