//! The deployment on AWS as its templates describe it, held against the program's own constants.
//!
//! Nothing is deployed here: the templates are read as text, so these tests need no tool and no network.

mod chain;
mod edge;
mod judge;
mod parse;
mod permissions;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use sn17_aws::schema;
use sn17_aws::settings::Role;
use sn17_core::policy::Policy;
use sn17_http::HttpOptions;

use parse::Template;

const ROOT: &str = "template.yaml";
const WORKERS: &str = "infra/gpu/template.yaml";
const JUDGE: &str = "infra/judge/template.yaml";
const OBSERVABILITY: &str = "infra/observability/template.yaml";
const FRONT: &str = "infra/front/template.yaml";
const EDGE: &str = "infra/edge/template.yaml";
const TEMPLATES: [&str; 6] = [ROOT, WORKERS, JUDGE, OBSERVABILITY, FRONT, EDGE];

/// Each function and whose environment it reads.
const FUNCTIONS: [(&str, Role); 5] = [
    ("Gateway", Role::Gateway),
    ("Miner", Role::Miner),
    ("Dispatch", Role::Dispatch),
    ("Sweeper", Role::Sweeper),
    ("Chain", Role::Chain),
];
/// What the function of the chain reads besides.
const CHAIN_VARIABLES: [&str; 3] = ["SN17_NETUID", "SN17_SPEC_VERSIONS", "SN17_SUBTENSOR"];

