//! What a function or worker is told by its environment, checked before it takes its first request.
//!
//! | variable | read by | meaning |
//! | --- | --- | --- |
//! | `SN17_TABLE` | all | name of the table |
//! | `SN17_BUCKET` | all but dispatch | name of the bucket |
//! | `SN17_SCORING_QUEUE_URL` | all but edge, duelist and chain | the queue of submissions to score |
//! | `SN17_SCORING_DEAD_LETTERS_URL` | gateway, sweeper | its dead letters |
//! | `SN17_TIMERS_QUEUE_URL` | dispatch, sweeper | the queue of tasks to look at later |
//! | `SN17_JUDGING_QUEUE_URL` | dispatch, sweeper, duelist | the queue of results to compare |
//! | `SN17_SHARDS` | all but dispatch | shards of the indexes, 1 to 1024, for an edge to 128, 4 unless set |
//! | `SN17_POLICY` | all but dispatch | the policy as JSON, `{}` unless set |
//! | `SN17_JUDGE_URL` | all but dispatch and edge | optional: where the judge answers; its being set sets the policy's `judge.enabled` |
//! | `SN17_VALIDATOR_HOTKEY` | all but dispatch | ss58 address that miners address and sign for |
//! | `SN17_API_KEY_SECRET_ID`, `SN17_ADMIN_KEY_SECRET_ID` | gateway | where Secrets Manager keeps the two secrets |
//! | `SN17_EDGE_URL` | gateway, miner | optional: the host that takes bodies above Lambda's 6 MiB |
//! | `SN17_STAGE` | gateway, miner, chain, edge | what metrics call this deployment, `local` unless set |
//! | `SN17_API_KEY_SECRET`, `SN17_ADMIN_KEY` | edge | the two secrets themselves, at least 32 characters each |
//! | `AWS_REGION` | edge | where the table and the bucket are |
//! | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` | edge | whose permissions it has |
//! | `AWS_SESSION_TOKEN` | edge | optional: comes with short-lived credentials |
//! | `AWS_ENDPOINT_URL` | edge | optional: a local engine instead of AWS |
//!
//! An empty variable counts as unset, since a template cannot leave one out. For the other roles the SDK reads its own
//! variables, such as `AWS_REGION` and `AWS_ENDPOINT_URL`.

mod access;
mod parse;

use std::fmt;

use sn17_core::Hotkey;
use sn17_core::policy::Policy;

use crate::queue::QueueUrls;
use parse::{
    bucket_name, edge_shards, policy, queue_url, secret_id, shards, stage, table_name, url, validator,
};

pub use access::{Access, Secret};

/// Shards of the open queues and of the due calendar where nothing else is said.
const SHARDS_DEFAULT: u16 = 4;
/// What metrics call a deployment that has no name.
const STAGE_DEFAULT: &str = "local";
/// Fewest characters of a secret.
pub(crate) const SECRET_CHARS_MIN: usize = 32;

/// Whose environment is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The function of clients and operators.
    Gateway,
    /// The function of miners.
    Miner,
    /// The function behind the table's stream.
    Dispatch,
    /// The function of timers and repairs.
    Sweeper,
    /// The function that asks the chain who is registered.
    Chain,
    /// The scoring worker.
    Scorer,
    /// The worker that has results compared.
    Duelist,
    /// A host at the edge, which has neither the SDK's own configuration nor queues.
    Edge,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 8] = [
        Self::Gateway,
        Self::Miner,
        Self::Dispatch,
        Self::Sweeper,
        Self::Chain,
        Self::Scorer,
        Self::Duelist,
        Self::Edge,
    ];

    /// The variables it reads, required ones first.
    pub const fn variables(self) -> &'static [Variable] {
        use Variable::*;
        match self {
            Self::Gateway => &[
                Table,
                Bucket,
                ScoringQueueUrl,
                ScoringDeadLettersUrl,
                ValidatorHotkey,
                ApiKeySecretId,
                AdminKeySecretId,
                Shards,
                Policy,
                JudgeUrl,
                EdgeUrl,
                Stage,
            ],
            Self::Miner => {
                &[Table, Bucket, ScoringQueueUrl, ValidatorHotkey, Shards, Policy, JudgeUrl, EdgeUrl, Stage]
            }
            Self::Dispatch => &[Table, ScoringQueueUrl, TimersQueueUrl, JudgingQueueUrl],
            Self::Sweeper => &[
                Table,
                Bucket,
                ScoringQueueUrl,
                ScoringDeadLettersUrl,
                TimersQueueUrl,
                JudgingQueueUrl,
                ValidatorHotkey,
                Shards,
                Policy,
                JudgeUrl,
            ],
            Self::Chain => &[Table, Bucket, ValidatorHotkey, Shards, Policy, JudgeUrl, Stage],
            Self::Scorer => &[Table, Bucket, ScoringQueueUrl, ValidatorHotkey, Shards, Policy, JudgeUrl],
            Self::Duelist => &[Table, Bucket, JudgingQueueUrl, ValidatorHotkey, Shards, Policy, JudgeUrl],
            Self::Edge => &[
                Table,
                Bucket,
                ValidatorHotkey,
                ApiKeySecret,
                AdminKey,
                Region,
                AccessKeyId,
                SecretAccessKey,
                SessionToken,
                EndpointUrl,
                Shards,
                Policy,
                Stage,
            ],
        }
    }
}

