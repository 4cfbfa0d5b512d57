//! A ready-made event: a refusal that Twilio itself reports, through whichever channel.
//!
//! It needs no detection and no pairing: it has a code, a time and an id of its own, and at times a token among the
//! parameters of a request. It is judged as any other rejection is. Events with other codes are passed over, and an
//! event that was counted before is not counted again; both are said, so that they can be counted.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::judge::Core;
use super::seen::{EventSid, Seen};
use super::table::Work;
use super::{Event, Stream};
use crate::code::{self, TOKEN_REJECTED};
use crate::detect::Refusal;
use crate::diagnosis::{Diagnosis, Found, Reported};
use crate::envelope::{self, Id, Ids};
use crate::fields;
use crate::pair::rejection::{Rejection, Sighting};
use crate::pair::sent;
use crate::product::Product;
use crate::time::{Moment, UnixTime};

/// An event, as far as it matters here.
#[derive(Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Name of the source: the metric label.
    pub source: Arc<str>,
    /// Twilio's id of the event.
    pub sid: EventSid,
    /// When it happened.
    pub at: Option<UnixTime>,
    /// Twilio's error code.
    pub code: u32,
    /// It reports something that is no fault.
    pub is_information: bool,
    /// The product, if a field names it.
    pub product: Option<Product>,
    /// The SID of the account that it belongs to.
    pub account: Option<String>,
    /// The SID of the service, if a field beside the text names it.
    pub service: Option<String>,
    /// All in which a token or a further code may stand; wiped when dropped.
    pub text: Zeroizing<Vec<u8>>,
}

impl Arrival {
    /// Whether it can be a refusal, whatever the settings.
    pub fn may_count(&self) -> bool {
        !self.is_information && code::find(self.code).is_some_and(|code| code.counts)
    }
}

/// An account's SID, and nothing else: it is shown.
pub fn account(text: &str) -> Option<String> {
    let digits = text.strip_prefix("AC")?;
    (digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.to_owned())
}

/// Without the text.
impl std::fmt::Debug for Arrival {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arrival")
            .field("source", &self.source)
            .field("sid", &self.sid)
            .field("at", &self.at)
            .field("code", &self.code)
            .field("text", &format_args!("{} bytes", self.text.len()))
            .finish_non_exhaustive()
    }
}

/// What became of an event. A closed list: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It is a rejection, and was counted.
    Counted,
    /// It was counted before.
    Repeated,
    /// It is no refusal of a token.
    Ignored,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Counted, Self::Repeated, Self::Ignored];

    /// The metric label.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Repeated => "repeated",
            Self::Ignored => "ignored",
        }
    }
}

pub(super) fn take(
    arrival: &Arrival,
    seen: &mut Seen,
    core: &mut Core,
    now: UnixTime,
    emit: &mut dyn FnMut(Event),
) -> Outcome {
    if !counts(arrival, core) {
        return Outcome::Ignored;
    }
    if !seen.note(arrival.sid, now) {
        return Outcome::Repeated;
    }
    let sid = arrival.sid.to_string();
    let stream = Stream {
        source: Arc::clone(&arrival.source),
        path: Some(sid.as_str().into()),
        modified: None,
        timezone: "UTC".into(),
        offset: 0,
        whole: true,
    };
    let rejection = rejection(arrival, core, now);
    let event = Reported { sid: Some(sid), account_sid: arrival.account.clone() };
    emit(Event::Diagnosed(Box::new(Diagnosis { event: Some(event), ..core.diagnose(&rejection, &stream, now) })));
    Outcome::Counted
}

/// Where a record of an export stands.
pub(super) struct Place<'a> {
    pub(super) stream: &'a Stream,
    pub(super) line: u64,
    pub(super) offset: u64,
}

/// Takes a record of an export as the event that it is. Without a SID nothing tells it from others, so it counts.
pub(super) fn take_record(
    mut arrival: Arrival,
    sid: Option<EventSid>,
    place: &Place<'_>,
    work: &mut Work<'_>,
    emit: &mut dyn FnMut(Event),
) {
    let Work { seen, core, now } = work;
    if !counts(&arrival, core) || sid.is_some_and(|sid| !seen.note(sid, *now)) {
        return;
    }
    arrival.sid = sid.unwrap_or(arrival.sid);
    let mut rejection = rejection(&arrival, core, *now);
    if sid.is_none() {
        rejection.id = core.id(place.stream, place.offset, &arrival.text);
    }
    (rejection.first.line, rejection.first.offset) = (place.line, place.offset);
    let event = Reported { sid: sid.map(|sid| sid.to_string()), account_sid: arrival.account };
    let diagnosis = core.diagnose(&rejection, place.stream, *now);
    emit(Event::Diagnosed(Box::new(Diagnosis { event: Some(event), ..diagnosis })));
}

