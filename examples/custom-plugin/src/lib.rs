//! A module of one's own: the stock plugins, and two more.

mod alias_to_header;
mod model_alias;

ipp_proxy::export!(ipp_pipeline::stock().with(model_alias::TYPE).with(alias_to_header::TYPE));
