//! What is dispatched, over which buffers.

use std::ops::Range;

use super::camera_floats;
use super::{Deadline, device::Gpu};
use crate::{camera::Camera, render::RenderError};

/// Bytes of a projected splat.
pub(super) const PROJECTED_BYTES: u64 = 64;
/// Bits of a depth between the planes, less those of the near plane, and a value beyond all of them.
pub(super) const DEPTH_BITS: u32 = 28;
/// Edge of a tile in pixels, as the reference has it.
const TILE_EDGE: u32 = 16;
const _: () = assert!(crate::project::TILE_PX == TILE_EDGE as usize);
/// Elements that a workgroup sorts, and threads of those that take one each.
const BLOCK: u32 = 4096;
const PROJECT_THREADS: u32 = 256;
/// Bits that a pass of the sort looks at, and the values that these can have.
const DIGIT_BITS: u32 = 4;
const DIGITS: u32 = 1 << DIGIT_BITS;

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) enum Drawing {
    /// Colours over a background, and coverage.
    Pictures([f32; 3]),
    /// Depths of the surface.
    Depths,
}

/// Projected splats of some views, sorted by depth.
#[derive(Debug)]
pub(super) struct Projection {
    splats: u32,
    size_px: u32,
    projected: wgpu::Buffer,
    tiles: wgpu::Buffer,
    order: wgpu::Buffer,
    block_sums: wgpu::Buffer,
    /// Pairs of a splat and a tile in each view.
    pub(super) pairs: Vec<u32>,
}

/// Views that follow each other, whose pairs are listed together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    views: Range<u32>,
    /// Where the pairs of each view begin.
    bases: Vec<u32>,
    pairs: u32,
}

/// Where the views of a projection are drawn.
#[derive(Debug)]
pub(super) struct Pictures {
    drawing: Drawing,
    bytes: u64,
    pixels: wgpu::Buffer,
    second: wgpu::Buffer,
}

impl Batch {
    /// Cuts views into batches of at most so many pairs; a view alone may have more.
    pub(super) fn of(pairs: &[u32], pairs_max: u64) -> Vec<Self> {
        let mut batches: Vec<Self> = Vec::new();
        for (view, &found) in (0..).zip(pairs) {
            match batches.last_mut() {
                Some(last) if u64::from(last.pairs) + u64::from(found) <= pairs_max => {
                    last.views.end += 1;
                    last.bases.push(last.pairs);
                    last.pairs += found;
                }
                _ => batches.push(Self { views: view..view + 1, bases: vec![0], pairs: found }),
            }
        }
        batches
    }
}

impl Projection {
    /// Projects and sorts, and counts the tiles that are touched.
    pub(super) fn run(
        gpu: &Gpu,
        gaussians: &wgpu::Buffer,
        splats: u64,
        cameras: &[Camera],
        deadline: &Deadline<'_>,
    ) -> Result<Self, RenderError> {
        let views = cameras.len() as u64;
        let size_px = cameras.first().map_or(1, |camera| camera.size_px);
        let count = u32::try_from(splats).map_err(|_| RenderError::Device("too many splats".to_owned()))?;
        let view_count = u32::try_from(views).unwrap_or(u32::MAX);
        let words = |label: &str, each: u64| gpu.buffer(label, views * splats * each);
        let cameras: Vec<u8> = cameras.iter().flat_map(camera_floats).flat_map(f32::to_le_bytes).collect();
        let cameras = gpu.upload("cameras", &cameras);
        let projected = words("projected", PROJECTED_BYTES);
        let tiles = words("tiles", 8);
        let keys = [words("depths", 4), words("depths", 4)];
        let order = [words("order", 4), words("order", 4)];
        let blocks = count.div_ceil(BLOCK);
        let block_sums = gpu.buffer("block sums", views * u64::from(blocks) * 4);
        let totals = gpu.buffer("totals", views * 4);

        let mut commands = Commands::new(gpu);
        let uniform = uniform(gpu, &[count, 0, 0, 0]);
        let groups = [count.div_ceil(PROJECT_THREADS), view_count];
        let bound = [&uniform, &cameras, gaussians, &projected, &tiles, &keys[0], &order[0]];
        commands.dispatch(&gpu.kernels.project, &numbered(&bound), groups);
        let sorted = commands.sort(&keys, &order, count, view_count, DEPTH_BITS);
        let work = work(gpu, [count, blocks, size_px.div_ceil(TILE_EDGE), 0, 0]);
        let bound = [&work, &tiles, &order[sorted], &block_sums];
        commands.dispatch(&gpu.kernels.sum_blocks, &numbered(&bound), [blocks, view_count]);
        commands.scan(&block_sums, &totals, blocks, view_count);
        let readback = gpu.readback(views * 4);
        commands.encoder.copy_buffer_to_buffer(&totals, 0, &readback, 0, views * 4);
        gpu.finish(commands.encoder, deadline)?;
        let pairs = gpu.read(&readback, deadline)?;
        let [first, second] = order;
        let order = if sorted == 0 { first } else { second };
        Ok(Self { splats: count, size_px, projected, tiles, order, block_sums, pairs })
    }

