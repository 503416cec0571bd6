//! What clients can make the broker hold in memory, against a whole server with little of it. Bytes are those of its
//! account, whose bounds hold at every moment.

use std::io::Write;
use std::net::{IpAddr, TcpStream};
use std::time::Duration;

use kolejka::auth::{Action, Rights, User, hash_password};
use kolejka::memory::{Account, Purpose, Share};
use kolejka_codec::{Command, Frame};
use kolejka_tests::server::Running;
use kolejka_tests::socket::{Client, plain_from};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Message, client};

const MIB: u64 = 1 << 20;
/// The memory of the server: 12 MiB for half frames, 8 MiB for transactions, output and topics each.
const TOTAL: u64 = 64 * MIB;
/// How often a client asks while it waits for something to become true.
const TRIES: usize = 20_000;

/// Nothing in it ends because a test is slow.
fn server(change: impl FnOnce(&mut kolejka::config::Config)) -> Running {
    Running::start(|config| {
        config.limits.memory_total = Some(TOTAL);
        config.limits.frame_timeout = Duration::from_secs(3600);
        config.limits.write_timeout = Duration::from_secs(3600);
        change(config);
    })
}

/// The most that one user has of a share.
fn half_of(memory: &Account, share: Share) -> u64 {
    memory.limit(share) / 2
}

/// Everything before it has been processed, and the connection is open.
fn fine(client: &mut Client) {
    client.send(b"SEND\ndestination:/topic/fence\nreceipt:fence\n\n\0");
    let frame = answer(client);
    assert_eq!((frame.command, frame.headers.get("receipt-id")), (Command::Receipt, Some("fence")), "{frame:?}");
}

fn answer(client: &mut Client) -> Frame {
    client.frame().expect("an answer").expect("an open connection")
}

fn code(frame: &Frame) -> String {
    assert_eq!(frame.command, Command::Error, "{frame:?}");
    frame.headers.get("code").expect("a code").to_owned()
}

/// Asks until something is true, while a good client is served.
fn until(server: &Running, what: &str, is_so: impl FnMut() -> bool) {
    until_by(&mut Client::logged_in(server.address), what, is_so);
}

/// The same by a client that is there.
fn until_by(good: &mut Client, what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..TRIES {
        if is_so() {
            return;
        }
        fine(good);
    }
    panic!("never: {what}");
}

/// The head of a SEND with a body of 4 MiB, and as much of the body.
fn half_frame(bytes: usize) -> Vec<u8> {
    let head = format!("SEND\ndestination:/queue/large\nreceipt:large\ncontent-length:{}\n\n", 4 * MIB);
    [head.as_bytes(), &vec![b'x'; bytes]].concat()
}

#[test]
fn half_frames_hold_no_more_than_their_share_and_whole_ones_go_on() {
    // Long enough to send all of it, and short enough to wait for its end: 6 s more are due to what arrived.
    let server = server(|config| config.limits.frame_timeout = Duration::from_secs(4));
    let memory = &server.memory;
    let half = half_frame(400 << 10);
    let mut silent: Vec<_> = (0..40).map(|_| Client::logged_in(server.address)).collect();
    for client in &mut silent {
        client.send(&half);
    }
    // 15 MiB have been sent. What is read of them stays below half of the share, which is the most that one user has, but for
    // the one that may go beyond it.
    let bound = half_of(memory, Share::Frames) + MIB;
    until(&server, "half is used up", || memory.used(Purpose::Frames) > half_of(memory, Share::Frames) - MIB);
    let mut good = Client::logged_in(server.address);
    for _ in 0..100 {
        fine(&mut good);
        let used = memory.used(Purpose::Frames);
        assert!(used <= bound, "{used} bytes of half frames");
    }
    // Small frames are none of this. A large one waits for its turn: until those before it are given up. It has to come
    // quickly then, which a busy machine may fail to do.
    let large = [&half_frame(4 << 20)[..], b"\0"].concat();
    let is_served = (0..TRIES).any(|_| {
        let mut client = Client::logged_in(server.address);
        client.send(&large);
        let first = answer(&mut client);
        assert!(first.command == Command::Receipt || code(&first) == "out-of-memory", "{first:?}");
        first.command == Command::Receipt
    });
    assert!(is_served, "a whole frame has its turn");
    let codes: Vec<_> = silent.iter_mut().map(|client| code(&answer(client))).collect();
    let starved = codes.iter().filter(|code| *code == "out-of-memory").count();
    assert!(starved > 0 && codes.iter().all(|code| code == "out-of-memory" || code == "frame-timeout"), "{codes:?}");
    drop(silent);
    until(&server, "all is given back", || memory.used(Purpose::Frames) == 0);
}

