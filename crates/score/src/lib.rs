//! Metrics of a splat by ONNX Runtime.
