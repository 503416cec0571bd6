//! What a client is told: CONNECTED, MESSAGE, RECEIPT and ERROR, in its version and with its ending. MESSAGE and RECEIPT go
//! straight into the burst, without a frame in between.

use bytes::Bytes;
use bytes::BytesMut;
use kolejka_codec::Command;
use kolejka_codec::Ending;
use kolejka_codec::Frame;
use kolejka_codec::Version;
use kolejka_codec::encode;
use kolejka_codec::encoder::{end_head, finish, put_block, put_command, put_header, put_number_header};
use kolejka_codec::header::names::{
    CONTENT_LENGTH, CONTENT_TYPE, DESTINATION, HEART_BEAT, MESSAGE, MESSAGE_ID, RECEIPT_ID, SERVER, SESSION, VERSION,
};

use super::error::Fault;
use super::handshake::Hello;
use super::output::Receipt;
use super::settlement::Token;
use super::subscription::Subscription;
use crate::model::Answer;
use crate::model::Burst;
use crate::model::Content;
use crate::model::DeathNote;
use crate::model::DeathReason;
use crate::model::Delivery;
use crate::model::DestinationName;
use crate::model::End;
use crate::model::Lease;
use crate::model::Submission;

/// An encoded frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply(Bytes);

impl Reply {
    /// Puts the frame at the end of a burst.
    pub fn write(&self, out: &mut Burst) {
        out.write(|into| into.extend_from_slice(&self.0));
        out.end_frame();
    }
}

/// How to speak to one client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Voice {
    /// In which version.
    pub(super) version: Version,
    /// With what behind each frame.
    pub(super) ending: Ending,
}

impl Voice {
    /// CONNECTED. `heart_beat` holds our two numbers. All values are plain: this frame is never escaped.
    pub(super) fn connected(self, hello: &Hello, heart_beat: (u64, u64), server: &str, session: &str) -> Reply {
        let mut frame = Frame::new(Command::Connected);
        if self.version >= Version::V1_1 {
            frame.headers.push(VERSION, self.version.as_str());
            frame.headers.push(HEART_BEAT, &format!("{},{}", heart_beat.0, heart_beat.1));
        }
        frame.headers.push(SESSION, session);
        frame.headers.push(SERVER, server);
        if let Some(receipt) = &hello.receipt {
            frame.headers.push(RECEIPT_ID, receipt.as_str());
        }
        if let Some(request) = &hello.request {
            frame.headers.push("response-id", request);
        }
        self.reply(&frame)
    }

    /// ERROR: a short `message`, the receipt of the frame that is to blame, a code, and a sentence in the body.
    pub(super) fn error(self, fault: &Fault, receipt: Option<&Receipt>) -> Reply {
        let message = fault.to_string();
        let mut frame = Frame::new(Command::Error).header(MESSAGE, &message).header("code", fault.code());
        if let Some(receipt) = receipt {
            frame.headers.push(RECEIPT_ID, receipt.as_str());
        }
        if *fault == Fault::NoCommonVersion {
            frame.headers.push(VERSION, &Version::ALL.map(Version::as_str).join(","));
        }
        frame.headers.push(CONTENT_TYPE, "text/plain");
        self.reply(&frame.body(format!("{message}\n{}\n", fault.remedy())))
    }

    /// RECEIPT. A soft refusal says so in it (`x-refused`), and so does a wish that was not granted.
    pub(super) fn receipt(self, receipt: &Receipt, (answer, notice): (Answer, bool), out: &mut Burst) {
        out.write(|into| {
            put_command(into, Command::Receipt);
            put_header(into, RECEIPT_ID, receipt.as_str(), self.version);
            match answer {
                Answer::Done | Answer::Unheeded => {}
                Answer::Submitted(submission) => self.submission(submission, into),
                Answer::Duplicate => put_header(into, "x-duplicate", "true", self.version),
                Answer::Scheduled(id) => put_number_header(into, "x-job-id", id.to_bits()),
                Answer::Soft(refusal) => put_header(into, "x-refused", refusal.as_str(), self.version),
            }
            if notice {
                put_header(into, "x-policy-ignored", "true", self.version);
            }
            end_head(into);
            finish(into, self.ending);
        });
        out.end_frame();
    }

    /// What became of a SEND to a queue.
    fn submission(self, submission: Submission, into: &mut BytesMut) {
        put_number_header(into, "x-job-id", submission.job.to_bits());
        if let Some(token) = submission.token {
            put_header(into, "x-job-token", &token.to_string(), self.version);
        }
        if submission.is_duplicate {
            put_header(into, "x-duplicate", "true", self.version);
        }
    }

