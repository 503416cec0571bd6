//! What a start and a stop leave behind for the next start.

use kolejka::config::{Config, ListenerConfig};
use kolejka::server::{Server, ServerError};
use kolejka_codec::Command;
use kolejka_tests::server::{Running, config};
use kolejka_tests::socket::Client;
use tempfile::TempDir;

fn in_a_runtime(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(test);
}

/// Starts and stops; says whether the stop before it had been a clean one.
async fn was_clean(config: &Config) -> bool {
    let server = Server::start(config).expect("the server starts");
    let clean = server.banner().clean;
    server.stop().await.expect("the server stops in order");
    clean
}

#[test]
fn a_start_that_fails_leaves_the_mark_of_a_clean_stop() {
    in_a_runtime(async {
        let data = TempDir::new().expect("a directory");
        let config = config(&data);
        was_clean(&config).await;
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut unlucky = config.clone();
        unlucky.listeners = vec![ListenerConfig::on(taken.local_addr().expect("an address"))];
        assert!(matches!(Server::start(&unlucky), Err(ServerError::Bind(_))));
        assert!(was_clean(&config).await);
    });
}

#[test]
fn a_stop_is_not_clean_while_a_client_may_hold_messages() {
    in_a_runtime(async {
        let data = TempDir::new().expect("a directory");
        let config = config(&data);
        let server = Server::start(&config).expect("the server starts");
        let client = server.handle().open("stuck".into());
        server.stop().await.expect("the server stops");
        drop(client);
        assert!(!was_clean(&config).await);
        assert!(was_clean(&config).await);
    });
}

#[test]
fn what_was_handed_out_before_a_clean_stop_is_redelivered_after_it() {
    let data = TempDir::new().expect("a directory");
    let config = config(&data);
    let take = |client: &mut Client| {
        client.send(b"SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client-individual\n\n\0");
        let message = client.frame().expect("an answer").expect("a message");
        assert_eq!(message.command, Command::Message);
        message.headers.get("redelivered").map(str::to_owned)
    };
    let server = Running::with(config.clone());
    let mut client = Client::logged_in(server.address);
    client.send(b"SEND\ndestination:/queue/a\n\nx\0");
    assert_eq!(take(&mut client), None);
    drop(server);
    let server = Running::with(config);
    assert_eq!(take(&mut Client::logged_in(server.address)).as_deref(), Some("true"));
}
