//! From the shipped template to a network that runs, and what came of each of its parts.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::engine::{self, Engine, KEY, REGION};
use crate::process;
use crate::workspace::Workspace;

/// The programs of the package `sn17-functions`.
const FUNCTIONS: [&str; 5] = ["gateway", "miner", "dispatch", "sweeper", "chain"];
/// Name of the stack.
const STACK: &str = "sn17";
/// The bucket that code and nested templates are uploaded to.
const ARTIFACTS: &str = "s3://sn17-artifacts";
/// A well-known development account of Substrate (`//Alice`), whose key everybody has.
const VALIDATOR: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
/// What the refusal of large bodies names. Nothing listens there.
const EDGE_URL: &str = "https://edge.sn17.example";
/// Bound on building the functions.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);
/// Times of the game that a test can wait for, and everybody strong, so that who gets a task does not depend on rank.
/// What a queue's properties repeat (visibility, attempts) keeps its default.
const POLICY: &str = r#"{"miners":{"cooldown_secs":20,"throttle_secs":10,"penalty_secs":40,"strong_miners":256},"tasks":{"copies":2,"assignable_secs":15,"first_result_secs":1,"deadline_secs":20},"submissions":{"resend_secs":30}}"#;

/// What was deployed and where it is: target/aws/outputs.json.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outputs {
    /// What serves at `url`: the functions, or an edge over the same table and bucket.
    host: String,
    /// Address of the network for clients, miners and operators.
    pub(crate) url: String,
    /// The distribution's host name.
    distribution: String,
    /// Where the engine listens.
    pub(crate) endpoint: String,
    region: String,
    /// Both parts of a key that the engine takes.
    key: String,
    /// The function URLs, by way of the engine's address.
    gateway_url: String,
    miner_url: String,
    table: String,
    bucket: String,
    scoring_queue_url: String,
    scoring_dead_letters_url: String,
    timers_queue_url: String,
    /// What API keys are hashed with.
    api_key_secret: String,
    admin_key: String,
    validator: String,
    edge_url: String,
    policy: Value,
    /// Every part of every template.
    parts: Vec<Part>,
}

/// One logical id of a template.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The logical id, behind that of its stack if it is in a nested one.
    pub(crate) logical_id: String,
    kind: String,
    pub(crate) state: State,
    /// Why it was not created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// What became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Created,
    /// A condition of the template leaves it out.
    LeftOut,
    Failed,
}

/// Builds the functions and deploys the template as it is.
pub(super) fn deploy(workspace: &Workspace, engine: &Engine, folder: &Path) -> anyhow::Result<Outputs> {
    build(workspace)?;
    let root = &workspace.root;
    engine.aws(root, &["s3", "mb", ARTIFACTS])?;
    let template = package(workspace, engine, folder, "template.yaml")?;
    let parameters = [
        format!("ValidatorHotkey={VALIDATOR}"),
        format!("Policy={POLICY}"),
        format!("EdgeUrl={EDGE_URL}"),
        // The engine has neither scaling targets nor capacity providers, and runs containers in Docker alone.
        "Worker=none".to_owned(),
        format!("Architecture={}", std::env::consts::ARCH.replace("aarch64", "arm64")),
    ];
    let packaged = folder.join("template.json");
    let packaged = packaged.to_str().context("the folder's name is no text")?;
    let mut arguments = vec!["cloudformation", "deploy", "--stack-name", STACK, "--template-file", packaged];
    arguments.extend(["--s3-bucket", ARTIFACTS.trim_start_matches("s3://")]);
    arguments.extend(["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--parameter-overrides"]);
    arguments.extend(parameters.iter().map(String::as_str));
    let deployed = engine.aws(root, &arguments);
    let parts = parts(workspace, engine, folder, &template);
    let parts = match deployed {
        Ok(_) => parts?,
        Err(error) => {
            // What the engine says of each part tells more than the command.
            let faults: Vec<String> = parts.unwrap_or_default().iter().filter_map(Part::fault).collect();
            return Err(error.context(faults.join("\n")));
        }
    };
    outputs(workspace, engine, parts)
}

