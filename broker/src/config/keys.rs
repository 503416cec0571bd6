//! The names of the file: each key once, with what it may be, what holds without it, and what it is for. Reading,
//! suggestions, the reference page and the commented file all come from this table.

use std::time::Duration;

use super::limits::LIMITS;
use super::route;
use super::value::{Kind, Value};
use crate::destination::Overflow;

/// One key. Keys of the repeated tables carry the table's name in front: `listener.address`.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    pub(super) fallback: Fallback,
    pub(super) doc: &'static str,
}

/// What holds if a key is not written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fallback {
    /// Nothing; the text says what that means.
    Absent(&'static str),
    Switch(bool),
    Count(u32),
    Size(u64),
    Time(Duration),
    Text(&'static str),
    Words(&'static [&'static str]),
}

impl Fallback {
    /// The value, if there is one.
    pub(super) fn value(self) -> Option<Value> {
        Some(match self {
            Fallback::Absent(_) => return None,
            Fallback::Switch(switch) => Value::Switch(switch),
            Fallback::Count(count) => Value::Count(count),
            Fallback::Size(octets) => Value::Size(octets),
            Fallback::Time(time) => Value::Time(time),
            Fallback::Text(text) => Value::Text(text.to_owned()),
            Fallback::Words(words) => Value::List(words.iter().map(|word| (*word).to_owned()).collect()),
        })
    }
}

/// The tables that may be repeated, `[[listener]]` and so on.
pub(super) const REPEATED: [&str; 4] = ["listener", "user", "policy", "route"];

/// Keys whose values are never shown.
const SECRET: [&str; 1] = ["user.password"];

const SECOND: Duration = Duration::from_secs(1);

const GENERAL: &[Key] = &[
    Key {
        path: "data",
        kind: Kind::Text,
        fallback: Fallback::Absent("/var/lib/kolejka for root, else $XDG_DATA_HOME/kolejka or ~/.local/share/kolejka"),
        doc: " Directory of the journal. A relative one starts at the directory of the file.",
    },
    Key {
        path: "server",
        kind: Kind::Text,
        fallback: Fallback::Text("kolejka"),
        doc: " What the header `server` of CONNECTED says. Some libraries choose their dialect by it.",
    },
];

const LISTENER: &[Key] = &[
    Key {
        path: "listener.address",
        kind: Kind::Text,
        fallback: Fallback::Absent("required"),
        doc: " IP address and port, such as \"127.0.0.1:61613\" or \"[::]:61613\". Port 0 takes a free one.",
    },
    Key {
        path: "listener.protocols",
        kind: Kind::List,
        fallback: Fallback::Words(&["stomp", "websocket"]),
        doc: " What is spoken here; they are told apart by the first octets. TLS is spoken as soon as `tls` is given.",
    },
    Key {
        path: "listener.tls.certificate",
        kind: Kind::Text,
        fallback: Fallback::Absent("no TLS"),
        doc: " File of the certificate chain, PEM.",
    },
    Key {
        path: "listener.tls.key",
        kind: Kind::Text,
        fallback: Fallback::Absent("no TLS"),
        doc: " File of its private key, PEM.",
    },
    Key {
        path: "listener.anonymous",
        kind: Kind::Switch,
        fallback: Fallback::Switch(false),
        doc: " With users: whether clients without a login may come in here, with the rights of the user `anonymous`. All who \
              reach the listener may then, also through a proxy on this machine. Without users everybody is anonymous, on \
              loopback listeners only, and may do everything.",
    },
    Key {
        path: "listener.allow_plaintext",
        kind: Kind::Switch,
        fallback: Fallback::Switch(false),
        doc: " Needed in words for a listener beyond loopback to speak without TLS.",
    },
    Key {
        path: "listener.origins",
        kind: Kind::List,
        fallback: Fallback::Words(&[]),
        doc: " Origins of web pages that may open a WebSocket, besides that of the listener's own host and port. Without users \
              pages of every port of its host may.",
    },
    Key {
        path: "listener.require_origin",
        kind: Kind::Switch,
        fallback: Fallback::Switch(false),
        doc: " Whether a WebSocket without an Origin is refused. Browsers always send one, programs seldom.",
    },
    Key {
        path: "listener.trailing_lf",
        kind: Kind::Switch,
        fallback: Fallback::Switch(true),
        doc: " Whether a line feed follows the NUL of each frame. Some old clients need it, none is known to mind.",
    },
];

