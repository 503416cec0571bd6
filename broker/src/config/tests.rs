//! What is accepted, what is refused and how it is said.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::auth::{Action, Authenticator, Credentials, Peer, Secret, hash_password};
use crate::destination::Overflow;
use crate::model::DestinationName;

/// Files by path.
#[derive(Default)]
struct Shelf(HashMap<PathBuf, String>);

impl Files for Shelf {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.0.get(path).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    /// As the name of the file says: `key-0640-0.pem` has that mode and belongs to user 0.
    fn access(&self, path: &Path) -> io::Result<Access> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let mut parts = name.split('-').skip(1);
        let (mode, owner) = (parts.next().unwrap_or("0600"), parts.next().unwrap_or("1000"));
        Ok(Access { mode: u32::from_str_radix(mode, 8).unwrap(), owner: owner.parse().unwrap() })
    }
}

fn sources(text: &str) -> Sources {
    Sources {
        file: Some((PathBuf::from("/etc/k/kolejka.toml"), text.to_owned())),
        home: Home { is_root: true, ..Home::default() },
        ..Sources::default()
    }
}

fn load(text: &str) -> Result<Config, ConfigError> {
    Loaded::from_sources(&sources(text), &Shelf::default()).map(|loaded| loaded.config)
}

fn accept(text: &str) -> Config {
    load(text).unwrap_or_else(|error| panic!("{error}"))
}

/// All that is wrong, a line each.
fn refuse(text: &str) -> String {
    load(text).unwrap_err().to_string()
}

fn with_environment(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Loaded::from_sources(&Sources { environment, ..sources(text) }, &Shelf::default())
}

#[test]
fn an_empty_file_means_the_defaults() {
    let config = accept("");
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.listeners, ListenerConfig::defaults());
    assert_eq!(config.listeners[0].address.to_string(), "127.0.0.1:61613");
    assert_eq!(config.listeners[1].address.to_string(), "127.0.0.1:15674");
    assert_eq!(config.data, Path::new("/var/lib/kolejka"));
    assert!(config.auth.users.is_empty() && config.policies.is_empty());
    assert_eq!(config.shutdown_timeout, Duration::from_secs(10));
    assert_eq!(config.heart_beat, HeartBeatBounds { min: Duration::from_secs(1), max: Duration::from_secs(300) });
    assert_eq!(config.log, LogConfig { format: LogFormat::Auto, level: "info".into() });
    assert_eq!(config.server, "kolejka");
}

#[test]
fn the_table_of_keys_and_the_types_agree_on_defaults_and_bounds() {
    for key in keys::all() {
        let Some(value) = key.fallback.value() else { continue };
        let text = value.to_string();
        let bare = toml::from_str::<toml::Table>(&format!("v = {text}")).unwrap();
        let text = bare["v"].as_str().map_or(text, str::to_owned);
        if !matches!(value, value::Value::List(_)) {
            assert_eq!(key.kind.read_text(&text).as_ref(), Ok(&value), "{}", key.path);
        }
        assert!(key.doc.starts_with(' ') && key.doc.ends_with('.'), "{}", key.path);
    }
    // Fields that are not limits have their default in two places; the default configuration shows both.
    let shown = Loaded::from_sources(&sources(""), &Shelf::default()).unwrap().show();
    for line in ["format = \"auto\"", "level = \"info\"", "min = \"1s\"", "max = \"5min\"", "timeout = \"10s\""] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
}

