// How elements are shared out; in front of the kernels that sort and list.
//
// A workgroup takes a block of 4096 elements; each of its 128 threads takes 32 of them that follow each other, which keeps
// their order.

const THREADS: u32 = 128u;
const EACH: u32 = 32u;
const BLOCK: u32 = 4096u;
// Sums are cut here, so that none wraps around.
const SUM_MAX: u32 = 0x7fffffffu;

var<workgroup> partial: array<u32, THREADS>;

fn capped_sum(a: u32, b: u32) -> u32 {
    return min(a + b, SUM_MAX);
}
