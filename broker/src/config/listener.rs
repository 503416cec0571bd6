//! Listeners, and the rule that nobody opens a broker to the world by accident.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::place::beside;
use super::problem::{Origin, Problem};
use super::settings::{Section, Settings};
use super::sources::Files;

/// One address that is listened on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerConfig {
    /// IP address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// What is spoken, besides TLS.
    pub protocols: Protocols,
    /// With TLS, its files; they exist.
    pub tls: Option<TlsFiles>,
    /// Whether it may speak without TLS beyond loopback. Where this is false and `tls` is given, a listener beyond
    /// loopback takes nothing but TLS.
    pub allow_plaintext: bool,
    /// Whether clients without a login may come in, where there are users.
    pub anonymous: bool,
    /// Origins that may open a WebSocket, besides that of the host itself.
    pub origins: Vec<String>,
    /// Whether a WebSocket without an Origin is refused.
    pub require_origin: bool,
    /// Whether a line feed follows the NUL of each frame.
    pub trailing_lf: bool,
}

/// Protocols that a listener tells apart by the first octets. At least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocols {
    /// STOMP on the bare stream.
    pub stomp: bool,
    /// STOMP in WebSocket messages.
    pub websocket: bool,
}

/// The files of a TLS listener, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl ListenerConfig {
    /// The ports that clients know, on loopback: 61613 for STOMP, 15674 for WebSocket. Both speak both.
    pub fn defaults() -> Vec<ListenerConfig> {
        [61613, 15674].map(|port| ListenerConfig::on(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))).into()
    }

    /// A plain listener at that address.
    pub fn on(address: SocketAddr) -> ListenerConfig {
        ListenerConfig {
            address,
            protocols: Protocols { stomp: true, websocket: true },
            tls: None,
            allow_plaintext: false,
            anonymous: false,
            origins: Vec::new(),
            require_origin: false,
            trailing_lf: true,
        }
    }

    /// Whether only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        self.address.ip().to_canonical().is_loopback()
    }
}

impl ListenerConfig {
    /// What is allowed in words and still deserves one.
    pub(super) fn warning(&self) -> Option<String> {
        let is_open = self.anonymous && !self.is_loopback();
        is_open.then(|| {
            format!(
                "{} can be reached from other machines and lets clients in without a login: all of them have the rights of \
                 the user `anonymous`; leave `anonymous` away from the listener if that is not meant",
                self.address
            )
        })
    }
}

/// All listeners; the defaults if none is written.
pub(super) fn read_all(
    settings: &Settings,
    file: Option<&Path>,
    files: &dyn Files,
    problems: &mut Vec<Problem>,
) -> Vec<ListenerConfig> {
    if settings.listeners.is_empty() {
        return ListenerConfig::defaults();
    }
    let mut listeners: Vec<ListenerConfig> = Vec::new();
    for section in &settings.listeners {
        let Some(listener) = read(section, file, files, problems) else { continue };
        if listeners.iter().any(|other| other.address == listener.address && listener.address.port() != 0) {
            problems.push(
                Problem::new(section.origin("listener.address"), "two listeners have the same address")
                    .label("used before"),
            );
        }
        check_exposure(&listener, section.origin("listener.address"), !settings.users.is_empty(), problems);
        listeners.push(listener);
    }
    listeners
}

fn read(
    section: &Section,
    file: Option<&Path>,
    files: &dyn Files,
    problems: &mut Vec<Problem>,
) -> Option<ListenerConfig> {
    let Some(text) = section.get::<String>("listener.address") else {
        problems.push(
            Problem::new(section.at.clone(), "a listener needs an address").label("add address = \"127.0.0.1:61613\""),
        );
        return None;
    };
    let address = text.strip_prefix("localhost:").map_or(text.clone(), |port| format!("127.0.0.1:{port}"));
    let Ok(address) = address.parse() else {
        problems.push(
            Problem::new(section.origin("listener.address"), format!("`{text}` is no address to listen on"))
                .label("an IP address and a port are wanted, as in \"127.0.0.1:61613\" or \"[::]:61613\""),
        );
        return None;
    };
    let plain = ListenerConfig::on(address);
    Some(ListenerConfig {
        protocols: protocols(section, problems),
        tls: tls(section, file, files, problems),
        allow_plaintext: section.get("listener.allow_plaintext").unwrap_or(plain.allow_plaintext),
        anonymous: section.get("listener.anonymous").unwrap_or(plain.anonymous),
        origins: origins(section, problems),
        require_origin: section.get("listener.require_origin").unwrap_or(plain.require_origin),
        trailing_lf: section.get("listener.trailing_lf").unwrap_or(plain.trailing_lf),
        ..plain
    })
}

