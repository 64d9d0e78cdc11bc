//! No permission reaches further than its purpose.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::parse::Template;
use super::{FUNCTIONS, JUDGE, ROOT, TEMPLATES};

/// Every kind of blob. A permission may end in one of these and a star, because a blob's name is made at run time.
pub(super) const BLOB_PREFIXES: [&str; 4] = ["duels/", "previews/", "prompts/", "submissions/"];

/// Actions for which AWS knows no resource (Service Authorization Reference, ECR and ECS), or none that is known
/// before it exists.
const EXCEPTIONS: [(&str, &str); 6] = [
    ("ecr:GetAuthorizationToken", "*"),
    ("ecs:DiscoverPollEndpoint", "*"),
    ("ecs:Poll", CONTAINER_INSTANCES),
    ("ecs:StartTelemetrySession", CONTAINER_INSTANCES),
    ("ecs:TagResource", CONTAINER_INSTANCES),
    ("ecs:UpdateContainerInstancesState", CONTAINER_INSTANCES),
];
const CONTAINER_INSTANCES: &str =
    "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:container-instance/${Cluster}/*";

#[test]
fn no_permission_has_a_wildcard() {
    let mut used = BTreeSet::new();
    for file in TEMPLATES {
        let faults = wildcards(&Template::load(file), &mut used);
        assert!(faults.is_empty(), "{file}: {faults:#?}");
    }
    assert_eq!(used, EXCEPTIONS.into(), "every exception has its use");
}

#[test]
fn wildcards_are_found() {
    let faults_of = |statement: &str| {
        let role = format!(
            "{{ Type: AWS::IAM::Role, Properties: {{ PolicyDocument: {{ Statement: [{statement}] }} }} }}"
        );
        wildcards(&Template::parse(&format!("Resources: {{ R: {role} }}")), &mut BTreeSet::new()).len()
    };
    let faults = |action: &str, resource: &str| {
        faults_of(&format!("{{ Effect: Allow, Action: {action}, Resource: {resource} }}"))
    };
    assert_eq!(faults("[s3:GetObject]", "!GetAtt Bucket.Arn"), 0);
    assert_eq!(faults("s3:GetObject", "!Sub \"${Bucket.Arn}/prompts/*\""), 0);
    assert_eq!(faults("s3:GetObject", "!Sub \"${Bucket.Arn}/*\""), 1);
    assert_eq!(faults("s3:GetObject", "!Sub \"${Bucket.Arn}/pro*\""), 1);
    assert_eq!(faults("\"s3:Get*\"", "!GetAtt Bucket.Arn"), 1);
    assert_eq!(faults("[sqs:SendMessage]", "\"*\""), 1);
    assert_eq!(faults("dynamodb:Query", "!Sub [\"${T}/index/*\", { T: a }]"), 1);
    assert_eq!(faults("ecr:GetAuthorizationToken", "\"*\""), 0);
    assert_eq!(faults_of("{ Effect: Allow, NotAction: s3:GetObject, Resource: !GetAtt Bucket.Arn }"), 1);
    let conditional = "Resources: { R: { Type: AWS::IAM::Role, Properties: { Policies: [!If [C, { PolicyDocument: \
                       { Statement: { Effect: Allow, Action: \"s3:*\", Resource: a } } }, !Ref AWS::NoValue]] } } }";
    assert_eq!(
        wildcards(&Template::parse(conditional), &mut BTreeSet::new()).len(),
        1,
        "under a condition as well"
    );
    // A denial takes away, so it may say everything.
    assert_eq!(faults_of("{ Effect: Deny, Action: \"s3:*\", Resource: \"*\" }"), 0);
}

#[test]
fn functions_have_no_permissions_but_those_of_their_role() {
    let template = Template::load(ROOT);
    for (function, _) in FUNCTIONS {
        let properties = template.properties(function);
        assert!(properties.get("Policies").is_none(), "{function} has policies beside its role");
        let role = template.properties(&format!("{function}Role"));
        assert!(role.get("ManagedPolicyArns").is_none(), "{function} has managed policies");
        assert_eq!(
            role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"],
            json!({ "Service": "lambda.amazonaws.com" })
        );
    }
}

/// What asks the chain needs the table's rows, and of AWS nothing else: it cannot even see a blob or a queue.
#[test]
fn the_chains_function_may_change_miners_and_no_more() {
    let template = Template::load(ROOT);
    let table = json!({ "Fn::GetAtt": ["Table", "Arn"] });
    let logs = json!({ "Fn::GetAtt": ["ChainLogs", "Arn"] });
    let expected = [
        ("dynamodb:BatchGetItem", &table),
        ("dynamodb:DeleteItem", &table),
        ("dynamodb:GetItem", &table),
        ("dynamodb:PutItem", &table),
        ("logs:CreateLogStream", &logs),
        ("logs:PutLogEvents", &logs),
    ];
    assert_eq!(rights(template.properties("ChainRole")), rights_of(&expected));
    let schedule = [("lambda:InvokeFunction", &json!({ "Ref": "Chain.Alias" }))];
    assert_eq!(rights(template.properties("ChainScheduleRole")), rights_of(&schedule));
}

