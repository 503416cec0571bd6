//! A message to oneself.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use kolejka_examples::{Client, Problem};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Problem> {
    let mut client = Client::connect().await?;
    client.send("/queue/greetings", &[], "Hello from Rust".to_owned()).await?;
    client.subscribe("/queue/greetings", 1).await?;
    let message = client.message().await?;
    println!("{}", String::from_utf8_lossy(&message.body));
    client.ack(&message).await
}