fn protocols(section: &Section, problems: &mut Vec<Problem>) -> Protocols {
    let Some(words) = section.get::<Vec<String>>("listener.protocols") else {
        return Protocols { stomp: true, websocket: true };
    };
    let origin = || section.origin("listener.protocols");
    if let Some(word) = words.iter().find(|word| !matches!(word.as_str(), "stomp" | "websocket")) {
        problems.push(
            Problem::new(origin(), format!("there is no protocol `{word}`")).label("protocols are stomp and websocket"),
        );
    } else if words.is_empty() {
        problems.push(Problem::new(origin(), "a listener speaks at least one protocol").label("stomp, websocket"));
    }
    let speaks = |protocol| words.iter().any(|word| word == protocol);
    Protocols { stomp: speaks("stomp"), websocket: speaks("websocket") }
}

fn origins(section: &Section, problems: &mut Vec<Problem>) -> Vec<String> {
    let origins = section.get::<Vec<String>>("listener.origins").unwrap_or_default();
    for origin in &origins {
        let host = origin.split_once("://").map(|(_, host)| host);
        if host.is_none_or(|host| host.is_empty() || host.contains('/')) {
            problems.push(
                Problem::new(section.origin("listener.origins"), format!("`{origin}` is no origin of a web page"))
                    .label("scheme, host and port if it is unusual, without a path: \"https://shop.example.com\""),
            );
        }
    }
    // Browsers send scheme and host in lower case.
    origins.into_iter().map(|origin| origin.to_ascii_lowercase()).collect()
}

fn tls(section: &Section, file: Option<&Path>, files: &dyn Files, problems: &mut Vec<Problem>) -> Option<TlsFiles> {
    let mut path = |key| {
        let path = beside(file, &section.get::<String>(key)?);
        if let Err(error) = files.read(&path) {
            problems.push(
                Problem::new(section.origin(key), format!("{} cannot be read", path.display()))
                    .label(error.to_string()),
            );
        }
        Some(path)
    };
    match (path("listener.tls.certificate"), path("listener.tls.key")) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
        (None, None) => None,
        (Some(_), None) => {
            problems.push(
                Problem::new(section.origin("listener.tls.certificate"), "a certificate needs its key")
                    .label("add key = \"…\""),
            );
            None
        }
        (None, Some(_)) => {
            problems.push(
                Problem::new(section.origin("listener.tls.key"), "a key needs its certificate")
                    .label("add certificate = \"…\""),
            );
            None
        }
    }
}

/// Beyond loopback there must be users, and TLS, unless plaintext is allowed in words.
fn check_exposure(listener: &ListenerConfig, at: Origin, has_users: bool, problems: &mut Vec<Problem>) {
    if listener.is_loopback() {
        return;
    }
    let address = listener.address;
    if !has_users {
        problems.push(
            Problem::new(at.clone(), format!("{address} can be reached from other machines, and there are no users"))
                .label("anybody could read and write everything")
                .help(
                    "add a user: [[user]] with name = \"…\", password = \"…\" (kolejka user hash prints it) and\n\
                     allow = [ { on = \"/queue/**\", to = [\"read\", \"write\", \"create\"] } ]; or listen on 127.0.0.1",
                ),
        );
    }
    if listener.tls.is_none() && !listener.allow_plaintext {
        problems.push(
            Problem::new(at, format!("{address} can be reached from other machines, and has no TLS"))
                .label("passcodes and messages could be read on their way")
                .help(
                    "add tls = { certificate = \"cert.pem\", key = \"key.pem\" } to the listener;\n\
                     or write allow_plaintext = true if the network is trusted",
                ),
        );
    }
}
