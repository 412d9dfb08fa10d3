//! The plugin types that come with the stock module, one file each.

mod attribute_filter;
mod attribute_scorer;
mod average_latency;
mod base_model_to_header;
mod body_field_to_header;
mod by_field_filter;
mod cool_down_filter;
mod cost_scorer;
mod costguard;
mod error_rate_scorer;
mod expected_wait_scorer;
mod exploration_max_score_picker;
mod health_extractor;
mod inflight_requests_scorer;
mod load_filter;
mod max_score_picker;
mod model_config_datasource;
mod model_cost_extractor;
mod model_group_name_filter;
mod model_name_filter;
mod model_name_to_header;
mod model_selector;
mod parameter;
mod power_of_two_picker;
mod random_picker;
mod request_metadata_extractor;
mod response_field_to_header;
mod router_metrics_collector;
mod rules_profile_picker;
mod scoring_debug_headers;
mod session_affinity;
mod single_profile_picker;
mod stream_usage;
mod ttft_aware_scorer;
mod ttft_percentile_extractor;
mod weighted_random_picker;
mod weighted_split_picker;

pub(crate) use model_selector::Picked;
pub(crate) use single_profile_picker::SingleProfilePicker;

use crate::plugin::Registry;

/// The registry of the stock module.
pub fn stock() -> Registry {
    Registry::new()
        .with(body_field_to_header::TYPE)
        .with(base_model_to_header::TYPE)
        .with(SingleProfilePicker::TYPE)
        .with(rules_profile_picker::TYPE)
        .with(model_selector::TYPE)
        .with(model_config_datasource::TYPE)
        .with(request_metadata_extractor::TYPE)
        .with(ttft_percentile_extractor::TYPE)
        .with(model_cost_extractor::TYPE)
        .with(health_extractor::TYPE)
        .with(router_metrics_collector::TYPE)
        .with(router_metrics_collector::KV_CACHE)
        .with(model_group_name_filter::TYPE)
        .with(by_field_filter::TYPE)
        .with(model_name_filter::TYPE)
        .with(attribute_filter::TYPE)
        .with(load_filter::TYPE)
        .with(cool_down_filter::TYPE)
        .with(cost_scorer::TYPE)
        .with(inflight_requests_scorer::TYPE)
        .with(attribute_scorer::TYPE)
        .with(session_affinity::TYPE)
        .with(average_latency::TTFT)
        .with(average_latency::TPOT)
        .with(ttft_aware_scorer::TYPE)
        .with(ttft_aware_scorer::LOAD_AWARE)
        .with(ttft_aware_scorer::QUEUE)
        .with(expected_wait_scorer::TYPE)
        .with(costguard::TYPE)
        .with(error_rate_scorer::TYPE)
        .with(max_score_picker::TYPE)
        .with(random_picker::TYPE)
        .with(weighted_random_picker::TYPE)
        .with(exploration_max_score_picker::TYPE)
        .with(power_of_two_picker::TYPE)
        .with(weighted_split_picker::TYPE)
        .with(model_name_to_header::TYPE)
        .with(scoring_debug_headers::TYPE)
        .with(response_field_to_header::TYPE)
        .with(stream_usage::TYPE)
}
