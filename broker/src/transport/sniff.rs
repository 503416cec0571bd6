//! What a peer speaks, told by its first octets. Pure.

/// What the first octets are the beginning of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guess {
    /// A TLS handshake.
    Tls,
    /// An HTTP request.
    Http,
    /// STOMP, or nothing we know: the decoder will say.
    Stomp,
}

/// The first octet of a TLS record that holds a handshake (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// Octets after which every guess is certain.
const VERB_BYTES: usize = 4;

/// How requests begin. No command of STOMP shares four letters with them; CONNECT is STOMP's here.
const VERBS: [&[u8; VERB_BYTES]; 8] = [b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"DELE", b"PATC", b"TRAC"];

/// Guesses as soon as it is certain; `None` asks for more octets, of which four are always enough.
pub(super) fn guess(octets: &[u8]) -> Option<Guess> {
    let start = &octets[..octets.len().min(VERB_BYTES)];
    match start {
        [] => None,
        [TLS_HANDSHAKE, ..] => Some(Guess::Tls),
        _ if VERBS.iter().any(|verb| *verb == start) => Some(Guess::Http),
        _ if VERBS.iter().any(|verb| verb.starts_with(start)) => None,
        _ => Some(Guess::Stomp),
    }
}
