//! Whether bytes are an OTLP request: whole ones by what they hold, broken ones by how they begin.

use prost::Message;

use super::message::Request;

/// Field 1 of a message, with a length: resource metrics, resource, attribute and key all are.
const FIRST_FIELD: u8 = 0x0a;
/// Field 2 with a length, which no text holds since it is a control character.
const SECOND_FIELD: u8 = 0x12;

/// Whether the bytes are a request with metrics, or begin like one that names attributes of its resource.
pub(crate) fn is_request(bytes: &[u8]) -> bool {
    bytes.first() == Some(&FIRST_FIELD) && (begins_with_attribute(bytes) || holds_metrics(bytes))
}

fn holds_metrics(bytes: &[u8]) -> bool {
    if !bytes.contains(&SECOND_FIELD) {
        return false;
    }
    let Ok(request) = Request::decode(bytes) else {
        return false;
    };
    let resources = &request.resource_metrics;
    let mut metrics = resources
        .iter()
        .flat_map(|r| &r.scope_metrics)
        .flat_map(|s| &s.metrics)
        .peekable();
    metrics.peek().is_some() && metrics.all(|m| !m.name.is_empty() && m.points.is_some())
}

/// Request → resource metrics → resource → attribute → key, and a value after the key.
fn begins_with_attribute(bytes: &[u8]) -> bool {
    let key = || {
        let (_, rest) = length(bytes)?;
        let (_, rest) = length(rest)?;
        let (_, rest) = length(rest)?;
        let (size, rest) = length(rest)?;
        let key = rest.get(..size)?;
        let named = !key.is_empty() && key.iter().all(|b| b.is_ascii_graphic());
        Some(named && rest.get(size) == Some(&SECOND_FIELD))
    };
    key().unwrap_or(false)
}

/// The length that stands after the tag of a first field, and what follows it.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut rest = bytes.strip_prefix(&[FIRST_FIELD])?;
    let length = prost::encoding::decode_varint(&mut rest).ok()?;
    Some((usize::try_from(length).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_other_messages_are_no_requests() {
        for bytes in [
            &b"\n\n\n\n\n"[..],
            b"\nBenchmarkX 1 2 ns/op\n",
            b"\n\x03abc\x12\x01",
            b"\n\x00",
            b"",
        ] {
            assert!(!is_request(bytes), "{bytes:?}");
        }
    }
}