#[test]
fn large_frames_that_all_began_come_to_their_end_one_after_the_other() {
    let server = server(|_| {});
    // Twelve of 4 MiB at a time, each half sent: twice what the share holds, and none could ever go on without a turn.
    let half = half_frame(2 << 20);
    let rest = [&vec![b'x'; 2 << 20][..], b"\0"].concat();
    let mut clients: Vec<_> = (0..12).map(|_| Client::logged_in(server.address)).collect();
    std::thread::scope(|scope| {
        for client in &mut clients {
            let (half, rest) = (&half, &rest);
            scope.spawn(move || {
                client.send(half);
                client.send(rest);
                let frame = answer(client);
                assert_eq!((frame.command, frame.headers.get("receipt-id")), (Command::Receipt, Some("large")));
            });
        }
    });
    until(&server, "all is given back", || server.memory.used(Purpose::Frames) == 0);
}

/// Begins a WebSocket message of 4 MiB, and sends a part of it.
fn half_message(server: &Running, bytes: usize) -> TcpStream {
    let mut request = format!("ws://{}/ws", server.address).into_client_request().expect("a request");
    request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("v12.stomp"));
    let (mut socket, _) = client(request, TcpStream::connect(server.address).expect("a server")).expect("an upgrade");
    socket.send(Message::binary(&b"CONNECT\naccept-version:1.2\nhost:test\n\n\0"[..])).expect("sent");
    assert!(socket.read().expect("an answer").into_data().starts_with(b"CONNECTED"));
    let mut socket = socket.into_inner();
    let length = (4 * MIB).to_be_bytes();
    socket.write_all(&[&[0x82, 0xff], &length[..], &[0; 4], &half_frame(bytes)].concat()).expect("sent");
    socket
}

#[test]
fn half_messages_of_websockets_count_as_half_frames() {
    let server = server(|_| {});
    let memory = &server.memory;
    let one = half_message(&server, 1 << 20);
    until(&server, "all of it is counted", || memory.used(Purpose::Frames) >= MIB);
    let others: Vec<_> = (0..30).map(|_| half_message(&server, 500 << 10)).collect();
    until(&server, "half is used up", || memory.used(Purpose::Frames) > half_of(memory, Share::Frames) - MIB);
    let mut good = Client::logged_in(server.address);
    for _ in 0..100 {
        fine(&mut good);
        assert!(memory.used(Purpose::Frames) <= half_of(memory, Share::Frames) + MIB);
    }
    drop((one, others));
    until(&server, "all is given back", || memory.used(Purpose::Frames) == 0);
}

#[test]
fn open_transactions_hold_no_more_than_their_share_and_small_ones_go_on() {
    let server = server(|_| {});
    let memory = &server.memory;
    let body = vec![b'x'; MIB as usize];
    let send = |transaction: &str| {
        let head = format!("SEND\ndestination:/queue/a\ntransaction:{transaction}\ncontent-length:{MIB}\n\n");
        [head.as_bytes(), &body, b"\0"].concat()
    };
    let mut clients: Vec<_> = (0..40).map(|_| Client::logged_in(server.address)).collect();
    let mut refused = 0;
    for client in &mut clients {
        client.send(b"BEGIN\ntransaction:t\n\n\0");
        for _ in 0..3 {
            client.send(&send("t"));
        }
        client.send(b"SEND\ndestination:/topic/fence\nreceipt:fence\n\n\0");
        let frame = answer(client);
        assert!(memory.used(Purpose::Transactions) <= half_of(memory, Share::Transactions));
        if frame.command == Command::Error {
            assert_eq!(code(&frame), "out-of-memory");
            let message = frame.headers.get("message").expect("a message");
            let limit = "by this user: at most half of 8388608 bytes of limits.memory.total";
            assert!(message.ends_with(limit), "{message}");
            refused += 1;
        }
    }
    assert_eq!(refused, 39, "one of 3 MiB fits into half of 8 MiB");
    // What finishes work needs next to nothing.
    let mut worker = Client::logged_in(server.address);
    worker.send(b"SEND\ndestination:/queue/b\n\njob\0SUBSCRIBE\nid:1\ndestination:/queue/b\nack:client\n\n\0");
    let ack = answer(&mut worker).headers.get("ack").expect("an ack").to_owned();
    worker.send(format!("BEGIN\ntransaction:t\n\n\0ACK\nid:{ack}\ntransaction:t\n\n\0").as_bytes());
    worker.send(b"COMMIT\ntransaction:t\nreceipt:done\n\n\0");
    assert_eq!(answer(&mut worker).command, Command::Receipt);
    for client in &mut clients {
        client.send(b"COMMIT\ntransaction:t\n\n\0");
    }
    until(&server, "all is given back", || memory.used(Purpose::Transactions) == 0);
}

