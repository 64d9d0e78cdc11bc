// What a projected splat is; in front of the kernels that write and read it.

struct Projected {
    // Centre, and the inverse covariance xx, xy.
    a: vec4<f32>,
    // Inverse covariance yy, opacity, depth, greatest sigma that can be seen.
    b: vec4<f32>,
    color: vec4<f32>,
    // Where it can be seen: greatest distance of a row from the centre, slant, squared half width of the row of the
    // centre, and how that shrinks with the squared distance of a row.
    reach: vec4<f32>,
}

// Added around the reach for the rounding of positions within a picture, in pixels.
const SLACK_PX: f32 = 0.1;

const ALPHA_FLOOR: f32 = 1.0 / 255.0;

// A splat that may be seen in every pixel of its tiles.
const EVERYWHERE: vec4<f32> = vec4<f32>(3e38, 0.0, 3e38, 0.0);
// At a farther centre a pixel is no longer large against the rounding of the distance to it.
const CENTER_PX_MAX: f32 = 1e5;