#[test]
fn the_names_of_the_file_are_those_that_are_documented() {
    let hash = hash_password("x").unwrap();
    let config = accept(&format!(
        r#"
        data = "journal"
        server = "kolejka (activemq habits)"

        [[listener]]
        address = "[::1]:61613"
        anonymous = true
        protocols = ["stomp"]
        origins = ["https://Shop.example.com"]
        require_origin = true
        trailing_lf = false

        [[user]]
        name = "web"
        password = "{hash}"
        allow = [ {{ on = "/queue/mail.**", to = ["write", "create"] }}, {{ on = "/topic/**", to = ["read"] }} ]
        deny = [ {{ on = "/topic/private", to = ["read"] }} ]

        [[user]]
        name = "anonymous"
        allow = [ {{ on = "/topic/**", to = ["read"] }} ]

        [limits]
        body = "1MiB"
        connections = 1_000
        prefetch = {{ messages = 50, bytes = "1MiB" }}
        transactions.idle = "2min"

        [[policy]]
        match = "/queue/mail.**"
        max_deliveries = 5
        dead_letter = "/queue/dead.{{name}}"
        max_length = 100_000
        max_bytes = "1GiB"
        overflow = "drop-oldest"

        [heart_beat]
        min = "5s"
        max = "1min"

        [log]
        format = "json"
        level = "debug"

        [shutdown]
        timeout = "3s"
        "#
    ));
    assert_eq!(config.data, Path::new("/etc/k/journal"), "relative to the file");
    let listener = &config.listeners[0];
    assert_eq!(listener.protocols, Protocols { stomp: true, websocket: false });
    assert_eq!(listener.origins, ["https://shop.example.com"]);
    assert!(listener.anonymous && !ListenerConfig::on(listener.address).anonymous);
    assert!(listener.require_origin && !listener.trailing_lf && listener.is_loopback());
    assert_eq!((config.limits.body, config.limits.connections), (1 << 20, 1_000));
    assert_eq!((config.limits.prefetch_messages, config.limits.prefetch_bytes), (50, 1 << 20));
    assert_eq!(config.limits.transaction_idle, Duration::from_secs(120));
    assert_eq!(config.limits.head, Limits::default().head);
    let policy = &config.policies[0];
    assert_eq!((policy.max_deliveries, policy.dead_letter.as_deref()), (Some(5), Some("dead.{name}")));
    assert_eq!((policy.max_length, policy.max_bytes), (Some(100_000), Some(1 << 30)));
    assert_eq!(policy.overflow, Some(Overflow::DropOldest));
    assert_eq!(config.log.format, LogFormat::Json);

    let door = Authenticator::new(config.auth).unwrap();
    let login = Credentials { login: Some("web".into()), passcode: Some(Secret::new("x")) };
    let grants = door.verify(Duration::ZERO, Peer::local(), &login).unwrap();
    let name = |text| DestinationName::parse(text, "").unwrap();
    assert!(grants.may(Action::Write, &name("/queue/mail.out")) && grants.may(Action::Read, &name("/topic/news")));
    assert!(!grants.may(Action::Read, &name("/queue/mail.out")) && !grants.may(Action::Read, &name("/topic/private")));
    assert!(door.verify(Duration::ZERO, Peer::local(), &Credentials::default()).is_ok());
}

#[test]
fn an_unknown_key_is_pointed_at_with_what_was_probably_meant() {
    let error = load("[[policy]]\nmatch = \"a\"\nmax_lenght = 10_000\n").unwrap_err();
    let [problem] = &error.problems[..] else { panic!("{error}") };
    assert_eq!(problem.message, "unknown key `max_lenght`");
    assert_eq!(problem.label.as_deref(), Some("did you mean `max_length`?"));
    assert_eq!(
        problem.help.as_deref(),
        Some(
            "keys allowed in [[policy]]: match, max_deliveries, dead_letter, max_length, max_bytes, overflow, backoff, \
             on_exhaust, expiry, dead_letter_expired, time_to_run, groups, exclusive_consumer, idle, last_value_key, shared_keys"
        )
    );
    let Origin::File(span) = &problem.origin else { panic!("{problem:?}") };
    assert_eq!(&error.text[span.clone()], "max_lenght");
    assert!(refuse("[limits]\nbodi = \"1MiB\"").contains("did you mean `body`?"));
    assert!(refuse("[limit]\nbody = \"1MiB\"").contains("did you mean `limits`?"));
    assert!(refuse("body = \"1MiB\"").contains("did you mean `limits.body`?"), "right key, wrong table");
    assert!(refuse("[limits.prefetch]\nmesages = 3").contains("did you mean `messages`?"));
    assert!(refuse("colour = \"red\"").contains("no such key here"));
}

#[test]
fn everything_that_is_wrong_is_said_at_once_in_the_order_of_the_file() {
    let text = refuse("datta = \"x\"\n[limits]\nbody = 4096\nheaders = \"many\"\n");
    let lines: Vec<&str> = text.split("; ").collect();
    assert_eq!(
        lines,
        [
            "/etc/k/kolejka.toml:1: unknown key `datta`: did you mean `data`?",
            "/etc/k/kolejka.toml:3: `body` has no unit: a size needs a unit: \"4096B\", \"4096KiB\", \"4096MiB\" or \"4096GiB\"",
            "/etc/k/kolejka.toml:4: `headers` is not as it should be: a number from 10 to 10000 is wanted here, not a string",
        ]
    );
}

