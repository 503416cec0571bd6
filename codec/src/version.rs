//! The three versions of the protocol and how two peers settle on one. Knows nothing of frames.

/// A version of STOMP. Later versions are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// STOMP 1.0: no escapes, no heart-beats. What a peer speaks until it says otherwise.
    #[default]
    V1_0,
    /// STOMP 1.1: three escapes, heart-beats, NACK.
    V1_1,
    /// STOMP 1.2: four escapes, CR LF as a line end, ACK by `id`.
    V1_2,
}

impl Version {
    /// All versions, the oldest first.
    pub const ALL: [Version; 3] = [Version::V1_0, Version::V1_1, Version::V1_2];

    /// Settles the version with a client that sent this `accept-version` header.
    ///
    /// No header means 1.0 (STOMP 1.2, "Protocol Negotiation"). Otherwise the highest version of the comma separated
    /// list that we know; blanks around entries are tolerated, unknown entries are skipped. `None` if nothing is common.
    pub fn negotiate(accept_version: Option<&str>) -> Option<Version> {
        match accept_version {
            None => Some(Version::V1_0),
            Some(list) => list.split(',').filter_map(Version::from_text).max(),
        }
    }

    /// The version that this text names, blanks around it ignored.
    pub fn from_text(text: &str) -> Option<Version> {
        let text = text.trim_matches([' ', '\t']);
        Version::ALL.into_iter().find(|version| version.as_str() == text)
    }

    /// As it stands in a `version` header.
    pub fn as_str(self) -> &'static str {
        match self {
            Version::V1_0 => "1.0",
            Version::V1_1 => "1.1",
            Version::V1_2 => "1.2",
        }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