    /// Room for the views.
    pub(super) fn pictures(&self, gpu: &Gpu, drawing: Drawing) -> Pictures {
        let bytes = self.pairs.len() as u64 * u64::from(self.size_px) * u64::from(self.size_px) * 4;
        let pixels = match drawing {
            Drawing::Pictures(_) => bytes,
            Drawing::Depths => 4,
        };
        let (pixels, second) = (gpu.buffer("pixels", pixels), gpu.buffer("second", bytes));
        Pictures { drawing, bytes, pixels, second }
    }

    /// Lists the splats of every tile of some views and blends them.
    pub(super) fn blend(
        &self,
        gpu: &Gpu,
        batch: &Batch,
        pictures: &Pictures,
        deadline: &Deadline<'_>,
    ) -> Result<(), RenderError> {
        let across = self.size_px.div_ceil(TILE_EDGE);
        let view_count = batch.views.end - batch.views.start;
        let tile_count = u64::from(across) * u64::from(across) * u64::from(view_count);
        let words = |label: &str| gpu.buffer(label, u64::from(batch.pairs) * 4);
        let keys = [words("pair keys"), words("pair keys")];
        let values = [words("pair values"), words("pair values")];
        let spans = gpu.buffer("spans", tile_count * 8);
        let bases: Vec<u8> = batch.bases.iter().flat_map(|base| base.to_le_bytes()).collect();
        let bases = gpu.upload("bases", &bases);

        let blocks = self.splats.div_ceil(BLOCK);
        let work = work(gpu, [self.splats, blocks, across, batch.views.start, batch.pairs]);
        let mut commands = Commands::new(gpu);
        let mut sorted = 0;
        if batch.pairs > 0 {
            let bound = [&work, &self.tiles, &self.order, &self.block_sums, &bases, &keys[0], &values[0]];
            commands.dispatch(&gpu.kernels.emit, &numbered(&bound), [blocks, view_count]);
            let bits = u64::BITS - (tile_count - 1).leading_zeros();
            sorted = commands.sort(&keys, &values, batch.pairs, 1, bits);
            let bound = [(0, &work), (5, &keys[sorted]), (7, &spans)];
            commands.dispatch(&gpu.kernels.find_spans, &bound, [batch.pairs.div_ceil(BLOCK), 1]);
        }
        let background = match pictures.drawing {
            Drawing::Pictures(background) => background,
            Drawing::Depths => [0.0; 3],
        };
        let [red, green, blue] = background.map(f32::to_bits);
        let infinity = f32::INFINITY.to_bits();
        let picture = [red, green, blue, 0, self.size_px, across, batch.views.start, infinity];
        let picture = uniform(gpu, &picture);
        let all = [
            (0, &picture),
            (1, &self.projected),
            (2, &values[sorted]),
            (3, &spans),
            (4, &pictures.pixels),
            (5, &pictures.second),
        ];
        let groups = [across * across, view_count];
        let kernel = match pictures.drawing {
            Drawing::Pictures(_) => &gpu.kernels.blend,
            Drawing::Depths => &gpu.kernels.find_depths,
        };
        commands.dispatch(kernel, &all, groups);
        gpu.finish(commands.encoder, deadline)
    }
}

