// What must be exact, as far as f32 goes.

// a * b + c; not every device rounds it once.
fn fused(a: f32, b: f32, c: f32) -> f32 {
    return fma(a, b, c);
}

// The reach of a splat, wider than by way of f64; needles are taken to reach everywhere.
fn reach_of(conic: vec3<f32>, log_opacity: f32, center: vec2<f32>) -> vec4<f32> {
    let determinant = conic.x * conic.z - conic.y * conic.y;
    if !(determinant > 0.01 * conic.x * conic.z) || max(abs(center.x), abs(center.y)) > CENTER_PX_MAX {
        return EVERYWHERE;
    }
    let sigma_bound = log_opacity + 0.1;
    return vec4<f32>(
        sqrt(2.0 * sigma_bound * conic.x / determinant) + SLACK_PX,
        -conic.y / conic.x,
        2.0 * sigma_bound / conic.x,
        // Rounding may have made it larger than it is.
        0.999 * determinant / (conic.x * conic.x),
    );
}
