//! The Shopify connector against a simulated shop: every request and every answer against the published schema, and what
//! the connector says about what happened against what truly happened, with everything going wrong.

mod faults;
mod graphql;
mod orders;
mod quantities;
mod refunds;
mod shop;
mod webhooks;
mod wire;
