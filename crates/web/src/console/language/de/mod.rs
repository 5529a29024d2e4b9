//! German: the tables of each area. A text that several areas use stands in `common`.

mod account;
mod channels;
mod common;
mod elsewhere;
mod engine;
mod exceptions;
mod faults;
mod frame;
mod imports;
mod items;
mod orders;
mod people;
mod places;
mod rules;
mod settings;
mod today;
mod webhooks;

/// English text, German text. No English text stands in two of them.
pub const TABLES: [&[(&str, &str)]; 17] = [
    account::TEXTS,
    channels::TEXTS,
    common::TEXTS,
    elsewhere::TEXTS,
    engine::TEXTS,
    exceptions::TEXTS,
    faults::TEXTS,
    frame::TEXTS,
    imports::TEXTS,
    items::TEXTS,
    orders::TEXTS,
    people::TEXTS,
    places::TEXTS,
    rules::TEXTS,
    settings::TEXTS,
    today::TEXTS,
    webhooks::TEXTS,
];

/// Those of texts that come whole, with their figures in them.
pub const WHOLE: [&[(&str, &str)]; 2] = [engine::TEXTS, faults::TEXTS];