#[test]
fn one_slow_reader_of_topics_is_bounded_over_all_its_subscriptions() {
    const SUBSCRIPTIONS: usize = 64;
    let server = server(|config| config.limits.topic_pending_bytes = MIB);
    let memory = &server.memory;
    let mut slow = Client::logged_in(server.address);
    for id in 0..SUBSCRIPTIONS {
        slow.send(format!("SUBSCRIBE\nid:{id}\ndestination:/topic/{id}\n\n\0").as_bytes());
    }
    fine(&mut slow);
    let mut publisher = Client::logged_in(server.address);
    let body = vec![b'x'; 128 << 10];
    let mut most = 0;
    // 32 MiB for each of its subscriptions, which alone are within the bound of one.
    for round in 0..256 {
        for id in [round % SUBSCRIPTIONS, (round + 1) % SUBSCRIPTIONS] {
            let head = format!("SEND\ndestination:/topic/{id}\ncontent-length:{}\n\n", body.len());
            publisher.send(&[head.as_bytes(), &body, b"\0"].concat());
        }
        fine(&mut publisher);
        most = most.max(memory.used(Purpose::Topics));
    }
    assert!(most > 0 && most <= MIB + (256 << 10), "{most} bytes were kept for it");
    let last = std::iter::from_fn(|| slow.frame().expect("an answer")).last().expect("something");
    assert_eq!(code(&last), "slow-consumer");
    until(&server, "all is given back", || memory.used(Purpose::Topics) == 0);
}

#[test]
fn what_waits_for_slow_readers_is_within_a_share_and_the_one_with_the_most_goes() {
    const READERS: usize = 12;
    let server = server(|config| config.limits.topic_pending_bytes = 4 * MIB);
    let memory = &server.memory;
    let mut slow: Vec<_> = (0..READERS).map(|_| Client::logged_in(server.address)).collect();
    for (at, client) in slow.iter_mut().enumerate() {
        let to = format!("SUBSCRIBE\nid:1\ndestination:/topic/{at}\nack:client\nprefetch-count:1\n\n\0");
        client.send(to.as_bytes());
        fine(client);
    }
    let mut publisher = Client::logged_in(server.address);
    let body = vec![b'x'; 64 << 10];
    // 3 MiB for each, and 36 for all: more than the share of 8. The last one has got least.
    for round in 0..48 {
        for at in 0..READERS - usize::from(round > 8) {
            let head = format!("SEND\ndestination:/topic/{at}\ncontent-length:{}\n\n", body.len());
            publisher.send(&[head.as_bytes(), &body, b"\0"].concat());
        }
        fine(&mut publisher);
        assert!(memory.used(Purpose::Topics) <= memory.limit(Share::Topics) + MIB);
    }
    let last = slow.pop().expect("the last one");
    let mut gone = 0;
    for mut client in slow {
        client.send(b"DISCONNECT\nreceipt:bye\n\n\0");
        let end = std::iter::from_fn(|| client.frame().expect("an answer")).last().expect("something");
        gone += usize::from(end.command == Command::Error && code(&end) == "out-of-memory");
    }
    assert!(gone > 0, "some had to go");
    let mut last = last;
    last.send(b"DISCONNECT\nreceipt:bye\n\n\0");
    let end = std::iter::from_fn(|| last.frame().expect("an answer")).last().expect("something");
    assert_eq!(end.command, Command::Receipt, "the one with the least stays");
}

