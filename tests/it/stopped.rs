//! An instance stands still while it holds the lease on the fold, and goes on after another has taken it over: what it
//! still wanted to do counts for nothing.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::{Client, Method, StatusCode};
use sqlx::{Connection, PgConnection};

use crate::endurance::Endurance;
use crate::ground::of_engine;
use crate::process::{Process, token, within};
use crate::writers::Writing;

const WRITERS: usize = 8;
const ROUNDS: usize = 2;
/// How often one tries to catch it within a transaction, and the next time between two.
const TRIES: u64 = 40;
/// A lease ends after half a minute, a transaction that stands still after ten seconds.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(75);

/// The lease on the fold: whose, the how manieth, and until when.
async fn lease(connection: &mut PgConnection) -> Option<(String, i64, i64)> {
    sqlx::query_as("SELECT owner, fence, until_us FROM lease WHERE kind = 'fold'")
        .fetch_optional(connection)
        .await
        .unwrap()
}

/// Stops an instance at a moment when it holds the lease, if possible in the middle of a transaction or not; whether it
/// is.
async fn stop_holding(
    server: &Process,
    owner: &str,
    connection: &mut PgConnection,
    in_transaction: bool,
) -> bool {
    let mut attempt = 0;
    loop {
        attempt += 1;
        tokio::time::sleep(Duration::from_millis(5 + attempt % 7)).await;
        server.stand_still();
        let held = lease(connection).await.unwrap();
        if held.0 == owner && held.2 > Timestamp::now().as_microsecond() {
            let free = sqlx::query("SELECT 1 FROM lease WHERE kind = 'fold' FOR UPDATE NOWAIT");
            let is_in_transaction = free.execute(&mut *connection).await.is_err();
            if is_in_transaction == in_transaction || attempt > TRIES {
                return is_in_transaction;
            }
        }
        server.go_on();
    }
}

/// Ends a lease before its time, which the short form does not wait for. Where its owner stands still in the middle of a
/// transaction it waits until PostgreSQL lets go of that.
async fn end_lease(connection: &mut PgConnection, owner: &str) {
    sqlx::query("UPDATE lease SET until_us = 1 WHERE kind = 'fold' AND owner = $1")
        .bind(owner)
        .execute(connection)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_instance_does_after_its_lease_was_taken_over_counts_for_nothing() {
    let database = of_engine("PostgreSQL").await;
    let endurance = Endurance::begin("stopped", database.engine, Duration::ZERO);
    let home = database.directory.path();
    let client = Client::new();
    let admin = token(home, &database.url, "shop", "admin");
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let serve = || Process::serve(home, &database.url, &[]);
    let stopped = serve();
    let writing = Writing::start([&stopped], &admin, WRITERS, Duration::ZERO);
    let owner = loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if let Some((owner, ..)) = lease(&mut connection).await {
            break owner;
        }
    };
    let other = serve();
    writing.joined_by(&other);
    let (mut rounds, mut between) = (0, 0);
    while rounds < ROUNDS || endurance.goes_on() {
        let in_transaction = stop_holding(&stopped, &owner, &mut connection, rounds % 2 == 0).await;
        between += usize::from(!in_transaction);
        let (_, fence, _) = lease(&mut connection).await.unwrap();
        let began = Instant::now();
        if !Endurance::is_long() {
            end_lease(&mut connection, &owner).await;
        }
        loop {
            let (now, taken, _) = lease(&mut connection).await.unwrap();
            if now != owner && taken > fence {
                break;
            }
            assert!(began.elapsed() < TAKEN_OVER_WITHIN, "not taken over");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        println!(
            "taken over after {:?}, in a transaction: {in_transaction}",
            began.elapsed()
        );
        stopped.go_on();
        // It serves on, and gets the lease again some time.
        within(Duration::from_secs(10), "serves on", async || {
            let list = stopped.api(&client, &admin, Method::GET, "series");
            let answer = list.send().await.ok()?;
            (answer.status() == StatusCode::OK).then_some(())
        })
        .await;
        rounds += 1;
    }
    println!("{rounds} rounds, {between} of them between two transactions");
    endurance.tell(writing.end(&other).await);
}
