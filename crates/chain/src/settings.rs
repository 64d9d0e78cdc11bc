//! Which nodes are asked, for which subnet, and which runtimes are understood.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::endpoint::Endpoint;

/// The name of subtensor's runtime.
pub(crate) const SPEC_NAME: &str = "node-subtensor";

/// How the chain is asked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The nodes, the preferred one first; the others are for when it fails.
    pub endpoints: Vec<Endpoint>,
    /// The subnet; 17 on the main chain.
    pub netuid: u16,
    /// The runtimes whose layouts are taken for known.
    pub spec_versions: SpecVersions,
    /// A question is given up after this; 20 s.
    pub answer_within: Duration,
    /// The finalized block may be so old; 10 min, where the chain needs about 30 s.
    pub age_max: Duration,
    /// The pause before nodes that failed are asked a second and last time; 2 s.
    pub retry_after: Duration,
}

impl Settings {
    /// The usual settings for subnet 17.
    pub fn new(endpoints: Vec<Endpoint>) -> Self {
        Self {
            endpoints,
            netuid: 17,
            spec_versions: SpecVersions::KNOWN,
            answer_within: Duration::from_secs(20),
            age_max: Duration::from_secs(600),
            retry_after: Duration::from_secs(2),
        }
    }
}

/// Versions of the runtime: as text `425-499`, `425` or `any`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecVersions {
    /// From the first to the second, both included.
    Within(u32, u32),
    /// Whatever runs there; what its answers say is still checked.
    Any,
}

impl SpecVersions {
    /// The layouts here are those of 425, read in its source. They outlive most versions, and a change of them shows
    /// in decoding and in the check against the storage, so some later ones are taken too.
    pub const KNOWN: Self = Self::Within(425, 499);

    /// Whether a version is one of these.
    pub const fn contains(self, version: u32) -> bool {
        match self {
            Self::Within(least, greatest) => least <= version && version <= greatest,
            Self::Any => true,
        }
    }
}

/// A text is no [`SpecVersions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("spec versions are written like 425-499, 425 or any")]
pub struct SpecVersionsError;

impl FromStr for SpecVersions {
    type Err = SpecVersionsError;

    fn from_str(text: &str) -> Result<Self, SpecVersionsError> {
        if text == "any" {
            return Ok(Self::Any);
        }
        let (least, greatest) = text.split_once('-').unwrap_or((text, text));
        match (least.parse(), greatest.parse()) {
            (Ok(least), Ok(greatest)) if least <= greatest => Ok(Self::Within(least, greatest)),
            _ => Err(SpecVersionsError),
        }
    }
}

impl fmt::Display for SpecVersions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Within(least, greatest) if least == greatest => write!(formatter, "{least}"),
            Self::Within(least, greatest) => write!(formatter, "{least}-{greatest}"),
            Self::Any => formatter.write_str("any"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_read_and_write() {
        for text in ["425-499", "425", "0-4294967295", "any"] {
            assert_eq!(text.parse::<SpecVersions>().unwrap().to_string(), text);
        }
        for none in ["", "-", "499-425", "425-", "-425", "1-2-3", "all", "4294967296"] {
            assert_eq!(none.parse::<SpecVersions>(), Err(SpecVersionsError), "{none}");
        }
        let versions = SpecVersions::Within(425, 499);
        assert!(versions.contains(425) && versions.contains(499));
        assert!(!versions.contains(424) && !versions.contains(500));
        assert!(SpecVersions::Any.contains(0));
    }
}