/// Two users, who may do everything.
fn alice_and_bob() -> Vec<User> {
    let hash = hash_password("right").expect("a hash");
    let user = |name: &str| {
        let mut rights = Rights::default();
        for pattern in ["/queue/**", "/topic/**"] {
            rights.allow(name, pattern, &[Action::Read, Action::Write, Action::Create]).expect("a rule");
        }
        User::new(name, &hash, rights).expect("a user")
    };
    vec![user("alice"), user("bob")]
}

fn log_in(server: &Running, user: &str) -> (Client, Frame) {
    let mut client = Client::connect(server.address);
    client.send(format!("CONNECT\naccept-version:1.2\nlogin:{user}\npasscode:right\n\n\0").as_bytes());
    let frame = answer(&mut client);
    (client, frame)
}

#[test]
fn one_user_leaves_connections_to_the_others() {
    let server = server(|config| {
        config.auth.users = alice_and_bob();
        config.limits.user_connections = 3;
    });
    let mut alice: Vec<_> = (0..3).map(|_| log_in(&server, "alice").0).collect();
    let (_, refused) = log_in(&server, "alice");
    assert_eq!(code(&refused), "user-limit");
    assert_eq!(
        refused.headers.get("message"),
        Some("this user has 3 connections already, the most allowed by limits.user.connections")
    );
    assert_eq!(log_in(&server, "bob").1.command, Command::Connected);
    let mut last = alice.pop().expect("a client");
    last.send(b"DISCONNECT\nreceipt:bye\n\n\0");
    while last.frame().expect("an answer").is_some() {}
    drop(last);
    let is_in = (0..TRIES).any(|_| log_in(&server, "alice").1.command == Command::Connected);
    assert!(is_in, "the place is given back");
}

#[test]
fn transactions_of_a_user_are_counted_over_all_its_connections() {
    let server = server(|config| config.limits.user_transactions = 4);
    let mut clients: Vec<_> = (0..3).map(|_| Client::logged_in(server.address)).collect();
    for client in &mut clients[..2] {
        client.send(b"BEGIN\ntransaction:1\n\n\0BEGIN\ntransaction:2\n\n\0");
        fine(client);
    }
    let mut refused = Client::logged_in(server.address);
    refused.send(b"BEGIN\ntransaction:1\n\n\0");
    let frame = answer(&mut refused);
    assert_eq!(code(&frame), "user-limit");
    assert!(frame.headers.get("message").is_some_and(|text| text.contains("limits.user.transactions")), "{frame:?}");
    clients[0].send(b"ABORT\ntransaction:1\n\n\0");
    fine(&mut clients[0]);
    // The one that was refused is still there, and counts nothing. What is read at once is counted behind its answers: the
    // second fence is read after that.
    clients[2].send(b"BEGIN\ntransaction:1\n\n\0");
    fine(&mut clients[2]);
    fine(&mut clients[2]);
    // What one that is refused had before is free as soon as it reads so.
    clients[1].send(b"ABORT\ntransaction:none\n\n\0");
    assert_eq!(code(&answer(&mut clients[1])), "unknown-transaction");
    clients[2].send(b"BEGIN\ntransaction:2\n\n\0BEGIN\ntransaction:3\n\n\0");
    fine(&mut clients[2]);
    fine(&mut clients[2]);
    drop(refused);
}

/// A client of that user, or without a login from that address.
fn client_of(server: &Running, who: Who) -> Client {
    match who {
        Who::User(name) => {
            let (client, frame) = log_in(server, name);
            assert_eq!(frame.command, Command::Connected, "{frame:?}");
            client
        }
        Who::At(own) => Client::logged_in_from(IpAddr::from([127, 0, 0, own]), None, server.address),
    }
}

