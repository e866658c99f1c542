//! How much the service takes in hand.

/// Limits of the service.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Movies fetched or stored at once.
    pub movies_in_hand: usize,
    /// Lists read at once.
    pub lists_in_hand: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { movies_in_hand: 64, lists_in_hand: 4 }
    }
}
