//! Is this line, or this multi-line object, a refusal?
//!
//! The rule. A number is Twilio's code if it stands alone (no letter, digit, decimal, port or unit around it) and is
//! the value of an error-code field, or follows a word like *error* or *code*, or stands before or after the code's own
//! message. *zip code*, *exit code*, *short code* and their like are other numbers; a link to the error's page is no
//! refusal. A column of a table (CSV, TSV) is an error code if the row holds the code's own message, or the id of one of
//! Twilio's alerts and a level. 51007 needs no more than that, unless another vendor with error numbers of its own is named close by and
//! Twilio is not. A companion code also needs Twilio near it: an SDK's prefix, a Twilio word,
//! URL or SID, the code's own message, or a token. A message without a code needs an SDK's prefix or a Twilio word, and
//! no code of another meaning beside it.
//!
//! [`Detector::find`] finds candidates in whole blocks at the speed of memory; [`Detector::refusal`] decides.

mod context;
mod number;
mod sdk;
pub mod search;
mod shape;
mod weak;

use std::collections::BTreeSet;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::cause::Cause;
use crate::code::{self, CODES, TEXT_NEEDLES, TOKEN_REJECTED};
use crate::envelope::Record;
use crate::product::Product;
use crate::words::Words;

use context::Context;
pub use sdk::{Print, Transport};
use search::{Hits, Search, TOKEN_STARTS};

/// Digits of a code; no text that is looked for begins with one.
const CODE_DIGITS_MAX: usize = 5;
/// No token is as short as that, in bytes.
const TOKEN_HEAD: usize = 100;
/// Codes remembered of one sighting.
const CODES_MAX: usize = 6;

/// What a sighting says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Twilio's codes, in the order in which they stand there.
    pub codes: Vec<u32>,
    /// The cause that a message names.
    pub text: Option<Cause>,
    /// Where the first code, or the message, stands in the text.
    pub at: usize,
    /// Its place in the print sequence of an SDK.
    pub print: Option<Print>,
    /// Two prints of the same shape are two rejections.
    pub shape: u64,
    /// The product, if the text tells it.
    pub product: Option<Product>,
    /// An SDK's logger wrote it.
    pub is_of_logger: bool,
    /// A call that waited for the connection failed: that says nothing new, however often it is printed.
    pub is_failed_call: bool,
    /// The connection that it tells of.
    pub transport: Option<Transport>,
    /// The product that is probable from the text: no evidence against another.
    pub probable_product: Option<Product>,
    /// It names Twilsock, the connection of Conversations, Chat and Sync.
    pub names_twilsock: bool,
}

