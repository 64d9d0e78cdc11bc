//! Where a judge is named, there are duelists, and every program knows; elsewhere there are none.

use serde_json::{Value, json};
use sn17_aws::settings::Variable;
use sn17_core::policy::Policy;

use super::parse::Template;
use super::{FUNCTIONS, JUDGE, ROOT, WORKERS, container};

/// What is set in one container or function is set in all that decide, or a task would wait for nobody.
#[test]
fn every_program_is_told_of_the_same_judge() {
    let root = Template::load(ROOT);
    let url = json!({ "Ref": "JudgeUrl" });
    for (function, role) in FUNCTIONS {
        let told = root.properties(function)["Environment"]["Variables"].get("SN17_JUDGE_URL");
        let decides = role.variables().contains(&Variable::JudgeUrl);
        assert_eq!(told, decides.then_some(&url), "{function}");
    }
    for file in [WORKERS, JUDGE] {
        assert_eq!(variable(&container(file), "SN17_JUDGE_URL"), &url, "{file}");
    }
    for stack in ["WorkerStack", "JudgeStack"] {
        let given = &root.properties(stack)["Parameters"];
        assert_eq!((&given["JudgeUrl"], &given["Policy"]), (&url, &json!({ "Ref": "Policy" })), "{stack}");
    }
}

#[test]
fn there_are_duelists_where_a_judge_and_the_workers_network_are() {
    let root = Template::load(ROOT);
    assert_eq!(root.parameter("JudgeUrl")["Default"], "");
    let pattern = root.parameter("JudgeUrl")["AllowedPattern"].as_str().unwrap();
    assert!(pattern.starts_with("^(https://[A-Za-z0-9.-]+("), "encrypted, at the one open port: {pattern}");
    assert_eq!(
        root.section("Conditions")["HasJudge"],
        json!({ "Fn::And": [
            { "Condition": "HasWorker" },
            { "Fn::Not": [{ "Fn::Equals": [{ "Ref": "JudgeUrl" }, ""] }] },
        ] })
    );
    assert_eq!(root.section("Resources")["JudgeStack"]["Condition"], "HasJudge");
    let workers = Template::load(WORKERS);
    for output in ["Cluster", "SubnetA", "SubnetB", "SecurityGroup"] {
        let given = &root.properties("JudgeStack")["Parameters"][output];
        assert_eq!(given, &json!({ "Fn::GetAtt": ["WorkerStack", format!("Outputs.{output}")] }));
        assert!(workers.section("Outputs").get(output).is_some(), "{output}");
    }
    let ways_out = &workers.properties("WorkerSecurityGroup")["SecurityGroupEgress"];
    assert_eq!((&ways_out[0]["FromPort"], &ways_out[0]["ToPort"]), (&json!(443), &json!(443)));
}

#[test]
fn duelists_finish_what_they_have_begun_and_follow_the_backlog() {
    let template = Template::load(JUDGE);
    let container = container(JUDGE);
    let drain_secs: u64 = variable(&container, "SN17_DRAIN_SECS").as_str().unwrap().parse().unwrap();
    let stop_secs = container["StopTimeout"].as_u64().unwrap();
    assert!(drain_secs + 5 < stop_secs && stop_secs <= 120, "Fargate leaves 120 s and no more");
    let words = container["HealthCheck"]["Command"].as_array().unwrap();
    assert_eq!(words[..3], [json!("CMD"), json!("duelist"), json!("healthy")]);
    assert_eq!(words.last(), Some(variable(&container, "SN17_HEARTBEAT")));
    let service = template.properties("Service");
    assert_eq!(service["LaunchType"], "FARGATE", "also beside workers with GPUs");
    assert_eq!(service["DeploymentConfiguration"]["MinimumHealthyPercent"], 100);
    // The backlog is divided by the tasks that run, so one always does.
    let scaling = template.properties("Scaling");
    assert_eq!(
        (&scaling["MinCapacity"], &scaling["MaxCapacity"]),
        (&json!(1), &json!({ "Ref": "JudgeMax" }))
    );
    let metrics = &template.properties("BacklogScaling")["TargetTrackingScalingPolicyConfiguration"]["CustomizedMetricSpecification"];
    let queue = &metrics["Metrics"][0]["MetricStat"]["Metric"]["Dimensions"];
    assert_eq!(queue, &json!([{ "Name": "QueueName", "Value": { "Ref": "JudgingQueueName" } }]));
    // A client's task is told of before it ends without a verdict.
    let late_secs = template.properties("JudgingLate")["Threshold"].as_u64().unwrap();
    let policy = Policy::default();
    assert!(late_secs < policy.tasks.deadline_secs);
    assert_eq!(template.properties("JudgeNotBelieved")["Threshold"], policy.judge.canary_accuracy_min);
}

fn variable<'a>(container: &'a Value, name: &str) -> &'a Value {
    let variables = container["Environment"].as_array().unwrap();
    &variables.iter().find(|variable| variable["Name"] == name).unwrap()["Value"]
}
