//! A device and its compiled kernels.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use wgpu::util::DeviceExt as _;

use super::Deadline;
use crate::render::RenderError;

/// Which devices may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adapters {
    /// Graphics hardware alone.
    Hardware,
    /// Hardware before drivers that run on the processor, such as lavapipe.
    Any,
}

/// There is no device to render on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDevice {
    /// None is found.
    #[error(
        "no graphics device found; install its Vulkan driver (on Debian, mesa-vulkan-drivers has one for the CPU)"
    )]
    NotFound,
    /// One is found, and does not open.
    #[error("{device} cannot be used: {message}")]
    Refused {
        /// The device's name.
        device: String,
        /// What the driver says.
        message: String,
    },
}

/// The texts of the kernels that project and blend, and what both begin with.
const PROJECTED: &str = include_str!("projected.wgsl");
const PROJECT: &str = include_str!("project.wgsl");
const BLEND: &str = include_str!("blend.wgsl");
/// The texts of the kernels that sort and list, and what both begin with.
const BLOCKS: &str = include_str!("blocks.wgsl");
const SORT: &str = include_str!("sort.wgsl");
const TILES: &str = include_str!("tiles.wgsl");
/// What must be exact, where the device has f64, and elsewhere.
const EXACT_F64: &str = include_str!("exact_f64.wgsl");
const EXACT_F32: &str = include_str!("exact_f32.wgsl");

/// The kernels, compiled.
#[derive(Debug)]
pub(super) struct Kernels {
    pub(super) project: wgpu::ComputePipeline,
    pub(super) count_digits: wgpu::ComputePipeline,
    pub(super) scan: wgpu::ComputePipeline,
    pub(super) scatter: wgpu::ComputePipeline,
    pub(super) sum_blocks: wgpu::ComputePipeline,
    pub(super) emit: wgpu::ComputePipeline,
    pub(super) find_spans: wgpu::ComputePipeline,
    pub(super) blend: wgpu::ComputePipeline,
    pub(super) find_depths: wgpu::ComputePipeline,
}

/// An open device.
#[derive(Debug)]
pub(super) struct Gpu {
    pub(super) name: String,
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) kernels: Kernels,
    /// Most bytes of a buffer that a kernel may see.
    pub(super) binding_bytes_max: u64,
    /// What went wrong outside of any call that could have said so: out of memory, device lost.
    fault: Arc<Mutex<Option<String>>>,
}

impl Gpu {
    /// Opens the best device, with f64 where it has that.
    pub(super) fn open(adapters: Adapters) -> Result<Self, NoDevice> {
        Self::open_with(adapters, wgpu::Features::SHADER_F64)
    }

    /// Opens the best device, with those of the features that it has.
    pub(super) fn open_with(adapters: Adapters, features: wgpu::Features) -> Result<Self, NoDevice> {
        pollster::block_on(async {
            let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
            let found = instance.enumerate_adapters(wgpu::Backends::PRIMARY).await;
            let usable = found.into_iter().filter(|adapter| {
                adapters == Adapters::Any || adapter.get_info().device_type != wgpu::DeviceType::Cpu
            });
            let adapter = usable.min_by_key(rank).ok_or(NoDevice::NotFound)?;
            Self::of(&adapter, features).await
        })
    }