/// Builds the functions for this machine and puts them where the template looks for them.
fn build(workspace: &Workspace) -> anyhow::Result<()> {
    let built = process::run(
        &mut workspace.cargo(&["build", "--quiet", "--package", "sn17-functions", "--bins"]),
        BUILD_LIMIT,
    )?;
    anyhow::ensure!(built.is_success, "the functions cannot be built:\n{}", built.output());
    for function in FUNCTIONS {
        let folder = workspace.keep().join("lambda").join(function);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let (program, bootstrap) = (workspace.target.join("debug").join(function), folder.join("bootstrap"));
        let mut strip = Command::new("strip");
        let stripped = process::run(strip.arg("-o").arg(&bootstrap).arg(&program), BUILD_LIMIT);
        // Without the tool, debug information only makes the upload longer.
        if !stripped.is_ok_and(|stripped| stripped.is_success) {
            fs::copy(&program, &bootstrap).with_context(|| format!("cannot copy {}", program.display()))?;
        }
    }
    Ok(())
}

/// Uploads what a template names and gives the template as deployed, from `FOLDER/NAME.json`.
fn package(workspace: &Workspace, engine: &Engine, folder: &Path, template: &str) -> anyhow::Result<Value> {
    let name = template.trim_end_matches(".yaml").replace('/', "-");
    let packaged = folder.join(format!("{name}.json"));
    let file = packaged.to_str().context("the folder's name is no text")?;
    let bucket = ARTIFACTS.trim_start_matches("s3://");
    let arguments = ["cloudformation", "package", "--use-json", "--template-file", template, "--s3-bucket"];
    engine.aws(&workspace.root, &[&arguments[..], &[bucket, "--output-template-file", file]].concat())?;
    let text = fs::read(&packaged).with_context(|| format!("cannot read {file}"))?;
    serde_json::from_slice(&text).with_context(|| format!("{file} is not JSON"))
}

/// What became of every logical id of the template and of those nested in it.
fn parts(
    workspace: &Workspace,
    engine: &Engine,
    folder: &Path,
    template: &Value,
) -> anyhow::Result<Vec<Part>> {
    let created = resources(workspace, engine, STACK)?;
    let mut parts = listed("", template, &created);
    let file = workspace.root.join("template.yaml");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    for (stack, nested) in nested_templates(&text) {
        let template = package(workspace, engine, folder, nested)?;
        let prefix = format!("{stack}/");
        let physical = created.get(stack).and_then(|row| row["PhysicalResourceId"].as_str());
        match physical {
            Some(physical) => {
                parts.extend(listed(&prefix, &template, &resources(workspace, engine, physical)?));
            }
            None => {
                let of_stack = parts.iter().find(|part| part.logical_id == stack);
                let reason = of_stack.and_then(|part| part.reason.clone());
                let reason = Some(format!("{stack}: {}", reason.unwrap_or_default()));
                let nowhere = listed(&prefix, &template, &BTreeMap::new()).into_iter();
                parts.extend(nowhere.map(|part| Part {
                    state: State::LeftOut,
                    reason: reason.clone(),
                    ..part
                }));
            }
        }
    }
    Ok(parts)
}

/// The nested stacks of a template: logical id and file. As text, because packaging replaces the files' names.
fn nested_templates(template: &str) -> Vec<(&str, &str)> {
    let mut nested = Vec::new();
    let mut logical_id = "";
    for line in template.lines() {
        if let Some(id) = line.strip_prefix("  ").and_then(|rest| rest.strip_suffix(':'))
            && !id.starts_with(' ')
        {
            logical_id = id;
        }
        if let Some(file) = line.trim().strip_prefix("TemplateURL: ") {
            nested.push((logical_id, file));
        }
    }
    nested
}

/// The resources of a stack, by logical id.
fn resources(workspace: &Workspace, engine: &Engine, stack: &str) -> anyhow::Result<BTreeMap<String, Value>> {
    let arguments = ["cloudformation", "list-stack-resources", "--stack-name", stack];
    let listed = engine.aws_json(&workspace.root, &arguments)?;
    let rows = listed["StackResourceSummaries"].as_array().cloned().unwrap_or_default();
    let named = |row: Value| Some((row["LogicalResourceId"].as_str()?.to_owned(), row));
    Ok(rows.into_iter().filter_map(named).collect())
}

fn logical_ids(template: &Value) -> impl Iterator<Item = (&String, &Value)> {
    template["Resources"].as_object().into_iter().flatten()
}

