//! What Twilio's SDKs print, and in which order.

use std::sync::LazyLock;

use memchr::memmem;

use crate::product::Product;
use crate::words::Words;

/// The place of a print in the sequence that one refused connection causes; a later one never comes before an earlier
/// one of the same connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Print {
    /// The SDK shows the server's message.
    Reply,
    /// The SDK reports the server's answer: once a refusal.
    Answer,
    /// The SDK raises an event.
    Event,
    /// The application prints the error that the SDK gave it.
    Error,
    /// The same, by a name that applications give their own errors too.
    Caught,
}

/// A connection of its own, with a token of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Conversations, Chat and Sync.
    Twilsock,
    /// The Voice SDKs' signalling.
    Voice,
    /// The Video SDKs' signalling.
    Video,
    /// TaskRouter's workers.
    EventBridge,
}

/// Phrases of the print sequence, the more special first.
const PRINTS: [(&[u8], Print); 33] = [
    (b"Init rejected by server", Print::Answer),
    (b"Token update rejected by server", Print::Answer),
    (b"Server closed connection", Print::Answer),
    (b"receive reply:", Print::Reply),
    (b"message received:  {", Print::Reply),
    (b"onreceiveClose:", Print::Event),
    (b"connection closed by server, reason is", Print::Event),
    (b"Reply status for init request", Print::Reply),
    (b"'init' message failed", Print::Reply),
    (b"[WSTransport] Received:", Print::Reply),
    (b"[TwilioConnection #", Print::Reply),
    (b"Received event {\"event_type\"", Print::Reply),
    (b"Emitting event: ", Print::Event),
    (b"Emitting connectionError", Print::Event),
    (b"Emitting tokenExpired", Print::Event),
    (b"[Device] Received error", Print::Event),
    (b"[Device] #error", Print::Event),
    (b"onTwilsockFatalError", Print::Event),
    (b"Received error:  ", Print::Event),
    (b"originalError", Print::Error),
    (b"httpStatusCode", Print::Error),
    (b"TransportUnavailableError", Print::Error),
    (b"Updated token was rejected by server", Print::Error),
    (b"Connection error: ", Print::Error),
    (b"Unable to connect: ", Print::Error),
    (b"TwilsockReplyError", Print::Error),
    (b"AccessTokenInvalid", Print::Error),
    (b"AccessTokenExpired", Print::Error),
    (b"AuthenticationFailed (", Print::Error),
    (b"ConnectionError (", Print::Error),
    (b"TwilioError", Print::Caught),
    (b"Twilio.Device Error", Print::Caught),
    (b"twilioError", Print::Caught),
];

/// Phrases that other programs print too: no evidence of Twilio.
const ANYBODYS: [&[u8]; 10] = [
    b"Server closed connection",
    b"receive reply:",
    b"message received:  {",
    b"connection closed by server, reason is",
    b"Emitting event: ",
    b"Received error:  ",
    b"originalError",
    b"httpStatusCode",
    b"Connection error: ",
    b"Unable to connect: ",
];

/// The prefix of Video's logger for a call of `connect`; that of others, too, unless a word of the SDK stands beside it.
const VIDEO_CONNECT: &[u8] = b"[connect #";

/// Such words.
const BESIDE_CONNECT: [&[u8]; 6] =
    [b"TwilioError", b" Room", b"Access Token", b"LocalTracks", b"group: 'signaling'", b"group: 'room'"];

/// Prefixes of SDK loggers.
const PREFIXES: [&[u8]; 20] = [
    b"Twilsock ",
    b"Conversations ",
    b"Chat Client ",
    b"Chat Session ",
    b"Sync D:",
    b"Sync W:",
    b"Sync E:",
    b"Sync I:",
    b"Notifications ",
    b"EMS D:",
    b"EMS W:",
    b"EMS E:",
    b"[TwilioVoice]",
    b"[TwilioConnection #",
    VIDEO_CONNECT,
    b"TNTwilsock",
    b"TVO",
    b"TVI",
    b"/TWC:",
    b"VoiceActivity",
];

/// Words that tell the product, the more special first.
const PRODUCTS: [(&[u8], Product); 43] = [
    (b"\"product\":\"data_sync\"", Product::Sync),
    (b"\"product\":\"ip_messaging\"", Product::Chat),
    (b"@twilio/conversations", Product::Chat),
    (b"twilio-chat", Product::Chat),
    (b"@twilio/voice-sdk", Product::Voice),
    (b"twilio-video", Product::Video),
    (b"twilio-client", Product::Voice),
    (b"twilio-taskrouter", Product::TaskRouter),
    (b"[TwilioVoice]", Product::Voice),
    (b"TwilioVoice", Product::Voice),
    (b"TwilioVideo", Product::Video),
    (b"TwilioConversations", Product::Chat),
    (b"TwilioChat", Product::Chat),
    (b"TwilioSync", Product::Sync),
    (b"com.twilio.voice", Product::Voice),
    (b"com.twilio.video", Product::Video),
    (b"com.twilio.chat", Product::Chat),
    (b"com.twilio.conversations", Product::Chat),
    (b"com.twilio.sync", Product::Sync),
    (b"ConversationsClient", Product::Chat),
    (b"Conversations Session", Product::Chat),
    (b"Conversations D:", Product::Chat),
    (b"Conversations W:", Product::Chat),
    (b"Conversations E:", Product::Chat),
    (b"Chat Client ", Product::Chat),
    (b"Chat Session ", Product::Chat),
    (b"Conversations Client", Product::Chat),
    (b"ChatClient", Product::Chat),
    (b"initFailed", Product::Chat),
    (b"ipmsg", Product::Chat),
    (b"SyncClient", Product::Sync),
    (b"VoiceActivity", Product::Voice),
    (b"VoiceClient", Product::Voice),
    (b"Twilio.Device", Product::Voice),
    (b"TVOError", Product::Voice),
    (b"TVOCall", Product::Voice),
    (b"TVIError", Product::Video),
    (b"sdkgw.", Product::Video),
    (b"[TwilioConnection #", Product::Video),
    (b"TaskRouter", Product::TaskRouter),
    (b"event-bridge.twilio.com", Product::TaskRouter),
    (b"Received event {\"event_type\"", Product::TaskRouter),
    (VIDEO_CONNECT, Product::Video),
];

