//! How memory is kept.

/// What is asked for and given back at once; none of it is touched.
const ASKED: usize = 16 << 20;

/// Lets the allocator keep what is freed for what is read next, for commands that read many streams
/// one after the other.
///
/// glibc gives free memory at the end of the heap back to the system as soon as it is twice as much
/// as the largest block that was ever mapped by itself (`M_TRIM_THRESHOLD` in mallopt(3)), and faults
/// each page in again for the next stream: a third of the time of a large fold. Other allocators are
/// left as they are.
pub fn keep_freed() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(ASKED)));
}
