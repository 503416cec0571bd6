//! Who a client is, and what it may do.
//!
//! The [`Authenticator`] turns a login into [`Grants`]; the grants answer questions about rights without looking anything
//! up. It knows nothing of STOMP, of connections or of the configuration file, reads no clock and opens no file.
//!
//! ```
//! use std::time::Duration;
//! use kolejka::auth::{Action, Authenticator, Credentials, Options, Peer, Rights, Secret, User, hash_password};
//! use kolejka::model::DestinationName;
//!
//! let mut rights = Rights::default();
//! rights.allow("ann", "/queue/{user}.**", &[Action::Write])?;
//! let user = User::new("ann", &hash_password("correct horse")?, rights)?;
//! let door = Authenticator::new(Options { users: vec![user], anonymous: None })?;
//!
//! let login = Credentials { login: Some("ann".into()), passcode: Some(Secret::new("correct horse")) };
//! let grants = door.verify(Duration::ZERO, Peer::local(), &login)?;
//! let inbox = DestinationName::queue("ann.in")?;
//! assert!(grants.may(Action::Write, &inbox) && !grants.may(Action::Read, &inbox));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod authenticator;
mod credentials;
mod grants;
mod origin;
mod password;
mod recent;
mod review;
mod throttle;
mod user;

#[cfg(test)]
mod tests;

pub use crate::model::Right as Action;
pub use authenticator::{Authenticator, Denied, LoginFailure, Options};
pub use credentials::{Credentials, Peer, Secret};
pub use grants::{Grants, Principal, Rights, RuleError};
pub use password::{PasswordError, PasswordHash, hash_password};
pub use review::{Admitted, Generation, Revoked};
pub use user::{User, UserError};
