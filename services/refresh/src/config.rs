//! How much the service takes in hand.

/// Limits of the service.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Movies of one lane fetched or stored at once.
    pub movies_in_hand_per_lane: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { movies_in_hand_per_lane: 64 }
    }
}
