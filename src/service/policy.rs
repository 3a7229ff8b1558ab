//! stub
use super::context::Context;
use super::error::Error;
use crate::domain::id::{Name, StepId};
use crate::domain::policy::Occasion;
pub struct Decided {
    pub said: String,
}
pub fn after(_: &Context, _: &Name, _: &StepId, _: Occasion) -> Result<Vec<Decided>, Error> {
    Ok(Vec::new())
}
