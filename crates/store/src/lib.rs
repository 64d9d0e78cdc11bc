//! Embedded ledger, queue and blobs, and the conformance suites of the ports.
