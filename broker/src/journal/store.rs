//! What all parts of an open journal share: its directory, its identity, its options and its lock.

use std::sync::Arc;

use super::Options;
use super::fs::{FileSystem, Lock};
use super::meta::Meta;

/// An opened data directory.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) fs: Arc<dyn FileSystem>,
    pub(super) options: Options,
    pub(super) meta: Meta,
    /// Held as long as any part of the journal is.
    pub(super) _lock: std::sync::Mutex<Box<dyn Lock>>,
}