/// What compares results reads pictures, writes records and verdicts, and takes from one queue.
#[test]
fn the_duelist_may_do_what_it_does_and_no_more() {
    let template = Template::load(JUDGE);
    let (table, queue) = (json!({ "Ref": "TableArn" }), json!({ "Ref": "JudgingQueueArn" }));
    let bucket = |keys: &str| json!({ "Fn::Sub": format!("arn:${{AWS::Partition}}:s3:::${{Bucket}}{keys}") });
    let expected = [
        ("dynamodb:BatchGetItem", &table),
        ("dynamodb:GetItem", &table),
        ("dynamodb:PutItem", &table),
        ("dynamodb:UpdateItem", &table),
        ("s3:AbortMultipartUpload", &bucket("/duels/*")),
        ("s3:GetObject", &bucket("/previews/*")),
        ("s3:GetObject", &bucket("/prompts/*")),
        ("s3:ListBucket", &bucket("")),
        ("s3:PutObject", &bucket("/duels/*")),
        ("sqs:ChangeMessageVisibility", &queue),
        ("sqs:DeleteMessage", &queue),
        ("sqs:GetQueueAttributes", &queue),
        ("sqs:ReceiveMessage", &queue),
    ];
    assert_eq!(rights(template.properties("TaskRole")), rights_of(&expected));
}

/// The key is read by what starts the container, and only where there is one.
#[test]
fn the_judges_key_is_in_a_secret_alone() {
    let template = Template::load(JUDGE);
    let start = template.properties("ExecutionRole");
    let key = json!({ "Ref": "JudgeKeySecretArn" });
    assert!(rights(start).contains(&("secretsmanager:GetSecretValue".to_owned(), key.to_string())));
    let policy = &start["Policies"].as_array().unwrap()[1]["Fn::If"];
    assert_eq!((&policy[0], &policy[2]), (&json!("HasKey"), &json!({ "Ref": "AWS::NoValue" })));
    let secrets = &template.properties("TaskDefinition")["ContainerDefinitions"][0]["Secrets"]["Fn::If"];
    assert_eq!(secrets[1], json!([{ "Name": "SN17_JUDGE_API_KEY", "ValueFrom": key }]));
    let root = Template::load(ROOT);
    let pattern = root.parameter("JudgeKeySecretArn")["AllowedPattern"].as_str().unwrap();
    assert!(pattern.starts_with("^(arn:aws[a-z-]*:secretsmanager:"), "a key itself does not pass: {pattern}");
}

/// Who may touch what, by the part of the system that only some need.
#[test]
fn secrets_and_calendars_are_for_those_who_need_them() {
    let template = Template::load(ROOT);
    let holders = |action: &str, resource: Value| -> Vec<&str> {
        let names = FUNCTIONS.iter().map(|(function, _)| *function);
        names
            .filter(|function| {
                statements(template.properties(&format!("{function}Role"))).any(|statement| {
                    list(&statement["Action"]).any(|held| held == action)
                        && list(&statement["Resource"]).any(|held| *held == resource)
                })
            })
            .collect()
    };
    let sub = |text: &str| json!({ "Fn::Sub": text });
    let arn = |id: &str| json!({ "Fn::GetAtt": [id, "Arn"] });
    let secret = |id: &str| json!({ "Fn::GetAtt": [id, "Id"] });
    assert_eq!(holders("secretsmanager:GetSecretValue", secret("ApiKeySecret")), ["Gateway"]);
    assert_eq!(holders("secretsmanager:GetSecretValue", secret("AdminKeySecret")), ["Gateway"]);
    assert_eq!(holders("dynamodb:Query", sub("${Table.Arn}/index/due")), ["Sweeper"]);
    assert_eq!(holders("dynamodb:PutItem", arn("Table")), ["Gateway", "Miner", "Sweeper", "Chain"]);
    // Only operators remove keys, only they and the chain remove miners, and only clients' tasks are counted.
    assert_eq!(holders("dynamodb:DeleteItem", arn("Table")), ["Gateway", "Chain"]);
    assert_eq!(holders("dynamodb:UpdateItem", arn("Table")), ["Gateway"]);
    assert_eq!(holders("s3:PutObject", sub("${Bucket.Arn}/submissions/*")), ["Miner"]);
    assert_eq!(holders("s3:PutObject", sub("${Bucket.Arn}/prompts/*")), ["Gateway", "Sweeper"]);
    assert_eq!(holders("sqs:ReceiveMessage", arn("TimersQueue")), ["Sweeper"]);
    assert_eq!(holders("sqs:ReceiveMessage", arn("ScoringQueue")), [""; 0]);
    assert_eq!(holders("sqs:SendMessage", arn("JudgingQueue")), ["Dispatch"]);
    assert_eq!(holders("sqs:GetQueueAttributes", arn("JudgingQueue")), ["Sweeper"]);
    assert_eq!(holders("sqs:ReceiveMessage", arn("JudgingQueue")), [""; 0]);
}