    async fn of(adapter: &wgpu::Adapter, features: wgpu::Features) -> Result<Self, NoDevice> {
        let info = adapter.get_info();
        let name = format!("{} ({})", info.name, info.backend);
        let required_features = adapter.features() & features;
        let limits = adapter.limits();
        let binding_bytes_max = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("sn17"),
            required_features,
            required_limits: limits,
            ..wgpu::DeviceDescriptor::default()
        };
        let opened = adapter.request_device(&descriptor).await;
        let (device, queue) =
            opened.map_err(|error| NoDevice::Refused { device: name.clone(), message: error.to_string() })?;
        let fault = Arc::new(Mutex::new(None));
        let note = |fault: &Arc<Mutex<Option<String>>>| {
            let fault = Arc::clone(fault);
            move |message: String| {
                fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(message);
            }
        };
        let (uncaptured, lost) = (note(&fault), note(&fault));
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| uncaptured(error.to_string())));
        device.set_device_lost_callback(move |reason, message| lost(format!("{reason:?} {message}")));
        let has_f64 = required_features.contains(wgpu::Features::SHADER_F64);
        let kernels = Kernels::compile(&device, if has_f64 { EXACT_F64 } else { EXACT_F32 });
        Ok(Self { name, device, queue, kernels, binding_bytes_max, fault })
    }

    /// A buffer that kernels read, with its content.
    pub(super) fn upload(&self, label: &str, bytes: &[u8]) -> wgpu::Buffer {
        self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some(label),
            contents: bytes,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::UNIFORM,
        })
    }

    /// A buffer of zeros that kernels write and that can be copied from.
    pub(super) fn buffer(&self, label: &str, bytes: u64) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: bytes.max(16),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        })
    }

    /// A buffer that the processor reads.
    pub(super) fn readback(&self, bytes: u64) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("readback"),
            size: bytes,
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        })
    }

    /// Submits commands and waits for their end.
    pub(super) fn finish(
        &self,
        encoder: wgpu::CommandEncoder,
        deadline: &Deadline<'_>,
    ) -> Result<(), RenderError> {
        self.queue.submit([encoder.finish()]);
        self.wait(deadline)
    }

    fn wait(&self, deadline: &Deadline<'_>) -> Result<(), RenderError> {
        let timeout = Some(deadline.at.saturating_duration_since(Instant::now()));
        let polled = self.device.poll(wgpu::PollType::Wait { submission_index: None, timeout });
        if let Some(fault) = self.fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(RenderError::Device(fault));
        }
        match polled {
            Ok(_) => Ok(()),
            Err(wgpu::PollError::Timeout) => Err(deadline.missed()),
            Err(error) => Err(RenderError::Device(error.to_string())),
        }
    }

    /// Reads a buffer made by [`Gpu::readback`], as words.
    pub(super) fn read(
        &self,
        buffer: &wgpu::Buffer,
        deadline: &Deadline<'_>,
    ) -> Result<Vec<u32>, RenderError> {
        // The wait tells of errors too, and the range below cannot be had then.
        buffer.map_async(wgpu::MapMode::Read, .., |_mapped| {});
        self.wait(deadline)?;
        let range = buffer.get_mapped_range(..).map_err(|error| RenderError::Device(error.to_string()))?;
        let words = range.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        Ok(words)
    }
}

impl Kernels {
    fn compile(device: &wgpu::Device, exact: &str) -> Self {
        let module = |label: &str, texts: &[&str]| {
            device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(label),
                source: wgpu::ShaderSource::Wgsl(texts.concat().into()),
            })
        };
        let project = module("project", &[PROJECTED, exact, PROJECT]);
        let sort = module("sort", &[BLOCKS, SORT]);
        let tiles = module("tiles", &[BLOCKS, TILES]);
        let blend = module("blend", &[PROJECTED, BLEND]);
        let pipeline_with = |module: &wgpu::ShaderModule, entry_point: &str, constants: &[(&str, f64)]| {
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(entry_point),
                layout: None,
                module,
                entry_point: Some(entry_point),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants,
                    ..wgpu::PipelineCompilationOptions::default()
                },
                cache: None,
            })
        };
        let pipeline =
            |module: &wgpu::ShaderModule, entry_point: &str| pipeline_with(module, entry_point, &[]);
        Self {
            project: pipeline(&project, "project"),
            count_digits: pipeline(&sort, "count_digits"),
            scan: pipeline(&sort, "scan"),
            scatter: pipeline(&sort, "scatter"),
            sum_blocks: pipeline(&tiles, "sum_blocks"),
            emit: pipeline(&tiles, "emit"),
            find_spans: pipeline(&tiles, "find_spans"),
            blend: pipeline(&blend, "blend"),
            find_depths: pipeline_with(&blend, "blend", &[("DEPTHS", 1.0)]),
        }
    }
}

/// Lower is better.
fn rank(adapter: &wgpu::Adapter) -> u8 {
    match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    }
}
