//! Documents that the filter fetches while it runs, in a real Envoy: an API server that changes its mind, fails in every
//! way, and is asked once for the whole process.

mod support;

mod changes;
mod failures;
mod learned;
mod many;
mod removed;
mod replaced;
mod requests;
mod scraped;
mod selection;
mod survival;
