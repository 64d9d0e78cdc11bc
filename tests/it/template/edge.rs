//! What stands outside the network's own stack: the edges' users, and the fixed address in front of an edge.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::parse::{REPOSITORY, Template};
use super::permissions::{list, statements, text_of};
use super::{EDGE, FRONT, ROOT};

/// An action and what it may be done to.
type Permission = (String, String);

/// An edge is gateway, miner and half of the sweeper in one, over the table and the bucket alone.
#[test]
fn edges_may_do_what_the_http_functions_may_and_no_more() {
    let root = Template::load(ROOT);
    let http: BTreeSet<Permission> =
        ["GatewayRole", "MinerRole"].iter().flat_map(|role| permissions(root.properties(role))).collect();
    let sweeper: BTreeSet<Permission> = permissions(root.properties("SweeperRole")).collect();
    let is_kept = |(action, _): &&Permission| action.starts_with("dynamodb:") || action.starts_with("s3:");
    let expected: BTreeSet<&Permission> = http.union(&sweeper).filter(is_kept).collect();
    let edge = Template::load(EDGE);
    let edges: BTreeSet<Permission> = permissions(edge.properties("Edges")).collect();
    let surplus: Vec<&Permission> =
        edges.iter().filter(|permission| !expected.contains(permission)).collect();
    let missing: Vec<&&Permission> =
        expected.iter().filter(|permission| !edges.contains(**permission)).collect();
    assert!(surplus.is_empty() && missing.is_empty(), "surplus: {surplus:#?}, missing: {missing:#?}");
}

#[test]
fn edges_are_users_in_that_group_without_passwords_or_keys() {
    let template = Template::load(EDGE);
    let mut kinds: Vec<(&str, &str)> =
        template.resources().map(|(id, resource)| (id, resource["Type"].as_str().unwrap())).collect();
    kinds.sort_unstable();
    let user = "AWS::IAM::User";
    assert_eq!(kinds, [("Edges", "AWS::IAM::Group"), ("Spin", user), ("Worker", user)]);
    for (id, resource) in template.of_type(user) {
        assert_eq!(resource["Properties"], json!({ "Groups": [{ "Ref": "Edges" }] }), "{id}");
    }
}

#[test]
fn the_front_keeps_its_address_and_port() {
    let template = Template::load(FRONT);
    for (id, address) in template.of_type("AWS::EC2::EIP") {
        assert_eq!(
            (&address["DeletionPolicy"], &address["UpdateReplacePolicy"]),
            (&json!("Retain"), &json!("Retain")),
            "{id}"
        );
    }
    let balancer = template.properties("LoadBalancer");
    assert_eq!((&balancer["Type"], &balancer["Scheme"]), (&json!("network"), &json!("internet-facing")));
    let used: Vec<&Value> =
        balancer["SubnetMappings"].as_array().unwrap().iter().map(|subnet| &subnet["AllocationId"]).collect();
    let address = |id: &str| json!({ "Fn::GetAtt": [id, "AllocationId"] });
    assert_eq!(used, [&address("AddressA"), &address("AddressB")]);

    // The port that `sn17 redirector` listens at unless told otherwise, all the way through, and nothing in the clear but it.
    let container = &template.properties("TaskDefinition")["ContainerDefinitions"][0];
    let service = template.properties("Service");
    let ports = [
        &template.properties("Listener")["Port"],
        &template.properties("Targets")["Port"],
        &container["PortMappings"][0]["ContainerPort"],
        &service["LoadBalancers"][0]["ContainerPort"],
        &template.properties("FrontSecurityGroup")["SecurityGroupIngress"][0]["ToPort"],
        &template.properties("FrontToContainers")["ToPort"],
        &template.properties("ContainerSecurityGroup")["SecurityGroupIngress"][0]["ToPort"],
    ];
    assert_eq!(ports, [&json!(4443); 7]);
    assert_eq!(template.properties("Listener")["Protocol"], "TCP");
    assert_eq!(template.properties("Targets")["HealthCheckPath"], "/healthz");
    let inward = template.properties("ContainerSecurityGroup")["SecurityGroupIngress"].as_array().unwrap();
    assert!(
        inward.iter().all(|rule| rule.get("CidrIp").is_none()),
        "only the load balancer comes in: {inward:?}"
    );
}

#[test]
fn the_front_runs_a_program_that_may_do_nothing() {
    let template = Template::load(FRONT);
    let task = template.properties("TaskDefinition");
    assert!(task.get("TaskRoleArn").is_none(), "it has no rights in the account");
    assert_eq!(task["RuntimePlatform"]["CpuArchitecture"], "ARM64");
    let container = &task["ContainerDefinitions"][0];
    assert_eq!(container["ReadonlyRootFilesystem"], true);
    assert_eq!(container["LinuxParameters"]["Capabilities"]["Drop"], json!(["ALL"]));
    let variables = container["Environment"].as_array().unwrap();
    let names: Vec<&str> = variables.iter().map(|variable| variable["Name"].as_str().unwrap()).collect();
    assert_eq!(names, ["SN17_EDGE_URL", "RUST_LOG"], "what the container's file does not say");
    // It lets connections finish for 28 s.
    assert!(container["StopTimeout"].as_u64().unwrap() > 28);
    let service = template.properties("Service");
    assert_eq!(service["DesiredCount"], json!({ "Ref": "Tasks" }));
    assert_eq!(template.parameter("Tasks")["Default"], 2);
    assert_eq!(service["DeploymentConfiguration"]["MinimumHealthyPercent"], 100);

    let file = std::fs::read_to_string(Path::new(REPOSITORY).join("infra/front/Containerfile")).unwrap();
    let (_, image) = file.rsplit_once("\nFROM ").unwrap();
    assert!(image.starts_with("gcr.io/distroless/cc-debian12:nonroot\n"), "no shell, no root: {image}");
    assert!(
        image.contains(r#"ENTRYPOINT ["/usr/local/bin/sn17"]"#) && image.contains(r#"CMD ["redirector", "#)
    );
    assert!(!image.contains("\nRUN "), "nothing could run there");
}

/// After a 301, 302 or 303 a miner's client sends a GET without a body, and an edge by plain HTTP would be no gain.
#[test]
fn the_front_leads_to_an_edge_with_tls() {
    let template = Template::load(FRONT);
    let pattern = template.parameter("EdgeUrl")["AllowedPattern"].as_str().unwrap();
    assert!(pattern.starts_with("^https://"), "{pattern}");
    let actions = &template.properties("Listener")["DefaultActions"];
    assert_eq!(actions, &json!([{ "Type": "forward", "TargetGroupArn": { "Ref": "Targets" } }]));
}

/// What a role or group allows, by the network's own names for its table and bucket.
fn permissions(holder: &Value) -> impl Iterator<Item = Permission> {
    statements(holder).flat_map(|statement| {
        assert_eq!(statement["Effect"], "Allow");
        list(&statement["Action"]).flat_map(|action| {
            let action = action.as_str().unwrap().to_owned();
            list(&statement["Resource"]).map(move |resource| (action.clone(), plain(resource)))
        })
    })
}

fn plain(resource: &Value) -> String {
    let text = match resource.get("Fn::GetAtt") {
        Some(attribute) => format!("${{{}.Arn}}", attribute[0].as_str().unwrap()),
        None => text_of(resource).to_owned(),
    };
    let table = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Table}";
    text.replace(table, "${Table.Arn}").replace("arn:${AWS::Partition}:s3:::${Bucket}", "${Bucket.Arn}")
}