/// Words that tell Sync unless another product is told: Chat and Conversations have Sync inside and print its lines.
const SYNC_INSIDE: [&[u8]; 5] = [b"Sync D:", b"Sync W:", b"Sync E:", b"Sync I:", b"twilio-sync"];

static PRINT_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(PRINTS.iter().map(|(phrase, _)| *phrase)));
static PREFIX_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(PREFIXES));
static PRODUCT_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(PRODUCTS.iter().map(|(word, _)| *word)));
static CONNECT_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(BESIDE_CONNECT));
static SYNC_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(SYNC_INSIDE));

/// A phrase of the print sequence, and its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phrase {
    /// Tells prints of the same place apart.
    pub index: usize,
    pub print: Print,
}

/// The SDK's own number, which says nothing of the server's: Sync gives 51130 whenever an update was refused.
pub(super) fn stands_in(number: u32, text: &[u8]) -> bool {
    number == 51130 && memmem::find(text, b"Updated token was rejected by server").is_some()
}

/// The phrase of the print sequence that a text holds.
pub(super) fn phrase(text: &[u8]) -> Option<Phrase> {
    let index = PRINT_WORDS.first(text)?;
    PRINTS.get(index).map(|(_, print)| Phrase { index, print: *print })
}

/// A call that waited for the connection failed with its refusal: Twilsock's `TransportUnavailableError: Unable to
/// connect: ` and the server's message.
pub(super) fn is_failed_call(phrase: Phrase) -> bool {
    PRINTS.get(phrase.index).is_some_and(|(text, _)| *text == b"TransportUnavailableError")
}

/// One of Twilio's SDKs printed this: by its phrases.
pub(super) fn is_print(text: &[u8]) -> bool {
    let mut from = 0;
    while let Some((start, _, index)) = PRINT_WORDS.next(text, from) {
        if PRINTS.get(index).is_some_and(|(phrase, _)| !ANYBODYS.contains(phrase)) {
            return true;
        }
        from = start + 1;
    }
    false
}

/// The connection that a text, of this product, tells of.
pub(super) fn transport(text: &[u8], product: Option<Product>) -> Option<Transport> {
    static TWILSOCK: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new(b"Twilsock"));
    if TWILSOCK.find(text).is_some() {
        return Some(Transport::Twilsock);
    }
    match product? {
        Product::Chat | Product::Sync => Some(Transport::Twilsock),
        Product::Voice => Some(Transport::Voice),
        Product::Video => Some(Transport::Video),
        Product::TaskRouter => Some(Transport::EventBridge),
        Product::Unknown => None,
    }
}

/// An SDK's logger wrote this.
pub(super) fn has_prefix(text: &[u8]) -> bool {
    prefix(text).is_some()
}

/// The index of the prefix, which tells an SDK's line from one of the application with the same words.
pub(super) fn prefix(text: &[u8]) -> Option<usize> {
    let (mut from, mut best) = (0, None::<usize>);
    while let Some((start, _, index)) = PREFIX_WORDS.next(text, from) {
        if begins_word(text, start) && is_of_sdk(PREFIXES.get(index), text) {
            best = Some(best.map_or(index, |best| best.min(index)));
        }
        from = start + 1;
    }
    best
}

/// The prefix, or word, is no one else's.
fn is_of_sdk(word: Option<&&[u8]>, text: &[u8]) -> bool {
    word.is_none_or(|word| *word != VIDEO_CONNECT) || CONNECT_WORDS.any(text)
}

/// Not in the middle of another word, such as the `TVI` of `INSUFFICIENTVIDEO`; an escaped line break is no word.
fn begins_word(text: &[u8], start: usize) -> bool {
    let before = text.get(..start).unwrap_or_default();
    !before.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        || [br"\n".as_slice(), br"\t", br"\r"].iter().any(|escape| before.ends_with(escape))
}

/// The product that an SDK's words tell.
pub(super) fn product(text: &[u8]) -> Option<Product> {
    let (word, product) = PRODUCTS.get(PRODUCT_WORDS.first(text)?)?;
    is_of_sdk(Some(word), text).then_some(*product)
}

/// The product whose SDK says on this line what it does, and has the application print what comes of it next.
pub(super) fn announced(line: &[u8]) -> Option<Product> {
    const LINES: [(&[u8], Product); 2] =
        [(b"'error' from Signaling layer for Worker", Product::TaskRouter), (b"[PStream] ", Product::Voice)];
    static WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(LINES.iter().map(|(phrase, _)| *phrase)));
    LINES.get(WORDS.first(line)?).map(|(_, product)| *product)
}

/// The product that is probable from an SDK's words; a stack trace through `twilio-sync` says nothing.
pub(super) fn probable_product(text: &[u8]) -> Option<Product> {
    let mut from = 0;
    while let Some((start, end, _)) = SYNC_WORDS.next(text, from) {
        if !text.get(..start).unwrap_or_default().ends_with(b"node_modules/") {
            return Some(Product::Sync);
        }
        from = end;
    }
    None
}
