//! The alert as stored in the outbox.

use serde_json::{Value, json};

use crate::detector::evidence::Evidence;
use crate::store::Finding;

/// The alert about an event in a finding's life, with the evidence in it.
pub fn of(finding: &Finding, evidence: &Evidence, event: &str, url: &str) -> Value {
    json!({
        "event": event,
        "finding": finding.id,
        "kind": finding.kind,
        "flow": finding.flow,
        "owner": finding.owner,
        "sentence": evidence.sentence,
        "evidence": evidence,
        "url": format!("{url}/findings/{}", finding.id),
    })
}
