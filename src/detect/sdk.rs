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
const PRINTS: [(&[u8], Print); 34] = [
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
    (b"JWTTokenExpir", Print::Error),
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

/// The connection of Conversations, Chat and Sync.
const TWILSOCK: &[u8] = b"Twilsock";

/// Words that tell Sync unless another product is told: Chat and Conversations have Sync inside and print its lines.
const SYNC_INSIDE: [&[u8]; 5] = [b"Sync D:", b"Sync W:", b"Sync E:", b"Sync I:", b"twilio-sync"];

static CONNECT_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(BESIDE_CONNECT));

/// What a word of an SDK tells; numbers are places in the lists.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Print(usize),
    Prefix(usize),
    Product(usize),
    Sync,
    Twilsock,
}

/// The search for words of SDKs: for keys in them, of which it can take so many, and there for whole words.
struct Vocabulary {
    keys: Words,
    /// By key, the words that have it.
    words: Vec<Vec<Word>>,
    short_beginning: memmem::Finder<'static>,
    short: Vec<Word>,
}

/// A word.
#[derive(Clone, Copy, Debug)]
struct Word {
    text: &'static [u8],
    /// Where its key begins.
    key: usize,
    /// What it tells.
    kind: Kind,
}

/// What the vectorised search can take.
const KEYS_MAX: usize = 64;

/// By so many bytes of each key the vectorised search finds it.
const KEY_BYTES: usize = 4;

/// Beginnings that many words of any log have: the keys of words that begin so are what follows on so many bytes.
const COMMON: [(&[u8], usize); 20] = [
    (b"twilio", 4),
    (b"Twilio", 4),
    (b"Twils", 3),
    (b"connection closed", 10),
    (b"Server closed", 6),
    (b"ConnectionError", 8),
    (b"message received", 16),
    (b"receive reply", 7),
    (b"Received event", 14),
    (b"Received error", 13),
    (b"Token update", 5),
    (b"httpStatus", 3),
    (b"originalError", 6),
    (b"\"product\":\"d", 15),
    (b"\"product\":\"i", 13),
    (b"AuthenticationFailed", 12),
    (b"AccessToken", 9),
    (b"com.twilio", 8),
    (b"event-", 5),
    (b"initFailed", 2),
];

/// What the few words begin with that are not as long: they are searched for apart.
const SHORT_BEGINNING: &[u8] = b"TV";

static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let prints = (0..).zip(PRINTS).map(|(at, (text, _))| Word::new(text, Kind::Print(at)));
    let prefixes = (0..).zip(PREFIXES).map(|(at, text)| Word::new(text, Kind::Prefix(at)));
    let products = (0..).zip(PRODUCTS).map(|(at, (text, _))| Word::new(text, Kind::Product(at)));
    let inside = SYNC_INSIDE.into_iter().map(|text| Word::new(text, Kind::Sync));
    let twilsock = [Word::new(TWILSOCK, Kind::Twilsock)];
    Vocabulary::new(prints.chain(prefixes).chain(products).chain(inside).chain(twilsock))
});

impl Word {
    fn new(text: &'static [u8], kind: Kind) -> Self {
        let common = COMMON.iter().find(|(beginning, _)| text.starts_with(beginning));
        Self { text, key: common.map_or(0, |(_, length)| *length), kind }
    }

    fn key(&self) -> &'static [u8] {
        self.text.get(self.key..).unwrap_or_default()
    }
}

impl Vocabulary {
    fn new(words: impl Iterator<Item = Word>) -> Self {
        let (words, short): (Vec<Word>, Vec<Word>) = words.partition(|word| word.text.len() >= KEY_BYTES);
        // The longer the keys, the fewer other words have them.
        let mut keys: Vec<&[u8]> = Vec::new();
        for length in (KEY_BYTES..12).rev() {
            keys = words.iter().map(|word| word.key().get(..length).unwrap_or(word.key())).collect();
            keys.sort_unstable();
            // Whatever begins with a shorter one of them is found by that.
            keys.dedup_by(|longer, kept| longer.starts_with(kept));
            if keys.len() <= KEYS_MAX {
                break;
            }
        }
        let of = |key: &&[u8]| words.iter().filter(|word| word.key().starts_with(key)).copied().collect();
        Self {
            words: keys.iter().map(of).collect(),
            keys: Words::new(keys),
            short_beginning: memmem::Finder::new(SHORT_BEGINNING),
            short,
        }
    }

    /// Visits all words in a text, each with its position.
    fn visit(&self, text: &[u8], mut visit: impl FnMut(usize, &'static [u8], Kind)) {
        let mut visit_at = |at: usize, words: &[Word]| {
            for word in words {
                let start = at
                    .checked_sub(word.key)
                    .filter(|start| text.get(*start..).is_some_and(|rest| rest.starts_with(word.text)));
                if let Some(start) = start {
                    visit(start, word.text, word.kind);
                }
            }
        };
        let mut from = 0;
        while let Some((at, _, key)) = self.keys.next(text, from) {
            from = at + 1;
            visit_at(at, self.words.get(key).map_or(&[], Vec::as_slice));
        }
        self.short_beginning.find_iter(text).for_each(|at| visit_at(at, &self.short));
    }
}

/// What the words of SDKs in a text tell.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    /// The phrase of the print sequence.
    pub phrase: Option<Phrase>,
    /// One of Twilio's SDKs printed this: by its phrases.
    pub is_print: bool,
    /// The index of the prefix of an SDK's logger, which tells its line from one of the application with the same words.
    pub prefix: Option<usize>,
    /// The product.
    pub product: Option<Product>,
    /// The product that is probable; a stack trace through `twilio-sync` says nothing.
    pub probable_product: Option<Product>,
    /// It names the connection of Conversations, Chat and Sync.
    pub names_twilsock: bool,
}

