//! What a function or worker is told by its environment, checked before it takes its first request.
//!
//! | variable | read by | meaning |
//! | --- | --- | --- |
//! | `SN17_TABLE` | all | name of the table |
//! | `SN17_BUCKET` | all but dispatch | name of the bucket |
//! | `SN17_SCORING_QUEUE_URL` | all | the queue of submissions to score |
//! | `SN17_SCORING_DEAD_LETTERS_URL` | gateway, sweeper | its dead letters |
//! | `SN17_TIMERS_QUEUE_URL` | dispatch, sweeper | the queue of tasks to look at later |
//! | `SN17_SHARDS` | all but dispatch | shards of the indexes, 1 to 1024, 4 unless set |
//! | `SN17_POLICY` | all but dispatch | the policy as JSON, `{}` unless set |
//! | `SN17_VALIDATOR_HOTKEY` | all but dispatch | ss58 address that miners address and sign for |
//! | `SN17_API_KEY_SECRET_ID`, `SN17_ADMIN_KEY_SECRET_ID` | gateway | where Secrets Manager keeps the two secrets |
//! | `SN17_EDGE_URL` | gateway, miner | optional: the host that takes bodies above Lambda's 6 MiB |
//! | `SN17_STAGE` | gateway, miner | what metrics call this deployment, `local` unless set |
//!
//! An empty variable counts as unset, since a template cannot leave one out. The SDK reads its own variables, such as
//! `AWS_REGION` and `AWS_ENDPOINT_URL`.

use std::fmt;

use sn17_core::Hotkey;
use sn17_core::policy::Policy;
use sn17_wire::ss58;

use crate::queue::QueueUrls;

/// Shards of the open queues and of the due calendar where nothing else is said.
const SHARDS_DEFAULT: u16 = 4;
/// Most shards.
const SHARDS_MAX: u16 = 1024;
/// What metrics call a deployment that has no name.
const STAGE_DEFAULT: &str = "local";
/// Longest URL that is taken, in bytes.
const URL_BYTES_MAX: usize = 2048;

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
    /// The scoring worker.
    Scorer,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Gateway, Self::Miner, Self::Dispatch, Self::Sweeper, Self::Scorer];

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
                EdgeUrl,
                Stage,
            ],
            Self::Miner => &[Table, Bucket, ScoringQueueUrl, ValidatorHotkey, Shards, Policy, EdgeUrl, Stage],
            Self::Dispatch => &[Table, ScoringQueueUrl, TimersQueueUrl],
            Self::Sweeper => &[
                Table,
                Bucket,
                ScoringQueueUrl,
                ScoringDeadLettersUrl,
                TimersQueueUrl,
                ValidatorHotkey,
                Shards,
                Policy,
            ],
            Self::Scorer => &[Table, Bucket, ScoringQueueUrl, ValidatorHotkey, Shards, Policy],
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
    /// `SN17_SHARDS`.
    Shards,
    /// `SN17_POLICY`.
    Policy,
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
            Self::Shards => "SN17_SHARDS",
            Self::Policy => "SN17_POLICY",
            Self::ValidatorHotkey => "SN17_VALIDATOR_HOTKEY",
            Self::ApiKeySecretId => "SN17_API_KEY_SECRET_ID",
            Self::AdminKeySecretId => "SN17_ADMIN_KEY_SECRET_ID",
            Self::EdgeUrl => "SN17_EDGE_URL",
            Self::Stage => "SN17_STAGE",
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
    /// The numbers of the game, validated.
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
            scoring: reader.required(Variable::ScoringQueueUrl, queue_url),
            scoring_dead_letters: reader.if_read(Variable::ScoringDeadLettersUrl, queue_url),
            timers: reader.if_read(Variable::TimersQueueUrl, queue_url),
            timers_dead_letters: None,
        };
        let network = role.variables().contains(&Variable::Bucket).then(|| Network {
            bucket: reader.required(Variable::Bucket, bucket_name),
            shards: reader.optional(Variable::Shards, shards).unwrap_or(SHARDS_DEFAULT),
            policy: reader.optional(Variable::Policy, policy).unwrap_or_default(),
            validator: reader.required_or(Variable::ValidatorHotkey, validator, Hotkey([0; 32])),
        });
        let secrets = role.variables().contains(&Variable::ApiKeySecretId).then(|| SecretIds {
            api_key: reader.required(Variable::ApiKeySecretId, secret_id),
            admin_key: reader.required(Variable::AdminKeySecretId, secret_id),
        });
        let edge_url = reader.optional(Variable::EdgeUrl, url);
        let stage = reader.optional(Variable::Stage, stage).unwrap_or_else(|| STAGE_DEFAULT.to_owned());
        if !reader.faults.is_empty() {
            return Err(SettingsError(reader.faults));
        }
        Ok(Self { role, table, queues, network, secrets, edge_url, stage })
    }

    /// What the use cases need.
    ///
    /// # Errors
    /// For dispatch, which runs none.
    pub fn network(&self) -> Result<&Network, SettingsError> {
        let missing = || SettingsError(vec![format!("{:?} runs no use cases", self.role)]);
        self.network.as_ref().ok_or_else(missing)
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

/// Amazon DynamoDB's rule for names of tables.
fn table_name(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if (3..=255).contains(&text.len()) && text.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    Err("is no name of a table: 3 to 255 letters, digits, `_`, `-` and `.`".to_owned())
}

/// Amazon S3's rule for names of buckets, but for its reserved beginnings and endings.
fn bucket_name(text: &str) -> Result<String, String> {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let allowed = |byte: u8| is_inner(byte) || matches!(byte, b'-' | b'.');
    let ends = [text.bytes().next(), text.bytes().last()];
    if (3..=63).contains(&text.len())
        && text.bytes().all(allowed)
        && ends.iter().flatten().all(|byte| is_inner(*byte))
    {
        return Ok(text.to_owned());
    }
    Err("is no name of a bucket: 3 to 63 lower-case letters, digits, `-` and `.`".to_owned())
}

/// An absolute URL of a host.
fn url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let is_host = !host.is_empty() && !host.starts_with(':') && !host.contains('@');
    if is_host && text.len() <= URL_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err("is no URL of a host: `https://host` or `http://host`, a path if need be".to_owned())
}

