//! An instance stands still in the middle of a delivery, and goes on after another has delivered it.

use std::time::Duration;

use sqlx::PgPool;

use super::receiver::{Reaction, Receiver};
use super::{Shop, of_engine, within};

/// After so long an attempt that gets no answer is given up, and some.
const GIVEN_UP: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread")]
async fn what_an_instance_says_of_a_delivery_that_was_taken_over_counts_for_nothing() {
    let receiver = Receiver::at("127.0.0.1:0", &[Reaction::Hangs, Reaction::Takes]).await;
    let shop = Shop::new(of_engine("PostgreSQL").await, &receiver.address.to_string());
    let stopped = shop.serve();
    shop.begin(&stopped).await;
    shop.prove(&stopped, async || receiver.alerts().first().cloned())
        .await;
    stopped.stand_still();
    // The minute passes for which it has claimed the delivery.
    let database = PgPool::connect(&shop.database.url).await.unwrap();
    sqlx::query("UPDATE delivery SET lease_until_us = 1 WHERE sent_us IS NULL")
        .execute(&database)
        .await
        .unwrap();
    let other = shop.serve();
    let again = within(
        Duration::from_secs(10),
        "delivered by another",
        async || receiver.alerts().get(1).cloned(),
    )
    .await;
    let first = &receiver.alerts()[0];
    assert_eq!((&again.id, &again.body), (&first.id, &first.body));
    let settled = "SELECT attempts, sent_us, due_us, lease_until_us, last_error FROM delivery";
    let settled = async || -> (i64, Option<i64>, i64, i64, Option<String>) {
        sqlx::query_as(settled).fetch_one(&database).await.unwrap()
    };
    let before = within(Duration::from_secs(5), "settled", async || {
        Some(settled().await).filter(|delivery| delivery.1.is_some())
    })
    .await;
    assert_eq!(before.0, 2);
    stopped.go_on();
    // Its attempt fails some time, and it says so.
    tokio::time::sleep(GIVEN_UP).await;
    assert_eq!(settled().await, before);
    assert_eq!(receiver.alerts().len(), 2);
    drop(other);
}
