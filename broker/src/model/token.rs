//! The name of a job that nobody can guess: whoever knows it may watch the job.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// 128 bits, shown as a UUID in lower case. The client may choose it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobToken(u128);

impl JobToken {
    /// The token with these bits.
    pub const fn from_bits(bits: u128) -> JobToken {
        JobToken(bits)
    }

    /// Its bits.
    pub const fn to_bits(self) -> u128 {
        self.0
    }

    /// Where dashes stand: before these of its digits.
    const DASHES: [usize; 4] = [8, 12, 16, 20];
}

/// Not a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a job token is a UUID, or 32 hexadecimal digits")]
pub struct TokenError;

impl FromStr for JobToken {
    type Err = TokenError;

    /// A UUID with its four dashes, or 32 hexadecimal digits without; upper case is folded.
    fn from_str(text: &str) -> Result<JobToken, TokenError> {
        let is_dash = |at: &usize| text.as_bytes().get(*at) == Some(&b'-');
        let dashed = text.len() == 36 && [8, 13, 18, 23].iter().all(is_dash);
        let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
        if digits != 32 || !(dashed || text.len() == 32) {
            return Err(TokenError);
        }
        let bits = text.chars().filter_map(|c| c.to_digit(16)).fold(0, |bits, digit| (bits << 4) | u128::from(digit));
        Ok(JobToken(bits))
    }
}

impl fmt::Display for JobToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", self.0);
        let mut rest = 0;
        for dash in Self::DASHES {
            write!(f, "{}-", &digits[rest..dash])?;
            rest = dash;
        }
        f.write_str(&digits[rest..])
    }
}

impl fmt::Debug for JobToken {
    /// The first digits only: a token is a secret, and debugging ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobToken({:08x}…)", self.0 >> 96)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_uuid_or_32_digits_and_is_shown_in_lower_case_with_dashes() {
        let shown = "00112233-4455-6677-8899-aabbccddeeff";
        for text in [shown, "00112233445566778899AABBCCDDEEFF", "00112233-4455-6677-8899-AaBbCcDdEeFf"] {
            assert_eq!(text.parse::<JobToken>().map(|token| token.to_string()), Ok(shown.to_owned()), "{text}");
        }
        assert_eq!(format!("{:?}", JobToken::from_bits(u128::MAX)), "JobToken(ffffffff…)");
    }

    #[test]
    fn other_texts_are_no_tokens() {
        for text in [
            "",
            "17",
            "0011223344556677-8899-aabb-ccddeeff-1",
            "00112233-4455-6677-8899-aabbccddeefg",
            "{0112233-4455-6677-8899-aabbccddeeff}",
            "00112233445566778899aabbccddeef",
            "001122334455-6677-8899-aabbccddeeff",
            "００112233445566778899aabbccddeeff",
        ] {
            assert_eq!(text.parse::<JobToken>(), Err(TokenError), "{text}");
        }
    }
}
