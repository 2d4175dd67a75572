//! Prints what a collector makes of a file or a criterion tree: `parse [parse] [--unit U] [--flow F] [--format F] FILE…`.

use std::path::Path;
use std::process::ExitCode;

use collectors::{ParseOptions, describe, exit_code, parse_path};

fn main() -> ExitCode {
    let mut options = ParseOptions::default();
    let mut worst = 0;
    let mut arguments = std::env::args().skip(1).filter(|a| a != "parse");
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--unit" => options.unit = arguments.next(),
            "--flow" => options.flow = arguments.next(),
            "--format" => match arguments.next().unwrap_or_default().parse() {
                Ok(format) => options.format = Some(format),
                Err(error) => {
                    eprintln!("{error}");
                    return ExitCode::from(2);
                }
            },
            file => {
                options.file_name = file.to_owned();
                let parsed = parse_path(Path::new(file), &options);
                println!("{:#}", describe(file, parsed.as_ref()));
                worst = worst.max(exit_code(parsed.as_ref()));
            }
        }
    }
    ExitCode::from(worst as u8)
}