#[test]
fn values_of_the_wrong_kind_are_refused_with_what_is_wanted() {
    let cases = [
        ("limits.connect_timeout = 10", "`connect_timeout` has no unit"),
        ("limits.connect_timeout = \"10\"", "a duration needs a unit: \"10ms\", \"10s\""),
        ("limits.connect_timeout = \"soon\"", "this is no duration"),
        ("limits.connect_timeout = \"-5s\"", "this is no duration"),
        ("limits.body = \"lots\"", "this is no size"),
        ("limits.body = \"-4MiB\"", "this is no size"),
        ("limits.body = \"65MiB\"", "a size from 1B to 64MiB is wanted here"),
        ("limits.connections = 1.5", "a number from 1 to 1000000 is wanted here, not a float"),
        ("[[listener]]\naddress = \"127.0.0.1:1\"\nanonymous = \"yes\"", "true or false is wanted here, not a string"),
        ("log.format = \"xml\"", "one of auto, pretty, compact, json is wanted here"),
        ("limits = 3", "`limits` is a table"),
        ("listener = 3", "write [[listener]], with two brackets"),
        ("[listener]\naddress = \"127.0.0.1:1\"", "write [[listener]], with two brackets"),
        ("limits.body = ", "this is no TOML"),
        ("server = \"a:b\"", "without colon"),
        ("heart_beat = { min = \"10s\", max = \"5s\" }", "heart_beat.min is longer than heart_beat.max"),
        ("data = \"\"", "a directory is wanted here"),
    ];
    for (text, expected) in cases {
        let refusal = refuse(text);
        assert!(refusal.contains(expected), "{text}: {refusal}");
    }
}

#[test]
fn what_a_request_may_append_fits_into_what_is_kept_free_of_the_disk() {
    let refusal = refuse("[limits]\nsegment = \"16MiB\"\ndisk_reserve = \"64MiB\"\nappend.bytes = \"49MiB\"");
    assert!(
        refusal.contains("/etc/k/kolejka.toml:4: limits.append.bytes (49MiB) is more than three quarters"),
        "{refusal}"
    );
    let text = "[limits]\nsegment = \"16MiB\"\ndisk_reserve = \"64MiB\"\nappend.bytes = \"49MiB\"";
    let help = load(text).unwrap_err().problems.remove(0).help.unwrap();
    assert_eq!(help, "write append.bytes = \"48MiB\" at most, or disk_reserve = \"66MiB\" at least");
    // The one that was written is shown, and not the one that was not.
    let refusal = refuse("[limits]\ndisk_reserve = \"100MiB\"");
    assert!(refusal.contains("/etc/k/kolejka.toml:2: limits.append.bytes (128MiB) is more than"), "{refusal}");
    for fits in
        ["segment = \"16MiB\"\ndisk_reserve = \"64MiB\"\nappend.bytes = \"48MiB\"", "disk_reserve = \"171MiB\"", ""]
    {
        assert!(load(&format!("[limits]\n{fits}")).is_ok(), "{fits}");
    }
}

#[test]
fn every_limit_takes_its_bounds_and_nothing_beyond_them_and_none_may_be_zero() {
    use super::value::{Kind, Value};
    for key in limits::LIMITS {
        let accepts = |text: &str| key.kind.read_text(text).is_ok();
        match key.kind {
            Kind::Count(least, most) => {
                assert!(least > 0 && accepts(&least.to_string()) && accepts(&most.to_string()), "{}", key.path);
                assert!(!accepts(&(least - 1).to_string()) && !accepts(&(most + 1).to_string()), "{}", key.path);
            }
            Kind::Size(least, most) => {
                assert!(least > 0 && accepts(&format!("{least}B")) && accepts(&format!("{most}B")), "{}", key.path);
                assert!(!accepts(&format!("{}B", least - 1)) && !accepts(&format!("{}B", most + 1)), "{}", key.path);
            }
            Kind::Time(least, most) => {
                let text = |time: Duration| format!("{}ms", time.as_millis());
                let step = Duration::from_millis(1);
                assert!(!least.is_zero() && accepts(&text(least)) && accepts(&text(most)), "{}", key.path);
                assert!(!accepts(&text(least.saturating_sub(step))) && !accepts(&text(most + step)), "{}", key.path);
            }
            other => panic!("{} is {other}", key.path),
        }
        let shown =
            key.fallback.value().map(|value| matches!(value, Value::Count(_) | Value::Size(_) | Value::Time(_)));
        // The machine says how large one of them is.
        assert!(shown == Some(true) || key.path == "limits.memory.total", "{} has a finite default", key.path);
    }
    assert!(refuse("limits.connections = 0").contains("a number from 1 to 1000000"));
}