const USER: &[Key] = &[
    Key {
        path: "user.name",
        kind: Kind::Text,
        fallback: Fallback::Absent("required"),
        doc: " The login. `anonymous` is whoever has none, and needs no password.",
    },
    Key {
        path: "user.password",
        kind: Kind::Text,
        fallback: Fallback::Absent("required, or `password_file`"),
        doc: " An Argon2 hash; `kolejka user hash` prints it.",
    },
    Key {
        path: "user.password_file",
        kind: Kind::Text,
        fallback: Fallback::Absent("none"),
        doc: " A file that holds that hash, for secrets that are mounted as files.",
    },
    Key {
        path: "user.allow",
        kind: Kind::Rules,
        fallback: Fallback::Absent("nothing is allowed"),
        doc: " What the user may do: `{ on = \"/queue/mail.**\", to = [\"read\", \"write\", \"create\"] }`. `*` stands for one part of \
              a name, `**` for the rest of it, `{user}` for the name of the user. The rights are read, write, create and manage; see below.",
    },
    Key {
        path: "user.deny",
        kind: Kind::Rules,
        fallback: Fallback::Absent("nothing more is denied"),
        doc: " What the user may not do, whatever `allow` says.",
    },
];

const POLICY: &[Key] = &[
    Key {
        path: "policy.match",
        kind: Kind::Text,
        fallback: Fallback::Absent("required"),
        doc: " Pattern of the destinations that this is about. Of several that match, the last one wins, key by key.",
    },
    Key {
        path: "policy.max_deliveries",
        kind: Kind::Count(1, 65_535),
        fallback: Fallback::Absent("`limits.deliveries`"),
        doc: " Deliveries of one message before it goes to the dead-letter queue.",
    },
    Key {
        path: "policy.dead_letter",
        kind: Kind::Text,
        fallback: Fallback::Absent("\"DLQ.{name}\""),
        doc: " Queue for messages that could not be processed; `{name}` is the name of the queue they come from.",
    },
    Key {
        path: "policy.max_length",
        kind: Kind::Count(1, 1_000_000_000),
        fallback: Fallback::Absent("`limits.queue.messages`"),
        doc: " Messages of one queue; beyond it, a SEND is refused.",
    },
    Key {
        path: "policy.max_bytes",
        kind: Kind::Size(1 << 10, 1 << 40),
        fallback: Fallback::Absent("`limits.queue.bytes`"),
        doc: " Octets of one queue; beyond it, a SEND is refused.",
    },
    Key {
        path: "policy.overflow",
        kind: Kind::Word(&Overflow::WORDS),
        fallback: Fallback::Absent("\"refuse\""),
        doc: " What a full queue does: `refuse` a SEND, or `drop-oldest`, which drops what has waited longest although it \
              was acknowledged to its sender; one full of delayed and buried messages refuses all the same.",
    },
    Key {
        path: "policy.backoff",
        kind: Kind::Text,
        fallback: Fallback::Absent("\"exp:1000:2:600000\""),
        doc: " How long a message waits after a NACK, in milliseconds: `fixed:ms`, or `exp:ms:factor:max`, which grows from \
              `ms` by `factor` to `max` and varies by a fifth. `fixed:0` is at once. A message's own `x-backoff` comes first, \
              the `x-delay` of the NACK before both.",
    },
    Key {
        path: "policy.on_exhaust",
        kind: Kind::Word(&["dlq", "bury", "drop"]),
        fallback: Fallback::Absent("\"dlq\""),
        doc: " What becomes of a message whose deliveries are used up: it goes to the dead-letter queue, stays buried in its own \
              until somebody kicks it, or is dropped.",
    },
    Key {
        path: "policy.expiry",
        kind: Kind::Time(Duration::from_millis(1), Duration::from_secs(365 * 86_400)),
        fallback: Fallback::Absent("no limit"),
        doc: " Longest time from the arrival of a message until somebody takes it. Its sender may say less by `expires`, `ttl` or \
              `expiration`, not more.",
    },
    Key {
        path: "policy.dead_letter_expired",
        kind: Kind::Switch,
        fallback: Fallback::Absent("false"),
        doc: " Whether messages that have expired go to the dead-letter queue instead of being dropped.",
    },
    Key {
        path: "policy.time_to_run",
        kind: Kind::Time(Duration::from_millis(100), Duration::from_secs(12 * 3600)),
        fallback: Fallback::Absent("no limit"),
        doc: " How long a consumer may keep a message unacknowledged before it goes back to its place and counts as failed. The \
              `x-ttr` of the message comes first, that of the SUBSCRIBE before both.",
    },
    Key {
        path: "policy.groups",
        kind: Kind::Word(&["sticky", "exclusive"]),
        fallback: Fallback::Absent("\"sticky\""),
        doc: " Who gets messages with a `JMSXGroupID`: `sticky`, all of a group go to one consumer as long as it is there; \
              `exclusive`, nothing of a group goes out while somebody else holds something of it, and nothing before what has \
              failed is done.",
    },
    Key {
        path: "policy.exclusive_consumer",
        kind: Kind::Switch,
        fallback: Fallback::Absent("false"),
        doc: " Whether one consumer at a time is served and the next in line follows, as if each had said `exclusive:true`. Holds for \
              those who subscribe from then on.",
    },
    Key {
        path: "policy.idle",
        kind: Kind::Time(Duration::from_secs(1), Duration::from_secs(365 * 86_400)),
        fallback: Fallback::Absent("`limits.destination_idle`"),
        doc: " How long a queue is kept that is empty and that nobody reads by its name.",
    },
    Key {
        path: "policy.last_value_key",
        kind: Kind::Text,
        fallback: Fallback::Absent("every message stays"),
        doc: " Header by whose value a newer message replaces an older one of the queue that no consumer holds. A message without it \
              may say `_AMQ_LVQ_NAME` instead.",
    },
    Key {
        path: "policy.shared_keys",
        kind: Kind::Switch,
        fallback: Fallback::Absent("false"),
        doc: " Whether keys (`x-unique`, `idempotency-key`, `x-job-token`) are those of all users together. Else the key of one user \
              is another than that of the next: nobody finds, replaces or stops what others have sent.",
    },
];