fn counts(arrival: &Arrival, core: &Core) -> bool {
    let is_companion = || core.detector.companion_codes() && code::find(arrival.code).is_some_and(|code| code.counts);
    !arrival.is_information && (arrival.code == TOKEN_REJECTED || is_companion())
}

fn rejection(arrival: &Arrival, core: &Core, now: UnixTime) -> Rejection {
    let text: &[u8] = &arrival.text;
    let record = envelope::read(text);
    let said = core.detector.refusal(text, &record);
    let mut codes = vec![arrival.code];
    codes.extend(said.iter().flat_map(|said| &said.codes).filter(|code| **code != arrival.code));
    let product = arrival
        .product
        .or_else(|| code::find(arrival.code).and_then(|code| code.product))
        .or_else(|| said.as_ref().and_then(|said| said.product));
    let refusal = Refusal {
        codes,
        text: said.as_ref().and_then(|said| said.text).or_else(|| code::find_text(text).and_then(|text| text.cause)),
        at: 0,
        print: None,
        is_of_logger: false,
        is_failed_call: false,
        shape: 0,
        product,
        transport: None,
        probable_product: said.as_ref().and_then(|said| said.probable_product),
        names_twilsock: false,
    };
    let sighting = Sighting {
        refusal,
        line: 1,
        last_line: 1,
        offset: 0,
        time: arrival.at.map(Moment::exact),
        format: record.format,
        emitter: record.emitter,
        ids: ids(arrival, record.ids),
        sent: None,
        channel: None,
        region: None,
        trace_from: None,
    };
    // The same event has the same id whichever channel brings it, so only its SID goes in.
    let mut rejection = Rejection::new(core.event_id(&arrival.sid.bytes()), sighting, now);
    rejection.token = sent::find(text, sent::Place::Refusal, false).map(|sent| (Arc::new(sent), Found::SameLine));
    rejection
}

/// What an event says of whom and what it concerns; the request in it says so deep inside.
fn ids(arrival: &Arrival, mut ids: Ids) -> Ids {
    if let Some(service) = &arrival.service {
        ids.note(Id::Service, service.as_bytes());
    }
    fields::json(&arrival.text, &mut |field| {
        for (name, id) in [(b"identity".as_slice(), Id::Identity), (b"servicesid", Id::Service)] {
            let key = field.key.iter().filter(|byte| **byte != b'_').map(u8::to_ascii_lowercase);
            if field.quoted && !field.value.is_empty() && key.eq(name.iter().copied()) {
                ids.note(id, field.value);
            }
        }
        true
    });
    ids
}

#[cfg(test)]
mod tests {
    use super::super::{Pipeline, Settings};
    use super::*;
    use crate::cause::Cause;
    use crate::diagnosis::Basis;
    use crate::keyring::KeyRing;

    const NOW: UnixTime = UnixTime::from_seconds(1_795_488_000);

    fn arrival(number: u8, code: u32, text: &str) -> Arrival {
        Arrival {
            source: "debugger".into(),
            sid: EventSid::from_bytes([number; 16]),
            at: Some(NOW.plus_millis(-5000)),
            code,
            is_information: false,
            product: None,
            account: None,
            service: None,
            text: Zeroizing::new(text.as_bytes().to_vec()),
        }
    }

    fn take(pipeline: &mut Pipeline, arrival: &Arrival) -> (Outcome, Vec<Diagnosis>) {
        let mut found = Vec::new();
        let outcome = pipeline.event(arrival, NOW, &mut |event| match event {
            Event::Diagnosed(diagnosis) => found.push(*diagnosis),
            Event::Resighted { .. } | Event::Exposed(_) | Event::Misfit(_) | Event::Lines { .. } => {}
        });
        (outcome, found)
    }

    fn core(companion_codes: bool) -> Pipeline {
        Pipeline::new(Settings { companion_codes, ..Settings::default() }, KeyRing::default())
    }

