//! Whatever a client says, in whatever order: each receipt is answered once and in order, or there is one ERROR and the end.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::Client;
use crate::model::Answer;
use crate::model::Refusal;
use crate::model::SoftRefusal;

const COMMANDS: [&str; 13] = [
    "SEND",
    "SEND",
    "SUBSCRIBE",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "ACK",
    "NACK",
    "BEGIN",
    "BEGIN",
    "COMMIT",
    "ABORT",
    "DISCONNECT",
    "CONNECT",
];

const HEADERS: [&str; 28] = [
    "destination:/queue/a",
    "destination:/queue/a",
    "destination:/topic/t",
    "destination:/temp-queue/r",
    "destination:/nowhere/x",
    "reply-to:/temp-queue/r",
    "reply-to:/temp-topic/r",
    "id:1",
    "id:2",
    "id:7",
    "id:7-1",
    "message-id:7",
    "ack:client",
    "ack:client-individual",
    "ack:7-2",
    "subscription:1",
    "transaction:t",
    "transaction:u",
    "priority:9",
    "priority:x",
    "expires:5",
    "requeue:false",
    "redeliver:true",
    "prefetch:1",
    "credit:3,4",
    "persistent:false",
    "note:one\\ntwo",
    "x-error:because\\c it",
];

fn frame() -> impl Strategy<Value = (&'static str, Vec<&'static str>, bool)> {
    (select(&COMMANDS[..]), vec(select(&HEADERS[..]), 0..6), any::<bool>())
}

fn answer() -> impl Strategy<Value = Result<Answer, Refusal>> {
    prop_oneof![
        20 => Just(Ok(Answer::Done)),
        3 => Just(Ok(Answer::Soft(SoftRefusal::NotHolder))),
        1 => Just(Err(Refusal::LeaseLost)),
    ]
}

/// The frames that were answered: `R` for a RECEIPT, `E` for an ERROR, with the receipt's number if there is one.
fn heard(text: &str) -> Vec<(char, Option<usize>)> {
    let frames = text.split("^@\n").filter(|frame| !frame.is_empty());
    frames
        .map(|frame| {
            let number = frame.lines().find_map(|line| line.strip_prefix("receipt-id:")).map(|id| id.parse().unwrap());
            (if frame.starts_with("RECEIPT\n") { 'R' } else { 'E' }, number)
        })
        .collect()
}

proptest! {
    #[test]
    fn every_receipt_is_answered_once_and_in_order_or_all_ends_with_one_error(
        version in select(&["1.0", "1.1", "1.2"][..]),
        frames in vec(frame(), 0..24),
        answers in vec(answer(), 0..40),
    ) {
        let mut client = Client::speaking(version);
        client.answers.extend(answers);
        for (number, (command, headers, wants)) in frames.into_iter().enumerate() {
            let over = client.session.is_over();
            let asked = client.asked.len();
            let receipt = if wants { format!("receipt:{number}\n") } else { String::new() };
            let lines = headers.iter().flat_map(|header| [header, "\n"]).collect::<String>();
            let answers = heard(&client.says(&format!("{command}\n{receipt}{lines}\n^@")));
            let wanted = wants.then_some(number);
            if over {
                prop_assert!(answers.is_empty() && client.asked.len() == asked, "something follows the end");
            } else if client.farewell.as_ref().is_some_and(|farewell| farewell.error.is_some()) {
                // What an implied SUBSCRIBE is refused for is not laid at the SEND's door.
                let blamed = [Some(('E', wanted)), Some(('E', None))];
                prop_assert!(answers.len() == 1 && blamed.contains(&answers.first().copied()), "{answers:?}");
            } else {
                let expected: Vec<_> = wanted.map(|number| ('R', Some(number))).into_iter().collect();
                prop_assert_eq!(answers, expected, "{} {:?}", command, headers);
                prop_assert_eq!(client.farewell.is_some(), command == "DISCONNECT");
            }
        }
    }
}