/// What a template allows too widely; exceptions that were met go to `used`.
fn wildcards(template: &Template, used: &mut BTreeSet<(&'static str, &'static str)>) -> Vec<String> {
    let mut faults = Vec::new();
    for (id, resource) in template.resources() {
        let kind = resource["Type"].as_str().unwrap();
        if !kind.starts_with("AWS::IAM::") && !kind.ends_with("Policy") {
            continue;
        }
        if resource["Properties"].get("ManagedPolicyArns").is_some() {
            faults.push(format!("{id} has managed policies, which AWS may widen"));
        }
        for statement in
            statements(&resource["Properties"]).filter(|statement| statement["Effect"] == "Allow")
        {
            for forbidden in ["NotAction", "NotResource", "NotPrincipal"] {
                if statement.get(forbidden).is_some() {
                    faults.push(format!("{id} allows by exclusion: {forbidden}"));
                }
            }
            for action in list(&statement["Action"]) {
                let Some(action) = action.as_str().filter(|action| !action.contains(['*', '?'])) else {
                    faults.push(format!("{id} allows the action {action}"));
                    continue;
                };
                for resource in list(&statement["Resource"]) {
                    let text = text_of(resource);
                    if !text.contains(['*', '?']) || is_key_prefix(text) {
                        continue;
                    }
                    match EXCEPTIONS.iter().find(|exception| **exception == (action, text)) {
                        Some(exception) => {
                            used.insert(*exception);
                        }
                        None => faults.push(format!("{id} allows {action} on {text}")),
                    }
                }
            }
        }
    }
    faults
}

fn is_key_prefix(resource: &str) -> bool {
    let buckets = ["${Bucket.Arn}/", "arn:${AWS::Partition}:s3:::${Bucket}/"];
    let key = buckets.iter().find_map(|bucket| resource.strip_prefix(bucket)?.strip_suffix('*'));
    key.is_some_and(|prefix| BLOB_PREFIXES.contains(&prefix))
}

/// What a role allows, as pairs of an action and the text of what it may be done to.
fn rights(role: &Value) -> BTreeSet<(String, String)> {
    let pairs = statements(role).flat_map(|statement| {
        assert_eq!(statement["Effect"], "Allow");
        list(&statement["Action"]).flat_map(|action| {
            let action = action.as_str().unwrap().to_owned();
            list(&statement["Resource"]).map(move |resource| (action.clone(), resource.to_string()))
        })
    });
    pairs.collect()
}

fn rights_of(expected: &[(&str, &Value)]) -> BTreeSet<(String, String)> {
    expected.iter().map(|(action, resource)| ((*action).to_owned(), resource.to_string())).collect()
}

/// The statements of a role's policies or of a policy of its own, also where a condition may leave the policy out; those
/// about who may take a role are not meant.
pub(super) fn statements(properties: &Value) -> impl Iterator<Item = &Value> {
    let inline = properties["Policies"].as_array().into_iter().flatten().map(|policy| {
        let policy = policy.get("Fn::If").map_or(policy, |branches| &branches[1]);
        assert!(policy.get("PolicyDocument").is_some(), "a policy of unknown form: {policy}");
        &policy["PolicyDocument"]
    });
    inline.chain([&properties["PolicyDocument"]]).flat_map(|document| list(&document["Statement"]))
}

/// IAM writes a list of one without brackets.
pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    let values = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
    values.iter().filter(|value| !value.is_null())
}

/// The text of a resource before anything is put into it; references have none of their own.
pub(super) fn text_of(resource: &Value) -> &str {
    let text = match resource.get("Fn::Sub") {
        Some(Value::Array(arguments)) => arguments.first(),
        Some(text) => Some(text),
        None => Some(resource),
    };
    match text {
        Some(Value::String(text)) => text,
        Some(Value::Object(reference))
            if reference.contains_key("Ref") || reference.contains_key("Fn::GetAtt") =>
        {
            ""
        }
        other => panic!("a resource of unknown form: {other:?}"),
    }
}
