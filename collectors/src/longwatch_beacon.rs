//! Our own beacon as a file: one, or one a line. Its reading is that of all beacons, in [`crate::web_vitals`].

use serde_json::Value;

use crate::draft::Draft;
use crate::error::ParseError;
use crate::input::Input;
use crate::report::Report;
use crate::web_vitals::{add, parse_beacon};
use crate::{Format, ParseOptions};

pub(crate) fn sniff(input: &Input) -> bool {
    let beacon = input.first_record();
    beacon.is_some_and(|b| {
        b.get("v").is_some_and(Value::is_number)
            && b.get("m")
                .and_then(Value::as_array)
                .is_some_and(|m| m.iter().all(Value::is_array))
    })
}

pub(crate) fn parse(input: &Input, _: &ParseOptions) -> Result<Report, ParseError> {
    let mut draft = Draft::new(Format::LongwatchBeacon);
    if let Some(document) = input.document() {
        add(
            &mut draft,
            parse_beacon(document.to_string().as_bytes(), None, "", None)?,
            None,
        )?;
        return Ok(draft.finish());
    }
    for line in input.lines() {
        let (number, line) = line?;
        let batch =
            parse_beacon(line.as_bytes(), None, "", None).map_err(|error| error.at_line(number))?;
        add(&mut draft, batch, None)?;
    }
    Ok(draft.finish())
}
