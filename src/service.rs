//! A running service: writer, fold, upkeep, detector, blind spots, notifier and HTTP, started together and stopped in order.

pub mod connections;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::http::{App, Door, Settings};
use crate::store::{Id, Store};
use crate::writer::Writer;
use crate::{blind_spots, detector, folder, notifier, upkeep};

use connections::PATIENCE;

/// How long each part of the background work may take to end once the service stops.
const LAST_WORK: Duration = Duration::from_secs(10);

/// The service's parts, running.
#[derive(Debug)]
pub struct Service {
    /// What handlers use.
    pub app: App,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Service {
    /// Starts the background work over an open store. Several instances may do so over one database.
    pub fn start(store: Store, settings: Settings) -> Service {
        let owner = Id::new().to_string();
        let (stop, stopped) = watch::channel(false);
        let [fold, detect, notify] = [(); 3].map(|()| Arc::new(Notify::new()));
        let wake = |notify: &Arc<Notify>| {
            let notify = notify.clone();
            move || notify.notify_one()
        };
        let (writer, writing) = Writer::start(store.clone(), wake(&fold));
        let tasks = vec![
            writing,
            tokio::spawn(folder::run(
                store.clone(),
                owner.clone(),
                fold.clone(),
                stopped.clone(),
                wake(&detect),
            )),
            tokio::spawn(upkeep::run(store.clone(), owner.clone(), stopped.clone())),
            tokio::spawn(blind_spots::run(
                store.clone(),
                owner.clone(),
                stopped.clone(),
            )),
            tokio::spawn(detector::run(
                store.clone(),
                owner.clone(),
                settings.public_url.clone(),
                detect,
                stopped.clone(),
                wake(&notify),
            )),
            tokio::spawn(notifier::run(
                store.clone(),
                owner,
                settings.allow_private_routes,
                notify,
                stopped,
            )),
        ];
        let app = App::new(store, writer, fold, settings);
        Service { app, stop, tasks }
    }

    /// Serves HTTP until `ended` completes, then drains: readiness turns at once and answers close their connections;
    /// after the settings' grace the listener closes, open requests get a deadline, the queue is committed, and the
    /// background work ends.
    pub async fn serve(self, listener: TcpListener, ended: impl Future<Output = ()>) {
        let app = self.app.clone();
        let patience = app.settings.patience.unwrap_or(PATIENCE);
        let told = async {
            ended.await;
            app.counters.begin_draining();
            tokio::time::sleep(app.settings.grace).await;
        };
        connections::serve(listener, Door::to(app.clone()), patience, told).await;
        drop(app);
        self.end().await;
    }

    /// Ends the background work; what was submitted is committed first.
    pub async fn end(self) {
        let Service { app, stop, tasks } = self;
        let store = app.store.clone();
        let _ = stop.send(true);
        // The writer ends when the last handle to it is gone.
        drop(app);
        for task in tasks {
            let _ = tokio::time::timeout(LAST_WORK, task).await;
        }
        store.close().await;
    }
}
