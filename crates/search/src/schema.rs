//! What the index holds: for each item and order its id, the terms of its codes and of its words, and what it is filtered by.
//! Nothing is stored that could be shown; pages read what they show from the database.

use crate::text::{Beginnings, code, words};
use engine::search::{ItemText, OrderText};
use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::store::Compressor;
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{Index, IndexSettings, IndexSortByField, Order, TantivyDocument, Term};

/// The fast field with the id: what is found is read from it.
pub const ID: &str = "id";

/// The terms of one kind of document. Items and orders have their own, so that neither is sifted out of the other.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// SKUs, barcodes, numbers, references, tracking numbers.
    pub code: Field,
    /// Names, customers, addresses, and the parts of codes.
    pub word: Field,
    /// What people leave out before a number: `1042` is `H1042`.
    pub before_digits: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub struct Fields {
    id: Field,
    pub items: Terms,
    pub orders: Terms,
    pub channel: Field,
    /// Of orders: the items that they have lines of.
    pub of_item: Field,
    pub inactive: Field,
}

/// The fields, and the schema that they make.
pub fn fields() -> (Fields, Schema) {
    let mut schema = Schema::builder();
    // No frequencies, positions or lengths: nothing is scored.
    let text = |tokenizer: &str| {
        let indexing = TextFieldIndexing::default().set_tokenizer(tokenizer).set_fieldnorms(false).set_index_option(IndexRecordOption::Basic);
        TextOptions::default().set_indexing_options(indexing)
    };
    let fields = Fields {
        id: schema.add_i64_field(ID, INDEXED | FAST),
        items: Terms {
            code: schema.add_text_field("item_code", text("code")),
            word: schema.add_text_field("item_word", text("word")),
            before_digits: "",
        },
        orders: Terms {
            code: schema.add_text_field("order_code", text("code")),
            word: schema.add_text_field("order_word", text("word")),
            before_digits: "h",
        },
        channel: schema.add_text_field("channel", text("raw")),
        of_item: schema.add_i64_field("of_item", INDEXED),
        inactive: schema.add_bool_field("inactive", INDEXED),
    };
    (fields, schema.build())
}

/// Within each of its segments the index keeps the newest first, so that whoever looks for the newest few need not look at all.
pub fn settings() -> IndexSettings {
    IndexSettings {
        sort_by_field: Some(IndexSortByField { field: ID.into(), order: Order::Desc }),
        docstore_compression: Compressor::None,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    }
}

/// Tells an index how texts become terms.
pub fn register(index: &Index) {
    for (name, is_code) in [("code", true), ("word", false)] {
        index.tokenizers().register(name, TextAnalyzer::from(Beginnings { is_code }));
    }
}

impl Fields {
    /// The document of an item or order, to delete it.
    pub fn id(&self, id: i64) -> Term {
        Term::from_field_i64(self.id, id)
    }

    pub fn item(&self, item: &ItemText) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_i64(self.id, item.id);
        self.items.add_code(&mut document, &item.sku);
        if let Some(barcode) = &item.barcode {
            self.items.add_code(&mut document, barcode);
        }
        document.add_text(self.items.word, &item.name);
        if !item.active {
            document.add_bool(self.inactive, true);
        }
        document
    }

    pub fn order(&self, order: &OrderText) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_i64(self.id, order.id);
        document.add_text(self.orders.code, &order.number);
        self.orders.add_code(&mut document, &order.reference);
        for number in &order.tracking_numbers {
            self.orders.add_code(&mut document, number);
        }
        let to = &order.ship_to;
        for text in [&order.customer, &to.name, &to.company, &to.postal_code, &to.city].into_iter().flatten() {
            document.add_text(self.orders.word, text);
        }
        // Typed without its blank.
        if let Some(postal_code) = &to.postal_code
            && postal_code.contains(' ')
        {
            document.add_text(self.orders.word, code(postal_code));
        }
        document.add_text(self.orders.word, &order.channel);
        document.add_text(self.channel, &order.channel);
        order.items.iter().for_each(|item| document.add_i64(self.of_item, *item));
        document
    }
}

impl Terms {
    /// Adds a code, and its parts as words if it has any.
    fn add_code(&self, document: &mut TantivyDocument, text: &str) {
        document.add_text(self.code, text);
        let words = words(text);
        if words.len() > 1 || words.iter().any(|word| !word.parts.is_empty()) {
            document.add_text(self.word, text);
        }
    }
}
