//! Who wrote a line, and what it is about, as hashes: enough to compare, nothing to leak.

/// An odd number with as many ones as zeros, in no order.
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

/// Parts of a writer's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Process id.
    Process,
    /// Host.
    Host,
    /// Logger or component: one of several within a process, or a thread of it.
    Logger,
    /// Thread.
    Thread,
    /// Container.
    Container,
    /// Pod.
    Pod,
    /// Client address.
    Client,
    /// Service or application.
    Program,
}

/// Kinds of ids that a line carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id {
    /// A request.
    Request,
    /// A message of the wire protocol.
    Message,
    /// A trace.
    Trace,
    /// A connection or session.
    Connection,
    /// An event that Twilio reports, by its SID.
    Event,
    /// The identity of the client.
    Identity,
    /// The `jti` of a token.
    Token,
    /// The SID of a Chat, Conversations or Sync service.
    Service,
}

/// What two lines say of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// They share something and contradict each other in nothing.
    Same,
    /// They share nothing.
    Unknown,
    /// They contradict each other.
    Different,
}

/// Who wrote a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Emitter([u64; 8]);

/// What a line is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ids([u64; 8]);

impl Emitter {
    /// Notes a part; the first value counts.
    pub fn note(&mut self, part: Part, value: &[u8]) {
        note(self.0.get_mut(part as usize), value);
    }

    /// Takes over what the other line says and this one does not.
    pub fn merge(&mut self, other: &Self) {
        fill(&mut self.0, &other.0);
    }

    /// Nothing names the writer.
    pub fn is_unknown(&self) -> bool {
        self.0.iter().all(|part| *part == 0)
    }

    /// One number for all parts that count; the same for the same writer.
    pub fn digest(&self) -> u64 {
        self.counting().iter().fold(0, |digest, part| fold(digest ^ part, MULTIPLIER))
    }

    /// The parts that tell writers apart: a thread, or a process, may have several loggers.
    fn counting(&self) -> [u64; 8] {
        let mut parts = self.0;
        let has = |part: Part| self.0.get(part as usize).is_some_and(|part| *part != 0);
        if (has(Part::Process) || has(Part::Thread))
            && let Some(logger) = parts.get_mut(Part::Logger as usize)
        {
            *logger = 0;
        }
        parts
    }

    /// Another process, host, container, pod or client; another logger or thread of one process is not elsewhere.
    pub fn is_elsewhere(&self, other: &Self) -> bool {
        let inside = [Part::Logger as usize, Part::Thread as usize, Part::Program as usize];
        let mut parts = self.0.iter().zip(&other.0).enumerate();
        parts.any(|(at, (a, b))| !inside.contains(&at) && *a != 0 && *b != 0 && a != b)
    }

    /// Another logger or thread, or elsewhere.
    pub fn is_aside(&self, other: &Self) -> bool {
        compare(&self.0, &other.0) == Likeness::Different
    }

    /// Compares two writers. Lines that name different parts of a writer (a process here, only a logger there) are not
    /// taken to be the same.
    pub fn likeness(&self, other: &Self) -> Likeness {
        let has = |parts: &[u64; 8], part: Part| parts.get(part as usize).is_some_and(|part| *part != 0);
        let both = |part| has(&self.0, part) && has(&other.0, part);
        // A process of one program says nothing of the logger of another.
        let (mine, theirs) = if both(Part::Process) || both(Part::Thread) {
            (self.counting(), other.counting())
        } else {
            (self.0, other.0)
        };
        let same_parts = mine.iter().zip(&theirs).all(|(a, b)| (*a == 0) == (*b == 0));
        match compare(&mine, &theirs) {
            Likeness::Same if same_parts => Likeness::Same,
            Likeness::Same | Likeness::Unknown => Likeness::Unknown,
            Likeness::Different => Likeness::Different,
        }
    }
}

impl Ids {
    /// Notes an id; the first value counts. What is no SID is no service.
    pub fn note(&mut self, id: Id, value: &[u8]) {
        if id == Id::Service && !is_service(value) {
            return;
        }
        note(self.0.get_mut(id as usize), value);
    }

