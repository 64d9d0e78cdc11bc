//! No permission reaches further than its purpose.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::parse::Template;
use super::{FUNCTIONS, ROOT, TEMPLATES};

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
    assert_eq!(holders("dynamodb:PutItem", arn("Table")), ["Gateway", "Miner", "Sweeper"]);
    // Only operators remove keys and miners, and only clients' tasks are counted.
    assert_eq!(holders("dynamodb:DeleteItem", arn("Table")), ["Gateway"]);
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

/// The statements of a role's policies or of a policy of its own; those about who may take a role are not meant.
pub(super) fn statements(properties: &Value) -> impl Iterator<Item = &Value> {
    let inline =
        properties["Policies"].as_array().into_iter().flatten().map(|policy| &policy["PolicyDocument"]);
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
