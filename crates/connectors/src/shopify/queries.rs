//! Everything that is asked of Shopify, word for word. Sizes keep each query under 1,000 points, the most that one may cost:
//! an object costs 1, a list the sum of what it may hold.

pub const VERSION: &str = "2026-10";

/// A query, or a mutation.
#[derive(Debug)]
pub struct Query {
    /// The operation's name in its text.
    pub name: &'static str,
    pub text: &'static str,
    /// Twice is as good as once.
    pub repeatable: bool,
}

pub const QUERIES: &[&Query] = &[
    &SHOP,
    &ORDERS,
    &ORDER,
    &ORDER_LINES,
    &LISTINGS,
    &QUANTITIES,
    &SET_QUANTITIES,
    &FULFILLMENT_ORDERS,
    &FULFILLMENTS,
    &FULFILLMENT_LINES,
    &CREATE_FULFILLMENT,
    &CANCEL_ORDER,
    &REFUNDS,
    &SUGGESTED_REFUND,
    &CREATE_REFUND,
    &SUBSCRIPTIONS,
    &SUBSCRIBE,
];

pub(super) const SHOP: Query =
    Query { name: "Shop", text: "query Shop($location: ID!) { shop { name } location(id: $location) { id name } }", repeatable: true };

/// The fields of an order, as a fragment behind each query that reads orders.
macro_rules! with_order {
    ($text:literal) => {
        concat!(
            $text,
            " fragment OrderFields on Order {
                id name createdAt updatedAt cancelledAt displayFinancialStatus displayFulfillmentStatus currencyCode email phone
                shippingAddress { name company address1 address2 city provinceCode zip countryCodeV2 phone }
                lineItems(first: 10) { ...LinesFields }
            }
            fragment LinesFields on LineItemConnection {
                nodes {
                    id title sku quantity currentQuantity nonFulfillableQuantity
                    variant { inventoryItem { id } }
                    discountedUnitPriceSet { shopMoney { amount } }
                }
                pageInfo { hasNextPage endCursor }
            }"
        )
    };
}

pub(super) const ORDERS: Query = Query {
    name: "Orders",
    text: with_order!(
        "query Orders($query: String!, $after: String) {
            orders(first: 10, after: $after, query: $query, sortKey: UPDATED_AT) {
                nodes { ...OrderFields }
                pageInfo { hasNextPage endCursor }
            }
        }"
    ),
    repeatable: true,
};

pub(super) const ORDER: Query =
    Query { name: "Order", text: with_order!("query Order($id: ID!) { order(id: $id) { ...OrderFields } }"), repeatable: true };

pub(super) const ORDER_LINES: Query = Query {
    name: "OrderLines",
    text: "query OrderLines($id: ID!, $after: String!) {
            order(id: $id) {
                lineItems(first: 100, after: $after) {
                    nodes {
                        id title sku quantity currentQuantity nonFulfillableQuantity
                        variant { inventoryItem { id } }
                        discountedUnitPriceSet { shopMoney { amount } }
                    }
                    pageInfo { hasNextPage endCursor }
                }
            }
        }",
    repeatable: true,
};

