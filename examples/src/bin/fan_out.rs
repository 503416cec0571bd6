//! News for everybody: `fan_out listen` prints what comes, `fan_out tell TEXT` tells all who listen now.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::env;

use kolejka_examples::{Client, Problem};

const TOPIC: &str = "/topic/weather";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Problem> {
    let mut client = Client::connect().await?;
    let mut arguments = env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("tell"), Some(text)) => client.send(TOPIC, &[], text).await,
        (Some("listen"), None) => listen(client).await,
        _ => Err("say `listen`, or `tell` and a text".into()),
    }
}

async fn listen(mut client: Client) -> Result<(), Problem> {
    client.subscribe(TOPIC, 100).await?;
    println!("listening");
    loop {
        let news = client.message().await?;
        println!("heard: {}", String::from_utf8_lossy(&news.body));
        client.ack(&news).await?;
    }
}