/// The logical ids of one template, with what the stack says of them.
fn listed(prefix: &str, template: &Value, created: &BTreeMap<String, Value>) -> Vec<Part> {
    let part = |(id, resource): (&String, &Value)| {
        let (state, reason) = match created.get(id) {
            Some(row) if row["ResourceStatus"] == "CREATE_COMPLETE" => (State::Created, None),
            Some(row) => (State::Failed, Some(words(row))),
            None => match resource["Condition"].as_str() {
                Some(condition) => (State::LeftOut, Some(format!("the condition {condition} is false"))),
                None => (State::Failed, Some("the stack does not have it".to_owned())),
            },
        };
        let kind = resource["Type"].as_str().unwrap_or_default().to_owned();
        Part { logical_id: format!("{prefix}{id}"), kind, state, reason }
    };
    let mut parts: Vec<Part> = logical_ids(template).map(part).collect();
    // What the transform makes of a function: its URL, versions, permissions, event sources and schedules.
    let is_derived = |id: &String| template["Resources"].get(id).is_none();
    for (id, row) in created.iter().filter(|(id, _)| is_derived(id)) {
        let is_created = row["ResourceStatus"] == "CREATE_COMPLETE";
        parts.push(Part {
            logical_id: format!("{prefix}{id}"),
            kind: row["ResourceType"].as_str().unwrap_or_default().to_owned(),
            state: if is_created { State::Created } else { State::Failed },
            reason: (!is_created).then(|| words(row)),
        });
    }
    parts
}

/// What the engine says of a part that it did not create.
fn words(row: &Value) -> String {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    format!("{} {}", text("ResourceStatus"), text("ResourceStatusReason")).trim_end().to_owned()
}

/// What the stack says of itself.
fn outputs(workspace: &Workspace, engine: &Engine, parts: Vec<Part>) -> anyhow::Result<Outputs> {
    let root = &workspace.root;
    let stacks = engine.aws_json(root, &["cloudformation", "describe-stacks", "--stack-name", STACK])?;
    let rows = stacks["Stacks"][0]["Outputs"].as_array().cloned().unwrap_or_default();
    let output = |name: &str| {
        let row = rows.iter().find(|row| row["OutputKey"] == name);
        let value = row.and_then(|row| row["OutputValue"].as_str()).map(str::to_owned);
        value.with_context(|| format!("the stack has no output {name}"))
    };
    let function_url = |name: &str| -> anyhow::Result<String> {
        let url = output(name)?;
        let id = url.trim_start_matches("https://").split('.').next().unwrap_or_default();
        Ok(format!("{}/_aws/lambda-url/{id}", engine.endpoint()))
    };
    let resources = resources(workspace, engine, STACK)?;
    let secret = |logical_id: &str| {
        let id = resources.get(logical_id).and_then(|row| row["PhysicalResourceId"].as_str());
        let id = id.with_context(|| format!("the stack has no {logical_id}"))?;
        let secret = engine.aws_json(root, &["secretsmanager", "get-secret-value", "--secret-id", id])?;
        let text = secret["SecretString"].as_str().map(str::to_owned);
        text.with_context(|| format!("{logical_id} is no text"))
    };
    Ok(Outputs {
        host: "lambda".to_owned(),
        url: format!("http://{}", engine::free_address()?),
        distribution: output("Url")?.trim_start_matches("https://").to_owned(),
        endpoint: engine.endpoint(),
        region: REGION.to_owned(),
        key: KEY.to_owned(),
        gateway_url: function_url("GatewayFunctionUrl")?,
        miner_url: function_url("MinerFunctionUrl")?,
        table: output("TableName")?,
        bucket: output("BucketName")?,
        scoring_queue_url: output("ScoringQueueUrl")?,
        scoring_dead_letters_url: output("ScoringDeadLettersUrl")?,
        timers_queue_url: output("TimersQueueUrl")?,
        api_key_secret: secret("ApiKeySecret")?,
        admin_key: secret("AdminKeySecret")?,
        validator: VALIDATOR.to_owned(),
        edge_url: EDGE_URL.to_owned(),
        policy: serde_json::from_str(POLICY).context("the policy is no JSON")?,
        parts,
    })
}

