//! What the table of keys says, for people: the reference page, the commented file, the settings in effect.

use std::fmt::Write as _;

use super::keys::{self, Fallback, Key};
use super::load::Config;
use super::problem::{Origin, line_of};
use super::settings::{Section, Settings};

/// The reference of all keys, in Markdown.
pub fn reference_page() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         <!-- Made by `kolejka config docs`; a test compares it. Edit the table of keys instead. -->\n\n\
         One TOML file, named by `--config` or `KOLEJKA_CONFIG`; without either, `/etc/kolejka/kolejka.toml` if it exists.\n\
         Everything is optional. Durations and sizes are texts with a unit (`\"30s\"`, `\"4MiB\"`); a bare number is refused.\n\
         `KiB`, `MiB`, `GiB` count by 1024, `kB`, `MB`, `GB` by 1000.\n\n\
         An environment variable overrides the file: `KOLEJKA__LIMITS__BODY=8MiB` is `limits.body`, and\n\
         `KOLEJKA__LISTENER__0__ADDRESS` is the address of the first listener. The command line overrides both.\n\
         `kolejka config check` finds mistakes, `kolejka config show` prints what holds and where it comes from.\n",
    );
    let mut table = None;
    for key in keys::all() {
        if table != Some(key.table()) {
            table = Some(key.table());
            let _ = write!(page, "\n## {}\n\n| key | value | default | |\n|---|---|---|---|\n", heading(key.table()));
        }
        let _ = writeln!(page, "| `{}` | {} | {} | {} |", key.name(), key.kind, default_of(key), key.doc.trim());
    }
    page.push_str(RIGHTS);
    page
}

/// What the rules of users mean.
const RIGHTS: &str = "
## Rights

A rule allows or denies rights on the destinations that its pattern means. What no rule allows is denied, and what a rule denies no other
allows. The ERROR names the right and the destination that it was missing on.

| right | what needs it |
|---|---|
| `read` | SUBSCRIBE, browsers, numbers, the list of what waits for its time; for a group or the queue of a virtual topic on the queue and on the topic, also to end it |
| `write` | SEND; `reply-to` of a job and `x-dead-letter` too, and where a move or redrive puts messages |
| `create` | a SEND, SUBSCRIBE, `reply-to`, `x-dead-letter`, schedule or move that names what is not there; a durable subscription, on its topics; the first retained message, on its topic |
| `manage` | purge, move, redrive, kick, pause and resume, and to remove schedules; to kick or cancel a job without a token of the scope `full` |

None includes another. A user who sends and receives needs `to = [\"read\", \"write\", \"create\"]`; with `read` and `write` alone he uses only what others have made. An
operator needs `manage`. Wildcards, browsers and what the broker makes by itself, such as dead-letter queues, need no `create`. `/job/<token>` needs no right: the token is the permission.

Rules for temporary destinations are written `/temp-queue/**`. `{user}` stands for the name of the user as one part of a destination;
a user whose name has a dot, a slash, a comma, a blank or a wildcard cannot have such a rule.

`/queue/DLQ.<name>` has the rules of `/queue/<name>`, for all but `write`, unless a rule begins with `DLQ` or has no wildcard. From a dead-letter queue that several queues share each
client gets only what came from where it may read. Events (`/topic/Kolejka.Job.<event>.<name>`, `/topic/ActiveMQ.Advisory.<kind>.Queue.<name>`) are told to those who may read
`/queue/<name>`, whatever is said about the topic; only `deny` is heard there too.

Users and rules are read again with SIGHUP and hold at once, for clients that are connected as well.
";

/// A file with every key, commented out, with its default.
pub fn commented_file() -> String {
    let mut file = String::from(
        "# Kolejka's configuration. Lines that begin with `#` and no blank are settings with their default, or with an example\n\
         # where there is none: take the `#` away from what you need, and from the table's name above it. Check the result\n\
         # with `kolejka config check FILE`.\n",
    );
    let mut table = "";
    for key in keys::all() {
        if table != key.table() {
            table = key.table();
            let _ = write!(file, "\n#{}\n", heading(table));
        }
        for line in wrap(key.doc.trim()) {
            let _ = writeln!(file, "# {line}");
        }
        let value = key.fallback.value().map_or_else(|| example(key.path).to_owned(), |value| value.to_string());
        let _ = writeln!(file, "#{} = {value}", key.name());
    }
    file
}

