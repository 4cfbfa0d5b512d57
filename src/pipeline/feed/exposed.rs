//! Tokens on any line, if they are looked for.
//!
//! Whoever reads a log can connect with a token in it while that is valid, whatever the line says. Each is told once: here,
//! or by the first diagnosis of a connection that was refused with it, whichever comes first.

use super::{Feed, Work};
use crate::envelope;
use crate::pipeline::Event;
use crate::pipeline::blocks::Line;
use crate::pipeline::judge::Core;
use crate::time::UnixTime;
use crate::token::run;

/// Dots of a token.
const DOTS: usize = 2;
/// Tokens looked at on one line; a line with more counts as cut.
const TOKENS_MAX: u32 = 64;
/// A line without a time may have that of one so many lines before it.
const LINES_BACK: u32 = 20;

/// The line whose tokens were looked at last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looked {
    /// Offset of the line.
    line: u64,
    time: UnixTime,
    /// Tokens on it so far, and the offset of the last of them.
    tokens: u32,
    last: u64,
}

impl Feed {
    /// Tells the tokens that begin in whole lines from a position on.
    pub(super) fn expose_rest(
        &mut self,
        work: &Work<'_>,
        end: usize,
        mut from: usize,
        core: &mut Core,
        emit: &mut dyn FnMut(Event),
    ) {
        let searched = work.bytes.get(..work.limit).unwrap_or_default();
        while let Some(at) = work.next(from, core).filter(|at| *at < end) {
            if core.detector.is_token(searched, at) && core.detector.is_promising(searched, at) {
                self.expose(work, Line::around(work.bytes, at, work.limit), at, core, emit);
            }
            from = at + 1;
        }
    }

    /// Tells of the token that begins at a position of a line if it is valid at the line's time.
    pub(super) fn expose(
        &mut self,
        work: &Work<'_>,
        line: Line,
        at: usize,
        core: &mut Core,
        emit: &mut dyn FnMut(Event),
    ) {
        let offset = self.base + line.start as u64;
        if !self.trail.is_uncounted_line(offset) {
            return;
        }
        let reach = line.end.min(line.start.saturating_add(core.settings.line_bytes_max));
        let rest = work.bytes.get(at..reach).unwrap_or_default();
        let raw = rest.get(..run(rest)).unwrap_or_default();
        // What reaches the end of what is looked at may go on.
        let is_cut = raw.len() == rest.len() && reach < line.end;
        // The full stop of a sentence.
        let raw = raw.strip_suffix(b".").unwrap_or(raw);
        if is_cut || memchr::memchr_iter(b'.', raw).count() != DOTS || core.is_told(raw) {
            return;
        }
        let place = self.base + at as u64;
        let mut looked = match self.looked.filter(|looked| looked.line == offset) {
            // Lines before an object that is not complete are gone through once more.
            Some(looked) if looked.last >= place => return,
            Some(looked) => looked,
            None => Looked { line: offset, time: self.time_of_tokens(work, line, core), tokens: 0, last: 0 },
        };
        (looked.tokens, looked.last) = (looked.tokens.saturating_add(1), place);
        self.looked = Some(looked);
        if looked.tokens > TOKENS_MAX {
            self.counts.truncated += u64::from(looked.tokens == TOKENS_MAX + 1);
        } else if let Some(leak) = core.expose(raw, looked.time, &self.stream.source) {
            emit(Event::Exposed(Box::new(leak)));
        }
    }

