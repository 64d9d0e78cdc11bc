//! Cameras, normalisation and the splat renderer.