/// Every setting and where it comes from.
pub(super) fn effective(settings: &Settings, config: &Config, file: &str, text: &str) -> String {
    let mut shown = String::new();
    let show = |shown: &mut String, key: &Key, section: &Section| {
        let Some((value, origin)) = section.effective(key) else { return };
        let value = if key.is_secret() { "\"***\"".to_owned() } else { value.to_string() };
        let _ = writeln!(shown, "{} = {value}  # {}", key.name(), describe(&origin, file, text));
    };
    let mut table = "";
    let repeated = |table: &str| keys::REPEATED.contains(&table);
    for key in keys::all().filter(|key| !repeated(key.table())) {
        if table != key.table() {
            table = key.table();
            let _ = write!(shown, "\n[{table}]\n");
        }
        if key.path == "data" {
            let origin = describe(&settings.root.origin("data"), file, text);
            let _ = writeln!(shown, "data = {}  # {origin}", toml::Value::from(config.data.display().to_string()));
        } else {
            show(&mut shown, key, &settings.root);
        }
    }
    if settings.listeners.is_empty() {
        for listener in &config.listeners {
            let _ = write!(shown, "\n[[listener]]\naddress = \"{}\"  # default\n", listener.address);
        }
    }
    let entries = [
        ("listener", &settings.listeners),
        ("user", &settings.users),
        ("policy", &settings.policies),
        ("route", &settings.routes),
    ];
    for (table, sections) in entries {
        for section in sections {
            let _ = write!(shown, "\n[[{table}]]\n");
            keys::all().filter(|key| key.table() == table).for_each(|key| show(&mut shown, key, section));
        }
    }
    shown
}

fn describe(origin: &Origin, file: &str, text: &str) -> String {
    match origin {
        Origin::Default => "default".to_owned(),
        Origin::File(span) => format!("{file}:{}", line_of(text, span.start)),
        Origin::Environment(name) => name.clone(),
        Origin::CommandLine(option) => (*option).to_owned(),
    }
}

fn heading(table: &str) -> String {
    match table {
        "" => "Top of the file".to_owned(),
        table if keys::REPEATED.contains(&table) => format!("[[{table}]]"),
        table => format!("[{table}]"),
    }
}

fn default_of(key: &Key) -> String {
    match (key.fallback, key.fallback.value()) {
        (Fallback::Absent(text), _) => text.to_owned(),
        (_, Some(value)) => format!("`{value}`"),
        (_, None) => String::new(),
    }
}

/// What to write where there is no default.
fn example(path: &str) -> &'static str {
    match path {
        "data" => "\"/var/lib/kolejka\"",
        "listener.address" => "\"127.0.0.1:61613\"",
        "listener.tls.certificate" => "\"/etc/kolejka/cert.pem\"",
        "listener.tls.key" => "\"/etc/kolejka/key.pem\"",
        "user.name" => "\"web\"",
        "user.password" => "\"$argon2id$v=19$m=19456,t=2,p=1$…\"",
        "user.password_file" => "\"/run/secrets/web\"",
        "user.allow" => "[ { on = \"/queue/mail.**\", to = [\"read\", \"write\", \"create\"] } ]",
        "user.deny" => "[ { on = \"/queue/mail.private.**\", to = [\"read\"] } ]",
        "policy.match" => "\"/queue/mail.**\"",
        "policy.max_deliveries" => "5",
        "policy.dead_letter" => "\"DLQ.{name}\"",
        "policy.max_length" => "100_000",
        "limits.memory.total" | "policy.max_bytes" => "\"1GiB\"",
        "policy.overflow" => "\"drop-oldest\"",
        "policy.backoff" => "\"exp:1000:2:600000\"",
        "policy.on_exhaust" => "\"bury\"",
        "policy.expiry" => "\"3d\"",
        "policy.idle" => "\"1h\"",
        "policy.last_value_key" => "\"symbol\"",
        "policy.dead_letter_expired" | "policy.exclusive_consumer" | "policy.shared_keys" => "true",
        "policy.time_to_run" => "\"5min\"",
        "policy.groups" => "\"exclusive\"",
        "route.from" => "\"/queue/orders.**\"",
        "route.to" => "[\"/queue/audit\", \"/topic/orders\"]",
        "route.selector" => "\"amount > 1000\"",
        _ => "\"\"",
    }
}

/// Lines of at most 100 characters.
fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.len() - 1;
        if !lines[line].is_empty() && lines[line].len() + word.len() >= 100 {
            lines.push(word.to_owned());
        } else {
            if !lines[line].is_empty() {
                lines[line].push(' ');
            }
            lines[line].push_str(word);
        }
    }
    lines
}
