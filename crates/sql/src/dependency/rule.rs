//! The rules of the operators, one each, with the reason why it is right.

pub(crate) mod aggregate;
pub(crate) mod join;
pub(crate) mod recursive;
pub(crate) mod unnest;
pub(crate) mod window;
