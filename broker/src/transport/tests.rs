//! Real sockets, told apart.
