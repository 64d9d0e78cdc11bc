//! Blobs in a folder and in memory.

mod in_memory {
    sn17_store::blobs_conformance!(sn17_store::MemoryBlobs::default());
}
