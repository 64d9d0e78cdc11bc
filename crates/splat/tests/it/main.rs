//! Tests of the codecs through their public functions.

mod fixtures;
