//! The registered miners as JSON: the file that `serve` follows, and the body of the admin route.

use serde::{Deserialize, Serialize};
use sn17_core::state::Neuron;

use crate::ss58::{self, Ss58Error};

/// Slots of a subnet, at most; the chain's own limit.
pub const NEURONS_MAX: usize = 256;

/// The metagraph as JSON: `{"neurons": [{"uid": 0, "hotkey": "5…", "stake": 1000.0, "incentive": 0.1}]}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metagraph {
    /// One entry per registered neuron, at most [`NEURONS_MAX`].
    pub neurons: Vec<NeuronEntry>,
}

/// One neuron of a [`Metagraph`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeuronEntry {
    /// Its slot.
    pub uid: u16,
    /// Its ss58 address.
    pub hotkey: String,
    /// Its owner's ss58 address, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coldkey: Option<String>,
    /// Total stake in tokens; 0 if it is left out.
    #[serde(default)]
    pub stake: f64,
    /// Incentive in 0 to 1; 0 if it is left out.
    #[serde(default)]
    pub incentive: f64,
}

/// Why a text is no metagraph. Figures that are not finite cannot be written in JSON.
#[derive(Debug, thiserror::Error)]
pub enum MetagraphError {
    /// It is not the JSON of a [`Metagraph`].
    #[error("malformed JSON: {0}")]
    Malformed(serde_json::Error),
    /// More neurons than a subnet has slots.
    #[error("more than {NEURONS_MAX} neurons")]
    TooMany,
    /// A hotkey or a coldkey is not an address.
    #[error("uid {uid}: {error}")]
    Hotkey {
        /// Whose it is.
        uid: u16,
        /// What is wrong with it.
        error: Ss58Error,
    },
    /// A slot or a hotkey occurs twice.
    #[error("uid {uid} or its hotkey stands there twice")]
    Twice {
        /// The second occurrence.
        uid: u16,
    },
}

impl Metagraph {
    /// The JSON's content for these neurons.
    pub fn of(neurons: &[Neuron]) -> Self {
        let entry = |neuron: &Neuron| NeuronEntry {
            uid: neuron.uid,
            hotkey: ss58::encode(&neuron.hotkey),
            coldkey: neuron.coldkey.as_ref().map(ss58::encode),
            stake: neuron.stake,
            incentive: neuron.incentive,
        };
        Self { neurons: neurons.iter().map(entry).collect() }
    }

    /// Reads and checks a text; the caller has bounded its size. The neurons come by uid.
    ///
    /// # Errors
    /// [`MetagraphError`] for the first thing that is wrong.
    pub fn read(json: &[u8]) -> Result<Vec<Neuron>, MetagraphError> {
        serde_json::from_slice::<Self>(json).map_err(MetagraphError::Malformed)?.check()
    }

    /// Checks what the shape alone does not say. The neurons come by uid.
    ///
    /// # Errors
    /// [`MetagraphError`] for the first thing that is wrong.
    pub fn check(self) -> Result<Vec<Neuron>, MetagraphError> {
        if self.neurons.len() > NEURONS_MAX {
            return Err(MetagraphError::TooMany);
        }
        let mut neurons: Vec<Neuron> = Vec::with_capacity(self.neurons.len());
        for NeuronEntry { uid, hotkey, coldkey, stake, incentive } in self.neurons {
            let decode =
                |address: &str| ss58::decode(address).map_err(|error| MetagraphError::Hotkey { uid, error });
            let hotkey = decode(&hotkey)?;
            let coldkey = coldkey.as_deref().map(decode).transpose()?;
            if neurons.iter().any(|other| other.uid == uid || other.hotkey == hotkey) {
                return Err(MetagraphError::Twice { uid });
            }
            neurons.push(Neuron { uid, hotkey, coldkey, stake, incentive });
        }
        neurons.sort_unstable_by_key(|neuron| neuron.uid);
        Ok(neurons)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    const BOB: &str = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";

    #[test]
    fn a_metagraph_reads_by_uid_and_writes() {
        let text = format!(
            r#"{{"neurons":[{{"uid":9,"hotkey":"{BOB}"}},{{"uid":3,"hotkey":"{ALICE}","stake":1.5}}]}}"#
        );
        let neurons = Metagraph::read(text.as_bytes()).unwrap();
        assert_eq!(neurons.iter().map(|neuron| neuron.uid).collect::<Vec<_>>(), [3, 9]);
        let written = serde_json::to_vec(&Metagraph::of(&neurons)).unwrap();
        assert_eq!(Metagraph::read(&written).unwrap(), neurons);
    }

    #[test]
    fn what_is_none_is_refused_with_its_reason() {
        let neuron = |uid: usize, hotkey: &str| format!(r#"{{"uid":{uid},"hotkey":"{hotkey}"}}"#);
        let of = |neurons: &[String]| format!(r#"{{"neurons":[{}]}}"#, neurons.join(","));
        let many = |count: usize| {
            let keys = (0..count).map(|uid| {
                let mut key = [0; 32];
                key[..8].copy_from_slice(&uid.to_le_bytes());
                neuron(uid, &ss58::encode(&sn17_core::Hotkey(key)))
            });
            of(&keys.collect::<Vec<_>>())
        };
        assert_eq!(Metagraph::read(many(NEURONS_MAX).as_bytes()).unwrap().len(), NEURONS_MAX);
        for (text, words) in [
            (many(NEURONS_MAX + 1), "more than 256 neurons"),
            (of(&[neuron(1, ALICE), neuron(2, ALICE)]), "uid 2 or its hotkey stands there twice"),
            (of(&[neuron(1, ALICE), neuron(1, BOB)]), "uid 1 or its hotkey stands there twice"),
            (of(&[neuron(1, "5Grw")]), "uid 1: not the base58 text of 35 bytes"),
            (r#"{"miners":[]}"#.to_owned(), "malformed JSON: unknown field `miners`"),
            (String::new(), "malformed JSON: EOF"),
            ("[]".to_owned(), "malformed JSON: "),
            (
                format!(r#"{{"neurons":[{{"uid":1,"hotkey":"{ALICE}","stake":1e999}}]}}"#),
                "malformed JSON: number out of",
            ),
        ] {
            let error = Metagraph::read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
    }
}