impl Pictures {
    /// The words of both pictures; those of the first are empty where only depths are drawn.
    pub(super) fn read(&self, gpu: &Gpu, deadline: &Deadline<'_>) -> Result<[Vec<u32>; 2], RenderError> {
        let wanted = match self.drawing {
            Drawing::Pictures(_) => [Some(&self.pixels), Some(&self.second)],
            Drawing::Depths => [None, Some(&self.second)],
        };
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let copies = wanted.map(|buffer| {
            buffer.map(|buffer| {
                let readback = gpu.readback(self.bytes);
                encoder.copy_buffer_to_buffer(buffer, 0, &readback, 0, self.bytes);
                readback
            })
        });
        gpu.queue.submit([encoder.finish()]);
        let mut read = [Vec::new(), Vec::new()];
        for (words, copy) in read.iter_mut().zip(&copies) {
            if let Some(copy) = copy {
                *words = gpu.read(copy, deadline)?;
            }
        }
        Ok(read)
    }
}

/// Commands on their way to the device.
struct Commands<'a> {
    gpu: &'a Gpu,
    encoder: wgpu::CommandEncoder,
}

impl<'a> Commands<'a> {
    fn new(gpu: &'a Gpu) -> Self {
        let encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        Self { gpu, encoder }
    }

    fn dispatch(
        &mut self,
        kernel: &wgpu::ComputePipeline,
        buffers: &[(u32, &wgpu::Buffer)],
        groups: [u32; 2],
    ) {
        let entries: Vec<_> = buffers
            .iter()
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding: *binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        let bound = self.gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &kernel.get_bind_group_layout(0),
            entries: &entries,
        });
        let mut pass = self.encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(kernel);
        pass.set_bind_group(0, &bound, &[]);
        pass.dispatch_workgroups(groups[0], groups[1], 1);
    }

    /// Sorts the keys of each segment with their values; returns which of the two buffers they are in at the end.
    fn sort(
        &mut self,
        keys: &[wgpu::Buffer; 2],
        values: &[wgpu::Buffer; 2],
        count: u32,
        segments: u32,
        bits: u32,
    ) -> usize {
        let blocks = count.div_ceil(BLOCK);
        let sums =
            self.gpu.buffer("digit sums", u64::from(segments) * u64::from(DIGITS) * u64::from(blocks) * 4);
        let totals = self.gpu.buffer("digit totals", u64::from(segments) * 4);
        let kernels = &self.gpu.kernels;
        let mut from = 0;
        for shift in (0..bits).step_by(DIGIT_BITS as usize) {
            let pass = uniform(self.gpu, &[count, blocks, shift, 0]);
            let bound = [(0, &pass), (1, &keys[from]), (2, &sums)];
            self.dispatch(&kernels.count_digits, &bound, [blocks, segments]);
            self.scan(&sums, &totals, DIGITS * blocks, segments);
            let to = 1 - from;
            let bound = [&pass, &keys[from], &sums, &values[from], &keys[to], &values[to]];
            self.dispatch(&kernels.scatter, &numbered(&bound), [blocks, segments]);
            from = to;
        }
        from
    }

    fn scan(&mut self, sums: &wgpu::Buffer, totals: &wgpu::Buffer, scanned: u32, segments: u32) {
        let pass = uniform(self.gpu, &[0, 0, 0, scanned]);
        let bound = [(0, &pass), (2, sums), (6, totals)];
        self.dispatch(&self.gpu.kernels.scan, &bound, [1, segments]);
    }
}

/// Buffers bound from 0 on.
fn numbered<'a>(buffers: &[&'a wgpu::Buffer]) -> Vec<(u32, &'a wgpu::Buffer)> {
    (0..).zip(buffers.iter().copied()).collect()
}

fn uniform(gpu: &Gpu, words: &[u32]) -> wgpu::Buffer {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    gpu.upload("numbers", &bytes)
}

/// The numbers of the kernels in `tiles.wgsl`, padded to the size of their struct.
fn work(gpu: &Gpu, [splats, blocks, across, first_view, pairs]: [u32; 5]) -> wgpu::Buffer {
    uniform(gpu, &[splats, blocks, across, first_view, pairs, 0, 0, 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_as_many_views_as_fit() {
        let cut = |pairs_max| -> Vec<(Range<u32>, Vec<u32>, u32)> {
            let batches = Batch::of(&[5, 3, 0, 9, 1], pairs_max);
            batches.into_iter().map(|batch| (batch.views, batch.bases, batch.pairs)).collect()
        };
        assert_eq!(cut(100), [(0..5, vec![0, 5, 8, 8, 17], 18)]);
        assert_eq!(cut(8), [(0..3, vec![0, 5, 8], 8), (3..4, vec![0], 9), (4..5, vec![0], 1)]);
    }
}
