//! The `longwatch` binary: server and command line in one.

/// Every request allocates and frees some fifty small things, often on different threads: a sixth of the processor time of
/// a flood of beacons was the C library's allocator, and this one takes a third of that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    longwatch::cli::main()
}
