//! The program as it is typed: what it prints, and the status it ends with. Brokers are played by a script.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21l$R3kVGOX5rEBSvVcdVGxZPPOcKuxLMEIbIpQzhmCHXlI";

/// The program with nothing in its environment but a home.
fn kolejka(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kolejka"));
    command.args(arguments).env_clear().env("HOME", "/nowhere").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    finish(kolejka(arguments).output().unwrap())
}

fn finish(output: Output) -> (i32, String, String) {
    let text = |octets| String::from_utf8(octets).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// `config check` of a file with that text, run beside it.
fn check(text: &str) -> (i32, String, String) {
    let folder = TempDir::new().unwrap();
    let file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.path().join("kolejka.toml"));
    file.unwrap().write_all(text.as_bytes()).unwrap();
    finish(kolejka(&["config", "check", "kolejka.toml"]).current_dir(folder.path()).output().unwrap())
}

fn refusal(text: &str) -> String {
    let (status, out, err) = check(text);
    assert_eq!((status, out.as_str()), (78, ""), "{err}");
    err
}

#[test]
fn a_good_file_is_summed_up() {
    let text = format!(
        "[[listener]]\naddress = \"127.0.0.1:61613\"\n[[user]]\nname = \"web\"\npassword = \"{HASH}\"\n\
         allow = [ {{ on = \"/queue/**\", to = [\"read\", \"create\"] }} ]\n[[policy]]\nmatch = \"a\"\n[[policy]]\nmatch = \"b\"\n"
    );
    assert_eq!(check(&text), (0, "ok  kolejka.toml  1 listener, 2 policies, 1 user\n".into(), String::new()));
}

#[test]
fn an_unknown_key_is_shown_with_a_suggestion_and_what_is_allowed() {
    assert_eq!(
        refusal("[[policy]]\nmatch = \"/queue/mail.**\"\nmax_lenght = 10_000\n"),
        "kolejka::config

  × unknown key `max_lenght`
   ╭─[kolejka.toml:3:1]
 3 │ max_lenght = ******
   · ─────┬────
   ·      ╰── did you mean `max_length`?
   ╰────
  help: keys allowed in [[policy]]: match, max_deliveries, dead_letter, max_length, max_bytes,
        overflow, backoff, on_exhaust, expiry, dead_letter_expired, time_to_run, groups,
        exclusive_consumer, idle, last_value_key, shared_keys
"
    );
}

#[test]
fn a_bare_number_is_shown_with_the_units_it_could_have() {
    assert_eq!(
        refusal("[limits]\nbody = 4096\nconnect_timeout = 10\n"),
        "kolejka::config

  × `body` has no unit
   ╭─[kolejka.toml:2:8]
 2 │ body = 4096
   ·        ──┬─
   ·          ╰── a size needs a unit: \"4096B\", \"4096KiB\", \"4096MiB\" or \"4096GiB\"
   ╰────
kolejka::config

  × `connect_timeout` has no unit
   ╭─[kolejka.toml:3:19]
 3 │ connect_timeout = 10
   ·                   ─┬
   ·                    ╰── a duration needs a unit: \"10ms\", \"10s\", \"10min\" or \"10h\"
   ╰────
"
    );
}

#[test]
fn a_size_beyond_its_bounds_is_shown_with_them() {
    assert_eq!(
        refusal("limits.body = \"1GiB\""),
        "kolejka::config

  × `body` is not as it should be
   ╭─[kolejka.toml:1:15]
 1 │ limits.body = \"1GiB\"
   ·               ───┬──
   ·                  ╰── a size from 1B to 64MiB is wanted here
   ╰────
"
    );
}

#[test]
fn a_password_in_plain_text_is_refused_and_not_repeated() {
    let allow = "allow = [ { on = \"/queue/**\", to = [\"read\", \"create\"] } ]";
    assert_eq!(
        refusal(&format!("[[user]]\nname = \"ann\"\npassword = \"hunter2\"\n{allow}\n")),
        "kolejka::config

  × a password is stored as a hash, never as it is
   ╭─[kolejka.toml:3:12]
 3 │ password = *********
   ·            ────┬────
   ·                ╰── not a hash
   ╰────
  help: `kolejka user hash` reads a password and prints what to write; think of this one as known
        to others
"
    );
    assert!(!refusal("[[user]]\npassword = hunter2").contains("hunter2"), "not even where it is no TOML");
    assert!(!refusal("[[user]]\npassword = 4711").contains("4711"));
}