    /// Takes over what the other line says and this one does not.
    pub fn merge(&mut self, other: &Self) {
        fill(&mut self.0, &other.0);
    }

    /// The ids that name one event, zero where there is none.
    pub fn events(&self) -> impl Iterator<Item = &u64> {
        self.0.iter().take(Id::Identity as usize)
    }

    /// Compares the ids that name one event: request, message, trace, connection and the event's own. The identity only tells events apart.
    pub fn likeness(&self, other: &Self) -> Likeness {
        let identity = Id::Identity as usize;
        let (mine, theirs) = (self.0.get(identity), other.0.get(identity));
        if let (Some(mine), Some(theirs)) = (mine, theirs)
            && *mine != 0
            && *theirs != 0
            && mine != theirs
        {
            return Likeness::Different;
        }
        compare(self.0.get(..identity).unwrap_or_default(), other.0.get(..identity).unwrap_or_default())
    }

    /// Both name the same event of Twilio's.
    pub fn same_event(&self, other: &Self) -> bool {
        self.digest(Id::Event).is_some_and(|event| other.digest(Id::Event) == Some(event))
    }

    /// A digest of what is noted, the same for the same value.
    pub fn digest(&self, id: Id) -> Option<u64> {
        self.0.get(id as usize).copied().filter(|noted| *noted != 0)
    }

    /// A value is the one that is noted.
    pub fn is(&self, id: Id, value: &[u8]) -> bool {
        self.0.get(id as usize).is_some_and(|noted| *noted == hash(value))
    }

    /// Names a token by its `jti`, or whose it is.
    pub fn names_token(&self) -> bool {
        [Id::Identity, Id::Token].iter().any(|id| self.0.get(*id as usize).is_some_and(|noted| *noted != 0))
    }

    /// Both name the same identity.
    pub fn same_identity(&self, other: &Self) -> bool {
        let identity = |ids: &Self| ids.0.get(Id::Identity as usize).copied().unwrap_or(0);
        identity(self) != 0 && identity(self) == identity(other)
    }

    /// Both name an identity, and not the same.
    pub fn other_identity(&self, other: &Self) -> bool {
        let identity = |ids: &Self| ids.0.get(Id::Identity as usize).copied().unwrap_or(0);
        identity(self) != 0 && identity(other) != 0 && identity(self) != identity(other)
    }
}

fn is_service(value: &[u8]) -> bool {
    value.strip_prefix(b"IS").is_some_and(|body| body.len() == 32 && body.iter().all(u8::is_ascii_hexdigit))
}

fn fill(mine: &mut [u64], theirs: &[u64]) {
    for (mine, theirs) in mine.iter_mut().zip(theirs) {
        if *mine == 0 {
            *mine = *theirs;
        }
    }
}

fn note(slot: Option<&mut u64>, value: &[u8]) {
    if let Some(slot) = slot
        && *slot == 0
    {
        *slot = hash(value);
    }
}

fn compare(a: &[u64], b: &[u64]) -> Likeness {
    let mut likeness = Likeness::Unknown;
    for (a, b) in a.iter().zip(b) {
        if *a != 0 && *b != 0 {
            if a != b {
                return Likeness::Different;
            }
            likeness = Likeness::Same;
        }
    }
    likeness
}

/// A digest, sixteen bytes at a time; never zero, which stands for "not there".
pub fn hash(value: &[u8]) -> u64 {
    let mut start = MULTIPLIER ^ value.len() as u64;
    let (blocks, value) = value.as_chunks::<64>();
    if !blocks.is_empty() {
        // Of a long value, four parts of each block side by side: none waits for the others.
        let mut lanes = [start; 4];
        for block in blocks {
            for (lane, pair) in lanes.iter_mut().zip(block.as_chunks().0) {
                *lane = mix(*lane, pair);
            }
        }
        start = lanes.iter().fold(start, |hash, lane| fold(hash ^ lane, MULTIPLIER));
    }
    let (pairs, rest) = value.as_chunks();
    let mut last = [0; 16];
    if let Some(start) = last.get_mut(..rest.len()) {
        start.copy_from_slice(rest);
    }
    let hash = pairs.iter().chain([&last]).fold(start, mix);
    fold(hash, MULTIPLIER).max(1)
}

