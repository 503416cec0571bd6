//! Jobs for workers: `work_queue produce` hands three over, `work_queue work` does them one after the other, for ever.
//!
//! Start as many workers as you like: each job goes to one of them. A worker that dies in the middle of a job loses
//! nothing, the job goes to another.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::env;

use kolejka_examples::{Client, Problem};

const QUEUE: &str = "/queue/thumbnails";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Problem> {
    match env::args().nth(1).as_deref() {
        Some("produce") => produce().await,
        Some("work") => work().await,
        _ => Err("say `produce` or `work`".into()),
    }
}

async fn produce() -> Result<(), Problem> {
    let mut client = Client::connect().await?;
    for picture in ["cat.png", "dog.png", "owl.png"] {
        client.send(QUEUE, &[("size", "128")], picture.to_owned()).await?;
        println!("stored: {picture}");
    }
    Ok(())
}

async fn work() -> Result<(), Problem> {
    let mut client = Client::connect().await?;
    client.subscribe(QUEUE, 1).await?;
    loop {
        let job = client.message().await?;
        let size = job.headers.get("size").unwrap_or("64");
        println!("scaled: {} to {size}", String::from_utf8_lossy(&job.body));
        client.ack(&job).await?;
    }
}