/// Finds refusals.
#[derive(Debug)]
pub struct Detector {
    companion_codes: bool,
    exposed_tokens: bool,
    words: Words,
    /// What is looked for in blocks: the same, and beginnings of tokens if those are wanted.
    candidates: Words,
    search: Arc<Search>,
    twilio: Option<AhoCorasick>,
    vendors: Words,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needle {
    /// A code, and where it ends.
    Code(u32, usize),
    Text,
}

/// Case-insensitive words that put Twilio near a number.
const TWILIO_WORDS: [&str; 7] =
    ["twilio", "twilsock", "tnwebsocket", "tnnotification", "fpa_token", "fpa token", "ipmsg"];

/// Vendors with error numbers of their own, by the names that stand beside them; in these letters, in small ones, in
/// capitals, or with one capital.
const OTHER_VENDORS: [&str; 12] = [
    "Zoom",
    "Stripe",
    "Plaid",
    "Vonage",
    "Nexmo",
    "Agora",
    "PayPal",
    "Braintree",
    "Adyen",
    "Shopify",
    "SalesForce",
    "WebEx",
];

impl Detector {
    /// A detector of 51007 and the texts, and, if wanted, of the companion codes; if wanted, all tokens are candidates.
    pub fn new(companion_codes: bool, exposed_tokens: bool) -> Self {
        let codes = CODES.iter().filter(|code| code.number == TOKEN_REJECTED || (companion_codes && code.counts));
        let codes = codes.map(|code| code.number.to_string());
        let words: Vec<String> = codes.chain(TEXT_NEEDLES.iter().map(|needle| (*needle).to_owned())).collect();
        let mut in_any_case = AhoCorasick::builder();
        in_any_case.ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA));
        let twilio = in_any_case.build(TWILIO_WORDS).ok();
        let vendors = OTHER_VENDORS.iter().flat_map(|name| spellings(name)).collect::<Vec<_>>();
        let vendors = Words::new(vendors.iter().map(String::as_bytes));
        let mut bytes: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        let words = Words::new(bytes.iter().copied());
        if exposed_tokens {
            bytes.extend(TOKEN_STARTS);
        }
        let search = Arc::new(Search::new(&bytes));
        let candidates = Words::new(bytes);
        Self { companion_codes, exposed_tokens, words, candidates, search, twilio, vendors }
    }

    /// Whether companion codes count.
    pub const fn companion_codes(&self) -> bool {
        self.companion_codes
    }

    /// Whether all tokens are candidates.
    pub const fn exposed_tokens(&self) -> bool {
        self.exposed_tokens
    }

    /// The position of the next candidate at or after `from`.
    pub fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        self.candidates.next(text, from).map(|(at, _, _)| at)
    }

    /// Whether a text holds anything that may be of a refusal.
    pub fn has_needle(&self, text: &[u8]) -> bool {
        self.words.any(text)
    }

    /// The search for candidates in whole blocks, fit to be used by several threads.
    pub fn search(&self) -> Arc<Search> {
        Arc::clone(&self.search)
    }

    /// Keeps those candidates of complete lines that can be refusals.
    pub fn keep_promising(&self, text: &[u8], hits: &mut Hits) {
        hits.starts.retain(|at| self.is_promising(text, *at));
    }

    /// What begins at a place where a needle does; nothing for a part of a number, and for the beginning of a token.
    fn needle_at(&self, text: &[u8], start: usize) -> Option<Needle> {
        let rest = text.get(start..)?;
        let digits = rest.iter().take(CODE_DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return (!rest.starts_with(b"eyJ")).then_some(Needle::Text);
        }
        let number = std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()?;
        let code = code::find(number)?;
        let is_wanted = number == TOKEN_REJECTED || (self.companion_codes && code.counts);
        is_wanted.then_some(Needle::Code(number, start + digits))
    }

    /// The candidate is the beginning of a token, not of what a refusal says.
    pub fn is_token(&self, text: &[u8], at: usize) -> bool {
        self.exposed_tokens && text.get(at..).is_some_and(|rest| rest.starts_with(b"eyJ"))
    }

    /// A cheap look at a candidate, where a needle begins, that saves unwrapping its line: `false` only if it can't be a
    /// refusal.
    pub fn is_promising(&self, text: &[u8], at: usize) -> bool {
        let rest = text.get(at..).unwrap_or_default();
        if self.is_token(text, at) {
            let head = text.get(..at).unwrap_or_default();
            let is_free = head.last().is_none_or(|before| !(before.is_ascii_alphanumeric() || b"_-.".contains(before)));
            return (is_free || ends_in_escape(head))
                && rest.get(..TOKEN_HEAD).is_some_and(|head| head.iter().all(u8::is_ascii_graphic));
        }
        let digits = rest.iter().take(CODE_DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
        digits == 0 || (digits <= CODE_DIGITS_MAX && number::stands_alone(text, at, at + digits))
    }

    /// Decides about an unwrapped line, or the joined texts of a multi-line object whose first line is `record`.
    pub fn refusal(&self, text: &[u8], record: &Record<'_>) -> Option<Refusal> {
        let mut codes = Vec::new();
        let (mut code_at, mut text_at) = (None, None);
        let mut context = Context::new(text, self);
        for start in self.search.starts(text) {
            match self.needle_at(text, start) {
                Some(Needle::Text) => text_at = text_at.or(Some(start)),
                Some(Needle::Code(number, end))
                    if codes.len() < CODES_MAX && !codes.contains(&number) && context.accepts(number, start, end) =>
                {
                    codes.push(number);
                    code_at = code_at.or(Some(start));
                }
                Some(Needle::Code(..)) | None => {}
            }
        }
        let message = text_at.and_then(|_| code::find_text(text));
        if codes.is_empty() {
            let message = message?;
            let has_twilio = |text: &[u8]| self.holds_twilio_word(text);
            let is_of_twilio = if weak::is_weak(message.message) {
                weak::is_of_twilio(text, has_twilio)
            } else {
                context.is_sdk_or_twilio()
            };
            if !is_of_twilio || number::names_other_code(text, self.companion_codes) {
                return None;
            }
        }
        let at = code_at.or(text_at)?;
        let told = context.told();
        let phrase = told.phrase;
        codes.retain(|number| !sdk::stands_in(*number, text));
        let product =
            record.product.or(told.product).or_else(|| codes.iter().find_map(|number| code::find(*number)?.product));
        Some(Refusal {
            shape: shape::shape(text, record, at, told),
            text: message.and_then(|message| message.cause),
            codes,
            at,
            print: phrase.map(|phrase| phrase.print),
            is_of_logger: told.prefix.is_some(),
            is_failed_call: phrase.is_some_and(sdk::is_failed_call),
            product,
            transport: sdk::transport(told, product),
            probable_product: told.probable_product,
            names_twilsock: told.names_twilsock,
        })
    }

    /// The product that the words of a stack trace, or of an object, tell.
    pub fn product(&self, text: &[u8]) -> Option<Product> {
        sdk::told(text).product
    }

    /// The product that is probable for a refusal from the line before it, as it is written.
    pub fn announced(&self, line: &[u8]) -> Option<Product> {
        sdk::announced(line)
    }

    fn holds_twilio_word(&self, text: &[u8]) -> bool {
        self.twilio.as_ref().is_some_and(|words| words.is_match(text))
    }
}