/// A digest with sixteen bytes more.
fn mix(hash: u64, pair: &[u8; 16]) -> u64 {
    let pair = u128::from_le_bytes(*pair);
    fold(low(pair) ^ MULTIPLIER, low(pair >> 64) ^ hash)
}

/// Mixes two numbers: both halves of their product.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    low(product) ^ low(product >> 64)
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is wanted")]
const fn low(wide: u128) -> u64 {
    wide as u64
}

/// What a field's key says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Time,
    /// When a line was read by a collector: its time if it names none itself.
    Observed,
    Emitter(Part),
    Id(Id),
    /// An `id` that counts only if it looks like one of the wire protocol.
    Message,
    Product,
}

/// The role of a key, written in any case and with any separators, within the keys of the objects around it; the `id` of
/// a `request` is a request id.
pub(super) fn role(key: &[u8], parents: &[&[u8]]) -> Option<Role> {
    let of_parent = parents.last().and_then(|parent| {
        let is_time = matches!(key, b"seconds" | b"timestamp");
        if !is_time && key != b"id" {
            return None;
        }
        let role = folded_role([parent, key], parents.len() - 1)?;
        (if is_time { role == Role::Time } else { matches!(role, Role::Id(_)) }).then_some(role)
    });
    of_parent.or_else(|| if may_have_role(key) { folded_role([b"", key], parents.len()) } else { None })
}

/// Most keys begin with a letter with which no key of a role begins, or are shorter than any of these.
fn may_have_role(key: &[u8]) -> bool {
    /// By first letter, the length of the shortest key of a role; 0 if there is none.
    const SHORTEST: [u8; 26] = [3, 0, 6, 4, 5, 0, 0, 4, 2, 3, 0, 6, 11, 4, 20, 3, 0, 5, 3, 1, 4, 0, 0, 10, 0, 0];
    let Some(first) = key.first().filter(|first| first.is_ascii_alphanumeric()) else { return true };
    let shortest = SHORTEST.get(usize::from(first.to_ascii_lowercase().wrapping_sub(b'a')));
    shortest.is_some_and(|shortest| *shortest > 0 && key.len() >= usize::from(*shortest))
}