pub(super) const LISTINGS: Query = Query {
    name: "Listings",
    text: "query Listings($location: ID!, $after: String) {
            productVariants(first: 150, after: $after) {
                nodes {
                    id displayName sku barcode
                    inventoryItem { id tracked inventoryLevel(locationId: $location) { quantities(names: [\"available\"]) { name quantity } } }
                }
                pageInfo { hasNextPage endCursor }
            }
        }",
    repeatable: true,
};

pub(super) const QUANTITIES: Query = Query {
    name: "Quantities",
    text: "query Quantities($ids: [ID!]!, $location: ID!) {
            nodes(ids: $ids) {
                ... on InventoryItem { id inventoryLevel(locationId: $location) { quantities(names: [\"available\"]) { name quantity } } }
            }
        }",
    repeatable: true,
};

/// Repeatable: the key makes sure that it is done once.
pub(super) const SET_QUANTITIES: Query = Query {
    name: "SetQuantities",
    text: "mutation SetQuantities($input: InventorySetQuantitiesInput!, $key: String!) {
            inventorySetQuantities(input: $input) @idempotent(key: $key) {
                inventoryAdjustmentGroup { id }
                userErrors { code field message }
            }
        }",
    repeatable: true,
};

/// One fulfillment order a page, because each may hold many lines.
pub(super) const FULFILLMENT_ORDERS: Query = Query {
    name: "FulfillmentOrders",
    text: "query FulfillmentOrders($id: ID!, $after: String) {
            order(id: $id) {
                fulfillmentOrders(first: 1, after: $after) {
                    nodes {
                        id status assignedLocation { location { id } }
                        lineItems(first: 250) { nodes { id remainingQuantity lineItem { id } } }
                    }
                    pageInfo { hasNextPage endCursor }
                }
            }
        }",
    repeatable: true,
};

pub(super) const FULFILLMENTS: Query = Query {
    name: "Fulfillments",
    text: "query Fulfillments($id: ID!) { order(id: $id) { fulfillments(first: 100) { id status trackingInfo(first: 5) { number } } } }",
    repeatable: true,
};

pub(super) const FULFILLMENT_LINES: Query = Query {
    name: "FulfillmentLines",
    text: "query FulfillmentLines($id: ID!) {
            fulfillment(id: $id) { fulfillmentLineItems(first: 250) { nodes { quantity lineItem { id } } } }
        }",
    repeatable: true,
};

pub(super) const CREATE_FULFILLMENT: Query = Query {
    name: "CreateFulfillment",
    text: "mutation CreateFulfillment($fulfillment: FulfillmentInput!) {
            fulfillmentCreate(fulfillment: $fulfillment) { fulfillment { id } userErrors { field message } }
        }",
    repeatable: false,
};

pub(super) const CANCEL_ORDER: Query = Query {
    name: "CancelOrder",
    text: "mutation CancelOrder($order: ID!, $reason: OrderCancelReason!, $note: String) {
            orderCancel(
                orderId: $order, reason: $reason, staffNote: $note, restock: true, notifyCustomer: true,
                refundMethod: { originalPaymentMethodsRefund: true }
            ) { job { id } orderCancelUserErrors { code field message } }
        }",
    repeatable: false,
};

/// The notes of what was refunded before, and how much of these lines is still to be sent.
pub(super) const REFUNDS: Query = Query {
    name: "Refunds",
    text: "query Refunds($id: ID!, $lines: [ID!]!) {
            order(id: $id) { refunds(first: 250) { note } }
            nodes(ids: $lines) { ... on LineItem { id currentQuantity unfulfilledQuantity } }
        }",
    repeatable: true,
};

pub(super) const SUGGESTED_REFUND: Query = Query {
    name: "SuggestedRefund",
    text: "query SuggestedRefund($id: ID!, $lines: [RefundLineItemInput!]!) {
            order(id: $id) {
                suggestedRefund(refundLineItems: $lines) {
                    suggestedTransactions {
                        kind gateway
                        amountSet { presentmentMoney { amount currencyCode } }
                        parentTransaction { id }
                    }
                }
            }
        }",
    repeatable: true,
};

/// Repeatable: the key makes sure that it is done once.
pub(super) const CREATE_REFUND: Query = Query {
    name: "CreateRefund",
    text: "mutation CreateRefund($input: RefundInput!, $key: String!) {
            refundCreate(input: $input) @idempotent(key: $key) { refund { id } userErrors { field message } }
        }",
    repeatable: true,
};

pub(super) const SUBSCRIPTIONS: Query = Query {
    name: "Subscriptions",
    text: "query Subscriptions($address: String!, $after: String) {
            webhookSubscriptions(first: 100, after: $after, uri: $address) { nodes { topic uri } pageInfo { hasNextPage endCursor } }
        }",
    repeatable: true,
};

/// Repeatable: a second one for the same topic and address is refused.
pub(super) const SUBSCRIBE: Query = Query {
    name: "Subscribe",
    text: "mutation Subscribe($topic: WebhookSubscriptionTopic!, $address: String!) {
            webhookSubscriptionCreate(topic: $topic, webhookSubscription: { uri: $address, format: JSON }) {
                webhookSubscription { id } userErrors { field message }
            }
        }",
    repeatable: true,
};