    /// MESSAGE. Our headers come first, so that no copy of them in the stored head counts. A large body is not copied.
    pub(super) fn message(self, to: &Subscription, delivery: &Delivery, content: &Content, out: &mut Burst) {
        const OWN_HEADERS_BYTES: usize = 256;
        let (body, large) = (content.body(), content.large_body());
        out.write(|into| {
            let copied = if large.is_some() { 0 } else { body.len() };
            into.reserve(OWN_HEADERS_BYTES + content.head().len() + copied);
            put_command(into, Command::Message);
            into.extend_from_slice(&to.line);
            self.delivery(to, delivery, into);
            put_number_header(into, CONTENT_LENGTH, body.len() as u64);
            match &delivery.death {
                None => put_block(into, content.head(), self.version),
                Some(note) => self.dead_letter((to, delivery), note, content.head(), into),
            }
            end_head(into);
            if large.is_none() {
                into.extend_from_slice(body);
                finish(into, self.ending);
            }
        });
        if let Some(body) = large {
            out.splice(body.clone());
            out.write(|into| finish(into, self.ending));
        }
        out.end_frame();
    }

    /// The MESSAGE that comes last in a subscription that was not meant to last. There is nothing in it to acknowledge.
    pub(super) fn end(self, of: &Subscription, why: End, out: &mut Burst) {
        out.write(|into| {
            put_command(into, Command::Message);
            into.extend_from_slice(&of.line);
            match why {
                // ActiveMQ's end of a browse.
                End::Browse => put_header(into, MESSAGE_ID, Token::END_OF_BROWSE, self.version),
                _ => put_header(into, MESSAGE_ID, &Token::marker(of.number), self.version),
            }
            put_header(into, DESTINATION, &of.written, self.version);
            match why {
                End::Browse => put_header(into, "browser", "end", self.version),
                _ => put_header(into, "x-end", why.as_str(), self.version),
            }
            put_number_header(into, CONTENT_LENGTH, 0);
            end_head(into);
            finish(into, self.ending);
        });
        out.end_frame();
    }

    /// Which message this is and how to acknowledge it. `ack` is there iff an ACK is wanted (STOMP 1.2, "MESSAGE"), and
    /// equals `message-id` unless the client holds the message twice, or may have been given it before.
    fn delivery(self, to: &Subscription, delivery: &Delivery, into: &mut BytesMut) {
        put_number_header(into, MESSAGE_ID, delivery.message.to_bits());
        if !delivery.auto {
            Token::write(delivery, to.number, into);
        }
        let is_again = delivery.redelivered || delivery.attempt > 1;
        if is_again {
            put_header(into, "redelivered", "true", self.version);
        }
        if is_again || delivery.lease != Lease::None {
            put_number_header(into, "delivery-count", u64::from(delivery.attempt));
        }
        if is_again {
            put_number_header(into, "JMSXDeliveryCount", u64::from(delivery.attempt));
        }
        Self::lease(delivery, into);
        if let Some(token) = &delivery.token {
            put_header(into, "x-job-token", &token.to_string(), self.version);
        }
    }

    /// What the holder of a lease needs to know about it.
    fn lease(delivery: &Delivery, into: &mut BytesMut) {
        if delivery.lease == Lease::None {
            return;
        }
        put_number_header(into, "x-job-id", delivery.message.to_bits());
        if let Lease::Seen(stage) = delivery.lease {
            into.extend_from_slice(b"x-state:");
            into.extend_from_slice(stage.as_str().as_bytes());
            into.extend_from_slice(b"\n");
        }
        if let Lease::Until { end, time_to_run_ms } = delivery.lease {
            put_number_header(into, "x-lease-until", end.0);
            put_number_header(into, "x-ttr", u64::from(time_to_run_ms));
        }
    }

    /// The head of a dead letter: it is read from another destination than it was sent to, which is why its first line is
    /// replaced.
    fn dead_letter(
        self,
        (to, delivery): (&Subscription, &Delivery),
        note: &DeathNote,
        head: &[u8],
        into: &mut BytesMut,
    ) {
        let error = note.error.as_deref();
        let cause = match (note.reason, error) {
            (DeathReason::Expired, _) => "expired before anybody took it".to_owned(),
            (DeathReason::Nack, None) => "rejected by its consumer".to_owned(),
            (DeathReason::Nack, Some(error)) => format!("rejected by its consumer: {error}"),
            (DeathReason::Deliveries, None) => format!("{} deliveries failed", note.attempts),
            (DeathReason::Deliveries, Some(error)) => format!("{} deliveries failed: {error}", note.attempts),
        };
        let from = delivery.from.as_deref().map_or(&*to.written, DestinationName::as_str);
        put_header(into, DESTINATION, from, self.version);
        put_header(into, "original-destination", note.origin.as_str(), self.version);
        put_header(into, "x-death-reason", note.reason.as_str(), self.version);
        put_number_header(into, "x-death-deliveries", u64::from(note.attempts));
        put_header(into, "dlqDeliveryFailureCause", &cause, self.version);
        if let Some(error) = error {
            put_header(into, "x-error", error, self.version);
        }
        let rest = head.iter().position(|octet| *octet == b'\n').map_or(head.len(), |end| end + 1);
        put_block(into, &head[rest..], self.version);
    }

    fn reply(self, frame: &Frame) -> Reply {
        let mut octets = BytesMut::new();
        encode(frame, self.version, self.ending, &mut octets);
        Reply(octets.freeze())
    }
}
