// Front-to-back blending, as `composite.rs` and `surface.rs` do it: a thread a pixel, a workgroup a tile.

const ALPHA_CAP: f32 = 0.999;
const ALPHA_FLOOR: f32 = 1.0 / 255.0;
const TRANSMITTANCE_STOP: f32 = 1e-4;
const LIGHT_BEHIND: f32 = 0.5;

struct Projected {
    a: vec4<f32>,
    b: vec4<f32>,
    color: vec4<f32>,
}

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

@compute @workgroup_size(16, 16)
fn blend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let column = group.x % picture.across * 16u + local.x;
    let row = group.x / picture.across * 16u + local.y;
    if column >= picture.size || row >= picture.size {
        return;
    }
    let span = spans[group.y * picture.across * picture.across + group.x];
    let x = f32(column) + 0.5;
    let y = f32(row) + 0.5;
    var light = 1.0;
    var color = vec3<f32>(0.0);
    for (var at = span.x; at < span.y; at++) {
        let splat = projected[pair_values[at]];
        let sigma = sigma_at(splat, x, y);
        if !(sigma >= 0.0 && sigma <= splat.b.w) {
            continue;
        }
        let alpha = min(splat.b.y * falloff(-sigma), ALPHA_CAP);
        if alpha < ALPHA_FLOOR {
            continue;
        }
        let behind = light * (1.0 - alpha);
        if behind <= TRANSMITTANCE_STOP {
            break;
        }
        color += splat.color.xyz * (alpha * light);
        light = behind;
    }
    let to = ((picture.first_view + group.y) * picture.size + row) * picture.size + column;
    let shown = color + light * picture.background.xyz;
    pixels[to] = byte(shown.x) | (byte(shown.y) << 8u) | (byte(shown.z) << 16u);
    second[to] = bitcast<u32>(1.0 - light);
}

@compute @workgroup_size(16, 16)
fn find_depths(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let column = group.x % picture.across * 16u + local.x;
    let row = group.x / picture.across * 16u + local.y;
    if column >= picture.size || row >= picture.size {
        return;
    }
    let span = spans[group.y * picture.across * picture.across + group.x];
    let x = f32(column) + 0.5;
    let y = f32(row) + 0.5;
    var light = 1.0;
    var depth = picture.infinity;
    for (var at = span.x; at < span.y; at++) {
        let splat = projected[pair_values[at]];
        let sigma = sigma_at(splat, x, y);
        if !(sigma >= 0.0 && sigma <= splat.b.w) {
            continue;
        }
        let alpha = splat.b.y * falloff(-sigma);
        if alpha < ALPHA_FLOOR {
            continue;
        }
        light *= 1.0 - alpha;
        if light < LIGHT_BEHIND {
            depth = bitcast<u32>(splat.b.z);
            break;
        }
    }
    second[((picture.first_view + group.y) * picture.size + row) * picture.size + column] = depth;
}