/// A variable of the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// `SN17_TABLE`.
    Table,
    /// `SN17_BUCKET`.
    Bucket,
    /// `SN17_SCORING_QUEUE_URL`.
    ScoringQueueUrl,
    /// `SN17_SCORING_DEAD_LETTERS_URL`.
    ScoringDeadLettersUrl,
    /// `SN17_TIMERS_QUEUE_URL`.
    TimersQueueUrl,
    /// `SN17_JUDGING_QUEUE_URL`.
    JudgingQueueUrl,
    /// `SN17_SHARDS`.
    Shards,
    /// `SN17_POLICY`.
    Policy,
    /// `SN17_JUDGE_URL`.
    JudgeUrl,
    /// `SN17_VALIDATOR_HOTKEY`.
    ValidatorHotkey,
    /// `SN17_API_KEY_SECRET_ID`.
    ApiKeySecretId,
    /// `SN17_ADMIN_KEY_SECRET_ID`.
    AdminKeySecretId,
    /// `SN17_EDGE_URL`.
    EdgeUrl,
    /// `SN17_STAGE`.
    Stage,
    /// `SN17_API_KEY_SECRET`.
    ApiKeySecret,
    /// `SN17_ADMIN_KEY`.
    AdminKey,
    /// `AWS_REGION`.
    Region,
    /// `AWS_ACCESS_KEY_ID`.
    AccessKeyId,
    /// `AWS_SECRET_ACCESS_KEY`.
    SecretAccessKey,
    /// `AWS_SESSION_TOKEN`.
    SessionToken,
    /// `AWS_ENDPOINT_URL`.
    EndpointUrl,
}

impl Variable {
    /// Its name in the environment.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Table => "SN17_TABLE",
            Self::Bucket => "SN17_BUCKET",
            Self::ScoringQueueUrl => "SN17_SCORING_QUEUE_URL",
            Self::ScoringDeadLettersUrl => "SN17_SCORING_DEAD_LETTERS_URL",
            Self::TimersQueueUrl => "SN17_TIMERS_QUEUE_URL",
            Self::JudgingQueueUrl => "SN17_JUDGING_QUEUE_URL",
            Self::Shards => "SN17_SHARDS",
            Self::Policy => "SN17_POLICY",
            Self::JudgeUrl => "SN17_JUDGE_URL",
            Self::ValidatorHotkey => "SN17_VALIDATOR_HOTKEY",
            Self::ApiKeySecretId => "SN17_API_KEY_SECRET_ID",
            Self::AdminKeySecretId => "SN17_ADMIN_KEY_SECRET_ID",
            Self::EdgeUrl => "SN17_EDGE_URL",
            Self::Stage => "SN17_STAGE",
            Self::ApiKeySecret => "SN17_API_KEY_SECRET",
            Self::AdminKey => "SN17_ADMIN_KEY",
            Self::Region => "AWS_REGION",
            Self::AccessKeyId => "AWS_ACCESS_KEY_ID",
            Self::SecretAccessKey => "AWS_SECRET_ACCESS_KEY",
            Self::SessionToken => "AWS_SESSION_TOKEN",
            Self::EndpointUrl => "AWS_ENDPOINT_URL",
        }
    }
}

/// A checked environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Whose it is.
    pub role: Role,
    /// Name of the table.
    pub table: String,
    /// The queues that the role may use.
    pub queues: QueueUrls,
    /// What the use cases need; none for dispatch.
    pub network: Option<Network>,
    /// Where the secrets lie; the gateway's alone.
    pub secrets: Option<SecretIds>,
    /// The host that takes larger bodies than Lambda does.
    pub edge_url: Option<String>,
    /// How AWS is reached, and the secrets themselves; an edge's alone.
    pub access: Option<Access>,
    /// What metrics call this deployment.
    pub stage: String,
}

/// What every role that runs use cases knows about the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Name of the bucket.
    pub bucket: String,
    /// Shards of the open queues and of the due calendar, 1 to 1024.
    pub shards: u16,
    /// The numbers of the game, validated; there is a judge if they say so or if its URL is set.
    pub policy: Policy,
    /// The hotkey that miners address and sign for.
    pub validator: Hotkey,
}

/// Where Secrets Manager keeps the secrets: names or ARNs, not the secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretIds {
    /// The secret that API keys are hashed with.
    pub api_key: String,
    /// The operators' key.
    pub admin_key: String,
}

/// Everything that is wrong with an environment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError(
    /// One fault a line, each naming its variable.
    pub Vec<String>,
);