impl Outputs {
    /// The same deployment with an edge in front of it.
    pub(crate) fn served_by(&self, host: &str, url: String) -> Self {
        Self { host: host.to_owned(), url, ..self.clone() }
    }

    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("cannot understand {}", file.display()))
    }

    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// An edge's variables, of which what is not here keeps its default.
    pub(crate) fn edge_variables(&self) -> [(&'static str, String); 10] {
        [
            ("SN17_TABLE", self.table.clone()),
            ("SN17_BUCKET", self.bucket.clone()),
            ("SN17_VALIDATOR_HOTKEY", self.validator.clone()),
            ("SN17_POLICY", self.policy.to_string()),
            ("SN17_API_KEY_SECRET", self.api_key_secret.clone()),
            ("SN17_ADMIN_KEY", self.admin_key.clone()),
            ("AWS_REGION", self.region.clone()),
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", self.key.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.key.clone()),
        ]
    }

    /// The network's address.
    pub(super) fn address(&self) -> anyhow::Result<SocketAddr> {
        let address = self.url.trim_start_matches("http://");
        address.parse().with_context(|| format!("{address} is no address"))
    }

    /// The program that passes requests on to the distribution.
    pub(super) fn front(&self, engine: &Engine) -> anyhow::Result<Command> {
        let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
        command.args(["aws", "front", "--listen", &self.address()?.to_string()]);
        command.args(["--engine", &engine.address.to_string(), "--host", &self.distribution]);
        Ok(command)
    }

    /// Every part that was not created.
    pub(crate) fn not_created(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.state != State::Created)
    }

    /// What went wrong, one part a line.
    pub(super) fn failed(&self) -> Vec<String> {
        self.parts.iter().filter_map(Part::fault).collect()
    }

    /// A line for each part, those that were not created last.
    pub(super) fn table(&self) -> String {
        let mut parts: Vec<&Part> = self.parts.iter().collect();
        parts.sort_by_key(|part| (part.state != State::Created, &part.kind, &part.logical_id));
        let width = parts.iter().map(|part| part.logical_id.len()).max().unwrap_or_default();
        let line = |part: &&Part| {
            let state = match part.state {
                State::Created => "created",
                State::LeftOut => "left out",
                State::Failed => "FAILED",
            };
            let reason = part.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{:<width$}  {state:<8}  {}{reason}\n", part.logical_id, part.kind)
        };
        let created = self.parts.len() - self.not_created().count();
        let lines: String = parts.iter().map(line).collect();
        format!("{lines}{created} of {} logical ids created", parts.len())
    }
}

impl Part {
    /// What went wrong with it, if anything did.
    fn fault(&self) -> Option<String> {
        let reason = self.reason.as_deref().unwrap_or_default();
        (self.state == State::Failed).then(|| format!("{} ({}): {reason}", self.logical_id, self.kind))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nested_stacks_are_found_with_their_files() {
        let template = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n  Inner:\n    Type: AWS::CloudFormation::Stack\n\
                        \x20   Properties:\n      TemplateURL: infra/inner/template.yaml\nOutputs:\n  Url:\n";
        assert_eq!(nested_templates(template), [("Inner", "infra/inner/template.yaml")]);
    }

    #[test]
    fn every_logical_id_is_accounted_for() {
        let template = json!({ "Resources": {
            "Table": { "Type": "AWS::DynamoDB::Table" },
            "Worker": { "Type": "AWS::CloudFormation::Stack", "Condition": "HasWorker" },
            "Queue": { "Type": "AWS::SQS::Queue" },
            "Lost": { "Type": "AWS::SNS::Topic" },
        } });
        let created = BTreeMap::from([
            ("Table".to_owned(), json!({ "ResourceStatus": "CREATE_COMPLETE" })),
            (
                "Queue".to_owned(),
                json!({ "ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "no such thing" }),
            ),
        ]);
        let parts = listed("Inner/", &template, &created);
        let rows: Vec<_> =
            parts.iter().map(|part| (part.logical_id.as_str(), part.state, part.reason.as_deref())).collect();
        assert_eq!(
            rows,
            [
                ("Inner/Lost", State::Failed, Some("the stack does not have it")),
                ("Inner/Queue", State::Failed, Some("CREATE_FAILED no such thing")),
                ("Inner/Table", State::Created, None),
                ("Inner/Worker", State::LeftOut, Some("the condition HasWorker is false")),
            ]
        );
    }

    #[test]
    fn the_policy_is_json() {
        assert!(serde_json::from_str::<Value>(POLICY).unwrap().is_object());
    }
}
