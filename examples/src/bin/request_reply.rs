//! A question and its answer: `request_reply serve` squares numbers for ever, `request_reply ask N` has one squared.
//!
//! The answer comes over a temporary queue, which belongs to the connection that asks and ends with it.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::env;

use kolejka_examples::{Client, Problem};

const QUEUE: &str = "/queue/squares";
const REPLIES: &str = "/temp-queue/replies";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Problem> {
    let client = Client::connect().await?;
    let mut arguments = env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("serve"), None) => serve(client).await,
        (Some("ask"), Some(number)) => ask(client, number).await,
        _ => Err("say `serve`, or `ask` and a number".into()),
    }
}

async fn serve(mut client: Client) -> Result<(), Problem> {
    client.subscribe(QUEUE, 10).await?;
    loop {
        let question = client.message().await?;
        let number: f64 = String::from_utf8_lossy(&question.body).parse().unwrap_or(f64::NAN);
        if let Some(reply_to) = question.headers.get("reply-to") {
            let correlation = question.headers.get("correlation-id").unwrap_or_default();
            client.send(reply_to, &[("correlation-id", correlation)], (number * number).to_string()).await?;
        }
        client.ack(&question).await?;
    }
}

async fn ask(mut client: Client, number: String) -> Result<(), Problem> {
    client.subscribe(REPLIES, 1).await?;
    client.send(QUEUE, &[("reply-to", REPLIES), ("correlation-id", "1")], number).await?;
    let answer = client.message().await?;
    println!("{}", String::from_utf8_lossy(&answer.body));
    client.ack(&answer).await
}