#[test]
fn table_is_the_one_of_the_schema() {
    let template = Template::load(ROOT);
    let table = template.properties("Table");
    let index = |name: &str, hash: &str, range: &str| {
        json!({
            "IndexName": name,
            "KeySchema": keys(hash, range),
            "Projection": { "ProjectionType": "INCLUDE", "NonKeyAttributes": schema::INDEX_CARRIES },
        })
    };
    assert_eq!(table["KeySchema"], keys(schema::PARTITION_KEY, schema::SORT_KEY));
    assert_eq!(
        table["GlobalSecondaryIndexes"],
        json!([
            index(schema::OPEN_INDEX, schema::OPEN_PARTITION, schema::OPEN_SORT),
            index(schema::DUE_INDEX, schema::DUE_PARTITION, schema::DUE_SORT),
        ])
    );
    let attributes = [
        schema::PARTITION_KEY,
        schema::SORT_KEY,
        schema::OPEN_PARTITION,
        schema::OPEN_SORT,
        schema::DUE_PARTITION,
        schema::DUE_SORT,
    ]
    .map(|name| json!({ "AttributeName": name, "AttributeType": "S" }));
    assert_eq!(table["AttributeDefinitions"], json!(attributes));
    assert_eq!(table["TimeToLiveSpecification"], json!({ "AttributeName": schema::TTL, "Enabled": true }));
    assert_eq!(table["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(table["SSESpecification"]["SSEEnabled"], true);
    assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    assert_eq!(table["DeletionProtectionEnabled"], json!({ "Fn::If": ["IsProd", true, false] }));
}

#[test]
fn dispatch_sees_every_write_that_has_effects() {
    let template = Template::load(ROOT);
    assert_eq!(template.properties("Table")["StreamSpecification"], json!({ "StreamViewType": "NEW_IMAGE" }));
    let source = &template.properties("Dispatch")["Events"]["Effects"]["Properties"];
    let filters = source["FilterCriteria"]["Filters"].as_array().unwrap();
    let [filter] = filters.as_slice() else { panic!("one filter, not {filters:?}") };
    let pattern: Value = serde_json::from_str(filter["Pattern"].as_str().unwrap()).unwrap();
    assert_eq!(
        pattern,
        json!({ "dynamodb": { "NewImage": { schema::EFFECTS: { "S": [{ "exists": true }] } } } })
    );
    assert_eq!(source["StartingPosition"], "TRIM_HORIZON");
    assert_eq!(source["BisectBatchOnFunctionError"], true);
    // An outage of SQS is outlived, not counted.
    assert_eq!(source["MaximumRetryAttempts"], -1);
    assert_eq!(source["MaximumRecordAgeInSeconds"], 3600);
    assert_eq!(source["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert_eq!(
        source["DestinationConfig"]["OnFailure"]["Destination"],
        json!({ "Fn::GetAtt": ["DispatchFailures", "Arn"] })
    );
}

#[test]
fn environments_are_what_the_settings_read() {
    let expected = |role: Role, more: &[&str]| -> BTreeSet<String> {
        let names = role.variables().iter().map(|variable| variable.name());
        names.chain(more.iter().copied()).map(str::to_owned).collect()
    };
    let template = Template::load(ROOT);
    for (function, role) in FUNCTIONS {
        let global = &template.globals()["Environment"]["Variables"];
        let own = &template.properties(function)["Environment"]["Variables"];
        let given: BTreeSet<String> =
            [global, own].into_iter().flat_map(|names| names.as_object().unwrap().keys().cloned()).collect();
        let own: &[&str] = if role == Role::Chain { &CHAIN_VARIABLES } else { &[] };
        assert_eq!(given, expected(role, &[own, &["RUST_LOG", "SN17_STAGE"]].concat()), "{function}");
    }
    let own = ["AWS_REGION", "RUST_LOG", "SN17_DRAIN_SECS", "SN17_HEARTBEAT", "SN17_STAGE"];
    assert_eq!(variables_of(&container(WORKERS)), expected(Role::Scorer, &own), "scorer");
    let own = [
        "AWS_REGION",
        "RUST_LOG",
        "SN17_DRAIN_SECS",
        "SN17_HEARTBEAT",
        "SN17_JUDGE_CALLS_PER_MINUTE",
        "SN17_JUDGE_MODEL",
        "SN17_JUDGE_TOKENS_PER_DAY",
    ];
    assert_eq!(variables_of(&container(JUDGE)), expected(Role::Duelist, &own), "duelist");
}

#[test]
fn functions_are_isolated_watched_and_deployed_gradually() {
    let template = Template::load(ROOT);
    let globals = template.globals();
    assert_eq!(globals["Runtime"], "provided.al2023");
    assert_eq!(globals["Architectures"], json!([{ "Ref": "Architecture" }]));
    assert_eq!(template.parameter("Architecture")["Default"], "arm64");
    assert_eq!(globals["AutoPublishAlias"], "live");
    assert_eq!(
        template.section("Mappings")["Stages"],
        json!({ "dev": { "Canary": "false" }, "prod": { "Canary": "true" } })
    );
    let declared: BTreeSet<&str> = template.of_type("AWS::Serverless::Function").map(|(id, _)| id).collect();
    assert_eq!(declared, FUNCTIONS.map(|(id, _)| id).into());
    for (function, _) in FUNCTIONS {
        let properties = template.properties(function);
        let name = function.to_lowercase();
        assert_eq!(properties["CodeUri"], format!("target/lambda/{name}/"), "{function}");
        // Without it a change of parameters would not reach the alias.
        assert_eq!(properties["AutoPublishCodeSha256"], json!({ "Ref": "Revision" }), "{function}");
        assert_eq!(properties["Role"], json!({ "Fn::GetAtt": [format!("{function}Role"), "Arn"] }));
        assert_eq!(template.kind(&format!("{function}Role")), "AWS::IAM::Role");
        let logs = format!("{function}Logs");
        assert_eq!(properties["LoggingConfig"]["LogGroup"], json!({ "Ref": logs }));
        assert_eq!(template.properties(&logs)["RetentionInDays"], json!({ "Ref": "LogRetentionDays" }));

        let deployment = &properties["DeploymentPreference"];
        if function == "Chain" {
            assert!(deployment.is_null(), "five minutes of a canary would see one invocation of it at most");
            continue;
        }
        assert_eq!(
            deployment["Enabled"],
            json!({ "Fn::FindInMap": ["Stages", { "Ref": "Stage" }, "Canary"] })
        );
        assert_eq!(deployment["Type"], "Canary10Percent5Minutes");
        let alarms = deployment["Alarms"].as_array().unwrap();
        assert!(alarms.contains(&json!({ "Ref": format!("{function}Errors") })), "{function}: {alarms:?}");
        for alarm in alarms {
            let dimensions = &template.properties(alarm["Ref"].as_str().unwrap())["Dimensions"];
            assert_eq!(dimensions[0], json!({ "Name": "FunctionName", "Value": { "Ref": function } }));
        }
    }
}

#[test]
fn queues_follow_the_policy() {
    let Policy { submissions, judge, .. } = Policy::default();
    let template = Template::load(ROOT);
    let scoring = template.properties("ScoringQueue");
    assert_eq!(scoring["VisibilityTimeout"], submissions.visibility_secs);
    assert_eq!(scoring["RedrivePolicy"]["maxReceiveCount"], submissions.attempts_max);
    assert!(scoring["MessageRetentionPeriod"].as_u64().unwrap() >= submissions.lifetime_secs);

    // Lambda takes no queue that shows a message again while the function may still be at work on it; beyond that, the
    // time is what a timer that failed waits for its next try.
    let timeout = template.properties("Sweeper")["Timeout"].as_u64().unwrap();
    let timers = template.properties("TimersQueue");
    assert!((timeout..=60).contains(&timers["VisibilityTimeout"].as_u64().unwrap()));
    let source = &template.properties("Sweeper")["Events"]["Timers"]["Properties"];
    assert_eq!(source["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert!(source["BatchSize"].as_u64().unwrap() <= 5);

    let judging = template.properties("JudgingQueue");
    assert_eq!(judging["VisibilityTimeout"], judge.visibility_secs);
    assert_eq!(judging["RedrivePolicy"]["maxReceiveCount"], judge.attempts_max);
    let resends = u64::from(judge.resends_max) + 1;
    assert!(judging["MessageRetentionPeriod"].as_u64().unwrap() >= judge.resend_secs * resends);
    let age = Template::load(OBSERVABILITY);
    assert_eq!(age.properties("JudgingAge")["Threshold"], judge.resend_secs);

    for (queue, dead_letters) in [
        ("ScoringQueue", "ScoringDeadLetters"),
        ("TimersQueue", "TimersDeadLetters"),
        ("JudgingQueue", "JudgingDeadLetters"),
    ] {
        let name = &template.properties(queue)["QueueName"]["Fn::Sub"];
        let source = format!(
            "arn:${{AWS::Partition}}:sqs:${{AWS::Region}}:${{AWS::AccountId}}:{}",
            name.as_str().unwrap()
        );
        assert_eq!(
            template.properties(queue)["RedrivePolicy"]["deadLetterTargetArn"],
            json!({ "Fn::GetAtt": [dead_letters, "Arn"] })
        );
        assert_eq!(
            template.properties(dead_letters)["RedriveAllowPolicy"],
            json!({ "redrivePermission": "byQueue", "sourceQueueArns": [{ "Fn::Sub": source }] })
        );
    }
    for (queue, resource) in template.of_type("AWS::SQS::Queue") {
        assert_eq!(resource["Properties"]["SqsManagedSseEnabled"], true, "{queue}");
    }
}

/// BL-1: what an item names is there as long as the item is.
#[test]
fn blobs_outlive_the_items_that_name_them() {
    const DAY_SECS: u64 = 24 * 3600;
    let policy = Policy::default();
    let result_secs =
        policy.submissions.lifetime_secs.max(policy.tasks.lifetime_secs + policy.tasks.deadline_secs);
    let needed_secs =
        |prefix: &str| if prefix == "duels/" { policy.duels.lifetime_secs } else { result_secs };
    let template = Template::load(ROOT);
    let bucket = template.properties("Bucket");
    let rules = bucket["LifecycleConfiguration"]["Rules"].as_array().unwrap();
    let mut expiring = BTreeSet::new();
    for rule in rules {
        assert_eq!(rule["Status"], "Enabled");
        if let Some(days) = rule["ExpirationInDays"].as_u64() {
            let prefix = rule["Prefix"].as_str().unwrap();
            // An hour more than the item lives, for what is on its way when the item ends.
            assert!(days * DAY_SECS > needed_secs(prefix) + 3600, "{prefix} goes after {days} days");
            expiring.insert(prefix);
        }
    }
    assert_eq!(expiring, permissions::BLOB_PREFIXES.into());
    let aborted: Vec<&Value> =
        rules.iter().filter_map(|rule| rule.get("AbortIncompleteMultipartUpload")).collect();
    assert_eq!(aborted, [&json!({ "DaysAfterInitiation": 1 })]);
    let closed = bucket["PublicAccessBlockConfiguration"].as_object().unwrap();
    assert_eq!(closed.values().filter(|is_on| **is_on == json!(true)).count(), 4);
    // What a page may read of an answer is the same as the gateway lets it.
    let rules = &bucket["CorsConfiguration"]["CorsRules"];
    assert_eq!(rules[0]["ExposedHeaders"], json!(["content-disposition"]));
}

/// Lambda streams 6 MB at full speed and the rest of at most 200 MB at 2 MB/s (Lambda quotas), and the conversion
/// before it may use as much memory as the router gives to all of them.
#[test]
fn large_results_get_the_time_and_memory_that_they_need() {
    const STREAMED_SECS: u64 = (200 - 6) / 2;
    const RUNTIME_MB: usize = 256;
    let template = Template::load(ROOT);
    let gateway = template.properties("Gateway");
    assert!(gateway["Timeout"].as_u64().unwrap() > STREAMED_SECS + 30);
    let memory_mb = usize::try_from(gateway["MemorySize"].as_u64().unwrap()).unwrap();
    let conversions_mb = HttpOptions::default().conversion_memory_bytes >> 20;
    assert!(
        memory_mb >= conversions_mb + RUNTIME_MB,
        "{memory_mb} MB for {conversions_mb} MB of conversions"
    );
}

/// The sweeper makes the batches of prompts, of which the collector says that one takes some 250 MB.
#[test]
fn batches_of_prompts_get_the_memory_that_they_need() {
    const BATCH_MB: u64 = 250;
    const RUNTIME_MB: u64 = 128;
    let memory_mb = Template::load(ROOT).properties("Sweeper")["MemorySize"].as_u64().unwrap();
    assert!(memory_mb >= BATCH_MB + RUNTIME_MB, "{memory_mb} MB");
}

/// A flood of requests may use up the account's concurrency, but not what timers and effects need, if the operator
/// says so.
#[test]
fn timers_can_have_a_reserve_and_requests_a_firewall() {
    let template = Template::load(ROOT);
    let given =
        |condition: &str, value: Value| json!({ "Fn::If": [condition, value, { "Ref": "AWS::NoValue" }] });
    let reserve = json!({ "Ref": "ReservedConcurrency" });
    for (function, _) in FUNCTIONS {
        let reserved = template.properties(function).get("ReservedConcurrentExecutions");
        let is_behind = ["Dispatch", "Sweeper"].contains(&function);
        assert_eq!(reserved, is_behind.then(|| given("HasReserve", reserve.clone())).as_ref(), "{function}");
    }
    let source = &template.properties("Sweeper")["Events"]["Timers"]["Properties"];
    assert_eq!(source["ScalingConfig"], given("HasReserve", json!({ "MaximumConcurrency": reserve })));
    assert_eq!(template.parameter("ReservedConcurrency")["Default"], 0);
    assert_eq!(template.parameter("WebAclArn")["Default"], "");
    let distribution = &template.properties("Distribution")["DistributionConfig"];
    assert_eq!(distribution["WebACLId"], given("HasWebAcl", json!({ "Ref": "WebAclArn" })));
}

#[test]
fn requests_reach_the_function_that_answers_them() {
    let template = Template::load(ROOT);
    let distribution = &template.properties("Distribution")["DistributionConfig"];
    let behaviours = distribution["CacheBehaviors"].as_array().unwrap();
    let miners: Vec<&str> = behaviours
        .iter()
        .filter(|behaviour| behaviour["TargetOriginId"] == "miner")
        .map(|behaviour| behaviour["PathPattern"].as_str().unwrap())
        .collect();
    assert_eq!(miners, ["/PullTask", "/SubmitResults", "/GetVersion"]);
    assert_eq!(distribution["DefaultCacheBehavior"]["TargetOriginId"], "gateway");
    for behaviour in behaviours.iter().chain([&distribution["DefaultCacheBehavior"]]) {
        // Miners speak plain HTTP.
        assert_eq!(behaviour["ViewerProtocolPolicy"], "allow-all");
        assert_eq!(
            behaviour["FunctionAssociations"],
            json!([{ "EventType": "viewer-request", "FunctionARN": { "Fn::GetAtt": ["BodyLimit", "FunctionARN"] } }])
        );
    }
    let code = template.properties("BodyLimit")["FunctionCode"]["Fn::Sub"].as_str().unwrap();
    assert!(code.contains(&format!("BYTES_MAX = {};", (6 << 20) - (64 << 10))), "{code}");

    assert_eq!(template.properties("Gateway")["FunctionUrlConfig"]["InvokeMode"], "RESPONSE_STREAM");
    let wait_secs = Policy::default().submissions.wait_secs;
    assert!(template.properties("Miner")["Timeout"].as_u64().unwrap() > wait_secs);
    let origin =
        distribution["Origins"].as_array().unwrap().iter().find(|origin| origin["Id"] == "miner").unwrap();
    assert!(origin["CustomOriginConfig"]["OriginReadTimeout"].as_u64().unwrap() > wait_secs);
}

#[test]
fn every_alarm_tells_people_what_to_do() {
    let mut seen = 0;
    for file in TEMPLATES {
        for (alarm, resource) in Template::load(file).of_type("AWS::CloudWatch::Alarm") {
            let properties = &resource["Properties"];
            let description = properties["AlarmDescription"].as_str().unwrap();
            let (runbook, section) = description.rsplit_once(' ').unwrap().1.split_once('#').unwrap();
            assert!(runbook.starts_with("docs/runbooks/"), "{alarm}: {runbook}");
            assert!(sections(runbook).contains(section), "{alarm}: {runbook} has no section {section}");
            assert!(
                properties["AlarmActions"].as_array().is_some_and(|actions| actions.len() == 1),
                "{alarm}"
            );
            assert!(properties["TreatMissingData"].is_string(), "{alarm}");
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} alarms");
}

#[test]
fn workers_finish_what_they_have_begun() {
    let workers = Template::load(WORKERS);
    let container = &container(WORKERS);
    assert_eq!(container["StopTimeout"], 120);
    let variable = |name: &str| {
        let variables = container["Environment"].as_array().unwrap();
        &variables.iter().find(|variable| variable["Name"] == name).unwrap()["Value"]
    };
    // From a Spot notice to the end EC2 leaves 120 s, and ECS needs some of them to stop the task.
    assert_eq!(variable("SN17_DRAIN_SECS"), &json!({ "Fn::If": ["IsGpu", "80", "110"] }));
    let words = container["HealthCheck"]["Command"].as_array().unwrap();
    assert_eq!(words.last(), Some(variable("SN17_HEARTBEAT")));
    // At 100 a draining instance would keep its only task until it is gone, and the task would never be told.
    let rollout = &workers.properties("Service")["DeploymentConfiguration"];
    assert_eq!(rollout["MinimumHealthyPercent"], json!({ "Fn::If": ["IsGpu", 0, 100] }));
    let data = &workers.properties("GpuInstance")["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Sub"];
    for line in ["ECS_ENABLE_SPOT_INSTANCE_DRAINING=true", "ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE=true"] {
        assert!(data.as_str().unwrap().lines().any(|set| set == line), "{line}");
    }
    let capacity = &workers.properties("GpuCapacity")["AutoScalingGroupProvider"];
    assert_eq!(capacity["ManagedDraining"], "ENABLED");
    assert_eq!(capacity["ManagedScaling"]["Status"], "ENABLED");
    assert_eq!(rollout["DeploymentCircuitBreaker"], json!({ "Enable": true, "Rollback": true }));
    let scaling = workers.properties("Scaling");
    assert_eq!(scaling["MinCapacity"], json!({ "Ref": "WorkerMin" }));
    // Backlog per worker divides by the workers, so the first one has an alarm of its own.
    assert_eq!(workers.properties("NoWorker")["AlarmActions"], json!([{ "Ref": "FirstWorker" }]));
    let root = Template::load(ROOT);
    assert_eq!(
        (&root.parameter("Worker")["Default"], &root.parameter("WorkerMin")["Default"]),
        (&json!("CPU"), &json!(1))
    );
    assert_eq!(workers.properties("Logs")["RetentionInDays"], json!({ "Ref": "LogRetentionDays" }));
}

/// The one container of a template's service.
fn container(file: &str) -> Value {
    let template = Template::load(file);
    let containers = &template.properties("TaskDefinition")["ContainerDefinitions"];
    assert_eq!(containers.as_array().map(Vec::len), Some(1), "{file}");
    containers[0].clone()
}

/// The names of a container's variables, also of those that a condition may leave out.
fn variables_of(container: &Value) -> BTreeSet<String> {
    let entries = container["Environment"].as_array().unwrap().iter();
    let given = entries.map(|entry| entry.get("Fn::If").map_or(entry, |branches| &branches[1]));
    given.map(|variable| variable["Name"].as_str().unwrap().to_owned()).collect()
}

/// The sections of a Markdown file, as links name them.
fn sections(file: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(Path::new(parse::REPOSITORY).join(file)).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect()
}

fn keys(hash: &str, range: &str) -> Value {
    json!([
        { "AttributeName": hash, "KeyType": "HASH" },
        { "AttributeName": range, "KeyType": "RANGE" },
    ])
}
