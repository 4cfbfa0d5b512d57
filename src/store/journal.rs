//! The journal: what was committed since the database was last brought up to date, one record a commit.
//!
//! A record is appended with one write, so that a process that is killed leaves it whole, torn at the end, or not at
//! all; a torn one was never shown and is passed over. Records are numbered without a gap across files: reading stops
//! where the next number does not follow.
//!
//! ```text
//! record  = length u32 │ check 8 bytes │ payload
//! payload = number u64 │ rows
//! ```
//! Numbers are little-endian; the check is the beginning of the payload's SHA-256; rows are as in a [`Batch`].

use std::fmt;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use aws_lc_rs::digest::{SHA256, digest};

use super::batch::unpack;
use super::{Batch, Rows};

/// Bytes of a record before its payload.
const HEAD_BYTES: usize = 12;

/// A larger buffer is given back after its record, in bytes: after a start it would hold the rows of all files.
const BUFFER_KEPT: usize = 64 << 10;

/// Where records are appended; a file, but for tests of its faults.
pub trait Log: fmt::Debug + Send {
    /// Writes all bytes at the end. On an error, some may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Cuts what is behind this length.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Log for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        // Else the next record would leave a hole where the torn one was.
        self.seek(SeekFrom::Start(length)).map(drop)
    }
}

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    log: Box<dyn Log>,
    /// Length of the whole records.
    length: u64,
    /// A torn record could not be cut: nothing may be appended behind it.
    is_torn: bool,
    buffer: Vec<u8>,
}

impl Journal {
    /// A journal that begins with an empty log.
    pub fn new(log: Box<dyn Log>) -> Self {
        Self { log, length: 0, is_torn: false, buffer: Vec::new() }
    }

    /// Whether another journal has to be begun, because nothing can be appended to this one.
    pub const fn is_torn(&self) -> bool {
        self.is_torn
    }

    /// Bytes in it.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Appends one record. After an error the journal is as before.
    pub fn append(&mut self, number: u64, batch: &Batch) -> io::Result<()> {
        self.buffer.clear();
        encode(number, batch, &mut self.buffer)?;
        let appended = self.log.append(&self.buffer);
        let length = self.buffer.len() as u64;
        if self.buffer.capacity() > BUFFER_KEPT {
            self.buffer = Vec::new();
        }
        match appended {
            Ok(()) => {
                self.length += length;
                Ok(())
            }
            Err(error) => {
                self.is_torn = self.log.cut(self.length).is_err();
                Err(error)
            }
        }
    }
}

fn encode(number: u64, batch: &Batch, into: &mut Vec<u8>) -> io::Result<()> {
    let too_long = || io::Error::other("a row, or a commit, is longer than 4 GiB");
    let rows = batch.packed().ok_or_else(too_long)?;
    into.extend_from_slice(&[0; HEAD_BYTES]);
    into.extend_from_slice(&number.to_le_bytes());
    into.extend_from_slice(rows);
    let payload = into.get(HEAD_BYTES..).unwrap_or_default();
    let length = u32::try_from(payload.len()).map_err(|_| too_long())?;
    let head = [&length.to_le_bytes()[..], &check(payload)].concat();
    if let Some(place) = into.get_mut(..HEAD_BYTES) {
        place.copy_from_slice(&head);
    }
    Ok(())
}

fn check(payload: &[u8]) -> [u8; 8] {
    digest(&SHA256, payload).as_ref().first_chunk().copied().unwrap_or_default()
}

/// How reading a journal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With its last record, or with one that was being written when the process ended.
    Clean,
    /// With a record that is not what was written, or that does not follow the one before.
    Damaged,
}

/// Puts the records of a journal that follow `number` over the rows; moves `number` on.
pub fn replay(mut bytes: &[u8], number: &mut u64, rows: &mut Rows) -> End {
    while !bytes.is_empty() {
        let Some((head, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else { return End::Clean };
        let Some((length, expected)) = head.split_first_chunk::<4>() else { return End::Damaged };
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((payload, rest)) = rest.split_at_checked(length) else { return End::Clean };
        let Some((found, changes)) = payload.split_first_chunk::<8>() else { return End::Damaged };
        let found = u64::from_le_bytes(*found);
        if check(payload) != expected {
            return End::Damaged;
        }
        bytes = rest;
        // The database may have been brought up to date, and the process killed before the journal was removed.
        if found <= *number {
            continue;
        }
        if found != number.saturating_add(1) {
            return End::Damaged;
        }
        unpack(changes).for_each(|(key, value)| rows.set(key, value));
        *number = found;
    }
    End::Clean
}
