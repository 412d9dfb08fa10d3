//! The stock module: the plugins that come with the pipeline, ready for Envoy to load.

ipp_proxy::export!(ipp_pipeline::stock());
