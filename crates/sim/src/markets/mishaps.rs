//! What can go wrong at a marketplace: probabilities that can be changed at run time, drawn from the market's seed, and what
//! each does to an answer.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// Probabilities, each between 0 and 1; all 0 by default.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Faults {
    /// Of an event, to be told two to ten times.
    pub duplicate: f64,
    /// Of events, to be told in another order.
    pub out_of_order: f64,
    /// Of an event, never to be told.
    pub drop: f64,
    /// Of a quantity, to be taken and applied later; `never` of those is not applied at all.
    pub delay: f64,
    pub never: f64,
    /// Of a request, to be answered with the vendor's own way of saying “too many calls” (Shopify: status 200).
    pub throttled: f64,
    /// 429; half of them say how long to wait.
    pub too_many: f64,
    /// 500; half of them after the work was done.
    pub error: f64,
    /// The connection is cut before the work.
    pub cut: f64,
    /// The work is done, then no answer comes until the other side gives up.
    pub hang: f64,
    /// The work is done, then half of the answer comes.
    pub half: f64,
    /// All tokens run out.
    pub expire: f64,
    /// Of an answer, to have fields and words in it that nobody knows.
    pub unknown: f64,
}

impl Faults {
    /// Everything at once, each as often as this.
    pub fn all(chance: f64) -> Faults {
        Faults {
            duplicate: chance,
            out_of_order: chance,
            drop: chance,
            delay: chance,
            never: chance,
            throttled: chance,
            too_many: chance,
            error: chance,
            cut: chance,
            hang: chance,
            half: chance,
            expire: chance,
            unknown: chance,
        }
    }
}

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    None,
    /// To be told in the vendor's own way, by the front; not done.
    Throttled,
    /// 429, with the seconds to wait.
    TooMany(Option<u64>),
    ErrorBefore,
    ErrorAfter,
    CutBefore,
    HangAfter,
    HalfAfter,
    /// The market is down: 503, not done.
    Down,
}

/// What the server does to the connection instead of sending the response that carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    Cut,
    Hang,
}

/// A response that never arrives.
pub fn broken(how: Break) -> Response {
    let mut response = StatusCode::OK.into_response();
    response.extensions_mut().insert(how);
    response
}

fn status(status: StatusCode) -> Response {
    (status, "{\"message\":\"simulated\"}").into_response()
}

impl Mishap {
    /// Draws what happens to a request.
    pub fn draw(faults: &Faults, rng: &mut fastrand::Rng) -> Mishap {
        let half = rng.bool();
        let wait = half.then(|| rng.u64(0..2));
        let chances = [
            (faults.throttled, Mishap::Throttled),
            (faults.too_many, Mishap::TooMany(wait)),
            (faults.error, if half { Mishap::ErrorBefore } else { Mishap::ErrorAfter }),
            (faults.cut, Mishap::CutBefore),
            (faults.hang, Mishap::HangAfter),
            (faults.half, Mishap::HalfAfter),
        ];
        chances.into_iter().find(|(chance, _)| rng.f64() < *chance).map_or(Mishap::None, |(_, mishap)| mishap)
    }

    /// The answer in place of any work, if this happens before it.
    pub fn before(self) -> Option<Response> {
        match self {
            Mishap::TooMany(wait) => {
                let mut response = status(StatusCode::TOO_MANY_REQUESTS);
                if let Some(seconds) = wait {
                    response.headers_mut().insert("retry-after", HeaderValue::from(seconds));
                }
                Some(response)
            }
            Mishap::ErrorBefore => Some(status(StatusCode::INTERNAL_SERVER_ERROR)),
            Mishap::Down => Some(status(StatusCode::SERVICE_UNAVAILABLE)),
            Mishap::CutBefore => Some(broken(Break::Cut)),
            Mishap::None | Mishap::Throttled | Mishap::ErrorAfter | Mishap::HangAfter | Mishap::HalfAfter => None,
        }
    }

    /// What becomes of the answer once the work is done.
    pub fn after(self, answer: Response) -> Response {
        match self {
            Mishap::ErrorAfter => status(StatusCode::INTERNAL_SERVER_ERROR),
            Mishap::HangAfter => broken(Break::Hang),
            Mishap::HalfAfter => {
                let pieces = [Ok(Bytes::from_static(b"{\"da")), Err(std::io::Error::other("simulated"))];
                Response::new(Body::from_stream(Pieces(pieces.into_iter())))
            }
            _ => answer,
        }
    }
}

/// A body that breaks off.
struct Pieces(std::array::IntoIter<std::io::Result<Bytes>, 2>);

impl futures_util::Stream for Pieces {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}
