//! `models.json`: which files hold the models of a folder, and what each takes and gives.
//!
//! The inputs and outputs of each role are fixed ([`Role::contract`]); a manifest repeats them with the names that its
//! graphs use, and both must agree with the graph itself when a session is made from it.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::tokenizer::{ClipTokenizer, TokenizerError};

/// The manifest's file name inside a models folder.
pub const FILE_NAME: &str = "models.json";
/// The most that a manifest may weigh.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// What is wrong with a models folder.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A file of the folder cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The manifest is larger than any manifest.
    #[error("`{}` is larger than {MANIFEST_BYTES_MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    /// The manifest is not the JSON it should be.
    #[error("`{}` is not a model manifest", path.display())]
    Parse {
        /// The manifest.
        path: PathBuf,
        /// Where and why parsing ended.
        source: serde_json::Error,
    },
    /// A file name is a path that could leave the folder.
    #[error("the file name `{0}` in the manifest is not a plain name")]
    FileName(String),
    /// A file is not the one that the manifest was written for.
    #[error("`{}` has sha256 {found}, the manifest says {expected}", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The manifest's checksum.
        expected: String,
        /// The file's checksum.
        found: String,
    },
    /// The inputs or outputs differ from what the role demands.
    #[error("{subject} of `{role}` has {side} {found}, expected {expected}")]
    Contract {
        /// The role.
        role: Role,
        /// "the manifest" or "the graph".
        subject: &'static str,
        /// "inputs" or "outputs".
        side: &'static str,
        /// What is there.
        found: String,
        /// What should be.
        expected: String,
    },
    /// The vocabulary cannot be used.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

/// The content of `models.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// A name for this set of weights; it is recorded with every score.
    pub version: String,
    /// Whether the weights are made up, so that what they say means nothing about real objects.
    pub synthetic: bool,
    /// The text tower's vocabulary.
    pub tokenizer: Vocabulary,
    /// The models, one per role.
    pub models: Models,
}

/// One model per role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// Views for comparison with a text.
    pub clip_image: Model,
    /// A text for comparison with views.
    pub clip_text: Model,
    /// Views and prompt pictures for comparison with each other.
    pub image_image: Model,
    /// Quality of views.
    pub iqa: Model,
    /// Perceptual distance of pairs of views.
    pub lpips: Model,
}

impl Models {
    /// The model of a role.
    pub fn get(&self, role: Role) -> &Model {
        match role {
            Role::ClipImage => &self.clip_image,
            Role::ClipText => &self.clip_text,
            Role::ImageImage => &self.image_image,
            Role::Iqa => &self.iqa,
            Role::Lpips => &self.lpips,
        }
    }
}

/// The merge list of the tokenizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Vocabulary {
    /// No merges: one token a byte.
    Bytes,
    /// A gzipped list such as `bpe_simple_vocab_16e6.txt.gz`.
    Merges(File),
}

impl Vocabulary {
    /// The file of the merges, if there is one.
    pub fn file(&self) -> Option<&File> {
        match self {
            Self::Bytes => None,
            Self::Merges(file) => Some(file),
        }
    }
}

/// A file of the models folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// A plain name inside the folder.
    pub name: String,
    /// The file's SHA-256 in lower-case hex.
    pub sha256: String,
}

/// A model's file and what it takes and gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The ONNX graph.
    pub file: File,
    /// Its inputs, in order.
    pub inputs: Vec<Tensor>,
    /// Its outputs, in order.
    pub outputs: Vec<Tensor>,
    /// What the graph does with pixels before the network sees them; absent for models without pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocessing: Option<Preprocessing>,
}

/// An input or output of a graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tensor {
    /// The name in the graph.
    pub name: String,
    /// The element type.
    pub dtype: Dtype,
    /// The dimensions.
    pub shape: Vec<Dimension>,
}

/// The element types that occur at the graphs' edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dtype {
    /// 8-bit pixels.
    U8,
    /// Token ids.
    I64,
    /// Everything that comes out.
    F32,
}

/// A dimension that is fixed or, when named, free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Dimension {
    /// Exactly this long.
    Fixed(i64),
    /// As long as the caller likes.
    Free(String),
}

