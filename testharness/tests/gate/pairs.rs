//! Ways to attach the module twice, and listeners with them.

use ipp_testharness::artifacts;
use ipp_testharness::bootstrap::{Filter, Listener};

use crate::support::rig;

/// How reader and gate are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    /// Also the name of the listener.
    pub(crate) name: &'static str,
    /// Both share the VMs of Envoy's workers.
    pub(crate) one_vm: bool,
    /// `allow_on_headers_stop_iteration` is set on both.
    pub(crate) flag: bool,
}

/// Istio attaches them in one VM, Envoy Gateway in one each; and somebody may set the flag.
pub(crate) const VARIANTS: [Variant; 4] = [
    Variant { name: "one-vm", one_vm: true, flag: false },
    Variant { name: "two-vms", one_vm: false, flag: false },
    Variant { name: "one-vm-flag", one_vm: true, flag: true },
    Variant { name: "two-vms-flag", one_vm: false, flag: true },
];

impl Variant {
    /// Reader and gate of this filter.
    pub(crate) fn pair(self, filter: Filter) -> Vec<Filter> {
        let mut pair = filter.pair();
        for filter in &mut pair {
            filter.hold_headers = self.flag;
            if !self.one_vm {
                filter.vm_id.clone_from(&filter.name);
            }
        }
        pair
    }

    /// A listener with them.
    pub(crate) fn listener(self, filter: Filter) -> Listener {
        listener(self.name, self.pair(filter))
    }
}

/// A listener with these filters and the usual routes.
pub(crate) fn listener(name: &str, filters: Vec<Filter>) -> Listener {
    let mut listener = rig::stock(name, "");
    listener.filters = filters;
    listener
}

/// The stock module, with the flag.
pub(crate) fn stock(config: &str) -> Filter {
    Filter::new(&artifacts::module(), config)
}