const OPERATION: &[Key] = &[
    Key {
        path: "heart_beat.min",
        kind: Kind::Time(Duration::from_millis(100), Duration::from_secs(3600)),
        fallback: Fallback::Time(SECOND),
        doc: " The shortest interval that is agreed to; a client that asks for less gets this.",
    },
    Key {
        path: "heart_beat.max",
        kind: Kind::Time(SECOND, Duration::from_secs(86_400)),
        fallback: Fallback::Time(Duration::from_secs(300)),
        doc: " The longest interval that is agreed to.",
    },
    Key {
        path: "log.format",
        kind: Kind::Word(&["auto", "pretty", "compact", "json"]),
        fallback: Fallback::Text("auto"),
        doc: " How log lines look. `auto` is pretty on a terminal and compact elsewhere.",
    },
    Key {
        path: "log.level",
        kind: Kind::Text,
        fallback: Fallback::Text("info"),
        doc: " error, warn, info, debug or trace, also by module as in \"info,kolejka::journal=debug\". KOLEJKA_LOG overrides it.",
    },
    Key {
        path: "shutdown.timeout",
        kind: Kind::Time(Duration::ZERO, Duration::from_secs(3600)),
        fallback: Fallback::Time(Duration::from_secs(10)),
        doc: " How long a stop waits for acknowledgements and receipts.",
    },
];

/// All keys, in the order of the reference page.
pub(super) fn all() -> impl Iterator<Item = &'static Key> {
    [GENERAL, LISTENER, USER, POLICY, route::KEYS, LIMITS, OPERATION].into_iter().flatten()
}

/// The key with that path.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    all().find(|key| key.path == path)
}

/// Whether keys lie below that path.
pub(super) fn is_section(path: &str) -> bool {
    all().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// The names that may stand directly below a section; the empty one is the file itself.
pub(super) fn names_in(section: &str) -> Vec<&'static str> {
    let mut names: Vec<&str> = Vec::new();
    for key in all() {
        let below = if section.is_empty() {
            Some(key.path)
        } else {
            key.path.strip_prefix(section).and_then(|rest| rest.strip_prefix('.'))
        };
        if let Some(name) = below.and_then(|path| path.split('.').next())
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

impl Key {
    /// Whether its value must not be shown.
    pub(super) fn is_secret(&self) -> bool {
        SECRET.contains(&self.path)
    }

    /// The table it stands in; empty for the top of the file.
    pub(super) fn table(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(table, _)| table)
    }

    /// Its name inside that table.
    pub(super) fn name(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(_, name)| name)
    }
}
