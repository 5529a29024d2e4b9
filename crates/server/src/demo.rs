//! `holdfast demo`.

use crate::{Done, Failed};

#[derive(clap::Args)]
pub struct Demo {}

impl Demo {
    pub fn run(self) -> Done {
        Err(Failed("not written yet".into()))
    }
}
