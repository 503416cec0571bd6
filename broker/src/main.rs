//! The broker program.
#![expect(clippy::print_stdout, reason = "stand-in")]
use kolejka::config::{Argument, Disk, Loaded, Sources};
use kolejka::server::Server;

fn main() {
    let mut arguments = Vec::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match (word.as_str(), words.next()) {
            ("--data", Some(value)) => arguments.push(Argument::Data(value.into())),
            ("--listen", Some(value)) => arguments.push(Argument::Listen(value)),
            _ => {}
        }
    }
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let sources = Sources { arguments, ..Sources::default() };
    let config = Loaded::from_sources(&sources, &Disk).expect("a configuration").config;
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let outcome = runtime.block_on(async {
        let server = Server::start(&config)?;
        println!("{}", server.banner());
        server.run(|| None).await
    });
    if let Err(error) = outcome {
        println!("{error}");
    }
}
