//! A network's standings, and the weights that follow from them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use sn17_chain::{Endpoint, EndpointError, Snapshot};
use sn17_core::UnixMs;
use sn17_core::policy::{WeightRules, WeightScheme};
use sn17_wire::leaderboard::LeaderboardReply;
use sn17_wire::ss58;

/// A network answers within this.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// No answer is longer; 256 rows take some 100 KB.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Standings are noted every minute; those that are older than this are of a network that has stopped.
const AGE_SECS_MAX: f64 = 3600.0;

/// Where standings come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A network, by its base URL: encrypted, as whoever stands in between would say who is paid.
    Network(Endpoint),
    /// What a network answered, as a file.
    File(PathBuf),
}

/// How rewards become weights.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Scheme {
    /// As the network itself has computed them.
    #[default]
    Network,
    /// In proportion to the reward.
    Reward,
    /// By rank alone, on the original validator's curve.
    RankCurve,
}

/// Standings that may become weights.
#[derive(Debug)]
pub(crate) struct Board {
    reply: LeaderboardReply,
    age_secs: f64,
}

impl FromStr for Source {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if text.contains("://") { text.parse().map(Self::Network) } else { Ok(Self::File(text.into())) }
    }
}

impl Source {
    /// Reads the standings, which must be of the last hour.
    pub(crate) async fn read(&self, now: UnixMs) -> anyhow::Result<Board> {
        let bytes = match self {
            Self::File(file) => {
                std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?
            }
            Self::Network(base) => fetch(base).await.context("cannot get the leaderboard")?,
        };
        Board::parse(&bytes, now)
    }
}

/// `GET /leaderboard` of a network, from which no redirect leads away.
async fn fetch(base: &Endpoint) -> anyhow::Result<Vec<u8>> {
    // An error means that a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ANSWER_WITHIN)
        .build()?;
    let url = format!("{}/leaderboard", base.url().trim_end_matches('/'));
    let mut response = client.get(url).send().await?;
    let status = response.status();
    anyhow::ensure!(status == reqwest::StatusCode::OK, "it answers {status}");
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        anyhow::ensure!(bytes.len() + chunk.len() <= ANSWER_BYTES_MAX, "its answer is too long");
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

impl Board {
    fn parse(bytes: &[u8], now: UnixMs) -> anyhow::Result<Self> {
        let reply: LeaderboardReply = serde_json::from_slice(bytes).context("that is no leaderboard")?;
        let taken = reply.taken.context("the network has no standings yet")?;
        let age_secs = Duration::from_millis(now.0).as_secs_f64() - taken;
        let is_recent = age_secs.abs() <= AGE_SECS_MAX;
        anyhow::ensure!(is_recent, "the standings are {age_secs:.0} s old, and may be {AGE_SECS_MAX:.0}");
        Ok(Self { reply, age_secs })
    }

    /// Whether scores made with synthetic model weights are behind them, which say nothing about miners.
    pub(crate) const fn is_synthetic(&self) -> bool {
        self.reply.synthetic
    }

    /// Who gets what by a scheme, at the slots where the chain has the miners now. A miner that is no longer on the
    /// subnet, or whose slot is another one by now, gets nothing: its record there begins anew.
    pub(crate) fn paid(&self, scheme: Scheme, snapshot: &Snapshot) -> anyhow::Result<Vec<(u16, f64)>> {
        let rewards: Vec<f64> = self.reply.rows.iter().map(|row| row.reward).collect();
        let by =
            |scheme| sn17_core::weights::weights(&rewards, &WeightRules { scheme, ..WeightRules::default() });
        let weights = match scheme {
            Scheme::Network => self.reply.rows.iter().map(|row| row.weight).collect(),
            Scheme::Reward => by(WeightScheme::Reward),
            Scheme::RankCurve => by(WeightScheme::RankCurve),
        };
        let mut paid = Vec::new();
        for (row, weight) in self.reply.rows.iter().zip(weights) {
            let hotkey = ss58::decode(&row.hotkey).with_context(|| format!("hotkey {}", row.hotkey))?;
            let is_there = snapshot.neuron(&hotkey).is_some_and(|neuron| neuron.uid == row.uid);
            if is_there && weight != 0.0 {
                paid.push((row.uid, weight));
            }
        }
        anyhow::ensure!(!paid.is_empty(), "nobody on the leaderboard has earned anything");
        Ok(paid)
    }
}

impl fmt::Display for Board {
    /// The standings, a row each.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = &self.reply.rows;
        writeln!(formatter, "leaderboard of {} miners, {:.0} s old:", rows.len(), self.age_secs)?;
        for row in rows {
            let (uid, hotkey, reward, weight) = (row.uid, &row.hotkey, row.reward, row.weight);
            writeln!(formatter, "  uid {uid:>3}  {hotkey}  reward {reward:>12.1}  weight {weight:.6}")?;
        }
        if self.is_synthetic() {
            writeln!(
                formatter,
                "its scores were made with synthetic model weights: they say nothing about miners"
            )?;
        }
        Ok(())
    }
}
