// A stable radix sort of keys with values, four bits a pass, and the prefix sums that it needs.
//
// Each of the `y` workgroups of a dispatch sorts a segment of its own. `blocks.wgsl` is put in front of this text.

const DIGITS: u32 = 16u;

struct Pass {
    // Elements in a segment.
    count: u32,
    // Blocks in a segment.
    blocks: u32,
    // Lowest bit of the digit.
    shift: u32,
    // Numbers to scan in a segment.
    scanned: u32,
}

@group(0) @binding(0) var<uniform> pass_: Pass;
@group(0) @binding(1) var<storage, read> keys: array<u32>;
@group(0) @binding(2) var<storage, read_write> sums: array<u32>;
@group(0) @binding(3) var<storage, read> values: array<u32>;
@group(0) @binding(4) var<storage, read_write> sorted_keys: array<u32>;
@group(0) @binding(5) var<storage, read_write> sorted_values: array<u32>;
@group(0) @binding(6) var<storage, read_write> totals: array<u32>;

var<workgroup> histogram: array<atomic<u32>, DIGITS>;
// Column t holds the counts of thread t; one row a digit.
var<workgroup> counts: array<u32, 2048>;

// Counts the digits of a block.
@compute @workgroup_size(THREADS)
fn count_digits(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    if thread < DIGITS {
        atomicStore(&histogram[thread], 0u);
    }
    workgroupBarrier();
    let segment = group.y * pass_.count;
    for (var step = 0u; step < EACH; step++) {
        let at = group.x * BLOCK + step * THREADS + thread;
        if at < pass_.count {
            atomicAdd(&histogram[(keys[segment + at] >> pass_.shift) & (DIGITS - 1u)], 1u);
        }
    }
    workgroupBarrier();
    if thread < DIGITS {
        sums[(group.y * DIGITS + thread) * pass_.blocks + group.x] = atomicLoad(&histogram[thread]);
    }
}

// Turns the numbers of a segment into the sums of those before them.
@compute @workgroup_size(THREADS)
fn scan(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let each = (pass_.scanned + THREADS - 1u) / THREADS;
    let first = group.y * pass_.scanned + min(thread * each, pass_.scanned);
    let end = group.y * pass_.scanned + min((thread + 1u) * each, pass_.scanned);
    var sum = 0u;
    for (var at = first; at < end; at++) {
        sum = capped_sum(sum, sums[at]);
    }
    partial[thread] = sum;
    workgroupBarrier();
    var before = 0u;
    for (var other = 0u; other < thread; other++) {
        before = capped_sum(before, partial[other]);
    }
    for (var at = first; at < end; at++) {
        let number = sums[at];
        sums[at] = before;
        before = capped_sum(before, number);
    }
    if thread == THREADS - 1u {
        totals[group.y] = before;
    }
}

// Moves the elements of a block to their places.
@compute @workgroup_size(THREADS)
fn scatter(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let segment = group.y * pass_.count;
    let first = group.x * BLOCK + thread * EACH;
    for (var digit = 0u; digit < DIGITS; digit++) {
        counts[digit * THREADS + thread] = 0u;
    }
    for (var at = first; at < min(first + EACH, pass_.count); at++) {
        let digit = (keys[segment + at] >> pass_.shift) & (DIGITS - 1u);
        counts[digit * THREADS + thread] += 1u;
    }
    workgroupBarrier();
    // Eight threads a digit, each for sixteen columns.
    let row = thread / 8u * THREADS;
    let columns = row + thread % 8u * 16u;
    var sum = 0u;
    for (var column = columns; column < columns + 16u; column++) {
        sum += counts[column];
    }
    partial[thread] = sum;
    workgroupBarrier();
    var place = sums[(group.y * DIGITS + thread / 8u) * pass_.blocks + group.x];
    for (var other = thread / 8u * 8u; other < thread; other++) {
        place += partial[other];
    }
    for (var column = columns; column < columns + 16u; column++) {
        let number = counts[column];
        counts[column] = place;
        place += number;
    }
    workgroupBarrier();
    for (var at = first; at < min(first + EACH, pass_.count); at++) {
        let key = keys[segment + at];
        let column = ((key >> pass_.shift) & (DIGITS - 1u)) * THREADS + thread;
        let to = segment + counts[column];
        counts[column] += 1u;
        sorted_keys[to] = key;
        sorted_values[to] = values[segment + at];
    }
}
