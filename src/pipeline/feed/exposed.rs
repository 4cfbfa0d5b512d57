//! Tokens on lines without a refusal.

use super::Feed;
use crate::pair::sent;
use crate::pipeline::Event;
use crate::pipeline::judge::Core;
use crate::time::UnixTime;

/// Tokens looked at in one text.
const TOKENS_MAX: usize = 16;

impl Feed {
    /// Tells the tokens of a text of some time that are valid then.
    pub(super) fn expose(
        &self,
        text: &[u8],
        time: Option<UnixTime>,
        now: UnixTime,
        core: &mut Core,
        emit: &mut dyn FnMut(Event),
    ) {
        let at = time.or(self.last_time.map(|(_, time)| time)).or(self.stream.modified.filter(|_| self.stream.whole));
        for raw in sent::free_tokens(text).take(TOKENS_MAX) {
            if let Some(leak) = core.expose(raw, at.unwrap_or(now), &self.stream.source) {
                emit(Event::Exposed(Box::new(leak)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::{Key, KeyKind, KeyRing, Secret};
    use crate::pipeline::{Leak, Pipeline, Settings, Stream, StreamId};
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

    /// The exposed tokens and the number of rejections in a log that comes in pieces.
    fn read(pipeline: &mut Pipeline, log: &str, piece: usize) -> (Vec<Leak>, usize) {
        let (mut leaks, mut rejections) = (Vec::new(), 0);
        let now = UnixTime::parse("2026-11-24T03:00:00Z").unwrap();
        let mut emit = |event| match event {
            Event::Exposed(leak) => leaks.push(*leak),
            Event::Diagnosed(_) => rejections += 1,
            Event::Resighted { .. } | Event::Misfit(_) | Event::Lines { .. } => {}
        };
        log.as_bytes().chunks(piece).for_each(|piece| pipeline.push(ID, piece, now, &mut emit));
        pipeline.finish(ID, now, &mut emit);
        (leaks, rejections)
    }

    #[track_caller]
    fn check(line: &str, expected: usize) {
        let log = format!("2026-11-24T02:45:00Z INFO start\n{line}\n2026-11-24T02:45:01Z INFO end\n");
        let whole = read(&mut pipeline(ring()), &log, log.len());
        assert_eq!((whole.0.len(), whole.1), (expected, 0), "{log}");
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
    fn each_is_told_once_and_not_where_its_connection_was_refused() {
        let good = good();
        let log = format!(
            "2026-11-24T02:45:00Z DEBUG minted {good}\n2026-11-24T02:45:01Z DEBUG again {good}\n\
             2026-11-24T02:45:02Z ERROR twilio error_code=51007 token={good}\n"
        );
        let mut before = pipeline(ring());
        let (leaks, rejections) = read(&mut before, &log, log.len());
        assert_eq!((leaks.len(), rejections), (1, 1));
        assert_eq!(
            (leaks[0].key_sid.as_str(), leaks[0].at.to_string()),
            (mint::KEY, "2026-11-24T02:45:00Z".to_owned())
        );
        let mut after = pipeline(ring());
        after.remember(before.memory());
        assert_eq!(read(&mut after, &log, log.len()).0, []);
        let refusal = log.lines().next_back().unwrap().to_owned() + "\n";
        assert_eq!(read(&mut pipeline(ring()), &refusal, refusal.len()), (Vec::new(), 1));
    }

    #[test]
    fn nothing_is_looked_for_unless_it_is_asked_for() {
        let log = format!("2026-11-24T02:45:00Z DEBUG minted {}\n", good());
        let mut pipeline = Pipeline::new(Settings::default(), ring());
        pipeline.open(ID, stream());
        assert_eq!(read(&mut pipeline, &log, log.len()), (Vec::new(), 0));
    }
}
