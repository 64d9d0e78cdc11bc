// Projection of every Gaussian to every view, as `project.rs` does it; `projected.wgsl` and a text that depends on the
// device's precision are put in front of this one.

const BLUR_PX2: f32 = 0.3;
const EXTENT_SIGMAS: f32 = 3.33;
const TILE_PX: f32 = 16.0;

struct Camera {
    right: vec4<f32>,
    down: vec4<f32>,
    forward: vec4<f32>,
    // Focal length, principal point, size, near plane.
    lens: vec4<f32>,
    // Far plane and, as bits, the key of hidden splats.
    rest: vec4<f32>,
}

@group(0) @binding(0) var<uniform> count: vec4<u32>;
@group(0) @binding(1) var<storage, read> cameras: array<Camera>;
// 14 numbers a Gaussian: mean, covariance, opacity, colour, ln(255 opacity).
@group(0) @binding(2) var<storage, read> gaussians: array<f32>;
@group(0) @binding(3) var<storage, read_write> projected: array<Projected>;
// Columns and rows of tiles, each first | end << 16.
@group(0) @binding(4) var<storage, read_write> tiles: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read_write> keys: array<u32>;
@group(0) @binding(6) var<storage, read_write> order: array<u32>;

// Comparisons may be compiled as if there were no NaN, bits may not.
fn finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn range(center: f32, radius: f32, tile_count: f32) -> u32 {
    let middle = center / TILE_PX;
    let half = radius / TILE_PX;
    let first = u32(clamp(floor(middle - half), 0.0, tile_count));
    let end = u32(clamp(ceil(middle + half), 0.0, tile_count));
    return first | (end << 16u);
}

@compute @workgroup_size(256)
fn project(@builtin(global_invocation_id) id: vec3<u32>) {
    let splats = count.x;
    let number = id.x;
    if number >= splats {
        return;
    }
    let at = id.y * splats + number;
    let camera = cameras[id.y];
    order[at] = number;
    keys[at] = bitcast<u32>(camera.rest.y);
    tiles[at] = vec2<u32>(0u, 0u);

    let from_ = number * 14u;
    let mean = vec3<f32>(gaussians[from_], gaussians[from_ + 1u], gaussians[from_ + 2u]);
    let opacity = gaussians[from_ + 9u];
    let color = vec3<f32>(gaussians[from_ + 10u], gaussians[from_ + 11u], gaussians[from_ + 12u]);
    let log_opacity = gaussians[from_ + 13u];
    let x = fused(camera.right.z, mean.z, fused(camera.right.y, mean.y, camera.right.x * mean.x)) + camera.right.w;
    let y = fused(camera.down.z, mean.z, fused(camera.down.y, mean.y, camera.down.x * mean.x)) + camera.down.w;
    let z = fused(camera.forward.z, mean.z, fused(camera.forward.y, mean.y, camera.forward.x * mean.x))
        + camera.forward.w;
    if !finite(z) || !finite(opacity) || !finite(x) || !finite(y) {
        return;
    }
    let focal = camera.lens.x;
    let principal = camera.lens.y;
    let size = camera.lens.z;
    if !(z >= camera.lens.w && z <= camera.rest.x && opacity >= ALPHA_FLOOR) {
        return;
    }

    let margin = 0.3 * (0.5 * size / focal);
    let limit_low = -(principal / focal + margin);
    let limit_high = (size - principal) / focal + margin;
    let inverse_z = 1.0 / z;
    let clamped_x = z * min(max(x * inverse_z, limit_low), limit_high);
    let clamped_y = z * min(max(y * inverse_z, limit_low), limit_high);
    let scale = focal * inverse_z;
    let shear_x = -focal * clamped_x * inverse_z * inverse_z;
    let shear_y = -focal * clamped_y * inverse_z * inverse_z;
    let row_x = scale * camera.right.xyz + shear_x * camera.forward.xyz;
    let row_y = scale * camera.down.xyz + shear_y * camera.forward.xyz;
    let cxx = gaussians[from_ + 3u];
    let cxy = gaussians[from_ + 4u];
    let cxz = gaussians[from_ + 5u];
    let cyy = gaussians[from_ + 6u];
    let cyz = gaussians[from_ + 7u];
    let czz = gaussians[from_ + 8u];
    let half_x = vec3<f32>(
        cxx * row_x.x + cxy * row_x.y + cxz * row_x.z,
        cxy * row_x.x + cyy * row_x.y + cyz * row_x.z,
        cxz * row_x.x + cyz * row_x.y + czz * row_x.z,
    );
    let half_y = vec3<f32>(
        cxx * row_y.x + cxy * row_y.y + cxz * row_y.z,
        cxy * row_y.x + cyy * row_y.y + cyz * row_y.z,
        cxz * row_y.x + cyz * row_y.y + czz * row_y.z,
    );
    let xx = row_x.x * half_x.x + row_x.y * half_x.y + row_x.z * half_x.z + BLUR_PX2;
    let xy = row_x.x * half_y.x + row_x.y * half_y.y + row_x.z * half_y.z;
    let yy = row_y.x * half_y.x + row_y.y * half_y.y + row_y.z * half_y.z + BLUR_PX2;
    let determinant = fused(xx, yy, -(xy * xy));
    if !finite(determinant) || !(determinant > 0.0) {
        return;
    }

    let cut_off = min(EXTENT_SIGMAS, sqrt(2.0 * log_opacity));
    let radius = vec2<f32>(ceil(cut_off * sqrt(xx)), ceil(cut_off * sqrt(yy)));
    if is_nan(radius.x) || is_nan(radius.y) || (radius.x <= 0.0 && radius.y <= 0.0) {
        return;
    }
    let center = vec2<f32>(focal * x * inverse_z + principal, focal * y * inverse_z + principal);
    let conic = vec3<f32>(yy / determinant, -xy / determinant, xx / determinant);
    if !(finite(center.x) && finite(center.y) && finite(conic.x) && finite(conic.y) && finite(conic.z)
        && finite(color.x) && finite(color.y) && finite(color.z)) {
        return;
    }
    if !(center.x + radius.x > 0.0 && center.x - radius.x < size
        && center.y + radius.y > 0.0 && center.y - radius.y < size) {
        return;
    }
    let tile_count = ceil(size / TILE_PX);
    projected[at] = Projected(
        vec4<f32>(center, conic.xy),
        // A little more than where the opacity falls below the floor, for the rounding of sigma.
        vec4<f32>(conic.z, opacity, z, log_opacity + 0.01),
        vec4<f32>(color, 0.0),
        reach_of(conic, log_opacity, center),
    );
    tiles[at] = vec2<u32>(range(center.x, radius.x, tile_count), range(center.y, radius.y, tile_count));
    keys[at] = bitcast<u32>(z) - bitcast<u32>(camera.lens.w);
}
