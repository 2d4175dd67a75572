//! The way in for all requests. Beacons come by the thousand, and of all that a router does they need nothing.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use tower::Service;

use super::{App, router, rum};

/// The whole service: beacons go straight to what takes them, everything else through the routes.
#[derive(Clone, Debug)]
pub struct Door {
    app: App,
    others: Router,
}

impl Door {
    /// The door to an app.
    pub fn to(app: App) -> Door {
        Door {
            others: router(app.clone()),
            app,
        }
    }
}

impl Service<Request> for Door {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let is_beacon = request.method() == Method::POST && rum::key_of(request.uri()).is_some();
        if is_beacon {
            let app = self.app.clone();
            return Box::pin(async move { Ok(rum::taken(&app, request).await) });
        }
        Box::pin(self.others.call(request))
    }
}
