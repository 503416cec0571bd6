//! What a start and a stop leave behind for the next start.

use kolejka::config::{Config, ListenerConfig};
use kolejka::journal::OpenError;
use kolejka::server::{Server, ServerError};
use kolejka_tests::server::config;
use tempfile::TempDir;

fn in_a_runtime(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(test);
}

/// Starts as soon as the thread that makes spare segments has let go of the directory.
async fn start(config: &Config) -> Server {
    loop {
        match Server::start(config) {
            Err(ServerError::Journal { source: OpenError::Locked, .. }) => tokio::task::yield_now().await,
            started => return started.expect("the server starts"),
        }
    }
}

/// Starts and stops; says whether the stop before it had been a clean one.
async fn was_clean(config: &Config) -> bool {
    let server = start(config).await;
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
        loop {
            match Server::start(&unlucky) {
                Err(ServerError::Journal { source: OpenError::Locked, .. }) => tokio::task::yield_now().await,
                Err(ServerError::Bind(_)) => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(was_clean(&config).await);
    });
}

#[test]
fn a_stop_is_not_clean_while_a_client_may_hold_messages() {
    in_a_runtime(async {
        let data = TempDir::new().expect("a directory");
        let config = config(&data);
        let server = start(&config).await;
        let client = server.handle().open("stuck".into());
        server.stop().await.expect("the server stops");
        drop(client);
        assert!(!was_clean(&config).await);
        assert!(was_clean(&config).await);
    });
}
