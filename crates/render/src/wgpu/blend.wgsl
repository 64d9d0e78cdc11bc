// Front-to-back blending, as `composite.rs` and `surface.rs` do it: a thread a pixel, a workgroup a tile.

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

// The pixel of a thread.
struct Pixel {
    is_in_picture: bool,
    // Its centre.
    x: f32,
    y: f32,
    // The list of its tile.
    span: vec2<u32>,
    // Its place in what is written.
    to: u32,
}

fn pixel_of(group: vec3<u32>, local: vec3<u32>) -> Pixel {
    let column = group.x % picture.across * 16u + local.x;
    let row = group.x / picture.across * 16u + local.y;
    return Pixel(
        column < picture.size && row < picture.size,
        f32(column) + 0.5,
        f32(row) + 0.5,
        spans[group.y * picture.across * picture.across + group.x],
        ((picture.first_view + group.y) * picture.size + row) * picture.size + column,
    );
}

// What a splat hides of a pixel, not capped; 0 where that is too little to be drawn.
fn alpha_at(splat: Projected, pixel: Pixel) -> f32 {
    let sigma = sigma_at(splat, pixel.x, pixel.y);
    if !(sigma >= 0.0 && sigma <= splat.b.w) {
        return 0.0;
    }
    let alpha = splat.b.y * falloff(-sigma);
    return select(0.0, alpha, alpha >= ALPHA_FLOOR);
}

@compute @workgroup_size(16, 16)
fn blend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let pixel = pixel_of(group, local);
    if !pixel.is_in_picture {
        return;
    }
    var light = 1.0;
    var color = vec3<f32>(0.0);
    for (var at = pixel.span.x; at < pixel.span.y; at++) {
        let splat = projected[pair_values[at]];
        let alpha = min(alpha_at(splat, pixel), ALPHA_CAP);
        if alpha == 0.0 {
            continue;
        }
        let behind = light * (1.0 - alpha);
        if behind <= TRANSMITTANCE_STOP {
            break;
        }
        color += splat.color.xyz * (alpha * light);
        light = behind;
    }
    let shown = color + light * picture.background.xyz;
    pixels[pixel.to] = byte(shown.x) | (byte(shown.y) << 8u) | (byte(shown.z) << 16u);
    second[pixel.to] = bitcast<u32>(1.0 - light);
}

@compute @workgroup_size(16, 16)
fn find_depths(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let pixel = pixel_of(group, local);
    if !pixel.is_in_picture {
        return;
    }
    var light = 1.0;
    var depth = picture.infinity;
    for (var at = pixel.span.x; at < pixel.span.y; at++) {
        let splat = projected[pair_values[at]];
        light *= 1.0 - alpha_at(splat, pixel);
        if light < LIGHT_BEHIND {
            depth = bitcast<u32>(splat.b.z);
            break;
        }
    }
    second[pixel.to] = depth;
}
