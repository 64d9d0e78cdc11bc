//! The clients' side.