    /// The time of a line: its own, that of a line shortly before it, the last that is known, or else that of the file, or
    /// now.
    fn time_of_tokens(&self, work: &Work<'_>, line: Line, core: &Core) -> UnixTime {
        let max = core.settings.line_bytes_max;
        let passed = work.bytes.get(self.scanned..line.start).unwrap_or_default();
        let passed = memchr::memchr_iter(b'\n', passed).count() as u64;
        let record = envelope::read(line.text(work.bytes, max));
        let time = self.time_of(work, (&record, line, self.line + passed), LINES_BACK, core).map(|moment| moment.time);
        time.or(self.stream.modified.filter(|_| self.stream.whole)).unwrap_or(work.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::{Key, KeyKind, KeyRing, Secret};
    use crate::pipeline::{Leak, Pipeline, Settings, Stream, StreamId};
    use crate::time::UnixTime;
    use crate::token::mint::{self, good, header, payload, token};

    const ID: StreamId = StreamId(1);

    fn pipeline(ring: KeyRing) -> Pipeline {
        let mut pipeline = Pipeline::new(Settings { exposed_tokens: true, ..Settings::default() }, ring);
        pipeline.open(ID, stream());
        pipeline
    }

    fn stream() -> Stream {
        let (source, timezone) = ("app".into(), "UTC".into());
        Stream { source, path: None, modified: None, timezone, offset: 0, whole: false }
    }

    fn ring() -> KeyRing {
        let secret = Some(Secret::new(mint::SECRET));
        let key = Key { sid: mint::KEY.into(), account: None, secret, region: None, kind: KeyKind::Standard };
        KeyRing::new(vec![key], Vec::new())
    }

    /// The tokens told, the number of rejections, and of tokens told with one, in a log that comes in pieces.
    fn read(pipeline: &mut Pipeline, log: &str, piece: usize) -> (Vec<Leak>, usize, usize) {
        let (mut leaks, mut rejections, mut told) = (Vec::new(), 0, 0);
        let now = UnixTime::parse("2026-11-24T03:00:00Z").unwrap();
        let mut emit = |event| match event {
            Event::Exposed(leak) => leaks.push(*leak),
            Event::Diagnosed(diagnosis) => {
                rejections += 1;
                told += usize::from(diagnosis.token.is_some_and(|token| token.exposed && !token.told));
            }
            Event::Resighted { .. } | Event::Misfit(_) | Event::Lines { .. } => {}
        };
        log.as_bytes().chunks(piece).for_each(|piece| pipeline.push(ID, piece, now, &mut emit));
        pipeline.finish(ID, now, &mut emit);
        (leaks, rejections, told)
    }

    /// How many tokens are told, and how many lines count as cut.
    fn told_and_cut(log: &str, piece: usize) -> (usize, u64) {
        let (mut pipeline, mut told, mut cut) = (pipeline(ring()), 0, 0);
        let now = UnixTime::parse("2026-11-24T03:00:00Z").unwrap();
        let mut emit = |event| match event {
            Event::Exposed(_) => told += 1,
            Event::Lines { truncated, .. } => cut += truncated,
            Event::Diagnosed(_) | Event::Resighted { .. } | Event::Misfit(_) => {}
        };
        log.as_bytes().chunks(piece).for_each(|piece| pipeline.push(ID, piece, now, &mut emit));
        pipeline.finish(ID, now, &mut emit);
        (told, cut)
    }

    #[track_caller]
    fn check(line: &str, expected: usize) {
        let log = format!("2026-11-24T02:45:00Z INFO start\n{line}\n2026-11-24T02:45:01Z INFO end\n");
        let whole = read(&mut pipeline(ring()), &log, log.len());
        assert_eq!((whole.0.len(), whole.1, whole.2), (expected, 0, 0), "{log}");
        for piece in [1, 7, 100] {
            assert_eq!(read(&mut pipeline(ring()), &log, piece), whole, "{piece}");
        }
    }

    #[test]
    fn a_valid_token_on_any_line_is_exposed() {
        let good = good();
        check(&format!("2026-11-24T02:45:00Z DEBUG minted {good}"), 1);
        check(&format!("2026-11-24T02:45:00Z DEBUG minted {good}."), 1);
        check(&format!(r#"{{"time":"2026-11-24T02:45:00Z","body":"{{\"token\":\"{good}\"}}"}}"#), 1);
        check(&format!("10.2.3.7 - - [24/Nov/2026:02:45:00 +0000] \"GET /x?a=1&token={good} HTTP/1.1\" 200 0"), 1);
        check(&format!("2026-11-24T02:45:00Z DEBUG a {good} b {good}"), 1);
        // Behind what looks like a refusal, escaped, and on a line without a time of its own.
        check(&format!(r#"{{"time":"2026-11-24T02:45:00Z","took_ms":51007,"token":"{good}"}}"#), 1);
        check(&format!("2026-11-24T02:45:00Z GET /x?redirect=%2Fy%3Ftoken%3D{good}"), 1);
        check(&format!(r#"{{"time":"2026-11-24T02:45:00Z","body":"token:\n{good}\u0022"}}"#), 1);
        check(&format!("  token: '{good}'"), 1);
    }

    #[test]
    fn what_nobody_can_connect_with_is_not() {
        let good = good();
        check(&format!("2026-11-24T08:45:00Z DEBUG expired {good}"), 0);
        check(&format!("2026-11-24T02:45:00Z DEBUG cut {}", good.split_at(300).0), 0);
        check(&format!("2026-11-24T02:45:00Z DEBUG part of more: x{good}"), 0);
        let forged = token(&header(), &payload(), b"another secret");
        check(&format!("2026-11-24T02:45:00Z DEBUG badly signed {forged}"), 0);
        let mut other = payload();
        other["iss"] = "https://accounts.example.com".into();
        check(&format!("2026-11-24T02:45:00Z DEBUG another issuer {}", token(&header(), &other, b"x")), 0);
    }

    #[test]
    fn each_is_told_once_also_if_its_connection_is_refused() {
        let good = good();
        let log = format!(
            "2026-11-24T02:45:00Z DEBUG minted {good}\n2026-11-24T02:45:01Z DEBUG again {good}\n\
             2026-11-24T02:45:02Z ERROR twilio error_code=51007 token={good}\n"
        );
        let mut before = pipeline(ring());
        let (leaks, rejections, told) = read(&mut before, &log, log.len());
        assert_eq!((leaks.len(), rejections, told), (1, 1, 0));
        assert_eq!(
            (leaks[0].key_sid.as_str(), leaks[0].at.to_string()),
            (mint::KEY, "2026-11-24T02:45:00Z".to_owned())
        );
        let mut after = pipeline(ring());
        after.remember(before.memory());
        assert_eq!(read(&mut after, &log, log.len()).0, []);
        let refusal = log.lines().next_back().unwrap().to_owned() + "\n";
        let (leaks, rejections, told) = read(&mut pipeline(ring()), &refusal, refusal.len());
        assert_eq!((leaks.len(), rejections, told), (1, 1, 0));
        let log = format!("{}{}{}", refusal, "2026-11-24T02:45:03Z INFO x\n".repeat(500), log);
        for piece in [1, 1000, log.len()] {
            let (leaks, rejections, told) = read(&mut pipeline(ring()), &log, piece);
            assert_eq!((leaks.len() + told, rejections), (1, 2), "{piece}");
        }
    }

    #[test]
    fn what_is_exposed_does_not_depend_on_the_cut_at_the_limit_of_a_line() {
        let good = good();
        let settings = Settings { exposed_tokens: true, line_bytes_max: 2000, ..Settings::default() };
        for before in (2000 - good.len() - 40..2020).step_by(7) {
            let log = format!("2026-11-24T02:45:00Z {} {good} tail {}\nend\n", "x".repeat(before), "y".repeat(3000));
            let found = [1, 500, log.len()].map(|piece| {
                let mut pipeline = Pipeline::new(settings.clone(), ring());
                pipeline.open(ID, stream());
                read(&mut pipeline, &log, piece).0.len()
            });
            assert!(found.iter().all(|count| *count == found[0]), "{before}: {found:?}");
        }
    }

    #[test]
    fn many_tokens_on_one_line_are_not_all_looked_at() {
        let tokens: String = (0..TOKENS_MAX + 10)
            .map(|number| {
                let mut payload = payload();
                payload["grants"]["identity"] = format!("user{number}").into();
                token(&header(), &payload, mint::SECRET.as_bytes()) + " "
            })
            .collect();
        let log = format!("2026-11-24T02:45:00Z DEBUG {tokens}\n");
        let (found, truncated) = told_and_cut(&log, log.len());
        assert_eq!((found, truncated), (TOKENS_MAX as usize, 1));
        // Gone through once more for each byte, as long as the object behind them is not complete.
        let log = format!(
            "2026-11-24T02:45:00Z DEBUG {tokens}\n2026-11-24T02:45:01Z twilio error code: 51007 {{\n  a: 1\n}}\n"
        );
        assert_eq!(told_and_cut(&log, 1), told_and_cut(&log, log.len()));
    }

    #[test]
    fn nothing_is_looked_for_unless_it_is_asked_for() {
        let log = format!("2026-11-24T02:45:00Z DEBUG minted {}\n", good());
        let mut pipeline = Pipeline::new(Settings::default(), ring());
        pipeline.open(ID, stream());
        assert_eq!(read(&mut pipeline, &log, log.len()), (Vec::new(), 0, 0));
    }
}