#[test]
fn units_are_read_and_written() {
    use super::units::{format_duration, format_size, parse_duration, parse_size};
    for (text, octets) in [("1B", 1), ("4KiB", 4096), ("4 MiB", 4 << 20), ("10GB", 10_000_000_000), ("1.5KiB", 1536)] {
        assert_eq!(parse_size(text), Ok(octets), "{text}");
    }
    for (text, millis) in
        [("250ms", 250), ("30s", 30_000), ("5min", 300_000), ("1h 30m", 5_400_000), ("3d", 259_200_000)]
    {
        assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
    }
    assert_eq!(parse_duration("1d 12h"), Ok(Duration::from_secs(129_600)));
    for text in ["", "d", "1", "1x", "99999999999999999999d", "-1s", "1 fortnight"] {
        assert!(parse_duration(text).is_err(), "{text}");
    }
    for text in ["", "B", "1", "-1B", "1 parsec"] {
        assert!(parse_size(text).is_err(), "{text}");
    }
    assert_eq!([0, 1, 1536, 4096, 10 << 30].map(format_size), ["0B", "1B", "1536B", "4KiB", "10GiB"]);
    let durations =
        [0, 1, 1_500, 60_000, 300_000, 86_400_000].map(|millis| format_duration(Duration::from_millis(millis)));
    assert_eq!(durations, ["0ms", "1ms", "1500ms", "1min", "5min", "1d"]);
}

/// A listener that asks for no login.
const OPEN: &str = "[[listener]]\naddress = \"127.0.0.1:1\"\nanonymous = true";

const RIGHTS: &str = "allow = [ { on = \"/queue/**\", to = [\"read\", \"create\"] } ]";

#[test]
fn a_listener_beyond_loopback_needs_users_and_tls_or_a_word() {
    let alone = refuse("[[listener]]\naddress = \"0.0.0.0:61613\"");
    assert!(alone.contains("and there are no users") && alone.contains("and has no TLS"), "{alone}");
    let user = format!("[[user]]\nname = \"a\"\npassword = \"{}\"\n{RIGHTS}\n", hash_password("x").unwrap());
    let plain = refuse(&format!("[[listener]]\naddress = \"192.0.2.1:61613\"\n{user}"));
    assert!(!plain.contains("no users") && plain.contains("and has no TLS"), "{plain}");
    accept(&format!("[[listener]]\naddress = \"0.0.0.0:61613\"\nallow_plaintext = true\n{user}"));
    assert!(refuse("[[listener]]\naddress = \"0.0.0.0:61613\"\nallow_plaintext = true").contains("no users"));
    for address in ["127.0.0.1:0", "[::1]:1", "127.8.9.1:1", "[::ffff:127.0.0.1]:1", "localhost:1"] {
        accept(&format!("[[listener]]\naddress = \"{address}\""));
    }
    let help = load("[[listener]]\naddress = \"[::]:61613\"").unwrap_err().problems.remove(0).help.unwrap();
    assert!(help.contains("[[user]]") && help.contains("kolejka user hash") && help.contains("127.0.0.1"), "{help}");
}