    #[test]
    fn an_event_is_one_rejection_however_often_and_through_whichever_source_it_comes() {
        let mut pipeline = core(true);
        let (outcome, found) = take(&mut pipeline, &arrival(1, 51007, "{}"));
        assert_eq!((outcome, found.len()), (Outcome::Counted, 1));
        assert_eq!((found[0].cause, found[0].basis, found[0].code), (Cause::NoToken, Basis::None, Some(51007)));
        assert_eq!(found[0].at, NOW.plus_millis(-5000));
        assert_eq!(found[0].path.as_deref(), Some("NO01010101010101010101010101010101"));
        let elsewhere = Arrival { source: "api".into(), ..arrival(1, 51007, "other text") };
        assert_eq!(take(&mut pipeline, &elsewhere), (Outcome::Repeated, Vec::new()));
        assert_eq!(take(&mut pipeline, &arrival(2, 51007, "{}")).0, Outcome::Counted);
    }

    #[test]
    fn other_codes_and_information_are_passed_over() {
        let mut pipeline = core(true);
        assert_eq!(take(&mut pipeline, &arrival(1, 11200, "{}")).0, Outcome::Ignored);
        assert_eq!(take(&mut pipeline, &arrival(1, 51001, "{}")).0, Outcome::Ignored);
        let information = Arrival { is_information: true, ..arrival(1, 51007, "{}") };
        assert_eq!(take(&mut pipeline, &information).0, Outcome::Ignored);
        let (outcome, found) = take(&mut pipeline, &arrival(1, 20104, "{}"));
        assert_eq!((outcome, found[0].cause, found[0].basis), (Outcome::Counted, Cause::Expired, Basis::Code));
        assert_eq!(take(&mut core(false), &arrival(1, 20104, "{}")).0, Outcome::Ignored);
    }

    #[test]
    fn whom_and_what_an_event_concerns_is_as_in_a_log_and_not_shown() {
        let service = "IS0000000000000000000000000000000a";
        let text =
            format!(r#"{{"webhook":{{"request":{{"parameters":{{"Identity":"alice","ServiceSid":"{service}"}}}}}}}}"#);
        let mut pipeline = core(true);
        let (_, found) = take(&mut pipeline, &arrival(1, 51007, &text));
        let read = read_log(&format!("ERROR Twilio error code=51007 identity=alice service_sid={service}\n"));
        assert_eq!(found[0].about, read[0].about);
        assert!(found[0].about.identity.is_some() && found[0].about.service.is_some());
        let json = serde_json::to_string(&read[0]).unwrap();
        assert!(!json.contains("about") && !json.contains("alice"), "{json}");
        let (_, other) = take(&mut pipeline, &arrival(2, 51007, r#"{"identity":null,"service_sid":"IS1"}"#));
        assert_eq!(other[0].about, crate::diagnosis::About::default());
        // Event Streams and the API name the service beside the text.
        let beside = Arrival { service: Some(service.to_owned()), ..arrival(4, 51007, r#"{"Identity":"alice"}"#) };
        assert_eq!(take(&mut pipeline, &beside).1[0].about, read[0].about);
        // A line that names neither concerns whom and what its token does.
        let of_token = text.replace(service, "IS00000000000000000000000000000001");
        let (_, found) = take(&mut pipeline, &arrival(3, 51007, &of_token));
        let read = read_log(&format!("ERROR Twilio error code=51007 token={}\n", crate::token::mint::good()));
        assert_eq!(found[0].about, read[0].about);
    }

    /// What a log is found to say.
    fn read_log(log: &str) -> Vec<Diagnosis> {
        let (id, mut read) = (super::super::StreamId(1), Vec::new());
        let mut pipeline = core(true);
        let stream =
            Stream { source: "app".into(), path: None, modified: None, timezone: "UTC".into(), offset: 0, whole: true };
        pipeline.open(id, stream);
        let mut emit = |event| match event {
            Event::Diagnosed(diagnosis) => read.push(*diagnosis),
            Event::Resighted { .. } | Event::Exposed(_) | Event::Misfit(_) | Event::Lines { .. } => {}
        };
        pipeline.push(id, log.as_bytes(), NOW, &mut emit);
        pipeline.finish(id, NOW, &mut emit);
        read
    }

    #[test]
    fn a_token_among_the_parameters_is_judged_at_the_time_of_the_event() {
        let token = crate::token::mint::good();
        let text = format!(r#"{{"webhook":{{"request":{{"parameters":{{"token":"{token}"}}}}}}}}"#);
        let mut event = arrival(1, 51007, &text);
        event.at = Some(UnixTime::from_seconds(crate::token::mint::ISSUED + 3600 + 9));
        let (_, found) = take(&mut core(true), &event);
        assert_eq!((found[0].cause, found[0].basis), (Cause::Expired, Basis::Token));
        assert!(!format!("{event:?}").contains("eyJ"));
    }
}
