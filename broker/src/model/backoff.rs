//! How long a message waits after a NACK.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Time between a NACK and the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backoff {
    /// Always the same, in milliseconds; 0 is at once.
    Fixed {
        /// How long.
        ms: u64,
    },
    /// Longer after each NACK, with a jitter of a fifth either way, so that what failed together is not tried together.
    Exponential {
        /// After the first NACK, in milliseconds.
        first_ms: u64,
        /// By how much longer each time, in thousandths; at least 1000.
        factor_milli: u32,
        /// Never longer, in milliseconds, jitter included.
        max_ms: u64,
    },
}

impl Backoff {
    /// The longest wait that can be asked for: a year, in milliseconds.
    pub const LONGEST_MS: u64 = 365 * 24 * 60 * 60 * 1000;

    /// How long to wait after that many NACKs, from 1, in milliseconds. `chance` is any number and decides the jitter.
    pub fn wait_ms(self, nacks: u8, chance: u32) -> u64 {
        match self {
            Backoff::Fixed { ms } => ms,
            Backoff::Exponential { first_ms, factor_milli, max_ms } => {
                let mut wait = first_ms.min(max_ms);
                for _ in 1..nacks {
                    if wait >= max_ms {
                        break;
                    }
                    wait = (wait.saturating_mul(u64::from(factor_milli)) / 1000).min(max_ms);
                }
                // Four fifths to six fifths.
                let jitter = 800 + u64::from(chance) % 401;
                (wait.saturating_mul(jitter) / 1000).min(max_ms)
            }
        }
    }
}

impl Default for Backoff {
    /// A second, doubled after each NACK, at most ten minutes.
    fn default() -> Backoff {
        Backoff::Exponential { first_ms: 1000, factor_milli: 2000, max_ms: 600_000 }
    }
}

/// Not a back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a back-off is `fixed:ms` or `exp:ms:factor:max`, such as `exp:1000:2:600000`")]
pub struct BackoffError;

impl FromStr for Backoff {
    type Err = BackoffError;

    /// `fixed:ms`, or `exp:ms:factor:max` with times in milliseconds up to a year and a factor of 1 to 100 with at most
    /// three decimals.
    fn from_str(text: &str) -> Result<Backoff, BackoffError> {
        let backoff = match text.split(':').collect::<Vec<_>>()[..] {
            ["fixed", ms] => time(ms).map(|ms| Backoff::Fixed { ms }),
            ["exp", first, factor, max] => exponential(first, factor, max),
            _ => None,
        };
        backoff.ok_or(BackoffError)
    }
}

fn exponential(first: &str, factor: &str, max: &str) -> Option<Backoff> {
    let (first_ms, max_ms, factor_milli) = (time(first)?, time(max)?, thousandths(factor)?);
    let in_order = first_ms <= max_ms && (1000..=100_000).contains(&factor_milli);
    in_order.then_some(Backoff::Exponential { first_ms, factor_milli, max_ms })
}

impl fmt::Display for Backoff {
    /// As [`FromStr`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Backoff::Fixed { ms } => write!(f, "fixed:{ms}"),
            Backoff::Exponential { first_ms, factor_milli, max_ms } => {
                let (whole, rest) = (factor_milli / 1000, factor_milli % 1000);
                let decimals = if rest == 0 { String::new() } else { format!(".{rest:03}") };
                write!(f, "exp:{first_ms}:{whole}{decimals}:{max_ms}")
            }
        }
    }
}

fn time(text: &str) -> Option<u64> {
    number(text).filter(|ms| *ms <= Backoff::LONGEST_MS)
}

fn number(text: &str) -> Option<u64> {
    let plain = (1..=12).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

fn thousandths(text: &str) -> Option<u32> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    if decimals.len() > 3 || whole.len() > 3 {
        return None;
    }
    Some(number(whole)? as u32 * 1000 + number(&format!("{decimals:0<3}"))? as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_back_off_is_read_as_it_is_written() {
        for text in ["fixed:0", "fixed:250", "exp:1000:2:600000", "exp:0:1.500:10"] {
            assert_eq!(text.parse::<Backoff>().map(|backoff| backoff.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("exp:1000:2:600000".parse(), Ok(Backoff::default()));
        assert_eq!("exp:1:1.5:9".parse(), Ok(Backoff::Exponential { first_ms: 1, factor_milli: 1500, max_ms: 9 }));
        for text in ["", "fixed", "fixed:", "fixed:-1", "fixed:1:2", "exp:1:2", "exp:2:2:1", "exp:1:0.5:9", "none:1"] {
            assert_eq!(text.parse::<Backoff>(), Err(BackoffError), "{text}");
        }
        assert!("fixed:31536000001".parse::<Backoff>().is_err(), "more than a year");
    }

    #[test]
    fn waiting_grows_to_its_maximum_with_a_fifth_of_jitter() {
        let backoff = Backoff::default();
        assert_eq!((backoff.wait_ms(1, 200), backoff.wait_ms(2, 200), backoff.wait_ms(5, 200)), (1000, 2000, 16_000));
        assert_eq!((backoff.wait_ms(1, 0), backoff.wait_ms(1, 400)), (800, 1200));
        assert_eq!((backoff.wait_ms(255, 400), backoff.wait_ms(255, 0)), (600_000, 480_000));
        assert_eq!(Backoff::Fixed { ms: 70 }.wait_ms(9, 400), 70, "fixed is fixed");
    }
}
