//! diag51007 finds out why Twilio refused an Access Token.
//!
//! Twilio's code 51007, *Token authentication is rejected*, stands for some thirty different mistakes. This crate
//! follows logs, finds each refusal and the token that was refused, checks the token as Twilio would have at that
//! moment, and says which mistake it was. This page describes how it is built.
//!
//! # The way of the data
//!
//! ```text
//! files · stdin · journal · HTTP                                 /metrics · summary · alerts · page
//! webhook · event streams · alerts API                                               ▲
//!      │                                                                             │
//!   source ─▶ pipeline ───────────────────────────────────────────▶ ledger ─▶ expose ┘
//!    edge     │ envelope ▶ detect ▶ pair ▶ token ▶ validate ▶ classify │        edge ─▶ alertmanager
//!             └──────── pure: bytes and times in, diagnoses out ───────┘
//! ```
//!
//! A [`source`] delivers bytes; [`pipeline`] searches whole blocks for the few needles that a refusal must contain, and
//! only around a hit are lines framed and unwrapped ([`envelope`]), judged to be a sighting or not ([`detect`]), put
//! together with other prints of the same refusal and with the token that was sent ([`pair`]). The token is read
//! ([`token`]), every check is made ([`validate`]), and one cause is decided on ([`classify`], [`cause`]). The
//! [`ledger`] counts, groups rejections into incidents, notices spikes and raises alerts, all of it pure; [`expose`]
//! shows what it has committed, and [`alertmanager`] tells Alertmanagers. An event that Twilio itself reports enters as a
//! ready-made arrival ([`pipeline::arrival`]) and goes through the same judge.
//!
//! # Words
//!
//! | word | meaning |
//! | --- | --- |
//! | line | one log line, unwrapped from its envelope |
//! | sighting | one line, or one multi-line object, that reports a refusal |
//! | rejection | one refused connection: the sightings that belong together, counted once |
//! | token | something that was sent as an Access Token; what it is may be far from a JWT |
//! | finding | one fault of one token, with its evidence: expected, found, by how much |
//! | cause | a row of the taxonomy; a closed list |
//! | diagnosis | the one cause given to one rejection, with its findings, its basis and its remedy |
//! | basis | what the diagnosis rests on: the token, a code, a text, or nothing |
//! | key ring | the API keys, Auth Tokens and accounts named in the config |
//! | ledger | all that is counted and remembered |
//!
//! # Invariants
//!
//! 1. I/O and clocks live at the edges only. The core takes bytes and times as values, cannot fail, and is what `scan`,
//!    the tests and the daemon call. `tests/tidy.rs` enforces the layers.
//! 2. Every rejection ends in exactly one diagnosis: the rejections counter summed over causes equals the number of
//!    rejections.
//! 3. The same bytes, times and config give the same diagnoses, however the bytes were cut into chunks.
//! 4. A token is judged at the time of the refusal: the line's own; else the last one seen in that stream; else, for a
//!    whole file, its modification time; else the time of reading. Times are compared exactly, to the second. A time of day
//!    without a date follows on the last time known in the stream, over midnight if need be, and is not later than when
//!    the stream was written: for a file its modification time, for what comes in live the time of reading. Its day is a
//!    guess, so windows and the order of lines rest on the clock alone ([`time::Moment`]); of a time to the minute, only
//!    what lies minutes apart is known to be apart.
//! 5. What is not checked is said: without the key's secret the signature is "not checked", never "good".
//! 6. Everything has a limit, named in the config or documented where it is; reaching it is counted, never silent, never
//!    fatal.
//! 7. Labels come from closed lists and configured names only.
//! 8. No token, secret, identity or phone number leaves the process. What may be shown: the key SID, account SID, `jti`,
//!    times, known words, and a keyed fingerprint of the token. `tests/secrets.rs` searches every output.
//! 9. Readers see committed views only. A commit of the [`store`] holds the counters and everything that they rest on:
//!    how far each file was read and what was underway there, windows, seen tokens and events, alerts. So a crash at any
//!    moment loses nothing, repeats nothing, and takes back nothing that was shown.
//!
//! # Decisions
//!
//! * **Speed comes from not looking.** Most lines hold no needle and are never framed. Newlines are counted, not
//!   visited; each byte is searched for tokens at most once, and only near a rejection.
//! * **A live rejection is settled soon**: at once if its token and product are known; after a moment if an application
//!   printed it, which says all it knows on one line; else after `pairing.settle_milliseconds`, because an SDK prints a
//!   refusal several times. A further line that comes later is counted as a sighting and changes nothing else, because a
//!   counter that was shown never goes back; but where one would have told more, all later rejections of that source wait
//!   for such lines. A whole file (`scan`, an archive) settles when no further line can belong to the rejection.
//! * **A stream is resumed a little before the end that was committed** ([`pipeline::checkpoint`]): bytes that later
//!   lines may look back at are read again and not counted again.
//! * **What only a start or a backlog needed is given back** ([`memory`]): pages of the program and of the heap, when little
//!   is read; they come back as they are needed. All threads share one heap, because each of its own would keep its holes.
//! * **Commits go to a journal, and from there to a database** ([`store`]): the first makes a commit cost microseconds,
//!   the second bounds the journal and survives a loss of power.
//! * **While commits fail, nothing more is taken in**: files wait on the disk, deliveries are not acknowledged.
//! * **The search for needles does not decide**: it passes whole blocks without one in a few instructions for 32 bytes,
//!   and may stop too often, never too seldom; a property test holds it against every needle alone.
//! * **Windows judge what was there at start by its own times, and what comes in later by its arrival**, as whoever
//!   scrapes the counters does: a backlog causes no burst, and a wrong clock or zone hides none.
//! * **An export of the journal is known by its first bytes** (`feed`'s `journal`): of each entry one line is made, byte
//!   for byte, so that offsets stay what they are and lines are entries.
//! * **An array of events on one line is known by the first document of a stream** (`pipeline`'s `array`): of each element
//!   one line is made in the same way, so that its time, writer and token are its own; where such a document is printed
//!   over several lines, an element is an object as any other (`element`).
//! * **The exceptions of one stack trace are one refusal** (`pipeline`'s `trace`), by what languages print between an
//!   exception and its cause; and so is an event of Twilio's, by its SID, however often it is printed.
//! * **An export of the Debugger is known by its header** ([`pipeline`]'s `table`): a stream that begins with one is read
//!   as records, each an event with its own SID and time; any other stream is a log.
//! * **Merging needs evidence** (see [`pair::rejection`]): two prints that nothing connects are two rejections.
//! * **A refusal that Twilio reports and the application logs is two rejections, linked** ([`ledger::link`]): each source
//!   counts what it sees, and a count by source stays true when another one fails.
//! * **Lines that a container runtime split are joined only around a hit** (`pipeline`'s `split`), up to 64 pieces and
//!   256 KiB: elsewhere a piece is passed over like any line, and nothing waits for the rest of it.
//! * **Tokens on lines without a refusal are searched for only with `detect.exposed_tokens`**, because a log that prints
//!   a token with every request would make every block a hit.
//! * **A multi-line object is named by its first line.** Hits inside it do not begin another sighting. Lines of other
//!   processes, containers and clients that stand between its lines are passed over (`pipeline`'s `blocks`), up to 64; what
//!   was put before its lines is known by being alike on all of them (`frame`), so that no list of collectors is needed.
//! * **Fingerprints and ids are HighwayHash with a key of the installation**: a refused token needs several, and 64 bits
//!   that nobody can compute or test guesses against without the key are all that they have to be.
//! * **Signatures are verified with keys that are prepared once**, and before a token is blamed by `jsonwebtoken` too,
//!   without its clock and claim rules: those stop at the first fault, and judge by now.

pub mod alertmanager;
pub mod cause;
pub mod classify;
pub mod code;
pub mod command;
pub mod config;
pub mod container;
pub mod daemon;
pub mod detect;
pub mod diagnosis;
pub mod echo;
pub mod envelope;
pub mod expose;
pub mod fields;
pub mod finding;
pub mod keyring;
pub mod ledger;
pub mod log;
pub mod memory;
pub mod pair;
pub mod paste;
pub mod percent;
pub mod pipeline;
pub mod product;
pub mod quotes;
pub mod report;
pub mod source;
pub mod stamp;
pub mod store;
pub mod time;
pub mod token;
pub mod validate;
pub mod version;
pub mod words;
