// From splats sorted by depth to the list of each tile. `blocks.wgsl` is put in front of this text.

struct Work {
    // Splats in a view.
    splats: u32,
    // Blocks of splats in a view.
    blocks: u32,
    // Tiles across a view.
    across: u32,
    // First view of this batch.
    first_view: u32,
    // Pairs of this batch.
    pairs: u32,
    padding_a: u32,
    padding_b: u32,
    padding_c: u32,
}

@group(0) @binding(0) var<uniform> work: Work;
@group(0) @binding(1) var<storage, read> tiles: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> sums: array<u32>;
// Where the pairs of each view of the batch begin.
@group(0) @binding(4) var<storage, read> bases: array<u32>;
@group(0) @binding(5) var<storage, read_write> pair_keys: array<u32>;
@group(0) @binding(6) var<storage, read_write> pair_values: array<u32>;
@group(0) @binding(7) var<storage, read_write> spans: array<vec2<u32>>;

fn area(rect: vec2<u32>) -> u32 {
    return ((rect.x >> 16u) - (rect.x & 0xffffu)) * ((rect.y >> 16u) - (rect.y & 0xffffu));
}

// Adds up how many tiles the splats of a thread touch.
fn sum_of(view: u32, first: u32) -> u32 {
    var sum = 0u;
    for (var at = first; at < min(first + EACH, work.splats); at++) {
        sum = capped_sum(sum, area(tiles[view * work.splats + order[view * work.splats + at]]));
    }
    return sum;
}

@compute @workgroup_size(THREADS)
fn sum_blocks(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    partial[thread] = sum_of(group.y, group.x * BLOCK + thread * EACH);
    workgroupBarrier();
    if thread == 0u {
        var sum = 0u;
        for (var other = 0u; other < THREADS; other++) {
            sum = capped_sum(sum, partial[other]);
        }
        sums[group.y * work.blocks + group.x] = sum;
    }
}

// Writes a pair for each tile that a splat touches, in the order of depth.
@compute @workgroup_size(THREADS)
fn emit(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let view = work.first_view + group.y;
    let first = group.x * BLOCK + thread * EACH;
    partial[thread] = sum_of(view, first);
    workgroupBarrier();
    var to = bases[group.y] + sums[view * work.blocks + group.x];
    for (var other = 0u; other < thread; other++) {
        to += partial[other];
    }
    let tiles_each = work.across * work.across;
    for (var at = first; at < min(first + EACH, work.splats); at++) {
        let splat = view * work.splats + order[view * work.splats + at];
        let rect = tiles[splat];
        for (var row = rect.y & 0xffffu; row < (rect.y >> 16u); row++) {
            for (var column = rect.x & 0xffffu; column < (rect.x >> 16u); column++) {
                pair_keys[to] = group.y * tiles_each + row * work.across + column;
                pair_values[to] = splat;
                to++;
            }
        }
    }
}

// Finds where the list of each tile begins and ends, once the pairs are sorted.
@compute @workgroup_size(THREADS)
fn find_spans(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    for (var step = 0u; step < EACH; step++) {
        let at = group.x * BLOCK + step * THREADS + thread;
        if at >= work.pairs {
            return;
        }
        let key = pair_keys[at];
        if at == 0u || pair_keys[at - 1u] != key {
            spans[key].x = at;
        }
        if at + 1u == work.pairs || pair_keys[at + 1u] != key {
            spans[key].y = at + 1u;
        }
    }
}
