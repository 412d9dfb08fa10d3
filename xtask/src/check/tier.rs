//! The test tiers: their names, their order, and what each is for.

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    Fmt,
    Lint,
    Unit,
    Module,
    Harness,
    Envoy,
    Attach,
    Replay,
    Image,
    Docs,
}

impl Tier {
    pub const ALL: [Self; 10] = [
        Self::Fmt,
        Self::Lint,
        Self::Unit,
        Self::Module,
        Self::Harness,
        Self::Envoy,
        Self::Attach,
        Self::Replay,
        Self::Image,
        Self::Docs,
    ];

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Lint => "lint",
            Self::Unit => "unit",
            Self::Module => "module",
            Self::Harness => "harness",
            Self::Envoy => "envoy",
            Self::Attach => "attach",
            Self::Replay => "replay",
            Self::Image => "image",
            Self::Docs => "docs",
        }
    }

    pub fn description(self) -> &'static str {
        match self {
            Self::Fmt => "the code is formatted",
            Self::Lint => "clippy finds nothing",
            Self::Unit => "unit tests, examples in the documentation",
            Self::Module => "the modules build for WebAssembly",
            Self::Harness => "the harness, and the filter in an emulated Envoy",
            Self::Envoy => "the modules in a real Envoy",
            Self::Attach => "what attaches it to Istio and Envoy Gateway: rendered, checked, in a real Envoy",
            Self::Replay => "every recording, on all three engines, in both ways to attach",
            Self::Image => "the same sources give the same image, and registries take it",
            Self::Docs => "what the documents point at exists",
        }
    }

    /// Those that mostly wait, for Envoys and servers, run at the same time. Cargo's other work fills all cores.
    pub fn is_in_parts(self) -> bool {
        matches!(self, Self::Envoy | Self::Attach | Self::Replay | Self::Image)
    }

    pub fn needs_envoy(self) -> bool {
        matches!(self, Self::Envoy | Self::Attach | Self::Replay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tier_is_found_by_its_name() {
        for tier in Tier::ALL {
            assert_eq!(Tier::from_name(tier.name()), Some(tier));
        }
        assert_eq!(Tier::from_name("all"), None);
    }
}
