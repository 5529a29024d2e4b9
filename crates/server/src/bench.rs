//! `holdfast bench`.

use crate::{Done, Failed};

#[derive(clap::Args)]
pub struct Bench {}

impl Bench {
    pub fn run(self) -> Done {
        Err(Failed("not written yet".into()))
    }
}
