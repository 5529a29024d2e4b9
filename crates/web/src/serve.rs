//! Serving HTTP: connections with limits on their number and on how long a header may take, and an orderly end.

use crate::App;
use crate::visit::Peer;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use tower::ServiceExt;

/// Connections at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 10_000;
/// A request's header must arrive within this time.
const HEADER_TIME: Duration = Duration::from_secs(15);
/// Requests under way get this long to finish when the server stops.
const FAREWELL: Duration = Duration::from_secs(10);

/// Serves until `stop` resolves, then finishes what is under way.
pub async fn serve(app: App, listener: TcpListener, stop: impl Future<Output = ()>) {
    let router = app.router();
    let graceful = GracefulShutdown::new();
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(MAX_CONNECTIONS));
    let mut stop = std::pin::pin!(stop);
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, or a connection that died in the queue: neither ends the server.
                tracing::warn!("accept: {error}");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let service = router.clone().map_request(move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(Peer(address));
            request
        });
        let service = TowerToHyperService::new(service);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIME)
            .pipeline_flush(true)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        let metrics = app.metrics.clone();
        tokio::spawn(async move {
            metrics.connections.fetch_add(1, Ordering::Relaxed);
            if let Err(error) = connection.await {
                tracing::debug!("connection: {error}");
            }
            metrics.connections.fetch_sub(1, Ordering::Relaxed);
            drop(place);
        });
    }
    drop(listener);
    app.stopping.send_replace(true);
    let _ = tokio::time::timeout(FAREWELL, graceful.shutdown()).await;
}