/// The URL of a queue: its host, then its account and its name.
fn queue_url(text: &str) -> Result<String, String> {
    let text = url(text)?;
    let path = text.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    if path.is_some_and(|(_, path)| !path.trim_matches('/').is_empty()) {
        return Ok(text);
    }
    Err("is no URL of a queue: it lacks the queue's name".to_owned())
}

/// A short word, as it becomes a dimension of metrics.
fn stage(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if text.len() <= 32 && text.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    Err("is no stage: at most 32 letters, digits and `-`".to_owned())
}

fn shards(text: &str) -> Result<u16, String> {
    let shards = text.parse().ok().filter(|shards| (1..=SHARDS_MAX).contains(shards));
    shards.ok_or_else(|| format!("is no number from 1 to {SHARDS_MAX}"))
}

fn policy(text: &str) -> Result<Policy, String> {
    let policy: Policy = serde_json::from_str(text).map_err(|error| format!("is no policy: {error}"))?;
    policy.validate().map_err(|error| format!("is no policy: {error}"))?;
    Ok(policy)
}

fn validator(text: &str) -> Result<Hotkey, String> {
    ss58::decode(text).map_err(|error| format!("is no hotkey: {error}"))
}

/// A name or an ARN; the secret itself, put here by mistake, is never repeated in a message.
fn secret_id(text: &str) -> Result<String, String> {
    if text.len() <= URL_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err("is no name of a secret".to_owned())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// The well-known development key of Substrate, `//Alice`.
    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    fn good(name: &str) -> Option<String> {
        let value = match name {
            "SN17_TABLE" => "sn17-test",
            "SN17_BUCKET" => "sn17-blobs",
            "SN17_SCORING_QUEUE_URL" => "https://sqs.eu-central-1.amazonaws.com/123456789012/scoring",
            "SN17_SCORING_DEAD_LETTERS_URL" => "http://127.0.0.1:4570/000000000000/scoring-dead",
            "SN17_TIMERS_QUEUE_URL" => "https://sqs.eu-central-1.amazonaws.com/123456789012/timers",
            "SN17_VALIDATOR_HOTKEY" => ALICE,
            "SN17_API_KEY_SECRET_ID" => "arn:aws:secretsmanager:eu-central-1:123456789012:secret:api-AbCdEf",
            "SN17_ADMIN_KEY_SECRET_ID" => "sn17/admin",
            "SN17_EDGE_URL" => "https://edge.example.org:4443",
            "SN17_POLICY" => r#"{"tasks":{"copies":2}}"#,
            "SN17_SHARDS" => "1024",
            _ => return None,
        };
        Some(value.to_owned())
    }

    /// What is said of a gateway's environment in which one variable is something else.
    fn check(name: &str, value: &str, fault: &str) {
        let lookup = |asked: &str| if asked == name { Some(value.to_owned()) } else { good(asked) };
        let SettingsError(faults) = Settings::from_lookup(Role::Gateway, lookup).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with(name) && faults[0].contains(fault), "{faults:?}");
    }

    #[test]
    fn each_role_asks_for_its_variables_and_no_other() {
        for role in Role::ALL {
            let asked = RefCell::new(Vec::new());
            let settings = Settings::from_lookup(role, |name| {
                asked.borrow_mut().push(name.to_owned());
                good(name)
            });
            let settings = settings.unwrap();
            let mut asked = asked.into_inner();
            let mut expected: Vec<&str> = role.variables().iter().map(|variable| variable.name()).collect();
            asked.sort_unstable();
            expected.sort_unstable();
            assert_eq!(asked, expected, "{role:?}");
            assert_eq!(settings.network.is_none(), role == Role::Dispatch);
            assert_eq!(settings.secrets.is_some(), role == Role::Gateway);
            assert_eq!(settings.queues.timers.is_some(), matches!(role, Role::Dispatch | Role::Sweeper));
        }
    }

    #[test]
    fn what_is_set_is_read_and_what_is_not_has_its_default() {
        let settings = Settings::from_lookup(Role::Gateway, good).unwrap();
        let network = settings.network().unwrap();
        assert_eq!((network.shards, network.policy.tasks.copies), (1024, 2));
        assert_eq!(ss58::encode(&network.validator), ALICE);
        assert_eq!(settings.secrets().unwrap().admin_key, "sn17/admin");
        assert_eq!(settings.edge_url.as_deref(), Some("https://edge.example.org:4443"));

        let optional = ["SN17_SHARDS", "SN17_POLICY", "SN17_EDGE_URL"];
        let without = |name: &str| good(name).filter(|_| !optional.contains(&name));
        let settings = Settings::from_lookup(Role::Miner, without).unwrap();
        let network = settings.network().unwrap();
        assert_eq!((network.shards, network.policy), (4, Policy::default()));
        assert_eq!(settings.edge_url, None);
    }

    #[test]
    fn every_fault_is_said_at_once() {
        let SettingsError(faults) = Settings::from_lookup(Role::Gateway, |_| None).unwrap_err();
        let required = [
            "SN17_TABLE",
            "SN17_SCORING_QUEUE_URL",
            "SN17_SCORING_DEAD_LETTERS_URL",
            "SN17_BUCKET",
            "SN17_VALIDATOR_HOTKEY",
            "SN17_API_KEY_SECRET_ID",
            "SN17_ADMIN_KEY_SECRET_ID",
        ];
        assert_eq!(faults, required.map(|name| format!("{name} is not set")));
        let empty = Settings::from_lookup(Role::Gateway, |_| Some(String::new())).unwrap_err();
        assert_eq!(empty, SettingsError(faults));
    }

    #[test]
    fn faulty_values_are_refused() {
        check("SN17_TABLE", "a/b", "name of a table");
        check("SN17_BUCKET", "Upper", "name of a bucket");
        check("SN17_BUCKET", "-ab", "name of a bucket");
        check("SN17_SCORING_QUEUE_URL", "sqs.amazonaws.com/1/q", "URL of a host");
        check("SN17_SCORING_QUEUE_URL", "https://sqs.amazonaws.com/", "lacks the queue's name");
        check("SN17_SCORING_DEAD_LETTERS_URL", "https://user@host/1/q", "URL of a host");
        check("SN17_EDGE_URL", "https://", "URL of a host");
        check("SN17_EDGE_URL", "https://a b", "URL of a host");
        check("SN17_SHARDS", "0", "1 to 1024");
        check("SN17_SHARDS", "1025", "1 to 1024");
        check("SN17_SHARDS", "four", "1 to 1024");
        check("SN17_POLICY", "{", "no policy");
        check("SN17_POLICY", r#"{"unknown":1}"#, "no policy");
        check("SN17_POLICY", r#"{"tasks":{"copies":0}}"#, "tasks.copies");
        check("SN17_VALIDATOR_HOTKEY", &ALICE[1..], "no hotkey");
        check("SN17_API_KEY_SECRET_ID", "a b", "name of a secret");
    }
}