impl fmt::Display for SettingsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "cannot use the environment: {}", self.0.join("; "))
    }
}

impl Settings {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// Lists every fault at once.
    #[cfg(not(target_family = "wasm"))]
    pub fn from_env(role: Role) -> Result<Self, SettingsError> {
        Self::from_lookup(role, |name| std::env::var(name).ok())
    }

    /// Reads what `lookup` knows of each variable of `role`, and asks for no other.
    ///
    /// # Errors
    /// Lists every fault at once.
    pub fn from_lookup(role: Role, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader { role, lookup, faults: Vec::new() };
        let table = reader.required(Variable::Table, table_name);
        let queues = QueueUrls {
            scoring: reader.if_read(Variable::ScoringQueueUrl, queue_url).unwrap_or_default(),
            scoring_dead_letters: reader.if_read(Variable::ScoringDeadLettersUrl, queue_url),
            timers: reader.if_read(Variable::TimersQueueUrl, queue_url),
            timers_dead_letters: None,
            judging: reader.if_read(Variable::JudgingQueueUrl, queue_url),
            judging_dead_letters: None,
        };
        let shards = if role == Role::Edge { edge_shards } else { shards };
        let network = role.variables().contains(&Variable::Bucket).then(|| Network {
            bucket: reader.required(Variable::Bucket, bucket_name),
            shards: reader.optional(Variable::Shards, shards).unwrap_or(SHARDS_DEFAULT),
            policy: reader.policy(),
            validator: reader.required_or(Variable::ValidatorHotkey, validator, Hotkey([0; 32])),
        });
        let secrets = role.variables().contains(&Variable::ApiKeySecretId).then(|| SecretIds {
            api_key: reader.required(Variable::ApiKeySecretId, secret_id),
            admin_key: reader.required(Variable::AdminKeySecretId, secret_id),
        });
        let edge_url = reader.optional(Variable::EdgeUrl, url);
        let access = role.variables().contains(&Variable::Region).then(|| reader.access());
        let stage = reader.optional(Variable::Stage, stage).unwrap_or_else(|| STAGE_DEFAULT.to_owned());
        if !reader.faults.is_empty() {
            return Err(SettingsError(reader.faults));
        }
        Ok(Self { role, table, queues, network, secrets, edge_url, access, stage })
    }

    /// What the use cases need.
    ///
    /// # Errors
    /// For dispatch, which runs none.
    pub fn network(&self) -> Result<&Network, SettingsError> {
        let missing = || SettingsError(vec![format!("{:?} runs no use cases", self.role)]);
        self.network.as_ref().ok_or_else(missing)
    }

    /// How AWS is reached, and the secrets themselves.
    ///
    /// # Errors
    /// For every role but an edge.
    pub fn access(&self) -> Result<&Access, SettingsError> {
        let missing = || SettingsError(vec![format!("{:?} has the SDK's own configuration", self.role)]);
        self.access.as_ref().ok_or_else(missing)
    }

    /// Where the secrets lie.
    ///
    /// # Errors
    /// For every role but the gateway.
    pub fn secrets(&self) -> Result<&SecretIds, SettingsError> {
        let missing = || SettingsError(vec![format!("{:?} has no secrets", self.role)]);
        self.secrets.as_ref().ok_or_else(missing)
    }
}

/// Reads one variable after the other and gathers what is wrong with them.
struct Reader<F> {
    role: Role,
    lookup: F,
    faults: Vec<String>,
}

/// Reads a variable's text.
type Parse<T> = fn(&str) -> Result<T, String>;

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    /// A variable that must be set. What stands for a faulty one is never seen: faults end in an error.
    fn required(&mut self, variable: Variable, parse: Parse<String>) -> String {
        self.required_or(variable, parse, String::new())
    }

    fn required_or<T>(&mut self, variable: Variable, parse: Parse<T>, stand_in: T) -> T {
        let faults_before = self.faults.len();
        let value = self.optional(variable, parse);
        if value.is_none() && self.faults.len() == faults_before {
            self.faults.push(format!("{} is not set", variable.name()));
        }
        value.unwrap_or(stand_in)
    }

    /// The policy. Who names a judge means to have one, so that no program has to be told twice.
    fn policy(&mut self) -> Policy {
        let mut rules = self.optional(Variable::Policy, policy).unwrap_or_default();
        rules.judge.enabled |= self.optional(Variable::JudgeUrl, url).is_some();
        rules
    }

    /// A variable that must be set for the roles that read it.
    fn if_read(&mut self, variable: Variable, parse: Parse<String>) -> Option<String> {
        self.role.variables().contains(&variable).then(|| self.required(variable, parse))
    }

    fn optional<T>(&mut self, variable: Variable, parse: Parse<T>) -> Option<T> {
        if !self.role.variables().contains(&variable) {
            return None;
        }
        let text = (self.lookup)(variable.name()).filter(|text| !text.is_empty())?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(fault) => {
                self.faults.push(format!("{} {fault}", variable.name()));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
