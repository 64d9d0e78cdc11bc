//! The templates' YAML: its short forms (`!Ref`, `!GetAtt`, `!Sub` …) as the long forms they stand for.

use std::path::Path;

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// Where the templates lie.
pub(super) const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A template as JSON, functions in their long form.
pub(super) struct Template {
    root: Value,
}

impl Template {
    pub(super) fn load(file: &str) -> Self {
        let text = std::fs::read_to_string(Path::new(REPOSITORY).join(file)).unwrap();
        Self::parse(&text)
    }

    pub(super) fn parse(text: &str) -> Self {
        let documents = Yaml::load_from_str(text).unwrap();
        let [document] = documents.as_slice() else { panic!("one document, not {}", documents.len()) };
        Self { root: to_json(document) }
    }

    /// A top-level section.
    pub(super) fn section(&self, name: &str) -> &Value {
        self.root.get(name).unwrap_or_else(|| panic!("the template has no {name}"))
    }

    pub(super) fn parameter(&self, name: &str) -> &Value {
        &self.section("Parameters")[name]
    }

    /// What holds for every function.
    pub(super) fn globals(&self) -> &Value {
        &self.section("Globals")["Function"]
    }

    /// Logical ids and resources.
    pub(super) fn resources(&self) -> impl Iterator<Item = (&str, &Value)> {
        let resources = self.section("Resources").as_object().unwrap();
        resources.iter().map(|(id, resource)| (id.as_str(), resource))
    }

    pub(super) fn of_type(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.resources().filter(move |(_, resource)| resource["Type"] == kind)
    }

    pub(super) fn kind(&self, id: &str) -> &str {
        self.section("Resources")[id]["Type"].as_str().unwrap_or_else(|| panic!("there is no resource {id}"))
    }

    pub(super) fn properties(&self, id: &str) -> &Value {
        let properties = &self.section("Resources")[id]["Properties"];
        assert!(properties.is_object(), "the resource {id} has no properties");
        properties
    }
}

fn to_json(node: &Yaml<'_>) -> Value {
    match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.into_inner()),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Sequence(nodes) => nodes.iter().map(to_json).collect(),
        Yaml::Mapping(entries) => {
            let mut object = Map::new();
            for (key, value) in entries {
                let Value::String(key) = to_json(key) else { panic!("a key that is no text: {key:?}") };
                object.insert(key, to_json(value));
            }
            Value::Object(object)
        }
        Yaml::Tagged(tag, value) => long_form(&tag.suffix, to_json(value)),
        Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => panic!("not in a template: {node:?}"),
    }
}

fn long_form(function: &str, argument: Value) -> Value {
    match (function, &argument) {
        ("Ref" | "Condition", _) => json!({ function: argument }),
        ("GetAtt", Value::String(path)) => {
            let (resource, attribute) = path.split_once('.').unwrap();
            json!({ "Fn::GetAtt": [resource, attribute] })
        }
        _ => json!({ format!("Fn::{function}"): argument }),
    }
}

#[test]
fn short_forms_become_long_ones() {
    let text =
        "Resources:\n  A: { R: !Ref B, G: !GetAtt B.Arn.X, S: !Sub \"${B}/*\", I: !If [C, !Ref D, 1] }\n";
    let template = Template::parse(text);
    assert_eq!(
        template.section("Resources")["A"],
        json!({
            "R": { "Ref": "B" },
            "G": { "Fn::GetAtt": ["B", "Arn.X"] },
            "S": { "Fn::Sub": "${B}/*" },
            "I": { "Fn::If": ["C", { "Ref": "D" }, 1] },
        })
    );
}
