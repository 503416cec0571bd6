//! What is at hand while a frame is processed.

use std::collections::VecDeque;

use super::output::{Output, Receipt};
use crate::model::Now;
use crate::model::Request;

/// One frame at work: when it came, its receipt, and where its outputs go.
pub(super) struct Turn<'a> {
    pub(super) now: Now,
    /// Whether the client has promised heart-beats.
    pub(super) beats: bool,
    pub(super) receipt: &'a mut Option<Receipt>,
    pub(super) outputs: &'a mut VecDeque<Output>,
}

impl Turn<'_> {
    pub(super) fn ask(&mut self, request: Request) {
        let receipt = self.receipt.take();
        self.outputs.push_back(Output::Ask { request, receipt });
    }

    /// Asks for something that the client did not ask for in so many words.
    pub(super) fn ask_before(&mut self, request: Request) {
        self.outputs.push_back(Output::Ask { request, receipt: None });
    }

    /// The frame is processed, without the engine.
    pub(super) fn promise(&mut self) {
        self.outputs.extend(self.receipt.take().map(Output::Promise));
    }
}
