// What must be exact, by way of f64, as the reference has it.

// a * b + c rounded once.
fn fused(a: f32, b: f32, c: f32) -> f32 {
    return f32(f64(a) * f64(b) + f64(c));
}

// The reach of a splat, as `reach` of `project.rs` finds it.
fn reach_of(conic: vec3<f32>, log_opacity: f32, center: vec2<f32>) -> vec4<f32> {
    let xx = f64(conic.x);
    let xy = f64(conic.y);
    let yy = f64(conic.z);
    let determinant = xx * yy - xy * xy;
    if !(f32(determinant) > 0.0) || max(abs(center.x), abs(center.y)) > CENTER_PX_MAX {
        return EVERYWHERE;
    }
    let largest_term = (2.0 * log_opacity + 1.0) * f32(xx * yy / determinant);
    let sigma_bound = f64(log_opacity + 0.01 + 1e-6 * largest_term);
    return vec4<f32>(
        sqrt(f32(f64(2.0) * sigma_bound * xx / determinant)) + SLACK_PX,
        f32(-xy / xx),
        f32(f64(2.0) * sigma_bound / xx),
        f32(determinant / (xx * xx)),
    );
}