#[test]
fn anonymous_clients_beyond_loopback_need_a_word_and_bring_a_warning() {
    let hash = hash_password("x").unwrap();
    let users =
        format!("[[user]]\nname = \"a\"\npassword = \"{hash}\"\n{RIGHTS}\n[[user]]\nname = \"anonymous\"\n{RIGHTS}");
    let listener = |address: &str| format!("[[listener]]\naddress = \"{address}\"\nallow_plaintext = true\n");
    let closed = accept(&format!("{}{users}", listener("0.0.0.0:1")));
    assert!(!closed.listeners[0].anonymous && closed.warnings.is_empty(), "{:?}", closed.warnings);
    assert!(accept(&format!("{}anonymous = true\n{users}", listener("127.0.0.1:1"))).warnings.is_empty());
    let open = accept(&format!("{}anonymous = true\n{users}", listener("0.0.0.0:1")));
    assert!(open.listeners[0].anonymous);
    assert!(open.warnings[0].contains("0.0.0.0:1 can be reached") && open.warnings[0].contains("`anonymous`"));
    let narrow = format!("[[user]]\nname = \"a\"\npassword = \"{hash}\"\n{}", RIGHTS.replace("create", "write"));
    let narrow = accept(&narrow).warnings;
    assert!(narrow[0].contains("the user `a` may use only destinations that are there"), "{narrow:?}");
    // The word of the listener is no user.
    let alone = refuse(&format!("{}anonymous = true", listener("0.0.0.0:1")));
    assert!(alone.contains("there are no users"), "{alone}");
    // Where it used to stand.
    assert!(refuse("anonymous = true").contains("did you mean `listener.anonymous`?"));
}

#[test]
fn listeners_are_checked() {
    let cases = [
        ("[[listener]]", "a listener needs an address"),
        ("[[listener]]\naddress = \"61613\"", "`61613` is no address to listen on"),
        ("[[listener]]\naddress = \"127.0.0.1:99999\"", "is no address to listen on"),
        ("[[listener]]\naddress = \"127.0.0.1:1\"\n[[listener]]\naddress = \"127.0.0.1:1\"", "the same address"),
        ("[[listener]]\naddress = \"127.0.0.1:1\"\nprotocols = [\"amqp\"]", "there is no protocol `amqp`"),
        ("[[listener]]\naddress = \"127.0.0.1:1\"\nprotocols = []", "at least one protocol"),
        ("[[listener]]\naddress = \"127.0.0.1:1\"\norigins = [\"shop\"]", "is no origin of a web page"),
        ("[[listener]]\naddress = \"127.0.0.1:1\"\ntls = { key = \"k\" }", "a key needs its certificate"),
        ("[[listener]]\naddress = \"127.0.0.1:1\"\ntls.certificate = \"c\"", "a certificate needs its key"),
    ];
    for (text, expected) in cases {
        let refusal = refuse(text);
        assert!(refusal.contains(expected), "{text}: {refusal}");
    }
}

#[test]
fn files_of_tls_and_passwords_must_be_there_and_lie_beside_the_file() {
    let text = format!(
        "[[listener]]\naddress = \"0.0.0.0:1\"\ntls = {{ certificate = \"cert.pem\", key = \"/abs/key.pem\" }}\n\
         [[user]]\nname = \"a\"\npassword_file = \"secret\"\n{RIGHTS}"
    );
    let missing = refuse(&text);
    for file in ["/etc/k/cert.pem", "/abs/key.pem", "/etc/k/secret"] {
        assert!(missing.contains(&format!("{file} cannot be read")), "{missing}");
    }
    let mut shelf = Shelf::default();
    shelf.0.insert("/etc/k/cert.pem".into(), String::new());
    shelf.0.insert("/abs/key.pem".into(), String::new());
    shelf.0.insert("/etc/k/secret".into(), format!("{}\n", hash_password("x").unwrap()));
    let config = Loaded::from_sources(&sources(&text), &shelf).unwrap().config;
    let tls = config.listeners[0].tls.as_ref().unwrap();
    assert_eq!((&*tls.certificate, &*tls.key), (Path::new("/etc/k/cert.pem"), Path::new("/abs/key.pem")));
    assert_eq!(config.auth.users[0].name(), "a");
}

#[test]
fn what_may_be_a_secret_is_never_shown() {
    for line in [
        "password = \"hunter2\"",
        "pasword = \"hunter2\"",
        "  Passwort=\'hunter2\'",
        "\"pass word\" = \"hunter2\"",
        "user.pw = \"hunter2\"",
        "token = \"hunter2",
        "key = \"hunter2\"",
        "secret = { value = \"hunter2\", name = \"hunter2\" }",
        "allow = [ { on = \"/queue/a\", pasword = \"hunter2\" } ]",
        "password = 12345",
        "passphrase = \"\"\"\nhunter2\n\"\"\"",
        "name = \"a\", pasword = \"hunter2\"",
    ] {
        for text in [format!("[[user]]\nname = \"ann\"\n{line}\n"), format!("{line}\n[[user]]\nname = \"ann\"\n")] {
            let error = load(&text).unwrap_err();
            for shown in [&error.text, &error.to_string(), &format!("{error:?}")] {
                assert!(!shown.contains("hunter2") && !shown.contains("12345"), "{line}: {shown}");
            }
            assert_eq!(error.text.len(), text.len(), "octets keep their places");
            assert!(error.text.contains("name = \"ann\""), "what is known is shown: {}", error.text);
        }
    }
}

