// Front-to-back blending, as `composite.rs` and `surface.rs` do it: a thread a pixel, a workgroup a tile.
// `projected.wgsl` is put in front of this text.

const ALPHA_CAP: f32 = 0.999;
const TRANSMITTANCE_STOP: f32 = 1e-4;
const LIGHT_BEHIND: f32 = 0.5;

struct Picture {
    background: vec4<f32>,
    size: u32,
    // Tiles across a view.
    across: u32,
    // First view of this batch.
    first_view: u32,
    // What a pixel without a surface gets: infinity, which the language cannot write.
    infinity: u32,
}

@group(0) @binding(0) var<uniform> picture: Picture;
@group(0) @binding(1) var<storage, read> projected: array<Projected>;
@group(0) @binding(2) var<storage, read> pair_values: array<u32>;
@group(0) @binding(3) var<storage, read> spans: array<vec2<u32>>;
// Red, green, blue in the low bytes.
@group(0) @binding(4) var<storage, read_write> pixels: array<u32>;
// Coverage, or depths.
@group(0) @binding(5) var<storage, read_write> second: array<u32>;

// The same polynomial as the reference's. Adding and subtracting a large number would round as well, and may be compiled
// to nothing.
fn falloff(argument: f32) -> f32 {
    let x = max(argument, -80.0);
    let whole = round(x * 1.4426950408889634);
    let rest = x - whole * 0.6933594 - whole * -2.1219444e-4;
    var series = 1.0 / 5040.0;
    series = series * rest + 1.0 / 720.0;
    series = series * rest + 1.0 / 120.0;
    series = series * rest + 1.0 / 24.0;
    series = series * rest + 1.0 / 6.0;
    series = series * rest + 0.5;
    series = series * rest + 1.0;
    series = series * rest + 1.0;
    return series * bitcast<f32>(u32(i32(whole) + 127) << 23u);
}

fn sigma_at(splat: Projected, x: f32, y: f32) -> f32 {
    let dx = splat.a.x - x;
    let dy = splat.a.y - y;
    return 0.5 * (splat.a.z * dx * dx + splat.b.x * dy * dy) + splat.a.w * dx * dy;
}

fn byte(light: f32) -> u32 {
    return u32(clamp(light, 0.0, 1.0) * 255.0);
}

// Splats that are looked at together.
const BATCH: u32 = 32u;
// Half a row of a tile. All pixels of a strip go through the same splats.
const STRIP_PX: f32 = 8.0;
// After so many batches a workgroup looks whether any of its pixels is still open.
const CHECK_EVERY: u32 = 4u;

// Depths instead of colours and coverage.
override DEPTHS: bool = false;

// Which splats of a batch each strip can see, a bit each. Three batches take turns: while one is read, the next may be
// written, and the one after it is cleared.
var<workgroup> seen: array<atomic<u32>, 96>;
var<workgroup> is_any_open: u32;

// Marks a splat in the strips of two rows of a tile, whose first pixel is at (left, top) and first strip at `first_strip`.
fn mark(splat: Projected, bit: u32, rows: u32, left: f32, top: f32, first_strip: u32) {
    for (var row = rows; row < rows + 2u; row++) {
        let dy = splat.a.y - (top + f32(row) + 0.5);
        if abs(dy) > splat.reach.x {
            continue;
        }
        let middle = splat.a.x - splat.reach.y * dy - left;
        let half = sqrt(max(splat.reach.z - splat.reach.w * dy * dy, 0.0)) + SLACK_PX + 0.5;
        if middle - half <= STRIP_PX && middle + half >= 0.0 {
            atomicOr(&seen[first_strip + row * 2u], bit);
        }
        if middle - half <= 2.0 * STRIP_PX && middle + half >= STRIP_PX {
            atomicOr(&seen[first_strip + row * 2u + 1u], bit);
        }
    }
}

// What a splat hides of a pixel, not capped; 0 where that is too little to be drawn.
fn alpha_at(splat: Projected, x: f32, y: f32) -> f32 {
    let sigma = sigma_at(splat, x, y);
    if !(sigma >= 0.0 && sigma <= splat.b.w) {
        return 0.0;
    }
    let alpha = splat.b.y * falloff(-sigma);
    return select(0.0, alpha, alpha >= ALPHA_FLOOR);
}

@compute @workgroup_size(256)
fn blend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let left = group.x % picture.across * 16u;
    let top = group.x / picture.across * 16u;
    let column = left + thread % 16u;
    let row = top + thread / 16u;
    let x = f32(column) + 0.5;
    let y = f32(row) + 0.5;
    let is_in_picture = column < picture.size && row < picture.size;
    let span = spans[group.y * picture.across * picture.across + group.x];

    var is_open = is_in_picture;
    var light = 1.0;
    var color = vec3<f32>(0.0);
    var depth = picture.infinity;
    if thread < 96u {
        atomicStore(&seen[thread], 0u);
    }
    workgroupBarrier();
    var turn = 0u;
    for (var first = span.x; first < span.y; first += BATCH) {
        let own = first + thread % BATCH;
        if own < span.y {
            mark(
                projected[pair_values[own]], 1u << (thread % BATCH), thread / BATCH * 2u,
                f32(left), f32(top), turn % 3u * 32u,
            );
        }
        workgroupBarrier();
        if thread < 32u {
            atomicStore(&seen[(turn + 2u) % 3u * 32u + thread], 0u);
        }
        var remaining = select(0u, atomicLoad(&seen[turn % 3u * 32u + thread / 8u]), is_open);
        while remaining != 0u {
            let splat = projected[pair_values[first + firstTrailingBit(remaining)]];
            remaining &= remaining - 1u;
            let alpha = alpha_at(splat, x, y);
            if DEPTHS {
                light *= 1.0 - alpha;
                if light < LIGHT_BEHIND {
                    depth = bitcast<u32>(splat.b.z);
                    is_open = false;
                    remaining = 0u;
                }
            } else if alpha > 0.0 {
                let capped = min(alpha, ALPHA_CAP);
                let behind = light * (1.0 - capped);
                if behind <= TRANSMITTANCE_STOP {
                    is_open = false;
                    remaining = 0u;
                } else {
                    color += splat.color.xyz * (capped * light);
                    light = behind;
                }
            }
        }
        turn++;
        if turn % CHECK_EVERY == 0u {
            if thread == 0u {
                is_any_open = 0u;
            }
            workgroupBarrier();
            if is_open {
                is_any_open = 1u;
            }
            if workgroupUniformLoad(&is_any_open) == 0u {
                break;
            }
        }
    }
    if !is_in_picture {
        return;
    }
    let to = ((picture.first_view + group.y) * picture.size + row) * picture.size + column;
    if DEPTHS {
        second[to] = depth;
        return;
    }
    let shown = color + light * picture.background.xyz;
    pixels[to] = byte(shown.x) | (byte(shown.y) << 8u) | (byte(shown.z) << 16u);
    second[to] = bitcast<u32>(1.0 - light);
}