impl Told {
    /// One of Twilio's SDKs, or its logger, printed this.
    pub(super) const fn is_of_sdk(&self) -> bool {
        self.is_print || self.prefix.is_some()
    }
}

/// Reads the words of SDKs in a text.
pub(super) fn told(text: &[u8]) -> Told {
    let (mut told, mut print, mut product) = (Told::default(), None::<usize>, None::<usize>);
    // Of the words that a text holds, the first of the list counts.
    let first = |known: Option<usize>, at: usize| Some(known.map_or(at, |known| known.min(at)));
    VOCABULARY.visit(text, |start, word, kind| match kind {
        Kind::Print(at) => {
            print = first(print, at);
            told.is_print |= !ANYBODYS.contains(&word);
        }
        Kind::Prefix(at) if begins_word(text, start) && is_own_word(word, text) => {
            told.prefix = first(told.prefix, at);
        }
        Kind::Product(at) if is_own_word(word, text) => product = first(product, at),
        Kind::Prefix(_) | Kind::Product(_) => {}
        Kind::Sync if text.get(..start).unwrap_or_default().ends_with(b"node_modules/") => {}
        Kind::Sync => told.probable_product = Some(Product::Sync),
        Kind::Twilsock => told.names_twilsock = true,
    });
    told.phrase = print.and_then(|index| PRINTS.get(index).map(|(_, print)| Phrase { index, print: *print }));
    told.product = product.and_then(|at| PRODUCTS.get(at).map(|(_, product)| *product));
    told
}

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

/// A call that waited for the connection failed with its refusal: Twilsock's `TransportUnavailableError: Unable to
/// connect: ` and the server's message.
pub(super) fn is_failed_call(phrase: Phrase) -> bool {
    PRINTS.get(phrase.index).is_some_and(|(text, _)| *text == b"TransportUnavailableError")
}

/// The connection that a text, of this product, tells of.
pub(super) fn transport(told: &Told, product: Option<Product>) -> Option<Transport> {
    if told.names_twilsock {
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

/// The word is no one else's.
fn is_own_word(word: &[u8], text: &[u8]) -> bool {
    word != VIDEO_CONNECT || CONNECT_WORDS.any(text)
}

/// Not in the middle of another word, such as the `TVI` of `INSUFFICIENTVIDEO`; an escaped line break is no word.
fn begins_word(text: &[u8], start: usize) -> bool {
    let before = text.get(..start).unwrap_or_default();
    !before.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        || [br"\n".as_slice(), br"\t", br"\r"].iter().any(|escape| before.ends_with(escape))
}

/// The product whose SDK says on this line what it does, and has the application print what comes of it next.
pub(super) fn announced(line: &[u8]) -> Option<Product> {
    const LINES: [(&[u8], Product); 2] =
        [(b"'error' from Signaling layer for Worker", Product::TaskRouter), (b"[PStream] ", Product::Voice)];
    static WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(LINES.iter().map(|(phrase, _)| *phrase)));
    LINES.get(WORDS.first(line)?).map(|(_, product)| *product)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_by_its_key() {
        assert!((1..=KEYS_MAX).contains(&VOCABULARY.words.len()));
        assert!(VOCABULARY.words.iter().flatten().all(|word| word.key().len() >= KEY_BYTES));
        assert!(VOCABULARY.short.iter().all(|word| word.text.starts_with(SHORT_BEGINNING)));
        let text = |word: &[u8]| [b"x ", word, b" x"].concat();
        for (index, (word, print)) in (0..).zip(PRINTS) {
            assert_eq!(told(&text(word)).phrase, Some(Phrase { index, print }), "{}", String::from_utf8_lossy(word));
            assert_eq!(told(&text(word)).is_print, !ANYBODYS.contains(&word));
        }
        let beside =
            |word: &'static [u8]| if word == VIDEO_CONNECT { [word, b" Room"].concat() } else { word.to_vec() };
        for (index, word) in (0..).zip(PREFIXES) {
            assert_eq!(told(&text(&beside(word))).prefix, Some(index), "{}", String::from_utf8_lossy(word));
            assert_eq!(told(&[b"x".as_slice(), word].concat()).prefix.filter(|_| word[0].is_ascii_alphabetic()), None);
        }
        for (word, product) in PRODUCTS {
            assert_eq!(told(&text(&beside(word))).product, Some(product), "{}", String::from_utf8_lossy(word));
        }
        for word in SYNC_INSIDE {
            assert_eq!(told(&text(word)).probable_product, Some(Product::Sync));
            assert_eq!(told(&[b"node_modules/", word].concat()).probable_product, None);
        }
        assert!(told(b"xTwilsockx").names_twilsock);
    }

    #[test]
    fn of_several_words_the_first_of_the_list_counts() {
        let told = told(b"TVOError VoiceClient Error Emitting connectionError originalError ipmsg");
        assert_eq!((told.product, told.phrase.map(|phrase| phrase.print)), (Some(Product::Chat), Some(Print::Event)));
    }
}
