//! Builds ONNX graphs node by node.

use prost::Message;

use super::onnx::{
    Attribute, AttributeKind, Dim, DimValue, ElementKind, Graph, Model, Node, OperatorSet, Shape, TensorData,
    TensorType, ValueInfo, ValueType,
};
use crate::manifest::{Dimension, Dtype, Role, Tensor};

/// The operator set: 18 is the first whose reductions take axes as an input and whose Resize can antialias.
const OPSET: i64 = 18;
/// The intermediate representation of the ONNX release that brought operator set 18.
const IR_VERSION: i64 = 8;

/// The name of a tensor that some node or constant of a graph makes; the default stands for an optional input that is
/// left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Value(String);

/// A graph under construction; methods add a node and return its output.
#[derive(Debug, Default)]
pub(super) struct GraphBuilder {
    nodes: Vec<Node>,
    constants: Vec<TensorData>,
}

impl GraphBuilder {
    /// One of the role's inputs.
    pub(super) fn input(name: &str) -> Value {
        Value(name.to_owned())
    }

    /// A constant of floats.
    pub(super) fn floats(&mut self, dims: &[i64], values: &[f32]) -> Value {
        self.constant(dims, ElementKind::Float, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// A constant of one float, for arithmetic with a tensor of any shape.
    pub(super) fn float(&mut self, value: f32) -> Value {
        self.floats(&[], &[value])
    }

    /// A constant list of integers.
    pub(super) fn ints(&mut self, values: &[i64]) -> Value {
        let length = i64::try_from(values.len()).expect("the lists in this module are short");
        self.constant(
            &[length],
            ElementKind::Int64,
            values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        )
    }

    fn constant(&mut self, dims: &[i64], kind: ElementKind, raw_data: Vec<u8>) -> Value {
        let name = format!("c{}", self.constants.len());
        let dims = dims.to_vec();
        self.constants.push(TensorData { dims, data_type: kind.into(), name: name.clone(), raw_data });
        Value(name)
    }

    /// A node without settings.
    pub(super) fn op(&mut self, op_type: &str, inputs: &[&Value]) -> Value {
        self.op_with(op_type, inputs, vec![])
    }

    /// A node with settings.
    pub(super) fn op_with(&mut self, op_type: &str, inputs: &[&Value], attribute: Vec<Attribute>) -> Value {
        let name = format!("n{}", self.nodes.len());
        self.nodes.push(Node {
            input: inputs.iter().map(|value| value.0.clone()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: op_type.to_owned(),
            attribute,
        });
        Value(name)
    }

    /// The sum of a tensor and a number.
    pub(super) fn plus(&mut self, value: &Value, number: f32) -> Value {
        let number = self.float(number);
        self.op("Add", &[value, &number])
    }

    /// A tensor times a number.
    pub(super) fn times(&mut self, value: &Value, number: f32) -> Value {
        let number = self.float(number);
        self.op("Mul", &[value, &number])
    }

    /// A tensor cut to 0..=1.
    pub(super) fn clip_unit(&mut self, value: &Value) -> Value {
        let (low, high) = (self.float(0.0), self.float(1.0));
        self.op("Clip", &[value, &low, &high])
    }

    /// A reduction such as `ReduceMean` over some axes, which stay with length 1.
    pub(super) fn reduce(&mut self, op_type: &str, value: &Value, axes: &[i64]) -> Value {
        let axes = self.ints(axes);
        self.op(op_type, &[value, &axes])
    }

    /// A tensor of the same data with another shape; 0 keeps a dimension, -1 is what is left.
    pub(super) fn reshape(&mut self, value: &Value, shape: &[i64]) -> Value {
        let shape = self.ints(shape);
        self.op("Reshape", &[value, &shape])
    }

    /// Tensors one after the other along an axis.
    pub(super) fn concat(&mut self, values: &[&Value], axis: i64) -> Value {
        self.op_with("Concat", values, vec![int("axis", axis)])
    }

    /// Floats 0..=1 [n, 3, height, width] from pixels [n, height, width, 3].
    pub(super) fn pixels(&mut self, frames: &Value) -> Value {
        let planes = self.op_with("Transpose", &[frames], vec![ints("perm", &[0, 3, 1, 2])]);
        let floats = self.op_with("Cast", &[&planes], vec![int("to", ElementKind::Float as i64)]);
        self.times(&floats, 1.0 / 255.0)
    }

    /// Means over squares of `side` pixels.
    pub(super) fn average_pool(&mut self, value: &Value, side: i64) -> Value {
        let settings = vec![ints("kernel_shape", &[side, side]), ints("strides", &[side, side])];
        self.op_with("AveragePool", &[value], settings)
    }

    /// The model file of a role, whose one output is `output`.
    pub(super) fn finish(mut self, role: Role, output: &Value) -> Vec<u8> {
        let (inputs, outputs) = role.contract();
        for tensor in &outputs {
            self.nodes.push(Node {
                input: vec![output.0.clone()],
                output: vec![tensor.name.clone()],
                name: tensor.name.clone(),
                op_type: "Identity".to_owned(),
                attribute: vec![],
            });
        }
        let graph = Graph {
            node: self.nodes,
            name: role.name().to_owned(),
            initializer: self.constants,
            input: inputs.iter().map(value_info).collect(),
            output: outputs.iter().map(value_info).collect(),
        };
        let model = Model {
            ir_version: IR_VERSION,
            producer_name: "sn17".to_owned(),
            graph: Some(graph),
            opset_import: vec![OperatorSet { domain: String::new(), version: OPSET }],
        };
        model.encode_to_vec()
    }
}

/// An integer setting.
pub(super) fn int(name: &str, value: i64) -> Attribute {
    Attribute {
        name: name.to_owned(),
        i: Some(value),
        kind: AttributeKind::Int.into(),
        ..Attribute::default()
    }
}

/// A setting of several integers.
pub(super) fn ints(name: &str, values: &[i64]) -> Attribute {
    let kind = AttributeKind::Ints.into();
    Attribute { name: name.to_owned(), ints: values.to_vec(), kind, ..Attribute::default() }
}

/// A setting of text.
pub(super) fn text(name: &str, value: &str) -> Attribute {
    let kind = AttributeKind::String.into();
    Attribute { name: name.to_owned(), s: Some(value.as_bytes().to_vec()), kind, ..Attribute::default() }
}

fn value_info(tensor: &Tensor) -> ValueInfo {
    let elem_type = match tensor.dtype {
        Dtype::U8 => ElementKind::Uint8,
        Dtype::I64 => ElementKind::Int64,
        Dtype::F32 => ElementKind::Float,
    };
    let dim = |dimension: &Dimension| Dim {
        value: Some(match dimension {
            Dimension::Fixed(length) => DimValue::Length(*length),
            Dimension::Free(name) => DimValue::Name(name.clone()),
        }),
    };
    let shape = Shape { dim: tensor.shape.iter().map(dim).collect() };
    let tensor_type = TensorType { elem_type: elem_type.into(), shape: Some(shape) };
    ValueInfo { name: tensor.name.clone(), value_type: Some(ValueType { tensor_type: Some(tensor_type) }) }
}
