//! `holdfast replay`.

use crate::{Done, Failed};

#[derive(clap::Args)]
pub struct Replay {}

impl Replay {
    pub fn run(self) -> Done {
        Err(Failed("not written yet".into()))
    }
}