#[test]
fn files_with_secrets_that_others_may_open_bring_a_warning() {
    let hash = hash_password("x").unwrap();
    let warnings = |config: &str, key: &str, secret: &str| {
        let text = format!(
            "[[listener]]\naddress = \"127.0.0.1:1\"\ntls = {{ certificate = \"cert-0644.pem\", key = \"{key}\" }}\n\
             [[user]]\nname = \"a\"\npassword_file = \"{secret}\"\n{RIGHTS}\n\
             [[user]]\nname = \"b\"\npassword = \"{hash}\"\n{RIGHTS}"
        );
        let mut shelf = Shelf::default();
        for name in ["cert-0644.pem", key] {
            shelf.0.insert(Path::new("/etc/k").join(name), String::new());
        }
        shelf.0.insert(Path::new("/etc/k").join(secret), hash.clone());
        let sources = Sources { file: Some((Path::new("/etc/k").join(config), text.clone())), ..sources(&text) };
        Loaded::from_sources(&sources, &shelf).unwrap().config.warnings
    };
    assert!(warnings("kolejka.toml", "key-0400.pem", "secret-0600").is_empty());
    assert!(warnings("kolejka-0640-0.toml", "key-0640-0.pem", "secret-0440-0").is_empty(), "read by its group");
    let open = warnings("kolejka-0604.toml", "key-0640.pem", "secret-0644-0");
    assert_eq!(open.len(), 3, "{open:?}");
    assert!(
        open[0].contains("kolejka-0604.toml holds password hashes, and its mode 0604 lets other users"),
        "{open:?}"
    );
    assert!(
        open[1].ends_with("chmod 600 /etc/k/secret-0644-0") && open[2].contains("key-0640.pem holds a private key")
    );
    assert_eq!(warnings("kolejka.toml", "key-0620.pem", "secret").len(), 1, "or changed");
}

#[test]
fn users_are_checked_and_their_passwords_never_repeated() {
    let hash = hash_password("x").unwrap();
    let user = |lines: &str| format!("[[user]]\n{lines}\n{RIGHTS}");
    let cases = [
        (user("password = \"$argon2id$\""), "a user needs a name"),
        (user("name = \"a\""), "a user needs a password"),
        (user("name = \"a\"\npassword = \"hunter2\""), "a password is stored as a hash, never as it is"),
        (user("name = \"a\"\npassword = \"$argon2id$hunter2\""), "this is no Argon2 hash"),
        (user("name = \"a\"\npassword = \"$2y$10$hunter2\""), "this is no Argon2 hash"),
        (user(&format!("name = \"\"\npassword = \"{hash}\"")), "a user's name has 1 to 256 octets"),
        (user(&format!("name = \"a\"\npassword = \"{hash}\"")).repeat(2).replace("]\n[[", "]\n\n[["), "two users `a`"),
        (format!("[[user]]\nname = \"a\"\npassword = \"{hash}\""), "the user `a` may do nothing"),
        (
            format!(
                "[[user]]\nname = \"a\"\npassword = \"{hash}\"\nallow = [ {{ on = \"/queue/a*\", to = [\"read\"] }} ]"
            ),
            "a wildcard stands for a whole part",
        ),
        (
            format!(
                "[[user]]\nname = \"a\"\npassword = \"{hash}\"\nallow = [ {{ on = \"/queue/a\", to = [\"reed\"] }} ]"
            ),
            "there is no action `reed`: actions are read, write, create and manage",
        ),
        (
            format!("[[user]]\nname = \"a\"\npassword = \"{hash}\"\nallow = [ {{ in = \"/queue/a\" }} ]"),
            "unknown key `in` in a rule",
        ),
        (format!("{OPEN}\n{}", user(&format!("name = \"a\"\npassword = \"{hash}\""))), "may do nothing"),
        (format!("{OPEN}\n{}", user("name = \"anonymous\"")), "there is only the user `anonymous`"),
        (user("name = \"anonymous\""), "there is only the user `anonymous`"),
    ];
    for (text, expected) in cases {
        let text = text.replace("][[user]]", "]\n[[user]]");
        let refusal = refuse(&text);
        assert!(refusal.contains(expected), "{text}: {refusal}");
        assert!(!refusal.contains("hunter2"), "{refusal}");
    }
}