/// Facts about the preprocessing inside a graph, for people who compare or convert weights; nothing computes with them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// Side in pixels that the network sees.
    pub size_px: u32,
    /// How pixels are resampled to it, such as `bicubic`.
    pub filter: String,
    /// Subtracted per channel, after division by 255.
    pub mean: [f64; 3],
    /// Divided by per channel.
    pub std: [f64; 3],
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Views to unit vectors that compare with those of texts (originally `OpenCLIP` `convnext_large_d`).
    ClipImage,
    /// Texts to unit vectors that compare with those of views (originally `OpenCLIP` `convnext_large_d`).
    ClipText,
    /// Views and prompt pictures to unit vectors (originally LLM2CLIP-Openai-L-14-336).
    ImageImage,
    /// Views to quality in 0..=1 (originally DINOv2-small with a linear head and a sigmoid).
    Iqa,
    /// Pairs of views to perceptual distances (originally LPIPS on `AlexNet`).
    Lpips,
}

impl Role {
    /// Every role, in the manifest's order.
    pub const ALL: [Self; 5] = [Self::ClipImage, Self::ClipText, Self::ImageImage, Self::Iqa, Self::Lpips];

    /// The name in the manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClipImage => "clip_image",
            Self::ClipText => "clip_text",
            Self::ImageImage => "image_image",
            Self::Iqa => "iqa",
            Self::Lpips => "lpips",
        }
    }

    /// The inputs and outputs that a model of this role must have, with the names that our own graphs use.
    ///
    /// Sizes are those of the original's networks: 768 for `OpenCLIP` `convnext_large_d`, 1280 for LLM2CLIP.
    pub fn contract(self) -> (Vec<Tensor>, Vec<Tensor>) {
        let frames = |name: &str| tensor(name, Dtype::U8, "n", &[518, 518, 3]);
        let floats = |name: &str, batch: &str, rest: &[i64]| tensor(name, Dtype::F32, batch, rest);
        match self {
            Self::ClipImage => (vec![frames("frames")], vec![floats("embeddings", "n", &[768])]),
            Self::ClipText => {
                (vec![tensor("tokens", Dtype::I64, "b", &[77])], vec![floats("embeddings", "b", &[768])])
            }
            Self::ImageImage => {
                let shape = ["n", "h", "w"].map(|name| Dimension::Free(name.to_owned()));
                let shape = shape.into_iter().chain([Dimension::Fixed(3)]).collect();
                let images = Tensor { name: "images".to_owned(), dtype: Dtype::U8, shape };
                (vec![images], vec![floats("embeddings", "n", &[1280])])
            }
            Self::Iqa => (vec![frames("frames")], vec![floats("quality", "n", &[])]),
            Self::Lpips => (vec![frames("left"), frames("right")], vec![floats("distance", "n", &[])]),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

fn tensor(name: &str, dtype: Dtype, batch: &str, rest: &[i64]) -> Tensor {
    let fixed = rest.iter().map(|&length| Dimension::Fixed(length));
    let shape = [Dimension::Free(batch.to_owned())].into_iter().chain(fixed).collect();
    Tensor { name: name.to_owned(), dtype, shape }
}

impl Manifest {
    /// Reads the manifest of a folder and checks its inputs and outputs against the roles; reads no model.
    ///
    /// # Errors
    /// When the manifest is missing, is not one, or describes models that do not fit their roles.
    pub fn read(folder: &Path) -> Result<Self, ManifestError> {
        let path = folder.join(FILE_NAME);
        let read_error = |source| ManifestError::Read { path: path.clone(), source };
        if fs::metadata(&path).map_err(read_error)?.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::TooLarge(path));
        }
        let text = fs::read(&path).map_err(read_error)?;
        let manifest: Self = serde_json::from_slice(&text)
            .map_err(|source| ManifestError::Parse { path: path.clone(), source })?;
        for role in Role::ALL {
            let model = manifest.models.get(role);
            let (inputs, outputs) = role.contract();
            check_tensors(role, "the manifest", "inputs", &model.inputs, &inputs, Names::Any)?;
            check_tensors(role, "the manifest", "outputs", &model.outputs, &outputs, Names::Any)?;
        }
        Ok(manifest)
    }

    /// The path of a role's graph, once its checksum is right.
    ///
    /// # Errors
    /// When the file cannot be read or is not the one that the manifest was written for.
    pub fn model_path(&self, folder: &Path, role: Role) -> Result<PathBuf, ManifestError> {
        checked_path(folder, &self.models.get(role).file)
    }

    /// The tokenizer with the manifest's vocabulary.
    ///
    /// # Errors
    /// When the vocabulary cannot be read, is another one, or is not well formed.
    pub fn tokenizer(&self, folder: &Path) -> Result<ClipTokenizer, ManifestError> {
        match &self.tokenizer {
            Vocabulary::Bytes => Ok(ClipTokenizer::bytes_only()),
            Vocabulary::Merges(file) => Ok(ClipTokenizer::from_gzip_file(&checked_path(folder, file)?)?),
        }
    }
}