/// `%3D`, `\n`, `\u0022`: a letter or digit at the end that is none of the text's.
pub fn ends_in_escape(text: &[u8]) -> bool {
    [b"\\n".as_slice(), b"\\t", b"\\r"].iter().any(|escape| text.ends_with(escape))
        || text
            .last_chunk::<3>()
            .is_some_and(|[percent, high, low]| *percent == b'%' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
        || text
            .last_chunk::<6>()
            .is_some_and(|escape| escape.starts_with(b"\\u") && escape.iter().skip(2).all(u8::is_ascii_hexdigit))
}

/// The ways in which a name is written.
fn spellings(name: &str) -> BTreeSet<String> {
    let small = name.to_ascii_lowercase();
    let mut capital = small.clone();
    if let Some(first) = capital.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    BTreeSet::from([name.to_owned(), name.to_ascii_uppercase(), capital, small])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope;

    #[track_caller]
    fn check(line: &str, expected: &[u32]) {
        let record = envelope::read(line.as_bytes());
        let text = record.text.clone().into_owned();
        let found = Detector::new(true, false).refusal(&text, &record);
        let codes = found.as_ref().map(|refusal| refusal.codes.clone());
        assert_eq!(codes.as_deref().unwrap_or(&[]), expected, "{line}");
        if expected.is_empty() {
            assert_eq!(found, None, "{line}");
        }
    }

    #[test]
    fn the_code_is_found_in_every_notation() {
        for line in [
            r#"{"level":50,"err":{"code":51007,"status":401}}"#,
            r#"{"err":{"code":"51007"}}"#,
            r#"{"payload":"{\"errorCode\":\"51007\"}"}"#,
            r#"{"payload":"{\\\"errorCode\\\":51007}"}"#,
            "error_code=51007",
            "err_code=51007 msg=x",
            "POST /hooks?ErrorCode=51007&x=1",
            "POST /hooks?x%3DErrorCode%3D51007%26y",
            "  errorCode: 51007",
            "TwilioError 51007: token rejected",
            "E/VoiceActivity: Registration Error: 51007, Registration failed",
            "Error Domain=com.twilio.voice.error Code=51007 \"x\"",
            "51007: Token authentication is rejected",
            "failed (51007): Token authentication is rejected by authentication service",
            "X-Twilio-Error: **51007",
            "<Code>51007</Code>",
            "Twilio client: state=denied code: 51007 product=chat",
            "registration failed, error code 51007.",
            "ERROR twilio ClientError: 51007",
            "ERROR twilio HttpError: 51007",
            "socketError=51007 twilio",
            "twilio client_error=51007",
            "twilio connectError: 51007",
            "twilio appError: 51007",
            "twilio int error: 51007",
            "let error=51007",
            "Svaret var error 51007",
            "ConnectionError (51007): x",
            "Mar 01 2026 10:00:00 GMT+0000    error      51007       Token authentication is rejected",
            "Mar 01 2026 10:00    error      51007       Client Connection: Token authentication is rejected",
            "Sun Mar 01 2026 10:00:00 GMT+0000\terror\t51007\tToken authentication is rejected",
            "51007,2026-03-01 10:00:00,error,Token authentication is rejected",
            r#""2026-03-01";"ERROR";"51007";"CR1";"Token authentication is rejected""#,
            "NO00000000000000000000000000000001,error,Chat,51007,rejected",
        ] {
            check(line, &[51007]);
        }
    }

    #[test]
    fn a_needle_that_begins_with_a_digit_is_a_code() {
        assert!(CODES.iter().all(|code| code.number.to_string().len() <= CODE_DIGITS_MAX));
        assert!(TEXT_NEEDLES.iter().all(|needle| !needle.starts_with(|first: char| first.is_ascii_digit())));
    }

    #[test]
    fn look_alikes_are_no_sightings() {
        for line in [
            "order #51007 shipped",
            "error      51007       1.5 MB",
            "Sioux City,IA,51007,Twilio,error,12.50",
            "NO00000000000000000000000000000001,51007,delivered",
            "error: 1510070",
            "code=510071",
            "listening on 10.0.0.1:51007",
            "error reading from 10.0.0.1:51007",
            "error 51007 ms after start",
            "error: 51007 bytes left",
            "error: 51007.5",
            "wrote 51007 bytes",
            "error at 51,007 rows",
            "ZIP code 51007",
            "zip_code=51007",
            r#"{"postalCode":"51007"}"#,
            "exit code 51007",
            r#"{"statusCode":51007}"#,
            "short code 51007 is in use",
            "your verification code: 51007",
            r#"{"errors":51007}"#,
            "see https://www.twilio.com/docs/errors/51007",
            "barcode 51007",
            "decode 51007",
            "Error: call +1 515-551-5100 7",
            "trace=ab51007c code=x",
            "2026-05-10T07:51:00.751007Z error",
            "errorCode: 0x51007",
            "error 51007-1234",
            "2026-11-26T16:20:00.000Z ERROR 51007 --- [           main] c.acme.shop.CartService : could not open cache",
            "2026-11-26 10:00:08.123 ERROR 51007 --- [shop] [nio-8080-exec-1] c.acme.twilio.Bridge : slow query",
            "2026-11-26 10:00:08,123 ERROR 51007 [main] c.acme.shop.Cart : slow query",
            "stderr 51007",
            "perror 51007",
            "MaxRecvDataSegmentLength (51007) is too big",
            "STMicroelectronics (51007): sensor",
            "errors = [51007..51009]",
            "error 51007.c: unknown",
            "SetLastError(51007);",
            "#define TOKEN_ERROR 51007",
            "static final int TOKEN_ERROR = 51007;",
            "    const SOCKET_ERROR = 51007;",
            "handle_error (51007 samples, 0.3 %)",
            "<p>returns <code>51007</code></p>",
            "<span class=\"code\">51007</span>",
        ] {
            check(line, &[]);
        }
    }

    #[test]
    fn a_companion_code_needs_twilio_near_it() {
        check("code: 20104", &[]);
        check("Twilio Verify: code 20104 approved for user 7", &[]);
        check("2026-11-26T16:20:09.000Z ERROR 20107 --- [nio-8080-exec-1] c.a.twilio.Bridge : slow query", &[]);
        check(r#"{"error":"db","code":20104}"#, &[]);
        check("TwilioError 20104: x", &[20104]);
        check(r#"{"code":20104,"message":"Access Token expired or expiration date invalid"}"#, &[20104]);
        check("X-Twilio-Error: 20101 Invalid Access Token", &[20101]);
        check("code=20104 account=AC00000000000000000000000000000001", &[20104]);
        check("TwilioError 20403: forbidden", &[]);
        check("TwilioError 51001: x", &[]);
        check("AccessTokenInvalid (20101): Twilio was unable to validate your Access Token", &[20101]);
    }

    #[track_caller]
    fn check_text(line: &str, expected: bool) {
        let record = envelope::read(line.as_bytes());
        assert_eq!(Detector::new(true, false).refusal(line.as_bytes(), &record).is_some(), expected, "{line}");
    }

    #[test]
    fn a_message_without_a_code_needs_an_sdk_or_twilio() {
        check_text("TransportUnavailableError: Unable to connect: Token authentication is rejected by x", true);
        check_text("Twilio: Token authentication is rejected", true);
        check_text("| TNTwilsockClient | Reply status for init request is not success: 401, Authentication fail", true);
        check_text("ldap: Authentication failed for user", false);
        check_text("INSUFFICIENTVIDEORESOURCES, HTTP_E_STATUS_UNAUTHORIZED", false);
        check_text(r#"{"msg":"x\nTVOCall: Authentication failed"}"#, true);
        check_text("https GET /x 401 UNAUTHORIZED", false);
        check_text(
            r#"Twilsock W: Init rejected by server: {"description":"Authentication failed","errorCode":51001}"#,
            false,
        );
    }
}
