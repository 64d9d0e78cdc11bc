//! The HTTP surface as one axum router.
