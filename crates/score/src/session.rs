//! One model of a folder as an ONNX Runtime session.

use std::path::Path;

use ndarray::{Array4, ArrayView4};
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{TensorElementType, TensorRef, ValueType};

use crate::manifest::{Dimension, Dtype, Manifest, Names, Role, Tensor, check_tensors};
use crate::runtime;
use crate::scorer::{ScoreError, ScorerOptions, VIEW_SIZE_PX};
use crate::tokenizer::{CONTEXT, ClipTokenizer};

/// Length of the embeddings of both CLIP towers (`OpenCLIP` `convnext_large_d`).
pub(crate) const CLIP_LENGTH: usize = 768;
/// Length of the embeddings of the picture tower (LLM2CLIP-Openai-L-14-336).
pub(crate) const PICTURE_LENGTH: usize = 1280;

/// A session with the names that its manifest gives its inputs and output.
#[derive(Debug)]
pub(crate) struct LoadedModel {
    role: Role,
    session: Session,
    input_names: Vec<String>,
    output_name: String,
}

impl LoadedModel {
    pub(crate) fn load(
        folder: &Path,
        manifest: &Manifest,
        role: Role,
        options: &ScorerOptions,
    ) -> Result<Self, ScoreError> {
        let path = manifest.model_path(folder, role)?;
        let environment = runtime::environment()?;
        let commit = || -> Result<Session, ort::Error> {
            Session::builder(&environment)?
                .with_optimization_level(GraphOptimizationLevel::All)?
                .with_intra_threads(options.intra_threads.get())?
                .commit_from_file(&path)
        };
        let session = commit().map_err(|error| ScoreError::Load {
            role,
            path: path.clone(),
            message: error.message().to_owned(),
        })?;
        let model = manifest.models.get(role);
        for (side, found, expected) in
            [("inputs", session.inputs(), &model.inputs), ("outputs", session.outputs(), &model.outputs)]
        {
            let tensors: Option<Vec<Tensor>> =
                found.iter().map(|outlet| graph_tensor(outlet.name(), outlet.dtype())).collect();
            let Some(tensors) = tensors else {
                let message = format!("its {side} are not tensors of u8, i64 or f32");
                return Err(ScoreError::Load { role, path, message });
            };
            check_tensors(role, "the graph", side, &tensors, expected, Names::Same)?;
        }
        let input_names = model.inputs.iter().map(|tensor| tensor.name.clone()).collect();
        let output_name = model.outputs.iter().map(|tensor| tensor.name.clone()).next().unwrap_or_default();
        Ok(Self { role, session, input_names, output_name })
    }

    /// Runs over batches of frames, one batch an input, and gives the output of the expected shape.
    pub(crate) fn frames_to(
        &mut self,
        batches: &[ArrayView4<'_, u8>],
        expected: &[usize],
    ) -> Result<Vec<f32>, ScoreError> {
        let role = self.role;
        let mut inputs = Vec::with_capacity(batches.len());
        for (name, batch) in self.input_names.iter().zip(batches) {
            let tensor = TensorRef::from_array_view(*batch).map_err(|error| run_error(role, &error))?;
            inputs.push((name.as_str(), tensor));
        }
        let outputs = self.session.run(inputs).map_err(|error| run_error(role, &error))?;
        extract(role, outputs.get(&self.output_name), expected)
    }

    /// Runs over the tokens of one text and gives the output of the expected shape.
    pub(crate) fn tokens_to(
        &mut self,
        tokens: &[i64; CONTEXT],
        expected: &[usize],
    ) -> Result<Vec<f32>, ScoreError> {
        let role = self.role;
        let tensor = TensorRef::from_array_view(([1, CONTEXT], &tokens[..]))
            .map_err(|error| run_error(role, &error))?;
        let inputs: Vec<_> = self.input_names.iter().map(String::as_str).zip([tensor]).collect();
        let outputs = self.session.run(inputs).map_err(|error| run_error(role, &error))?;
        extract(role, outputs.get(&self.output_name), expected)
    }

    /// Runs once over a blank view or an empty text.
    pub(crate) fn run_blank(&mut self) -> Result<(), ScoreError> {
        let blank = Array4::from_elem((1, VIEW_SIZE_PX, VIEW_SIZE_PX, 3), u8::MAX);
        match self.role {
            Role::ClipImage => self.frames_to(&[blank.view()], &[1, CLIP_LENGTH])?,
            Role::ClipText => self.tokens_to(&ClipTokenizer::bytes_only().encode(""), &[1, CLIP_LENGTH])?,
            Role::ImageImage => self.frames_to(&[blank.view()], &[1, PICTURE_LENGTH])?,
            Role::Iqa => self.frames_to(&[blank.view()], &[1])?,
            Role::Lpips => self.frames_to(&[blank.view(), blank.view()], &[1])?,
        };
        Ok(())
    }
}

fn run_error(role: Role, error: &ort::Error) -> ScoreError {
    ScoreError::Run { role, message: error.message().to_owned() }
}

fn extract(
    role: Role,
    output: Option<&ort::value::DynValue>,
    expected: &[usize],
) -> Result<Vec<f32>, ScoreError> {
    let Some(output) = output else {
        return Err(ScoreError::Run { role, message: "the output is missing".to_owned() });
    };
    let array = output.try_extract_array::<f32>().map_err(|error| run_error(role, &error))?;
    if array.shape() != expected {
        return Err(ScoreError::Shape { role, found: array.shape().to_vec(), expected: expected.to_vec() });
    }
    Ok(array.iter().copied().collect())
}

/// A graph's input or output in the manifest's terms; none if no contract could ask for it.
fn graph_tensor(name: &str, value_type: &ValueType) -> Option<Tensor> {
    let ValueType::Tensor { ty, shape, dimension_symbols } = value_type else { return None };
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other twenty element types are all unusable")]
    let dtype = match ty {
        TensorElementType::Uint8 => Dtype::U8,
        TensorElementType::Int64 => Dtype::I64,
        TensorElementType::Float32 => Dtype::F32,
        _ => return None,
    };
    let dimension = |(index, &length): (usize, &i64)| {
        let symbol = || dimension_symbols.get(index).cloned().unwrap_or_default();
        if length < 0 { Dimension::Free(symbol()) } else { Dimension::Fixed(length) }
    };
    let shape = shape.iter().enumerate().map(dimension).collect();
    Some(Tensor { name: name.to_owned(), dtype, shape })
}
