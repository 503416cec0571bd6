//! What only the inside can tell.
