// What a projected splat is; in front of the kernels that write and read it.

struct Projected {
    // Centre, and the inverse covariance xx, xy.
    a: vec4<f32>,
    // Inverse covariance yy, opacity, depth, greatest sigma that can be seen.
    b: vec4<f32>,
    color: vec4<f32>,
}

const ALPHA_FLOOR: f32 = 1.0 / 255.0;