#[test]
fn policies_are_checked() {
    let cases = [
        ("[[route]]\nto = [\"/queue/b\"]", "a route needs a beginning"),
        ("[[route]]\nfrom = \"/queue/a\"", "add to = [\"/queue/audit\"]"),
        ("[[route]]\nfrom = \"a*\"\nto = [\"b\"]", "a wildcard stands for a whole part"),
        ("[[route]]\nfrom = \"/queue/a\"\nto = [\"/temp-queue/b\"]", "a queue or a topic is wanted here"),
        ("[[route]]\nfrom = \"/queue/a\"\nto = [\"Kolejka.Manage\"]", "the broker's own"),
        ("[[route]]\nfrom = \"/queue/a\"\nto = [\"b..c\"]", "is no destination for a route"),
        ("[[route]]\nfrom = \"/queue/a\"\nto = [\"b\"]\nselector = \"amount >\"", "`selector` is no condition"),
        ("[[route]]\nfrom = \"/queue/a\"\nto = [\"b\", \"a\"]", "is where the route begins"),
        ("[[route]]\nfrom = \"a\"\nto = [\"b\"]\nexclusiv = true", "did you mean `exclusive`?"),
        ("[[policy]]\nmax_length = 1", "a policy needs a pattern"),
        ("[[policy]]\nmatch = \"/queue/**.a\"", "`**` can only be the last part"),
        ("[[policy]]\nmatch = \"a\"\nmax_deliveries = 0", "a number from 1 to 65535"),
        ("[[policy]]\nmatch = \"a\"\ndead_letter = \"/topic/x\"", "is no name of a queue"),
        ("[[policy]]\nmatch = \"a\"\nmax_bytes = 3", "`max_bytes` has no unit"),
    ];
    for (text, expected) in cases {
        let refusal = refuse(text);
        assert!(refusal.contains(expected), "{text}: {refusal}");
    }
}

#[test]
fn the_environment_overrides_the_file_and_the_command_line_both() {
    let text = "[limits]\nbody = \"1MiB\"\nheaders = 50\n[log]\nlevel = \"warn\"";
    let loaded =
        with_environment(text, &[("KOLEJKA__LIMITS__BODY", "2MiB"), ("KOLEJKA_URL", "x"), ("PATH", "y")]).unwrap();
    assert_eq!((loaded.config.limits.body, loaded.config.limits.headers), (2 << 20, 50));
    let arguments = vec![
        Argument::LogLevel("debug".into()),
        Argument::Data("d".into()),
        Argument::Listen("127.0.0.1:0".into()),
        Argument::Listen("127.0.0.1:0".into()),
    ];
    let environment = vec![("KOLEJKA__LOG__LEVEL".to_owned(), "error".to_owned())];
    let config =
        Loaded::from_sources(&Sources { environment, arguments, ..sources(text) }, &Shelf::default()).unwrap().config;
    assert_eq!(config.log.level, "debug");
    assert_eq!(config.data, Path::new("d"), "relative to where the command was typed");
    assert_eq!(config.listeners.len(), 2);
}

#[test]
fn the_environment_reaches_entries_of_repeated_tables_by_number() {
    let hash = hash_password("x").unwrap();
    let text = format!("[[user]]\nname = \"a\"\npassword = \"{hash}\"\n{RIGHTS}");
    let variables = [
        ("KOLEJKA__LISTENER__0__ADDRESS", "0.0.0.0:7000"),
        ("KOLEJKA__LISTENER__0__ALLOW_PLAINTEXT", "true"),
        ("KOLEJKA__USER__0__NAME", "b"),
    ];
    let config = with_environment(&text, &variables).unwrap().config;
    assert_eq!(config.listeners[0].address.port(), 7000);
    assert_eq!(config.auth.users[0].name(), "b");
    let refusal = with_environment("", &[("KOLEJKA__USER__3__NAME", "b")]).unwrap_err().to_string();
    assert_eq!(refusal, "KOLEJKA__USER__3__NAME: there are only 0 entries of [[user]]");
}