/// Whether the names of tensors count in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// A graph may call its inputs what it likes, as long as the manifest says how.
    Any,
    /// The graph must use the manifest's names.
    Same,
}

/// Compares inputs or outputs: number, element types, fixed lengths, and names if they count.
pub(crate) fn check_tensors(
    role: Role,
    subject: &'static str,
    side: &'static str,
    found: &[Tensor],
    expected: &[Tensor],
    names: Names,
) -> Result<(), ManifestError> {
    let agrees = |found: &Tensor, expected: &Tensor| {
        let is_name_right = names == Names::Any || found.name == expected.name;
        let is_shape_right = found.shape.len() == expected.shape.len()
            && found.shape.iter().zip(&expected.shape).all(|pair| match pair {
                (Dimension::Fixed(found), Dimension::Fixed(expected)) => found == expected,
                (Dimension::Free(_), Dimension::Free(_)) => true,
                (Dimension::Fixed(_), Dimension::Free(_)) | (Dimension::Free(_), Dimension::Fixed(_)) => {
                    false
                }
            });
        is_name_right && found.dtype == expected.dtype && is_shape_right
    };
    if found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| agrees(found, expected))
    {
        return Ok(());
    }
    Err(ManifestError::Contract { role, subject, side, found: describe(found), expected: describe(expected) })
}

/// Such as `frames u8 [n, 518, 518, 3]`, separated by commas.
fn describe(tensors: &[Tensor]) -> String {
    let one = |tensor: &Tensor| {
        let dtype = match tensor.dtype {
            Dtype::U8 => "u8",
            Dtype::I64 => "i64",
            Dtype::F32 => "f32",
        };
        let dimension = |dimension: &Dimension| match dimension {
            Dimension::Fixed(length) => length.to_string(),
            Dimension::Free(name) if name.is_empty() => "?".to_owned(),
            Dimension::Free(name) => name.clone(),
        };
        let shape: Vec<String> = tensor.shape.iter().map(dimension).collect();
        format!("`{}` {dtype} [{}]", tensor.name, shape.join(", "))
    };
    let all: Vec<String> = tensors.iter().map(one).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

/// The lower-case hex SHA-256 of some bytes.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The lower-case hex SHA-256 of a file, read in pieces, as real weights weigh more than a gigabyte.
pub(crate) fn sha256_file(path: &Path) -> Result<String, ManifestError> {
    let read_error = |source| ManifestError::Read { path: path.to_owned(), source };
    let mut hasher = Sha256::new();
    let mut reader = fs::File::open(path).map_err(read_error)?;
    let mut piece = vec![0; 1 << 20];
    loop {
        let length = reader.read(&mut piece).map_err(read_error)?;
        if length == 0 {
            break;
        }
        hasher.update(&piece[..length]);
    }
    Ok(hex::encode(hasher.finalize()))
}

/// The file's path after its checksum is found right.
fn checked_path(folder: &Path, file: &File) -> Result<PathBuf, ManifestError> {
    let is_plain =
        !file.name.is_empty() && Path::new(&file.name).file_name().is_some_and(|name| *name == *file.name);
    if !is_plain {
        return Err(ManifestError::FileName(file.name.clone()));
    }
    let path = folder.join(&file.name);
    let found = sha256_file(&path)?;
    if found != file.sha256 {
        return Err(ManifestError::Checksum { path, expected: file.sha256.clone(), found });
    }
    Ok(path)
}