#[test]
fn a_listener_open_to_the_world_is_refused_with_what_to_write() {
    assert_eq!(
        refusal("[[listener]]\naddress = \"0.0.0.0:61613\"\nallow_plaintext = true\n"),
        "kolejka::config

  × 0.0.0.0:61613 can be reached from other machines, and there are no users
   ╭─[kolejka.toml:2:11]
 2 │ address = \"0.0.0.0:61613\"
   ·           ───────┬───────
   ·                  ╰── anybody could read and write everything
   ╰────
  help: add a user: [[user]] with name = \"…\", password = \"…\" (kolejka user hash prints it) and
        allow = [ { on = \"/queue/**\", to = [\"read\", \"write\", \"create\"] } ]; or listen on 127.0.0.1
"
    );
}

#[test]
fn a_bad_pattern_and_a_missing_file_are_shown() {
    let text = refusal(
        "[[listener]]\naddress = \"127.0.0.1:1\"\ntls = { certificate = \"c.pem\", key = \"k.pem\" }\n[[policy]]\nmatch = \"ma*\"\n",
    );
    for part in [
        "c.pem cannot be read",
        "kolejka.toml:3:23",
        "k.pem cannot be read",
        "`ma*` is no pattern",
        "stands for a whole part",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let (status, _, err) = run(&["config", "check", "/nowhere/kolejka.toml"]);
    assert_eq!(
        (status, err.as_str()),
        (78, "kolejka: cannot read /nowhere/kolejka.toml: No such file or directory (os error 2)\n")
    );
    assert_eq!(run(&["--config", "/nowhere/kolejka.toml"]).0, 78, "serving refuses it too");
}

#[test]
fn wrong_options_and_variables_are_named() {
    let (status, _, err) = run(&["--listen", "0.0.0.0:1"]);
    assert!(status == 78 && err.contains("× --listen: 0.0.0.0:1 can be reached from other machines"), "{err}");
    let (status, _, err) = finish(kolejka(&["config", "check"]).env("KOLEJKA__LIMITS__BODI", "1MiB").output().unwrap());
    assert!(status == 78 && err.contains("× KOLEJKA__LIMITS__BODI: there is no key `limits.bodi`"), "{err}");
    assert!(err.contains("did you mean `limits.body`?"), "{err}");
    let (status, _, err) = run(&["--log-level", "loud=="]);
    assert!(status == 78 && err.contains("is no filter for the log"), "{err}");
    assert_eq!(run(&["--lisen", "x"]).0, 2);
}

#[test]
fn what_init_prints_is_accepted_and_what_docs_prints_is_the_page_in_docs() {
    let (status, file, _) = run(&["config", "init"]);
    assert_eq!(status, 0);
    assert_eq!(check(&file), (0, "ok  kolejka.toml  2 listeners, 0 policies, 0 users\n".into(), String::new()));
    let (status, page, _) = run(&["config", "docs"]);
    assert_eq!(status, 0);
    assert!(page == include_str!("../../docs/configuration.md"), "run: kolejka config docs > docs/configuration.md");
}

#[test]
fn a_password_is_hashed_from_standard_input() {
    let mut child = kolejka(&["user", "hash"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"open sesame\nmore\n").unwrap();
    let (status, hash, _) = finish(child.wait_with_output().unwrap());
    assert!(status == 0 && hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    let allow = "allow = [ { on = \"/queue/**\", to = [\"read\", \"create\"] } ]";
    assert_eq!(check(&format!("[[user]]\nname = \"ann\"\npassword = \"{}\"\n{allow}", hash.trim())).0, 0);
    let (status, _, err) = run(&["user", "hash"]);
    assert_eq!((status, err.as_str()), (1, "kolejka: the password is empty\n"));
}

/// One connection of a broker that is played by a script.
struct Peer {
    stream: BufReader<TcpStream>,
}

impl Peer {
    fn accept(listener: &TcpListener) -> Peer {
        Peer { stream: BufReader::new(listener.accept().unwrap().0) }
    }

    /// The next frame as text, without its NUL and the line ends around it.
    fn hear(&mut self) -> String {
        let mut octets = Vec::new();
        self.stream.read_until(0, &mut octets).unwrap();
        String::from_utf8(octets).unwrap().trim_matches(['\n', '\0']).to_owned()
    }

    fn say(&mut self, frame: &str) {
        self.stream.get_mut().write_all(format!("{frame}\0\n").as_bytes()).unwrap();
    }

    fn welcome(&mut self) -> String {
        let hello = self.hear();
        self.say("CONNECTED\nversion:1.2\nserver:script\nheart-beat:0,0\n\n");
        hello
    }

    fn goodbye(&mut self) {
        assert_eq!(self.hear(), "DISCONNECT\nreceipt:bye");
        self.say("RECEIPT\nreceipt-id:bye\n\n");
        assert_eq!(
            self.stream.read_to_end(&mut Vec::new()).unwrap(),
            1,
            "a line feed behind the last frame, and the end"
        );
    }
}

/// Runs a command against a script.
fn against(arguments: &[&str], script: impl FnOnce(Peer) + Send) -> (i32, String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("stomp://ann:sesame@{}", listener.local_addr().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| script(Peer::accept(&listener)));
        finish(kolejka(arguments).env("KOLEJKA_URL", url).output().unwrap())
    })
}

#[test]
fn pub_waits_for_the_receipt_and_says_what_it_promises() {
    let arguments = ["pub", "/queue/hello", "Hello, World!", "-H", "type:greeting"];
    let (status, out, err) = against(&arguments, |mut peer| {
        let hello = peer.welcome();
        assert!(hello.starts_with("CONNECT\naccept-version:1.0,1.1,1.2\nhost:127.0.0.1\n"), "{hello}");
        assert!(hello.contains("\nlogin:ann\npasscode:sesame"), "{hello}");
        let send = peer.hear();
        assert_eq!(
            send,
            "SEND\ndestination:/queue/hello\nreceipt:1\ntype:greeting\ncontent-length:13\n\nHello, World!"
        );
        peer.say("RECEIPT\nreceipt-id:1\nmessage-id:7\n\n");
        peer.goodbye();
    });
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(out.starts_with("stored  id 7  13 B  durable  ") && out.ends_with(" ms\n"), "{out}");
}

#[test]
fn pub_sends_many_within_its_window_and_claims_nothing_for_a_topic() {
    let (status, out, _) = against(&["pub", "/topic/news", "x", "--count", "1000"], |mut peer| {
        peer.welcome();
        for number in 1..=1000 {
            assert!(peer.hear().contains(&format!("\nreceipt:{number}\n")));
            peer.say(&format!("RECEIPT\nreceipt-id:{number}\n\n"));
        }
        peer.goodbye();
    });
    assert!(status == 0 && out.starts_with("sent  1000 messages of 1 B  in memory  "), "{out}");
}

#[test]
fn pub_without_receipts_waits_only_for_the_goodbye() {
    let (status, out, _) = against(&["pub", "q", "--no-receipt", "--count", "300"], |mut peer| {
        peer.welcome();
        for _ in 0..300 {
            assert_eq!(peer.hear(), "SEND\ndestination:q\ncontent-length:0");
        }
        peer.goodbye();
    });
    assert!(status == 0 && out.starts_with("sent  300 messages of 0 B  "), "{out}");
}

#[test]
fn sub_prints_then_acknowledges_and_stops_at_its_count() {
    let (status, out, err) = against(&["sub", "/queue/hello", "-C", "2", "--ack", "client"], |mut peer| {
        peer.welcome();
        let subscribe = peer.hear();
        assert_eq!(subscribe, "SUBSCRIBE\nid:sub\ndestination:/queue/hello\nack:client\nprefetch-count:2");
        for id in [1, 2] {
            peer.say(&format!(
                "MESSAGE\ndestination:/queue/hello\nmessage-id:{id}\nsubscription:sub\nack:a{id}\ntype:greeting\n\nhi {id}"
            ));
        }
        assert_eq!(peer.hear(), "ACK\nid:a1\nmessage-id:1\nsubscription:sub");
        assert_eq!(peer.hear(), "ACK\nid:a2\nmessage-id:2\nsubscription:sub");
        peer.goodbye();
    });
    assert_eq!(status, 0);
    assert_eq!(
        out,
        "#1  /queue/hello  id 1  type=greeting  4 B\nhi 1\n#2  /queue/hello  id 2  type=greeting  4 B\nhi 2\n"
    );
    assert_eq!(
        err,
        "connected to script as ann, heart-beat 0/0. waiting on /queue/hello (ack: client)  Ctrl-C to stop\n"
    );
}

#[test]
fn sub_prints_json_and_never_acknowledges_in_auto_mode() {
    let (status, out, _) = against(&["sub", "/queue/a", "--json", "-C", "1", "--ack", "auto"], |mut peer| {
        peer.welcome();
        assert!(peer.hear().contains("\nack:auto\n"));
        peer.say("MESSAGE\ndestination:/queue/a\nmessage-id:5\nsubscription:sub\nk:v\\n\nk:second\n\n\u{1b}\"");
        peer.goodbye();
    });
    assert_eq!(status, 0);
    assert_eq!(
        out,
        "{\"body\":\"\\u001b\\\"\",\"destination\":\"/queue/a\",\"headers\":{\"destination\":\"/queue/a\",\"k\":\"v\\n\",\
         \"message-id\":\"5\",\"subscription\":\"sub\"},\"id\":\"5\",\"number\":1}\n"
    );
}

#[test]
fn sub_that_runs_out_of_time_ends_with_75() {
    let (status, out, err) = against(&["sub", "/queue/a", "-W", "50ms"], |mut peer| {
        peer.welcome();
        peer.hear();
        peer.goodbye();
    });
    assert_eq!((status, out.as_str()), (75, ""));
    assert!(err.ends_with("kolejka: timed out after 0 of 1 messages\n"), "{err}");
}

#[test]
fn a_refused_login_ends_with_77_and_a_later_error_with_1() {
    let (status, _, err) = against(&["pub", "q", "x"], |mut peer| {
        peer.hear();
        peer.say("ERROR\nmessage:access refused\\c a login is needed\n\n");
    });
    assert_eq!(status, 77);
    assert!(
        err.starts_with("kolejka: the broker refused the login: access refused: a login is needed. Login"),
        "{err}"
    );
    let (status, _, err) = against(&["pub", "q", "x"], |mut peer| {
        peer.welcome();
        peer.hear();
        peer.say("ERROR\nmessage:the queue is full\u{7}\n\n");
    });
    assert_eq!((status, err.as_str()), (1, "kolejka: the broker says: the queue is full\\u{7}\n"));
    let (status, _, err) = against(&["pub", "q", "x"], |mut peer| {
        peer.welcome();
        peer.hear();
        peer.say("ERROR\nmessage:no right to write\ncode:forbidden\n\nAsk for one.\n");
    });
    assert_eq!((status, err.as_str()), (77, "kolejka: the broker says: no right to write. Ask for one.\n"));
    let (status, _, err) = against(&["pub", "q", "x"], |mut peer| {
        peer.hear();
        peer.say("ERROR\nmessage:too many connections\ncode:too-many-connections\n\n");
    });
    assert_eq!((status, err.as_str()), (1, "kolejka: the broker says: too many connections\n"));
}

#[test]
fn what_is_no_broker_ends_with_69() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (status, _, err) = run(&["pub", "q", "x", "--url", &format!("stomp://{free}")]);
    assert!(
        status == 69 && err.contains("cannot reach a broker at 127.0.0.1:") && err.contains("KOLEJKA_URL"),
        "{err}"
    );
    let (status, _, err) = against(&["pub", "q", "x"], |mut peer| {
        peer.hear();
        peer.stream.get_mut().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n\0").unwrap();
    });
    assert!(status == 69 && err.contains("does not speak STOMP"), "{err}");
    let (status, _, err) = against(&["pub", "q", "x"], drop);
    assert_eq!((status, err.as_str()), (69, "kolejka: the broker closed the connection\n"));
}
