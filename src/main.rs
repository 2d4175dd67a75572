//! The `longwatch` binary: server and command line in one.

fn main() -> std::process::ExitCode {
    longwatch::cli::main()
}