/// By what two clients are told apart.
#[derive(Clone, Copy)]
enum Who {
    User(&'static str),
    At(u8),
}

/// A server with two users, and one for two addresses without logins.
fn two_of_each() -> [(Running, Who, Who); 2] {
    let with_users = server(|config| config.auth.users = alice_and_bob());
    [(with_users, Who::User("alice"), Who::User("bob")), (server(|_| {}), Who::At(1), Who::At(2))]
}

fn send(to: &str, body: &[u8], more: &str) -> Vec<u8> {
    let head = format!("SEND\ndestination:{to}\n{more}content-length:{}\n\n", body.len());
    [head.as_bytes(), body, b"\0"].concat()
}

#[test]
fn half_frames_of_one_user_or_address_leave_room_for_another() {
    for (server, greedy, good) in two_of_each() {
        let memory = &server.memory;
        let half = half_frame(400 << 10);
        let mut silent: Vec<_> = (0..40).map(|_| client_of(&server, greedy)).collect();
        for client in &mut silent {
            client.send(&half);
        }
        let mut other = client_of(&server, good);
        for _ in 0..TRIES {
            if memory.used(Purpose::Frames) > half_of(memory, Share::Frames) - MIB {
                break;
            }
            fine(&mut other);
        }
        // Of all that wait only the first may go on, and nobody waits for that but its own.
        for _ in 0..10 {
            other.send(&send("/queue/a", &vec![b'x'; MIB as usize], "receipt:large\n"));
            let frame = answer(&mut other);
            assert_eq!(
                (frame.command, frame.headers.get("receipt-id")),
                (Command::Receipt, Some("large")),
                "{frame:?}"
            );
            assert!(memory.used(Purpose::Frames) <= half_of(memory, Share::Frames) + 2 * MIB);
        }
        drop(silent);
    }
}

#[test]
fn open_transactions_of_one_user_or_address_leave_room_for_another() {
    for (server, greedy, good) in two_of_each() {
        let memory = &server.memory;
        let body = vec![b'x'; MIB as usize];
        let mut clients: Vec<_> = (0..40).map(|_| client_of(&server, greedy)).collect();
        let mut refused = 0;
        for client in &mut clients {
            client.send(b"BEGIN\ntransaction:t\n\n\0");
            client.send(&send("/queue/a", &body, "transaction:t\nreceipt:taken\n"));
            let frame = answer(client);
            if frame.command == Command::Error {
                assert_eq!(code(&frame), "out-of-memory");
                assert_eq!(frame.headers.get("receipt-id"), Some("taken"), "it names the frame that was too much");
                refused += 1;
            }
        }
        assert_eq!(refused, 37, "three of 1 MiB and a little are within half of 8");
        assert!(memory.used(Purpose::Transactions) <= half_of(memory, Share::Transactions) + (64 << 10));
        let mut other = client_of(&server, good);
        other.send(b"BEGIN\ntransaction:t\n\n\0");
        other.send(&send("/queue/b", &body, "transaction:t\n"));
        other.send(b"COMMIT\ntransaction:t\nreceipt:done\n\n\0");
        let frame = answer(&mut other);
        assert_eq!(frame.command, Command::Receipt, "{frame:?}");
    }
}

#[test]
fn many_slow_readers_of_one_user_go_before_the_one_of_another() {
    let server = server(|config| {
        config.auth.users = alice_and_bob();
        config.limits.topic_pending_bytes = 4 * MIB;
    });
    let memory = &server.memory;
    let mut slow: Vec<_> =
        (0..10).map(|at| (at, client_of(&server, Who::User(if at == 0 { "bob" } else { "alice" })))).collect();
    for (at, client) in &mut slow {
        let to = format!("SUBSCRIBE\nid:1\ndestination:/topic/{at}\nack:client\nprefetch-count:1\n\n\0");
        client.send(to.as_bytes());
        fine(client);
    }
    let mut publisher = client_of(&server, Who::User("bob"));
    let body = vec![b'x'; 64 << 10];
    // For bob's 3 MiB are kept, more than for any other connection; for all of alice's 9, which is more than the share of 8.
    for round in 0..48 {
        for at in (0..10).filter(|at| *at == 0 || round % 3 == 0) {
            publisher.send(&send(&format!("/topic/{at}"), &body, ""));
        }
        fine(&mut publisher);
        assert!(memory.used(Purpose::Topics) <= memory.limit(Share::Topics) + MIB);
    }
    let mut ends = slow.into_iter().map(|(_, mut client)| {
        client.send(b"DISCONNECT\nreceipt:bye\n\n\0");
        std::iter::from_fn(|| client.frame().expect("an answer")).last().expect("something")
    });
    assert_eq!(ends.next().expect("bob's").command, Command::Receipt, "it has the most, its user has not");
    assert!(ends.any(|end| end.command == Command::Error && code(&end) == "out-of-memory"), "one of the others goes");
}

#[test]
fn what_waits_for_those_who_do_not_read_is_within_a_share_and_others_are_served() {
    const READERS: usize = 40;
    let server = server(|config| {
        config.auth.users = alice_and_bob();
        config.limits.memory_cache = MIB;
    });
    let memory = &server.memory;
    let mut publisher = client_of(&server, Who::User("bob"));
    let body = vec![b'x'; 512 << 10];
    // More for each than the kernel takes of it. Most of them are only on disk: they are read back for all at once.
    for _ in 0..24 {
        publisher.send(&send("/queue/seen", &body, "persistent:true\n"));
        fine(&mut publisher);
    }
    let mut silent: Vec<_> = (0..READERS)
        .map(|_| {
            let socket = plain_from(IpAddr::from([127, 0, 0, 1]), Some(4096), server.address);
            let mut client = Client::over(socket);
            client.send(b"CONNECT\naccept-version:1.2\nlogin:alice\npasscode:right\n\n\0");
            assert_eq!(answer(&mut client).command, Command::Connected);
            client
        })
        .collect();
    for client in &mut silent {
        client.send(b"SUBSCRIBE\nid:1\ndestination:/queue/seen\nbrowser:true\n\n\0");
    }
    // One that is written, one that had room and one that went beyond: of half of the share, which is the most of one user.
    let bound = half_of(memory, Share::Output) + 2 * MIB;
    let mut most = 0;
    let mut watch = |client: &mut Client| {
        fine(client);
        most = most.max(memory.used(Purpose::Output));
        assert!(most <= bound, "{most} bytes wait to be written");
        most
    };
    let is_used_up = (0..TRIES).any(|_| watch(&mut publisher) > half_of(memory, Share::Output) - MIB);
    assert!(is_used_up, "they hold what one user may have");
    // The same user goes on with what is small, another with what is large as well.
    let mut reader = client_of(&server, Who::User("alice"));
    reader.send(b"SUBSCRIBE\nid:1\ndestination:/queue/small\nack:auto\n\n\0");
    publisher.send(b"SUBSCRIBE\nid:1\ndestination:/queue/large\nack:auto\n\n\0");
    for _ in 0..20 {
        watch(&mut publisher);
        reader.send(b"SEND\ndestination:/queue/small\n\nsmall\0");
        assert_eq!(answer(&mut reader).command, Command::Message);
        publisher.send(&send("/queue/large", &body, "persistent:true\n"));
        assert_eq!(answer(&mut publisher).command, Command::Message);
    }
    drop(silent);
    until_by(&mut publisher, "all is given back", || memory.used(Purpose::Output) == 0);
}

#[test]
fn transactions_of_an_address_are_counted_over_all_its_users_and_a_refused_one_has_no_receipt() {
    let server = server(|config| {
        config.auth.users = alice_and_bob();
        config.limits.address_transactions = 3;
    });
    let (mut alice, mut bob) = (client_of(&server, Who::User("alice")), client_of(&server, Who::User("bob")));
    alice.send(b"BEGIN\ntransaction:1\n\n\0BEGIN\ntransaction:2\nreceipt:2\n\n\0");
    assert_eq!(answer(&mut alice).command, Command::Receipt);
    // All in one read: what was done before is confirmed, what is refused is not.
    bob.send(b"BEGIN\ntransaction:1\nreceipt:1\n\n\0BEGIN\ntransaction:2\nreceipt:2\n\n\0");
    let first = answer(&mut bob);
    assert_eq!((first.command, first.headers.get("receipt-id")), (Command::Receipt, Some("1")));
    let second = answer(&mut bob);
    assert_eq!((&*code(&second), second.headers.get("receipt-id")), ("address-limit", Some("2")));
    let message = "this address has 3 open transactions already, the most allowed by limits.address.transactions";
    assert_eq!(second.headers.get("message"), Some(message));
    assert!(bob.frame().expect("an end").is_none(), "nothing more is said");
}

#[test]
fn a_transaction_over_the_limit_of_its_user_has_no_receipt() {
    let server = server(|config| config.limits.user_transactions = 1);
    let mut client = Client::logged_in(server.address);
    client.send(b"BEGIN\ntransaction:1\nreceipt:1\n\n\0BEGIN\ntransaction:2\nreceipt:2\n\n\0");
    assert_eq!(answer(&mut client).headers.get("receipt-id"), Some("1"));
    assert_eq!(code(&answer(&mut client)), "user-limit");
    assert!(client.frame().expect("an end").is_none());
}
