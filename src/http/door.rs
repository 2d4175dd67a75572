//! The way in for all requests. Beacons come by the thousand, and of all that a router does they need nothing.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::Service;
use tower::Service as _;

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

impl Service<Request<Incoming>> for Door {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let request = request.map(Body::new);
        let is_beacon = request.method() == Method::POST && rum::key_of(request.uri()).is_some();
        if is_beacon {
            let app = self.app.clone();
            return Box::pin(async move { Ok(rum::taken(&app, request).await) });
        }
        // A router is always ready.
        Box::pin(self.others.clone().call(request))
    }
}
