//! STOMP codec.