/// What stands for a byte of a key: letters and digits for themselves, in small letters.
#[expect(clippy::indexing_slicing, reason = "every byte has a place")]
const FOLDED: [u8; 256] = {
    let mut folded = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            folded[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    folded
};

fn folded_role(key: [&[u8]; 2], depth: usize) -> Option<Role> {
    let mut folded = [0_u8; 24];
    let mut length = 0;
    for part in key {
        for byte in part {
            let letter = FOLDED.get(usize::from(*byte)).copied().unwrap_or(0);
            *folded.get_mut(length)? = letter;
            length += usize::from(letter != 0);
        }
    }
    let role = match folded.get(..length)? {
        b"time"
        | b"timestamp"
        | b"ts"
        | b"t"
        | b"date"
        | b"datetime"
        | b"asctime"
        | b"timemillis"
        | b"eventtime"
        | b"epoch"
        | b"epochtime"
        | b"epochsecond"
        | b"epochms"
        | b"epochmillis"
        | b"timems"
        | b"timeus"
        | b"timens"
        | b"tsms"
        | b"tsus"
        | b"tsns"
        | b"realtimetimestamp"
        | b"sourcerealtimetimestamp"
        | b"datecreated"
        | b"dategenerated"
        | b"timegenerated"
        | b"timestampms"
        | b"timestampinms"
        | b"timestampmillis"
        | b"timestampseconds"
        | b"timetimestamp"
        | b"starteddatetime"
            if depth <= 1 =>
        {
            Role::Time
        }
        // OpenTelemetry keeps its records in lists of lists.
        b"timeunixnano" => Role::Time,
        b"observedtimeunixnano" => Role::Observed,
        b"pid" | b"processid" | b"process" | b"syslogpid" if depth <= 1 => Role::Emitter(Part::Process),
        b"host" | b"hostname" | b"machinename" | b"server" if depth <= 1 => Role::Emitter(Part::Host),
        b"name" | b"logger" | b"loggername" | b"sourcecontext" | b"component" | b"category" if depth == 0 => {
            Role::Emitter(Part::Logger)
        }
        b"service" | b"svc" | b"app" | b"syslogidentifier" if depth == 0 => Role::Emitter(Part::Program),
        b"thread" | b"threadname" | b"threadid" if depth <= 1 => Role::Emitter(Part::Thread),
        b"container" | b"containerid" | b"dockerid" if depth <= 1 => Role::Emitter(Part::Container),
        b"pod" | b"podid" if depth <= 1 => Role::Emitter(Part::Pod),
        // Collectors put labels into an object of their own.
        b"logstreamname" | b"logstream" if depth == 0 => Role::Emitter(Part::Container),
        b"containername" if depth <= 2 => Role::Emitter(Part::Container),
        b"podname" if depth <= 2 => Role::Emitter(Part::Pod),
        // What a pod is to a cluster, a unit is to systemd.
        b"systemdunit" | b"systemduserunit" if depth == 0 => Role::Emitter(Part::Pod),
        b"client" | b"clientip" | b"clientaddress" | b"remoteaddr" | b"remoteaddress" | b"peer" | b"ip"
            if depth <= 1 =>
        {
            Role::Emitter(Part::Client)
        }
        b"reqid" | b"requestid" | b"xrequestid" | b"correlationid" | b"requestsid" => Role::Id(Id::Request),
        b"traceid" | b"trace" | b"spanid" if depth <= 1 => Role::Id(Id::Trace),
        b"connection" | b"connectionid" | b"connid" | b"socketid" | b"sessionid" if depth <= 1 => {
            Role::Id(Id::Connection)
        }
        b"identity" | b"user" | b"userid" | b"username" | b"useridentity" | b"clientidentity" if depth <= 1 => {
            Role::Id(Id::Identity)
        }
        b"servicesid" | b"chatservicesid" | b"syncservicesid" | b"serviceinstancesid" | b"instancesid" => {
            Role::Id(Id::Service)
        }
        b"jti" | b"tokenid" => Role::Id(Id::Token),
        b"id" if depth <= 1 => Role::Message,
        b"product" | b"twilioproduct" | b"productname" => Role::Product,
        _ => return None,
    };
    Some(role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_of_a_role_is_passed_over() {
        for key in [
            "time",
            "timestamp",
            "ts",
            "t",
            "date",
            "datetime",
            "asctime",
            "timeMillis",
            "eventTime",
            "epochSecond",
            "__REALTIME_TIMESTAMP",
            "_SOURCE_REALTIME_TIMESTAMP",
            "dateCreated",
            "timeUnixNano",
            "observedTimeUnixNano",
            "pid",
            "process_id",
            "process",
            "SYSLOG_PID",
            "host",
            "hostname",
            "machineName",
            "server",
            "name",
            "logger",
            "loggerName",
            "SourceContext",
            "component",
            "category",
            "service",
            "svc",
            "app",
            "SYSLOG_IDENTIFIER",
            "thread",
            "threadName",
            "container",
            "container_id",
            "dockerId",
            "pod",
            "podId",
            "logStreamName",
            "logStream",
            "_SYSTEMD_UNIT",
            "client",
            "clientIp",
            "remote_addr",
            "peer",
            "ip",
            "reqId",
            "request_id",
            "x-request-id",
            "correlationId",
            "trace_id",
            "trace",
            "spanId",
            "connection",
            "connId",
            "socketId",
            "sessionId",
            "identity",
            "user",
            "userId",
            "username",
            "service_sid",
            "chatServiceSid",
            "instanceSid",
            "jti",
            "tokenId",
            "id",
            "product",
            "twilioProduct",
            "productName",
            "Time",
            "@timestamp",
            "_PID",
        ] {
            let has_role = folded_role([b"", key.as_bytes()], 0).is_some();
            assert_eq!(role(key.as_bytes(), &[]).is_some(), has_role, "{key}");
            assert!(has_role || key == "instanceSid", "{key}");
        }
        for key in ["level", "code", "msg", "token", "error", "00", "", "-"] {
            assert_eq!(role(key.as_bytes(), &[]), None, "{key}");
        }
    }
}