#[test]
fn a_wrong_variable_is_named() {
    let refusal = |name: &str, value: &str| with_environment("", &[(name, value)]).unwrap_err().to_string();
    assert_eq!(
        refusal("KOLEJKA__LIMITS__BODDY", "1MiB"),
        "KOLEJKA__LIMITS__BODDY: there is no key `limits.boddy`: did you mean `limits.body`?"
    );
    assert!(refusal("KOLEJKA__LIMITS__BODY", "4").starts_with("KOLEJKA__LIMITS__BODY: `limits.body` is not as it"));
    assert!(refusal("KOLEJKA__LISTENER__ADDRESS", "x").contains("named by its number"));
}

#[test]
fn the_data_directory_is_the_usual_one() {
    let home = |is_root, data: Option<&str>, home: Option<&str>| {
        data_directory(&Home { is_root, data_home: data.map(PathBuf::from), home: home.map(PathBuf::from) })
    };
    assert_eq!(home(true, None, Some("/root")), Some("/var/lib/kolejka".into()));
    assert_eq!(home(false, None, Some("/home/a")), Some("/home/a/.local/share/kolejka".into()));
    assert_eq!(home(false, Some("/data"), Some("/home/a")), Some("/data/kolejka".into()));
    assert_eq!(home(false, Some("relative"), Some("/home/a")), Some("/home/a/.local/share/kolejka".into()));
    assert_eq!(home(false, None, None), None);
}

#[test]
fn what_is_in_effect_is_shown_with_where_it_comes_from_and_without_secrets() {
    let hash = hash_password("x").unwrap();
    let text = format!("[limits]\nbody = \"1MiB\"\n[[user]]\nname = \"a\"\npassword = \"{hash}\"\n{RIGHTS}");
    let shown = with_environment(&text, &[("KOLEJKA__LIMITS__HEADERS", "50")]).unwrap().show();
    for line in [
        "data = \"/var/lib/kolejka\"  # default",
        "body = \"1MiB\"  # /etc/k/kolejka.toml:2",
        "headers = 50  # KOLEJKA__LIMITS__HEADERS",
        "prefetch.messages = 100  # default",
        "password = \"***\"  # /etc/k/kolejka.toml:5",
        "allow = [{ on = \"/queue/**\", to = [\"read\", \"create\"] }]  # /etc/k/kolejka.toml:6",
        "address = \"127.0.0.1:61613\"  # default",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} in {shown}");
    }
    assert!(!shown.contains("argon2"));
    assert!(toml::from_str::<toml::Table>(&shown).is_ok(), "what is shown is TOML: {shown}");
}

#[test]
fn the_commented_file_is_accepted_as_it_is_and_with_every_comment_taken_away() {
    let file = commented_file();
    accept(&file);
    let uncommented: Vec<&str> = file
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        .filter(|line| !line.starts_with("password_file"))
        .collect();
    let uncommented = uncommented.join("\n").replace("$argon2id$v=19$m=19456,t=2,p=1$…", &hash_password("x").unwrap());
    let mut shelf = Shelf::default();
    shelf.0.insert("/etc/kolejka/cert.pem".into(), String::new());
    shelf.0.insert("/etc/kolejka/key.pem".into(), String::new());
    let loaded = Loaded::from_sources(&sources(&uncommented), &shelf).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(loaded.config.limits, Limits { memory_total: Some(1 << 30), ..Limits::default() });
    for key in keys::all() {
        assert!(file.contains(&format!("\n#{} = ", key.name())), "{}", key.path);
    }
}

#[test]
fn routes_are_read_in_the_order_of_the_file() {
    let config = accept(
        r#"
        [[route]]
        from = "/queue/orders.**"
        selector = "amount > 1000"
        to = ["audit", "/topic/orders"]

        [[route]]
        from = "old"
        to = ["new"]
        exclusive = true
        "#,
    );
    let [tap, divert] = &config.routes[..] else { panic!("two routes: {:?}", config.routes) };
    let names: Vec<&str> = tap.to.iter().map(DestinationName::as_str).collect();
    assert_eq!((tap.from.as_str(), names), ("/queue/orders.**", vec!["/queue/audit", "/topic/orders"]));
    assert!(tap.selector.is_some() && !tap.exclusive && divert.selector.is_none() && divert.exclusive);
}
