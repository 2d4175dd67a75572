//! `longwatch blindspots`: what would go unseen in the series of a flow.

use std::collections::BTreeSet;

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::client::{Client, Content, Problem};
use super::connection::Connection;
use super::output::{say, say_json};
use super::{Exit, Failure, block_on};
use crate::stats::blind_spot::BlindSpot;
use crate::stats::wording::{plural, size};

/// Says per series how small a step and a bleed may be to stay unseen for a quarter
#[derive(clap::Args)]
#[command(
    after_help = "The service works it out about daily, by putting changes into each series' own noise: what it names is told \
                  within a quarter four times in five."
)]
pub(crate) struct Args {
    /// Flows; all of them where none is named
    #[arg(value_name = "FLOW")]
    flows: Vec<String>,
    /// Print the server's answers as JSON, a flow each
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// One series' answer, as far as it is printed.
#[derive(Deserialize)]
struct Line {
    name: String,
    blind_spot: Option<BlindSpot>,
}

pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let client = Client::new(&args.connection)?;
    let answers = block_on(async {
        let mut flows = args.flows.clone();
        if flows.is_empty() {
            let series = all_series(&client, None).await?;
            let names: BTreeSet<String> = series.into_iter().map(|series| series.flow).collect();
            flows.extend(names);
        }
        let mut answers = Vec::new();
        for flow in flows {
            let address = client.address(&["flows", &flow, "blindspots"], &[]);
            let answer = client
                .send(Method::GET, address, Content::default())
                .await?;
            answers.push((flow, answer));
        }
        Ok(answers)
    })?;
    if args.json {
        let flows: serde_json::Map<String, Value> = answers.into_iter().collect();
        say_json(&flows)?;
        return Ok(Exit::Ok);
    }
    for (flow, answer) in answers {
        say(&flow)?;
        for line in read::<Vec<Line>>(answer)? {
            say(format!("  {}: {}", line.name, sentence(line.blind_spot)))?;
        }
    }
    Ok(Exit::Ok)
}

fn sentence(found: Option<BlindSpot>) -> String {
    let Some(found) = found else {
        return "not known yet; it is worked out daily, from a quarter and two weeks of history on"
            .to_owned();
    };
    let step = found.step_pct.map_or_else(
        || "no step of up to 100\u{a0}% is told in time".to_owned(),
        |step| format!("steps from {}", size(step)),
    );
    let bleed = match (found.bleed_pct, found.bleed_pct_per_release) {
        (Some(whole), Some(each)) => format!(
            "bleeds from {} a quarter ({} with each of {})",
            size(whole),
            size(each),
            plural(found.releases as u64, "release")
        ),
        _ => "no bleed of up to 100\u{a0}% is told in time".to_owned(),
    };
    format!("{step}, {bleed}; noise ±{}", size(found.noise_pct))
}

/// A series as the server lists it, as far as these commands need it.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) flow: String,
    pub(super) metric: String,
    pub(super) source: String,
    pub(super) testbed: String,
    pub(super) direction: crate::stats::Direction,
    pub(super) labels: std::collections::BTreeMap<String, String>,
}

/// All series of a project, or of one flow.
pub(super) async fn all_series(
    client: &Client,
    flow: Option<&str>,
) -> Result<Vec<Listed>, Failure> {
    #[derive(Deserialize)]
    struct Page {
        items: Vec<Listed>,
        next: Option<String>,
    }
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let mut query = vec![("limit".to_owned(), "1000".to_owned())];
        query.extend(flow.map(|flow| ("flow".to_owned(), flow.to_owned())));
        query.extend(cursor.map(|cursor| ("cursor".to_owned(), cursor)));
        let address = client.address(&["series"], &query);
        let page: Page = read(
            client
                .send(Method::GET, address, Content::default())
                .await?,
        )?;
        all.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

/// Reads an answer's fields; errs where what answered is no Longwatch server of this version.
pub(super) fn read<T: serde::de::DeserializeOwned>(answer: Value) -> Result<T, Failure> {
    serde_json::from_value(answer).map_err(|error| {
        let text = format!("the answer is not what was asked for: {error}");
        super::client::ClientError::Broken(Problem::from_text(200, &text)).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_in_time_is_said_too() {
        let known = BlindSpot {
            step_pct: Some(1.726),
            bleed_pct: None,
            bleed_pct_per_release: None,
            power: 0.8,
            rows: 91,
            releases: 13,
            noise_pct: 0.84,
            tried: 120,
        };
        assert_eq!(
            sentence(Some(known)),
            "steps from 1.7\u{a0}%, no bleed of up to 100\u{a0}% is told in time; noise ±0.84\u{a0}%"
        );
        let both = BlindSpot {
            bleed_pct: Some(2.6),
            bleed_pct_per_release: Some(0.2),
            ..known
        };
        assert_eq!(
            sentence(Some(both)),
            "steps from 1.7\u{a0}%, bleeds from 2.6\u{a0}% a quarter (0.2\u{a0}% with each of 13 releases); noise ±0.84\u{a0}%"
        );
        assert!(sentence(None).starts_with("not known yet"));
    }
}
