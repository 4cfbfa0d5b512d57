//! Tokens on any line, if they are looked for.
//!
//! Whoever reads a log can connect with a token in it while that is valid, whatever the line says. Each is told once: here,
//! or by the first diagnosis of a connection that was refused with it, whichever comes first.

use super::{Feed, Work};
use crate::envelope;
use crate::pipeline::Event;
use crate::pipeline::blocks::Line;
use crate::pipeline::judge::Core;
use crate::token::run;

/// Dots of a token.
const DOTS: usize = 2;

impl Feed {
    /// Tells of the token that begins at a position of a line if it is valid at the line's time.
    pub(super) fn expose(&self, work: &Work<'_>, line: Line, at: usize, core: &mut Core, emit: &mut dyn FnMut(Event)) {
        let rest = work.bytes.get(at..line.end).unwrap_or_default();
        let raw = rest.get(..run(rest)).unwrap_or_default();
        // The full stop of a sentence.
        let raw = raw.strip_suffix(b".").unwrap_or(raw);
        if memchr::memchr_iter(b'.', raw).count() != DOTS {
            return;
        }
        let record = envelope::read(line.text(work.bytes, core.settings.line_bytes_max));
        let time = record.time(&self.completion(work.now)).or(self.last_time.map(|(_, time)| time));
        let time = time.or(self.stream.modified.filter(|_| self.stream.whole)).unwrap_or(work.now);
        if let Some(leak) = core.expose(raw, time, &self.stream.source) {
            emit(Event::Exposed(Box::new(leak)));
        }
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
                told += usize::from(diagnosis.token.is_some_and(|token| token.exposed));
            }
            Event::Resighted { .. } | Event::Misfit(_) | Event::Lines { .. } => {}
        };
        log.as_bytes().chunks(piece).for_each(|piece| pipeline.push(ID, piece, now, &mut emit));
        pipeline.finish(ID, now, &mut emit);
        (leaks, rejections, told)
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
        assert_eq!(read(&mut pipeline(ring()), &refusal, refusal.len()), (Vec::new(), 1, 1));
        let log = format!("{}{}{}", refusal, "2026-11-24T02:45:03Z INFO x\n".repeat(500), log);
        for piece in [1, 1000, log.len()] {
            let (leaks, rejections, told) = read(&mut pipeline(ring()), &log, piece);
            assert_eq!((leaks.len() + told, rejections), (1, 2), "{piece}");
        }
    }

    #[test]
    fn nothing_is_looked_for_unless_it_is_asked_for() {
        let log = format!("2026-11-24T02:45:00Z DEBUG minted {}\n", good());
        let mut pipeline = Pipeline::new(Settings::default(), ring());
        pipeline.open(ID, stream());
        assert_eq!(read(&mut pipeline, &log, log.len()), (Vec::new(), 0, 0));
    }
}
